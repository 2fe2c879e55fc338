//! Worse days: a deadlock, a server that stops in mid-statement, one that is replaced by another, a lost connection.
//! Each ends in one clear fault; no row is lost, and a fence that is not proven is never called closed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bascule::database::Database;
use bascule::fault::Problem;
use mysql_async::prelude::Queryable;

use super::house::{FIRST, House, OPTIONS};

/// How often a test looks whether what it waits for has come.
const GLANCE: Duration = Duration::from_millis(5);

async fn deadlocks_are_tried_again(house: &House) {
    let (controller, accounts) = (house.controller(), house.accounts());
    let before = house.deadlocks().await;
    // Who comes first is chance: until the two have met head on, each round ends in peace or in a time-out.
    while house.deadlocks().await == before {
        controller.close_fence(FIRST, &accounts).await.expect("closed");
        controller.open_fence(FIRST, &accounts).await.expect("opened");
        meet_head_on(house).await;
    }
    assert!(house.is_proven(&house.look().await), "the fence was tried again, and is closed");
    // A lock that was taken twice would keep the next controller waiting until it ends this one's connection.
    assert!(house.connections().await.iter().all(|(_, _, state)| state != "User lock"), "nobody waits for one");
    house.controller().open_fence(FIRST, &accounts).await.expect("opened by another session");
    assert!(controller.look().await.is_ok(), "whose first one was not ended");
}

/// The fence takes the epoch's row and then its own; its rival the other way round.
async fn meet_head_on(house: &House) {
    let (controller, accounts, before) = (house.controller(), house.accounts(), house.deadlocks().await);
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
    if house.deadlocks().await > before {
        closed.expect("the victim has tried again");
    }
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
        // One has its session, the other only comes.
        let other = house.controller();
        let looked = controller.look().await;
        (looked, other.close_fence(FIRST, &accounts).await)
    };
    signal(house, "-CONT");
    let (looked, closed) = (looked.expect_err("no answer is no look"), closed.expect_err("no answer is no fence"));
    assert!(matches!(looked.problem, Problem::Ambiguous { .. }) && looked.to_string().contains("no answer"), "{looked}");
    assert!(matches!(closed.problem, Problem::Unreachable { .. }) && closed.to_string().contains("no answer"), "{closed}");
    controller.close_fence(FIRST, &accounts).await.expect("it answers again, and the fence closes");
    assert!(house.is_proven(&controller.look().await.expect("a look")));
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
    assert!(house.is_proven(&controller.look().await.expect("a look")));
    house.server.kill();
    assert!(controller.look().await.is_err(), "nobody answers, and nothing is proven");
    fs::remove_dir_all(&data).expect("the old writer is gone");
    fs::rename(&replica, &data).expect("the replica takes over");
    let reading_only = house.reading_only();
    house.server.start_again(&reading_only).expect("a server");
    let view = controller.look().await.expect("a look at the replacement");
    assert!(!house.is_proven(&view), "what was proven of the old writer says nothing of this one");
    let fault = controller.close_fence(FIRST, &accounts).await.expect_err("it only reads");
    assert!(matches!(&fault.problem, Problem::WrongState { code, .. } if code == "1290"), "{fault}");
    assert!(fault.to_string().contains("not a writer"), "{fault}");
    house.sql(&["SET GLOBAL read_only = 0"]).await;
    assert!(house.app().await.is_some(), "promoted, it lets the application in: the lock was lost");
    let view = controller.look().await.expect("a look");
    assert!(!house.is_proven(&view));
    controller.close_fence(FIRST, &accounts).await.expect("the fence closes again");
    assert!(house.is_proven(&controller.look().await.expect("a look")), "and is proven again");
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
        for (id, ..) in house.connections().await.into_iter().filter(|(_, user, _)| user == "bascule") {
            root.query_drop(format!("KILL CONNECTION {id}")).await.expect("it is cut");
        }
    };
    let (closed, ()) = tokio::join!(closing, cutting);
    let fault = closed.expect_err("the connection was cut");
    assert!(matches!(fault.problem, Problem::Ambiguous { .. }), "nobody knows how far it came: {fault}");
    let view = controller.look().await.expect("a new session");
    assert!(!house.is_proven(&view), "a fence that broke off is not proven");
    house.sql(&["XA COMMIT 'p'"]).await;
    controller.close_fence(FIRST, &accounts).await.expect("closed");
    assert!(house.is_proven(&controller.look().await.expect("a look")));
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
