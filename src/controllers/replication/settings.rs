//! What both DMS tasks are told: which tables, and what to do when something does not fit.
//!
//! DMS's own defaults drop the target's tables, log conflicting rows and carry on. Here nothing is dropped, and nothing is
//! skipped: a row that cannot be applied suspends its table, which shows in the statistics as `Table error`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::names::Side;
use crate::spec::Migration;

/// Suspends the one table; the others go on. A suspended table is seen, and cured by a reload or by a person. To stop the
/// whole task instead would hold up all tables for one, and resuming it would run into the same row again.
const SUSPEND_TABLE: &str = "SUSPEND_TABLE";
/// For what concerns no single table.
const STOP_TASK: &str = "STOP_TASK";
/// Never turn many suspended tables into another policy.
const NEVER_ESCALATE: u32 = 0;
/// Kilobytes of a LOB that are moved at a time; DMS's own default.
const LOB_CHUNK_KIB: u32 = 64;
/// Tables that are loaded side by side; DMS's own default, and about what one writer takes beside the payments.
const TABLES_AT_ONCE: u32 = 8;
/// Seconds that the load waits for open transactions, DMS's own default: longer than any payment takes.
const OPEN_TRANSACTIONS_SECONDS: u32 = 600;
/// Tries again for ever after an error of the network or of a server that restarts.
const FOR_EVER: i32 = -1;
/// Seconds before the first new try; DMS's own default.
const RETRY_SECONDS: u32 = 5;
/// A rule of ours has about as many.
const SHOWN_CHARACTERS: usize = 160;
/// A careless task differs in twenty places, and three say what it is.
const SHOWN_DIFFERENCES: usize = 3;
/// Seconds at most between two tries. DMS's default of half an hour would be longer than a whole cutover.
const RETRY_MAX_SECONDS: u32 = 60;

/// `ReplicationTaskSettings`, the same for both directions.
pub fn task_settings(migration: &Migration) -> Value {
    let marker_schema = &migration.spec.replication.marker_schema;
    json!({
        "TargetMetadata": {
            // Unlimited LOBs: the limited mode cuts them off, and without support they are left out silently.
            "SupportLobs": true,
            "FullLobMode": true,
            "LobChunkSize": LOB_CHUNK_KIB,
            "LimitedSizeLobMode": false,
            // One change at a time, in order: loopback prevention does not work with batches.
            "BatchApplyEnabled": false,
        },
        "FullLoadSettings": {
            // The schema was made by the application's own migrations; DMS would lose its keys and defaults.
            "TargetTablePrepMode": "DO_NOTHING",
            "StopTaskCachedChangesApplied": false,
            "StopTaskCachedChangesNotApplied": false,
            "MaxFullLoadSubTasks": TABLES_AT_ONCE,
            "TransactionConsistencyTimeout": OPEN_TRANSACTIONS_SECONDS,
        },
        "ErrorBehavior": {
            "DataErrorPolicy": SUSPEND_TABLE,
            "DataTruncationErrorPolicy": SUSPEND_TABLE,
            "DataErrorEscalationPolicy": STOP_TASK,
            "DataErrorEscalationCount": NEVER_ESCALATE,
            "TableErrorPolicy": SUSPEND_TABLE,
            "TableErrorEscalationPolicy": STOP_TASK,
            "TableErrorEscalationCount": NEVER_ESCALATE,
            "ApplyErrorDeletePolicy": SUSPEND_TABLE,
            "ApplyErrorInsertPolicy": SUSPEND_TABLE,
            "ApplyErrorUpdatePolicy": SUSPEND_TABLE,
            "ApplyErrorEscalationPolicy": STOP_TASK,
            "ApplyErrorEscalationCount": NEVER_ESCALATE,
            // A truncated source table is not followed, and must not go unseen.
            "ApplyErrorFailOnTruncationDdl": true,
            // Duplicates between the load and the cached changes are shown, so that the table is reloaded.
            "FullLoadIgnoreConflicts": false,
            "FailOnTransactionConsistencyBreached": true,
            "FailOnNoTablesCaptured": true,
            "RecoverableErrorCount": FOR_EVER,
            "RecoverableErrorInterval": RETRY_SECONDS,
            "RecoverableErrorThrottling": true,
            "RecoverableErrorThrottlingMax": RETRY_MAX_SECONDS,
        },
        // The schema stands still during the migration: DMS's translation of DDL loses defaults and keys, and a table dropped
        // on one side must never vanish from the other.
        "ChangeProcessingDdlHandlingPolicy": {
            "HandleSourceTableDropped": false,
            "HandleSourceTableTruncated": false,
            "HandleSourceTableAltered": false,
        },
        // Both tasks run in one migration: what one has applied, the other must not carry back.
        "LoopbackPreventionSettings": {
            "EnableLoopbackPrevention": true,
            "SourceSchema": marker_schema,
            "TargetSchema": marker_schema,
        },
        "ValidationSettings": { "EnableValidation": true, "ValidationOnly": false, "SkipLobColumns": false },
    })
}

/// `TableMappings`: all tables of every declared schema and of the marker schema, in both directions, and nothing else.
///
/// DMS reads `_` in a name as any one character; schemas that differ only there would be taken together.
pub fn table_mappings(migration: &Migration) -> Value {
    let marker_schema = &migration.spec.replication.marker_schema;
    let mut schemas: Vec<&String> = migration.database(Side::Legacy).schemas.iter().chain([marker_schema]).collect();
    schemas.sort();
    schemas.dedup();
    let rule = |(index, schema): (usize, &String)| {
        json!({
            "rule-type": "selection",
            "rule-id": (index + 1).to_string(),
            "rule-name": format!("all-of-{schema}"),
            "object-locator": { "schema-name": schema, "table-name": "%" },
            "rule-action": "include",
        })
    };
    json!({ "rules": schemas.into_iter().enumerate().map(rule).collect::<Vec<_>>() })
}

/// Where settings that DMS shows differ from what is wished, one line each.
///
/// DMS answers with every default filled in, with nulls and with keys in two spellings, so only what was wished is compared.
pub fn drift(wished: &Value, found: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", wished, found, &mut differences);
    differences
}

fn compare(path: &str, wished: &Value, found: &Value, differences: &mut Vec<String>) {
    match (wished, found) {
        (Value::Object(members), _) => {
            for (name, wished) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, wished, found.get(name).unwrap_or(&Value::Null), differences);
            }
        }
        // A switch that is left out is off.
        (Value::Bool(false), Value::Null) => {}
        (wished, found) if wished != found => {
            differences.push(format!("{path} is {} and should be {wished}", shortened(&found.to_string())));
        }
        _ => {}
    }
}

/// Where table mappings that DMS shows select other tables than the wished ones, or change them on the way, one line each. Ids
/// and names of rules, their order, and members that are empty mean nothing.
pub fn mappings_drift(wished: &Value, found: &Value) -> Vec<String> {
    let (wished, found) = (essence(wished), essence(found));
    let lacking = wished.difference(&found).map(|rule| format!("TableMappings lack {}", shortened(rule)));
    lacking.chain(found.difference(&wished).map(|rule| format!("TableMappings have {}", shortened(rule)))).collect()
}

/// What the rules say, each as text.
fn essence(mappings: &Value) -> BTreeSet<String> {
    let says_nothing = |name: &str, value: &Value| {
        let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        is_empty || matches!(name, "rule-id" | "rule-name")
    };
    let meaning = |rule: &Value| match rule {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, value)| !says_nothing(name, value));
            Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect()).to_string()
        }
        other => other.to_string(),
    };
    mappings["rules"].as_array().into_iter().flatten().map(meaning).collect()
}

/// The beginning of what somebody else wrote.
fn shortened(text: &str) -> String {
    if text.chars().count() <= SHOWN_CHARACTERS {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(SHOWN_CHARACTERS).collect();
    format!("{beginning}...")
}

/// The first few of many differences, and how many more there are.
pub fn few(differences: &[String]) -> String {
    let shown = differences.iter().take(SHOWN_DIFFERENCES).cloned().collect::<Vec<_>>().join("; ");
    match differences.len().saturating_sub(SHOWN_DIFFERENCES) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::fixture::migration;

    #[test]
    fn no_policy_logs_and_carries_on() {
        let settings = task_settings(&migration()).to_string();
        for careless in ["LOG_ERROR", "IGNORE_RECORD", "DROP_AND_CREATE", "TRUNCATE_BEFORE_LOAD"] {
            assert!(!settings.contains(careless), "{careless}");
        }
    }

    #[test]
    fn loopback_is_prevented_and_never_together_with_batches() {
        let settings = task_settings(&migration());
        assert_eq!(settings["LoopbackPreventionSettings"]["EnableLoopbackPrevention"], true);
        assert_eq!(settings["LoopbackPreventionSettings"]["SourceSchema"], "bascule");
        assert_eq!(settings["TargetMetadata"]["BatchApplyEnabled"], false);
    }

    #[test]
    fn the_mappings_hold_the_declared_schemas_and_the_markers_and_nothing_else() {
        let mappings = table_mappings(&migration());
        let rules = mappings["rules"].as_array().expect("rules");
        let schemas: Vec<_> = rules.iter().map(|rule| rule["object-locator"]["schema-name"].as_str()).collect();
        assert_eq!(schemas, vec![Some("bascule"), Some("payments")]);
        assert!(rules.iter().all(|rule| rule["rule-action"] == "include"));
    }

    #[test]
    fn settings_that_dms_filled_in_are_no_drift() {
        let wished = task_settings(&migration());
        let mut found = wished.clone();
        found["Logging"] = json!({ "EnableLogging": false, "CloudWatchLogGroup": null });
        found["ErrorBehavior"]["EventErrorPolicy"] = json!("IGNORE");
        assert!(drift(&wished, &found).is_empty());
    }

    #[test]
    fn mappings_are_compared_by_what_they_select_and_not_by_how_their_rules_are_called() {
        let wished = table_mappings(&migration());
        let mut found = wished.clone();
        let rules = found["rules"].as_array_mut().expect("rules");
        rules.reverse();
        rules[0]["rule-name"] = json!("somebody's own word");
        rules[0]["filters"] = json!([]);
        assert_eq!(mappings_drift(&wished, &found), Vec::<String>::new());
    }

    #[test]
    fn a_schema_too_few_a_filter_and_a_renaming_are_named() {
        let wished = table_mappings(&migration());
        let mut found = wished.clone();
        let rules = found["rules"].as_array_mut().expect("rules");
        rules.remove(0);
        let drift = mappings_drift(&wished, &found);
        assert!(drift.len() == 1 && drift[0].starts_with("TableMappings lack") && drift[0].contains("bascule"), "{drift:?}");
        let mut found = wished.clone();
        found["rules"][1]["filters"] = json!([{ "filter-type": "source", "column-name": "id" }]);
        assert_eq!(mappings_drift(&wished, &found).len(), 2, "the wished rule is missing, and another is there");
        let mut found = wished.clone();
        found["rules"].as_array_mut().expect("rules").push(json!({ "rule-type": "transformation", "rule-action": "rename" }));
        assert!(mappings_drift(&wished, &found)[0].starts_with("TableMappings have"));
        assert_eq!(mappings_drift(&wished, &json!("no rules")).len(), 2);
    }

    #[test]
    fn what_is_told_of_a_strangers_task_is_short() {
        let found = json!({ "FullLoadSettings": { "TargetTablePrepMode": "x".repeat(100_000) } });
        let drift = drift(&task_settings(&migration()), &found);
        let told = few(&drift);
        assert!(drift.len() > 20 && told.len() < 1_000 && told.ends_with(" more"), "{told}");
    }

    #[test]
    fn a_switch_that_is_left_out_is_off() {
        let wished = json!({ "ValidationSettings": { "SkipLobColumns": false, "EnableValidation": true } });
        let drift = drift(&wished, &json!({ "ValidationSettings": null }));
        assert_eq!(drift, ["ValidationSettings.EnableValidation is null and should be true"]);
    }

    #[test]
    fn a_changed_or_missing_setting_is_named() {
        let wished = task_settings(&migration());
        let mut found = wished.clone();
        found["FullLoadSettings"]["TargetTablePrepMode"] = json!("DROP_AND_CREATE");
        found["LoopbackPreventionSettings"] = Value::Null;
        let drift = drift(&wished, &found);
        let prep = "FullLoadSettings.TargetTablePrepMode is \"DROP_AND_CREATE\" and should be \"DO_NOTHING\"";
        assert!(drift.iter().any(|line| line == prep), "{drift:?}");
        assert_eq!(drift.iter().filter(|line| line.starts_with("LoopbackPreventionSettings.")).count(), 3);
    }
}
