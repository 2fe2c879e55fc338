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
    let mut schema = of::<Migration>();
    // A name's written form is declared once, in `form`, and shown to editors as a pattern.
    for form in FORMS {
        if let Some(definition) = schema["definitions"].get_mut(form.definition) {
            definition["pattern"] = json!(form.pattern);
            definition["maxLength"] = json!(form.longest);
        }
    }
    schema
}

/// A schema document as it is committed: indented, with a newline at the end.
pub fn printed(document: &Value) -> String {
    format!("{document:#}\n")
}
