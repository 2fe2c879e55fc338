//! What is known before anything is fenced: every planted way round the fence is named, and nobody else is.

use bascule::clock::Clock;
use bascule::database::receipt::KnockAnswer;
use bascule::database::{Bypass, Database, Inspection, Lender};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::{Account, Side};
use bascule::spec::{CanaryEndpoint, TrustedAccount};
use mysql_async::prelude::Queryable;

use super::house::{FIRST, House};

/// A house whose administrator is trusted, as a new server's has to be.
async fn guarded() -> House {
    let mut house = House::build_and_grant().await;
    let roots = "SELECT CONCAT(User, '@', Host) FROM mysql.user WHERE User = 'root'";
    let roots: Vec<String> = house.root().await.query(roots).await.expect("accounts");
    for account in roots {
        let trusted = TrustedAccount { account: account.into(), why: "the test's own hands".into() };
        house.migration.spec.legacy.database.trusted_accounts.push(trusted);
    }
    house
}

async fn inspected(house: &House) -> Inspection {
    house.controller().inspect().await.expect("an inspection")
}

fn account(name: &str) -> Account {
    name.into()
}

#[tokio::test]
async fn every_planted_account_is_named_with_what_it_could_do_and_nobody_else_is() {
    let house = guarded().await;
    let before = inspected(&house).await;
    assert_eq!((before.missing_privileges, before.bypasses), (vec![], vec![]), "a fresh house has no way round");
    house
        .sql(&[
            "CREATE DATABASE orders",
            "CREATE USER 'consultant'@'%'",
            "GRANT SUPER ON *.* TO 'consultant'@'%'",
            "CREATE USER 'reports'@'10.0.0.7'",
            "GRANT SELECT, UPDATE (reference) ON payments.payments TO 'reports'@'10.0.0.7'",
            "CREATE ROLE writer",
            "GRANT INSERT ON `payments`.* TO writer",
            "CREATE USER 'nightly'@'%'",
            "GRANT writer TO 'nightly'@'%'",
            "CREATE USER 'mighty'@'%'",
            "GRANT ALL PRIVILEGES ON *.* TO 'mighty'@'%'",
            "GRANT CONNECTION ADMIN ON *.* TO 'app'@'%'",
            // These may do nothing here: another schema, reading, and a locked door.
            "CREATE USER 'elsewhere'@'%'",
            "GRANT ALL PRIVILEGES ON orders.* TO 'elsewhere'@'%'",
            "CREATE USER 'reader'@'%'",
            "GRANT SELECT ON *.* TO 'reader'@'%'",
            "CREATE USER 'gone'@'%' ACCOUNT LOCK",
            "GRANT SUPER ON *.* TO 'gone'@'%'",
        ])
        .await;
    let administrator =
        |name: &str, privilege: &str| Bypass::Administrator { account: account(name), privilege: privilege.to_owned() };
    let writer = |name: &str, privilege: &str, place: &str| Bypass::Writer {
        account: account(name),
        privilege: privilege.to_owned(),
        place: place.to_owned(),
    };
    let found = inspected(&house).await.bypasses;
    assert_eq!(
        found,
        [
            administrator("consultant@%", "SUPER"),
            administrator("mighty@%", "ALL PRIVILEGES"),
            Bypass::Unfenceable { account: account("app@%"), privilege: "CONNECTION ADMIN".into() },
            writer("nightly@%", "INSERT", "payments.*"),
            writer("reports@10.0.0.7", "UPDATE", "payments.payments"),
        ]
    );
    assert!(found[0].to_string().contains("consultant@% has SUPER"), "{}", found[0]);
    let mut trusting = house;
    trusting
        .migration
        .spec
        .legacy
        .database
        .trusted_accounts
        .extend(["consultant@%", "mighty@%"].map(|name| TrustedAccount { account: account(name), why: "sealed".into() }));
    assert_eq!(inspected(&trusting).await.bypasses, found[2..], "who is trusted is not named");
}

#[tokio::test]
async fn what_everybody_was_granted_makes_everybody_a_writer() {
    let house = guarded().await;
    house.sql(&["CREATE USER 'guest'@'%'", "GRANT DELETE ON payments.* TO PUBLIC"]).await;
    let found = inspected(&house).await.bypasses;
    let guest = Bypass::Writer { account: account("guest@%"), privilege: "DELETE".into(), place: "payments.*".into() };
    assert_eq!(found, [guest]);
}

#[tokio::test]
async fn whoever_can_write_as_somebody_else_is_named_with_the_way_and_the_one_who_is_lent() {
    let house = guarded().await;
    house
        .sql(&[
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY)",
            "CREATE USER 'clerk'@'%'",
            "GRANT INSERT ON shop.orders TO 'clerk'@'%'",
            "CREATE USER 'caller'@'%'",
            "CREATE DEFINER = 'root'@'localhost' PROCEDURE payments.settle() INSERT INTO payments.payments (reference) VALUES ('settled')",
            "CREATE DEFINER = 'root'@'localhost' TRIGGER shop.pay AFTER INSERT ON shop.orders \
             FOR EACH ROW INSERT INTO payments.payments (reference) VALUES ('ordered')",
            "CREATE DEFINER = 'app'@'%' VIEW shop.open_payments AS SELECT * FROM payments.payments",
            "CREATE USER 'teller'@'%'",
            "GRANT UPDATE ON shop.open_payments TO 'teller'@'%'",
            "GRANT EXECUTE ON PROCEDURE payments.settle TO 'caller'@'%'",
            // With its caller's rights, or with those of somebody who may not write: nobody is lent anything.
            "CREATE PROCEDURE payments.harmless() SQL SECURITY INVOKER SELECT 1",
            "GRANT EXECUTE ON PROCEDURE payments.harmless TO 'clerk'@'%'",
            "CREATE DEFINER = 'clerk'@'%' PROCEDURE shop.powerless() SELECT 1",
            "GRANT EXECUTE ON PROCEDURE shop.powerless TO 'teller'@'%'",
        ])
        .await;
    let borrower = |name: &str, lender: Lender, lent: &str, definer: &str| Bypass::Borrower {
        account: account(name),
        lender,
        name: lent.to_owned(),
        definer: account(definer),
    };
    assert_eq!(
        inspected(&house).await.bypasses,
        [
            borrower("caller@%", Lender::Routine, "payments.settle", "root@localhost"),
            borrower("clerk@%", Lender::Trigger, "shop.pay", "root@localhost"),
            borrower("teller@%", Lender::View, "shop.open_payments", "app@%"),
        ]
    );
}

#[tokio::test]
async fn an_enabled_event_beside_the_rows_is_named_whoever_defined_it_and_only_while_events_run() {
    let house = guarded().await;
    house
        .sql(&[
            "CREATE DATABASE shop",
            "CREATE DEFINER = 'root'@'localhost' EVENT payments.purge ON SCHEDULE EVERY 1 DAY DO DELETE FROM payments.payments",
            "CREATE DEFINER = 'app'@'%' EVENT shop.settle ON SCHEDULE EVERY 1 DAY DO DELETE FROM payments.payments",
            "CREATE DEFINER = 'root'@'localhost' EVENT shop.trusted ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            "CREATE DEFINER = 'root'@'localhost' EVENT payments.off ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
        ])
        .await;
    assert_eq!(inspected(&house).await.bypasses, [], "the scheduler is off");
    house.sql(&["SET GLOBAL event_scheduler = ON"]).await;
    let event = |name: &str, definer: &str| Bypass::Event { name: name.to_owned(), definer: account(definer) };
    let found = inspected(&house).await.bypasses;
    assert_eq!(found, [event("payments.purge", "root@localhost"), event("shop.settle", "app@%")]);
    assert!(found[0].to_string().contains("ALTER EVENT payments.purge DISABLE"), "{}", found[0]);
}

#[tokio::test]
async fn a_running_replica_is_named_and_a_stopped_one_is_not() {
    let house = guarded().await;
    house
        .sql(&["CHANGE MASTER 'old' TO MASTER_HOST = '192.0.2.1', MASTER_USER = 'nobody'", "START SLAVE 'old' SQL_THREAD"])
        .await;
    let applier = Bypass::Applier { channel: "old".into(), source: "192.0.2.1".into() };
    assert_eq!(inspected(&house).await.bypasses, [applier]);
    house.sql(&["STOP SLAVE 'old'"]).await;
    assert_eq!(inspected(&house).await.bypasses, []);
}

#[tokio::test]
async fn a_lost_privilege_is_named_and_an_account_that_may_not_see_everybody_never_claims_that_nobody_is_there() {
    let house = guarded().await;
    house.sql(&["CREATE USER 'consultant'@'%'", "GRANT SUPER ON *.* TO 'consultant'@'%'"]).await;
    for (lost, grant) in [
        ("REVOKE SELECT ON mysql.* FROM 'bascule'@'%'", "GRANT SELECT ON `mysql`.* TO 'bascule'@'%'"),
        ("REVOKE TRIGGER ON *.* FROM 'bascule'@'%'", "GRANT TRIGGER ON *.* TO 'bascule'@'%'"),
        ("REVOKE SLAVE MONITOR ON *.* FROM 'bascule'@'%'", "GRANT SLAVE MONITOR ON *.* TO 'bascule'@'%'"),
    ] {
        house.sql(&[lost]).await;
        let inspection = inspected(&house).await;
        assert_eq!(inspection.missing_privileges, [grant], "after {lost}");
        house.sql(&[grant]).await;
    }
    let position = house.look().await.position;
    assert_eq!(inspected(&house).await.bypasses.len(), 1);
    assert_eq!(house.look().await.position, position, "an inspection writes nothing");
    house.controller().beat(FIRST).await.expect("the controller goes on");
}

async fn canaries_are_tried_beforehand(house: &House) {
    let answers = async |database: &MySqlDatabase| -> Vec<KnockAnswer> {
        let inspection = database.inspect().await.expect("an inspection");
        inspection.canaries.into_iter().map(|knock| knock.answer).collect()
    };
    let controller = house.controller();
    let position = house.look().await.position;
    assert_eq!(answers(&controller).await, [KnockAnswer::LetIn, KnockAnswer::LetIn]);
    assert_eq!(house.look().await.position, position, "a login is all, and nothing is written");
    controller.close_fence(FIRST, &house.accounts()).await.expect("the fence can be closed");
    let refused = answers(&controller).await;
    assert!(refused.iter().all(|answer| matches!(answer, KnockAnswer::Refused { .. })), "by the lock alone: {refused:?}");
    // A wrong password is found out behind a lock as well, and in front of one.
    let declared = house.declared("bascule", "secret");
    let wrong = || house.credentials("app", "hunter2");
    for _ in 0..2 {
        _ = wrong();
        let database = MySqlDatabase::new(&declared, Side::Legacy, &Clock::system());
        let told = answers(&database).await;
        let KnockAnswer::Inconclusive { why } = &told[0] else { panic!("its password is wrong: {told:?}") };
        assert!(why.contains("1045") && why.contains("credentialsFrom") && !why.contains("hunter2"), "{why}");
        assert!(!matches!(told[1], KnockAnswer::Inconclusive { .. }), "the other one is right: {told:?}");
        controller.open_fence(FIRST, &house.accounts()).await.expect("it opens");
    }
}

#[tokio::test]
async fn a_canary_s_login_is_tried_before_anything_is_fenced_and_a_wrong_password_is_found_with_and_without_a_lock() {
    canaries_are_tried_beforehand(&House::build_and_grant().await).await;
    let Some(house) = House::build_on_mysql().await else { return };
    canaries_are_tried_beforehand(&house).await;
}

#[tokio::test]
async fn a_password_that_was_refused_is_not_tried_again_until_another_is_found() {
    let house = House::build_and_grant().await;
    house.sql(&["SET GLOBAL max_password_errors = 2"]).await;
    let declared = house.declared("bascule", "secret");
    let database = MySqlDatabase::new(&declared, Side::Legacy, &Clock::system());
    let first = async || database.inspect().await.expect("an inspection").canaries[0].answer.clone();
    house.credentials("app", "wrong");
    for _ in 0..5 {
        assert!(matches!(first().await, KnockAnswer::Inconclusive { .. }));
    }
    assert!(house.app().await.is_some(), "the application would be shut out by a second wrong password");
    house.credentials("app", "app");
    assert_eq!(first().await, KnockAnswer::LetIn, "another password is tried at once");
}

#[tokio::test]
async fn an_endpoint_of_a_canary_that_nobody_answers_is_told_by_name_beforehand() {
    let house = House::build_and_grant().await;
    let mut declared = house.declared("bascule", "secret");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    declared.spec.legacy.database.canaries[0].endpoints =
        vec![CanaryEndpoint { host: "127.0.0.1".to_owned(), port: i32::from(port) }];
    let inspection = MySqlDatabase::new(&declared, Side::Legacy, &Clock::system()).inspect().await.expect("an inspection");
    let told = inspection.canaries[0].to_string();
    assert!(told.contains(&format!("app@% was not answered at 127.0.0.1:{port}")) && told.contains("nobody listens"), "{told}");
}
