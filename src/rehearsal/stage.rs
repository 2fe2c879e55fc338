//! One rehearsal: the world, the controller, the operator, and what happens when the controller is killed.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};

use super::operator::{Operator, Scenario};
use super::timeline::{Moment, PhaseEntry, Timeline, Who};
use super::verdict::{Attempt, Verdict};
use crate::aws::Aws;
use crate::clock::{Clock, after, elapsed};
use crate::engine::cadence::Cadence;
use crate::engine::keeper::resumed;
use crate::engine::reconcile::{Reconciler, Report, Wish};
use crate::journal::{Event, HISTORY_PAGE, Journal, JournalPlace};
use crate::migration::facts::{Fact, Latch};
use crate::migration::ladder::Rung;
use crate::migration::status::MigrationStatus;
use crate::names::{Direction, Side, region_of};
use crate::sim::crash::{ControllerCrash, CrashSwitch, Place};
use crate::sim::database::seam::SimulatedDatabase;
use crate::sim::profile::FaultProfile;
use crate::sim::setting::Setting;
use crate::sim::wire::Cloud;
use crate::sim::wire::connector::transport_that_crashes;
use crate::sim::{SharedWorld, World};
use crate::spec::{Migration, Phase};

/// A Monday morning. The year is the seed story's.
const BEGINS: &str = "2026-03-02T09:00:00Z";

/// A story that has not ended by then never will.
const LONGEST: Duration = Duration::from_secs(120 * 24 * 3600);

/// A killed controller is started again by its supervisor after about a second.
const RESTART: Duration = Duration::from_millis(1_000);

/// How long the rush goes on after a switch.
const RUSH_GOES_ON: Duration = Duration::from_secs(120);

/// How long the forward stream stands still in the abort scenario: longer than any sensible budget.
const STALL: Duration = Duration::from_secs(15 * 60);

/// Whether and where the controller is killed, beside what the fault profile does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// As the profile says.
    ByProfile,
    /// Once, at this numbered place (an AWS call, a database verb or a journal write, before or after it).
    AtPlace(u64),
    /// At the place `first` and then at every place `step` further on: a whole journey under one kill after another.
    Every {
        /// The first place, counted from 0.
        first: u64,
        /// Places from one kill to the next; enough for a controller to start and get something done.
        step: u64,
    },
}

/// What is to be rehearsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which story.
    pub scenario: Scenario,
    /// The profile's name, for the record.
    pub faults: String,
    /// The profile.
    pub profile: FaultProfile,
    /// What makes it this run and no other.
    pub seed: u64,
    /// Where the controller is killed.
    pub kill: Kill,
    /// How often the controller looks.
    pub cadence: Cadence,
}

impl Request {
    /// A story under a profile.
    pub fn new(scenario: Scenario, faults: &str, profile: FaultProfile, seed: u64) -> Self {
        Self { scenario, faults: faults.to_owned(), profile, seed, kill: Kill::ByProfile, cadence: Cadence::rehearsal() }
    }
}

/// A rehearsal that has ended.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// What it proved.
    pub verdict: Verdict,
    /// What happened.
    pub timeline: Timeline,
    /// Places at which the controller could have been killed.
    pub places: u64,
    /// The status published last.
    pub status: Option<MigrationStatus>,
}

/// Rehearses, telling each moment as it happens.
pub fn rehearse(migration: &Migration, request: &Request, tell: &mut dyn FnMut(&Moment)) -> Rehearsed {
    // The SDK draws request ids and jitter from this thread's generator.
    fastrand::seed(request.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        // The stage is set inside the runtime, so that its clock starts on the paused time and not beside it.
        Ok(runtime) => runtime.block_on(async { Stage::set(migration, request).play(tell).await }),
        Err(error) => panic!("the operating system refuses a single-threaded runtime: {error}"),
    }
}

/// Everything on the stage.
struct Stage<'a> {
    request: &'a Request,
    name: String,
    region: String,
    clock: Clock,
    /// How far the controller's clock is off, from its last start on.
    skew: SignedDuration,
    world: SharedWorld,
    crash: CrashSwitch,
    journal: Arc<Journal>,
    operator: Operator,
    controller: Option<Reconciler>,
    rng: fastrand::Rng,
    timeline: Timeline,
    told: usize,
    passes: u64,
    starts: u64,
    attempts: Vec<Attempt>,
    calm_at: Option<Timestamp>,
    stalled: Stalled,
}

/// Whether the abort scenario has had its stall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stalled {
    Never,
    Once,
}

impl<'a> Stage<'a> {
    fn set(migration: &Migration, request: &'a Request) -> Self {
        let begins: Timestamp = BEGINS.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Clock::starting_at(begins);
        let mut rng = fastrand::Rng::with_seed(request.seed);
        let mut world = World::new(migration, Setting::of(migration), request.profile.clone(), rng.u64(..), begins);
        world.monitor.note_pause_budget(migration.spec.cutover.write_pause_budget.duration());
        let crash = match request.kill {
            Kill::ByProfile => CrashSwitch::with_chance(request.profile.controller_crash, rng.fork()),
            Kill::AtPlace(number) => CrashSwitch::armed_for(number),
            Kill::Every { first, step } => CrashSwitch::at_every(first, step),
        };
        let operator = Operator::new(request.scenario, migration, rng.fork());
        let journal = Journal::in_memory(migration.name()).unwrap_or_else(|error| panic!("a journal in memory: {error}"));
        let hook = crash.clone();
        journal.set_crash_hook(Box::new(move |place| {
            hook.place(match place {
                JournalPlace::Before(_) => Place::BeforeJournal,
                JournalPlace::After(_) => Place::AfterJournal,
            });
        }));
        Self {
            request,
            name: migration.name().to_string(),
            region: region_of(migration.spec.replication.instance_arn.as_str()).unwrap_or("eu-west-1").to_owned(),
            clock,
            skew: SignedDuration::ZERO,
            world: Arc::new(Mutex::new(world)),
            crash,
            journal: Arc::new(journal),
            operator,
            controller: None,
            rng,
            timeline: Timeline::default(),
            told: 0,
            passes: 0,
            starts: 0,
            attempts: Vec::new(),
            calm_at: None,
            stalled: Stalled::Never,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn play(mut self, tell: &mut dyn FnMut(&Moment)) -> Rehearsed {
        let begins = self.clock.now();
        let mut last: Option<MigrationStatus> = None;
        while elapsed(begins, self.clock.now()) < LONGEST && !self.operator.is_at_wits_end() {
            let Some(report) = self.turn().await else { continue };
            self.follow(&report.status);
            let done = self.operator.is_done(&report.status);
            last = Some(report.status.clone());
            self.tell(tell);
            if done {
                break;
            }
            self.rest(&report).await;
        }
        let ended = last.as_ref().is_some_and(|status| self.operator.is_done(status));
        let places = self.crash.places_passed();
        if ended {
            self.settle().await;
        }
        self.tell(tell);
        self.conclude(begins, last, ended, places)
    }

    /// One pass, unless the controller is killed in it.
    async fn turn(&mut self) -> Option<Report> {
        let wish =
            Wish { migration: Arc::new(self.operator.file().clone()), generation: self.operator.generation(), refused: None };
        match AssertUnwindSafe(self.pass(&wish)).catch_unwind().await {
            Ok(report) => {
                self.passes += 1;
                Some(report)
            }
            Err(payload) => match payload.downcast::<ControllerCrash>() {
                Ok(crash) => {
                    self.controller = None;
                    let what = format!("kills the controller at {:?}", crash.place);
                    self.timeline.say(self.clock.now(), Who::World, what);
                    self.skew = self.next_skew();
                    self.clock.sleep(RESTART).await;
                    self.world().monitor.note_controller_down(RESTART);
                    None
                }
                Err(panic) => std::panic::resume_unwind(panic),
            },
        }
    }

    async fn pass(&mut self, wish: &Wish) -> Report {
        if self.controller.is_none() {
            self.starts += 1;
            self.controller = Some(self.start());
        }
        match &mut self.controller {
            Some(controller) => controller.pass(wish).await,
            None => unreachable!("it was started above"),
        }
    }

    /// A new process: nothing but the journal is left of the one before.
    fn start(&self) -> Reconciler {
        let http = transport_that_crashes(self.world.clone(), self.clock.clone(), self.crash.clone());
        let wall = self.clock.now().checked_add(self.skew).unwrap_or(self.clock.now());
        let clock = resumed(Clock::starting_at(wall), &self.journal);
        let database = |side| Arc::new(SimulatedDatabase::new(self.world.clone(), side, self.clock.clone(), self.crash.clone()));
        let aws = Aws::from_transport(&self.region, &http, &clock);
        Reconciler::start(aws, database(Side::Legacy), database(Side::Target), self.journal.clone(), clock, self.request.cadence)
    }

    /// A restarted process finds the machine's clock up to a minute off, as often as the profile says.
    fn next_skew(&mut self) -> SignedDuration {
        if self.request.profile.clock_steps == 0 {
            return SignedDuration::ZERO;
        }
        self.world().faults().count("clock_step");
        SignedDuration::from_secs(self.rng.i64(-50..=50))
    }

    /// Everybody but the controller reacts to what was published.
    fn follow(&mut self, status: &MigrationStatus) {
        self.timeline.note(status);
        let now = self.clock.now();
        if status.rung == Rung::Fence && self.request.scenario == Scenario::Abort && self.stalled == Stalled::Never {
            self.stalled = Stalled::Once;
            self.world().dms.stall(Direction::Forward, after(now, STALL));
            self.timeline.say(now, Who::World, "the forward stream stands still for a while");
        }
        self.count_attempt(status);
        if let Some(edit) = self.operator.consider(status, now) {
            self.timeline.say(now, Who::Operator, edit);
            if matches!(self.operator.file().spec.phase, Phase::CutOver | Phase::RolledBack) {
                self.rush_until(after(now, RUSH_GOES_ON));
            }
        }
        if is_about_to_switch(status) {
            self.rush_until(after(now, RUSH_GOES_ON));
        }
        if self.calm_at.is_some_and(|at| now >= at) {
            self.calm_at = None;
            self.world().rush(false);
        }
    }

    /// Customers hurry while a switch is under way, so that its pause is measured by payments and not by a quiet night.
    fn rush_until(&mut self, at: Timestamp) {
        if self.calm_at.replace(at).is_none() {
            self.world().rush(true);
        }
    }

    fn count_attempt(&mut self, status: &MigrationStatus) {
        let end = match (&self.journal.facts().latch, status.phase) {
            (Latch::Aborted { why, .. }, _) => format!("Aborted: {why}"),
            (Latch::RolledBack { .. }, _) => "RolledBack".to_owned(),
            (Latch::Free, Some(phase)) => phase.to_string(),
            (Latch::Free, None) => "nothing yet".to_owned(),
        };
        match self.attempts.last_mut() {
            Some(last) if last.attempt == status.attempt => last.end = end,
            _ => self.attempts.push(Attempt { attempt: status.attempt, end }),
        }
    }

    async fn rest(&mut self, report: &Report) {
        let now = self.clock.now();
        let mut pause = report.pause;
        for at in [self.operator.next_edit(), self.calm_at].into_iter().flatten() {
            pause = pause.min(elapsed(now, at).max(Duration::from_millis(1)));
        }
        if report.status.observed_generation != self.operator.generation() {
            // The file was just saved: the controller sees it at once.
            pause = Duration::from_millis(10);
        }
        self.clock.sleep(pause).await;
    }

    /// Faults off: the world is left alone for a day, and the controller must not find anything to do in it.
    async fn settle(&mut self) {
        self.crash.disarm();
        self.world().faults().quiet();
        self.world().rush(false);
        for number in 0..SETTLING_PASSES {
            let Some(report) = self.turn().await else { continue };
            let may_still_act = number < SETTLING_PASSES - PASSES_THAT_MUST_PLAN_NOTHING;
            if !report.deeds.is_empty() && !may_still_act {
                let deeds: Vec<String> = report.deeds.iter().map(|deed| deed.action.to_string()).collect();
                let at = self.clock.now();
                self.world().monitor.report("L1", at, format!("a settled world is changed: {}", deeds.join("; ")));
            }
            self.timeline.note(&report.status);
            self.clock.sleep(Duration::from_secs(8 * 3600)).await;
        }
    }

    fn tell(&mut self, tell: &mut dyn FnMut(&Moment)) {
        for moment in self.timeline.moments.iter().skip(self.told) {
            tell(moment);
        }
        self.told = self.timeline.moments.len();
    }

    fn conclude(self, begins: Timestamp, status: Option<MigrationStatus>, ended: bool, places: u64) -> Rehearsed {
        let now = self.clock.now();
        let authoritative = match self.request.scenario {
            Scenario::Forward | Scenario::Abort => Side::Target,
            Scenario::Rollback => Side::Legacy,
        };
        let outcome = match status.as_ref().and_then(|status| status.phase) {
            Some(phase) if ended => phase.to_string(),
            _ => "Stuck".to_owned(),
        };
        let report = {
            let mut world = self.world();
            world.advance(now);
            if !ended {
                world.monitor.report(
                    "L1",
                    now,
                    format!("the story never ended; last: {}", status.as_ref().map_or("", |status| &status.summary)),
                );
            }
            world.report(authoritative)
        };
        let verdict = Verdict {
            migration: self.name,
            scenario: self.request.scenario,
            seed: self.request.seed,
            faults: self.request.faults.clone(),
            outcome,
            phases: phases_reached(&self.journal),
            attempts: self.attempts,
            payments: report.payments,
            write_pause_seconds: report.write_pause_seconds,
            rollback_write_pause_seconds: report.rollback_write_pause_seconds,
            simulated_seconds: elapsed(begins, now).as_secs(),
            passes: self.passes,
            controller_starts: self.starts,
            aws_calls: report.aws_calls,
            faults_injected: report.faults_injected,
            violations: report.violations,
        };
        Rehearsed { verdict, timeline: self.timeline, places, status }
    }
}

/// Every phase as the journal has it, several at once if one look reached them.
fn phases_reached(journal: &Journal) -> Vec<PhaseEntry> {
    let mut phases = Vec::new();
    let mut after = 0;
    while let Ok(entries) = journal.history(after, HISTORY_PAGE) {
        let Some(last) = entries.last() else { break };
        after = last.seq.0;
        phases.extend(entries.iter().filter_map(|entry| match &entry.event {
            Event::Fact(Fact::Reached { phase }) => Some(PhaseEntry { phase: *phase, entered_at: entry.at }),
            _ => None,
        }));
    }
    phases
}

/// Whether the next look may close or open a fence.
fn is_about_to_switch(status: &MigrationStatus) -> bool {
    let switching = status.write_pause_began.is_some() || matches!(status.rung, Rung::Open | Rung::Flip);
    let returning = status.rung == Rung::RollbackOpen && status.phase != Some(Phase::RolledBack);
    let only_heartbeats = status.gates.iter().filter(|gate| !gate.standing.is_open()).all(|gate| gate.name.ends_with("Lag"));
    let asked = status.rung == Rung::RollbackArmed && status.wished_phase >= Phase::CutOver && only_heartbeats;
    switching || returning || asked
}

/// Enough to let the last foreign edits and async deletes come to rest, then to prove rest.
const SETTLING_PASSES: u32 = 8;
/// The last passes over the settled world, spread over a day.
const PASSES_THAT_MUST_PLAN_NOTHING: u32 = 3;
