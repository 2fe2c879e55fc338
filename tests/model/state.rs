//! One state of the search, and every step out of it.

use std::sync::LazyLock;

use bascule::engine::act::fact_before;
use bascule::migration::decide::decide;
use bascule::migration::facts::{Change, Fact, Facts};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::names::{Direction, Side};
use bascule::spec::{Hook, Migration, Phase};
use jiff::{SignedDuration, Timestamp};

use super::check;
use super::common::hooks::hooks;
use super::common::story::word;
use super::common::world::{Blind, Door, Status, World};
use super::common::{Story, migration};
use bascule::controllers::fence::FenceAction;
use bascule::controllers::hooks::HookRecord;

/// The line, the pause and the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Wish {
    /// `spec.phase`
    pub phase: Phase,
    /// `spec.paused`
    pub paused: bool,
    /// `spec.attempt`
    pub attempt: u32,
}

/// What keeps the search finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Edits that the operator may still make.
    pub edits: u8,
    /// Services and tasks that may still fail.
    pub faults: u8,
    /// Things that a person may still do with a console.
    pub meddling: u8,
    /// Whether a person did one.
    pub meddled: bool,
    /// Rollbacks begun.
    pub rollbacks: u8,
    /// Whether the operator's own systems are called.
    pub hooked: bool,
    /// Whether somebody accepts what legacy lacks.
    pub forced: bool,
    /// Whether somebody ever has: legacy may have been about to open by then.
    pub accepted: bool,
}

impl Bounds {
    /// The controller may die anywhere, any call may fail and any answer be lost, and time may pass at any moment.
    pub fn calm() -> Self {
        Self { edits: 0, faults: 0, meddling: 0, meddled: false, rollbacks: 0, hooked: false, forced: false, accepted: false }
    }

    /// Beside that, hooks are called at every point.
    pub fn with_hooks(self) -> Self {
        Self { hooked: true, ..self }
    }

    /// Beside that, the operator changes their mind.
    pub fn second_thoughts() -> Self {
        Self { edits: 1, ..Self::calm() }
    }

    /// Beside that, a service or a task fails.
    pub fn faulty() -> Self {
        Self { faults: 1, ..Self::calm() }
    }

    /// Beside that, a person does something with a console.
    pub fn meddled_with() -> Self {
        Self { meddling: 1, ..Self::calm() }
    }
}

/// Everything.
#[derive(Debug, Clone)]
pub struct State {
    /// The truth.
    pub world: World,
    /// What is durable.
    pub facts: Facts,
    /// What is asked for.
    pub wish: Wish,
    /// What may still happen.
    pub bounds: Bounds,
    began: Timestamp,
}

/// Who takes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole pass of the controller.
    Pass,
    /// The world or time, as it is bound to go on.
    World,
    /// A service answers again.
    AwsAnswers,
    /// A database answers again.
    DatabaseAnswers,
    /// The operator's own systems answer again.
    HooksAnswer,
    /// The operator edits the file.
    Edit,
    /// A crash, a lost answer, a failure, a person.
    Fault,
}

/// A step and where it leads.
pub struct Step {
    /// In words.
    pub label: String,
    /// Whose.
    pub kind: Kind,
    /// There.
    pub state: State,
    /// What was forbidden about it.
    pub broken: Option<String>,
}

/// Longer than the budget of the pause.
const PAST_BUDGET: SignedDuration = SignedDuration::from_secs(31);
/// Longer than the observation window.
const PAST_WINDOW: SignedDuration = SignedDuration::from_hours(49);
/// Longer than a comparison counts as fresh.
const PAST_MAX_AGE: SignedDuration = SignedDuration::from_hours(7);
/// Longer than the time between two calls to a hook.
const PAST_THE_PAUSE_BETWEEN_CALLS: SignedDuration = SignedDuration::from_secs(31);
/// After so many calls no more are looked into: the next is like the last.
const MOST_CALLS: u32 = 3;
/// Longer than a lost change may take to spread.
const PAST_SPREADING: SignedDuration = SignedDuration::from_secs(301);

/// Read once.
static BASE: LazyLock<Migration> = LazyLock::new(migration);

/// Made once.
static HOOKS: LazyLock<Vec<Hook>> = LazyLock::new(hooks);

const PHASES: [Phase; 4] = [Phase::RollbackArmed, Phase::CutOver, Phase::Completed, Phase::RolledBack];

impl State {
    /// Armed, settled, and the operator has just asked for the cutover.
    pub fn before_the_cutover(bounds: Bounds) -> Self {
        Self::after(Story::resting(Phase::RollbackArmed), Phase::CutOver, bounds)
    }

    /// On the target, in the observation window, and the operator has just asked for the way back.
    pub fn before_the_rollback(bounds: Bounds) -> Self {
        Self::after(Story::resting(Phase::CutOver), Phase::RolledBack, bounds)
    }

    /// The same, where the way back is dead and somebody has accepted what legacy lacks.
    pub fn before_a_forced_rollback(bounds: Bounds) -> Self {
        Self::after(Story::with_a_dead_way_back(), Phase::RolledBack, Bounds { forced: true, accepted: true, ..bounds })
    }

    fn after(story: Story, phase: Phase, bounds: Bounds) -> Self {
        let wish = Wish { phase, paused: false, attempt: 1 };
        Self { world: story.world, facts: story.facts, wish, bounds, began: story.now }
    }

    /// Time stands still but for one second with each rollback; what has to pass is aged instead, so that states recur.
    pub fn now(&self) -> Timestamp {
        self.began + SignedDuration::from_secs(i64::from(self.bounds.rollbacks))
    }

    /// The file.
    pub fn migration(&self) -> Migration {
        let mut migration = BASE.clone();
        migration.spec.phase = self.wish.phase;
        migration.spec.paused = self.wish.paused;
        migration.spec.attempt = self.wish.attempt;
        if self.bounds.forced {
            migration.spec.rollback.forced = Some(word());
        }
        if self.bounds.hooked {
            migration.spec.hooks = HOOKS.clone();
        }
        migration
    }

    /// What a pass decides here.
    pub fn plan(&self) -> Plan {
        let migration = self.migration();
        decide(&migration, &self.facts, &self.world.seen(&migration, &self.facts, self.now()), self.now())
    }

    /// Every step out of here.
    pub fn steps(&self, plan: &Plan) -> Vec<Step> {
        let mut steps = self.passes(plan);
        steps.extend(self.world_goes_on());
        steps.extend(self.time_passes());
        steps.extend(self.edits());
        steps.extend(self.answers());
        steps.extend(self.faults());
        steps.extend(self.meddling());
        steps
    }

    fn step(&self, kind: Kind, label: impl Into<String>, change: impl FnOnce(&mut Self)) -> Step {
        let mut state = self.clone();
        change(&mut state);
        Step { label: label.into(), kind, state, broken: None }
    }

    /// The plan carried out whole, cut off anywhere, with any one answer lost, or with any one call failing.
    fn passes(&self, plan: &Plan) -> Vec<Step> {
        let actions = &plan.actions;
        let count = actions.len();
        let mut steps = Vec::new();
        if count == 0 {
            return steps;
        }
        let all: Vec<usize> = (0..count).collect();
        steps.push(self.carry_out(Kind::Pass, "", actions, &all, None));
        for cut in 0..count {
            if cut > 0 {
                steps.push(self.carry_out(Kind::Fault, "[then dies] ", actions, &all[..cut], None));
            }
            if !matches!(actions[cut], Action::Record(_)) {
                steps.push(self.carry_out(Kind::Fault, "[the last answer is lost] ", actions, &all[..cut], Some(cut)));
                let rest: Vec<usize> = all.iter().copied().filter(|number| *number != cut).collect();
                if !rest.is_empty() {
                    steps.push(self.carry_out(Kind::Fault, "[one call fails] ", actions, &rest, None));
                }
            }
        }
        let held = actions.iter().any(|action| closes_open_app(action, self));
        if held {
            let mut step = self.carry_out(Kind::Fault, "[a transaction outlives it] ", actions, &all, None);
            for side in [Side::Legacy, Side::Target] {
                if actions.iter().any(|action| closes_open_app(action, self) && closes(action) == Some(side)) {
                    step.state.world.server_mut(side).app = Door::Held;
                }
            }
            steps.push(step);
        }
        steps
    }

    fn carry_out(&self, kind: Kind, how: &str, actions: &[Action], done: &[usize], lost: Option<usize>) -> Step {
        let migration = self.migration();
        let mut state = self.clone();
        let mut broken = None;
        let mut said = Vec::new();
        for number in done.iter().copied().chain(lost) {
            let action = &actions[number];
            said.push(action.to_string());
            broken = broken.or_else(|| check::action(&state, action));
            let now = state.now();
            if let Some(fact) = fact_before(action) {
                state.facts.apply(now, &fact);
            }
            if let Some(fact) = state.world.carry_out(action, &migration).filter(|_| lost != Some(number)) {
                state.note(&fact);
            }
        }
        let label = format!("{} | {how}{}", self.facts.rung, said.join("; "));
        Step { label, kind, state, broken }
    }

    fn note(&mut self, fact: &Fact) {
        if matches!(fact, Fact::Entered { rung: Rung::RollbackFence | Rung::ForcedFence }) {
            self.bounds.rollbacks += 1;
        }
        let now = self.now();
        self.facts.apply(now, fact);
    }

    fn world_goes_on(&self) -> Vec<Step> {
        let goes_on = |event| self.step(Kind::World, format!("world: {event:?}"), |state| state.world.happen(event));
        self.world.events().into_iter().map(goes_on).collect()
    }

    fn time_passes(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut age = |label: &str, change: &dyn Fn(&mut State)| steps.push(self.step(Kind::World, label, change));
        for rung in [Rung::Fence, Rung::RollbackFence, Rung::ForcedFence] {
            let fresh = self.facts.entered.get(&rung).is_some_and(|at| *at > self.now() - PAST_BUDGET);
            if fresh && self.facts.pause_began == self.facts.entered.get(&rung).copied() {
                age("time: the budget is spent", &move |state| {
                    shift(state.facts.entered.get_mut(&rung), PAST_BUDGET);
                    shift(state.facts.pause_began.as_mut(), PAST_BUDGET);
                });
            }
        }
        let observing = self.facts.entered.get(&Rung::Observing).is_some_and(|at| *at > self.now() - PAST_WINDOW);
        if observing && self.facts.rung == Rung::Observing {
            age("time: the window passes", &|state| shift(state.facts.entered.get_mut(&Rung::Observing), PAST_WINDOW));
        }
        let compared = self.facts.parity.as_ref().is_some_and(|parity| parity.at > self.now() - PAST_MAX_AGE);
        if compared && matches!(self.facts.rung, Rung::Validated | Rung::RollbackArmed) {
            age("time: the comparison is old", &|state| {
                shift(state.facts.parity.as_mut().map(|parity| &mut parity.at), PAST_MAX_AGE);
            });
        }
        let spreads = |change: &Change| change.id.is_none() && change.in_sync_at.is_none();
        let is_fresh = |change: &Change| change.submitted_at > self.now() - PAST_SPREADING;
        if self.facts.changes.values().any(|change| spreads(change) && is_fresh(change)) {
            age("time: a change whose id was lost has spread", &|state| {
                for change in state.facts.changes.values_mut().filter(|change| spreads(change)) {
                    change.submitted_at -= PAST_SPREADING;
                }
            });
        }
        let awaits = |record: &HookRecord| record.taken_at.is_none() && record.calls < MOST_CALLS;
        let is_recent = |record: &HookRecord| record.called_at > self.now() - PAST_THE_PAUSE_BETWEEN_CALLS;
        if self.facts.hooks.0.values().any(|record| awaits(record) && is_recent(record)) {
            age("time: hooks may be called again", &|state| {
                for record in state.facts.hooks.0.values_mut().filter(|record| awaits(record)) {
                    record.called_at -= PAST_THE_PAUSE_BETWEEN_CALLS;
                }
            });
        }
        steps
    }

    fn edits(&self) -> Vec<Step> {
        if self.bounds.edits == 0 {
            return Vec::new();
        }
        let edit = |label: String, wish: Wish| {
            self.step(Kind::Edit, label, |state| {
                state.wish = wish;
                state.bounds.edits -= 1;
            })
        };
        let mut steps: Vec<Step> = PHASES
            .into_iter()
            .filter(|phase| *phase != self.wish.phase && (*phase != Phase::RolledBack || self.bounds.rollbacks < 2))
            .map(|phase| edit(format!("operator: {phase}"), Wish { phase, ..self.wish }))
            .collect();
        let paused = !self.wish.paused;
        steps.push(edit(format!("operator: paused {paused}"), Wish { paused, ..self.wish }));
        if self.bounds.forced {
            let mut step = edit("operator: takes the word back".into(), self.wish);
            step.state.bounds.forced = false;
            steps.push(step);
        }
        if self.wish.attempt < 2 {
            steps.push(edit("operator: attempt 2".into(), Wish { attempt: 2, ..self.wish }));
        }
        steps
    }

    fn answers(&self) -> Vec<Step> {
        let answers = |blind: &Blind| {
            let kind = match blind {
                Blind::Legacy | Blind::Target => Kind::DatabaseAnswers,
                Blind::Dms | Blind::Rds | Blind::Route53 | Blind::Elb | Blind::Network => Kind::AwsAnswers,
            };
            self.step(kind, format!("world: {blind:?} answers again"), |state| {
                state.world.blind.remove(blind);
            })
        };
        let mut steps: Vec<Step> = self.world.blind.iter().map(answers).collect();
        if self.world.hooks_answer != 204 {
            steps.push(self.step(Kind::HooksAnswer, "world: hooks take calls again", |state| state.world.hooks_answer = 204));
        }
        steps
    }

    fn faults(&self) -> Vec<Step> {
        if self.bounds.faults == 0 {
            return Vec::new();
        }
        let fault = |label: String, change: &dyn Fn(&mut State)| {
            let mut step = self.step(Kind::Fault, label, change);
            step.state.bounds.faults -= 1;
            step
        };
        let mut steps: Vec<Step> = [Blind::Legacy, Blind::Target, Blind::Dms, Blind::Route53]
            .into_iter()
            .map(|blind| {
                fault(format!("fault: {blind:?} does not answer"), &move |state| {
                    state.world.blind.insert(blind);
                })
            })
            .collect();
        if self.bounds.hooked && self.world.hooks_answer == 204 {
            steps.push(fault("fault: hooks refuse every call".into(), &|state| state.world.hooks_answer = 503));
        }
        for direction in [Direction::Forward, Direction::Reverse] {
            if self.world.runs(direction) {
                steps.push(fault(format!("fault: the {direction} task fails"), &move |state| {
                    if let Some(task) = state.world.task_mut(direction) {
                        task.status = Status::Failed;
                    }
                }));
            }
        }
        steps
    }

    /// Only once the cutover has begun: before, everything is as in any console, and no fence stands.
    fn meddling(&self) -> Vec<Step> {
        if self.bounds.meddling == 0 || self.facts.target_opened.is_none() && !self.facts.writes_are_paused() {
            return Vec::new();
        }
        let meddle = |label: &str, change: &dyn Fn(&mut World)| {
            self.step(Kind::Fault, format!("person: {label}"), |state| {
                change(&mut state.world);
                state.bounds.meddling -= 1;
                state.bounds.meddled = true;
            })
        };
        let mut steps = vec![meddle("moves the public name", &|world| world.public = world.public.other())];
        if self.world.legacy.app == Door::Shut {
            steps.push(meddle("opens legacy", &|world| {
                world.legacy.app = Door::Open;
                world.legacy.is_ahead = true;
                world.legacy.offset += 1;
            }));
        }
        if self.world.target.app == Door::Shut {
            steps.push(meddle("opens the target", &|world| {
                world.target.app = Door::Open;
                world.target.is_ahead = true;
                world.target.offset += 1;
            }));
        }
        steps
    }
}

fn shift(at: Option<&mut Timestamp>, by: SignedDuration) {
    if let Some(at) = at {
        *at -= by;
    }
}

fn closes(action: &Action) -> Option<Side> {
    match action {
        Action::Fence(FenceAction::Close { side, .. }) => Some(*side),
        _ => None,
    }
}

/// Whether it shuts a door through which the application was writing.
fn closes_open_app(action: &Action, state: &State) -> bool {
    closes(action).is_some_and(|side| state.world.server(side).app == Door::Open)
}
