//! A story: one migration, its facts and its world, pass after pass, with time that jumps to whatever is awaited.

use bascule::engine::act::fact_before;
use bascule::migration::decide::decide;
use bascule::migration::facts::{Fact, Facts};
use bascule::migration::gates::{Gate, Scene};
use bascule::migration::ladder::Rung;
use bascule::migration::observation::Observation;
use bascule::migration::plan::{Action, Plan, Standing};
use bascule::names::Direction;
use bascule::spec::{AcceptedLoss, Forced, Migration, Phase};
use jiff::{SignedDuration, Timestamp};

use super::migration;
use super::world::{Status, World};

/// A Saturday night, so that the maintenance window is near.
const BEGINS: &str = "2026-03-07T23:00:00Z";

/// The word that accepts what legacy lacks.
pub fn word() -> Forced {
    Forced {
        attempt: 1,
        accept_loss_of: AcceptedLoss::EveryWriteThatLegacyLacks,
        by: "ada".into(),
        why: "the target refuses one payment in ten".into(),
        until: None,
        write_pause_budget: None,
    }
}

/// No story needs more passes.
const PASSES: usize = 600;

/// One migration under way.
#[derive(Debug, Clone)]
pub struct Story {
    /// The wish.
    pub migration: Migration,
    /// The journal's fold.
    pub facts: Facts,
    /// The truth.
    pub world: World,
    /// Now.
    pub now: Timestamp,
}

impl Story {
    /// Before the first pass.
    pub fn begin() -> Self {
        let now = BEGINS.parse().expect("a time");
        Self { migration: migration(), facts: Facts::default(), world: World::untouched(), now }
    }

    /// At the moment when `rung` is entered on the way to `phase`.
    pub fn entering(rung: Rung, phase: Phase) -> Self {
        let mut story = Self::begin();
        if phase == Phase::RolledBack {
            story = Self::resting(Phase::CutOver);
        }
        story.wish(phase);
        story.until(|story| story.facts.rung == rung);
        story
    }

    /// At rest in a phase.
    pub fn resting(phase: Phase) -> Self {
        let mut story = if phase == Phase::RolledBack { Self::resting(Phase::CutOver) } else { Self::begin() };
        story.wish(phase);
        story.settle();
        assert!(story.facts.reached.contains_key(&phase), "{phase} was never reached, only {:?}", story.facts.rung);
        story
    }

    /// On the target, whose reverse stream has failed again after each of three resumes.
    pub fn with_a_dead_way_back() -> Self {
        let mut story = Self::resting(Phase::CutOver);
        for _ in 0..3 {
            story.record(&Fact::ReverseResumed);
        }
        story.world.task_mut(Direction::Reverse).as_mut().expect("the reverse task").status = Status::Failed;
        story
    }

    /// The same, and somebody goes back all the same, as far as `rung`.
    pub fn forced_to(rung: Rung) -> Self {
        let mut story = Self::with_a_dead_way_back();
        story.wish(Phase::RolledBack);
        story.migration.spec.rollback.forced = Some(word());
        story.until(|story| story.facts.rung == rung);
        story
    }

    /// An aborted cutover, legacy open again.
    pub fn aborted() -> Self {
        let mut story = Self::entering(Rung::Drain, Phase::CutOver);
        story.now += SignedDuration::from_secs(31);
        story.settle();
        assert_eq!(story.facts.rung, Rung::Aborted);
        story
    }

    /// The operator edits the line.
    pub fn wish(&mut self, phase: Phase) {
        self.migration.spec.phase = phase;
    }

    /// One look.
    pub fn seen(&self) -> Observation {
        self.world.seen(&self.migration, &self.facts, self.now)
    }

    /// What a pass would decide.
    pub fn plan(&self) -> Plan {
        decide(&self.migration, &self.facts, &self.seen(), self.now)
    }

    /// How a gate stands.
    pub fn judge(&self, gate: Gate) -> Standing {
        self.judge_seeing(gate, &self.seen())
    }

    /// How a gate stands in another look.
    pub fn judge_seeing(&self, gate: Gate, seen: &Observation) -> Standing {
        gate.judge(&Scene { migration: &self.migration, facts: &self.facts, seen, now: self.now })
    }

    /// Makes a fact durable.
    pub fn record(&mut self, fact: &Fact) {
        self.facts.apply(self.now, fact);
    }

    /// Carries one action out as the engine does.
    pub fn carry_out(&mut self, action: &Action) {
        if let Some(fact) = fact_before(action) {
            self.record(&fact);
        }
        if let Some(fact) = self.world.carry_out(action, &self.migration) {
            self.record(&fact);
        }
    }

    /// One pass, carried out whole; where there is nothing to do, the world moves, or else time does.
    pub fn turn(&mut self) -> Plan {
        let plan = self.plan();
        for action in &plan.actions {
            self.carry_out(action);
        }
        if plan.is_idle() {
            if self.world.events().is_empty() {
                self.now = plan.look_again_at.unwrap_or(self.now + SignedDuration::from_secs(1));
            }
            self.world.rest();
        }
        plan
    }

    /// Passes until something holds.
    pub fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..PASSES {
            if holds(self) {
                return;
            }
            let _ = self.turn();
        }
        panic!("it never came to pass; the story stands at {}: {:#?}", self.facts.rung, self.plan());
    }

    /// Passes until the wished phase is reached, or nothing moves any more; then until all that was begun is done.
    pub fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..PASSES {
            let plan = self.turn();
            let reached = self.facts.reached.contains_key(&self.migration.spec.phase);
            // Comparisons go on for ever, and only read.
            let changes = plan.actions.iter().any(|action| !matches!(action, Action::CompareTables));
            quiet = if changes || !self.world.events().is_empty() { 0 } else { quiet + 1 };
            if quiet >= 3 && (reached || !plan.blocked.is_empty()) {
                return;
            }
        }
        panic!("it never came to rest; the story stands at {}: {:#?}", self.facts.rung, self.plan());
    }
}
