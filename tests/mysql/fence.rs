//! The fence under 32 busy connections. The oracle is what was *sent* after the proof: it must never land.

use std::sync::atomic::Ordering;

use bascule::controllers::fence::{FenceState, FenceTerms, Writes, judge, plan};
use bascule::database::{AccountLock, Database, DatabaseView, Epoch};
use bascule::names::Side;
use bascule::sighting::Sighting;
use mysql_async::prelude::Queryable;

use super::busy::{Customers, Style};
use super::house::{FIRST, House};

/// Measured: a fence that does not wait leaks in up to a third of the rounds, so that fifty find it.
const ROUNDS: usize = 50;

async fn holds_under(style: Style) {
    holds_in(&House::build_and_grant().await, style).await;
}

async fn holds_in(house: &House, style: Style) {
    let (controller, accounts) = (house.controller(), house.accounts());
    let customers = Customers::begin(&house.server.address(), style);
    for round in 0..ROUNDS {
        customers.until_each(&customers.book.paid, 1).await;
        let mut proof = judge(&controller.look().await.expect("a look"), &accounts);
        while !matches!(proof, FenceState::Closed { .. }) {
            controller.close_fence(FIRST, &accounts).await.expect("the fence can be closed");
            proof = judge(&controller.look().await.expect("a look"), &accounts);
        }
        customers.book.fenced.store(true, Ordering::SeqCst);
        let rows = house.payments().await;
        customers.until_each(&customers.book.attempts, 2).await;
        let after = judge(&controller.look().await.expect("a look"), &accounts);
        assert_eq!(after, proof, "round {round}: the fence or the binary log has moved");
        assert_eq!(house.payments().await, rows, "round {round}: a row has landed after the proof");
        assert_eq!(
            customers.book.too_late.load(Ordering::SeqCst),
            0,
            "round {round}: a payment was sent after the proof and taken"
        );
        assert!(rows >= customers.book.acknowledged.load(Ordering::SeqCst), "round {round}: an acknowledged payment is lost");
        customers.book.fenced.store(false, Ordering::SeqCst);
        // Attempts that began fenced end before the opening: what they began with must not be counted against it.
        customers.until_each(&customers.book.attempts, 1).await;
        controller.open_fence(FIRST, &accounts).await.expect("the fence can be opened");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_single_statement_sent_after_the_proof_lands() {
    holds_under(Style::Autocommit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_transaction_sent_after_the_proof_lands() {
    holds_under(Style::Transaction).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_reconnects_after_the_proof_gets_in() {
    holds_under(Style::Reconnecting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_the_mysql_server_that_is_given_the_fence_holds_under_every_style() {
    for style in [Style::Autocommit, Style::Transaction, Style::Reconnecting] {
        let Some(house) = House::build_on_mysql().await else { return };
        holds_in(&house, style).await;
    }
}

/// The oracle above can find a fence that does not hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_alone_is_found_out() {
    let house = House::build_and_grant().await;
    let customers = Customers::begin(&house.server.address(), Style::Autocommit);
    customers.until_each(&customers.book.paid, 1).await;
    house.sql(&["ALTER USER 'app'@'%', 'app'@'127.0.0.1', 'validation'@'%' ACCOUNT LOCK"]).await;
    customers.book.fenced.store(true, Ordering::SeqCst);
    customers.until_each(&customers.book.attempts, 2).await;
    assert!(customers.book.too_late.load(Ordering::SeqCst) > 0, "connected sessions go on writing");
    let proof = judge(&house.look().await, &house.accounts());
    assert!(matches!(proof, FenceState::Between(_)), "and the look does not call it closed: {proof:?}");
}

fn lock_of(view: &DatabaseView, account: &str) -> AccountLock {
    view.accounts.iter().find(|look| look.account.as_str() == account).expect("it is declared").lock
}

async fn opens_only_what_it_closed(house: &House) {
    house.sql(&["ALTER USER 'validation'@'%' ACCOUNT LOCK"]).await;
    let (controller, accounts) = (house.controller(), house.accounts());
    let before = controller.look().await.expect("a look");
    assert_eq!((lock_of(&before, "app@%"), lock_of(&before, "validation@%")), (AccountLock::Open, AccountLock::BySomebodyElse));
    for _ in 0..2 {
        controller.close_fence(FIRST, &accounts).await.expect("closed, and closed again");
        let view = controller.look().await.expect("a look");
        assert!(matches!(judge(&view, &accounts), FenceState::Closed { .. }), "it is shut whoever has shut it: {view:?}");
        assert_eq!(
            (lock_of(&view, "app@%"), lock_of(&view, "validation@%")),
            (AccountLock::ByFence, AccountLock::BySomebodyElse)
        );
    }
    controller.open_fence(FIRST, &accounts).await.expect("opened");
    let after = controller.look().await.expect("a look");
    assert_eq!((lock_of(&after, "app@%"), lock_of(&after, "validation@%")), (AccountLock::Open, AccountLock::BySomebodyElse));
    assert!(house.app().await.is_some() && house.locked_hosts().await.is_empty(), "both rows of the application are open");
    let terms = FenceTerms {
        side: Side::Legacy,
        database: house.migration.database(Side::Legacy),
        view: &Sighting::Present(controller.look().await.expect("a look")),
    };
    let steps = plan(Writes::Open, &terms);
    assert!(steps.is_settled(), "the application is open, as it was: {steps:?}");
    // Unlocked by whoever had locked it, it is the fence's to close and to open again.
    house.sql(&["ALTER USER 'validation'@'%' ACCOUNT UNLOCK"]).await;
    controller.close_fence(FIRST, &accounts).await.expect("closed");
    controller.open_fence(FIRST, &accounts).await.expect("opened");
    assert_eq!(judge(&controller.look().await.expect("a look"), &accounts), FenceState::Open);
}

#[tokio::test]
async fn whom_somebody_else_had_locked_stays_locked_and_is_told_apart() {
    opens_only_what_it_closed(&House::build_and_grant().await).await;
    let Some(house) = House::build_on_mysql().await else { return };
    opens_only_what_it_closed(&house).await;
}

/// Whatever statement a closing or an opening broke off at, what stands in the database then is one of these.
#[tokio::test]
async fn a_fence_that_broke_off_anywhere_opens_exactly_what_had_been_open() {
    const LISTED: &str = "INSERT INTO bascule.fences VALUES ('payments', 'legacy', 'app', '%'), \
                          ('payments', 'legacy', 'app', '127.0.0.1')";
    const UNFINISHED: &str = "INSERT INTO bascule.unfinished_fences VALUES ('payments', 'legacy', 'app')";
    const LOCKED: &str = "ALTER USER 'app'@'%', 'app'@'127.0.0.1' ACCOUNT LOCK";
    const HALF_LOCKED: &str = "ALTER USER 'app'@'%' ACCOUNT LOCK";
    let moments: [(&str, &[&str]); 5] = [
        ("before the first lock", &[LISTED, UNFINISHED]),
        ("between two locks", &[LISTED, UNFINISHED, HALF_LOCKED]),
        ("before the waiting was over", &[LISTED, UNFINISHED, LOCKED]),
        ("before the opening", &[LISTED, LOCKED]),
        ("before what was opened was forgotten", &[LISTED]),
    ];
    let house = House::build_and_grant().await;
    let (controller, accounts) = (house.controller(), house.accounts());
    controller.beat(FIRST).await.expect("the schema is there");
    house.sql(&["CREATE USER 'app'@'10.0.0.9' ACCOUNT LOCK"]).await;
    for (moment, statements) in moments {
        for closes_first in [true, false] {
            house.sql(statements).await;
            if closes_first {
                controller.close_fence(FIRST, &accounts).await.expect("closed by the next controller");
                let proof = judge(&controller.look().await.expect("a look"), &accounts);
                assert!(matches!(proof, FenceState::Closed { .. }), "broken off {moment}: {proof:?}");
            }
            controller.open_fence(FIRST, &accounts).await.expect("opened");
            assert_eq!(judge(&controller.look().await.expect("a look"), &accounts), FenceState::Open, "broken off {moment}");
            assert_eq!(house.locked_hosts().await, ["10.0.0.9"], "broken off {moment}");
            let left: Option<u64> = house
                .root()
                .await
                .query_first("SELECT (SELECT COUNT(*) FROM bascule.fences) + (SELECT COUNT(*) FROM bascule.unfinished_fences)")
                .await
                .expect("a count");
            assert_eq!(left, Some(0), "broken off {moment}: a later lock of somebody else is not the fence's");
        }
    }
}

#[tokio::test]
async fn a_fence_takes_every_host_row_and_opens_only_what_it_closed() {
    let house = House::build_and_grant().await;
    house.sql(&["CREATE USER 'app'@'10.0.0.9' ACCOUNT LOCK"]).await;
    let controller = house.controller();
    for _ in 0..2 {
        controller.close_fence(FIRST, &house.accounts()).await.expect("closed, and closed again");
        assert!(matches!(judge(&house.look().await, &house.accounts()), FenceState::Closed { .. }));
        assert!(house.app().await.is_none(), "the row of 127.0.0.1 is locked as well");
    }
    // Another process opens: what was closed is written down in the database, not in a memory.
    for _ in 0..2 {
        house.controller().open_fence(Epoch(2), &house.accounts()).await.expect("opened, and opened again");
        assert_eq!(judge(&house.look().await, &house.accounts()), FenceState::Open);
        assert!(house.app().await.is_some(), "the row of 127.0.0.1 is open again");
    }
    assert_eq!(house.locked_hosts().await, ["10.0.0.9"], "what somebody else had locked stays locked");
    assert_eq!(house.look().await.accounts[0].foreign_locks, ["app@10.0.0.9".into()], "and is told");
}

#[tokio::test]
async fn a_prepared_transaction_keeps_the_fence_unproven() {
    let house = House::build_and_grant().await;
    let mut app = house.app().await.expect("the application gets in");
    for statement in ["XA START 'p'", "INSERT INTO payments.payments (reference) VALUES ('xa')", "XA END 'p'", "XA PREPARE 'p'"] {
        app.query_drop(statement).await.expect("the statement is taken");
    }
    house.controller().close_fence(FIRST, &house.accounts()).await.expect("the waiting is handed back");
    let proof = judge(&house.look().await, &house.accounts());
    assert!(matches!(proof, FenceState::Between(_)), "it could still be committed: {proof:?}");
    house.sql(&["XA ROLLBACK 'p'"]).await;
    house.controller().close_fence(FIRST, &house.accounts()).await.expect("closed");
    assert!(matches!(judge(&house.look().await, &house.accounts()), FenceState::Closed { .. }));
}
