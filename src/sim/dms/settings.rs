//! Task settings: what DMS fills in, what it gives back, and what the simulated data plane obeys.

use serde_json::{Map, Value, json};

use crate::sim::wire::ServiceError;

/// What happens to a change that cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// `LOG_ERROR`, `IGNORE_RECORD`: the row is skipped, and the task runs on as if nothing had happened.
    Skip,
    /// `SUSPEND_TABLE`
    SuspendTable,
    /// `STOP_TASK`
    StopTask,
    /// `INSERT_RECORD`, `UPDATE_RECORD`: what is there is overwritten, what is missing is inserted.
    Overwrite,
}

impl ErrorPolicy {
    fn of(word: &Value) -> Self {
        match word.as_str() {
            Some("SUSPEND_TABLE") => Self::SuspendTable,
            Some("STOP_TASK") => Self::StopTask,
            Some("INSERT_RECORD" | "UPDATE_RECORD") => Self::Overwrite,
            _ => Self::Skip,
        }
    }
}

/// `FullLoadSettings.TargetTablePrepMode`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrepMode {
    /// Whatever is in the target table stays.
    DoNothing,
    /// `DROP_AND_CREATE` or `TRUNCATE_BEFORE_LOAD`: whatever is in the target table is gone.
    Empty,
}

/// Whether changes that the opposite task wrote are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// `EnableLoopbackPrevention`
    Prevented,
    /// They travel back.
    Echoed,
}

/// Whether DMS compares rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowValidation {
    /// `EnableValidation`
    Enabled,
    /// It does not.
    NotEnabled,
}

/// The settings that the data plane obeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policies {
    /// For an insert whose key is taken.
    pub insert: ErrorPolicy,
    /// For an update without its row.
    pub update: ErrorPolicy,
    /// For target tables when a full load starts.
    pub prep_mode: PrepMode,
    /// For echoes.
    pub loopback: Loopback,
    /// For comparison.
    pub validation: RowValidation,
}

/// Settings as DMS keeps them.
#[derive(Debug, Clone)]
pub struct TaskSettings {
    /// The whole document, defaults filled in, as text.
    pub enriched: String,
    /// What the data plane obeys.
    pub policies: Policies,
}

/// Reads the `ReplicationTaskSettings` document and fills in everything that was left out.
pub fn enrich(text: Option<&str>) -> Result<TaskSettings, ServiceError> {
    let refusal = |why: &str| ServiceError::refused("InvalidParameterValueException", why);
    let given: Value = match text {
        None | Some("") => json!({}),
        Some(text) => serde_json::from_str(text).map_err(|_| refusal("Invalid task settings JSON"))?,
    };
    if !given.is_object() {
        return Err(refusal("Invalid task settings JSON"));
    }
    let logging = &given["Logging"];
    if !logging["CloudWatchLogGroup"].is_null() || !logging["CloudWatchLogStream"].is_null() {
        return Err(refusal("Task Settings CloudWatchLogGroup or CloudWatchLogStream cannot be set on create"));
    }
    let mut whole = defaults();
    merge(&mut whole, &given);
    let batch = whole["TargetMetadata"]["BatchApplyEnabled"] == true;
    let loopback = whole["LoopbackPreventionSettings"]["EnableLoopbackPrevention"] == true;
    if batch && loopback {
        return Err(refusal("LoopbackPreventionSettings cannot be used with BatchApplyEnabled"));
    }
    let errors = &whole["ErrorBehavior"];
    let policies = Policies {
        insert: ErrorPolicy::of(&errors["ApplyErrorInsertPolicy"]),
        update: ErrorPolicy::of(&errors["ApplyErrorUpdatePolicy"]),
        prep_mode: match whole["FullLoadSettings"]["TargetTablePrepMode"].as_str() {
            Some("DO_NOTHING") => PrepMode::DoNothing,
            _ => PrepMode::Empty,
        },
        loopback: if loopback { Loopback::Prevented } else { Loopback::Echoed },
        validation: match whole["ValidationSettings"]["EnableValidation"] == true {
            true => RowValidation::Enabled,
            false => RowValidation::NotEnabled,
        },
    };
    Ok(TaskSettings { enriched: whole.to_string(), policies })
}

/// What is given wins, object by object; a null asks for the default.
fn merge(into: &mut Value, given: &Value) {
    match (into, given) {
        (Value::Object(into), Value::Object(given)) => merge_objects(into, given),
        (_, Value::Null) => {}
        (into, given) => *into = given.clone(),
    }
}

fn merge_objects(into: &mut Map<String, Value>, given: &Map<String, Value>) {
    for (name, value) in given {
        merge(into.entry(name.clone()).or_insert(Value::Null), value);
    }
}

/// The live defaults of a bare task created through the API (July 2026): note the prep mode, and how errors are logged and
/// skipped.
fn defaults() -> Value {
    json!({
        "TargetMetadata": {
            "TargetSchema": "", "SupportLobs": true, "FullLobMode": false, "LobChunkSize": 0, "LimitedSizeLobMode": true,
            "LobMaxSize": 32, "InlineLobMaxSize": 0, "LoadMaxFileSize": 0, "ParallelLoadThreads": 0,
            "ParallelLoadBufferSize": 0, "BatchApplyEnabled": false, "TaskRecoveryTableEnabled": false
        },
        "FullLoadSettings": {
            "TargetTablePrepMode": "DROP_AND_CREATE", "CreatePkAfterFullLoad": false, "StopTaskCachedChangesApplied": false,
            "StopTaskCachedChangesNotApplied": false, "MaxFullLoadSubTasks": 8, "TransactionConsistencyTimeout": 600,
            "CommitRate": 10000
        },
        "Logging": { "EnableLogging": false, "CloudWatchLogGroup": null, "CloudWatchLogStream": null },
        "ControlTablesSettings": {
            "ControlSchema": "", "historyTimeslotInMinutes": 5, "HistoryTimeslotInMinutes": 5, "HistoryTableEnabled": false,
            "SuspendedTablesTableEnabled": false, "StatusTableEnabled": false, "FullLoadExceptionTableEnabled": false
        },
        "StreamBufferSettings": { "StreamBufferCount": 3, "StreamBufferSizeInMB": 8, "CtrlStreamBufferSizeInMB": 5 },
        "ChangeProcessingDdlHandlingPolicy": {
            "HandleSourceTableDropped": true, "HandleSourceTableTruncated": true, "HandleSourceTableAltered": true
        },
        "ErrorBehavior": {
            "DataErrorPolicy": "LOG_ERROR", "DataTruncationErrorPolicy": "LOG_ERROR", "DataMaskingErrorPolicy": "STOP_TASK",
            "DataErrorEscalationPolicy": "SUSPEND_TABLE", "DataErrorEscalationCount": 0, "TableErrorPolicy": "SUSPEND_TABLE",
            "TableErrorEscalationPolicy": "STOP_TASK", "TableErrorEscalationCount": 0, "RecoverableErrorCount": -1,
            "RecoverableErrorInterval": 5, "RecoverableErrorThrottling": true, "RecoverableErrorThrottlingMax": 1800,
            "ApplyErrorDeletePolicy": "IGNORE_RECORD", "ApplyErrorInsertPolicy": "LOG_ERROR",
            "ApplyErrorUpdatePolicy": "LOG_ERROR", "ApplyErrorEscalationPolicy": "LOG_ERROR", "ApplyErrorEscalationCount": 0,
            "FullLoadIgnoreConflicts": true, "ApplyErrorFailOnTruncationDdl": false, "FailOnNoTablesCaptured": true,
            "EventErrorPolicy": null
        },
        "ChangeProcessingTuning": {
            "BatchApplyPreserveTransaction": true, "BatchApplyTimeoutMin": 1, "BatchApplyTimeoutMax": 30,
            "BatchApplyMemoryLimit": 500, "BatchSplitSize": 0, "MinTransactionSize": 1000, "CommitTimeout": 1,
            "MemoryLimitTotal": 1024, "MemoryKeepTime": 60, "StatementCacheSize": 50, "RecoveryTimeout": -1
        },
        "ValidationSettings": { "EnableValidation": false, "ThreadCount": 5, "FailureMaxCount": 10000,
            "TableFailureMaxCount": 1000, "ValidationOnly": false },
        "LoopbackPreventionSettings": null,
        "PostProcessingRules": null, "CharacterSetSettings": null, "BeforeImageSettings": null, "FailTaskWhenCleanTaskResourceFailed": false,
        "TTSettings": null
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_left_out_are_dangerous_defaults() {
        let settings = enrich(None).expect("no settings are legal");
        assert_eq!(settings.policies.prep_mode, PrepMode::Empty);
        assert_eq!(settings.policies.insert, ErrorPolicy::Skip);
        assert!(settings.enriched.contains("\"historyTimeslotInMinutes\"") && settings.enriched.contains("null"));
    }

    #[test]
    fn what_is_given_wins_over_the_defaults_and_the_rest_stays() {
        let given = r#"{"ErrorBehavior":{"ApplyErrorInsertPolicy":"SUSPEND_TABLE"},"LoopbackPreventionSettings":{"EnableLoopbackPrevention":true}}"#;
        let settings = enrich(Some(given)).expect("legal settings");
        assert_eq!(settings.policies.insert, ErrorPolicy::SuspendTable);
        assert_eq!(settings.policies.update, ErrorPolicy::Skip);
        assert_eq!(settings.policies.loopback, Loopback::Prevented);
    }

    #[test]
    fn log_groups_cannot_be_set_on_create() {
        let refusal = enrich(Some(r#"{"Logging":{"CloudWatchLogGroup":"g"}}"#)).expect_err("refused");
        assert_eq!(refusal.code, "InvalidParameterValueException");
    }
}
