//! The way back: what happens when it dies, and who may give it up all the same.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Period;

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// What to do when reverse replication dies while it is needed.
    #[serde(default)]
    pub on_reverse_failure: OnReverseFailure,
    /// Going back without reverse replication, by somebody who accepts what that loses. Without it, and while reverse
    /// replication may still bring legacy what it lacks, a rollback loses nothing or does not begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<Forced>,
}

/// What to do when reverse replication dies in the observation window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnReverseFailure {
    /// Stay on the target, say that rollback is not ready, wait for a person. Never finalise.
    #[default]
    Hold,
}

/// One person's word that legacy may open without the writes that it lacks. Their rows are exported before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forced {
    /// For which attempt; it counts for no other.
    #[schemars(range(min = 1, max = 1000))]
    pub attempt: u32,
    /// What is lost to legacy, in these very words.
    pub accept_loss_of: AcceptedLoss,
    /// Who says so.
    pub by: String,
    /// Why going back is worth it.
    pub why: String,
    /// Nothing is forced from then on; what has been fenced by then goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The longest time both sides may stay closed for the export, which reads every table of both; without it, as long as in
    /// `cutover.writePauseBudget`. When it is over, the target takes writes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_pause_budget: Option<Period>,
}

/// What somebody accepts to lose. There is one answer, and it has to be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AcceptedLoss {
    /// Whatever the target has taken and reverse replication has not brought to legacy.
    EveryWriteThatLegacyLacks,
}
