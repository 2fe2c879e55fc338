//! What migrations that are as wished cost the account, in an hour of virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bascule::aws::Aws;
use bascule::clock::{Clock, after};
use bascule::engine::cadence::Cadence;
use bascule::engine::reconcile::{Reconciler, Wish};
use bascule::engine::surroundings::{Equipment, Sides};
use bascule::journal::Journal;
use bascule::sim::crash::CrashSwitch;
use bascule::sim::profile::FaultProfile;
use bascule::sim::setting::Setting;
use bascule::sim::wire::Cloud;
use bascule::sim::wire::connector::transport;
use bascule::sim::{SharedWorld, World};
use bascule::spec::{Checks, Phase};
use futures_util::future::join_all;

use super::{PAYMENTS, migration, say};

const HOUR: Duration = Duration::from_secs(3600);

/// A settled migration that has not come to rest after so many passes never will.
const PASSES: usize = 10_000;

/// Counts the calls of `count` migrations of one account that rest at `phase`. They begin one after the other, as they would in
/// life, so that they do not share their reads by marching in step.
///
/// Beyond Preflight there can be one only: this world has one public name and one set of tables.
pub fn calls_an_hour(count: usize, phase: Phase) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (calls, mutations) = runtime.block_on(async {
        let clock = Clock::starting_at("2026-03-02T09:00:00Z".parse().expect("a time"));
        let payments = migration(PAYMENTS);
        let world = World::new(&payments, Setting::of(&payments), FaultProfile::calm(), 1, clock.now());
        let world: SharedWorld = Arc::new(Mutex::new(world));
        let aws = Aws::from_transport("eu-west-1", &transport(world.clone(), clock.clone()), &clock);
        let mut kept: Vec<Kept> = (0..count).map(|number| Kept::begin(number, phase, &world, &aws, &clock)).collect();
        join_all(kept.iter_mut().map(Kept::settle)).await;
        let before = received(&world);
        join_all(kept.iter_mut().map(Kept::keep)).await;
        let after = received(&world);
        let calls = after.0.into_iter().map(|(service, calls)| {
            let before = before.0.get(&service).copied().unwrap_or(0);
            (service, calls - before)
        });
        (calls.collect::<BTreeMap<_, _>>(), after.1 - before.1)
    });
    assert_eq!(mutations, 0, "a settled migration is only looked at");
    let all: u64 = calls.values().sum();
    let by_service: Vec<String> = calls.iter().map(|(service, calls)| format!("{service} {calls}")).collect();
    let figure = format!("{:.0} each, {mutations} of them mutating ({})", all as f64 / count as f64, by_service.join(", "));
    say(&format!("AWS calls in an hour, {count} settled at {phase}, one account"), &figure);
}

/// The calls that each service has received, and how many of all were mutating.
fn received(world: &SharedWorld) -> (BTreeMap<String, u64>, usize) {
    let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
    (world.faults().calls.clone(), world.faults().mutations.len())
}

/// One migration and who keeps it.
struct Kept {
    number: u32,
    reconciler: Reconciler,
    wish: Wish,
}

impl Kept {
    fn begin(number: usize, phase: Phase, world: &SharedWorld, aws: &Aws, clock: &Clock) -> Self {
        let mut migration = migration(
            &PAYMENTS
                .replace("identifier: payments-", &format!("identifier: payments-{number}-"))
                .replace("shadow-pay", &format!("shadow-{number}-pay")),
        );
        // There is one world for all of them, and it answers the pages of one.
        migration.spec.checks = Checks::default();
        migration.spec.phase = phase;
        let journal = Arc::new(Journal::in_memory(migration.name()).expect("a journal"));
        let sides = Sides::simulated(world, &CrashSwitch::never(), clock, clock);
        let equipment = Equipment::in_world(world, aws.clone(), sides, &CrashSwitch::never(), clock, clock);
        let reconciler = Reconciler::start(equipment, journal, clock.clone(), Cadence::production());
        let number = u32::try_from(number).expect("a small number");
        Self { number, reconciler, wish: Wish { migration: Arc::new(migration), generation: 1, source: None, refused: None } }
    }

    /// Until the wished phase is reached and nothing is left to do.
    async fn settle(&mut self) {
        let clock = self.reconciler.clock.clone();
        clock.sleep(Duration::from_millis(617) * self.number).await;
        for _ in 0..PASSES {
            let report = self.reconciler.pass(&self.wish).await;
            clock.sleep(report.pause).await;
            if report.status.phase == Some(self.wish.migration.spec.phase) && report.plan.is_idle() {
                return;
            }
        }
        panic!("{} never came to rest", self.wish.migration.spec.phase);
    }

    /// For an hour.
    async fn keep(&mut self) {
        let clock = self.reconciler.clock.clone();
        clock.sleep(Duration::from_millis(617) * self.number).await;
        let end = after(clock.now(), HOUR);
        while clock.now() < end {
            let report = self.reconciler.pass(&self.wish).await;
            clock.sleep(report.pause).await;
        }
    }
}
