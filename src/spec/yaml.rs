//! The text as a located tree: every value with its place, so that every fault can be reported where it stands.
//!
//! This is the only file that names `serde_saphyr`. Its serde front end stops at the first fault, reads `'1'` as a number
//! and `yes` as a boolean, which an API server would refuse; so the tree is composed here from the events of its parser
//! (YAML 1.2, `unsafe` denied, nesting bounded), with one typing rule that is as strict as Kubernetes's. Anchors, aliases,
//! merge keys and tags are refused: in a file that moves money, what stands in a line is what is meant, and an alias bomb
//! has nothing to explode.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;
use serde_saphyr::granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span};

use super::code::Code;
use super::finding::{Finding, is_hidden, quoted};

/// A spec has about a hundred values; this many allow for long lists and nothing else.
const MOST_NODES: usize = 5000;
/// A spec is six levels deep.
const DEEPEST: usize = 32;

/// A value and where it stands, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its first to its last byte.
    pub bytes: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A decimal number without a fraction.
    Integer(i64),
    /// A text, quoted or not.
    Text(String),
    /// A plain scalar that YAML readers do not agree about, or that no field wants.
    Odd(Odd, String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the file's order, each name once.
    Mapping(Vec<Entry>),
}

/// Plain scalars that are neither clearly a text nor clearly a number or boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Odd {
    /// `yes`, `no`, `on`, `off`: booleans to YAML 1.1, texts to YAML 1.2.
    OldBoolean,
    /// `1.5`, `1e3`, `.inf`, `.nan`.
    Fraction,
    /// `010`, `0x10`, `0o10`, `1_000`, `+1`.
    NotDecimal,
    /// A number beyond 64 bits.
    HugeNumber,
}

/// One field of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The field's name.
    pub name: String,
    /// Where the name stands.
    pub bytes: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The value at `path` (`spec.approvals[1].by`), if the file has one there.
    pub fn get(&self, path: &str) -> Option<&Self> {
        path.split(['.', '[']).filter(|step| !step.is_empty()).try_fold(self, |node, step| match &node.value {
            Value::Mapping(entries) => entries.iter().find(|entry| entry.name == step).map(|entry| &entry.node),
            Value::Sequence(nodes) => nodes.get(step.trim_end_matches(']').parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Text(_) | Value::Odd(..) => None,
        })
    }

    /// Where `path` (`spec.approvals[1].by`) stands, or the nearest of its parents that is in the file.
    pub fn locate(&self, path: &str) -> Range<usize> {
        let (mut node, mut bytes) = (self, 0..0);
        for step in path.split(['.', '[']).filter(|step| !step.is_empty()) {
            let found = match &node.value {
                Value::Mapping(entries) => {
                    entries.iter().find(|entry| entry.name == step).map(|entry| (&entry.node, entry.bytes.clone()))
                }
                Value::Sequence(nodes) => {
                    let index = step.trim_end_matches(']').parse::<usize>().ok();
                    index.and_then(|index| nodes.get(index)).map(|node| (node, node.bytes.clone()))
                }
                _ => None,
            };
            let Some((next, name)) = found else { return bytes };
            // A value says more than its name, unless it is a whole block of lines.
            bytes = if matches!(next.value, Value::Mapping(_) | Value::Sequence(_) | Value::Null) {
                name
            } else {
                next.bytes.clone()
            };
            node = next;
        }
        bytes
    }

    /// The tree as JSON, without the places and without the fields that `unwanted` picks out by their place.
    pub fn to_json(&self, unwanted: &dyn Fn(&Entry) -> bool) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(truth) => Json::from(*truth),
            Value::Integer(number) => Json::from(*number),
            Value::Text(text) | Value::Odd(_, text) => Json::from(text.as_str()),
            Value::Sequence(nodes) => nodes.iter().map(|node| node.to_json(unwanted)).collect(),
            Value::Mapping(entries) => {
                let wanted = entries.iter().filter(|entry| !unwanted(entry));
                Json::Object(wanted.map(|entry| (entry.name.clone(), entry.node.to_json(unwanted))).collect())
            }
        }
    }
}

/// Composes the tree of the one document in `text`. Faults that leave a tree standing are added to `findings`.
pub fn compose(text: &str, findings: &mut Vec<Finding>) -> Option<Node> {
    let mut options = Options::default();
    options.flow_nesting_limit = DEEPEST;
    options.block_nesting_limit = DEEPEST;
    options.set_emit_comments(false);
    // An alias is refused whether or not it leads anywhere.
    options.emit_unresolved_aliases = true;
    let mut composer = Composer { text, findings, open: Vec::new(), root: None, nodes: 0, documents: 0 };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => composer.take(event, &span)?,
            Err(error) => {
                composer.refuse_syntax(&error);
                return None;
            }
        }
    }
    composer.root
}

/// A collection that is still being read.
struct Open {
    node: Node,
    /// A field whose value has not come yet: its name, its line, its bytes.
    name: Option<(String, usize, Range<usize>)>,
    /// Names seen so far and their lines.
    seen: BTreeMap<String, usize>,
}

struct Composer<'a> {
    text: &'a str,
    findings: &'a mut Vec<Finding>,
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Composer<'_> {
    /// Takes one event; `None` ends the reading.
    fn take(&mut self, event: Event<'_>, span: &Span) -> Option<()> {
        let bytes = span.byte_range().unwrap_or(0..0);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let found = "a second document begins here".to_owned();
                    self.report(Code::SeveralDocuments, bytes, found, "one document a file", "move it to a file of its own");
                    return None;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), &bytes);
                let value = if style == ScalarStyle::Plain { plain(&text) } else { Value::Text(text.clone().into_owned()) };
                self.count(&bytes)?;
                // An escape (`"\u202e"`) brings in what the text itself must not have.
                if let Some(c) = text.chars().find(|c| is_hidden(*c)) {
                    let found = format!("the character U+{:04X}, by an escape", u32::from(c));
                    self.report(Code::ControlCharacter, bytes.clone(), found, "characters that can be seen", "remove it");
                }
                if self.awaits_name() {
                    if let Some(open) = self.open.last_mut() {
                        open.name = Some((text.into_owned(), span.start.line(), bytes));
                    }
                } else {
                    self.place(Node { value, bytes });
                }
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), &bytes);
                self.begin(Value::Sequence(Vec::new()), bytes)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                self.refuse_properties(anchor, tag.is_some(), &bytes);
                self.begin(Value::Mapping(Vec::new()), bytes)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let mut closed = self.open.pop()?.node;
                closed.bytes.end = bytes.end;
                self.place(closed);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse_alias(bytes);
                return None;
            }
            // The stream's frame, and presentation that was not asked for.
            _ => {}
        }
        Some(())
    }

    fn report(&mut self, code: Code, bytes: Range<usize>, found: String, accepted: &str, advice: &str) {
        self.findings.push(Finding::new(code, "", found, accepted, advice).at(bytes));
    }

    fn refuse_syntax(&mut self, error: &ScanError) {
        let at = error.marker().byte_offset().unwrap_or(self.text.len());
        if *error.kind() == ErrorKind::RecursionLimitExceeded {
            let found = format!("nested more than {DEEPEST} levels deep");
            let advice = "see whether this is the right file";
            return self.report(Code::TooComplex, at..at + 1, found, "a spec, which is six levels deep", advice);
        }
        let advice = if self.text.contains('\t') {
            "indent with spaces; YAML forbids tabs there"
        } else {
            "correct the syntax here or just above"
        };
        self.report(Code::Syntax, at..at + 1, format!("not YAML: {}", error.kind()), "YAML 1.2", advice);
    }

    fn refuse_properties(&mut self, anchor: usize, tagged: bool, bytes: &Range<usize>) {
        if anchor > 0 {
            self.refuse_alias(bytes.clone());
        }
        if tagged {
            let found = "an explicit YAML tag".to_owned();
            self.report(Code::Tag, bytes.clone(), found, "plain YAML values", "remove the tag (`!...`)");
        }
    }

    fn refuse_alias(&mut self, bytes: Range<usize>) {
        let found = "an anchor (`&`) or an alias (`*`)".to_owned();
        let advice = "write the value out; quote a text that begins with `&` or `*`";
        self.report(Code::Alias, bytes, found, "the value itself", advice);
    }

    fn count(&mut self, bytes: &Range<usize>) -> Option<()> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let found = format!("more than {MOST_NODES} values");
            self.report(Code::TooComplex, bytes.clone(), found, "a spec of about a hundred values", "split the migration");
            return None;
        }
        Some(())
    }

    /// Whether the innermost collection is a mapping that waits for a field's name.
    fn awaits_name(&self) -> bool {
        self.open.last().is_some_and(|open| open.name.is_none() && matches!(open.node.value, Value::Mapping(_)))
    }

    fn begin(&mut self, value: Value, bytes: Range<usize>) -> Option<()> {
        self.count(&bytes)?;
        if self.awaits_name() {
            let found = "a list or a mapping where a field's name belongs".to_owned();
            self.report(Code::KeyNotText, bytes, found, "a name", "quote a name that begins with `[` or `{`");
            return None;
        }
        self.open.push(Open { node: Node { value, bytes }, name: None, seen: BTreeMap::new() });
        Some(())
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut open.node.value, open.name.take()) {
            (Value::Sequence(nodes), _) => nodes.push(node),
            (Value::Mapping(entries), Some((name, line, bytes))) => match open.seen.get(&name) {
                None => {
                    open.seen.insert(name.clone(), line);
                    entries.push(Entry { name, bytes, node });
                }
                Some(first) => {
                    let found = format!("the field {} a second time; the first is in line {first}", quoted(&name));
                    self.report(Code::DuplicateKey, bytes, found, "each field once", "remove one of the two");
                }
            },
            _ => {}
        }
    }
}

/// Whether `text` needs no quotes to be a text.
pub fn is_plain_text(text: &str) -> bool {
    matches!(plain(text), Value::Text(_))
}

/// What a plain scalar is. One rule, in one place: YAML 1.2's core schema, and doubt where 1.1 says otherwise.
fn plain(text: &str) -> Value {
    let odd = |odd| Value::Odd(odd, text.to_owned());
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if ["yes", "no", "on", "off", "y", "n"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return odd(Odd::OldBoolean);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_decimal(unsigned) {
        let canonical = !text.starts_with('+') && (unsigned == "0" || !unsigned.starts_with('0'));
        return match text.parse() {
            Ok(number) if canonical => Value::Integer(number),
            Ok(_) => odd(Odd::NotDecimal),
            Err(_) => odd(Odd::HugeNumber),
        };
    }
    if is_not_decimal(unsigned) {
        return odd(Odd::NotDecimal);
    }
    if is_fraction(unsigned) {
        return odd(Odd::Fraction);
    }
    Value::Text(text.to_owned())
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `0x1f`, `0o17`, `0b1` and `1_000`.
fn is_not_decimal(unsigned: &str) -> bool {
    let based = |prefix: &str, base: u32| {
        unsigned.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(base) || c == '_'))
    };
    let grouped = unsigned.starts_with(|c: char| c.is_ascii_digit()) && is_decimal(&unsigned.replace('_', ""));
    based("0x", 16) || based("0o", 8) || based("0b", 2) || grouped
}

/// `1.5`, `.5`, `1e3`, `.inf`, `.nan`; not `1.2.3.4`.
fn is_fraction(unsigned: &str) -> bool {
    let spelled = [".inf", ".nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    let numeric = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    spelled || (numeric && unsigned.parse::<f64>().is_ok())
}
