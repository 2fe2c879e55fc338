//! Epochs, markers, heartbeats, digests, and the settings that a look reads.

use std::collections::{BTreeMap, BTreeSet};

use bascule::controllers::fence::{FenceState, judge};
use bascule::database::{Database, DeclaredWrites, DigestScope, Epoch};
use bascule::fault::Problem;
use bascule::names::{MarkerId, Side, TableName};
use jiff::Timestamp;

use super::house::{FIRST, House};

#[tokio::test]
async fn an_older_controller_is_refused_and_changes_nothing() {
    let house = House::build_and_grant().await;
    let (older, newer) = (house.controller(), house.controller());
    older.beat(FIRST).await.expect("it is the newest so far");
    newer.beat(Epoch(2)).await.expect("a newer one takes over");
    let before = house.look().await;
    assert_eq!(before.epoch, Epoch(2));
    let marker = MarkerId::from("payments/1/drain/1");
    let refusals = [
        older.close_fence(FIRST, &house.accounts()).await,
        older.open_fence(FIRST, &house.accounts()).await,
        older.write_marker(FIRST, &marker).await,
        older.beat(FIRST).await,
        older.set_binlog_retention(FIRST, 5).await,
    ];
    for refusal in refusals {
        let problem = refusal.expect_err("an older controller writes nothing").problem;
        assert_eq!(problem, Problem::Superseded { ours: 1, theirs: 2 });
    }
    let after = house.look().await;
    assert_eq!(judge(&after, &house.accounts()), FenceState::Open, "nobody was shut out");
    assert_eq!((after.markers, after.heartbeats, after.binlog), (before.markers, before.heartbeats, before.binlog));
}

#[tokio::test]
async fn markers_and_heartbeats_are_there_once_written_and_a_look_writes_nothing() {
    let house = House::build_and_grant().await;
    let controller = house.controller();
    let empty = controller.look().await.expect("a look at a server that nobody has touched");
    assert_eq!((empty.epoch, empty.markers.len(), empty.heartbeats.len()), (Epoch(0), 0, 0));
    assert_eq!(house.look().await.position, empty.position, "looking twice leaves no trace in the binary log");
    let marker = MarkerId::from("payments/1/drain/1");
    for _ in 0..2 {
        controller.write_marker(FIRST, &marker).await.expect("a marker, once or twice");
        controller.beat(FIRST).await.expect("a heartbeat");
    }
    let view = house.look().await;
    assert_eq!(view.markers, BTreeSet::from([marker]));
    assert!(view.heartbeats[&Side::Legacy] <= view.at, "both are the server's own time");
    assert!(view.position > empty.position, "what was written is in the binary log");
    assert_eq!(view.tables, BTreeSet::from([TableName::new("payments", "payments")]));
}

#[tokio::test]
async fn a_marker_schema_that_was_left_half_made_is_made_whole_by_the_next_write() {
    let house = House::build_and_grant().await;
    let controller = house.controller();
    controller.beat(FIRST).await.expect("a heartbeat");
    // A controller that died in between, or a task that brought only some tables from the other side.
    house.sql(&["DROP TABLE bascule.fences", "DROP TABLE bascule.unfinished_fences"]).await;
    assert_eq!(house.look().await.heartbeats.len(), 1, "what is there is seen meanwhile");
    controller.close_fence(FIRST, &house.accounts()).await.expect("what is missing is made first");
    assert!(matches!(judge(&house.look().await, &house.accounts()), FenceState::Closed { .. }));
}

#[tokio::test]
async fn the_binary_log_is_read_as_it_is_in_effect() {
    let house = House::build_and_grant().await;
    house.sql(&["GRANT BINLOG ADMIN ON *.* TO 'bascule'@'%'"]).await;
    let controller = house.controller();
    controller.set_binlog_retention(FIRST, 72).await.expect("the retention is set");
    let view = house.look().await;
    assert_eq!(view.binlog.retention_hours, Some(72));
    assert!(view.binlog.enabled && view.binlog.format == "ROW" && view.binlog.row_image == "FULL");
    assert!(view.binlog.oldest <= view.position && view.binlog.oldest.is_some());
}

#[tokio::test]
async fn a_digest_finds_two_values_exchanged_between_rows_and_nothing_else() {
    let house = House::build_and_grant().await;
    house
        .sql(&[
            "CREATE TABLE payments.ledger (id INT PRIMARY KEY, currency CHAR(3), note VARCHAR(9), raw VARBINARY(4))",
            "INSERT INTO payments.ledger VALUES (1, 'EUR', NULL, x'00ff'), (2, 'USD', '', x'00'), (3, 'EUR', 'test', NULL)",
        ])
        .await;
    let declared = [DeclaredWrites { table: "payments.ledger".into(), predicate: "note = 'test'".into() }];
    let nothing = BTreeMap::new();
    let scope = DigestScope { settled_before: Timestamp::MAX, declared: &declared, leave_out: &nothing };
    let controller = house.controller();
    let digest = async || {
        let digests = controller.digest_tables(scope).await.expect("digests");
        digests.into_iter().find(|digest| digest.table.table == "ledger").expect("the ledger's digest")
    };
    let before = digest().await;
    assert_eq!((before.rows, before.declared_rows), (2, 1));
    assert_eq!(digest().await, before, "the same rows give the same digest");
    house.sql(&["UPDATE payments.ledger SET raw = x'01' WHERE id = 3"]).await;
    assert_eq!(digest().await, before, "a declared row does not count");
    house.sql(&["UPDATE payments.ledger SET currency = IF(id = 1, 'USD', 'EUR') WHERE id < 3"]).await;
    assert_ne!(digest().await.checksum, before.checksum, "an exchange of two values is found");
    house.sql(&["UPDATE payments.ledger SET currency = IF(id = 1, 'EUR', 'USD'), note = '' WHERE id < 3"]).await;
    assert_ne!(digest().await.checksum, before.checksum, "NULL is not an empty text");
}
