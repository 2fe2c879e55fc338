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
    /// The same in bytes from the beginning of the text.
    #[serde(skip)]
    pub bytes: Range<usize>,
}

impl Place {
    /// The place of a byte range, which is cut off at the end of its first line.
    pub fn of(text: &str, bytes: Range<usize>) -> Self {
        let start = floor(text, bytes.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let trimmed_end = start + text[start..line_end].trim_end().len();
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            bytes: start..floor(text, bytes.end).clamp(start, trimmed_end.max(start)),
        }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
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
            path: path.to_owned(),
            found,
            accepted: accepted.to_owned(),
            advice: advice.to_owned(),
        }
    }

    /// The same finding at a byte range of `text`.
    pub fn at(mut self, text: &str, bytes: Range<usize>) -> Self {
        self.place = Some(Place::of(text, bytes));
        self
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
        group = match &self.place {
            // A line that may hold a secret is named and not shown.
            Some(place) if self.code == Code::LiteralSecret || is_confidential(&self.path) => {
                let origin = Origin::path(self.file.as_str()).line(place.line).char_column(place.column);
                group.element(origin).element(Level::NOTE.message(format!("field: {}", self.path)))
            }
            Some(place) => {
                let start = text[..floor(text, place.bytes.start)].rfind('\n').map_or(0, |newline| newline + 1);
                let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
                let line = masked(text[start..end].trim_end_matches('\r'));
                let caret = place.bytes.start - start..(place.bytes.end.max(place.bytes.start) - start).min(line.len());
                group.element(
                    Snippet::source(line)
                        .line_start(place.line)
                        .path(self.file.as_str())
                        .annotation(AnnotationKind::Primary.span(caret).label(self.path.as_str())),
                )
            }
            None => group.element(Origin::path(self.file.as_str())),
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
    path.contains("credentialsFrom") || sounds_secret(path)
}

/// The line with everything behind a secret's name blotted out, byte for byte, so that carets stay where they belong.
fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let secret = SECRET_WORDS.iter().chain(&["credentialsfrom"]).filter_map(|word| lower.find(word)).min();
    let Some(colon) = secret.and_then(|start| line[start..].find(':').map(|length| start + length + 1)) else {
        return line.to_owned();
    };
    format!("{}{}", &line[..colon], "*".repeat(line.len() - colon))
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
