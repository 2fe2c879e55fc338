//! What both DMS tasks are told: which tables, and what to do when something does not fit.
//!
//! DMS's own defaults drop the target's tables, log conflicting rows and carry on. Here nothing is dropped, and nothing is
//! skipped: a row that cannot be applied suspends its table, which shows in the statistics as `Table error`.

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

/// Where `found` differs from what is wished, one line each.
///
/// DMS answers with every default filled in, with nulls and with keys in two spellings, so only what was wished is compared.
pub fn drift(wished: &Value, found: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    compare("", wished, found, &mut differences);
    differences
}

fn compare(path: &str, wished: &Value, found: &Value, differences: &mut Vec<String>) {
    match wished {
        Value::Object(members) => {
            for (name, wished) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, wished, found.get(name).unwrap_or(&Value::Null), differences);
            }
        }
        wished if wished != found => differences.push(format!("{path} is {found} and should be {wished}")),
        _ => {}
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
