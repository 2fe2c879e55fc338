//! What is published: derived last, from what was observed and journalled, and never read back to decide anything.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ladder::Rung;
use super::plan::GateReport;
use super::source::SourceReport;
use crate::checks::report::CheckReport;
use crate::controllers::{Block, Reason, Wait};
use crate::names::{HookName, PlanDigest};
use crate::parity::exporter::Quarantined;
use crate::parity::report::Report;
use crate::spec::period::spoken;
use crate::spec::{Demand, HookPoint, Phase};

/// `True`, `False` or `Unknown`, as in every Kubernetes condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody can say.
    Unknown,
}

/// The closed list of conditions; all of them are published from the first pass on, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The phase asked for is reached, or the next promotion is awaited.
    Ready,
    /// Work is under way.
    Reconciling,
    /// Only a person can help.
    Stalled,
    /// The wished phase is reached and a later one could be asked for.
    AwaitingPromotion,
    /// The last spec read was accepted.
    SpecAccepted,
    /// The journal can be read and written.
    JournalWritable,
    /// Rows flow from the writing side to the other within the declared lag.
    Replicated,
    /// The newest comparison of rows was clean.
    Consistent,
    /// Every declared check passes, or is waived.
    Checked,
    /// The public name answers the side that this rung asks for.
    Routed,
    /// The fences are as this rung asks.
    Fenced,
    /// Every part of the receipt of the fences that are to hold was seen; `ProvenInPart` is a warning, and says which was not.
    FenceProven,
    /// A rollback would lose nothing now.
    RollbackReady,
}

impl ConditionType {
    /// Every condition, in the order of publication.
    pub const ALL: [Self; 13] = [
        Self::Ready,
        Self::Reconciling,
        Self::Stalled,
        Self::AwaitingPromotion,
        Self::SpecAccepted,
        Self::JournalWritable,
        Self::Replicated,
        Self::Consistent,
        Self::Checked,
        Self::Routed,
        Self::Fenced,
        Self::FenceProven,
        Self::RollbackReady,
    ];
}

/// One condition, after the Kubernetes API conventions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which.
    #[serde(rename = "type")]
    pub condition_type: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// A CamelCase word.
    pub reason: Reason,
    /// A sentence.
    pub message: String,
    /// When `status` changed last.
    pub last_transition_time: Timestamp,
    /// The generation of the spec that this was judged for.
    pub observed_generation: u64,
}

/// What a rollback would mean now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackStatus {
    /// Whether it could begin now and lose nothing.
    pub ready: bool,
    /// Why, or why not.
    pub reasons: Vec<String>,
    /// The worst case of a rollback now, in words: "nothing", or what would be lost.
    pub data_at_risk: String,
    /// Until when it stays possible: the earlier of the window's end and the purge of binary logs that reverse replication needs.
    pub possible_until: Option<Timestamp>,
    /// Which of the two that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<RollbackLimit>,
    /// What going back without reverse replication would mean, or has meant; left out where no loss is near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<ForcedReport>,
}

/// How a rollback that loses writes to legacy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ForcedStanding {
    /// It would not begin.
    NotReady,
    /// It begins as soon as `RolledBack` is asked for.
    Ready,
    /// It has begun.
    UnderWay,
    /// It is over, or legacy is being opened.
    Forced,
}

/// Going back without reverse replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForcedReport {
    /// How it stands.
    pub standing: ForcedStanding,
    /// Why not, or on whose word.
    pub reasons: Vec<String>,
    /// For so long legacy has seen nothing of what the target took; left out once that is all saved.
    pub seconds_at_risk: Option<u64>,
    /// Rows that were saved; before that, about so many new ones by the numbers of rows when they were read last, changed ones
    /// not counted.
    pub rows_at_risk: Option<u64>,
    /// Where the rows are, once all of them are saved.
    pub quarantined: Option<Quarantined>,
}

impl fmt::Display for ForcedReport {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.standing {
            ForcedStanding::NotReady => "not ready",
            ForcedStanding::Ready => "ready",
            ForcedStanding::UnderWay => "under way",
            ForcedStanding::Forced => "forced",
        };
        write!(f, "{word}: {}", self.reasons.join("; "))?;
        match (&self.quarantined, self.seconds_at_risk, self.rows_at_risk) {
            (Some(quarantined), _, _) => write!(f, "; quarantined: {quarantined}"),
            (None, None, None) => Ok(()),
            (None, seconds, rows) => {
                let seconds = seconds.map(|seconds| format!("the writes of {}", spoken(Duration::from_secs(seconds))));
                let rows = rows.map(|rows| format!("about {rows} new rows by their numbers"));
                let risk: Vec<String> = seconds.into_iter().chain(rows).collect();
                write!(f, "; at risk: {}", risk.join(", "))
            }
        }
    }
}

/// What ends the time in which a rollback is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RollbackLimit {
    /// `observation.window` is over.
    ObservationWindow,
    /// The target's binary logs no longer reach back to what legacy has seen.
    BinlogPurge,
}

/// One direction of replication.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// DMS's status of the task, `absent` or `unknown`.
    pub task: String,
    /// Seconds that rows took at most when it was proven last; the age of a heartbeat that is overdue, or came too late. `None`
    /// while nothing is proven.
    pub lag_seconds: Option<f64>,
    /// Tables in error.
    pub errored_tables: Vec<String>,
}

/// Approvals as they count now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalReport {
    /// How many are needed.
    pub required: u32,
    /// Whose count.
    pub counted: Vec<String>,
    /// Whose do not, and why.
    pub refused: Vec<String>,
    /// What an approval has to name.
    pub plan_digest: PlanDigest,
}

/// One hook that was called in this attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HookReport {
    /// Its name.
    pub name: HookName,
    /// Its point.
    pub at: HookPoint,
    /// What is demanded of it.
    pub demand: Demand,
    /// Calls begun.
    pub calls: u32,
    /// When the newest one began.
    pub called_at: Timestamp,
    /// When it last took one, or said yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// What came of the newest call that ended, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
}

/// The view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationStatus {
    /// The generation that the last whole pass judged.
    pub observed_generation: u64,
    /// When that pass ended.
    pub observed_at: Timestamp,
    /// The furthest phase reached; `None` before the first.
    pub phase: Option<Phase>,
    /// The phase that the spec asks for.
    pub wished_phase: Phase,
    /// The rung stood on.
    pub rung: Rung,
    /// The attempt under way.
    pub attempt: u32,
    /// One sentence: what is true, what is awaited.
    pub summary: String,
    /// One sentence: what an operator would do next.
    pub next_step: String,
    /// Conditions, in a fixed order.
    pub conditions: Vec<Condition>,
    /// Who may write at legacy: `open`, `validationOnly`, `closed`, `between`, `unknown`.
    pub legacy_writes: String,
    /// Who may write at the target.
    pub target_writes: String,
    /// Where the public name points: `legacy`, `target`, `foreign`, `unknown`.
    pub public_dns: String,
    /// Forward replication.
    pub forward: TaskReport,
    /// Reverse replication.
    pub reverse: TaskReport,
    /// Gates as judged in this pass.
    pub gates: Vec<GateReport>,
    /// The declared checks, in the order of the file.
    pub checks: Vec<CheckReport>,
    /// What is awaited.
    pub waiting: Vec<Wait>,
    /// What only a person can help.
    pub blocked: Vec<Block>,
    /// What the last pass did, in sentences, with its outcome.
    pub last_actions: Vec<String>,
    /// The way back.
    pub rollback: RollbackStatus,
    /// Who agreed.
    pub approvals: ApprovalReport,
    /// Where the spec in force came from, where that is a branch of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceReport>,
    /// Why the newest spec is not in force, when the last good one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec_error: Option<String>,
    /// When the present pause of writes began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_pause_began: Option<Timestamp>,
    /// The newest comparison of both sides' rows in this attempt, table by table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parity: Option<Report>,
    /// How far the comparison is that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison_under_way: Option<String>,
    /// Hooks that were called in this attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookReport>,
}
