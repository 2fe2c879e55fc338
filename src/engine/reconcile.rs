//! One pass: observe, decide, act, derive. Short enough to read aloud.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;

use super::act;
use super::beats::Beats;
use super::cadence::Cadence;
use super::inspect::Inspections;
use super::observe::{Eyes, look};
use super::surroundings::Equipment;
use crate::clock::Clock;
use crate::controllers::{Block, Wait};
use crate::database::Epoch;
use crate::fault::{Fault, Problem, Retry};
use crate::journal::{Journal, JournalError, Outcome};
use crate::migration::approvals::cutover_digest;
use crate::migration::decide::{decide, may_compare};
use crate::migration::derive::{Backstage, derive};
use crate::migration::facts::Facts;
use crate::migration::gates::Scene;
use crate::migration::ladder::Rung;
use crate::migration::moves::way_out_without_a_journal;
use crate::migration::observation::Observation;
use crate::migration::passed::gates_behind;
use crate::migration::plan::{Action, Plan};
use crate::migration::source::SourceReport;
use crate::migration::status::MigrationStatus;
use crate::spec::Migration;

/// The most moves that one look may make: a whole ladder has fewer rungs, so more would be a circle.
const MOVES_A_LOOK: usize = 24;

/// What a pass works with. Everything durable is in the journal; losing the rest loses nothing.
#[derive(Debug)]
pub struct Reconciler {
    /// The account, the databases, and everybody who is asked or told something.
    pub equipment: Equipment,
    /// Facts.
    pub journal: Arc<Journal>,
    /// Time.
    pub clock: Clock,
    /// How often to look.
    pub cadence: Cadence,
    inspections: Inspections,
    beats: Beats,
    epoch: Epoch,
    previous: Option<MigrationStatus>,
    unchanged: u32,
}

/// The spec in force, and what is wrong with a newer one.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The last good spec.
    pub migration: Arc<Migration>,
    /// Its generation.
    pub generation: u64,
    /// Where it came from, if that is a branch of a repository.
    pub source: Option<SourceReport>,
    /// Why a newer spec is not in force.
    pub refused: Option<String>,
}

/// How one action ended.
#[derive(Debug, Clone)]
pub struct Deed {
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub result: Result<(), Fault>,
}

/// What a pass brought.
#[derive(Debug, Clone)]
#[must_use]
pub struct Report {
    /// The view to publish.
    pub status: MigrationStatus,
    /// What was decided last.
    pub plan: Plan,
    /// What was done.
    pub deeds: Vec<Deed>,
    /// When to look again.
    pub pause: Duration,
}

impl Reconciler {
    /// A controller that has just started: it takes the next epoch, so that its predecessor's late writes are refused.
    pub fn start(equipment: Equipment, journal: Arc<Journal>, clock: Clock, cadence: Cadence) -> Self {
        // Without a journal there is no epoch to act under, and the passes only observe.
        let epoch = journal.next_epoch(clock.now()).unwrap_or(Epoch(0));
        Self { epoch, ..Self::planning(equipment, journal, clock, cadence) }
    }

    /// A controller that will only ever [`plan`](Self::plan): it takes no epoch, so that it leaves no trace.
    pub fn planning(equipment: Equipment, journal: Arc<Journal>, clock: Clock, cadence: Cadence) -> Self {
        let (inspections, beats) = (Inspections::default(), Beats::default());
        Self { equipment, journal, clock, cadence, inspections, beats, epoch: Epoch(0), previous: None, unchanged: 0 }
    }

    /// Comes to its end when something does that goes on beside the passes, and never where nothing does.
    pub async fn woken(&self) {
        select(self.equipment.comparer.ending(), self.equipment.checker.ending()).await;
    }

    /// What a pass would decide now, without doing it: the facts that it would record come first, then its calls.
    pub async fn plan(&self, wish: &Wish) -> (Plan, MigrationStatus) {
        let mut facts = Facts::clone(&self.journal.facts());
        let seen = self.look(&wish.migration, &facts).await;
        let now = self.clock.now();
        let mut moves = Vec::new();
        let mut plan = decide(&wish.migration, &facts, &seen, now);
        for _ in 0..MOVES_A_LOOK {
            let recorded: Vec<_> = plan.actions.iter().filter_map(as_fact).collect();
            if recorded.is_empty() {
                break;
            }
            for fact in recorded {
                facts.apply(now, &fact);
                moves.push(Action::Record(fact));
            }
            plan = decide(&wish.migration, &facts, &seen, now);
        }
        plan.actions.splice(0..0, moves);
        let scene = Scene { migration: &wish.migration, facts: &facts, seen: &seen, now };
        let status = derive(&scene, &plan, &self.backstage(wish, None, Vec::new()));
        (plan, status)
    }

    /// One pass.
    pub async fn pass(&mut self, wish: &Wish) -> Report {
        let seen = self.look(&wish.migration, &self.journal.facts()).await;
        let mut said = Vec::new();
        let (mut plan, moved) = self.decide_and_move(wish, &seen, &mut said);
        if !may_compare(&wish.migration, &self.journal.facts()) {
            // Before anything else is done: no heartbeat of a comparison may follow a fence.
            self.equipment.comparer.stop();
        }
        if self.journal.facts().rung != Rung::ForcedExport {
            self.equipment.exporter.stop();
        }
        let acted = match moved {
            Ok(()) => self.act(wish, &plan).await,
            Err(error) => Err(error),
        };
        let (deeds, journal_error) = match acted {
            Ok(deeds) => (deeds, None),
            Err(error) => (self.act_without_a_journal(wish, &seen).await, Some(error.to_string())),
        };
        said.extend(deeds.iter().map(spoken));
        plan.blocked.extend(deeds.iter().filter_map(refusal));
        plan.waiting.extend(deeds.iter().filter_map(refused_for_now));
        self.report(wish, &seen, plan, deeds, said, journal_error.as_deref())
    }

    async fn look(&self, migration: &Migration, facts: &Facts) -> Observation {
        // A look and an action are deep futures: on the heap they leave room on the stack of whoever runs the pass.
        Box::pin(look(self.eyes(), migration, facts)).await
    }

    fn eyes(&self) -> Eyes<'_> {
        let (clock, inspections, beats) = (&self.clock, &self.inspections, &self.beats);
        Eyes { equipment: &self.equipment, clock, epoch: self.epoch, glance: self.cadence.glance, inspections, beats }
    }

    /// Decides, and makes every fact that the look shows durable before anything else is decided on it.
    fn decide_and_move(&self, wish: &Wish, seen: &Observation, said: &mut Vec<String>) -> (Plan, Result<(), JournalError>) {
        let mut moves = 0;
        let standing = self.journal.standing(self.clock.now());
        loop {
            let now = self.clock.now();
            let plan = decide(&wish.migration, &self.journal.facts(), seen, now);
            if let Err(error) = &standing {
                return (plan, Err(error.clone()));
            }
            let facts: Vec<_> = plan.actions.iter().filter_map(as_fact).collect();
            if facts.is_empty() || moves == MOVES_A_LOOK {
                return (plan, Ok(()));
            }
            let scene = Scene { migration: &wish.migration, facts: &self.journal.facts(), seen, now };
            if let Some(Err(error)) = gates_behind(&scene, &facts).map(|fact| self.journal.record(now, wish.generation, fact)) {
                return (plan, Err(error));
            }
            for fact in facts {
                said.push(fact.to_string());
                if let Err(error) = self.journal.record(now, wish.generation, fact) {
                    return (plan, Err(error));
                }
            }
            moves += 1;
        }
    }

    /// Carries the plan out. An intent is durable before its call; after a failure the rest of that room waits for another
    /// look, the other rooms go on.
    async fn act(&self, wish: &Wish, plan: &Plan) -> Result<Vec<Deed>, JournalError> {
        let mut deeds: Vec<Deed> = Vec::new();
        for action in plan.actions.iter().filter(|action| as_fact(action).is_none()) {
            let room = std::mem::discriminant(action);
            let failed = |deed: &Deed| deed.result.is_err() && std::mem::discriminant(&deed.action) == room;
            if deeds.iter().any(failed) {
                continue;
            }
            let intent = self.journal.intend(self.clock.now(), wish.generation, action)?;
            if let Some(fact) = act::fact_before(action) {
                self.journal.record(self.clock.now(), wish.generation, fact)?;
            }
            let paused = self.journal.facts().writes_are_paused();
            let result = Box::pin(act::act(self.eyes(), &wish.migration, action, paused)).await;
            let outcome = match &result {
                Ok(_) => Outcome::Done(action.to_string()),
                Err(fault) => Outcome::Failed(fault.to_string()),
            };
            self.journal.conclude(self.clock.now(), intent, outcome)?;
            if let Ok(Some(fact)) = &result {
                self.journal.record(self.clock.now(), wish.generation, fact.clone())?;
            }
            deeds.push(Deed { action: action.clone(), result: result.map(|_| ()) });
        }
        Ok(deeds)
    }

    /// An unwritable journal means observing only, with one exception that needs no durable intent: legacy is let out of a
    /// cutover that can no longer be carried through.
    async fn act_without_a_journal(&self, wish: &Wish, seen: &Observation) -> Vec<Deed> {
        let facts = self.journal.facts();
        let scene = Scene { migration: &wish.migration, facts: &facts, seen, now: self.clock.now() };
        let Some(action) = way_out_without_a_journal(&scene).map(Action::Fence) else { return Vec::new() };
        let result = act::act(self.eyes(), &wish.migration, &action, true).await.map(|_| ());
        vec![Deed { action, result }]
    }

    fn backstage<'a>(&'a self, wish: &'a Wish, journal_error: Option<&'a str>, last_actions: Vec<String>) -> Backstage<'a> {
        Backstage {
            generation: wish.generation,
            cutover_digest: cutover_digest(&wish.migration),
            source: wish.source.as_ref(),
            spec_error: wish.refused.as_deref(),
            journal_error,
            last_actions,
            previous: self.previous.as_ref(),
        }
    }

    fn report(
        &mut self,
        wish: &Wish,
        seen: &Observation,
        plan: Plan,
        deeds: Vec<Deed>,
        said: Vec<String>,
        journal_error: Option<&str>,
    ) -> Report {
        let now = self.clock.now();
        let facts = self.journal.facts();
        let scene = Scene { migration: &wish.migration, facts: &facts, seen, now };
        let status = derive(&scene, &plan, &self.backstage(wish, journal_error, said));
        let before = self.previous.as_ref();
        let changed = before.is_none_or(|before| before.summary != status.summary || before.rung != status.rung);
        // While writes are paused every pass leaves its time in the journal: a successor whose clock is behind goes on from
        // there, and the budget of the pause is not stretched.
        if changed || status.write_pause_began.is_some() {
            // History is a convenience; a full journal has already said so above.
            let _ = self.journal.status_changed(now, wish.generation, status.phase, status.rung, &status.summary);
        }
        // What is merely unknown in another way is no change worth hurrying for.
        let moved = !deeds.is_empty() || self.previous.as_ref().is_none_or(|before| before.rung != status.rung);
        self.unchanged = if moved { 0 } else { self.unchanged.saturating_add(1) };
        let problems: Vec<Problem> =
            deeds.iter().filter_map(|deed| deed.result.as_ref().err()).map(|fault| fault.problem.clone()).collect();
        let pause = self.cadence.next(&plan, &problems, self.unchanged, now);
        self.previous = Some(status.clone());
        Report { status, plan, deeds, pause }
    }
}

fn as_fact(action: &Action) -> Option<crate::migration::facts::Fact> {
    match action {
        Action::Record(fact) => Some(fact.clone()),
        _ => None,
    }
}

fn spoken(deed: &Deed) -> String {
    match &deed.result {
        Ok(()) => deed.action.to_string(),
        Err(fault) => format!("{}, but {fault}", deed.action),
    }
}

/// What a database refuses in its present state is tried again, and may be taken one day: but a server that only reads, or is
/// full, becomes another one by a person's hand alone, who must read of it.
fn refused_for_now(deed: &Deed) -> Option<Wait> {
    let is_of_a_database = matches!(deed.action, Action::Fence(_) | Action::RaiseIds { .. } | Action::WriteMarker { .. });
    match &deed.result {
        Err(fault @ Fault { problem: Problem::WrongState { .. }, .. }) if is_of_a_database => {
            Some(Wait::new("DatabaseRefuses", fault.to_string()))
        }
        Ok(()) | Err(_) => None,
    }
}

/// A refusal that no repetition will mend is for a person.
fn refusal(deed: &Deed) -> Option<Block> {
    let fault = deed.result.as_ref().err()?;
    match fault.problem.retry() {
        Retry::NeedsOperator => Some(Block::new("Refused", fault.to_string())),
        Retry::NeedsSpec => Some(Block::new("SpecMustChange", fault.to_string())),
        Retry::Soon | Retry::Later(_) => None,
    }
}
