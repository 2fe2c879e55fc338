//! Worse days: a deadlock, a server that stops in mid-statement, one that is replaced by another, a full disk, a lost connection.
//! Each ends in one clear fault; no row is lost, and a fence that is not proven is never called closed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bascule::controllers::fence::{FenceState, Proof, judge, shortfall};
use bascule::database::{Database, DatabaseView};
use bascule::fault::Problem;
use mysql_async::prelude::Queryable;

use super::house::{FIRST, House, OPTIONS};

/// How often a test looks whether what it waits for has come.
const GLANCE: Duration = Duration::from_millis(5);

fn is_proven(house: &House, view: &DatabaseView) -> bool {
    let accounts = house.accounts();
    matches!(judge(view, &accounts), FenceState::Closed { .. }) && shortfall(view, &accounts, Proof::AtRest).is_none()
}

async fn deadlocks_are_tried_again(house: &House) {
    let (controller, accounts) = (house.controller(), house.accounts());
    let before = deadlocks(house).await;
    // Who comes first is chance: until the two have met head on, each round ends in peace or in a time-out.
    while deadlocks(house).await == before {
        controller.close_fence(FIRST, &accounts).await.expect("closed");
        controller.open_fence(FIRST, &accounts).await.expect("opened");
        meet_head_on(house).await;
    }
    assert!(is_proven(house, &house.look().await), "the fence was tried again, and is closed");
    // A lock that was taken twice would keep the next controller waiting until it ends this one's connection.
    let held = "SELECT COUNT(*) FROM information_schema.processlist WHERE State = 'User lock'";
    assert_eq!(house.root().await.query_first::<u64, _>(held).await.expect("an answer"), Some(0));
    house.controller().open_fence(FIRST, &accounts).await.expect("opened by another session");
    assert!(controller.look().await.is_ok(), "whose first one was not ended");
}

/// The fence takes the epoch's row and then its own; its rival the other way round.
async fn meet_head_on(house: &House) {
    let (controller, accounts, before) = (house.controller(), house.accounts(), deadlocks(house).await);
    // The rival has changed more rows, so that the controller is the one who is rolled back.
    let mut rival = house.root().await;
    rival.query_drop("START TRANSACTION").await.expect("a transaction");
    for number in 0..50 {
        rival.query_drop(format!("INSERT INTO payments.payments (reference) VALUES ('{number}')")).await.expect("a row");
    }
    let row = "INSERT INTO bascule.fences VALUES ('payments', 'legacy', 'app', '%')";
    rival.query_drop(row).await.expect("the row that the fence will want");
    let quarrel = async {
        tokio::time::sleep(GLANCE * 20).await;
        rival.query_drop("SELECT * FROM bascule.epochs FOR UPDATE").await.expect("the rival wins");
        rival.query_drop("ROLLBACK").await.expect("and lets go");
    };
    let (closed, ()) = tokio::join!(controller.close_fence(FIRST, &accounts), quarrel);
    if deadlocks(house).await > before {
        closed.expect("the victim has tried again");
    }
}

async fn deadlocks(house: &House) -> u64 {
    let count: Option<(String, u64)> =
        house.root().await.query_first("SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'").await.expect("an answer");
    count.expect("it is counted").1
}

#[tokio::test]
async fn the_victim_of_a_deadlock_on_the_epoch_row_tries_again_at_once() {
    deadlocks_are_tried_again(&House::build_and_grant().await).await;
}

/// What a scheduler, a debugger or a stalled disk does to a process.
pub fn signal(house: &House, signal: &str) {
    let id = house.server.process_id().expect("it runs").to_string();
    assert!(Command::new("kill").args([signal, &id]).status().expect("kill is there").success());
}

async fn a_stopped_server_is_no_answer(house: &House) {
    let controller = house.controller();
    controller.beat(FIRST).await.expect("a session");
    let mut app = house.app().await.expect("the application gets in");
    app.query_drop("INSERT INTO payments.payments (reference) VALUES ('acknowledged')").await.expect("a payment");
    signal(house, "-STOP");
    let accounts = house.accounts();
    let (looked, closed) = {
        // Another controller's session, so that both are under way when the server stops answering.
        let other = house.controller();
        let looked = controller.look().await;
        (looked, other.close_fence(FIRST, &accounts).await)
    };
    signal(house, "-CONT");
    for fault in [looked.expect_err("no answer is no look"), closed.expect_err("no answer is no fence")] {
        assert!(matches!(fault.problem, Problem::Ambiguous { .. }) && fault.to_string().contains("no answer"), "{fault}");
    }
    controller.close_fence(FIRST, &accounts).await.expect("it answers again, and the fence closes");
    assert!(is_proven(house, &controller.look().await.expect("a look")));
    assert_eq!(house.payments().await, 1, "the acknowledged payment is there");
}

#[tokio::test]
async fn a_server_that_stops_answering_after_the_connect_is_no_answer_and_no_fence() {
    a_stopped_server_is_no_answer(&House::build_and_grant().await).await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &place);
        } else if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), &place).expect("a copy");
        }
    }
}

/// A replica that had everything but the lock takes over the address, first as one that only reads.
async fn a_failover_is_fenced_again(mut house: House) {
    let accounts = house.accounts();
    let controller = house.controller();
    controller.beat(FIRST).await.expect("the controller's schema is there");
    let data = house.server.directory().join("data");
    let replica = house.server.directory().join("replica");
    house.server.kill();
    copy(&data, &replica);
    house.server.start_again(&OPTIONS).expect("a server");
    controller.close_fence(FIRST, &accounts).await.err();
    controller.close_fence(FIRST, &accounts).await.expect("closed, with a new session");
    assert!(is_proven(&house, &controller.look().await.expect("a look")));
    house.server.kill();
    assert!(controller.look().await.is_err(), "nobody answers, and nothing is proven");
    fs::remove_dir_all(&data).expect("the old writer is gone");
    fs::rename(&replica, &data).expect("the replica takes over");
    house.server.start_again(&[&OPTIONS[..], &["--read-only"]].concat()).expect("a server");
    let view = controller.look().await.expect("a look at the replacement");
    assert!(!is_proven(&house, &view), "what was proven of the old writer says nothing of this one");
    let fault = controller.close_fence(FIRST, &accounts).await.expect_err("it only reads");
    assert!(matches!(&fault.problem, Problem::WrongState { code, .. } if code == "1290"), "{fault}");
    assert!(fault.to_string().contains("not a writer"), "{fault}");
    house.sql(&["SET GLOBAL read_only = 0"]).await;
    assert!(house.app().await.is_some(), "promoted, it lets the application in: the lock was lost");
    let view = controller.look().await.expect("a look");
    assert!(!is_proven(&house, &view));
    controller.close_fence(FIRST, &accounts).await.expect("the fence closes again");
    assert!(is_proven(&house, &controller.look().await.expect("a look")), "and is proven again");
    assert!(house.app().await.is_none());
}

#[tokio::test]
async fn a_replacement_without_the_lock_is_found_out_and_fenced_again() {
    a_failover_is_fenced_again(House::build_and_grant().await).await;
}

async fn a_lost_connection_leaves_a_fence_that_closes_again(house: &House) {
    let accounts = house.accounts();
    let controller = house.controller();
    controller.beat(FIRST).await.expect("a session");
    // A prepared transaction keeps the fence waiting, so that its connection can be cut in the middle.
    let mut app = house.app().await.expect("the application gets in");
    for statement in ["XA START 'p'", "INSERT INTO payments.payments (reference) VALUES ('xa')", "XA END 'p'", "XA PREPARE 'p'"] {
        app.query_drop(statement).await.expect("the statement is taken");
    }
    let closing = controller.close_fence(FIRST, &accounts);
    let cutting = async {
        while house.locked_hosts().await.len() < 2 {
            tokio::time::sleep(GLANCE).await;
        }
        let mut root = house.root().await;
        let sessions: Vec<u64> =
            root.query("SELECT id FROM information_schema.processlist WHERE user = 'bascule'").await.expect("an answer");
        for id in sessions {
            root.query_drop(format!("KILL CONNECTION {id}")).await.expect("it is cut");
        }
    };
    let (closed, ()) = tokio::join!(closing, cutting);
    let fault = closed.expect_err("the connection was cut");
    assert!(matches!(fault.problem, Problem::Ambiguous { .. }), "nobody knows how far it came: {fault}");
    let view = controller.look().await.expect("a new session");
    assert!(!is_proven(house, &view), "a fence that broke off is not proven");
    house.sql(&["XA COMMIT 'p'"]).await;
    controller.close_fence(FIRST, &accounts).await.expect("closed");
    assert!(is_proven(house, &controller.look().await.expect("a look")));
    assert_eq!(house.payments().await, 1, "what was committed before the proof is there");
}

#[tokio::test]
async fn a_connection_lost_in_mid_fence_leaves_its_fate_open_and_the_next_look_tells() {
    a_lost_connection_leaves_a_fence_that_closes_again(&House::build_and_grant().await).await;
}

#[tokio::test]
async fn on_the_mysql_server_that_is_given_the_worse_days_end_as_well() {
    let Some(house) = House::build_on_mysql().await else { return };
    deadlocks_are_tried_again(&house).await;
    let Some(house) = House::build_on_mysql().await else { return };
    a_stopped_server_is_no_answer(&house).await;
    let Some(house) = House::build_on_mysql().await else { return };
    a_lost_connection_leaves_a_fence_that_closes_again(&house).await;
    let Some(house) = House::build_on_mysql().await else { return };
    a_failover_is_fenced_again(house).await;
}
