//! From bytes to a checked migration, or to everything that is wrong with them at once.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::{Deref, Range};

use serde::Serialize;

use super::Migration;
use super::check::check;
use super::code::Code;
use super::finding::{Colour, Finding, is_hidden, render_all};
use super::schema;
use super::shape;
use super::yaml::{self, Node};

/// A commented spec has ten kilobytes; this is room for a long list of accounts and a bound on all work that follows.
pub const LARGEST_BYTES: usize = 256 * 1024;
/// A page that somebody may still read; a file with more faults is another kind of file.
const MOST_FINDINGS: usize = 100;

/// A value that has passed every check. Only this module makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Valid<T>(T);

impl<T> Valid<T> {
    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A file that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What it declares.
    pub migration: Valid<Migration>,
    /// What somebody should look at all the same.
    pub warnings: Report,
    tree: Node,
}

impl Loaded {
    /// Where the field `path` stands in the file, in bytes: its value, or its name if the value is a block.
    pub fn bytes_of(&self, path: &str) -> Range<usize> {
        self.tree.locate(path)
    }

    /// The file as it was read.
    pub fn text(&self) -> &str {
        &self.warnings.text
    }

    /// What stands where.
    pub(super) const fn tree(&self) -> &Node {
        &self.tree
    }

    /// Findings about this file from elsewhere (such as [`super::change::check_change`]), placed in it.
    pub fn report(&self, findings: Vec<Finding>) -> Report {
        let placed = findings.into_iter().map(|finding| self.tree.placed(finding)).collect();
        Report::new(&self.warnings.file, &self.warnings.text, placed)
    }
}

/// What was found in one file, in the file's order, together with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file's name, as it was given.
    pub file: String,
    /// The findings.
    pub findings: Vec<Finding>,
    text: String,
}

impl Report {
    fn new(file: &str, text: &str, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (finding.bytes.as_ref().map(|bytes| bytes.start), finding.code));
        if findings.len() > MOST_FINDINGS {
            let more = findings.split_off(MOST_FINDINGS).len();
            let found = format!("{more} more findings are not shown");
            findings.push(Finding::new(Code::TooManyFindings, "", found, "a spec", "correct these first"));
        }
        for finding in &mut findings {
            finding.place(file, text);
        }
        Self { file: file.to_owned(), findings, text: text.to_owned() }
    }

    /// How many findings refuse the file.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.is_error()).count()
    }

    /// How many do not.
    pub fn warnings(&self) -> usize {
        self.findings.len() - self.errors()
    }

    /// Every finding with its line and a caret.
    pub fn render(&self, colour: Colour) -> String {
        render_all(&self.findings, &self.text, colour)
    }

    /// `5 errors, 1 warning in FILE`.
    pub fn summary(&self) -> String {
        let counted = |count: usize, thing: &str| format!("{count} {thing}{}", if count == 1 { "" } else { "s" });
        format!("{}, {} in {}", counted(self.errors(), "error"), counted(self.warnings(), "warning"), self.file)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.render(Colour::Never))?;
        f.write_str(&self.summary())
    }
}

impl std::error::Error for Report {}

/// Reads and checks one file. `source_name` is how findings call it.
///
/// # Errors
/// Everything that is wrong with it, warnings included, if anything refuses it.
pub fn load(source_name: &str, bytes: &[u8]) -> Result<Loaded, Report> {
    let refused = |text: &str, findings| Err(Report::new(source_name, text, findings));
    let text = match readable(bytes) {
        Ok(text) => text,
        Err(findings) => return refused(&String::from_utf8_lossy(&bytes[..bytes.len().min(LARGEST_BYTES)]), findings),
    };
    let mut findings = Vec::new();
    let Some(tree) = yaml::compose(text, &mut findings) else {
        if findings.is_empty() {
            findings.push(empty());
        }
        return refused(text, findings);
    };
    if tree.value == yaml::Value::Null {
        findings.push(empty());
        return refused(text, findings);
    }
    let faults = shape::faults(&tree, schema::migration());
    let read = read(&tree, &faults);
    findings.extend(faults);
    let said = read.as_ref().map_or_else(Vec::clone, check);
    findings.extend(said.into_iter().map(|finding| tree.placed(finding)));
    match read {
        Ok(migration) if !findings.iter().any(Finding::is_error) => {
            Ok(Loaded { migration: Valid(migration), warnings: Report::new(source_name, text, findings), tree })
        }
        _ => refused(text, findings),
    }
}

/// Checks a migration that was not read from a file: it goes through the same door, as JSON, which is YAML.
///
/// # Errors
/// As [`load`].
pub fn load_value(source_name: &str, migration: &Migration) -> Result<Loaded, Report> {
    match serde_json::to_vec_pretty(migration) {
        Ok(json) => load(source_name, &json),
        Err(error) => {
            let found = format!("cannot be written as JSON: {error}");
            let finding = Finding::new(Code::Unread, "", found, "a migration", "report this as a defect");
            Err(Report::new(source_name, "", vec![finding]))
        }
    }
}

/// The bytes as text of bounded length in which everything can be seen.
fn readable(bytes: &[u8]) -> Result<&str, Vec<Finding>> {
    if bytes.len() > LARGEST_BYTES {
        let found = format!("more than {LARGEST_BYTES} bytes");
        let accepted = format!("at most {} KiB", LARGEST_BYTES / 1024);
        return Err(vec![Finding::new(Code::FileTooLarge, "", found, &accepted, "see whether this is the right file")]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let found = format!("byte {at} is not UTF-8");
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let advice = if utf16 { "it looks like UTF-16: save it as UTF-8" } else { "save the file as UTF-8" };
        vec![Finding::new(Code::NotUtf8, "", found, "text in UTF-8", advice).at(at..at)]
    })?;
    // A byte order mark is let through at the very beginning, because editors on Windows put one there, and their line ends too.
    let expected = |at: usize, c: char| (c == '\u{feff}' && at == 0) || text[at..].starts_with("\r\n");
    match text.char_indices().find(|(at, c)| is_hidden(*c) && !expected(*at, *c)) {
        None => Ok(text),
        Some((at, c)) => {
            let found = format!("the character U+{:04X} at byte {at}", u32::from(c));
            let finding = Finding::new(Code::ControlCharacter, "", found, "characters that can be seen", "remove it");
            Err(vec![finding.at(at..at + c.len_utf8())])
        }
    }
}

fn empty() -> Finding {
    let found = "nothing is declared here".to_owned();
    Finding::new(Code::EmptyFile, "", found, "a `Migration`", "begin with `manifests/payments.yaml`").at(0..0)
}

/// The tree as a migration, or what stands in the way beyond the known `faults` of shape. Fields that are merely too many are
/// left out, so that the rest of the rules can still speak.
fn read(tree: &Node, faults: &[Finding]) -> Result<Migration, Vec<Finding>> {
    let superfluous = |finding: &Finding| matches!(finding.code, Code::UnknownField | Code::LiteralSecret | Code::MergeKey);
    if !faults.iter().all(superfluous) {
        return Err(Vec::new());
    }
    let unwanted: BTreeSet<usize> = faults.iter().filter_map(|fault| fault.bytes.as_ref()).map(|bytes| bytes.start).collect();
    let json = tree.to_json(&|entry| unwanted.contains(&entry.bytes.start));
    serde_path_to_error::deserialize(json).map_err(|error| {
        let found = format!("cannot be read: {}", error.inner());
        let advice = "report this as a defect of the schema";
        vec![Finding::new(Code::Unread, &error.path().to_string(), found, "what the schema says", advice)]
    })
}

impl Node {
    /// A finding about a path, at the place of that path.
    fn placed(&self, finding: Finding) -> Finding {
        let bytes = self.locate(&finding.path);
        finding.at(bytes)
    }
}
