//! One rehearsal: the world, the controller, the operator, and what happens when the controller is killed.

mod announced;
mod conclusion;

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};

use self::announced::Announced;
use super::kills::Killer;
pub use super::kills::{Kill, Killed};
use super::operator::{Operator, Scenario};
use super::story::Story;
use super::timeline::{Moment, Timeline, Who};
use super::verdict::{Attempt, Verdict};
use crate::aws::Aws;
use crate::clock::{Busy, Clock, after, elapsed};
use crate::engine::cadence::Cadence;
use crate::engine::keeper::resumed;
use crate::engine::reconcile::{Reconciler, Report, Wish};
use crate::engine::surroundings::{Equipment, Sides};
use crate::journal::{Journal, JournalPlace};
use crate::lab::bridge::Mishap;
use crate::lab::customers::Hours;
use crate::lab::{Lab, LabError};
use crate::migration::facts::Latch;
use crate::migration::gates::Gate;
use crate::migration::ladder::Rung;
use crate::migration::plan::GateReport;
use crate::migration::status::MigrationStatus;
use crate::names::{Direction, Side, region_of};
use crate::sim::crash::{ControllerCrash, CrashSwitch, Place};
use crate::sim::profile::FaultProfile;
use crate::sim::setting::Setting;
use crate::sim::wire::Cloud;
use crate::sim::wire::connector::transport_that_crashes;
use crate::sim::{SharedWorld, World};
use crate::spec::{Migration, Period, Phase};

/// A Monday morning. The year is the seed story's.
const BEGINS: &str = "2026-03-02T09:00:00Z";

/// A Friday: the usual maintenance window is at the weekend, and a week of waiting for it is nothing that real servers prove.
const LAB_BEGINS: &str = "2026-03-06T09:00:00Z";

/// A story that has not ended by then never will.
const LONGEST: Duration = Duration::from_secs(120 * 24 * 3600);

/// A killed controller is started again by its supervisor after about a second.
const RESTART: Duration = Duration::from_millis(1_000);

/// The same in a lab, where it takes real time, also from the write pause.
const LAB_RESTART: Duration = Duration::from_millis(100);

/// How long the rush goes on after a switch.
const RUSH_GOES_ON: Duration = Duration::from_secs(120);

/// How long the forward stream stands still in the abort scenario: longer than any sensible budget.
const STALL: Duration = Duration::from_secs(15 * 60);

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
    /// What happens to real servers and what is on them, each when its rung is first stood on.
    pub mishaps: Vec<(Rung, Mishap)>,
    /// How often the controller looks.
    pub cadence: Cadence,
}

impl Request {
    /// A story under a profile.
    pub fn new(scenario: Scenario, faults: &str, profile: FaultProfile, seed: u64) -> Self {
        Self {
            scenario,
            faults: faults.to_owned(),
            profile,
            seed,
            kill: Kill::ByProfile,
            mishaps: Vec::new(),
            cadence: Cadence::rehearsal(),
        }
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
    /// Every death of the controller.
    pub killed: Vec<Killed>,
    /// The status published last.
    pub status: Option<MigrationStatus>,
    /// What was made durable.
    pub journal: Arc<Journal>,
}

/// Rehearses, telling each moment as it happens.
pub fn rehearse(migration: &Migration, request: &Request, tell: &mut dyn FnMut(&Moment)) -> Rehearsed {
    // The SDK draws request ids and jitter from this thread's generator.
    fastrand::seed(request.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    match runtime {
        // The stage is set inside the runtime, so that its clock starts on the paused time and not beside it.
        Ok(runtime) => runtime
            .block_on(async { Stage::set(migration, request).play(tell).await })
            .unwrap_or_else(|error| panic!("no lab, and yet: {error}")),
        Err(error) => panic!("the operating system refuses a single-threaded runtime: {error}"),
    }
}

/// Rehearses on two real servers, in scaled time: what a person would wait for takes a moment, what a customer would wait for
/// takes as long as it takes.
///
/// # Errors
/// The lab cannot be had, or has died.
pub fn rehearse_on_servers(
    migration: &Migration,
    request: &Request,
    tell: &mut dyn FnMut(&Moment),
) -> Result<Rehearsed, LabError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(LAB_THREADS).enable_all().build()?;
    // While real customers wait, the controller looks as often as in production.
    let cadence = Cadence { paused: Cadence::production().paused, ..request.cadence };
    let request = &Request { cadence, ..request.clone() };
    runtime.block_on(async {
        let begins: Timestamp = LAB_BEGINS.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Clock::scaled(begins, LAB_SCALE);
        // Setting servers up is no part of the story, and takes its own time.
        let settling = clock.busy();
        let budget = (request.scenario == Scenario::Abort).then_some(ABORTED_PAUSE);
        let lab = Lab::open(migration, &clock, request.seed, budget).await?;
        drop(settling);
        let migration = lab.spec.migration.clone();
        let mut stage = Stage::around(&migration, request, clock, Arc::clone(&lab.world));
        stage.lab = Some(lab);
        // Whoever interrupts it leaves no server behind: they go with the stage.
        tokio::select! {
            played = stage.play(tell) => played,
            () = interrupted() => Err(LabError::Interrupted),
        }
    })
}

/// Ends with the first signal that asks this process to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// Customers, movers, the bridge and the controller beside each other, however few processors there are.
const LAB_THREADS: usize = 4;
/// Two weeks of waiting in half a minute.
const LAB_SCALE: u32 = 40_000;
/// The budget of a pause that a story has to outlast: long enough for a slow machine's cutover, short enough to wait for.
const ABORTED_PAUSE: Period = Period::from_secs(8);
/// How long the forward stream of a lab stands still in the abort scenario: longer than that budget, though nobody wants to
/// wait for it in real time afterwards.
const LAB_STALL: Duration = Duration::from_secs(30);
/// Shorter rests than this are taken in real time: somebody waits for the next look. Longer ones are while nobody does.
const SHORT_REST: Duration = Duration::from_millis(200);

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
    killer: Killer,
    /// What has not happened yet.
    mishaps: Vec<(Rung, Mishap)>,
    journal: Arc<Journal>,
    /// Which calls the journal knew of beforehand.
    announced: Announced,
    operator: Operator,
    controller: Option<Reconciler>,
    rng: fastrand::Rng,
    timeline: Timeline,
    told: usize,
    passes: u64,
    starts: u64,
    attempts: Vec<Attempt>,
    calm_at: Option<Timestamp>,
    struck: Struck,
    /// What goes wrong as it did before, in the scenario of that name.
    story: Option<Story>,
    /// Real servers, if there are any.
    lab: Option<Lab>,
    /// Everything but a long rest takes as long as it takes.
    thinking: Option<Busy>,
    /// While a switch is under way, time is real.
    switching: Option<Busy>,
}

/// Whether what a story is about has gone wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Struck {
    Never,
    Once,
}

impl<'a> Stage<'a> {
    fn set(migration: &Migration, request: &'a Request) -> Self {
        let begins: Timestamp = BEGINS.parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Clock::starting_at(begins);
        // The world's seed is the first that the request's generator draws.
        let seed = fastrand::Rng::with_seed(request.seed).u64(..);
        let world = World::new(migration, Setting::of(migration), request.profile.clone(), seed, begins);
        Self::around(migration, request, clock, world.shared())
    }

    /// The stage around a world.
    fn around(migration: &Migration, request: &'a Request, clock: Clock, world: SharedWorld) -> Self {
        let mut rng = fastrand::Rng::with_seed(request.seed);
        rng.u64(..);
        let budget = migration.spec.cutover.write_pause_budget.duration();
        world.lock().unwrap_or_else(PoisonError::into_inner).monitor.note_pause_budget(budget);
        let crash = match request.kill {
            Kill::ByProfile => CrashSwitch::with_chance(request.profile.controller_crash, rng.fork()),
            Kill::AtPlace(number) => CrashSwitch::armed_for(number),
            Kill::Every { first, step } => CrashSwitch::at_every(first, step),
            Kill::OnEveryRung { .. } => CrashSwitch::never(),
        };
        let killer = Killer::new(request.kill, fastrand::Rng::with_seed(request.seed));
        let (story, file) = match request.scenario {
            Scenario::Story => {
                let (story, before) = Story::of(migration);
                story.befall(&mut world.lock().unwrap_or_else(PoisonError::into_inner));
                (Some(story), before)
            }
            Scenario::Forward | Scenario::Rollback | Scenario::Forced | Scenario::Abort => (None, migration.clone()),
        };
        let operator = Operator::new(request.scenario, &file, rng.fork());
        let journal = Journal::in_memory(migration.name()).unwrap_or_else(|error| panic!("a journal in memory: {error}"));
        let announced = Announced::default();
        let (hook, watch, watched) = (crash.clone(), announced.clone(), Arc::clone(&world));
        journal.set_crash_hook(Box::new(move |place| {
            watch.pass(place, || watched.lock().unwrap_or_else(PoisonError::into_inner).faults().mutations.len());
            hook.place(match place {
                JournalPlace::Before(_) => Place::BeforeJournal,
                JournalPlace::After(_) => Place::AfterJournal,
            });
        }));
        Self {
            request,
            name: migration.name().to_string(),
            region: region_of(migration.spec.replication.instance_arn.as_str()).unwrap_or("eu-west-1").to_owned(),
            thinking: Some(clock.busy()),
            clock,
            skew: SignedDuration::ZERO,
            world,
            crash,
            killer,
            mishaps: request.mishaps.clone(),
            journal: Arc::new(journal),
            announced,
            operator,
            controller: None,
            rng,
            timeline: Timeline::default(),
            told: 0,
            passes: 0,
            starts: 0,
            attempts: Vec::new(),
            calm_at: None,
            struck: Struck::Never,
            story,
            lab: None,
            switching: None,
        }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn play(mut self, tell: &mut dyn FnMut(&Moment)) -> Result<Rehearsed, LabError> {
        let begins = self.clock.now();
        let mut last: Option<MigrationStatus> = None;
        while elapsed(begins, self.clock.now()) < LONGEST && !self.operator.is_at_wits_end() {
            let Some(report) = self.turn().await else { continue };
            self.follow(&report.status);
            self.let_the_lab_follow(&report.status).await?;
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
        let lab = match self.lab.take() {
            Some(lab) => Some(lab.close(self.authoritative()).await?),
            None => None,
        };
        Ok(self.conclude(begins, last, ended, places, lab))
    }

    /// Where payments must be at the end.
    const fn authoritative(&self) -> Side {
        match self.request.scenario {
            Scenario::Forward | Scenario::Abort | Scenario::Story => Side::Target,
            Scenario::Rollback | Scenario::Forced => Side::Legacy,
        }
    }

    /// Time is real from the wish for a switch until customers are served again; and before the way back is given up, the
    /// shop closes, so that both sides can be compared row by row.
    async fn let_the_lab_follow(&mut self, status: &MigrationStatus) -> Result<(), LabError> {
        let Some(lab) = &mut self.lab else { return Ok(()) };
        let served_by = lab.switches().last().map_or(Side::Legacy, |switch| switch.to);
        let wished = self.operator.file().spec.phase;
        let switches = match (wished, served_by) {
            (Phase::CutOver, Side::Legacy) | (Phase::RolledBack, Side::Target) => is_about_to_switch(status),
            _ => status.write_pause_began.is_some(),
        };
        match (switches, &self.switching) {
            (true, None) => self.switching = Some(self.clock.busy()),
            (false, Some(_)) => self.switching = None,
            (true, Some(_)) | (false, None) => {}
        }
        if wished == Phase::Completed {
            let _waiting = self.clock.busy();
            lab.close_the_shop().await?;
        }
        Ok(())
    }

    /// One pass, unless the controller is killed in it.
    async fn turn(&mut self) -> Option<Report> {
        let rung = self.journal.facts().rung;
        self.killer.aim(&self.crash, rung);
        self.let_it_happen(rung);
        let wish = Wish {
            migration: Arc::new(self.operator.file().clone()),
            generation: self.operator.generation(),
            source: None,
            refused: None,
        };
        match AssertUnwindSafe(Box::pin(self.pass(&wish))).catch_unwind().await {
            Ok(report) => {
                self.passes += 1;
                Some(report)
            }
            Err(payload) => match payload.downcast::<ControllerCrash>() {
                Ok(crash) => {
                    self.controller = None;
                    self.killer.note(*crash, self.journal.facts().rung);
                    let what = format!("kills the controller at {:?}", crash.place);
                    self.timeline.say(self.clock.now(), Who::World, what);
                    self.skew = self.next_skew();
                    let down = if self.lab.is_some() { LAB_RESTART } else { RESTART };
                    self.clock.sleep(down).await;
                    self.world().monitor.note_controller_down(down);
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
        let clock = match &self.lab {
            // There is one scaled time, and everybody's work slows it down.
            Some(_) => self.clock.clone(),
            None => resumed(Clock::starting_at(wall), &self.journal),
        };
        let aws = Aws::from_transport(&self.region, &http, &clock);
        let equipment = Equipment::in_world(&self.world, aws, self.sides(&clock), &self.crash, &self.clock, &clock);
        Reconciler::start(equipment, self.journal.clone(), clock, self.request.cadence)
    }

    /// Both databases as the controller reaches them: in a lab they are real, and everything else is not.
    fn sides(&self, clock: &Clock) -> Sides {
        match &self.lab {
            None => Sides::simulated(&self.world, &self.crash, &self.clock, clock),
            Some(lab) => {
                let database = |side| Arc::new(lab.database(side, clock, self.crash.clone()));
                let (comparer, exporter) = (Arc::new(lab.comparer(clock)), Arc::new(lab.exporter(clock)));
                Sides { legacy: database(Side::Legacy), target: database(Side::Target), comparer, exporter }
            }
        }
    }

    /// A restarted process finds the machine's clock up to a minute off, as often as the profile says.
    fn next_skew(&mut self) -> SignedDuration {
        if self.request.profile.clock_steps == 0 {
            return SignedDuration::ZERO;
        }
        self.world().faults().count("clock_step");
        SignedDuration::from_secs(self.rng.i64(-50..=50))
    }

    /// What is due on this rung happens to the lab, and its customers hurry as soon as a switch may come.
    fn let_it_happen(&mut self, rung: Rung) {
        let Some(lab) = &mut self.lab else { return };
        let may_switch = self.journal.facts().reached.contains_key(&Phase::RollbackArmed);
        lab.turn(if may_switch { Hours::Rush } else { Hours::Quiet });
        let due = self.mishaps.extract_if(.., |(at, _)| *at == rung);
        for (_, mishap) in due {
            lab.happen(mishap);
            self.timeline.say(self.clock.now(), Who::World, mishap.to_string());
        }
    }

    /// Everybody but the controller reacts to what was published.
    fn follow(&mut self, status: &MigrationStatus) {
        self.timeline.note(status);
        let now = self.clock.now();
        self.strike(status.rung, now);
        self.count_attempt(status);
        self.learn(status);
        if let Some(edit) = self.operator.consider(status, now) {
            self.timeline.say(now, Who::Operator, edit);
            if self.operator.file().spec.rollback.forced.is_some() {
                self.world().monitor.note_loss_accepted();
            }
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

    /// What goes wrong in a story whose point that is, once, on its rung.
    fn strike(&mut self, rung: Rung, now: Timestamp) {
        let what = match (self.struck, self.request.scenario, rung) {
            (Struck::Never, Scenario::Abort, Rung::Fence) => {
                let until = after(now, if self.lab.is_some() { LAB_STALL } else { STALL });
                match &mut self.lab {
                    Some(lab) => lab.happen(Mishap::Stall(Direction::Forward, until)),
                    None => self.world().dms.stall(Direction::Forward, until),
                }
                "the forward stream stands still for a while"
            }
            (Struck::Never, Scenario::Forced, Rung::Observing) => {
                self.world().dms.cut_off(Direction::Reverse);
                "reverse replication loses its account on legacy, for good"
            }
            _ => return,
        };
        self.struck = Struck::Once;
        self.timeline.say(now, Who::World, what);
    }

    /// Somebody reads the status, and mends what it says is wrong.
    fn learn(&mut self, status: &MigrationStatus) {
        let Some(story) = &mut self.story else { return };
        let (now, mut said) = (self.clock.now(), Vec::new());
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        self.operator.amend(|file| said = story.follow(status, now, &mut world, file));
        for sentence in said {
            self.timeline.say(now, Who::Operator, sentence);
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
        let mended_at = self.story.as_ref().and_then(Story::next_due);
        for at in [self.operator.next_edit(), self.calm_at, mended_at].into_iter().flatten() {
            pause = pause.min(elapsed(now, at).max(Duration::from_millis(1)));
        }
        if report.status.observed_generation != self.operator.generation() {
            // The file was just saved: the controller sees it at once.
            pause = Duration::from_millis(10);
        }
        if pause > SHORT_REST {
            self.thinking = None;
        }
        match &self.controller {
            Some(controller) => tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = controller.woken() => {}
            },
            None => self.clock.sleep(pause).await,
        }
        self.thinking = Some(self.clock.busy());
    }

    /// A rest in which nobody waits for anything.
    async fn rest_for(&mut self, pause: Duration) {
        (self.thinking, self.switching) = (None, None);
        self.clock.sleep(pause).await;
        self.thinking = Some(self.clock.busy());
    }

    /// Faults off: the world is left alone for a day, and the controller must not find anything to do in it.
    async fn settle(&mut self) {
        self.killer.rest(&self.crash);
        self.world().faults().quiet();
        self.world().rush(false);
        let passes = if self.lab.is_some() { PASSES_THAT_MUST_PLAN_NOTHING + 1 } else { SETTLING_PASSES };
        for number in 0..passes {
            let Some(report) = self.turn().await else { continue };
            let may_still_act = number < passes - PASSES_THAT_MUST_PLAN_NOTHING;
            if !report.deeds.is_empty() && !may_still_act {
                let deeds: Vec<String> = report.deeds.iter().map(|deed| deed.action.to_string()).collect();
                let at = self.clock.now();
                self.world().monitor.report("L1", at, format!("a settled world is changed: {}", deeds.join("; ")));
            }
            self.timeline.note(&report.status);
            self.rest_for(Duration::from_secs(8 * 3600)).await;
        }
    }

    fn tell(&mut self, tell: &mut dyn FnMut(&Moment)) {
        for moment in self.timeline.moments.iter().skip(self.told) {
            tell(moment);
        }
        self.told = self.timeline.moments.len();
    }
}

/// Whether the next look may close or open a fence.
fn is_about_to_switch(status: &MigrationStatus) -> bool {
    let switching = status.write_pause_began.is_some() || matches!(status.rung, Rung::Open | Rung::Flip);
    let returning = status.rung == Rung::RollbackOpen && status.phase != Some(Phase::RolledBack);
    // A heartbeat crosses by itself, and a hook is called once everything else holds.
    let is_about_to_open = |gate: &GateReport| gate.name.ends_with("Lag") || gate.name == Gate::HooksBeforeFence.name();
    let nearly = status.gates.iter().filter(|gate| !gate.standing.is_open()).all(is_about_to_open);
    let asked = status.rung == Rung::RollbackArmed && status.wished_phase >= Phase::CutOver && nearly;
    switching || returning || asked
}

/// Enough to let the last foreign edits and async deletes come to rest, then to prove rest.
const SETTLING_PASSES: u32 = 8;
/// The last passes over the settled world, spread over a day.
const PASSES_THAT_MUST_PLAN_NOTHING: u32 = 3;
