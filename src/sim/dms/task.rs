//! One replication task: its status machine, and how it is shown.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::mappings::Selection;
use super::mover::{Mover, TableState};
use super::settings::{RowValidation, TaskSettings};
use crate::clock::after;
use crate::database::BinlogPosition;
use crate::names::{Direction, EndpointArn, TableName, TaskArn};
use crate::sim::database::Databases;

/// `MigrationType`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationType {
    /// `full-load`
    FullLoad,
    /// `cdc`
    Cdc,
    /// `full-load-and-cdc`
    FullLoadAndCdc,
}

impl MigrationType {
    /// DMS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullLoad => "full-load",
            Self::Cdc => "cdc",
            Self::FullLoadAndCdc => "full-load-and-cdc",
        }
    }

    /// From DMS's word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::FullLoad, Self::Cdc, Self::FullLoadAndCdc].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// How a run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartHow {
    /// `start-replication` of a full load.
    FullLoad,
    /// `start-replication` of changes only; `None` is the end of the source's log at that moment.
    Changes(Option<BinlogPosition>),
    /// `resume-processing`
    Resume,
}

/// `Status`, with what comes after it where it passes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// `creating`
    Creating,
    /// `ready`
    Ready,
    /// `starting`
    Starting(StartHow),
    /// `running`
    Running,
    /// `stopping`
    Stopping,
    /// `stopped`
    Stopped,
    /// `failed`
    Failed,
    /// `modifying`, then what it was before.
    Modifying(Box<Self>),
    /// `deleting`
    Deleting,
}

impl Status {
    /// DMS's word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Starting(_) => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Modifying(_) => "modifying",
            Self::Deleting => "deleting",
        }
    }

    /// Whether a call may start, modify or delete the task.
    pub const fn is_at_rest(&self) -> bool {
        matches!(self, Self::Ready | Self::Stopped | Self::Failed)
    }
}

/// When things happened, as `ReplicationTaskStats` shows them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dates {
    /// `FreshStartDate`
    pub fresh_start: Option<Timestamp>,
    /// `StartDate`
    pub start: Option<Timestamp>,
    /// `StopDate`
    pub stop: Option<Timestamp>,
    /// `FullLoadStartDate`
    pub full_load_start: Option<Timestamp>,
    /// `FullLoadFinishDate`
    pub full_load_finish: Option<Timestamp>,
}

/// A task.
#[derive(Debug)]
pub struct Task {
    /// Its ARN.
    pub arn: TaskArn,
    /// Its identifier, lower-cased.
    pub identifier: String,
    /// Where rows are read.
    pub source: EndpointArn,
    /// Where rows are written.
    pub target: EndpointArn,
    /// Which way that is.
    pub direction: Direction,
    /// Full load, changes, or both.
    pub migration_type: MigrationType,
    /// `TableMappings`, as it came.
    pub mappings: String,
    /// What it selects.
    pub selection: Selection,
    /// Its settings.
    pub settings: TaskSettings,
    /// `CdcStartPosition`, as it came.
    pub cdc_start: Option<BinlogPosition>,
    /// Its status.
    pub status: Status,
    /// When the status passes by itself.
    pub due: Option<Timestamp>,
    /// `StopReason`
    pub stop_reason: Option<&'static str>,
    /// `LastFailureMessage`
    pub last_failure: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it started and stopped.
    pub dates: Dates,
    /// Its hands, from the first start on.
    pub mover: Option<Mover>,
    /// `TableStatistics` as DMS last refreshed them.
    pub published: Option<(Timestamp, Vec<Value>)>,
}

/// `DescribeTableStatistics` and the task's own counters are refreshed this often (not documented; seen to lag by seconds).
const REFRESH_SECONDS: u64 = 5;
/// DMS begins to compare a table some time after it was loaded.
const VALIDATION_SECONDS: u64 = 120;

impl Task {
    /// Whether it was ever started.
    pub const fn started_before(&self) -> bool {
        self.dates.fresh_start.is_some()
    }

    /// Counts one table state.
    fn tables_in(&self, states: &[TableState]) -> usize {
        let tables = self.mover.as_ref().map_or(&[][..], |mover| &mover.tables);
        tables.iter().filter(|table| states.contains(&table.state)).count()
    }

    /// The element of `ReplicationTasks`.
    pub fn shown(&self, instance: &str, settings: bool, databases: &Databases) -> Value {
        let loaded = self.tables_in(&[TableState::Completed, TableState::Error, TableState::Reloading]);
        let all = self.mover.as_ref().map_or(0, |mover| mover.tables.len());
        let mut shown = json!({
            "ReplicationTaskIdentifier": self.identifier,
            "SourceEndpointArn": self.source,
            "TargetEndpointArn": self.target,
            "ReplicationInstanceArn": instance,
            "MigrationType": self.migration_type.as_str(),
            "Status": self.status.as_str(),
            "ReplicationTaskCreationDate": seconds(self.created),
            "ReplicationTaskArn": self.arn,
            "ReplicationTaskStats": {
                "FullLoadProgressPercent": (loaded * 100).checked_div(all).unwrap_or(0),
                "ElapsedTimeMillis": 0,
                "TablesLoaded": self.tables_in(&[TableState::Completed]),
                "TablesLoading": self.tables_in(&[TableState::FullLoad, TableState::Reloading]),
                "TablesQueued": self.tables_in(&[TableState::BeforeLoad]),
                "TablesErrored": self.tables_in(&[TableState::Error]),
            },
        });
        if settings {
            shown["TableMappings"] = json!(self.mappings);
            shown["ReplicationTaskSettings"] = json!(self.settings.enriched);
        }
        if let Some(mover) = &self.mover {
            let simulated = || databases.side(self.direction.source()).log.position_of(mover.next_seq);
            let position = mover.checkpoint.clone().unwrap_or_else(simulated);
            shown["RecoveryCheckpoint"] = json!(format!("checkpoint:V1#{}#{position}:-1:{}:0", mover.next_seq, position.offset));
        }
        let position = self.cdc_start.as_ref().map(ToString::to_string);
        let optional = [
            ("CdcStartPosition", position),
            ("StopReason", self.stop_reason.map(str::to_owned)),
            ("LastFailureMessage", self.last_failure.clone()),
        ];
        for (name, value) in optional.into_iter().filter_map(|(name, value)| Some((name, value?))) {
            shown[name] = json!(value);
        }
        let dates = [
            ("FreshStartDate", self.dates.fresh_start),
            ("StartDate", self.dates.start),
            ("StopDate", self.dates.stop),
            ("FullLoadStartDate", self.dates.full_load_start),
            ("FullLoadFinishDate", self.dates.full_load_finish),
        ];
        for (name, at) in dates.into_iter().filter_map(|(name, at)| Some((name, at?))) {
            shown["ReplicationTaskStats"][name] = seconds(at);
        }
        shown
    }

    /// `TableStatistics`, as fresh as DMS keeps them.
    pub fn statistics(&mut self, now: Timestamp, names: &[TableName]) -> &[Value] {
        let is_fresh = |at: &Timestamp| after(*at, std::time::Duration::from_secs(REFRESH_SECONDS)) > now;
        let published = match self.published.take() {
            Some((at, tables)) if is_fresh(&at) => (at, tables),
            _ => (now, self.current_statistics(now, names)),
        };
        &self.published.insert(published).1
    }

    fn current_statistics(&self, now: Timestamp, names: &[TableName]) -> Vec<Value> {
        let tables = self.mover.as_ref().map_or(&[][..], |mover| &mover.tables);
        let validation = self.settings.policies.validation;
        tables
            .iter()
            .filter_map(|table| {
                let name = names.get(table.table)?;
                let settled = table.loaded.1.or(self.dates.start);
                let validated = settled.is_some_and(|at| after(at, std::time::Duration::from_secs(VALIDATION_SECONDS)) <= now);
                let state = match (validation, table.state) {
                    (RowValidation::NotEnabled, _) => "Not enabled",
                    (RowValidation::Enabled, TableState::Error) => "Table error",
                    (RowValidation::Enabled, TableState::Completed) if table.skipped > 0 => "Mismatched records",
                    (RowValidation::Enabled, TableState::Completed) if validated => "Validated",
                    (RowValidation::Enabled, TableState::Completed) if table.reloads > 0 => "Pending revalidation",
                    (RowValidation::Enabled, _) => "Pending validation",
                };
                let mut shown = json!({
                    "SchemaName": name.schema, "TableName": name.table,
                    "Inserts": table.captured.0, "Deletes": 0, "Updates": table.captured.1, "Ddls": 0,
                    "AppliedInserts": table.applied.0, "AppliedDeletes": 0, "AppliedUpdates": table.applied.1, "AppliedDdls": 0,
                    "FullLoadRows": table.full_load_rows, "FullLoadCondtnlChkFailedRows": 0, "FullLoadErrorRows": 0,
                    "FullLoadReloaded": table.reloads > 0, "LastUpdateTime": seconds(now), "TableState": table.state.as_str(),
                    "ValidationPendingRecords": 0, "ValidationFailedRecords": if validated { table.skipped } else { 0 },
                    "ValidationSuspendedRecords": 0, "ValidationState": state,
                });
                for (field, at) in [("FullLoadStartTime", table.loaded.0), ("FullLoadEndTime", table.loaded.1)] {
                    if let Some(at) = at {
                        shown[field] = seconds(at);
                    }
                }
                Some(shown)
            })
            .collect()
    }
}

/// A timestamp as DMS writes it: epoch seconds with a fraction.
pub fn seconds(at: Timestamp) -> Value {
    #[allow(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
    let seconds = at.as_millisecond() as f64 / 1000.0;
    json!(seconds)
}
