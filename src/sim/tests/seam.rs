//! The databases as a controller reaches them.

use std::time::Duration;

use super::{LEGACY, Play, START, TARGET, flip, migration, world_with};
use crate::clock::Clock;
use crate::database::receipt::{Knock, KnockAnswer};
use crate::database::{AccountLock, Database, Epoch, Framework, IdFloor, MigrationsTable};
use crate::names::{Account, Side};
use crate::sim::SharedWorld;
use crate::sim::crash::CrashSwitch;
use crate::sim::database::seam::SimulatedDatabase;
use crate::sim::profile::FaultProfile;
use crate::spec::{Canary, CredentialsFrom};

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
        if view.open_transactions == 0 && view.accounts.iter().all(|account| account.lock.is_shut() && account.connections == 0) {
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
    assert!(view.accounts.iter().all(|account| !account.lock.is_shut()));
    assert_eq!(view.markers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_somebody_else_had_locked_stays_locked_when_the_fence_opens() {
    let (world, legacy, _) = seams(FaultProfile::calm());
    let accounts = migration().spec.legacy.database.all_accounts();
    let last = accounts.len() - 1;
    world.lock().expect("not poisoned").databases.legacy.accounts[last].lock = AccountLock::BySomebodyElse;
    for _ in 0..2 {
        legacy.close_fence(Epoch(1), &accounts).await.expect("closed, and closed again");
    }
    legacy.open_fence(Epoch(1), &accounts).await.expect("opened");
    let locks: Vec<AccountLock> = legacy.look().await.expect("a look").accounts.iter().map(|account| account.lock).collect();
    assert!(locks[..last].iter().all(|lock| *lock == AccountLock::Open), "{locks:?}");
    assert_eq!(locks[last], AccountLock::BySomebodyElse);
}

#[tokio::test(start_paused = true)]
async fn a_canary_s_login_is_tried_before_anything_is_fenced_and_a_missing_account_is_told() {
    let (world, legacy, _) = seams(FaultProfile::calm());
    let canary = migration().spec.legacy.database.application_accounts[0].clone();
    let credentials_from = CredentialsFrom::Env("PAYMENTS_LEGACY_APP".to_owned());
    let declared = Canary { account: canary.clone(), credentials_from, endpoints: Vec::new() };
    world.lock().expect("not poisoned").setting.migration.spec.legacy.database.canaries = vec![declared];
    let answers = async |legacy: &SimulatedDatabase| -> Vec<KnockAnswer> {
        let inspection = legacy.inspect().await.expect("an inspection");
        inspection.canaries.into_iter().map(|Knock { answer, .. }| answer).collect()
    };
    assert_eq!(answers(&legacy).await, [KnockAnswer::LetIn]);
    legacy.close_fence(Epoch(1), std::slice::from_ref(&canary)).await.expect("it closes");
    assert_eq!(answers(&legacy).await, [KnockAnswer::Refused { code: "3118".to_owned() }]);
    world.lock().expect("not poisoned").databases.legacy.accounts.retain(|known| known.account != canary);
    assert!(matches!(answers(&legacy).await[..], [KnockAnswer::Inconclusive { .. }]));
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

#[tokio::test(start_paused = true)]
async fn a_table_that_nobody_created_is_missing_to_every_eye_and_both_sides_are_alike_otherwise() {
    let (world, legacy, target) = seams(FaultProfile::calm());
    let structure = async |seam: &SimulatedDatabase| seam.structure().await.expect("a structure");
    assert_eq!(structure(&legacy).await, structure(&target).await);
    let missing = world.lock().expect("not poisoned").setting.tables[3].clone();
    world.lock().expect("not poisoned").databases.target.missing.insert(missing.clone());
    assert!(legacy.look().await.expect("a look").tables.contains(&missing));
    assert!(!target.look().await.expect("a look").tables.contains(&missing));
    let (there, here) = (structure(&legacy).await, structure(&target).await);
    assert_eq!((there.table_count(), here.table_count()), (8, 7));
    assert!(
        there.tables().any(|(_, name, _)| *name == missing.table) && !here.tables().any(|(_, name, _)| *name == missing.table)
    );
    let table = MigrationsTable { framework: Framework::Laravel, schema: missing.schema, table: None };
    let (ran, lacks) = (legacy.migrations(&table).await.expect("a list"), target.migrations(&table).await.expect("a list"));
    assert_eq!(ran.difference(&lacks).collect::<Vec<_>>(), [&format!("create_{}_table", missing.table)]);
}

/// Closes a fence as a controller does: until a look proves it.
async fn fence(seam: &SimulatedDatabase, accounts: &[Account]) {
    for _ in 0..50 {
        seam.close_fence(Epoch(1), accounts).await.expect("the fence closes");
        let view = seam.look().await.expect("a look");
        if view.open_transactions == 0 && view.accounts.iter().all(|account| account.lock.is_shut() && account.connections == 0) {
            return;
        }
    }
    panic!("the fence never closed");
}

#[tokio::test(start_paused = true)]
async fn a_cutover_in_a_rush_with_long_transactions_loses_nothing() {
    for seed in 0..8 {
        let mut play = Play::new(FaultProfile { long_transaction: 1.0, ..FaultProfile::calm() }, seed);
        play.fence(Side::Target);
        play.replicate();
        play.arm();
        play.world.rush(true);
        play.wait(30);
        let clock = Clock::starting_at(play.world.now());
        let world = play.world.shared();
        let seam = |side| SimulatedDatabase::new(world.clone(), side, clock.clone(), CrashSwitch::never());
        let (legacy, target) = (seam(Side::Legacy), seam(Side::Target));
        let accounts = migration().spec.legacy.database.all_accounts();
        fence(&legacy, &accounts).await;
        let marker = "payments/1/drain".into();
        legacy.write_marker(Epoch(1), &marker).await.expect("a marker");
        while !target.look().await.expect("a look").markers.contains(&marker) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let given = legacy.id_space().await.expect("numbers").counters;
        let floors: Vec<IdFloor> = given.into_iter().map(|(table, counter)| IdFloor { table, next: counter.next }).collect();
        target.raise_ids(Epoch(1), &floors).await.expect("they are raised");
        target.open_fence(Epoch(1), &accounts).await.expect("it opens");
        {
            let mut world = world.lock().expect("not poisoned");
            flip(&mut world, (LEGACY, 3600), (TARGET, 60));
            world.rush(false);
        }
        tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
        target.look().await.expect("a look");
        let report = world.lock().expect("not poisoned").report(Side::Target);
        assert_eq!((report.payments.lost, report.payments.duplicated), (0, 0), "seed {seed}");
        assert_eq!(report.violations, [], "seed {seed}");
        assert!(report.payments.refused > 0, "customers met the fence");
    }
}
