//! The receipt of a closed fence: refused by the lock, and by nothing else; nobody's write left over; a binary log that rests.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bascule::clock::Clock;
use bascule::controllers::fence::{FenceState, Proof, judge, shortfall};
use bascule::database::receipt::{KnockAnswer, Receipt, Rest};
use bascule::database::{Database, DatabaseView};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::{MarkerId, Side};
use bascule::spec::{CanaryEndpoint, Migration};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use super::house::{FIRST, House};

/// What lies between two passes of a cutover.
const PASS: Duration = Duration::from_millis(250);

/// A house whose fence is closed.
async fn closed() -> House {
    let house = House::build_and_grant().await;
    house.controller().close_fence(FIRST, &house.accounts()).await.expect("the fence can be closed");
    house
}

async fn looked(migration: &Migration) -> DatabaseView {
    MySqlDatabase::new(migration, Side::Legacy, &Clock::system()).look().await.expect("a look")
}

fn receipt(view: &DatabaseView) -> &Receipt {
    view.receipt.as_ref().expect("a closed fence is tried")
}

fn endpoint(port: u16) -> CanaryEndpoint {
    CanaryEndpoint { host: "127.0.0.1".to_owned(), port: i32::from(port) }
}

#[tokio::test]
async fn a_closed_fence_refuses_each_canary_by_its_lock_and_rests() {
    let house = House::build_and_grant().await;
    let controller = house.controller();
    assert_eq!(controller.look().await.expect("a look").receipt, None, "an open side has nothing to prove");
    controller.close_fence(FIRST, &house.accounts()).await.expect("the fence can be closed");
    let view = controller.look().await.expect("a look");
    let refused = KnockAnswer::Refused { code: "4151".to_owned() };
    assert!(receipt(&view).knocks.iter().all(|knock| knock.answer == refused), "{view:?}");
    assert_eq!((receipt(&view).knocks.len(), receipt(&view).gaps(&house.accounts())), (2, Vec::new()));
    assert!(matches!(receipt(&view).rest, Rest::Still { milliseconds: 30.. }), "{view:?}");
    assert_eq!(shortfall(&view, &house.accounts(), Proof::AtRest), None);
    // The controller's own writes move the log, and are not mistaken for somebody else's.
    controller.write_marker(FIRST, &MarkerId::from("payments/1/drain/1")).await.expect("a marker");
    let after = controller.look().await.expect("a look");
    assert!(after.position > view.position, "the marker is in the log");
    assert_eq!(shortfall(&after, &house.accounts(), Proof::AtRest), None);
    house.controller().beat(FIRST).await.expect("a heartbeat of another session of this controller");
    assert_eq!(shortfall(&controller.look().await.expect("a look"), &house.accounts(), Proof::AtRest), None);
}

#[tokio::test]
async fn only_the_application_shut_out_is_tried_without_asking_the_log_to_rest() {
    let house = House::build_and_grant().await;
    let application = house.migration.spec.legacy.database.application_accounts.clone();
    house.controller().close_fence(FIRST, &application).await.expect("the application is shut out");
    let view = house.look().await;
    assert_eq!((receipt(&view).knocks.len(), &receipt(&view).rest), (1, &Rest::NotAsked));
    assert!(matches!(judge(&view, &application), FenceState::Closed { .. }));
    assert!(!matches!(judge(&view, &house.accounts()), FenceState::Closed { .. }));
}

#[tokio::test]
async fn a_wrong_password_and_credentials_that_are_not_there_prove_nothing_and_say_so() {
    let house = closed().await;
    let mut declared = house.declared("bascule", "secret");
    declared.spec.legacy.database.canaries[0].credentials_from = house.credentials("app", "wrong");
    std::fs::remove_file(house.server.directory().join("validation.credentials")).expect("the file was there");
    let view = looked(&declared).await;
    let gaps = receipt(&view).gaps(&house.accounts());
    assert!(gaps[0].contains("1045") && gaps[0].contains("proves nothing") && !gaps[0].contains("wrong,"), "{gaps:?}");
    assert!(gaps[1].contains("validation.credentials cannot be read"), "{gaps:?}");
    assert_eq!(shortfall(&view, &house.accounts(), Proof::AtRest), None, "the other parts count");
    declared.spec.legacy.database.canaries.clear();
    let gaps = receipt(&looked(&declared).await).gaps(&house.accounts());
    assert!(gaps.len() == 2 && gaps[0].contains("no canary is declared for app@%"), "{gaps:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_silent_has_not_refused() {
    let house = closed().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut declared = house.declared("bascule", "secret");
    declared.spec.legacy.database.canaries[0].endpoints =
        vec![endpoint(house.server.address().port), endpoint(listener.local_addr().expect("an address").port())];
    let view = looked(&declared).await;
    let [refused, silent, _] = &receipt(&view).knocks[..] else { panic!("three knocks: {view:?}") };
    assert!(matches!(refused.answer, KnockAnswer::Refused { .. }) && matches!(silent.answer, KnockAnswer::Unanswered { .. }));
    assert!(shortfall(&view, &house.accounts(), Proof::Answered).is_some_and(|why| why.contains("no refusal")));
}

#[tokio::test]
async fn an_endpoint_that_leads_to_an_open_server_disproves_the_fence_and_the_canary_writes_nothing_there() {
    let (house, elsewhere) = (closed().await, House::build_and_grant().await);
    let before = elsewhere.look().await.position;
    let mut declared = house.declared("bascule", "secret");
    declared.spec.legacy.database.canaries[0].endpoints = vec![endpoint(elsewhere.server.address().port)];
    let FenceState::Between(why) = judge(&looked(&declared).await, &house.accounts()) else { panic!("the application gets in") };
    assert!(why.contains("app@% was let in at 127.0.0.1:"), "{why}");
    assert_eq!(elsewhere.look().await.position, before, "the canary left no trace in the binary log");
    // A server that only reads lets it in, and refuses the write.
    elsewhere.sql(&["SET GLOBAL read_only = 1"]).await;
    let view = looked(&declared).await;
    assert_eq!(receipt(&view).knocks[0].answer, KnockAnswer::Refused { code: "1290".to_owned() });
}

#[tokio::test]
async fn a_stranger_s_open_write_is_named_and_his_commits_are_unrest() {
    let house = closed().await;
    let mut stranger = house.root().await;
    stranger.query_drop("START TRANSACTION").await.expect("a transaction");
    stranger.query_drop("INSERT INTO payments.payments (reference) VALUES ('by hand')").await.expect("a row");
    // The server's list of transactions is a tenth of a second old at worst, unless it is asked more often than that.
    let mut view = house.look().await;
    while shortfall(&view, &house.accounts(), Proof::AtRest).is_none() {
        tokio::time::sleep(PASS).await;
        view = house.look().await;
    }
    assert!(matches!(judge(&view, &house.accounts()), FenceState::Closed { .. }), "no declared account can write");
    let why = shortfall(&view, &house.accounts(), Proof::AtRest).expect("his row may still be committed");
    assert!(why.contains("root (connection"), "{why}");
    assert_eq!(shortfall(&view, &house.accounts(), Proof::Answered), None, "where rows may arrive it is no surprise");
    stranger.query_drop("ROLLBACK").await.expect("it ends");
    let stop = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&stop);
    let mut writer = JoinSet::new();
    writer.spawn(async move {
        while !ended.load(Ordering::SeqCst) {
            stranger.query_drop("INSERT INTO payments.payments (reference) VALUES ('by hand')").await.expect("a row");
        }
    });
    // He writes all the time: sooner or later a look falls between two of his commits.
    while !matches!(receipt(&house.look().await).rest, Rest::Moved { .. }) {}
    stop.store(true, Ordering::SeqCst);
    writer.join_next().await.expect("he was there").expect("he stops");
    // Once he has stopped, the log rests.
    while shortfall(&house.look().await, &house.accounts(), Proof::AtRest).is_some() {
        tokio::time::sleep(PASS).await;
    }
}
