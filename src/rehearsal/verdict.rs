//! What a rehearsal proved: the result that machines read.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operator::Scenario;
use super::pause::PauseSplit;
use super::story::LessonReport;
use super::timeline::PhaseEntry;
use crate::lab::report::LabReport;
use crate::sim::monitor::Violation;
use crate::sim::report::PaymentCounts;

/// The result of one rehearsal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The migration's name.
    pub migration: String,
    /// Which story.
    pub scenario: Scenario,
    /// What made it this run and no other.
    pub seed: u64,
    /// The name of the fault profile.
    pub faults: String,
    /// The phase in which it ended, or `Stuck`.
    pub outcome: String,
    /// Phases as they were reached; an attempt that starts again walks through them again.
    pub phases: Vec<PhaseEntry>,
    /// Attempts, with how each ended.
    pub attempts: Vec<Attempt>,
    /// The customers' side.
    pub payments: PaymentCounts,
    /// From the last payment accepted on legacy to the first accepted on the target, where the attempt went through.
    pub write_pause_seconds: Option<f64>,
    /// The same for the way back.
    pub rollback_write_pause_seconds: Option<f64>,
    /// The same pauses, taken apart.
    pub pauses: Vec<PauseSplit>,
    /// Virtual time.
    pub simulated_seconds: u64,
    /// Passes of the controller.
    pub passes: u64,
    /// Starts of the controller: one, and one for each crash.
    pub controller_starts: u64,
    /// Calls that AWS received, by service.
    pub aws_calls: BTreeMap<String, u64>,
    /// Faults injected, by kind.
    pub faults_injected: BTreeMap<String, u64>,
    /// Calls that hooks took, by `migration/attempt/point/hook`; more than one of a kind has one effect.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hook_calls: BTreeMap<String, u64>,
    /// Invariants broken; empty is the only good answer.
    pub violations: Vec<Violation>,
    /// What went wrong in the story, where it was caught, and when it was mended; empty in every other scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<LessonReport>,
    /// What the servers have to say, where there were real ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lab: Option<LabReport>,
}

/// One attempt at a cutover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Its number.
    pub attempt: u32,
    /// How it ended.
    pub end: String,
}

impl Verdict {
    /// Whether the story came to its end with nothing broken.
    pub fn is_good(&self) -> bool {
        let ended = match self.scenario {
            Scenario::Forward | Scenario::Abort | Scenario::Story => self.outcome == "Completed",
            Scenario::Rollback => self.outcome == "RolledBack",
            // One that leaves nothing behind was none.
            Scenario::Forced => self.outcome == "RolledBack" && self.payments.quarantined > 0,
        };
        ended
            && self.lessons.iter().all(|lesson| lesson.mended_at.is_some())
            && self.violations.is_empty()
            && self.payments.lost == 0
            && self.payments.duplicated == 0
            && self.lab.as_ref().is_none_or(LabReport::is_good)
    }
}
