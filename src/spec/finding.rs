//! One thing that is wrong with a file, said so that a person can put it right without asking.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::code::{Code, Severity};

/// A value is quoted up to this many characters: enough for an ARN, too little to flood a terminal.
const SHOWN_CHARACTERS: usize = 80;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Which rule.
    pub code: Code,
    /// Whether the file is refused for it.
    pub severity: Severity,
    /// The file's name, as it was given.
    pub file: String,
    /// Where in the file, unless it concerns the file as a whole.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// The same in bytes from the beginning of the text; the line and column are counted only for what is reported.
    #[serde(skip)]
    pub bytes: Option<Range<usize>>,
    /// Which field: `spec.dns.ttl`, `spec.approvals[1].by`; empty for the document itself.
    pub path: String,
    /// What was found.
    pub found: String,
    /// What would be accepted.
    pub accepted: String,
    /// What to do.
    pub advice: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

/// The line of `text` that holds byte `at`, as a range without its end.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    start..start + text[start..end].trim_end_matches('\r').len()
}

/// Whether rendered findings carry terminal colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// ANSI colours.
    Always,
    /// Plain text.
    Never,
}

impl Finding {
    /// A finding about `path`, not yet placed in a file.
    pub fn new(code: Code, path: &str, found: String, accepted: &str, advice: &str) -> Self {
        Self {
            code,
            severity: code.severity(),
            file: String::new(),
            place: None,
            bytes: None,
            path: path.to_owned(),
            found,
            accepted: accepted.to_owned(),
            advice: advice.to_owned(),
        }
    }

    /// The same finding at a byte range.
    pub fn at(mut self, bytes: Range<usize>) -> Self {
        self.bytes = Some(bytes);
        self
    }

    /// Names the file and counts line and column in its text.
    pub fn place(&mut self, file: &str, text: &str) {
        file.clone_into(&mut self.file);
        self.place = self.bytes.as_ref().map(|bytes| {
            let at = text.floor_char_boundary(bytes.start);
            let line = line_around(text, at);
            Place { line: text[..line.start].matches('\n').count() + 1, column: text[line.start.min(at)..at].chars().count() + 1 }
        });
    }

    /// Whether the file is refused for it.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The finding with its line of `text` and a caret, as a compiler would print it.
    pub fn render(&self, text: &str, colour: Colour) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(self.found.as_str()).id(self.code.as_str()).elements(Vec::<Origin<'_>>::new());
        group = match (&self.place, &self.bytes) {
            // A line that may hold a secret is named and not shown.
            (Some(place), _) if self.code == Code::LiteralSecret || is_confidential(&self.path) => {
                let origin = Origin::path(self.file.as_str()).line(place.line).char_column(place.column);
                group.element(origin).element(Level::NOTE.message(format!("field: {}", self.path)))
            }
            (Some(place), Some(bytes)) => {
                let line = line_around(text, text.floor_char_boundary(bytes.start));
                let shown = masked(&text[line.clone()]);
                // The caret ends with its line, whatever goes on below.
                let within = |at: usize| shown.floor_char_boundary(at.clamp(line.start, line.end) - line.start);
                let start = within(bytes.start);
                let end = shown[..within(bytes.end)].trim_end().len().max(start);
                let caret = AnnotationKind::Primary.span(start..end).label(self.path.as_str());
                group.element(Snippet::source(shown).line_start(place.line).path(self.file.as_str()).annotation(caret))
            }
            _ => group.element(Origin::path(self.file.as_str())),
        };
        group = group.element(Level::NOTE.message(format!("accepted: {}", self.accepted)));
        group = group.element(Level::HELP.message(self.advice.as_str()));
        let renderer = match colour {
            Colour::Always => Renderer::styled(),
            Colour::Never => Renderer::plain(),
        };
        format!("{}\n", renderer.render(&[group]))
    }
}

/// All findings one after the other, with an empty line between them.
pub fn render_all(findings: &[Finding], text: &str, colour: Colour) -> String {
    findings.iter().map(|finding| finding.render(text, colour)).collect::<Vec<_>>().join("\n")
}

/// A text from the file as it may be shown: quoted, escaped and of bounded length.
pub fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    let more = if text.chars().nth(SHOWN_CHARACTERS).is_some() { "..." } else { "" };
    format!("`{}{more}`", shown.replace("\\'", "'").replace("\\\"", "\""))
}

/// Characters that a reviewer cannot see: controls other than line feed and tab, those without width, and those that turn the
/// direction of text round.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
        _ => c.is_control(),
    }
}

/// Words in a field's name that say its value is a secret.
const SECRET_WORDS: [&str; 5] = ["password", "passwd", "secret", "token", "privatekey"];

/// Whether a field of this name would hold a secret.
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '-'], "");
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether what stands at `path` must not be printed: somebody may have put the secret where its name belongs.
pub fn is_confidential(path: &str) -> bool {
    path.contains("credentials") || sounds_secret(path)
}

/// The line with everything behind a secret's name blotted out, and everybody who stands before a host, byte for byte, so that
/// carets stay where they belong.
fn masked(line: &str) -> String {
    let mut shown = line.to_owned();
    for (at, mark) in line.match_indices("://") {
        let start = at + mark.len();
        let url = line[start..].split([' ', '"', '\'', ',']).next().unwrap_or_default();
        let user = url.rfind('@').unwrap_or(0);
        shown.replace_range(start..start + user, &"*".repeat(user));
    }
    let lower = line.to_ascii_lowercase();
    let secret = SECRET_WORDS.iter().chain(&["credentials"]).filter_map(|word| lower.find(word)).min();
    if let Some(start) = secret.and_then(|start| line[start..].find([':', '=']).map(|length| start + length + 1)) {
        shown.replace_range(start.., &"*".repeat(line.len() - start));
    }
    shown
}

impl std::fmt::Display for Finding {
    /// One line, for a log or a status: where, what, and what would be accepted.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}: {} (accepted: {})", self.path, self.found, self.accepted)
    }
}
