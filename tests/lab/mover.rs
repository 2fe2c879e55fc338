//! The mover alone: every type, both ways, under load, through deaths and duplicates.

use bascule::lab::mover::{Begin, FirstRead, Order, Work, end_of_log, lock};
use bascule::lab::server::Server;
use bascule::names::TableName;
use bascule::sim::dms::mover::TableState;
use bascule::sim::dms::settings::{Loopback, Policies};
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

use super::fixture::{Moving, Pair, job, policies, root, rows_of_both};

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
    let update = format!("UPDATE payments.types SET medium = -1, big_u = 9223372036854775808, fixed = X'0100', labels = 'b', status = NULL, at_timestamp = '2001-02-03 04:05:06.7' WHERE id = {}", first_id + 1);
    connection.query_drop(update).await.expect("a changed row");
    connection.query_drop(format!("DELETE FROM payments.types WHERE id = {}", first_id + 3)).await.expect("a removed row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_extremes_of_every_type_arrive_unchanged_in_both_directions() {
    let pair = Pair::start();
    pair.on_both(&["CREATE DATABASE payments", TYPES]).await;
    let tables = tables(&["types"]);
    write_extremes(&pair.legacy, 100).await;
    root(&pair.legacy).await.query_drop(format!("INSERT INTO payments.types {COLUMNS} VALUES {LEAST}, {MOST}, {NOTHING}")).await.expect("rows");
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
