//! DMS replication tasks: forward (full load and CDC) and reverse (CDC only).

pub mod aws;
mod plan;
pub mod settings;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::BinlogPosition;
use crate::names::{Direction, EndpointArn, TableName, TaskArn};
use crate::sighting::Sighting;
use crate::spec::Migration;

pub use plan::plan;

/// `ReplicationTask.Status`: a free string on the wire, closed here; what is not known is carried as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TaskStatus {
    /// `creating`
    Creating,
    /// `ready`: created, never started.
    Ready,
    /// `starting`
    Starting,
    /// `running`; says nothing about health.
    Running,
    /// `stopping`
    Stopping,
    /// `stopped`
    Stopped,
    /// `failed`
    Failed,
    /// `modifying`
    Modifying,
    /// `deleting`
    Deleting,
    /// `testing`: an assessment run.
    Testing,
    /// `moving`, `failed-move` or a word that this program does not know.
    Other(String),
}

impl fmt::Display for TaskStatus {
    /// The wire's word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Modifying => "modifying",
            Self::Deleting => "deleting",
            Self::Testing => "testing",
            Self::Other(word) => word,
        })
    }
}

/// The endpoints of one direction's task as the spec declares them: the source, then the target.
pub const fn endpoints(direction: Direction, migration: &Migration) -> [&EndpointArn; 2] {
    let (legacy, target) = (&migration.spec.legacy, &migration.spec.target);
    match direction {
        Direction::Forward => [&legacy.endpoint_arn, &target.endpoint_arn],
        Direction::Reverse => [&target.reverse_endpoint_arn, &legacy.reverse_endpoint_arn],
    }
}

/// One DMS task as DescribeReplicationTasks showed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its ARN.
    pub arn: TaskArn,
    /// Its status.
    pub status: TaskStatus,
    /// `full-load-and-cdc` or `cdc`.
    pub migration_type: String,
    /// Whether it reads and writes the endpoints, on the instance, that the spec names.
    pub wiring: Wiring,
    /// `StopReason`, as AWS wrote it.
    pub stop_reason: Option<String>,
    /// `LastFailureMessage`, for people only.
    pub last_failure: Option<String>,
    /// Whether it has ever been started: `start-replication` is legal for a full-load task only while this is false.
    pub started_before: bool,
    /// `FullLoadProgressPercent`
    pub full_load_percent: i32,
    /// `TablesErrored`
    pub tables_errored: i32,
    /// `TablesLoading + TablesQueued`
    pub tables_loading: i32,
    /// Where its settings and table mappings are not those that this program gives to a task, a line each; empty where they are.
    pub drift: Sighting<Vec<String>>,
}

/// Whether a task found under our identifier is the task that the spec means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Wiring {
    /// Endpoints, instance and migration type agree with the spec.
    AsDeclared,
    /// They do not: somebody else's task under our name.
    Foreign(String),
}

/// `TableState` of DescribeTableStatistics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TableState {
    /// `Table does not exist`
    DoesNotExist,
    /// `Before load`
    BeforeLoad,
    /// `Full load`
    FullLoad,
    /// `Table completed`
    Completed,
    /// `Table cancelled`
    Cancelled,
    /// `Table error`
    Error,
    /// `Table is being reloaded`
    Reloading,
    /// A word that this program does not know.
    Other(String),
}

/// DMS's word for a table whose rows differ.
pub const MISMATCHED: &str = "Mismatched records";

/// `ValidationState`, folded into what a gate needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValidationState {
    /// `Not enabled`, or no primary key to validate by.
    NotValidated(String),
    /// Under way: `Pending records`, `Pending validation`, `Preparing table`, `Pending revalidation`.
    Pending(String),
    /// `Validated`
    Validated,
    /// `Mismatched records`, `Suspended records`, `Table error`, `Error`.
    Failed(String),
}

/// One table of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableStatistic {
    /// Which table.
    pub table: TableName,
    /// Its state.
    pub state: TableState,
    /// DMS's own comparison of it.
    pub validation: ValidationState,
    /// `FullLoadRows`
    pub full_load_rows: i64,
    /// `LastUpdateTime`: when DMS refreshed this row, not when the table changed.
    pub updated_at: Option<Timestamp>,
}

/// A TestConnection of one endpoint on the replication instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Connection {
    /// Under way; testing again is refused meanwhile.
    Testing,
    /// The instance reached the endpoint.
    Successful,
    /// It did not.
    Failed(String),
    /// A word that this program does not know, or `deleting`.
    Other(String),
}

/// Everything this room looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationSighting {
    /// The forward task.
    pub forward: Sighting<Task>,
    /// The reverse task.
    pub reverse: Sighting<Task>,
    /// Tables of the forward task; `Absent` while the task has never run.
    pub forward_tables: Sighting<Vec<TableStatistic>>,
    /// Tables of the reverse task; `Absent` while the task has never run.
    pub reverse_tables: Sighting<Vec<TableStatistic>>,
    /// Connection tests by endpoint; `Absent` where none was ever made.
    pub connections: BTreeMap<EndpointArn, Sighting<Connection>>,
}

impl ReplicationSighting {
    /// The task of one direction.
    pub const fn task(&self, direction: Direction) -> &Sighting<Task> {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Reverse => &self.reverse,
        }
    }

    /// The tables of one direction's task.
    pub const fn tables(&self, direction: Direction) -> &Sighting<Vec<TableStatistic>> {
        match direction {
            Direction::Forward => &self.forward_tables,
            Direction::Reverse => &self.reverse_tables,
        }
    }
}

/// What a task should be at one rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TaskWish {
    /// Not needed yet. What is there is left alone.
    NotYet,
    /// Created and not running, both its endpoints tested.
    Created,
    /// Running. `Some` is the journalled start position of a CDC-only task; `None` means full load, or resume.
    Running {
        /// Where a CDC-only task starts the first time in this attempt.
        from: Option<BinlogPosition>,
    },
    /// Stopped, kept.
    Stopped,
    /// Stopped and deleted.
    Retired,
}

/// What the whole room should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationWish {
    /// The forward task.
    pub forward: TaskWish,
    /// The reverse task.
    pub reverse: TaskWish,
    /// Whether tables may be reloaded at all: never once the target has taken a write (invariant S6).
    pub reloads: Reloads,
}

/// Whether duplicate keys may be cured by reloading tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloads {
    /// Up to `per_table` times each; `done` is what the journal counts.
    Allowed {
        /// `maxReloadsPerTable`
        per_table: u32,
        /// Reloads journalled so far in this attempt.
        done: BTreeMap<TableName, u32>,
    },
    /// The target has taken a write, or a fence stands: reloading would lose data.
    Forbidden,
}

/// How a task is started. DMS has no other legal types, and each only in its own state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StartType {
    /// `start-replication`: the first run of a full-load task.
    First,
    /// `start-replication` with `CdcStartPosition`: a CDC-only task from a recorded position.
    FromPosition(BinlogPosition),
    /// `resume-processing`: from where it stopped.
    Resume,
}

/// The closed list of this room's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReplicationAction {
    /// `TestConnection` of one endpoint on the instance.
    TestConnection {
        /// The endpoint.
        endpoint: EndpointArn,
    },
    /// `CreateReplicationTask`
    CreateTask {
        /// Which of the two.
        direction: Direction,
    },
    /// `StartReplicationTask`
    StartTask {
        /// Which of the two.
        direction: Direction,
        /// The task found.
        task: TaskArn,
        /// The legal start type in the state found.
        how: StartType,
    },
    /// `StopReplicationTask`
    StopTask {
        /// Which of the two.
        direction: Direction,
        /// The task found.
        task: TaskArn,
    },
    /// `DeleteReplicationTask`: retires a task, never data.
    DeleteTask {
        /// Which of the two.
        direction: Direction,
        /// The task found.
        task: TaskArn,
    },
    /// `ReloadTables` on the forward task.
    ReloadTables {
        /// The forward task.
        task: TaskArn,
        /// At most ten, which is the API's limit.
        tables: Vec<TableName>,
    },
}

impl fmt::Display for ReplicationAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TestConnection { endpoint } => write!(f, "test the connection from the replication instance to {endpoint}"),
            Self::CreateTask { direction: Direction::Forward } => {
                f.write_str("create the forward task: full load, then CDC, stopping on data errors")
            }
            Self::CreateTask { direction: Direction::Reverse } => {
                f.write_str("create the reverse task: CDC only, not started yet")
            }
            Self::StartTask { direction, how: StartType::First, .. } => {
                write!(f, "start the {direction} task for the first time (start-replication)")
            }
            Self::StartTask { direction, how: StartType::FromPosition(position), .. } => {
                write!(f, "start the {direction} task from {position} (start-replication)")
            }
            Self::StartTask { direction, how: StartType::Resume, .. } => {
                write!(f, "resume the {direction} task where it stopped (resume-processing)")
            }
            Self::StopTask { direction, .. } => write!(f, "stop the {direction} task"),
            Self::DeleteTask { direction, .. } => write!(f, "delete the {direction} task; its data stays where it is"),
            Self::ReloadTables { tables, .. } => {
                let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
                write!(f, "reload {} to cure duplicate keys", names.join(", "))
            }
        }
    }
}

impl ReplicationSighting {
    /// Nothing is known, and this is why.
    pub fn unknown(migration: &crate::spec::Migration, why: impl fmt::Display) -> Self {
        let spec = &migration.spec;
        let endpoints = [
            &spec.legacy.endpoint_arn,
            &spec.target.endpoint_arn,
            &spec.target.reverse_endpoint_arn,
            &spec.legacy.reverse_endpoint_arn,
        ];
        Self {
            forward: Sighting::unknown(&why),
            reverse: Sighting::unknown(&why),
            forward_tables: Sighting::unknown(&why),
            reverse_tables: Sighting::unknown(&why),
            connections: endpoints.into_iter().map(|endpoint| (endpoint.clone(), Sighting::unknown(&why))).collect(),
        }
    }
}
