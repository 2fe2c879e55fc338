//! The fields of the file, from the schema that editors read.

use serde_json::Value;

use crate::spec::form::Form;
use crate::spec::schema::migration;

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where it stands; an entry of a list is `[]`.
    pub path: String,
    /// What it is.
    pub meaning: String,
    /// What is accepted, and what holds without it.
    pub details: Vec<String>,
}

/// Nothing in the format is nested deeper; a schema that went in circles would be.
const DEEPEST: usize = 12;

/// Every field, in the order of the schema.
pub fn all() -> Vec<Field> {
    let mut fields = Vec::new();
    visit(migration(), "", &mut fields, 0);
    fields
}

/// The schema behind references, and the name of the last definition on the way.
fn resolved(schema: &'static Value) -> (&'static Value, Option<&'static str>) {
    let (mut schema, mut name) = (schema, None);
    loop {
        let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
        let Some(next) = reference.and_then(|reference| reference.strip_prefix("#/definitions/")) else { return (schema, name) };
        (schema, name) = (&migration()["definitions"][next], Some(next));
    }
}

fn visit(schema: &'static Value, path: &str, fields: &mut Vec<Field>, depth: usize) {
    let (schema, _) = resolved(schema);
    if depth > DEEPEST {
        return;
    }
    for choice in schema["oneOf"].as_array().into_iter().flatten() {
        enter(choice, path, fields, depth, Need::Choice(choice["description"].as_str().unwrap_or_default()));
    }
    if schema["items"].is_object() {
        visit(&schema["items"], &format!("{path}[]"), fields, depth + 1);
    }
    enter(schema, path, fields, depth, Need::Own);
}

/// Whether a field has to be there.
#[derive(Debug, Clone, Copy)]
enum Need<'s> {
    /// As its schema says.
    Own,
    /// It is one of several alternatives, and this is said of the alternative.
    Choice(&'s str),
}

/// The fields of an object, and what is below each.
fn enter(object: &'static Value, path: &str, fields: &mut Vec<Field>, depth: usize, need: Need<'static>) {
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, part) in object["properties"].as_object().into_iter().flatten() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        // The alternatives of a choice share their fields' paths.
        if fields.iter().all(|known| known.path != below) {
            fields.push(field(part, &below, required.contains(&name.as_str()), need));
        }
        visit(part, &below, fields, depth + 1);
    }
}

fn field(part: &'static Value, path: &str, is_required: bool, need: Need<'_>) -> Field {
    let (schema, definition) = resolved(part);
    let described = |schema: &Value| schema["description"].as_str().map(one_line);
    let own = described(part).or_else(|| described(schema));
    let meaning = match need {
        Need::Choice(said) if !said.is_empty() => one_line(said),
        Need::Choice(_) | Need::Own => own.unwrap_or_default(),
    };
    let presence = match (need, is_required, part.get("default").or_else(|| schema.get("default"))) {
        (Need::Choice(_), _, _) => "one of several alternatives".to_owned(),
        (Need::Own, true, _) => "required".to_owned(),
        (Need::Own, false, None) => "may be left out".to_owned(),
        (Need::Own, false, Some(default)) if default.is_object() => "may be left out: each part has a default".to_owned(),
        (Need::Own, false, Some(default)) => format!("may be left out: {default}"),
    };
    Field { path: path.to_owned(), meaning, details: vec![accepted(schema, definition), presence] }
}

fn accepted(schema: &Value, definition: Option<&str>) -> String {
    if let Some(form) = definition.or(schema["format"].as_str()).and_then(Form::of) {
        return format!("accepted: {}", form.accepted);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let words: Vec<String> = choices
            .iter()
            .filter_map(|choice| choice["const"].as_str().map(str::to_owned).or_else(|| only_key(choice)))
            .collect();
        return format!("accepted: one of {}", words.join(", "));
    }
    let bounds = |least: &str, most: &str| match (&schema[least], &schema[most]) {
        (Value::Null, Value::Null) => String::new(),
        (least, Value::Null) => format!(", at least {least}"),
        (Value::Null, most) => format!(", at most {most}"),
        (least, most) => format!(", {least} to {most}"),
    };
    match schema["type"].as_str() {
        Some("object") => format!("accepted: the fields {}", keys(schema).join(", ")),
        Some("array") => format!("accepted: a list{}", bounds("minItems", "maxItems")),
        Some("integer") => format!("accepted: a whole number{}", bounds("minimum", "maximum")),
        Some("boolean") => "accepted: true or false".to_owned(),
        _ => "accepted: a text".to_owned(),
    }
}

fn keys(schema: &Value) -> Vec<String> {
    schema["properties"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
}

fn only_key(schema: &Value) -> Option<String> {
    keys(schema).into_iter().next()
}

/// A description without the line breaks of its source.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_file_says_what_it_is() {
        let fields = all();
        assert!(fields.len() > 120, "{}", fields.len());
        let silent: Vec<&str> = fields.iter().filter(|field| field.meaning.is_empty()).map(|field| field.path.as_str()).collect();
        assert_eq!(silent, [""; 0]);
        for path in
            ["spec.phase", "spec.dns.ttl", "spec.checks.pages[].expect.body[].json.pointer", "spec.approvals[].planDigest"]
        {
            assert!(fields.iter().any(|field| field.path == path), "{path}");
        }
    }

    #[test]
    fn a_field_says_what_is_accepted_and_what_holds_without_it() {
        let fields = all();
        let of = |path: &str| fields.iter().find(|field| field.path == path).expect("a field").details.clone();
        assert!(of("spec.phase")[0].starts_with("accepted: one of Preflight, Prepared, "), "{:?}", of("spec.phase"));
        assert_eq!(of("spec.attempt"), ["accepted: a whole number, 1 to 1000", "may be left out: 1"]);
        assert_eq!(of("spec.dns.ttl")[1], "required");
    }
}
