//! The shape of a file against the schema: every fault of shape at once, where it stands.
//!
//! serde stops at its first fault. This walk goes through tree and schema side by side and knows just those keywords that
//! the schema uses (a test says so), so that shape has one source of truth: the schema that editors read.

use std::ops::Range;

use serde_json::{Map, Value as Schema};

use super::code::Code;
use super::finding::{Finding, is_confidential, quoted, sounds_secret};
use super::form::Form;
use super::yaml::{Entry, Node, Odd, Value};

/// Keywords that the walk obeys, and those that only explain.
#[cfg(test)]
const KNOWN_KEYWORDS: [&str; 23] = [
    "$ref",
    "allOf",
    "oneOf",
    "const",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "$schema",
    "definitions",
    "title",
    "description",
    "default",
    "additionalItems",
];

/// Every fault of shape in `root`.
pub fn faults(root: &Node, schema: &Schema) -> Vec<Finding> {
    let mut walk = Walk { definitions: &schema["definitions"], findings: Vec::new() };
    walk.visit(&Spot { node: root, path: String::new(), name: 0..0 }, schema);
    walk.findings
}

/// A value, its path, and where its field's name stands.
struct Spot<'a> {
    node: &'a Node,
    path: String,
    name: Range<usize>,
}

impl Spot<'_> {
    /// Where to point: at a scalar itself, at the name of a block.
    fn bytes(&self) -> Range<usize> {
        match self.node.value {
            Value::Mapping(_) | Value::Sequence(_) | Value::Null if !self.name.is_empty() => self.name.clone(),
            _ => self.node.bytes.clone(),
        }
    }
}

struct Walk<'a> {
    definitions: &'a Schema,
    findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    fn report(&mut self, code: Code, spot: &Spot<'_>, found: String, accepted: &str, advice: &str) {
        self.findings.push(Finding::new(code, &spot.path, found, accepted, advice).at(spot.bytes()));
    }

    /// The schema behind references, and the name of the last definition on the way.
    fn resolve(&self, schema: &'a Schema) -> (&'a Schema, Option<&'a str>) {
        let (mut schema, mut definition) = (schema, None);
        loop {
            // A reference with a description beside it stands in an `allOf` of one.
            let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
            let Some(name) = reference.and_then(|reference| reference.strip_prefix("#/definitions/")) else {
                return (schema, definition);
            };
            (schema, definition) = (&self.definitions[name], Some(name));
        }
    }

    fn visit(&mut self, spot: &Spot<'_>, schema: &'a Schema) {
        let (schema, definition) = self.resolve(schema);
        let form = definition.or(schema["format"].as_str()).and_then(Form::of);
        if let Some(choices) = schema["oneOf"].as_array() {
            return if choices.iter().all(|choice| choice["const"].is_string()) {
                self.visit_word(spot, choices)
            } else {
                self.visit_choice(spot, choices)
            };
        }
        match (schema["type"].as_str(), &spot.node.value) {
            (Some("object"), Value::Mapping(entries)) => self.visit_mapping(spot, entries, schema),
            (Some("array"), Value::Sequence(nodes)) => self.visit_sequence(spot, nodes, schema),
            (Some("integer"), Value::Integer(number)) => self.visit_number(spot, *number, schema),
            (Some("string"), Value::Text(text)) => self.visit_text(spot, text, form),
            (Some("boolean"), Value::Bool(_)) => {}
            _ => self.refuse_type(spot, schema, form),
        }
    }

    fn visit_mapping(&mut self, spot: &Spot<'_>, entries: &[Entry], schema: &'a Schema) {
        let empty = Map::new();
        let fields = schema["properties"].as_object().unwrap_or(&empty);
        for entry in entries {
            let child = Spot { node: &entry.node, path: joined(&spot.path, &entry.name), name: entry.bytes.clone() };
            match schema["properties"].get(&entry.name) {
                Some(wanted) => self.visit(&child, wanted),
                None => self.refuse_field(&child, &entry.name, fields),
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str) {
            if !entries.iter().any(|entry| entry.name == name) {
                let wanted = &schema["properties"][name];
                let accepted = self.expectation(wanted);
                let purpose = wanted["description"].as_str().unwrap_or_default();
                let missing = Spot { node: spot.node, path: joined(&spot.path, name), name: spot.name.clone() };
                self.report(
                    Code::MissingField,
                    &missing,
                    format!("`{name}` is missing"),
                    &accepted,
                    &format!("add `{name}`: {purpose}"),
                );
            }
        }
    }

    fn refuse_field(&mut self, spot: &Spot<'_>, name: &str, fields: &Map<String, Schema>) {
        let finding = if name == "<<" {
            let found = "a merge key (`<<`)".to_owned();
            Finding::new(Code::MergeKey, &spot.path, found, "the fields themselves", "write the fields out")
        } else if sounds_secret(name) {
            Finding::new(
                Code::LiteralSecret,
                &spot.path,
                format!("{} would put a secret into the file", quoted(name)),
                "`credentialsFrom` with the name of an environment variable's prefix or of a file",
                "remove it, name it in `credentialsFrom`, and change the secret: it has been written down",
            )
        } else {
            let known: Vec<&str> = fields.keys().map(String::as_str).collect();
            let advice = match nearest(name, &known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "remove it".to_owned(),
            };
            Finding::new(
                Code::UnknownField,
                &spot.path,
                format!("{} is not a field here", quoted(name)),
                &listed(&known),
                &advice,
            )
        };
        self.findings.push(finding.at(spot.name.clone()));
    }

    fn visit_sequence(&mut self, spot: &Spot<'_>, nodes: &[Node], schema: &'a Schema) {
        let (least, most) = (schema["minItems"].as_u64().unwrap_or(0), schema["maxItems"].as_u64().unwrap_or(u64::MAX));
        let count = nodes.len() as u64;
        if count < least || count > most {
            let accepted = self.expectation(schema);
            let advice = if count < least { "add an entry" } else { "remove some" };
            self.report(Code::WrongCount, spot, format!("a list of {count} entries"), &accepted, advice);
        }
        for (index, node) in nodes.iter().enumerate() {
            self.visit(&Spot { node, path: format!("{}[{index}]", spot.path), name: 0..0 }, &schema["items"]);
        }
    }

    fn visit_number(&mut self, spot: &Spot<'_>, number: i64, schema: &'a Schema) {
        let (least, most) = (schema["minimum"].as_i64().unwrap_or(i64::MIN), schema["maximum"].as_i64().unwrap_or(i64::MAX));
        if number < least || number > most {
            let accepted = self.expectation(schema);
            self.report(Code::OutOfRange, spot, format!("`{number}` is out of range"), &accepted, "write a number in that range");
        }
    }

    fn visit_text(&mut self, spot: &Spot<'_>, text: &str, form: Option<&Form>) {
        let Some(form) = form.filter(|form| !form.accepts(text)) else { return };
        let lower = text.to_ascii_lowercase();
        let repaired = [lower.as_str(), lower.trim_end_matches('.'), text.trim()].into_iter().find(|text| form.accepts(text));
        let advice = match repaired {
            Some(meant) => format!("did you mean {}?", quoted(meant)),
            None => "write it in that form".to_owned(),
        };
        self.report(Code::WrongForm, spot, format!("{} is not of the accepted form", quoted(text)), form.accepted, &advice);
    }

    /// A closed list of words.
    fn visit_word(&mut self, spot: &Spot<'_>, choices: &[Schema]) {
        let words: Vec<&str> = choices.iter().filter_map(|choice| choice["const"].as_str()).collect();
        let accepted = listed(&words);
        match &spot.node.value {
            Value::Text(text) if words.contains(&text.as_str()) => {}
            Value::Text(text) => {
                let advice = match nearest(text, &words) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "choose one of these".to_owned(),
                };
                self.report(Code::UnknownWord, spot, format!("{} is not an accepted word", quoted(text)), &accepted, &advice);
            }
            value => self.report(Code::WrongType, spot, described(value, &spot.path), &accepted, "choose one of these words"),
        }
    }

    /// A mapping with exactly one of several fields: Kubernetes's union.
    fn visit_choice(&mut self, spot: &Spot<'_>, choices: &'a [Schema]) {
        let mut fields = Map::new();
        for choice in choices {
            fields.extend(
                choice["properties"].as_object().into_iter().flatten().map(|(name, schema)| (name.clone(), schema.clone())),
            );
        }
        let accepted =
            format!("a mapping with exactly one of {}", listed(&fields.keys().map(String::as_str).collect::<Vec<_>>()));
        let Value::Mapping(entries) = &spot.node.value else {
            let found = described(&spot.node.value, &spot.path);
            return self.report(Code::WrongType, spot, found, &accepted, "write one of these fields, with its value below it");
        };
        let mut chosen = 0;
        for entry in entries {
            let child = Spot { node: &entry.node, path: joined(&spot.path, &entry.name), name: entry.bytes.clone() };
            match choices.iter().find_map(|choice| choice["properties"].get(&entry.name)) {
                Some(wanted) => {
                    chosen += 1;
                    self.visit(&child, wanted);
                }
                None => self.refuse_field(&child, &entry.name, &fields),
            }
        }
        if chosen != 1 {
            let found =
                if chosen == 0 { "none of the alternatives".to_owned() } else { format!("{chosen} alternatives at once") };
            self.report(Code::NotOneOf, spot, found, &accepted, "write exactly one of them");
        }
    }

    fn refuse_type(&mut self, spot: &Spot<'_>, schema: &'a Schema, form: Option<&Form>) {
        let accepted = form.map_or_else(|| self.expectation(schema), |form| form.accepted.to_owned());
        let found = described(&spot.node.value, &spot.path);
        let advice = match (schema["type"].as_str(), &spot.node.value) {
            (_, Value::Null) => "write a value, or remove the field if it has a default",
            (_, Value::Odd(_, text)) if form.is_some_and(|form| form.accepts(text)) => "put it in quotes",
            (Some("string"), Value::Bool(_) | Value::Integer(_) | Value::Odd(..)) if form.is_none() => {
                "put it in quotes if it is meant as text"
            }
            (Some("string"), Value::Integer(_)) => "add what is missing, such as the unit of a duration",
            (Some("integer"), Value::Text(_)) => "write the number without quotes",
            (Some("boolean"), Value::Text(_) | Value::Odd(Odd::OldBoolean, _)) => "write `true` or `false`, without quotes",
            (Some("array"), _) => "write a list: one `- entry` a line",
            (Some("object"), _) => "write its fields below it, indented",
            _ => "write a value of that type",
        };
        self.report(Code::WrongType, spot, found, &accepted, advice);
    }

    /// What a schema accepts, in words.
    fn expectation(&self, schema: &'a Schema) -> String {
        let (schema, definition) = self.resolve(schema);
        if let Some(form) = definition.or(schema["format"].as_str()).and_then(Form::of) {
            return form.accepted.to_owned();
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let words: Vec<&str> = choices.iter().filter_map(|choice| choice["const"].as_str()).collect();
            let fields = choices.iter().filter_map(|choice| choice["required"][0].as_str()).collect::<Vec<_>>();
            return if words.is_empty() { format!("a mapping with exactly one of {}", listed(&fields)) } else { listed(&words) };
        }
        let count = |keyword: &str| schema[keyword].as_i64();
        match schema["type"].as_str() {
            Some("integer") => match (count("minimum"), count("maximum")) {
                (Some(least), Some(most)) => format!("a whole number from {least} to {most}"),
                _ => "a whole number".to_owned(),
            },
            Some("array") => match (count("minItems"), count("maxItems")) {
                (Some(least), Some(most)) => format!("a list of {least} to {most} entries"),
                (None, Some(most)) => format!("a list of at most {most} entries"),
                _ => "a list".to_owned(),
            },
            Some("object") => {
                let fields: Vec<&str> =
                    schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                format!("a mapping with {}", listed(&fields).replace(" or ", " and "))
            }
            Some("boolean") => "`true` or `false`".to_owned(),
            _ => "a text".to_owned(),
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `` `a`, `b` or `c` ``.
fn listed(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            format!("{} or `{last}`", first.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A value of the wrong type in words; its text only where it cannot be a secret.
fn described(value: &Value, path: &str) -> String {
    let shown = |text: &str| if is_confidential(path) { "(not shown)".to_owned() } else { quoted(text) };
    match value {
        Value::Null => "nothing is written here".to_owned(),
        Value::Bool(truth) => format!("the boolean `{truth}`"),
        Value::Integer(number) => format!("the number {}", shown(&number.to_string())),
        Value::Text(text) => format!("the text {}", shown(text)),
        Value::Odd(Odd::OldBoolean, text) => format!("{}, a boolean to some YAML readers and a text to others", shown(text)),
        Value::Odd(Odd::Fraction, text) => format!("the fractional number {}", shown(text)),
        Value::Odd(Odd::NotDecimal, text) => format!("the number {}, which is not in plain decimal form", shown(text)),
        Value::Odd(Odd::HugeNumber, text) => format!("the number {}, which is beyond 64 bits", shown(text)),
        Value::Sequence(nodes) => format!("a list of {}", nodes.len()),
        Value::Mapping(_) => "a mapping".to_owned(),
    }
}

/// The known word that somebody most likely meant, if one is near enough.
fn nearest<'w>(word: &str, known: &[&'w str]) -> Option<&'w str> {
    // A third of the letters may be wrong; beyond 64 characters nobody mistypes, and the table below would grow.
    let allowed = (word.chars().count() / 3).max(1);
    let distances = known.iter().map(|candidate| (edits(&word.to_lowercase(), &candidate.to_lowercase()), *candidate));
    distances.filter(|(distance, _)| word.len() <= 64 && *distance <= allowed).min().map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: letters to insert, delete or replace.
pub fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for column in 0..to.len() {
            let replaced = diagonal + usize::from(letter != to[column]);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::schema;

    /// Every keyword of a schema, at every depth.
    fn keywords(schema: &Schema, into: &mut Vec<String>) {
        let Schema::Object(fields) = schema else { return };
        for (keyword, value) in fields {
            into.push(keyword.clone());
            match (keyword.as_str(), value) {
                ("properties" | "definitions", Schema::Object(named)) => named.values().for_each(|schema| keywords(schema, into)),
                ("allOf" | "oneOf", Schema::Array(parts)) => parts.iter().for_each(|schema| keywords(schema, into)),
                ("items", schema) => keywords(schema, into),
                _ => {}
            }
        }
    }

    #[test]
    fn the_walk_knows_every_keyword_that_the_schema_uses() {
        let mut used = Vec::new();
        keywords(schema::migration(), &mut used);
        let unknown: Vec<_> = used.iter().filter(|keyword| !KNOWN_KEYWORDS.contains(&keyword.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn every_pattern_in_the_schema_is_a_form_that_the_walk_checks() {
        for (name, definition) in schema::migration()["definitions"].as_object().expect("the schema has definitions") {
            assert_eq!(definition.get("pattern").is_some(), Form::of(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_slip_of_the_finger_is_understood_and_another_word_is_not() {
        assert_eq!(nearest("Prepard", &["Preflight", "Prepared"]), Some("Prepared"));
        assert_eq!(nearest("prepared", &["Preflight", "Prepared"]), Some("Prepared"));
        assert_eq!(nearest("Banana", &["Preflight", "Prepared"]), None);
    }
}
