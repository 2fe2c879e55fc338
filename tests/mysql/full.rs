//! A server without room: what it refuses is told in clear words, nobody is shut out for nothing, and no row is lost.
//!
//! A tablespace with an end stands for the disk: a server that runs out of either says the same.

use std::collections::BTreeSet;

use bascule::controllers::fence::{FenceState, judge};
use bascule::database::Database;
use bascule::fault::{Fault, Problem};
use bascule::names::MarkerId;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::house::{FIRST, House, OPTIONS};

/// Room for the schemas and a few payments: all tables stand in it, with what undoes their changes.
const LITTLE_ROOM: [&str; 2] = ["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:16M"];
const MORE_ROOM: [&str; 2] = [LITTLE_ROOM[0], "--innodb-data-file-path=ibdata1:12M:autoextend:max:48M"];

async fn a_small_house() -> House {
    House::build_with(tempfile::tempdir().expect("a directory"), &LITTLE_ROOM).await
}

/// Says it again and again, until there is no room for it; how often it was acknowledged.
async fn until_refused(writer: &mut Conn, statement: impl Fn(u64) -> String) -> u64 {
    let mut acknowledged = 0;
    loop {
        match writer.query_drop(statement(acknowledged)).await {
            Ok(()) => acknowledged += 1,
            Err(mysql_async::Error::Server(refused)) if [1005, 1114].contains(&refused.code) => return acknowledged,
            Err(other) => panic!("{other}"),
        }
    }
}

/// Rows of half a page each, of somebody whom no fence shuts out, until there is no room for another.
async fn fill(house: &House) {
    let columns: Vec<String> = (0..9).map(|number| format!("c{number} VARBINARY(760)")).collect();
    let values = ["REPEAT('x', 760)"; 9].join(", ");
    let table = format!("CREATE TABLE payments.ballast (id INT AUTO_INCREMENT PRIMARY KEY, {})", columns.join(", "));
    house.sql(&[&table]).await;
    until_refused(&mut house.root().await, |_| format!("INSERT INTO payments.ballast VALUES (NULL, {values})")).await;
}

/// The same, and then payments of the application until there is no room for one more; how many were acknowledged.
async fn fill_up(house: &House) -> u64 {
    fill(house).await;
    let mut app = house.app().await.expect("the application gets in");
    until_refused(&mut app, |_| "INSERT INTO payments.payments (reference) VALUES ('paid')".to_owned()).await
}

/// The pages of the controller's own tables are filled too: a row that happens to fit would be written.
async fn fill_the_controllers_tables(house: &House) {
    let mut root = house.root().await;
    for length in [100, 20, 0] {
        let name = format!("CONCAT(UUID_SHORT(), REPEAT('f', {length}))");
        until_refused(&mut root, |_| format!("INSERT INTO bascule.markers VALUES ({name}, '', '', NOW())")).await;
        until_refused(&mut root, |_| format!("INSERT INTO bascule.fences VALUES ('', '', {name}, '')")).await;
    }
}

fn assert_full(fault: &Fault) {
    assert!(matches!(&fault.problem, Problem::WrongState { code, .. } if code == "1114"), "{fault}");
    assert!(fault.to_string().contains("nothing is written until there is room: free or add some"), "{fault}");
}

#[tokio::test]
async fn a_full_server_refuses_markers_and_fences_in_clear_words_and_goes_on_once_there_is_room() {
    let mut house = a_small_house().await;
    let (controller, accounts) = (house.controller(), house.accounts());
    controller.beat(FIRST).await.expect("there is room so far");
    let paid = fill_up(&house).await;
    // The server finds some bytes again now and then.
    assert_full(&loop {
        fill_the_controllers_tables(&house).await;
        match controller.close_fence(FIRST, &accounts).await {
            Ok(()) => controller.open_fence(FIRST, &accounts).await.expect("opened"),
            Err(fault) => break fault,
        }
    });
    let mut written = BTreeSet::new();
    let (marker, fault) = loop {
        let marker = MarkerId(format!("payments/1/drain/{}", written.len()));
        match controller.write_marker(FIRST, &marker).await {
            Ok(()) => written.insert(marker),
            Err(fault) => break (marker, fault),
        };
    };
    assert_full(&fault);
    let view = controller.look().await.expect("it is looked at all the same");
    assert!(view.markers == written && !house.is_proven(&view), "what was not written proves nothing: {view:?}");
    assert_eq!(judge(&view, &accounts), FenceState::Open, "nobody was shut out");
    assert_eq!(house.payments().await, paid, "every acknowledged payment is there");

    house.server.kill();
    house.server.start_again(&[&OPTIONS[..], &MORE_ROOM].concat()).expect("a server with more room");
    // The first call finds that its session is gone.
    controller.close_fence(FIRST, &accounts).await.err();
    controller.close_fence(FIRST, &accounts).await.expect("the same controller goes on with a new session");
    controller.write_marker(FIRST, &marker).await.expect("a marker");
    let view = controller.look().await.expect("a look");
    assert!(house.is_proven(&view) && view.markers.contains(&marker), "{view:?}");
    assert_eq!(house.payments().await, paid, "none is lost, and none was paid twice");
    controller.open_fence(FIRST, &accounts).await.expect("and it opens");
    assert!(house.app().await.is_some());
}

#[tokio::test]
async fn a_server_that_fills_up_behind_a_closed_fence_keeps_it_proven_and_lets_it_open() {
    let house = a_small_house().await;
    let (controller, accounts) = (house.controller(), house.accounts());
    controller.close_fence(FIRST, &accounts).await.expect("there is room, and the fence closes");
    fill(&house).await;
    while !house.is_proven(&controller.look().await.expect("a look")) {}
    // What was closed may not be forgotten for want of room, and is open all the same.
    if let Err(fault) = controller.open_fence(FIRST, &accounts).await {
        assert_full(&fault);
    }
    assert_eq!(judge(&controller.look().await.expect("a look"), &accounts), FenceState::Open);
    assert!(house.app().await.is_some(), "customers may read, and write as soon as there is room");
}

#[tokio::test]
async fn a_controller_that_comes_to_a_full_server_cannot_make_its_schema_and_shuts_nobody_out() {
    let house = a_small_house().await;
    fill_up(&house).await;
    until_refused(&mut house.root().await, |number| format!("CREATE TABLE payments.empty{number} (id INT)")).await;
    let fault = house.controller().close_fence(FIRST, &house.accounts()).await.expect_err("there is no room for a table");
    assert!(matches!(fault.problem, Problem::WrongState { .. }), "{fault}");
    assert!(fault.to_string().contains("free or add"), "{fault}");
    assert_eq!(judge(&house.look().await, &house.accounts()), FenceState::Open);
}
