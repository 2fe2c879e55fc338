//! Words on a terminal: wrapped to its width, in colour only where that is seen and wanted, and redrawn without a flicker.

use std::io::{IsTerminal, Write};

/// What a terminal has that does not tell its width, and what is written where there is none.
const COLUMNS: usize = 80;
/// Lines longer than this are hard to read, however wide the window.
const MOST_COLUMNS: usize = 120;
/// Below this nothing can be laid out, so that longer lines are left to the terminal.
const FEWEST_COLUMNS: usize = 40;

/// The colours that this program writes, and their end.
const OWN_CODES: [&str; 5] = ["\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[1m", "\x1b[0m"];

/// What a text is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Characters in a line.
    pub columns: usize,
    /// Lines of the window; `None` where nothing is redrawn because it is no terminal.
    pub rows: Option<usize>,
    /// Whether colours are shown.
    pub colour: Colour,
}

/// Whether colours are shown. They only repeat what a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// They are.
    Shown,
    /// They are not.
    Hidden,
}

/// What a word means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Not yet, or not known.
    Open,
    /// A person has to look.
    Bad,
    /// A heading.
    Strong,
}

impl Screen {
    /// Standard output as it is now; a window may change its size at any time.
    pub fn of_stdout() -> Self {
        let stdout = std::io::stdout();
        if !stdout.is_terminal() {
            return Self { columns: COLUMNS, rows: None, colour: Colour::Hidden };
        }
        let size = rustix::termios::tcgetwinsize(&stdout).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (columns, rows) = size.map_or((COLUMNS, 24), |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_plain = set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb");
        let colour = if is_plain { Colour::Hidden } else { Colour::Shown };
        Self { columns: columns.clamp(FEWEST_COLUMNS, MOST_COLUMNS), rows: Some(rows), colour }
    }

    /// A word in its tone.
    pub fn paint(self, tone: Tone, word: &str) -> String {
        let [good, open, bad, strong, end] = OWN_CODES;
        let code = match tone {
            Tone::Good => good,
            Tone::Open => open,
            Tone::Bad => bad,
            Tone::Strong => strong,
        };
        match self.colour {
            Colour::Shown => format!("{code}{word}{end}"),
            Colour::Hidden => word.to_owned(),
        }
    }

    /// `first` and then `text`, broken between words so that no line is longer than the screen is wide; what follows the first
    /// line hangs under the end of `first`, which may be painted.
    pub fn hang(self, first: &str, text: &str) -> String {
        self.hang_at(first, width(first), text)
    }

    /// The same, hanging at a column of its own.
    pub fn hang_at(self, first: &str, indent: usize, text: &str) -> String {
        let (mut out, mut at) = (first.to_owned(), width(first));
        let mut is_fresh = true;
        for word in self.obeyed(text).split_whitespace() {
            let room = usize::from(!is_fresh);
            if !is_fresh && at + room + width(word) > self.columns {
                out.truncate(out.trim_end().len());
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                at = indent;
            } else if !is_fresh {
                out.push(' ');
                at += 1;
            }
            out.push_str(word);
            at += width(word);
            is_fresh = false;
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }

    /// The text with none but this screen's own colours.
    fn obeyed(self, text: &str) -> String {
        if self.colour == Colour::Hidden || !text.contains('\x1b') {
            return clean(text);
        }
        let (mut safe, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('\x1b') {
            safe.push_str(&clean(&rest[..at]));
            let own = OWN_CODES.iter().find(|code| rest[at..].starts_with(**code));
            safe.push_str(own.copied().unwrap_or(" "));
            rest = &rest[at + own.map_or(1, |code| code.len())..];
        }
        safe + &clean(rest)
    }

    /// A text as it replaces the one before it: from the corner on, each line cleared behind its end and everything below, so
    /// that nothing is blank in between. What does not fit into the window is left out and counted.
    pub fn redrawn(self, text: &str) -> String {
        let Some(rows) = self.rows else { return text.to_owned() };
        let lines: Vec<&str> = text.lines().collect();
        // The last row is left free: a newline there would scroll.
        let most = rows.saturating_sub(1).max(1);
        let mut shown: Vec<String> = lines.iter().take(most).map(|line| (*line).to_owned()).collect();
        if lines.len() > most {
            let hidden = lines.len() - most + 1;
            shown[most - 1] = format!("... and {hidden} lines more, in a taller window");
        }
        let body: String = shown.iter().map(|line| format!("{line}\x1b[K\n")).collect();
        format!("\x1b[H{body}\x1b[J")
    }
}

/// Characters that take a column: escape sequences of [`Screen::paint`] take none.
pub fn width(text: &str) -> usize {
    let (mut columns, mut is_escape) = (0, false);
    for c in text.chars() {
        match (is_escape, c) {
            (false, '\x1b') => is_escape = true,
            (false, _) => columns += 1,
            (true, 'm') => is_escape = false,
            (true, _) => {}
        }
    }
    columns
}

/// The text without anything that a terminal would obey: what is shown may have come from a stranger.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Writes at once what is to be seen. `false` when nobody reads any more, which is the end and no failure.
pub fn write(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen { columns: 40, rows: None, colour: Colour::Hidden };
    const WINDOW: Screen = Screen { columns: 40, rows: Some(4), colour: Colour::Shown };

    #[test]
    fn a_long_message_hangs_under_its_beginning() {
        let text = PLAIN.hang("next      ", "add approvals dated a little earlier that name attempt 1");
        assert_eq!(text, "next      add approvals dated a little\n          earlier that name attempt 1\n");
        assert!(text.lines().all(|line| width(line) <= 40));
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_not_cut() {
        let digest = "d".repeat(64);
        assert_eq!(PLAIN.hang("plan ", &format!("names {digest}")), format!("plan names\n     {digest}\n"));
        assert_eq!(PLAIN.hang("plan ", ""), "plan\n");
    }

    #[test]
    fn colours_take_no_room_and_are_shown_only_where_they_are_wanted() {
        assert_eq!(WINDOW.paint(Tone::Good, "True"), "\x1b[32mTrue\x1b[0m");
        assert_eq!(PLAIN.paint(Tone::Bad, "False"), "False");
        assert_eq!(width(&WINDOW.paint(Tone::Good, "True")), 4);
    }

    #[test]
    fn a_window_is_redrawn_from_its_corner_without_being_blanked_first() {
        let frame = WINDOW.redrawn("one\ntwo\n");
        assert_eq!(frame, "\x1b[Hone\x1b[K\ntwo\x1b[K\n\x1b[J");
        assert!(!frame.contains("\x1b[2J"), "a cleared screen flickers");
        assert_eq!(PLAIN.redrawn("one\n"), "one\n");
    }

    #[test]
    fn what_does_not_fit_is_counted_and_does_not_scroll() {
        let frame = WINDOW.redrawn("1\n2\n3\n4\n5\n");
        assert_eq!(frame.matches('\n').count(), 3);
        assert!(frame.contains("... and 3 lines more"), "{frame:?}");
    }

    #[test]
    fn what_a_stranger_has_written_is_not_obeyed() {
        assert_eq!(PLAIN.hang("", "a\x1b[2Jb\r\nc"), "a [2Jb c\n");
        assert_eq!(WINDOW.hang("", "a\x1b[2Jb \x1b[32mc\x1b[0m"), "a [2Jb \x1b[32mc\x1b[0m\n");
        assert_eq!(PLAIN.hang("", "\x1b[32mc"), "[32mc\n");
    }
}
