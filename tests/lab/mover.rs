//! The mover alone: every type, both ways, under load, through deaths and duplicates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bascule::lab::mover::{Begin, FirstRead, Order, Work, end_of_log, lock};
use bascule::lab::server::Server;
use bascule::names::TableName;
use bascule::sim::dms::mover::TableState;
use bascule::sim::dms::settings::Loopback;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use super::fixture::{Moving, Pair, job, root, rows_of_both};

const TYPES: &str = "CREATE TABLE payments.types (
    id BIGINT UNSIGNED NOT NULL, tiny TINYINT, tiny_u TINYINT UNSIGNED, small SMALLINT, small_u SMALLINT UNSIGNED,
    medium MEDIUMINT, medium_u MEDIUMINT UNSIGNED, normal INT, normal_u INT UNSIGNED, big BIGINT, big_u BIGINT UNSIGNED,
    amount DECIMAL(18,4), huge DECIMAL(65,30), single_f FLOAT, double_f DOUBLE, flags BIT(64), flag BIT(1),
    at_date DATE, at_time TIME(6), at_datetime DATETIME(6), at_timestamp TIMESTAMP(6) NULL, at_second TIMESTAMP NULL, at_year YEAR,
    short_text CHAR(10), word VARCHAR(200), latin VARCHAR(50) CHARACTER SET latin1, long_text LONGTEXT, fixed BINARY(8), bytes VARBINARY(64), blob_b LONGBLOB,
    status ENUM('authorized','captured','refunded'), labels SET('a','b','c','d'), document JSON,
    doubled BIGINT AS (normal * 2) STORED,
    PRIMARY KEY (id, flag))";

const LEAST: &str = "(0, -128, 0, -32768, 0, -8388608, 0, -2147483648, 0, -9223372036854775808, 0,
    -99999999999999.9999, -99999999999999999999999999999999999.999999999999999999999999999999, -3.25, -1.7976931348623157e308, b'0', b'0',
    '1000-01-01', '-838:59:59.999999', '1000-01-01 00:00:00.000001', '1970-01-01 00:00:01.000001', '1970-01-01 00:00:01', 1901,
    '', '', '', '', X'0000000000000000', X'', X'', 'authorized', '', '{}')";

const MOST: &str = "(18446744073709551615, 127, 255, 32767, 65535, 8388607, 16777215, 2147483647, 4294967295, 9223372036854775807, 18446744073709551615,
    99999999999999.9999, 99999999999999999999999999999999999.999999999999999999999999999999, 3.25, 1.7976931348623157e308, b'1111111111111111111111111111111111111111111111111111111111111111', b'1',
    '9999-12-31', '838:59:59.999999', '9999-12-31 23:59:59.999999', '2038-01-19 03:14:07.999999', '2038-01-19 03:14:07', 2155,
    'ÄÖ', 'grüße 💶 ''quoted'' \\\\ back', 'naïve ÿ', '☃ snow', X'FF00FF0000000000', X'00FF00', X'00FFFE00', 'refunded', 'a,c,d', '{\"k\": [1, 2.50, null, \"ü💶\"],  \"spaced\" : true}')";

const NOTHING: &str = "(7, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, b'0',
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

const COLUMNS: &str = "(id, tiny, tiny_u, small, small_u, medium, medium_u, normal, normal_u, big, big_u, amount, huge, single_f, double_f, flags, flag,
    at_date, at_time, at_datetime, at_timestamp, at_second, at_year, short_text, word, latin, long_text, fixed, bytes, blob_b, status, labels, document)";

fn tables(names: &[&str]) -> Vec<TableName> {
    names.iter().map(|name| TableName::new("payments", *name)).collect()
}

/// Inserts the extremes of every type under ids of their own, changes one of them, and removes another.
async fn write_extremes(server: &Server, first_id: u64) {
    let mut connection = root(server).await;
    for (number, row) in [LEAST, MOST, NOTHING, LEAST].iter().enumerate() {
        let id = first_id + number as u64;
        let (_, rest) = row.split_once(',').expect("an id comes first");
        connection.query_drop(format!("INSERT INTO payments.types {COLUMNS} VALUES ({id}, {rest}")).await.expect("a row");
    }
    let update = format!(
        "UPDATE payments.types SET medium = -1, big_u = 9223372036854775808, fixed = X'0100', labels = 'b', status = NULL, at_timestamp = '2001-02-03 04:05:06.7' WHERE id = {}",
        first_id + 1
    );
    connection.query_drop(update).await.expect("a changed row");
    connection.query_drop(format!("DELETE FROM payments.types WHERE id = {}", first_id + 3)).await.expect("a removed row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extremes_of_every_type_arrive_unchanged_in_both_directions() {
    let pair = Pair::start();
    pair.on_both(&["CREATE DATABASE payments", TYPES]).await;
    let tables = tables(&["types"]);
    write_extremes(&pair.legacy, 100).await;
    root(&pair.legacy)
        .await
        .query_drop(format!("INSERT INTO payments.types {COLUMNS} VALUES {LEAST}, {MOST}, {NOTHING}"))
        .await
        .expect("rows");
    let forward = Moving::begin(job("forward", 901, &pair.legacy, &pair.target, &tables), Begin::FullLoad);
    write_extremes(&pair.legacy, 200).await;
    forward.caught_up(&pair.legacy).await;
    write_extremes(&pair.legacy, 300).await;
    forward.caught_up(&pair.legacy).await;
    let view = forward.stop().await;
    assert_eq!(view.tables[0].state, TableState::Completed, "{:?}", view.tables[0].last_error);
    let (legacy, target) = rows_of_both(&pair, &tables).await;
    assert_eq!(legacy, target, "forward");
    assert_eq!(legacy[0].rows, 12);

    let start = end_of_log(&mut root(&pair.target).await).await.expect("a position");
    let reverse = Moving::begin(job("reverse", 902, &pair.target, &pair.legacy, &tables), Begin::Changes(Some(start)));
    write_extremes(&pair.target, 400).await;
    reverse.caught_up(&pair.target).await;
    let (legacy, target) = rows_of_both(&pair, &tables).await;
    assert_eq!(legacy, target, "reverse");
    assert_eq!(legacy[0].rows, 15);
}

const BUSY: &str =
    "CREATE TABLE payments.busy (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, word VARCHAR(20) NOT NULL, n INT NOT NULL)";

/// Clients who write until they are told to stop.
struct Rush {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
}

impl Rush {
    async fn begin(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..4 {
            let (mut connection, stop) = (root(server).await, Arc::clone(&stop));
            clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let insert = format!("INSERT INTO payments.busy (word, n) VALUES ('client {number}', 0)");
                    connection.query_drop(insert).await.expect("a row");
                    connection
                        .query_drop("UPDATE payments.busy SET n = n + 1 WHERE id = LAST_INSERT_ID()")
                        .await
                        .expect("a change");
                }
            });
        }
        Self { stop, clients }
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("clients end in peace");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_table_that_is_read_late_has_duplicates_and_a_reload_under_the_same_load_cures_it() {
    let pair = Pair::start();
    pair.on_both(&["CREATE DATABASE payments", BUSY]).await;
    let tables = tables(&["busy"]);
    let rush = Rush::begin(&pair.legacy).await;
    let mut late = job("forward", 901, &pair.legacy, &pair.target, &tables);
    late.first_read = FirstRead::LateFor(tables[0].clone());
    let forward = Moving::begin(late, Begin::FullLoad);
    forward.wait_until(|view| view.tables.first().is_some_and(|table| table.state == TableState::Error)).await;
    let why = lock(&forward.view).tables[0].last_error.clone().expect("a suspended table says why");
    assert!(why.contains("1062"), "{why}");
    forward.orders.send(Order::Reload(tables[0].clone())).expect("it listens");
    forward.wait_until(|view| view.tables[0].reloads == 1 && view.tables[0].state == TableState::Completed).await;
    let applied = lock(&forward.view).tables[0].applied.0;
    forward.wait_until(|view| view.tables[0].applied.0 > applied + 200).await;
    rush.end().await;
    forward.caught_up(&pair.legacy).await;
    let view = forward.stop().await;
    assert_eq!((view.tables[0].state, view.tables[0].reloads), (TableState::Completed, 1), "{:?}", view.tables[0].last_error);
    let (legacy, target) = rows_of_both(&pair, &tables).await;
    assert_eq!(legacy, target);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mover_that_dies_and_a_server_that_dies_lose_no_row_and_double_none() {
    let mut pair = Pair::start();
    pair.on_both(&["CREATE DATABASE payments", BUSY]).await;
    let tables = tables(&["busy"]);
    let rush = Rush::begin(&pair.legacy).await;
    let task = job("forward", 901, &pair.legacy, &pair.target, &tables);
    let mut forward = Moving::begin(task.clone(), Begin::FullLoad);
    for round in 1..=5_u64 {
        let before = lock(&forward.view).tables.first().map_or(0, |table| table.applied.0);
        forward.wait_until(|view| view.tables.first().is_some_and(|table| table.applied.0 > before + 50)).await;
        if round.is_multiple_of(2) {
            pair.target.kill();
            pair.target
                .start_again(&["--log-bin=mysql-bin-changelog", "--binlog-format=ROW", "--server-id=2"])
                .expect("a server");
        } else {
            forward.task.abort();
            // It goes on to its next point of rest, and must not be at work beside its successor.
            assert!((&mut forward.task).await.expect_err("it did not end by itself").is_cancelled());
            forward = Moving::go_on(task.clone(), Begin::Resume, Arc::clone(&forward.view));
        }
    }
    rush.end().await;
    forward.caught_up(&pair.legacy).await;
    let view = forward.stop().await;
    assert_eq!(view.work, Work::Ended);
    assert_eq!(view.tables[0].state, TableState::Completed, "{:?}", view.tables[0].last_error);
    let (legacy, target) = rows_of_both(&pair, &tables).await;
    assert_eq!(legacy, target);
}

/// What native replication could never show: it leaves out what carries its own server id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_tasks_carry_a_row_back_to_where_it_came_from_unless_loopback_is_prevented() {
    for (loopback, comes_back) in [(Loopback::Prevented, false), (Loopback::Echoed, true)] {
        let pair = Pair::start();
        pair.on_both(&["CREATE DATABASE payments", BUSY]).await;
        let tables = tables(&["busy"]);
        let mut there = job("forward", 901, &pair.legacy, &pair.target, &tables);
        let mut back = job("reverse", 902, &pair.target, &pair.legacy, &tables);
        (there.policies.loopback, back.policies.loopback) = (loopback, loopback);
        let back = Moving::begin(back, Begin::Changes(None));
        back.wait_until(|view| view.checkpoint.is_some()).await;
        let there = Moving::begin(there, Begin::Changes(None));
        there.wait_until(|view| view.checkpoint.is_some()).await;
        root(&pair.legacy).await.query_drop("INSERT INTO payments.busy (word, n) VALUES ('once', 1)").await.expect("a row");
        there.caught_up(&pair.legacy).await;
        back.caught_up(&pair.target).await;
        let echoed = lock(&back.view).tables[0].state == TableState::Error;
        assert_eq!(echoed, comes_back, "{loopback:?}: the row is there already, where it came from");
    }
}
