//! The OpenAPI 3.1 document: paths kept by hand in `openapi.json`, components made from the types that are answered.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::failure::FailureBody;
use super::journey::Journey;
use super::objects::{Bookmark, EventList, MigrationList, MigrationObject, WatchEvent};
use crate::migration::plan::Plan;

const PATHS: &str = include_str!("openapi.json");

/// The whole document.
pub fn document() -> Value {
    // A test parses the file; a null document would fail it.
    let mut document: Value = serde_json::from_str(PATHS).unwrap_or(Value::Null);
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    generator.subschema_for::<MigrationObject>();
    generator.subschema_for::<MigrationList>();
    generator.subschema_for::<EventList>();
    generator.subschema_for::<WatchEvent>();
    generator.subschema_for::<Bookmark>();
    generator.subschema_for::<Journey>();
    generator.subschema_for::<Plan>();
    generator.subschema_for::<FailureBody>();
    let schemas = generator.take_definitions(true);
    if let Some(document) = document.as_object_mut() {
        document.insert("components".to_owned(), json!({ "schemas": schemas }));
        document.insert("jsonSchemaDialect".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        if let Some(info) = document.get_mut("info").and_then(Value::as_object_mut) {
            info.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        }
    }
    document
}
