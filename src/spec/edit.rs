//! One change to the text of a spec, everything else byte for byte as it was: comments, order, quotes, line ends.
//!
//! The places come from the tree that was read; the text is never printed anew. What was made is read again and held against
//! what was meant, so that a layout that this module does not understand is refused, and never damaged.

use std::ops::Range;

use jiff::Timestamp;

use super::load::{Loaded, load};
use super::yaml::{Entry, Node, Value, is_plain_text};
use super::{Approval, Migration, Phase};

/// Why a text is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The value is written in a way that has no one place to change.
    #[error(
        "line {line}: `{path}` is written in a form that is not edited here; write it on one line, such as `phase: Prepared`"
    )]
    Form {
        /// Which field.
        path: &'static str,
        /// Where.
        line: usize,
    },
    /// What was made would not be what was meant.
    #[error("line {line}: `{path}` cannot be changed safely in this layout; edit it by hand, to hold:\n{wanted}")]
    ByHand {
        /// Which field.
        path: &'static str,
        /// Where.
        line: usize,
        /// What is to stand there.
        wanted: String,
    },
}

/// What is put where.
type Splice = (Range<usize>, String);

impl Loaded {
    /// The text with another wished phase: one line is changed, and in it one word.
    ///
    /// # Errors
    /// If the word stands there in a form that is not edited, such as over several lines.
    pub fn with_phase(&self, phase: Phase) -> Result<String, EditError> {
        let path = "spec.phase";
        let splice = self.tree().get(path).and_then(|node| {
            let quote = written(&self.text()[node.bytes.clone()], self.migration.spec.phase.name())?;
            Some((node.bytes.clone(), format!("{quote}{phase}{quote}")))
        });
        let line = self.line_of(path);
        let splice = splice.ok_or(EditError::Form { path, line })?;
        let mut wanted = Migration::clone(&self.migration);
        wanted.spec.phase = phase;
        self.made(vec![splice], &wanted).ok_or(EditError::ByHand { path, line, wanted: format!("phase: {phase}") })
    }

    /// The text with one more approval. One by the same person for the same attempt is brought up to date where it stands,
    /// because each person counts once.
    ///
    /// # Errors
    /// If the list is laid out in a way that is not understood.
    pub fn with_approval(&self, approval: &Approval) -> Result<String, EditError> {
        let path = "spec.approvals";
        // A fraction of a second would only be noise in a file that people read.
        let at = Timestamp::from_second(approval.at.as_second()).unwrap_or(approval.at);
        let approval = Approval { at, by: approval.by.trim().to_owned(), ..approval.clone() };
        let mut wanted = Migration::clone(&self.migration);
        let known = wanted
            .spec
            .approvals
            .iter()
            .position(|known| known.person() == approval.person() && known.attempt == approval.attempt);
        let splices = match known {
            Some(index) => {
                let before = wanted.spec.approvals[index].clone();
                wanted.spec.approvals[index] = Approval { by: before.by, ..approval.clone() };
                self.renewed(index, &approval)
            }
            None => {
                wanted.spec.approvals.push(approval.clone());
                self.appended(&approval).map(|splice| vec![splice])
            }
        };
        let made = splices.and_then(|splices| self.made(splices, &wanted));
        made.ok_or_else(|| EditError::ByHand { path, line: self.line_of(path), wanted: block("    ", 1, &approval).join("\n") })
    }

    /// The text with `splices`, if it says `wanted` then.
    fn made(&self, mut splices: Vec<Splice>, wanted: &Migration) -> Option<String> {
        splices.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        let mut text = self.text().to_owned();
        for (place, new) in splices {
            text.replace_range(place, &new);
        }
        let loaded = load(&self.warnings.file, text.as_bytes()).ok()?;
        (Migration::clone(&loaded.migration) == *wanted).then_some(text)
    }

    fn line_of(&self, path: &str) -> usize {
        self.text()[..self.bytes_of(path).start].matches('\n').count() + 1
    }

    /// Another time and another digest where the old ones stand.
    fn renewed(&self, index: usize, approval: &Approval) -> Option<Vec<Splice>> {
        let item = self.tree().get(&format!("spec.approvals[{index}]"))?;
        let replaced = |field: &str, new: String| {
            let node = item.get(field)?;
            let Value::Text(old) = &node.value else { return None };
            let quote = written(&self.text()[node.bytes.clone()], old)?;
            let new = if quote.is_empty() { scalar(&new) } else { format!("{quote}{new}{quote}") };
            Some((node.bytes.clone(), new))
        };
        Some(vec![replaced("at", shown(approval.at))?, replaced("planDigest", approval.plan_digest.to_string())?])
    }

    fn appended(&self, approval: &Approval) -> Option<Splice> {
        let spec = self.tree().get("spec")?;
        let Value::Mapping(fields) = &spec.value else { return None };
        let approvals = fields.iter().find(|field| field.name == "approvals");
        let in_flow = self.text()[spec.bytes.start..].starts_with('{');
        match (approvals, in_flow) {
            (None, true) => {
                let end = self.end_of(&fields.last()?.node)?;
                Some((end..end, format!(", \"approvals\": [{}]", flow(approval))))
            }
            (None, false) => {
                let indent = self.indent(fields.first()?.bytes.start)?;
                let mut lines = vec![format!("{indent}approvals:")];
                lines.extend(block(&format!("{indent}  "), 1, approval));
                Some(self.after_line(self.end_of_entry(fields.last()?)?, &lines))
            }
            (Some(Entry { node, bytes, .. }), _) => self.appended_to(node, bytes.start, in_flow, approval),
        }
    }

    /// `field` is where the list's name stands.
    fn appended_to(&self, list: &Node, field: usize, in_flow: bool, approval: &Approval) -> Option<Splice> {
        let Value::Sequence(items) = &list.value else { return None };
        let text = self.text();
        match items.last() {
            None if in_flow => Some((list.bytes.clone(), format!("[{}]", flow(approval)))),
            None => {
                // `approvals: [] # why` becomes `approvals: # why`, with the item below.
                let indent = self.indent(field)?;
                let start = text[..list.bytes.start].trim_end_matches(' ').len();
                let (at, below) = self.after_line(list.bytes.end, &block(&format!("{indent}  "), 1, approval));
                Some((start..at.start, format!("{}{below}", &text[list.bytes.end..at.start])))
            }
            Some(last) if text[list.bytes.start..].starts_with('[') => {
                let end = self.end_of(last)?;
                Some((end..end, format!(", {}", flow(approval))))
            }
            Some(last) => {
                let first = self.start_of(items.first()?)?;
                let dash = text[..first].rfind('-')?;
                let padding = &text[dash + 1..first];
                let blanks = if padding.chars().all(|c| c == ' ') { padding.len() } else { return None };
                Some(self.after_line(self.end_of(last)?, &block(self.indent(dash)?, blanks, approval)))
            }
        }
    }

    /// `lines` below the line that holds byte `at`.
    fn after_line(&self, at: usize, lines: &[String]) -> Splice {
        let text = self.text();
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let rest = text[at..].split('\n').next().unwrap_or_default();
        let end = at + rest.trim_end_matches('\r').len();
        (end..end, lines.iter().map(|line| format!("{newline}{line}")).collect())
    }

    /// The blanks before byte `at`, if there is nothing else in its line before it.
    fn indent(&self, at: usize) -> Option<&str> {
        let start = self.text()[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = &self.text()[start..at];
        before.chars().all(|c| c == ' ').then_some(before)
    }

    fn start_of(&self, node: &Node) -> Option<usize> {
        match &node.value {
            Value::Mapping(fields) if !self.text()[node.bytes.start..].starts_with('{') => Some(fields.first()?.bytes.start),
            _ => Some(node.bytes.start),
        }
    }

    /// Where the last character of a value stands; a block of lines ends with its last value.
    fn end_of(&self, node: &Node) -> Option<usize> {
        let text = &self.text()[node.bytes.start..];
        match &node.value {
            Value::Mapping(fields) if !text.starts_with('{') => self.end_of_entry(fields.last()?),
            Value::Sequence(items) if !text.starts_with('[') => self.end_of(items.last()?),
            _ => Some(node.bytes.start + self.text()[node.bytes.clone()].trim_end().len()),
        }
    }

    fn end_of_entry(&self, entry: &Entry) -> Option<usize> {
        match entry.node.value {
            Value::Null => Some(entry.bytes.end),
            _ => self.end_of(&entry.node),
        }
    }
}

/// The quotes in which `token` holds `value`; `None` if it holds it in another way.
fn written(token: &str, value: &str) -> Option<&'static str> {
    ["", "\"", "'"].into_iter().find(|quote| token == format!("{quote}{value}{quote}"))
}

fn shown(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// An item of a list, in lines.
fn block(indent: &str, blanks: usize, approval: &Approval) -> Vec<String> {
    let blanks = " ".repeat(blanks.max(1));
    vec![
        format!("{indent}-{blanks}by: {}", scalar(approval.by.trim())),
        format!("{indent} {blanks}at: {}", scalar(&shown(approval.at))),
        format!("{indent} {blanks}attempt: {}", approval.attempt),
        format!("{indent} {blanks}planDigest: {}", scalar(approval.plan_digest.as_str())),
    ]
}

/// The same on one line, which JSON can read too.
fn flow(approval: &Approval) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let (by, at) = (text(approval.by.trim()), text(&shown(approval.at)));
    format!(
        "{{\"by\": {by}, \"at\": {at}, \"attempt\": {}, \"planDigest\": {}}}",
        approval.attempt,
        text(approval.plan_digest.as_str())
    )
}

/// A text as it may stand in a file: without quotes only where everybody reads it as a text.
fn scalar(text: &str) -> String {
    let is_simple = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_alphanumeric() || " ._@/+:-".contains(c))
        && !text.contains(": ")
        && !text.ends_with([':', ' ']);
    if is_simple && is_plain_text(text) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
