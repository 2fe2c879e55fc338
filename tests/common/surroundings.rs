//! One migration in a calm stand-in world, with all that a controller needs to be started in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bascule::aws::Aws;
use bascule::clock::Clock;
use bascule::engine::cadence::Cadence;
use bascule::engine::reconcile::{Reconciler, Wish};
use bascule::engine::surroundings::{Equipment, Sides};
use bascule::journal::Journal;
use bascule::names::region_of;
use bascule::sim::crash::CrashSwitch;
use bascule::sim::profile::FaultProfile;
use bascule::sim::setting::Setting;
use bascule::sim::wire::connector::transport_that_crashes;
use bascule::sim::{SharedWorld, World};
use bascule::spec::Migration;

/// The world, and what a controller needs to be started in it.
pub struct Surroundings {
    pub world: SharedWorld,
    pub clock: Clock,
    pub crash: CrashSwitch,
    pub journal: Arc<Journal>,
    /// The file as it stands.
    pub migration: Migration,
}

impl Surroundings {
    /// Before the first pass. To be set inside the runtime, whose paused time its clock follows.
    pub fn of(migration: Migration, begins: &str, seed: u64) -> Self {
        fastrand::seed(seed);
        let clock = Clock::starting_at(begins.parse().expect("a time"));
        let world = World::new(&migration, Setting::of(&migration), FaultProfile::calm(), seed, clock.now());
        let journal = Journal::in_memory(migration.name()).expect("a journal in memory");
        Self { world: Arc::new(Mutex::new(world)), clock, crash: CrashSwitch::never(), journal: Arc::new(journal), migration }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account's clients.
    pub fn aws(&self) -> Aws {
        let http = transport_that_crashes(self.world.clone(), self.clock.clone(), self.crash.clone());
        let region = region_of(self.migration.spec.replication.instance_arn.as_str()).expect("an ARN has a region");
        Aws::from_transport(region, &http, &self.clock)
    }

    pub fn equipment(&self) -> Equipment {
        let sides = Sides::simulated(&self.world, &self.crash, &self.clock, &self.clock);
        Equipment::in_world(&self.world, self.aws(), sides, &self.crash, &self.clock, &self.clock)
    }

    /// A new process, with nothing but the journal.
    pub fn controller(&self, cadence: Cadence) -> Reconciler {
        Reconciler::start(self.equipment(), self.journal.clone(), self.clock.clone(), cadence)
    }

    pub fn wish(&self) -> Wish {
        Wish { migration: Arc::new(self.migration.clone()), generation: 1, source: None, refused: None }
    }
}

/// The SDK's futures, not optimised, are too large for a test's two megabytes of stack.
const STACK_BYTES: usize = 64 << 20;

/// Plays a story whose waiting takes no time.
pub fn in_virtual_time<T: Send + 'static, F: Future<Output = T>>(play: impl FnOnce() -> F + Send + 'static) -> T {
    let play = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(play())
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(play).expect("a thread");
    match thread.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
