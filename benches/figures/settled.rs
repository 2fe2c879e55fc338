//! What migrations that are as wished cost the account, in an hour of virtual time.

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
use futures_util::future::join_all;

use super::{PAYMENTS, migration, say};

const HOUR: Duration = Duration::from_secs(3600);

/// Counts the calls of `count` settled migrations of one account. They begin one after the other, as they would in life, so
/// that they do not share their reads by marching in step.
pub fn calls_an_hour(count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (calls, mutations) = runtime.block_on(async {
        let clock = Clock::starting_at("2026-03-02T09:00:00Z".parse().expect("a time"));
        let payments = migration(PAYMENTS);
        let world = World::new(&payments, Setting::of(&payments), FaultProfile::calm(), 1, clock.now());
        let world: SharedWorld = Arc::new(Mutex::new(world));
        let aws = Aws::from_transport("eu-west-1", &transport(world.clone(), clock.clone()), &clock);
        join_all((0..count).map(|number| keep(number, &world, &aws, &clock))).await;
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        (world.faults().calls.clone(), world.faults().mutations.len())
    });
    assert_eq!(mutations, 0, "a settled migration is only looked at");
    let all: u64 = calls.values().sum();
    let by_service: Vec<String> = calls.iter().map(|(service, calls)| format!("{service} {calls}")).collect();
    let figure = format!("{:.0} each, 0 of them mutating ({})", all as f64 / count as f64, by_service.join(", "));
    say(&format!("AWS calls in an hour, {count} settled migrations of one account"), &figure);
}

async fn keep(number: usize, world: &SharedWorld, aws: &Aws, clock: &Clock) {
    let migration = migration(
        &PAYMENTS
            .replace("identifier: payments-", &format!("identifier: payments-{number}-"))
            .replace("shadow-pay", &format!("shadow-{number}-pay")),
    );
    let journal = Arc::new(Journal::in_memory(migration.name()).expect("a journal"));
    let sides = Sides::simulated(world, &CrashSwitch::never(), clock, clock);
    let equipment = Equipment::in_world(world, aws.clone(), sides, &CrashSwitch::never(), clock, clock);
    let mut reconciler = Reconciler::start(equipment, journal, clock.clone(), Cadence::production());
    let wish = Wish { migration: Arc::new(migration), generation: 1, refused: None };
    clock.sleep(Duration::from_millis(617) * u32::try_from(number).expect("a small number")).await;
    let end = after(clock.now(), HOUR);
    while clock.now() < end {
        let report = reconciler.pass(&wish).await;
        clock.sleep(report.pause).await;
    }
}
