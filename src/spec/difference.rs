//! What differs between two specs, field by field, with the defaults filled in: comments and layout are nobody's change.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Migration;

/// One field that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Where: `spec.phase`, or `spec.checks.pages[checkout].url`.
    pub path: String,
    /// What it was; left out where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; left out where there is nothing any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The fields by which an entry of a list is known, the first that it has.
const KEYS: [&str; 5] = ["name", "account", "check", "by", "table"];

/// Every field of `after` that is not as in `before`, by path.
pub fn changes(before: &Migration, after: &Migration) -> Vec<Change> {
    let (before, after) = (fields(before), fields(after));
    let mut paths: Vec<&String> = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path))).collect();
    paths.sort();
    let differing = paths.into_iter().filter(|path| before.get(*path) != after.get(*path));
    differing
        .map(|path| Change { path: path.clone(), before: before.get(path).cloned(), after: after.get(path).cloned() })
        .collect()
}

/// Every value that holds no other field, by path.
fn fields(migration: &Migration) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, part) in [("metadata", serde_json::to_value(&migration.metadata)), ("spec", serde_json::to_value(&migration.spec))]
    {
        // What was read from text can be written as text.
        collect(name, part.unwrap_or(Value::Null), &mut found);
    }
    found
}

fn collect(path: &str, value: Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.into_iter().for_each(|(name, value)| collect(&format!("{path}.{name}"), value, found));
        }
        Value::Array(entries) if entries.iter().any(Value::is_object) => {
            for (number, entry) in entries.into_iter().enumerate() {
                let key = KEYS.iter().find_map(|key| entry.get(*key)?.as_str()).map(str::to_owned);
                let place = format!("{path}[{}]", key.unwrap_or_else(|| number.to_string()));
                // Two entries of one name, such as two tables' rules: the second is known by its number as well.
                let is_taken = found.keys().any(|known| known.starts_with(&format!("{place}.")));
                collect(&if is_taken { format!("{place}[{number}]") } else { place }, entry, found);
            }
        }
        // Nothing in a list or behind a field is the same as the field left out.
        Value::Null => {}
        Value::Array(entries) if entries.is_empty() => {}
        other => {
            found.insert(path.to_owned(), other);
        }
    }
}

/// A value on one line, as it would stand in the file.
pub fn shown(value: Option<&Value>) -> String {
    match value {
        None => "(none)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::load::load;

    const PAYMENTS: &str = include_str!("../../manifests/base/payments.yaml");

    fn spec(text: &str) -> Migration {
        load("payments.yaml", text.as_bytes()).expect("a valid spec").migration.into_inner()
    }

    fn said(edit: impl Fn(&mut Migration)) -> Vec<String> {
        let before = spec(PAYMENTS);
        let mut after = before.clone();
        edit(&mut after);
        let changes = changes(&before, &after);
        changes.iter().map(|it| format!("{}: {} -> {}", it.path, shown(it.before.as_ref()), shown(it.after.as_ref()))).collect()
    }

    #[test]
    fn each_field_that_differs_is_named_with_both_values() {
        assert_eq!(said(|_| {}), [""; 0]);
        assert_eq!(said(|it| it.spec.phase = crate::spec::Phase::CutOver), ["spec.phase: Preflight -> CutOver"]);
        assert_eq!(said(|it| it.spec.dns.ttl = crate::spec::Period::from_secs(90)), ["spec.dns.ttl: 1m -> 1m30s"]);
        let gone = said(|it| _ = it.spec.target.database.application_accounts.pop());
        let accounts = r#"["payments_app@%","payments_worker@%"] -> ["payments_app@%"]"#;
        assert_eq!(gone, [format!("spec.target.database.applicationAccounts: {accounts}")]);
    }

    #[test]
    fn an_entry_of_a_list_is_known_by_its_name_wherever_it_stands() {
        let reversed = said(|it| it.spec.checks.pages.reverse());
        assert_eq!(reversed, [""; 0], "an order that means nothing is no change");
        let gone = said(|it| it.spec.checks.pages.retain(|page| page.name.to_string() != "plain-http"));
        assert!(!gone.is_empty() && gone.iter().all(|line| line.starts_with("spec.checks.pages[plain-http].")), "{gone:?}");
    }

    #[test]
    fn comments_and_layout_are_no_change() {
        let bare: String =
            PAYMENTS.lines().filter(|line| !line.trim_start().starts_with('#')).map(|line| format!("{line}\n")).collect();
        assert_eq!(changes(&spec(PAYMENTS), &spec(&bare)), []);
    }
}
