//! Numbers of rows: what was given on one side is never given on the other, in both directions, with customers at work.

use std::collections::{BTreeMap, BTreeSet};

use bascule::controllers::fence::{FenceState, judge};
use bascule::database::{Counter, Database, Epoch, IdFloor, IdSpace, Stride};
use bascule::fault::Problem;
use bascule::migration::ids::{floors, obstacles};
use bascule::names::TableName;
use mysql_async::prelude::Queryable;

use super::busy::{Customers, Style};
use super::house::{FIRST, House};

fn payments() -> TableName {
    TableName::new("payments", "payments")
}

async fn space(house: &House) -> IdSpace {
    house.controller().id_space().await.expect("the numbers can be read")
}

async fn counter(house: &House) -> Counter {
    space(house).await.counters[&payments()]
}

async fn closed(house: &House) {
    while !matches!(judge(&house.look().await, &house.accounts()), FenceState::Closed { .. }) {
        house.controller().close_fence(FIRST, &house.accounts()).await.expect("the fence can be closed");
    }
}

/// What replication does: every row that is there, and nothing of those that were rolled back.
async fn replicate(from: &House, to: &House) {
    let rows: Vec<(u64, String)> = from.root().await.query("SELECT id, reference FROM payments.payments").await.expect("rows");
    let mut sink = to.root().await;
    for rows in rows.chunks(500) {
        let values: Vec<String> = rows.iter().map(|(id, reference)| format!("({id}, '{reference}')")).collect();
        sink.query_drop(format!("REPLACE INTO payments.payments VALUES {}", values.join(", "))).await.expect("they arrive");
    }
}

/// Customers write on `writer` until they are shut out; then `reader` gets the rows and opens. Gives what it numbers first.
async fn hand_over(writer: &House, reader: &House) -> (Counter, u64) {
    let customers = Customers::begin(&writer.server.address(), Style::Transaction);
    customers.until_each(&customers.book.paid, 5).await;
    // A number that no row will ever show.
    let mut app = writer.app().await.expect("the application gets in");
    app.query_drop("START TRANSACTION").await.expect("a transaction");
    app.query_drop("INSERT INTO payments.payments (reference) VALUES ('rolled back')").await.expect("a number is given");
    closed(writer).await;
    drop(customers);
    closed(reader).await;
    replicate(writer, reader).await;
    let given = counter(writer).await;
    let raise = floors(&space(reader).await, &space(writer).await);
    reader.controller().raise_ids(FIRST, &raise).await.expect("the counters are raised");
    assert_eq!(floors(&space(reader).await, &space(writer).await), [], "once is enough");
    reader.controller().open_fence(FIRST, &reader.accounts()).await.expect("it opens");
    let mut app = reader.app().await.expect("the application gets in");
    app.query_drop("INSERT INTO payments.payments (reference) VALUES ('first')").await.expect("a payment");
    (given, app.last_insert_id().expect("it has a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_number_is_given_on_both_sides_neither_forward_nor_back() {
    let (legacy, target) = (House::build_and_grant().await, House::build_and_grant().await);
    let (given, first) = hand_over(&legacy, &target).await;
    assert!(given.high_water() > given.highest || given.next > given.highest, "the counter knows what no row shows: {given:?}");
    assert!(first >= given.next, "the target gave {first}, legacy had come to {given:?}");
    let (given, first) = hand_over(&target, &legacy).await;
    assert!(first >= given.next, "legacy gave {first}, the target had come to {given:?}");
}

/// The test above can find a side that was not raised.
#[tokio::test]
async fn replicated_rows_alone_let_a_number_be_given_twice() {
    let (legacy, target) = (House::build_and_grant().await, House::build_and_grant().await);
    let mut app = legacy.app().await.expect("the application gets in");
    for end in ["COMMIT", "ROLLBACK"] {
        app.query_drop("START TRANSACTION").await.expect("a transaction");
        app.query_drop("INSERT INTO payments.payments (reference) VALUES ('x')").await.expect("a number");
        app.query_drop(end).await.expect("an end");
    }
    let seen_by_a_customer = app.last_insert_id();
    drop(app);
    replicate(&legacy, &target).await;
    let (here, there) = (space(&target).await, space(&legacy).await);
    assert!(here.counters[&payments()].next < there.counters[&payments()].next, "{here:?} {there:?}, {seen_by_a_customer:?}");
    assert_eq!(floors(&here, &there), [IdFloor { table: payments(), next: 3 }]);
}

#[tokio::test]
async fn a_counter_is_raised_once_by_the_newest_controller_only_and_never_lowered() {
    let house = House::build_and_grant().await;
    let to = |next| [IdFloor { table: payments(), next }];
    house.controller().raise_ids(Epoch(2), &to(5_000)).await.expect("raised");
    let position = house.look().await.position;
    for lower in [5_000, 70, 1] {
        house.controller().raise_ids(Epoch(2), &to(lower)).await.expect("nothing to do");
        assert_eq!(counter(&house).await.next, 5_000, "after {lower}");
    }
    let again = house.look().await.position;
    assert!(again.map(|place| place.file) == position.map(|place| place.file), "the log goes on in its file");
    let refusal = house.controller().raise_ids(FIRST, &to(9_000)).await.expect_err("an older controller changes nothing");
    assert_eq!(refusal.problem, Problem::Superseded { ours: 1, theirs: 2 });
    assert_eq!(counter(&house).await.next, 5_000);
}

#[tokio::test]
async fn every_numbered_table_is_read_with_its_end_and_one_that_is_full_is_told() {
    let house = House::build_and_grant().await;
    house
        .sql(&[
            "CREATE TABLE payments.tiny (id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY)",
            "INSERT INTO payments.tiny VALUES (255)",
            "CREATE TABLE payments.signed (n INT NOT NULL, id INT AUTO_INCREMENT UNIQUE)",
            "INSERT INTO payments.signed VALUES (1, -7)",
            "CREATE TABLE payments.unnumbered (id INT PRIMARY KEY)",
        ])
        .await;
    let space = space(&house).await;
    let tables: BTreeSet<&str> = space.counters.keys().map(|table| table.table.as_str()).collect();
    assert_eq!(tables, BTreeSet::from(["payments", "signed", "tiny"]));
    let ends = ["signed", "tiny"].map(|table| space.counters[&TableName::new("payments", table)]);
    assert_eq!((ends[0].maximum, ends[0].highest), (2_147_483_647, 0), "a negative number is below all that is given");
    assert_eq!((ends[1].maximum, ends[1].highest), (255, 255));
    let told = obstacles(&space, &space);
    assert!(told.len() == 1 && told[0].starts_with("payments.tiny has given the last number"), "{told:?}");
}

async fn a_floor_is_the_number_that_is_given(house: &House) {
    let legacy_has_given = |next| {
        let counter = Counter { next, highest: 0, maximum: u64::MAX };
        IdSpace { stride: Stride::default(), counters: BTreeMap::from([(payments(), counter)]) }
    };
    for (increment, offset, given, first) in [(1, 1, 102, 102), (2, 2, 203, 204), (10, 7, 301, 307)] {
        // Sessions of the application begin with what the server has then.
        house
            .sql(&[
                &format!("SET GLOBAL auto_increment_increment = {increment}"),
                &format!("SET GLOBAL auto_increment_offset = {offset}"),
            ])
            .await;
        let here = space(house).await;
        assert_eq!(here.stride, Stride { increment, offset });
        let raise = floors(&here, &legacy_has_given(given));
        assert_eq!(raise, [IdFloor { table: payments(), next: first }]);
        house.controller().raise_ids(FIRST, &raise).await.expect("the counter is raised");
        assert_eq!(floors(&space(house).await, &legacy_has_given(given)), [], "once is enough");
        let mut app = house.app().await.expect("the application gets in");
        for number in [first, first + increment] {
            app.query_drop("INSERT INTO payments.payments (reference) VALUES ('x')").await.expect("a payment");
            assert_eq!(app.last_insert_id(), Some(number), "every {increment} from {offset}");
        }
    }
}

#[tokio::test]
async fn a_raised_counter_gives_its_floor_first_however_far_apart_the_server_s_numbers_are() {
    a_floor_is_the_number_that_is_given(&House::build_and_grant().await).await;
    let Some(house) = House::build_on_mysql().await else { return };
    a_floor_is_the_number_that_is_given(&house).await;
}
