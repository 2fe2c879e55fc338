//! The JSON Schemas that editors, tests and the loader share.
//!
//! Draft-07, because that is the newest draft which yaml-language-server documents; schemars' default is 2020-12.

use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Migration;
use super::form::FORMS;

/// The schema of any type, in the same draft.
pub fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value()
}

/// The schema of the file that an operator writes: the single source of truth about its shape.
pub fn migration() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(generate);
    &SCHEMA
}

fn generate() -> Value {
    let mut schema = without_null(of::<Migration>());
    // A name's written form is declared once, in `form`, and shown to editors as a pattern.
    for form in FORMS {
        if let Some(definition) = schema["definitions"].get_mut(form.definition) {
            definition["pattern"] = json!(form.pattern);
            definition["maxLength"] = json!(form.longest);
        }
    }
    schema
}

/// The same without `null`: a field that may be left out is left out, and nobody writes `null` in its place.
fn without_null(schema: Value) -> Value {
    match schema {
        Value::Object(mut fields) => {
            if let Some([word, _]) = fields.get("type").and_then(Value::as_array).map(Vec::as_slice) {
                let word = word.clone();
                fields.insert("type".to_owned(), word);
            }
            // An optional reference: draft-07 lets nothing stand beside `$ref`, so it goes into an `allOf` of one, as elsewhere.
            if let Some([reference, _]) = fields.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
                let reference = reference.clone();
                fields.remove("anyOf");
                fields.insert("allOf".to_owned(), json!([reference]));
            }
            Value::Object(fields.into_iter().map(|(name, value)| (name, without_null(value))).collect())
        }
        Value::Array(parts) => Value::Array(parts.into_iter().map(without_null).collect()),
        other => other,
    }
}

/// A schema document as it is committed: indented, with a newline at the end.
pub fn printed(document: &Value) -> String {
    format!("{document:#}\n")
}
