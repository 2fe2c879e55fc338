//! A cutover by hand: lock, kill, wait, marker, stop, open, flip, and nothing else. No proof, no journal, no way back: what a
//! careful controller is compared with.

use std::time::Duration;

use bascule::clock::Clock;
use bascule::lab::Lab;
use bascule::lab::server::Server;
use bascule::mysql::connect::connect;
use bascule::names::Side;
use bascule::sim::SharedWorld;
use bascule::sim::route53::Record;
use bascule::sim::wire::Cloud;
use bascule::spec::Migration;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{Moving, forward, unlocked};

/// As a rehearsal's lab.
const SCALE: u32 = 40_000;

/// The old TTL of an hour has run out by then, and the new one is everywhere.
const OLD_TTL: Duration = Duration::from_secs(2 * 3600);

/// One run on servers of its own: the customers' pause.
pub fn pause(migration: &Migration, seed: u64) -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    runtime.block_on(run(migration, seed))
}

async fn run(migration: &Migration, seed: u64) -> Duration {
    let clock = Clock::scaled("2026-03-06T09:00:00Z".parse().expect("a time"), SCALE);
    let busy = clock.busy();
    let lab = Lab::open(migration, &clock, seed, None).await.expect("a lab");
    let migration = lab.spec.migration.clone();
    let (accounts, users) = accounts(&migration);
    let (mut legacy, mut target) = (root(&lab, Side::Legacy).await, root(&lab, Side::Target).await);
    target.query_drop(format!("ALTER USER {accounts} ACCOUNT LOCK")).await.expect("a lock");
    let markers = format!("{}.script", migration.spec.replication.marker_schema);
    legacy.query_drop(format!("CREATE DATABASE {}", migration.spec.replication.marker_schema)).await.expect("a schema");
    legacy.query_drop(format!("CREATE TABLE {markers} (marker INT PRIMARY KEY)")).await.expect("a table");
    point(&lab.world, &migration, Side::Legacy, &clock);
    drop(busy);
    clock.sleep(OLD_TTL).await;
    let _real = clock.busy();
    let moving = Moving::begin(forward(&migration, lab.address(Side::Legacy), lab.address(Side::Target)));
    moving.catch_up_with(&mut legacy).await;
    // Everybody is at work before the doors close, and the table of markers has travelled.
    legacy.query_drop(format!("INSERT INTO {markers} VALUES (1)")).await.expect("a row");
    until_there(&mut target, &markers, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;

    legacy.query_drop(format!("ALTER USER {accounts} ACCOUNT LOCK")).await.expect("a lock");
    loop {
        let question = format!("SELECT id FROM information_schema.processlist WHERE user IN ({users})");
        let left: Vec<u64> = legacy.query(question).await.expect("the process list");
        if left.is_empty() {
            break;
        }
        for id in left {
            // It may be gone already.
            _ = legacy.query_drop(format!("KILL {id}")).await;
        }
    }
    legacy.query_drop(format!("INSERT INTO {markers} VALUES (2)")).await.expect("a marker");
    until_there(&mut target, &markers, 2).await;
    moving.stop().await;
    target.query_drop("SHOW MASTER STATUS").await.expect("a position");
    target.query_drop(format!("ALTER USER {accounts} ACCOUNT UNLOCK")).await.expect("an opening");
    point(&lab.world, &migration, Side::Target, &clock);
    while lab.switches().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let pause = lab.switches()[0].pause();
    let report = lab.close(Side::Target).await.expect("a report");
    assert_eq!((report.payments.lost, report.payments.duplicated), (0, 0), "the script is right, too: {report:?}");
    pause
}

/// The application's accounts, and their users, as SQL lists.
fn accounts(migration: &Migration) -> (String, String) {
    let of = |account: &bascule::names::Account| {
        let (user, host) = account.as_str().rsplit_once('@').expect("an account has a host");
        (format!("'{user}'@'{host}'"), format!("'{user}'"))
    };
    let (accounts, users): (Vec<_>, Vec<_>) = migration.spec.legacy.database.application_accounts.iter().map(of).unzip();
    (accounts.join(", "), users.join(", "))
}

async fn root(lab: &Lab, side: Side) -> Conn {
    connect(lab.address(side), &Server::root()).await.expect("a connection")
}

async fn until_there(target: &mut Conn, markers: &str, marker: u32) {
    let question = format!("SELECT 1 FROM {markers} WHERE marker = ?");
    // The table itself travels with the first.
    while !matches!(target.exec_first::<u8, _, _>(&question, (marker,)).await, Ok(Some(_))) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The public name points at a side, with a low TTL.
fn point(world: &SharedWorld, migration: &Migration, side: Side, clock: &Clock) {
    let public = &migration.spec.dns.public;
    let ttl = migration.spec.dns.ttl.duration().as_secs();
    let mut world = unlocked(world);
    let now = clock.now();
    world.advance(now);
    let old: Vec<Record> = world.route53.shown(&public.name).into_iter().cloned().collect();
    world.route53.edit(now, &old, &[Record::pointing(&public.name, public.destination(side), ttl)]).expect("an edit");
}
