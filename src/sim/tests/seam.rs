//! The databases as a controller reaches them.

use std::time::Duration;

use super::{START, migration, world_with};
use crate::clock::Clock;
use crate::database::{Database, Epoch};
use crate::names::Side;
use crate::sim::SharedWorld;
use crate::sim::crash::CrashSwitch;
use crate::sim::database::seam::SimulatedDatabase;
use crate::sim::profile::FaultProfile;

/// Both seams of one shared world.
fn seams(profile: FaultProfile) -> (SharedWorld, SimulatedDatabase, SimulatedDatabase) {
    let world = world_with(profile, 5).shared();
    let clock = Clock::starting_at(START.parse().expect("a timestamp"));
    let seam = |side| SimulatedDatabase::new(world.clone(), side, clock.clone(), CrashSwitch::never());
    let (legacy, target) = (seam(Side::Legacy), seam(Side::Target));
    (world, legacy, target)
}

#[tokio::test(start_paused = true)]
async fn a_closed_fence_lets_no_commit_follow() {
    let (world, legacy, _) = seams(FaultProfile { long_transaction: 1.0, ..FaultProfile::calm() });
    let accounts = migration().spec.legacy.database.all_accounts();
    world.lock().expect("not poisoned").rush(true);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut held = 0;
    let closed = loop {
        legacy.close_fence(Epoch(1), &accounts).await.expect("the fence closes");
        let view = legacy.look().await.expect("a look");
        if view.open_transactions == 0 && view.accounts.iter().all(|account| account.locked && account.connections == 0) {
            break view;
        }
        held += 1;
        assert!(held < 20, "the long transaction ends");
    };
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later = legacy.look().await.expect("a look");
    assert_eq!(later.position, closed.position, "nothing was committed behind the fence");
    legacy.open_fence(Epoch(1), &accounts).await.expect("it opens");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_ne!(legacy.look().await.expect("a look").position, closed.position, "customers are back");
}

#[tokio::test(start_paused = true)]
async fn a_stale_controller_is_refused_and_changes_nothing() {
    let (_, legacy, _) = seams(FaultProfile::calm());
    let accounts = migration().spec.legacy.database.all_accounts();
    legacy.write_marker(Epoch(2), &"m".into()).await.expect("the newer one writes");
    let refused = legacy.close_fence(Epoch(1), &accounts).await.expect_err("the older one is refused");
    assert!(matches!(refused.problem, crate::fault::Problem::Superseded { ours: 1, theirs: 2 }), "{refused}");
    let view = legacy.look().await.expect("a look");
    assert!(view.accounts.iter().all(|account| !account.locked));
    assert_eq!(view.markers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_ambiguous() {
    let (world, legacy, _) = seams(FaultProfile { database_error: 1.0, ..FaultProfile::calm() });
    let mut applied = 0;
    for number in 0..20 {
        let fault = legacy.write_marker(Epoch(1), &format!("m{number}").into()).await.expect_err("it breaks");
        assert!(matches!(fault.problem, crate::fault::Problem::Ambiguous { .. }));
        applied = world.lock().expect("not poisoned").databases.legacy.markers.len();
    }
    assert!((1..20).contains(&applied), "some were applied: {applied}");
}
