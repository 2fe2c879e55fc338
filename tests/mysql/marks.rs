//! Epochs, markers, heartbeats, and the settings that a look reads.

use std::collections::BTreeSet;

use bascule::controllers::fence::{FenceState, judge};
use bascule::database::{Database, Epoch, LogForm};
use bascule::fault::Problem;
use bascule::names::{MarkerId, Side, TableName};

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
    assert_eq!((view.binlog.checksum.as_str(), view.binlog.form), ("CRC32", LogForm::Plain), "as a server has it by itself");
    house.sql(&["SET GLOBAL log_bin_compress = 1", "SET GLOBAL binlog_checksum = NONE"]).await;
    let changed = house.look().await.binlog;
    assert_eq!((changed.checksum.as_str(), changed.form), ("NONE", LogForm::Compressed));
    assert!(view.binlog.oldest <= view.position && view.binlog.oldest.is_some());
}

#[tokio::test]
async fn on_the_mysql_server_that_is_given_the_binary_log_is_read_as_it_is_in_effect_too() {
    let Some(house) = House::build_on_mysql().await else { return };
    let binlog = house.look().await.binlog;
    assert_eq!((binlog.checksum.as_str(), binlog.form), ("CRC32", LogForm::Plain));
    house.sql(&["SET GLOBAL binlog_transaction_compression = ON", "SET GLOBAL binlog_checksum = NONE"]).await;
    let changed = house.look().await.binlog;
    assert_eq!((changed.checksum.as_str(), changed.form), ("NONE", LogForm::Compressed));
}
