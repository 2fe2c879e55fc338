//! What happened when, as a person would follow it; the picture and the transcript are drawn from this.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::migration::gates::Gate;
use crate::migration::ladder::Rung;
use crate::migration::plan::GateReport;
use crate::migration::status::MigrationStatus;
use crate::spec::Phase;

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// When, in virtual time.
    pub at: Timestamp,
    /// Who did it.
    pub who: Who,
    /// What, in words.
    pub what: String,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Who {
    /// The human with the file.
    Operator,
    /// bascule.
    Controller,
    /// The stand-in world, faults included.
    World,
}

/// The lanes of the picture at one moment: one sample for each change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// The rung stood on.
    pub rung: Rung,
    /// Who may write at legacy.
    pub legacy_writes: String,
    /// Who may write at the target.
    pub target_writes: String,
    /// Where the public name points.
    pub public_dns: String,
    /// The forward task.
    pub forward: String,
    /// The reverse task.
    pub reverse: String,
    /// Gates that are closed, but for heartbeats and the age of comparisons, which a slow pace of looking leaves unproven most of
    /// the time.
    pub closed_gates: Vec<String>,
}

fn says_something(gate: &GateReport) -> bool {
    !gate.standing.is_open() && !gate.name.ends_with("Lag") && gate.name != Gate::ParityFresh.name()
}

/// A phase and when it was first reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PhaseEntry {
    /// Which.
    pub phase: Phase,
    /// When.
    pub entered_at: Timestamp,
}

/// The story so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timeline {
    /// Its lines.
    pub moments: Vec<Moment>,
    /// The picture's samples.
    pub samples: Vec<Sample>,
}

impl Timeline {
    /// Adds a line.
    pub fn say(&mut self, at: Timestamp, who: Who, what: impl Into<String>) {
        self.moments.push(Moment { at, who, what: what.into() });
    }

    /// Adds what a published status shows for the first time.
    pub fn note(&mut self, status: &MigrationStatus) {
        let at = status.observed_at;
        for what in &status.last_actions {
            self.say(at, Who::Controller, what.clone());
        }
        let sample = Sample {
            at,
            rung: status.rung,
            legacy_writes: status.legacy_writes.clone(),
            target_writes: status.target_writes.clone(),
            public_dns: status.public_dns.clone(),
            forward: status.forward.task.clone(),
            reverse: status.reverse.task.clone(),
            closed_gates: status.gates.iter().filter(|gate| says_something(gate)).map(|gate| gate.name.clone()).collect(),
        };
        if self.samples.last().is_none_or(|last| Sample { at, ..last.clone() } != sample) {
            self.samples.push(sample);
        }
    }
}
