//! Bad days, each ending in one clear fault, and in the right state once the day is over.

use std::net::TcpListener;

use bascule::clock::Clock;
use bascule::controllers::fence::{FenceState, judge};
use bascule::database::Database;
use bascule::fault::{Fault, Problem, Retry};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::spec::{CredentialsFrom, Migration, Tls};
use mysql_async::prelude::Queryable;

use super::house::{FIRST, House};

fn database(migration: &Migration) -> MySqlDatabase {
    MySqlDatabase::new(migration, Side::Legacy, &Clock::system())
}

#[tokio::test]
async fn a_wrong_password_a_missing_one_and_a_refused_tls_need_a_person_and_show_no_secret() {
    let house = House::build_and_grant().await;
    let fault = house.controller_as("bascule", "hunter2").look().await.expect_err("the password is wrong");
    assert!(matches!(&fault.problem, Problem::Denied { code, .. } if code == "1045"), "{fault}");
    assert!(fault.to_string().contains("credentialsFrom") && !fault.to_string().contains("hunter2"), "{fault}");

    let mut unnamed = house.declared("bascule", "secret");
    unnamed.spec.legacy.database.credentials_from = CredentialsFrom::Env("BASCULE_TEST_NOBODY".into());
    let fault = database(&unnamed).look().await.expect_err("there is no credential");
    assert!(fault.to_string().contains("BASCULE_TEST_NOBODY_PASSWORD"), "{fault}");

    let mut encrypted = house.declared("bascule", "secret");
    encrypted.spec.legacy.database.tls = Tls::Required;
    let fault = database(&encrypted).look().await.expect_err("this server has no certificate");
    assert!(matches!(&fault.problem, Problem::Denied { code, .. } if code == "TLS"), "{fault}");
    assert_eq!(fault.problem.retry(), Retry::NeedsOperator);
}

#[tokio::test]
async fn nobody_listening_and_somebody_who_never_answers_are_no_answer() {
    let house = House::build_and_grant().await;
    let mut elsewhere = house.declared("bascule", "secret");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.spec.legacy.database.port = i32::from(listener.local_addr().expect("an address").port());
    let fault = database(&elsewhere).look().await.expect_err("it accepts and is silent");
    assert_not_reached(&fault, "the firewall between");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let fault = database(&elsewhere).look().await.expect_err("nobody listens");
    assert_not_reached(&fault, "nobody listens there: start the server, or correct `host` and `port`");
    assert!(fault.to_string().starts_with(&format!("connect to 127.0.0.1:{port} as bascule: ")), "{fault}");
}

/// Whoever was not reached cannot have applied anything, and the words say so.
fn assert_not_reached(fault: &Fault, advice: &str) {
    assert!(matches!(fault.problem, Problem::Unreachable { .. }), "{fault}");
    assert_eq!(fault.problem.retry(), Retry::Soon, "a server that restarts is back soon");
    let told = fault.to_string();
    assert!(told.contains(advice) && !told.contains("may have been applied") && !told.contains("secret"), "{told}");
}

#[tokio::test]
async fn a_name_without_an_address_no_route_and_a_server_that_hangs_up_are_told_with_where_to_look() {
    let house = House::build_and_grant().await;
    let at = |host: &str, port: u16| {
        let mut elsewhere = house.declared("bascule", "secret");
        let declared = &mut elsewhere.spec.legacy.database;
        (declared.host, declared.port) = (host.to_owned(), i32::from(port));
        elsewhere
    };
    // No resolver is asked about a name with spaces in it.
    let nowhere = database(&at("no such host", 3306)).look().await.expect_err("nobody has that name");
    assert_not_reached(&nowhere, "no such host has no address");
    // The network of everybody on this link leads to no single host.
    let broadcast = database(&at("255.255.255.255", 3306)).look().await.expect_err("no route leads there");
    assert_not_reached(&broadcast, "check the network between");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let hanging_up = std::thread::spawn(move || drop(listener.accept()));
    let hung_up = database(&at("127.0.0.1", port)).look().await.expect_err("it hangs up");
    hanging_up.join().expect("it was called");
    assert_not_reached(&hung_up, "look at the server's log");
}

#[tokio::test]
async fn a_read_only_server_is_named_as_one_and_is_looked_at_all_the_same() {
    let house = House::build_and_grant().await;
    house.controller().beat(FIRST).await.expect("it is a writer so far");
    house.sql(&["SET GLOBAL read_only = 1"]).await;
    let fault = house.controller().beat(FIRST).await.expect_err("nothing is written");
    assert!(matches!(&fault.problem, Problem::WrongState { code, .. } if code == "1290"), "{fault}");
    assert!(fault.to_string().contains("writer"), "{fault}");
    house.look().await;
}

#[tokio::test]
async fn a_held_epoch_row_is_waited_for_no_longer_than_allowed_and_then_tried_again() {
    let house = House::build_and_grant().await;
    let controller = house.controller();
    controller.beat(FIRST).await.expect("the row is there");
    let mut holder = house.root().await;
    holder.query_drop("START TRANSACTION").await.expect("a transaction");
    holder.query_drop("SELECT * FROM bascule.epochs FOR UPDATE").await.expect("the row is held");
    let fault = controller.close_fence(FIRST, &house.accounts()).await.expect_err("the row is held");
    assert!(matches!(&fault.problem, Problem::WrongState { code, .. } if code == "1205"), "{fault}");
    assert_eq!(judge(&house.look().await, &house.accounts()), FenceState::Open, "nobody was shut out");
    holder.query_drop("ROLLBACK").await.expect("it lets go");
    controller.close_fence(FIRST, &house.accounts()).await.expect("the same controller goes on with a new session");
}

#[tokio::test]
async fn a_server_killed_in_mid_fence_comes_back_to_a_fence_that_can_be_closed_and_opened() {
    let mut house = House::build_and_grant().await;
    let accounts = house.accounts();
    let controller = house.controller();
    controller.beat(FIRST).await.expect("a session");
    // A transaction that waits holds the fence up, so that it is under way when the server dies.
    let mut app = house.app().await.expect("the application gets in");
    app.query_drop("XA START 'p'").await.expect("a transaction");
    app.query_drop("INSERT INTO payments.payments (reference) VALUES ('xa')").await.expect("a row");
    app.query_drop("XA END 'p'").await.expect("it ends");
    app.query_drop("XA PREPARE 'p'").await.expect("it is prepared");
    let closing = controller.close_fence(FIRST, &accounts);
    let dying = async {
        while house.locked_hosts().await.len() < 2 {}
        house.server.kill();
    };
    let (outcome, ()) = tokio::join!(closing, dying);
    assert!(matches!(outcome.expect_err("the server died").problem, Problem::Ambiguous { .. }), "its fate is not known");
    house.server.start_again(&["--log-bin", "--binlog-format=ROW"]).expect("a server");
    let proof = judge(&house.look().await, &accounts);
    assert!(matches!(proof, FenceState::Between(_)), "a fence that broke off is not proven: {proof:?}");
    house.sql(&["XA ROLLBACK 'p'"]).await;
    controller.close_fence(FIRST, &accounts).await.expect("the same controller closes it");
    assert!(matches!(judge(&house.look().await, &accounts), FenceState::Closed { .. }));
    controller.open_fence(FIRST, &accounts).await.expect("and opens it");
    assert!(house.app().await.is_some(), "with every host row that was open before");
}
