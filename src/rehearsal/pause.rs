//! The write pause taken apart: what each step of a switch took, from the journal's times and the customers' own.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::elapsed;
use crate::controllers::dns::DnsPurpose;
use crate::journal::{Entry, Event};
use crate::migration::facts::Fact;
use crate::migration::ladder::Rung;
use crate::names::Side;

/// One pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseSplit {
    /// The side that customers were told yes by afterwards.
    pub towards: Side,
    /// From the last yes on the other side to the first on this one.
    pub seconds: f64,
    /// Its steps, in order; together they are the whole.
    pub steps: Vec<PauseStep>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PauseStep {
    /// Which.
    pub step: Step,
    /// How long.
    pub seconds: f64,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Nobody wrote, though everybody could.
    Quiet,
    /// Shutting writers out.
    Fence,
    /// Waiting until replication has applied everything.
    Drain,
    /// Stopping the forward task, and recording where the way back begins.
    Arm,
    /// Letting writers in.
    Open,
    /// Sending the records to Route 53.
    Flip,
    /// Name servers, resolvers and customers: the first of them writes.
    FirstAcceptedWrite,
}

impl Step {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Quiet => "quiet before",
            Self::Fence => "fence",
            Self::Drain => "drain",
            Self::Arm => "arm",
            Self::Open => "open",
            Self::Flip => "flip",
            Self::FirstAcceptedWrite => "first accepted write",
        }
    }
}

/// What an entry begins, if it begins a step.
fn begins(event: &Event) -> Option<Step> {
    let Event::Fact(fact) = event else { return None };
    match fact {
        Fact::Entered { rung: Rung::Fence | Rung::RollbackFence } => Some(Step::Fence),
        // On the way back the name goes back while the rows do.
        Fact::Entered { rung: Rung::Drain | Rung::RollbackFlip } => Some(Step::Drain),
        Fact::Entered { rung: Rung::Arm } => Some(Step::Arm),
        Fact::Entered { rung: Rung::Open | Rung::RollbackOpen } => Some(Step::Open),
        Fact::Entered { rung: Rung::Flip } => Some(Step::Flip),
        Fact::ChangeSubmitted { purpose: DnsPurpose::FlipToTarget, .. } => Some(Step::FirstAcceptedWrite),
        _ => None,
    }
}

/// The try that led to a yes at `to`: what an earlier one had come to before it was given up is none of its steps.
fn last_try(entries: &[Entry], to: Timestamp) -> &[Entry] {
    let until = entries.iter().rposition(|entry| entry.at <= to).map_or(0, |last| last + 1);
    let entries = &entries[..until];
    let began = entries.iter().rposition(|entry| begins(&entry.event) == Some(Step::Fence));
    &entries[began.unwrap_or(0)..]
}

/// Takes the pause between the last yes (`from`) and the first (`to`) apart.
pub fn split(entries: &[Entry], towards: Side, from: Timestamp, to: Timestamp) -> PauseSplit {
    let mut steps: Vec<PauseStep> = Vec::new();
    let mut step = Step::Quiet;
    let mut since = from;
    let mut end = |step: Step, since: Timestamp, until: Timestamp| {
        let seconds = elapsed(since, until).as_secs_f64();
        match steps.iter_mut().find(|known| known.step == step) {
            Some(known) => known.seconds += seconds,
            None => steps.push(PauseStep { step, seconds }),
        }
    };
    for entry in last_try(entries, to) {
        let Some(next) = begins(&entry.event) else { continue };
        if entry.at > since {
            end(step, since, entry.at);
            since = entry.at;
        }
        step = next;
    }
    end(step, since, to);
    PauseSplit { towards, seconds: elapsed(from, to).as_secs_f64(), steps }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::EntryId;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).expect("a small number")
    }

    fn entry(milliseconds: i64, fact: Fact) -> Entry {
        let sentence = fact.to_string();
        Entry { seq: EntryId(1), at: at(milliseconds), attempt: 1, generation: 1, sentence, event: Event::Fact(fact) }
    }

    #[test]
    fn the_steps_of_a_pause_are_its_whole() {
        let rungs = [
            (90, Rung::Fence),
            (150, Rung::Drain),
            (400, Rung::Arm),
            (650, Rung::Open),
            (700, Rung::Flip),
            (9_999, Rung::Observing),
        ];
        let entries: Vec<Entry> = rungs.map(|(at, rung)| entry(at, Fact::Entered { rung })).into();
        let split = split(&entries, Side::Target, at(100), at(1_000));
        let steps: Vec<(Step, f64)> = split.steps.iter().map(|step| (step.step, step.seconds)).collect();
        assert_eq!(steps, [(Step::Fence, 0.05), (Step::Drain, 0.25), (Step::Arm, 0.25), (Step::Open, 0.05), (Step::Flip, 0.3)]);
        assert!((split.seconds - 0.9).abs() < 1e-9, "{}", split.seconds);
    }

    #[test]
    fn a_try_that_was_given_up_before_is_no_part_of_the_pause() {
        let rungs = [
            (10, Rung::Fence),
            (20, Rung::Drain),
            (60, Rung::Aborted),
            (600, Rung::Fence),
            (650, Rung::Drain),
            (700, Rung::Arm),
            (750, Rung::Open),
        ];
        let entries: Vec<Entry> = rungs.map(|(at, rung)| entry(at, Fact::Entered { rung })).into();
        let split = split(&entries, Side::Target, at(550), at(800));
        let steps: Vec<(Step, f64)> = split.steps.iter().map(|step| (step.step, step.seconds)).collect();
        let each = [Step::Quiet, Step::Fence, Step::Drain, Step::Arm, Step::Open];
        assert_eq!(steps, each.map(|step| (step, 0.05)));
    }
}
