//! Every rung and every failure as the mind itself derives it, each a migration named after it.

use std::sync::LazyLock;

use bascule::migration::approvals::cutover_digest;
use bascule::migration::derive::{Backstage, derive};
use bascule::migration::facts::Fact;
use bascule::migration::gates::Scene;
use bascule::migration::ladder::Rung;
use bascule::migration::status::MigrationStatus;
use bascule::names::Direction;
use bascule::spec::{Migration, Phase};
use jiff::Timestamp;

use crate::common::Story;
use crate::common::world::{Blind, Status};

/// One migration as it is shown.
#[derive(Debug, Clone)]
pub struct State {
    pub migration: Migration,
    pub status: MigrationStatus,
    /// What its journal tells of its way.
    pub told: Vec<(Timestamp, Fact)>,
}

impl State {
    /// Its name.
    pub fn name(&self) -> &str {
        self.migration.name().as_str()
    }
}

/// What the engine adds to a story.
#[derive(Default)]
struct Trouble {
    spec: Option<&'static str>,
    journal: Option<&'static str>,
}

fn state(name: &str, story: &Story, trouble: &Trouble) -> State {
    let mut migration = story.migration.clone();
    let seen = story.seen();
    let scene = Scene { migration: &migration, facts: &story.facts, seen: &seen, now: story.now };
    let backstage = Backstage {
        generation: 7,
        cutover_digest: cutover_digest(&migration),
        spec_error: trouble.spec,
        journal_error: trouble.journal,
        source: None,
        last_actions: Vec::new(),
        previous: None,
    };
    let status = derive(&scene, &story.plan(), &backstage);
    let mut told: Vec<(Timestamp, Fact)> =
        story.facts.entered.iter().map(|(rung, at)| (*at, Fact::Entered { rung: *rung })).collect();
    told.extend(story.facts.point_of_no_return.map(|at| (at, Fact::PointOfNoReturn)));
    // The rung stood on is entered last, also where an earlier attempt has been there.
    told.sort_by_key(|(at, fact)| (*at, matches!(fact, Fact::Entered { rung } if *rung == story.facts.rung)));
    if told.is_empty() {
        told.push((story.now, Fact::AttemptBegun { attempt: 1 }));
    }
    migration.metadata.name = name.into();
    State { migration, status, told }
}

fn entering(rung: Rung, phase: Phase) -> State {
    state(&at(rung), &Story::entering(rung, phase), &Trouble::default())
}

/// The name of the one on a rung.
fn at(rung: Rung) -> String {
    format!("at-{}", rung.to_string().to_lowercase())
}

fn resting(phase: Phase) -> State {
    state(&format!("rests-{}", phase.name().to_lowercase()), &Story::resting(phase), &Trouble::default())
}

/// A story after something went wrong.
fn after(name: &str, mut story: Story, mishap: impl FnOnce(&mut Story), trouble: &Trouble) -> State {
    mishap(&mut story);
    state(name, &story, trouble)
}

/// One migration on each rung.
pub static RUNGS: LazyLock<Vec<State>> = LazyLock::new(|| {
    let there = [Rung::Prepared, Rung::Replicating, Rung::Validated, Rung::RollbackArmed];
    let over = [Rung::Fence, Rung::Drain, Rung::Arm, Rung::Open, Rung::Flip, Rung::Observing];
    let back = [Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen];
    let calm = Trouble::default();
    let mut states = vec![state("at-preflight", &Story::begin(), &calm), state("at-aborted", &Story::aborted(), &calm)];
    states.push(state("at-completed", &Story::resting(Phase::Completed), &calm));
    states.extend(there.into_iter().chain(over).map(|rung| entering(rung, Phase::CutOver)));
    states.extend(back.map(|rung| entering(rung, Phase::RolledBack)));
    let forced = [Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport];
    states.extend(forced.map(|rung| state(&at(rung), &Story::forced_to(rung), &calm)));
    states
});

/// What goes wrong.
pub static FAILURES: LazyLock<Vec<State>> = LazyLock::new(|| {
    let calm = Trouble::default();
    let over = || Story::resting(Phase::CutOver);
    let armed = || Story::resting(Phase::RollbackArmed);
    vec![
        after(
            "dead-way-back",
            over(),
            |story| {
                for _ in 0..3 {
                    story.record(&Fact::ReverseResumed);
                }
                story.world.task_mut(Direction::Reverse).as_mut().expect("the reverse task").status = Status::Failed;
            },
            &calm,
        ),
        after("lagging", over(), |story| story.world.lagging = true, &calm),
        after("blind", armed(), |story| story.world.blind.extend(Blind::ALL), &calm),
        after("paused", armed(), |story| story.migration.spec.paused = true, &calm),
        after(
            "unapproved",
            armed(),
            |story| {
                story.migration.spec.cutover.approvals.required = 2;
                story.wish(Phase::CutOver);
            },
            &calm,
        ),
        after("disk-full", armed(), |_| {}, &Trouble { journal: Some("the disk is full"), ..Trouble::default() }),
        after("bad-spec", armed(), |_| {}, &Trouble { spec: Some("1 error: spec.dns.ttl is no period"), ..Trouble::default() }),
    ]
});

/// One migration at rest in each phase.
pub static RESTING: LazyLock<Vec<State>> = LazyLock::new(|| Phase::ALL.map(resting).into());

/// All of them.
pub fn all() -> impl Iterator<Item = &'static State> {
    RUNGS.iter().chain(FAILURES.iter()).chain(RESTING.iter())
}

/// The one of that name.
pub fn named(name: &str) -> &'static State {
    all().find(|state| state.name() == name).unwrap_or_else(|| panic!("no state is called {name}"))
}
