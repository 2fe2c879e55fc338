//! The write pause taken apart: what each step of a switch took, from the journal's times and the customers' own.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::elapsed;
use crate::controllers::dns::DnsPurpose;
use crate::journal::{Entry, EntryId, Event};
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
    /// What of it was the controller's own, by its journal: no call or statement of it was under way, no marker on its way to the
    /// other side, and the side that ends the pause not known to be open and, on the way there, named to everybody.
    pub own_seconds: f64,
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
    /// Saving the rows that a forced rollback leaves behind.
    Export,
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
            Self::Export => "export",
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
        Fact::Entered { rung: Rung::Fence | Rung::RollbackFence | Rung::ForcedFence } => Some(Step::Fence),
        // On the way back the name goes back while the rows do.
        Fact::Entered { rung: Rung::Drain | Rung::RollbackFlip } => Some(Step::Drain),
        Fact::Entered { rung: Rung::ForcedExport } => Some(Step::Export),
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
    let own_seconds = own(entries, towards, from, to).as_secs_f64();
    PauseSplit { towards, seconds: elapsed(from, to).as_secs_f64(), steps, own_seconds }
}

/// The time between `from` and `to` in which nobody was waited for but the controller itself: it looks, decides, and writes its
/// journal. What it has not heard of yet, such as a marker that has just arrived, is replication's share.
fn own(entries: &[Entry], towards: Side, from: Timestamp, to: Timestamp) -> Duration {
    let (mut own, mut since) = (Duration::ZERO, from);
    let mut under_way: BTreeSet<EntryId> = BTreeSet::new();
    let mut is_travelling = false;
    for entry in entries.iter().filter(|entry| entry.at <= to) {
        if entry.at > since {
            if under_way.is_empty() && !is_travelling {
                own += elapsed(since, entry.at);
            }
            since = entry.at;
        }
        match &entry.event {
            Event::Intent(_) => drop(under_way.insert(entry.seq)),
            Event::Outcome { intent, .. } => drop(under_way.remove(intent)),
            // Whatever a controller that died had under way, it waits for it no more.
            Event::Started { .. } => under_way.clear(),
            Event::Fact(Fact::MarkerWritten { .. }) => is_travelling = true,
            Event::Fact(Fact::MarkerSeen { .. }) => is_travelling = false,
            Event::Fact(fact) if entry.at > from && ends_its_part(fact, towards) => return own,
            Event::Fact(_) | Event::SpecAccepted { .. } | Event::SpecRefused { .. } | Event::StatusChanged { .. } => {}
        }
    }
    if under_way.is_empty() && !is_travelling {
        own += elapsed(since, to);
    }
    own
}

/// After this, name servers, resolvers and customers are what is waited for.
fn ends_its_part(fact: &Fact, towards: Side) -> bool {
    match (towards, fact) {
        (Side::Target, Fact::ChangeSubmitted { purpose, .. }) => *purpose == DnsPurpose::FlipToTarget,
        // The name went back while the rows did.
        (Side::Legacy, Fact::WritesOpened { side }) => *side == Side::Legacy,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Epoch;
    use crate::journal::Outcome;
    use crate::migration::facts::MarkerPurpose;
    use crate::migration::plan::Action;
    use crate::names::MarkerId;

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
        assert!((split.own_seconds - 0.9).abs() < 1e-9, "nobody else was waited for: {}", split.own_seconds);
    }

    fn event(seq: u64, milliseconds: i64, event: Event) -> Entry {
        let sentence = event.to_string();
        Entry { seq: EntryId(seq), at: at(milliseconds), attempt: 1, generation: 1, sentence, event }
    }

    #[test]
    fn the_controllers_own_share_leaves_out_calls_markers_and_everything_after_the_flip() {
        let action = Action::CompareTables;
        let drain = MarkerPurpose::Drain;
        let flipped = Fact::ChangeSubmitted { purpose: DnsPurpose::FlipToTarget, change: None, old_ttl_seconds: 60 };
        let entries = [
            event(1, 110, Event::Intent(action.clone())),
            event(2, 150, Event::Outcome { intent: EntryId(1), outcome: Outcome::Done(String::new()) }),
            event(3, 170, Event::Fact(Fact::MarkerWritten { purpose: drain, marker: MarkerId("m".into()) })),
            event(4, 270, Event::Fact(Fact::MarkerSeen { purpose: drain })),
            event(5, 275, Event::Intent(action)),
            event(6, 500, Event::Started { epoch: Epoch(2) }),
            event(7, 507, Event::Fact(flipped)),
        ];
        let own = own(&entries, Side::Target, at(100), at(1_000));
        assert_eq!(own, Duration::from_millis(10 + 20 + 5 + 7));
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
