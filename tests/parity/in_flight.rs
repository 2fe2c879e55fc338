//! Rows on their way are never called drift.

use std::sync::atomic::{AtomicU64, Ordering};

use bascule::database::Answer;
use bascule::mysql::connect::connect;
use bascule::names::Side;
use bascule::parity::passage::{Passage, Passed};
use bascule::parity::report::Verdict;
use bascule::parity::server::Server;
use mysql_async::prelude::Queryable;

use crate::fixture::{PAYMENTS, Two, payments, table, told};

/// What happens on legacy while it is waited for replication.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meanwhile {
    Nothing,
    /// Row 3 changes once more at every wait.
    RowThreeChanges,
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
            if self.meanwhile == Meanwhile::RowThreeChanges {
                let change = format!("UPDATE payments.payments SET note = 'change {wait}' WHERE id = 3");
                legacy.query_drop(change).await.expect("a change");
            }
            if self.meanwhile == Meanwhile::Stalled {
                return Ok(Passed::NotYet);
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
async fn replicating() -> Two {
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

    // A row that never stands still, beside one that was truly lost.
    two.target("DELETE FROM payments.payments WHERE id = 77").await;
    two.legacy("UPDATE payments.payments SET note = 'busy' WHERE id = 3").await;
    let report = two.compare_by(&by_position(&two, Meanwhile::RowThreeChanges), None).await;
    let payments = table(&report, "payments");
    assert_eq!(told(payments), ["(77) is missing on target"], "{report}");
    assert_eq!((payments.differing, payments.in_flight), (1, 1), "{report}");
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
