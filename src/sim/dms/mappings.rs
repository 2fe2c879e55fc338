//! Table mappings: which tables a task moves.

use serde_json::Value;

use crate::sim::setting::Setting;
use crate::sim::wire::ServiceError;

/// What a task's selection rules pick out of the setting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Table numbers, in the order of loading.
    pub tables: Vec<usize>,
    /// Whether the controller's marker schema travels too.
    pub markers: MarkerSchema,
}

/// Whether the marker schema is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MarkerSchema {
    /// It travels.
    Selected,
    /// It stays.
    #[default]
    Left,
}

/// Reads the `TableMappings` document.
pub fn select(text: &str, setting: &Setting) -> Result<Selection, ServiceError> {
    let refusal = |why: &str| ServiceError::refused("InvalidParameterValueException", format!("Invalid table mappings: {why}"));
    let document: Value = serde_json::from_str(text).map_err(|_| refusal("not a JSON document"))?;
    let rules = document["rules"].as_array().ok_or_else(|| refusal("no rules"))?;
    let selections: Vec<&Value> = rules.iter().filter(|rule| rule["rule-type"] == "selection").collect();
    if selections.is_empty() {
        return Err(refusal("at least one selection rule is needed"));
    }
    for rule in &selections {
        let locator = &rule["object-locator"];
        let complete = locator["schema-name"].is_string() && locator["table-name"].is_string() && rule["rule-id"].is_string();
        if !complete || !rule["rule-name"].is_string() || !rule["rule-action"].is_string() {
            return Err(refusal("a selection rule needs rule-id, rule-name, rule-action and an object-locator"));
        }
    }
    let selected = |schema: &str, table: &str| {
        let covers = |rule: &&&Value, action: &str| {
            let locator = &rule["object-locator"];
            rule["rule-action"] == action
                && like(locator["schema-name"].as_str().unwrap_or_default(), schema)
                && like(locator["table-name"].as_str().unwrap_or_default(), table)
        };
        selections.iter().any(|rule| covers(&rule, "include") || covers(&rule, "explicit"))
            && !selections.iter().any(|rule| covers(&rule, "exclude"))
    };
    let tables = setting.tables.iter().enumerate().filter(|(_, name)| selected(&name.schema, &name.table));
    let markers = if selected(setting.marker_schema(), "markers") { MarkerSchema::Selected } else { MarkerSchema::Left };
    Ok(Selection { tables: tables.map(|(number, _)| number).collect(), markers })
}

/// SQL's LIKE with `%` only.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('%') {
        None => pattern == text,
        Some((head, tail)) => text
            .strip_prefix(head)
            .is_some_and(|rest| (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| like(tail, &rest[at..]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_sql_does() {
        assert!(like("%", "payments") && like("pay%", "payments") && like("%ment%", "payments") && like("a", "a"));
        assert!(!like("pay", "payments") && !like("%x", "payments") && !like("", "a"));
    }
}
