//! Hooks: calls to the operator's own systems at named points of a switch. Signed, made at least once, each time with the same
//! key, and counted before they are made.

pub mod call;
mod message;
mod plan;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::HookName;
use crate::spec::{Hook, HookPoint};

pub use plan::{HookStanding, judge, plan};

/// The closed list of this room's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookAction {
    /// Call hooks of one point, all at the same time.
    Call {
        /// The point.
        point: HookPoint,
        /// The attempt that it is about.
        attempt: u32,
        /// Which.
        hooks: Vec<HookName>,
    },
}

impl fmt::Display for HookAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Call { point, hooks, .. } = self;
        write!(f, "call the hooks of {point}: {}", listed(hooks))
    }
}

/// Names as they stand in a sentence.
pub fn listed<'a>(hooks: impl IntoIterator<Item = &'a HookName>) -> String {
    hooks.into_iter().map(HookName::as_str).collect::<Vec<_>>().join(", ")
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HookAnswer {
    /// A 2xx: it took the call, or said yes.
    Taken {
        /// The status.
        status: u16,
    },
    /// Any other status.
    Refused {
        /// The status.
        status: u16,
    },
    /// None came, or the call could not be made; it may have arrived all the same.
    Silent {
        /// Why, in words.
        why: String,
    },
}

impl HookAnswer {
    /// The answer that a status is.
    pub const fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Taken { status },
            _ => Self::Refused { status },
        }
    }
}

impl fmt::Display for HookAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { status } | Self::Refused { status } => write!(f, "answered {status}"),
            Self::Silent { why } => write!(f, "gave no answer: {why}"),
        }
    }
}

/// What the journal has of one hook in this attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRecord {
    /// Calls begun.
    pub calls: u32,
    /// When the newest one began.
    pub called_at: Timestamp,
    /// Calls in a row that it did not take.
    pub failed: u32,
    /// When it last took one.
    pub taken_at: Option<Timestamp>,
    /// What came of the newest call that ended.
    pub newest: Option<HookAnswer>,
}

/// What the journal has of every hook that was called in this attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookRecords(pub BTreeMap<(HookPoint, HookName), HookRecord>);

impl HookRecords {
    /// One hook's, if it was called at its present point.
    pub fn of(&self, hook: &Hook) -> Option<&HookRecord> {
        self.0.get(&(hook.at, hook.name.clone()))
    }

    /// Calls begin.
    pub fn called(&mut self, at: Timestamp, point: HookPoint, hooks: &[HookName]) {
        for hook in hooks {
            let first = HookRecord { calls: 0, called_at: at, failed: 0, taken_at: None, newest: None };
            let record = self.0.entry((point, hook.clone())).or_insert(first);
            record.calls = record.calls.saturating_add(1);
            record.called_at = at;
        }
    }

    /// Calls have ended.
    pub fn answered(&mut self, at: Timestamp, point: HookPoint, answers: &BTreeMap<HookName, HookAnswer>) {
        for (hook, answer) in answers {
            let Some(record) = self.0.get_mut(&(point, hook.clone())) else { continue };
            record.newest = Some(answer.clone());
            match answer {
                HookAnswer::Taken { .. } => (record.failed, record.taken_at) = (0, Some(at)),
                HookAnswer::Refused { .. } | HookAnswer::Silent { .. } => record.failed = record.failed.saturating_add(1),
            }
        }
    }
}

/// What the room plans with.
#[derive(Debug, Clone, Copy)]
pub struct HookTerms<'a> {
    /// The point that has come.
    pub point: HookPoint,
    /// Every declared hook.
    pub declared: &'a [Hook],
    /// The attempt under way.
    pub attempt: u32,
    /// What the journal has.
    pub records: &'a HookRecords,
    /// Now.
    pub now: Timestamp,
}
