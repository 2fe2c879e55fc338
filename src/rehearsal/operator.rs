//! The human in a rehearsal: edits the one file as an operator would, and never looks behind the scenes.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::after;
use crate::migration::approvals::cutover_digest;
use crate::migration::ladder::Rung;
use crate::migration::reverse::DEAD;
use crate::migration::status::{ConditionStatus, ConditionType, MigrationStatus};
use crate::spec::{AcceptedLoss, Approval, Forced, Migration, Phase};

/// Which story is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Scenario {
    /// Through every phase to `Completed`.
    Forward,
    /// To `CutOver`, then back to legacy within the observation window.
    Rollback,
    /// To `CutOver`, where the way back dies for good; then back to legacy on the operator's word, without the writes that it
    /// lacks.
    Forced,
    /// A cutover whose drain stalls is aborted by itself; a second attempt completes.
    Abort,
    /// Through every phase to `Completed`, though everything goes wrong that went wrong in the story this program comes from.
    Story,
}

/// After so many attempts a real operator would go home, and the rehearsal has failed.
const MOST_ATTEMPTS: u32 = 25;

/// People look at a settled migration for a while before they promote it.
const THINKS_AT_LEAST: Duration = Duration::from_secs(10 * 60);
/// The longest that they look.
const THINKS_AT_MOST: Duration = Duration::from_secs(8 * 3600);

/// What the operator is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intention {
    /// Nothing in particular.
    Watch,
    /// Edit the file at this time.
    EditAt(Timestamp),
}

/// The human.
#[derive(Debug)]
pub struct Operator {
    scenario: Scenario,
    file: Migration,
    generation: u64,
    intention: Intention,
    rng: fastrand::Rng,
}

impl Operator {
    /// An operator with a file of their own, starting where the file says, at the latest at `Preflight`.
    pub fn new(scenario: Scenario, migration: &Migration, rng: fastrand::Rng) -> Self {
        let mut file = migration.clone();
        file.spec.phase = Phase::Preflight;
        file.spec.paused = false;
        file.spec.approvals.clear();
        Self { scenario, file, generation: 1, intention: Intention::Watch, rng }
    }

    /// The file as it stands.
    pub const fn file(&self) -> &Migration {
        &self.file
    }

    /// Somebody changes the file beside the promotions; whether it was changed.
    pub fn amend(&mut self, change: impl FnOnce(&mut Migration)) -> bool {
        let before = self.file.clone();
        change(&mut self.file);
        let changed = before != self.file;
        self.generation += u64::from(changed);
        changed
    }

    /// How often it has been edited, plus one.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The time of the next edit, if one is planned.
    pub const fn next_edit(&self) -> Option<Timestamp> {
        match self.intention {
            Intention::Watch => None,
            Intention::EditAt(at) => Some(at),
        }
    }

    /// Whether the story has been told.
    pub fn is_done(&self, status: &MigrationStatus) -> bool {
        let end = match self.scenario {
            Scenario::Forward | Scenario::Abort | Scenario::Story => Phase::Completed,
            Scenario::Rollback | Scenario::Forced => Phase::RolledBack,
        };
        self.file.spec.phase == end && self.sees_settled(status) && status.phase == Some(end)
    }

    /// Whether the operator has given up.
    pub const fn is_at_wits_end(&self) -> bool {
        self.file.spec.attempt > MOST_ATTEMPTS
    }

    fn sees_settled(&self, status: &MigrationStatus) -> bool {
        let ready = |condition: &&crate::migration::status::Condition| condition.condition_type == ConditionType::Ready;
        status.observed_generation == self.generation
            && status.conditions.iter().find(ready).is_some_and(|condition| condition.status == ConditionStatus::True)
    }

    /// Reads the status, and edits the file when it is time. Returns a sentence for the timeline when it was edited.
    pub fn consider(&mut self, status: &MigrationStatus, now: Timestamp) -> Option<String> {
        if status.observed_generation != self.generation {
            return None;
        }
        let wants_to_edit = (self.sees_settled(status) && !self.waits_for_its_point()) || self.must_step_in(status);
        match (wants_to_edit, self.intention) {
            (false, _) => {
                self.intention = Intention::Watch;
                None
            }
            (true, Intention::Watch) => {
                self.intention = Intention::EditAt(after(now, self.thinking_time(status)));
                None
            }
            (true, Intention::EditAt(at)) if now < at => None,
            (true, Intention::EditAt(_)) => {
                self.intention = Intention::Watch;
                let edit = self.edit(status, now);
                self.generation += u64::from(edit.is_some());
                edit
            }
        }
    }

    /// Nobody asks for more before the way back has died, which that story is about.
    fn waits_for_its_point(&self) -> bool {
        self.scenario == Scenario::Forced && self.file.spec.phase == Phase::CutOver
    }

    fn must_step_in(&self, status: &MigrationStatus) -> bool {
        let waits_for_me = |word: &str| ["AttemptLatched", "RollbackAbandoned", "TableErrors"].contains(&word);
        status.blocked.iter().any(|block| waits_for_me(&block.reason.0))
            || self.lacks_approvals(status)
            || self.would_force(status)
    }

    /// The way back is dead, and this operator goes back all the same.
    fn would_force(&self, status: &MigrationStatus) -> bool {
        let is_dead = status.blocked.iter().any(|block| block.reason.0 == DEAD);
        self.scenario == Scenario::Forced && is_dead && status.wished_phase >= Phase::CutOver && !self.has_forced()
    }

    const fn has_forced(&self) -> bool {
        matches!((self.file.spec.phase, &self.file.spec.rollback.forced), (Phase::RolledBack, Some(_)))
    }

    fn lacks_approvals(&self, status: &MigrationStatus) -> bool {
        self.file.spec.phase >= Phase::CutOver
            && self.file.spec.phase != Phase::RolledBack
            && status.rung == Rung::RollbackArmed
            && status.approvals.counted.len() < status.approvals.required as usize
    }

    fn thinking_time(&mut self, status: &MigrationStatus) -> Duration {
        // A latched night or an expired approval is dealt with at once; a promotion is slept over.
        if self.sees_settled(status) {
            let spread = THINKS_AT_MOST.as_secs() - THINKS_AT_LEAST.as_secs();
            THINKS_AT_LEAST + Duration::from_secs(self.rng.u64(0..spread))
        } else {
            Duration::from_secs(self.rng.u64(60..600))
        }
    }

    fn edit(&mut self, status: &MigrationStatus, now: Timestamp) -> Option<String> {
        let reason = |word: &str| status.blocked.iter().any(|block| block.reason.0 == word);
        if reason("RollbackAbandoned") {
            return Some(self.promote(Phase::CutOver, now));
        }
        if self.would_force(status) {
            return Some(self.force());
        }
        if reason("TableErrors") && status.rung < Rung::Fence && self.file.spec.replication.forward.max_reloads_per_table < 20 {
            self.file.spec.replication.forward.max_reloads_per_table += 1;
            return Some("has looked at the table, and allows it one more reload".into());
        }
        if reason("AttemptLatched") {
            self.file.spec.attempt += 1;
            self.approve(now);
            return Some(format!("raises spec.attempt to {} and approves it anew", self.file.spec.attempt));
        }
        if !self.sees_settled(status) && self.lacks_approvals(status) {
            self.approve(now);
            return Some("approves the plan anew".into());
        }
        let next = match (self.scenario, self.file.spec.phase) {
            (Scenario::Rollback, Phase::CutOver) => Phase::RolledBack,
            (_, phase) => phase.next()?,
        };
        Some(self.promote(next, now))
    }

    /// First the wish, which is refused and says why; then the word that nobody gives by accident.
    fn force(&mut self) -> String {
        if self.file.spec.phase != Phase::RolledBack {
            self.file.spec.phase = Phase::RolledBack;
            return "sets spec.phase to RolledBack, though no way back is ready".into();
        }
        self.file.spec.rollback.forced = Some(Forced {
            attempt: self.file.spec.attempt,
            accept_loss_of: AcceptedLoss::EveryWriteThatLegacyLacks,
            by: "ada".into(),
            why: "the target refuses one payment in ten, and reverse replication is not coming back".into(),
            until: None,
            write_pause_budget: None,
        });
        "accepts the loss of every write that legacy lacks, in spec.rollback.forced".into()
    }

    fn promote(&mut self, phase: Phase, now: Timestamp) -> String {
        self.file.spec.phase = phase;
        if phase == Phase::CutOver {
            self.approve(now);
        }
        format!("sets spec.phase to {phase}")
    }

    /// As many people as the spec asks for agree to the plan as it is.
    fn approve(&mut self, now: Timestamp) {
        let plan_digest = cutover_digest(&self.file);
        let attempt = self.file.spec.attempt;
        let people = ["ada", "grace", "barbara", "edsger", "leslie", "nancy", "tony", "frances"];
        self.file.spec.approvals = (0..self.file.spec.cutover.approvals.required as usize)
            .map(|number| Approval {
                by: people.get(number).map_or_else(|| format!("approver-{number}"), |name| (*name).to_owned()),
                at: now,
                attempt,
                plan_digest: plan_digest.clone(),
            })
            .collect();
    }
}
