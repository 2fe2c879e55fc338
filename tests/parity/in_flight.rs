//! Rows on their way are never called drift.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bascule::clock::Clock;
use bascule::database::Answer;
use bascule::mysql::connect::connect;
use bascule::names::Side;
use bascule::parity::passage::{Passage, Passed};
use bascule::parity::report::Verdict;
use bascule::parity::run::{Request, run};
use bascule::parity::server::Server;
use mysql_async::prelude::Queryable;

use crate::fixture::{PAYMENTS, Two, payments, table, told};

/// What happens on legacy while it is waited for replication.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meanwhile {
    Nothing,
    /// Row 3 changes once more at every wait.
    RowThreeChanges,
    /// The same, and none of these changes arrives, though everything else does.
    RowThreeIsStuck,
    /// Nothing arrives.
    Stalled,
}

/// Replication that moves only while it is waited for, so that no test depends on speed: the replica's applier is started for
/// the wait, and it is known by binary log position that everything has arrived.
#[derive(Debug)]
struct ByPosition<'a> {
    servers: &'a [Server; 2],
    meanwhile: Meanwhile,
    waits: AtomicU64,
}

impl Passage for ByPosition<'_> {
    fn pass(&self, _: Side) -> Answer<'_, Passed> {
        Box::pin(async {
            let wait = self.waits.fetch_add(1, Ordering::SeqCst);
            let mut legacy = connect(&self.servers[0].address, &self.servers[0].credentials).await?;
            let mut target = connect(&self.servers[1].address, &self.servers[1].credentials).await?;
            if matches!(self.meanwhile, Meanwhile::RowThreeChanges | Meanwhile::RowThreeIsStuck) {
                let change = format!("UPDATE payments.payments SET note = 'change {wait}' WHERE id = 3");
                legacy.query_drop(change).await.expect("a change");
            }
            if self.meanwhile == Meanwhile::Stalled {
                return Ok(Passed::NotYet);
            }
            if self.meanwhile == Meanwhile::RowThreeIsStuck {
                return Ok(Passed::Yes);
            }
            let row: Option<(String, u64, String, String)> = legacy.query_first("SHOW MASTER STATUS").await.expect("a position");
            let (file, offset, ..) = row.expect("there is a binary log");
            target.query_drop("START SLAVE SQL_THREAD").await.expect("started");
            let waited: Option<Option<i64>> =
                target.exec_first("SELECT MASTER_POS_WAIT(?, ?, 60)", (file, offset)).await.expect("waited");
            assert!(waited.flatten().is_some_and(|events| events >= 0), "replication arrived");
            target.query_drop("STOP SLAVE SQL_THREAD").await.expect("stopped");
            Ok(Passed::Yes)
        })
    }

    fn proof(&self) -> String {
        "position".to_owned()
    }
}

/// Legacy replicates to target, whose applier stands still except while it is waited for.
pub async fn replicating() -> Two {
    let two = Two::start_with([
        &["--log-bin", "--binlog-format=ROW", "--server-id=1"],
        &["--server-id=2", "--relay-log=relay", "--skip-slave-start"],
    ])
    .await;
    two.both(PAYMENTS).await;
    two.both(&payments(5_000)).await;
    two.legacy("CREATE USER replica IDENTIFIED BY 'replica'").await;
    two.legacy("GRANT REPLICATION SLAVE ON *.* TO replica").await;
    two.legacy("RESET MASTER").await;
    let port = two.servers[0].address.port;
    two.target(&format!(
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='replica', MASTER_PASSWORD='replica', \
         MASTER_LOG_FILE='', MASTER_LOG_POS=4"
    ))
    .await;
    two.target("START SLAVE IO_THREAD").await;
    two
}

fn by_position(two: &Two, meanwhile: Meanwhile) -> ByPosition<'_> {
    ByPosition { servers: &two.servers, meanwhile, waits: AtomicU64::new(0) }
}

#[tokio::test]
async fn rows_on_their_way_are_looked_at_again_and_never_called_drift() {
    let mut two = replicating().await;
    two.migration.spec.validation.ledger.clear();
    two.migration.spec.validation.unique.clear();

    // What cannot arrive proves nothing: not even that it differs.
    two.legacy("UPDATE payments.payments SET status = 'failed' WHERE id IN (10, 21)").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::Stalled), None).await;
    let payments = table(&report, "payments");
    assert_eq!((report.verdict, payments.differing, payments.in_flight), (Verdict::Unknown, 0, 2), "{report}");

    // An update, an insert and a delete, all on their way when the table is read.
    two.legacy("DELETE FROM payments.payments WHERE id = 4000").await;
    two.legacy("INSERT INTO payments.payments SELECT id + 90000, 'k', customer_id, amount, currency, status, created_at, updated_at, note FROM payments.payments WHERE id = 1").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::Nothing), None).await;
    let payments = table(&report, "payments");
    assert_eq!((report.verdict, payments.differing, payments.arrived), (Verdict::Equal, 0, 4), "{report}");

    // A row that never stands still and is followed all the same, beside one that was truly lost.
    two.target("DELETE FROM payments.payments WHERE id = 77").await;
    two.legacy("UPDATE payments.payments SET note = 'busy' WHERE id = 3").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::RowThreeChanges), None).await;
    let payments = table(&report, "payments");
    assert_eq!(told(payments), ["(77) is missing on target"], "{report}");
    assert_eq!((payments.differing, payments.arrived, payments.in_flight), (1, 1, 0), "{report}");

    // One that is not followed is neither equal nor different: nobody knows what it should be at this moment.
    two.target("UPDATE payments.payments SET note = 'another' WHERE id = 3").await;
    two.target("INSERT INTO payments.payments SELECT 77, 'key-77', customer_id, 77.77, 'GBP', 3, '2026-01-01' + INTERVAL 77 SECOND, '2026-01-01 00:00:00' + INTERVAL 77 SECOND, NULL FROM payments.payments WHERE id = 78").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::RowThreeIsStuck), None).await;
    let payments = table(&report, "payments");
    assert_eq!(payments.in_flight, 1, "{report}");
    assert_ne!(payments.verdict, Verdict::Equal, "{report}");
}

/// Replication that stands where it stands, and lags at the first look.
#[derive(Debug, Default)]
struct LaggingAtFirst(AtomicU64);

impl Passage for LaggingAtFirst {
    fn pass(&self, _: Side) -> Answer<'_, Passed> {
        Box::pin(async { Ok(Passed::Yes) })
    }

    fn lag(&self, _: Side) -> Answer<'_, Duration> {
        let looks = self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Ok(Duration::from_secs(if looks == 0 { 9 } else { 0 })) })
    }

    fn proof(&self) -> String {
        "none".to_owned()
    }
}

#[tokio::test]
async fn a_comparison_steps_aside_while_replication_lags() {
    let two = Two::start().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY)").await;
    let clock = Clock::scaled("2026-03-02T09:00:00Z".parse().expect("a moment"), 1_000);
    let passage = LaggingAtFirst::default();
    let request = Request {
        migration: &two.migration,
        servers: &two.servers,
        only: Some("payments.t"),
        source: Side::Legacy,
        passage: &passage,
        state: None,
        clock: &clock,
    };
    let mut lines = Vec::new();
    let report = run(&request, &mut |line| lines.push(line.to_owned())).await.expect("the tables can be listed");
    assert_eq!(lines, ["waiting: replication is 9 s behind, 5 s allowed", "payments.t: equal"]);
    assert_eq!(passage.0.load(Ordering::SeqCst), 2, "it was looked at again before it went on");
    assert_eq!(report.verdict, Verdict::Equal);
}

#[tokio::test]
async fn a_book_of_rows_on_their_way_balances_once_they_have_arrived() {
    let two = replicating().await;
    two.legacy("UPDATE payments.payments SET amount = amount + 1 WHERE id = 5").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::Nothing), None).await;
    assert_eq!(report.ledger[0].verdict, Verdict::Equal, "{report}");
    two.target("UPDATE payments.payments SET amount = amount + 1 WHERE id = 6").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::Nothing), None).await;
    assert_eq!(report.ledger[0].verdict, Verdict::Differs, "{report}");
    assert_eq!(report.ledger[0].sample.len(), 1, "one group holds payment 6: {report}");
}
