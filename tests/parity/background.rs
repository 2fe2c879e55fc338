//! The controller's comparison: beside its passes, by its own heartbeats, and gone on with by its successor.

use std::time::Duration;

use bascule::clock::Clock;
use bascule::database::{Database, Epoch};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::parity::background::Background;
use bascule::parity::comparer::Comparer;
use bascule::parity::report::{Report, Verdict};
use bascule::parity::server::Limits;
use bascule::spec::{CredentialsFrom, Migration, Period};

use crate::bad_days::mute_at;
use crate::fixture::{PAYMENTS, Two, payments, table};
use crate::in_flight::replicating;

/// The migration between both servers, as a controller has it.
pub fn migration(two: &Two) -> Migration {
    let credentials = two.directory.path().join("credentials");
    std::fs::write(&credentials, "user=root\npassword=\n").expect("credentials can be written");
    let mut migration = two.migration.clone();
    for (database, server) in
        [(&mut migration.spec.legacy.database, &two.servers[0]), (&mut migration.spec.target.database, &two.servers[1])]
    {
        database.port = i32::from(server.address.port);
        database.credentials_from = CredentialsFrom::File(credentials.display().to_string());
    }
    migration
}

async fn compared(comparer: &Background, migration: &Migration) -> Report {
    comparer.begin(migration, Epoch(1)).await.expect("it begins");
    // One that fails at once has ended before anybody could wait for its end.
    while comparer.comparison().under_way.is_some() {
        _ = tokio::time::timeout(Duration::from_millis(50), comparer.ending()).await;
    }
    let comparison = comparer.comparison();
    assert_eq!(comparison.under_way, None);
    comparison.ended.expect("it has ended")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_on_its_way_is_waited_for_by_heartbeat_while_nobody_waits_for_the_comparison() {
    let two = replicating().await;
    let migration = migration(&two);
    let clock = Clock::system();
    let comparer = Background::new(&clock, None);
    two.legacy("UPDATE payments.payments SET amount = 1 WHERE id = 7").await;
    comparer.begin(&migration, Epoch(1)).await.expect("it begins");
    let comparison = comparer.comparison();
    assert!(
        comparison.under_way.is_some() && comparison.ended.is_none(),
        "nothing has arrived, so nothing is known: {comparison:?}"
    );
    two.target("START SLAVE SQL_THREAD").await;
    comparer.ending().await;
    let report = comparer.comparison().ended.expect("it has ended");
    assert_eq!((report.verdict, report.proof.as_str()), (Verdict::Equal, "heartbeat"), "{report}");

    two.target("UPDATE payments.payments SET amount = 2 WHERE id = 8").await;
    let report = compared(&comparer, &migration).await;
    assert_eq!((report.verdict, table(&report, "payments").differing), (Verdict::Differs, 1), "{report}");
    assert!(
        report.complaints()[0].starts_with("payments.payments differs in 1 rows, such as: (8) differs in amount"),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_that_is_stopped_writes_no_heartbeat_any_more_and_its_successor_goes_on() {
    let two = Two::start().await;
    two.both(PAYMENTS).await;
    two.both(&payments(20_000)).await;
    let mut migration = migration(&two);
    migration.spec.validation.ledger.clear();
    migration.spec.validation.unique.clear();
    migration.spec.validation.parity.chunk_rows = 200;
    migration.spec.validation.parity.max_rows_per_second = 400;
    migration.spec.validation.max_age = Period::from_secs(24 * 3600);
    let clock = Clock::system();
    let first = Background::new(&clock, Some(two.directory.path().to_owned()));
    first.begin(&migration, Epoch(1)).await.expect("it begins");
    let state = two.directory.path().join("two-servers.comparison");
    while !state.exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(first.comparison().ended.is_none(), "a minute's work does not end before it is seen");
    }
    first.stop();
    assert_eq!(first.comparison().under_way, None);
    let stopped = clock.now();
    drop(first);

    migration.spec.validation.parity.max_rows_per_second = 0;
    let second = Background::new(&clock, Some(two.directory.path().to_owned()));
    let report = compared(&second, &migration).await;
    assert_eq!((report.verdict, table(&report, "payments").rows), (Verdict::Equal, [20_000, 20_000]), "{report}");
    assert!(report.began < stopped, "it is the comparison that its predecessor began: {report}");
    assert!(!state.exists());

    // A newer controller has taken over: an older one's comparison comes to nothing, and says so.
    let legacy = MySqlDatabase::new(&migration, Side::Legacy, &clock);
    legacy.beat(Epoch(2)).await.expect("it is the newest");
    let report = compared(&second, &migration).await;
    assert_eq!(report.verdict, Verdict::Unknown, "{report}");
    assert!(report.complaints()[0].contains("payments.payments could not be compared"), "{:?}", report.complaints());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_cannot_be_compared_leave_a_reason_and_no_verdict() {
    let mut two = Two::start().await;
    let mut migration = migration(&two);
    let comparer = Background::new(&Clock::system(), None);
    two.installed[1].kill();
    let report = compared(&comparer, &migration).await;
    assert_eq!(report.verdict, Verdict::Unknown);
    assert!(report.complaints()[0].contains("connect to 127.0.0.1:"), "{:?}", report.complaints());
    migration.spec.legacy.database.credentials_from = CredentialsFrom::File("not-there".into());
    let report = compared(&comparer, &migration).await;
    assert!(report.complaints()[0].starts_with("legacy: "), "{:?}", report.complaints());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_silent_ends_a_controllers_comparison_with_a_reason() {
    let two = Two::start().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY)").await;
    let mut migration = migration(&two);
    migration.spec.target.database.port = i32::from(mute_at("BIT_XOR", two.servers[1].address.port).await);
    let soon = Duration::from_secs(5);
    let comparer = Background::new(&Clock::system(), None).limited_to(Limits { chunk: soon, whole_table: soon });
    let report = compared(&comparer, &migration).await;
    assert_eq!(report.verdict, Verdict::Unknown, "{report}");
    assert!(report.complaints()[0].contains("fold rows of payments.t on target"), "{:?}", report.complaints());
    assert!(report.complaints()[0].contains("was silent for 5 s"), "{:?}", report.complaints());
}
