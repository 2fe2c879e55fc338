//! Tables of every shape: hostile names, keys of every kind and none, types of every kind, rules for columns.

use bascule::database::DeclaredWrites;
use bascule::parity::report::{How, Verdict};
use bascule::spec::{Columns, Ledger, Normalised, Rule};

use crate::fixture::{Two, table, told};

async fn two() -> Two {
    let mut two = Two::start().await;
    let validation = &mut two.migration.spec.validation;
    validation.ledger.clear();
    validation.unique.clear();
    validation.declared_writes.clear();
    // Small, so that every table has several chunks.
    validation.parity.chunk_rows = 100;
    two
}

#[tokio::test]
async fn hostile_names_and_values_are_only_names_and_values() {
    let two = two().await;
    two.both(
        "CREATE TABLE payments.`a``b'\"; DROP TABLE x -- éλ` (`k``'\"é` VARCHAR(40) NOT NULL PRIMARY KEY, `#` VARCHAR(40) NULL)",
    )
    .await;
    two.both(
        "INSERT INTO payments.`a``b'\"; DROP TABLE x -- éλ` VALUES ('\\'; DROP TABLE y -- ', 'a#b'), ('ключ\\\\', ''), ('😀', NULL), ('', '#')",
    )
    .await;
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    two.target("UPDATE payments.`a``b'\"; DROP TABLE x -- éλ` SET `#` = NULL WHERE `k``'\"é` = ''").await;
    two.target("UPDATE payments.`a``b'\"; DROP TABLE x -- éλ` SET `#` = 'z' WHERE `k``'\"é` = 'ключ\\\\'").await;
    let report = two.compare().await;
    assert_eq!(report.tables.len(), 1, "{report}");
    assert_eq!(told(&report.tables[0]), ["(_utf8mb4'') differs in #", "('ключ\\\\') differs in #"], "{report}");
}

#[tokio::test]
async fn a_separator_inside_a_value_cannot_make_two_rows_look_alike() {
    let two = two().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY, a VARCHAR(9) NULL, b VARCHAR(9) NULL, c BLOB NULL)").await;
    two.legacy("INSERT INTO payments.t VALUES (1,'x#y','z',NULL), (2,'1',NULL,NULL), (3,'',NULL,''), (4,'a','a',x'00')").await;
    two.target("INSERT INTO payments.t VALUES (1,'x','y#z',NULL), (2,NULL,'1',NULL), (3,NULL,'',''), (4,'a','a',x'0000')").await;
    let report = two.compare().await;
    let expected = ["(1) differs in a, b", "(2) differs in a, b", "(3) differs in a, b", "(4) differs in c"];
    assert_eq!(told(table(&report, "t")), expected);
}

#[tokio::test]
async fn keys_of_every_kind_lead_to_the_row() {
    let two = two().await;
    let keys = [
        (
            "composite",
            "a INT NOT NULL, b VARCHAR(20) COLLATE utf8mb4_general_ci NOT NULL, PRIMARY KEY (a, b)",
            "seq % 7, CONCAT('Key', seq)",
        ),
        (
            "text",
            "a VARCHAR(20) COLLATE utf8mb4_unicode_ci NOT NULL PRIMARY KEY",
            "CONCAT(IF(seq % 2, 'ä', 'Z'), seq * 7919 % 1000)",
        ),
        ("latin", "a VARCHAR(20) CHARACTER SET latin1 NOT NULL PRIMARY KEY", "CONCAT(IF(seq % 2, 'ä', 'Z'), seq * 7919 % 1000)"),
        ("bytes", "a VARBINARY(20) NOT NULL PRIMARY KEY", "UNHEX(SHA1(seq))"),
        ("fixed", "a BINARY(16) NOT NULL PRIMARY KEY", "UNHEX(LPAD(HEX(seq * 256), 32, '0'))"),
        ("huge", "a BIGINT UNSIGNED NOT NULL PRIMARY KEY", "18446744073709551615 - seq * 12345678901"),
        ("negative", "a BIGINT NOT NULL PRIMARY KEY", "CAST(seq AS SIGNED) * 3 - 9223372036854775000"),
        ("moment", "a DATETIME(6) NOT NULL PRIMARY KEY", "'2026-01-01' + INTERVAL seq MICROSECOND"),
        ("number", "a DECIMAL(20,6) NOT NULL PRIMARY KEY", "seq / 7"),
        ("bits", "a BIT(64) NOT NULL PRIMARY KEY", "18446744073709551615 - seq"),
        ("unique_key", "a INT NOT NULL, n INT NULL, UNIQUE KEY nulls (n), UNIQUE KEY fit (a)", "seq, NULL"),
    ];
    for (name, columns, values) in keys {
        two.both(&format!("CREATE TABLE payments.{name} ({columns}, v INT) DEFAULT CHARSET=utf8mb4")).await;
        two.both(&format!("INSERT INTO payments.{name} SELECT {values}, seq FROM payments.seq_1_to_1000")).await;
    }
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    for (name, ..) in keys {
        two.target(&format!("UPDATE payments.{name} SET v = -1 WHERE v = 537")).await;
        two.target(&format!("DELETE FROM payments.{name} WHERE v = 1000")).await;
        two.legacy(&format!("DELETE FROM payments.{name} WHERE v = 1")).await;
    }
    let report = two.compare().await;
    for (name, ..) in keys {
        let table = table(&report, name);
        let mut how: Vec<&How> = table.sample.iter().map(|difference| &difference.how).collect();
        how.sort_by_key(|how| format!("{how:?}"));
        assert_eq!(table.notes, Vec::<String>::new(), "{name} is read by its key");
        assert_eq!(table.differing, 3, "{report}");
        assert_eq!(how, [&How::Columns(vec!["v".into()]), &How::OnlyOnLegacy, &How::OnlyOnTarget], "{name}");
    }
}

#[tokio::test]
async fn a_table_without_a_key_is_compared_in_one_piece_and_says_so() {
    let two = two().await;
    two.both("CREATE TABLE payments.log (a INT NULL, b VARCHAR(9))").await;
    two.both("CREATE TABLE payments.words (w ENUM('b','a') PRIMARY KEY)").await;
    two.both("INSERT INTO payments.words VALUES ('a'), ('b')").await;
    two.legacy("INSERT INTO payments.log VALUES (1,'x'), (1,'x'), (2,'y')").await;
    two.target("INSERT INTO payments.log VALUES (2,'y'), (1,'x'), (1,'x')").await;
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    assert!(table(&report, "log").notes[0].contains("no primary key"), "{report}");
    assert!(table(&report, "words").notes[0].contains("is an ENUM"), "{report}");
    // Two and two of a kind: what an XOR would forget.
    two.target("UPDATE payments.log SET a = 3 WHERE a = 1").await;
    let report = two.compare().await;
    let log = table(&report, "log");
    assert_eq!((log.verdict, log.differing), (Verdict::Differs, 4), "{report}");
    assert!(log.notes.iter().any(|note| note == "2 rows on legacy only, 2 on target only"), "{report}");
}

#[tokio::test]
async fn a_big_table_without_a_key_is_named_as_not_compared_and_never_called_equal() {
    let mut two = Two::start().await;
    two.migration.spec.validation.parity.max_rows_without_key = 100;
    two.both("CREATE TABLE payments.log (at INT, what VARCHAR(20))").await;
    two.both("INSERT INTO payments.log SELECT seq, 'paid' FROM payments.seq_1_to_1000").await;
    two.both("ANALYZE TABLE payments.log").await;
    two.migration.spec.validation.ledger.clear();
    two.migration.spec.validation.unique.clear();
    let report = two.compare().await;
    let log = table(&report, "log");
    assert_eq!((log.verdict, report.verdict), (Verdict::Unknown, Verdict::Unknown), "{report}");
    assert!(log.notes[0].starts_with("not compared: legacy has no primary key"), "{report}");
    assert!(log.notes[0].contains("raise validation.parity.maxRowsWithoutKey (100)"), "{report}");
    assert_eq!(report.complaints(), [format!("payments.log could not be compared: {}", log.notes[0])]);
    two.migration.spec.validation.parity.max_rows_without_key = 100_000;
    assert_eq!(two.compare().await.verdict, Verdict::Equal);
}

#[tokio::test]
async fn keys_that_sort_differently_on_both_sides_are_not_trusted() {
    let two = two().await;
    two.legacy("CREATE TABLE payments.t (a VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY)").await;
    two.target("CREATE TABLE payments.t (a VARCHAR(9) COLLATE utf8mb4_bin PRIMARY KEY)").await;
    two.both("INSERT INTO payments.t VALUES ('a'), ('B'), ('c'), ('D')").await;
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    assert!(table(&report, "t").notes[0].contains("is sorted by"), "{report}");
}

#[tokio::test]
async fn a_gap_on_one_side_that_is_full_on_the_other_is_divided_until_it_fits() {
    let two = two().await;
    two.both("CREATE TABLE payments.t (a INT PRIMARY KEY)").await;
    two.legacy("INSERT INTO payments.t SELECT seq FROM payments.seq_1_to_50").await;
    two.target("INSERT INTO payments.t SELECT seq FROM payments.seq_1_to_3000").await;
    let report = two.compare().await;
    let t = table(&report, "t");
    assert_eq!((t.rows, t.differing), ([50, 3000], 2950), "{report}");
    assert_eq!(t.sample.len(), 20, "a report shows some");
}

/// Every type, with the values at which text forms go wrong.
const TYPES: &str = "CREATE TABLE payments.types (
    id INT PRIMARY KEY, big BIGINT UNSIGNED, money DECIMAL(30,10), f FLOAT, d DOUBLE, b BIT(64), flag BIT(1),
    at DATETIME(6), stamp TIMESTAMP(3) NULL, t TIME(6), day DATE, y YEAR, fixed BINARY(8), raw VARBINARY(20), lob LONGBLOB,
    txt LONGTEXT, latin VARCHAR(20) CHARACTER SET latin1, utf16 VARCHAR(20) CHARACTER SET utf16, c CHAR(5), e ENUM('x','y#z'),
    s SET('a','b'), doc JSON, z INT(8) ZEROFILL, p POINT, made INT AS (id + 1) STORED, virt INT AS (id + 2) VIRTUAL
) DEFAULT CHARSET=utf8mb4";

const TYPED: &str = "INSERT INTO payments.types (id, big, money, f, d, b, flag, at, stamp, t, day, y, fixed, raw, lob, txt, \
    latin, utf16, c, e, s, doc, z, p) VALUES
    (1, 18446744073709551615, 0.0000000001, 0.1, 0.1, 18446744073709551615, 1, '2026-03-29 02:30:00.000001', \
     '2026-03-29 02:30:00.123', '-838:59:59', '2026-03-29', 2026, x'00', x'2300', REPEAT('x', 100000), REPEAT('ä😀', 50000), \
     'äö', 'ä', 'a', 'y#z', 'a,b', '{\"a\": 1}', 7, POINT(1, 2)),
    (2, 0, -1, -0.0, 1e308, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)";

#[tokio::test]
async fn a_difference_in_any_type_is_found_by_its_column() {
    let two = two().await;
    two.both(TYPES).await;
    two.both(TYPED).await;
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    let changes = [
        ("big", "big - 1"),
        ("money", "money + 0.0000000001"),
        ("f", "0.10000001"),
        ("d", "0.1 + 1e-17"),
        ("b", "b - 1"),
        ("flag", "0"),
        ("at", "at + INTERVAL 1 MICROSECOND"),
        ("stamp", "stamp + INTERVAL 1 HOUR"),
        ("t", "'838:59:59'"),
        ("day", "NULL"),
        ("y", "2027"),
        ("fixed", "x'0001'"),
        ("raw", "x'23'"),
        ("lob", "CONCAT(REPEAT('x', 99999), 'y')"),
        ("txt", "UPPER(txt)"),
        ("latin", "'ao'"),
        ("utf16", "'ö'"),
        ("c", "'A'"),
        ("e", "'x'"),
        ("s", "'a'"),
        ("doc", "'{\"a\": 2}'"),
        ("z", "8"),
        ("p", "POINT(2, 1)"),
    ];
    for (column, value) in changes {
        if column == "d" {
            // The next DOUBLE after 0.1 differs in its seventeenth digit only.
            two.target("UPDATE payments.types SET d = 0.10000000000000002 WHERE id = 1").await;
        } else {
            two.target(&format!("UPDATE payments.types SET {column} = {value} WHERE id = 1")).await;
        }
        let report = two.compare().await;
        assert_eq!(told(table(&report, "types")), [format!("(1) differs in {column}")], "{column} = {value}");
        two.target("DELETE FROM payments.types").await;
        two.target(TYPED).await;
    }
}

#[tokio::test]
async fn types_that_hold_the_same_values_in_other_forms_are_equal() {
    let two = two().await;
    two.legacy("CREATE TABLE payments.t (id INT PRIMARY KEY, at DATETIME, m DECIMAL(10,2), n INT(6) ZEROFILL, x VARCHAR(9) CHARACTER SET latin1, f FLOAT, w INT)").await;
    two.target("CREATE TABLE payments.t (w BIGINT, id INT PRIMARY KEY, at DATETIME(6), m DECIMAL(18,4), n INT, x TEXT CHARACTER SET utf8mb4, f DOUBLE)").await;
    two.both("INSERT INTO payments.t (id, at, m, n, x, f, w) VALUES (1, '2026-01-02 03:04:05', 1.5, 42, 'é', 0.5, 9)").await;
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    two.target("UPDATE payments.t SET at = at + INTERVAL 1 MICROSECOND").await;
    assert_eq!(told(table(&two.compare().await, "t")), ["(1) differs in at"]);
}

#[tokio::test]
async fn a_rule_takes_out_its_own_difference_and_no_other() {
    let mut two = two().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY, doc TEXT, sp VARCHAR(20), cs VARCHAR(20), at DATETIME(6), f DOUBLE, own INT)").await;
    two.legacy(
        "INSERT INTO payments.t VALUES (1, '{\"a\": 1, \"b\":[1,2]}', 'x', 'Ab', '2026-01-01 00:00:00.999999', 1.23456789, 1)",
    )
    .await;
    two.target(
        "INSERT INTO payments.t VALUES (1, '{\"b\": [1, 2], \"a\":1}', 'x  ', 'aB', '2026-01-01 00:00:00.111111', 1.23456799, 2)",
    )
    .await;
    let all = two.compare().await;
    assert_eq!(told(table(&all, "t")), ["(1) differs in doc, sp, cs, at, f, own"]);
    let rule = |column: &str, rule| Normalised { table: "payments.t".into(), columns: vec![column.into()], rule };
    two.migration.spec.validation.parity.normalise = vec![
        rule("doc", Rule::Json),
        rule("sp", Rule::TrailingSpaces),
        rule("cs", Rule::Case),
        rule("at", Rule::FractionalSeconds),
        rule("f", Rule::SixDecimals),
    ];
    two.migration.spec.validation.parity.exclude = vec![Columns { table: "payments.t".into(), columns: vec!["OWN".into()] }];
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Equal, "{report}");
    two.target("UPDATE payments.t SET doc = '{\"b\": [2, 1], \"a\":1}', sp = ' x', at = at + INTERVAL 1 SECOND").await;
    assert_eq!(told(table(&two.compare().await, "t")), ["(1) differs in doc, sp, at"]);
    two.both("UPDATE payments.t SET doc = CONCAT('no json ', own)").await;
    assert_eq!(told(table(&two.compare().await, "t")), ["(1) differs in doc, sp, at"], "what is no JSON is compared as it is");
}

#[tokio::test]
async fn declared_validation_writes_are_counted_apart_and_everything_else_still_counts() {
    let mut two = two().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY, who VARCHAR(20) NULL)").await;
    two.both("INSERT INTO payments.t SELECT seq, IF(seq % 3, 'ada', NULL) FROM payments.seq_1_to_500").await;
    two.target("INSERT INTO payments.t VALUES (1001, 'validation'), (1002, 'validation'), (1003, NULL)").await;
    let declared = DeclaredWrites { table: "payments.t".into(), predicate: "who = 'validation'".into() };
    two.migration.spec.validation.declared_writes = vec![declared];
    let report = two.compare().await;
    let t = table(&report, "t");
    assert_eq!((t.rows, t.declared_rows), ([500, 501], [0, 2]), "{report}");
    assert_eq!(told(t), ["(1003) is on target only"], "{report}");
}

#[tokio::test]
async fn books_that_do_not_balance_say_which_group_and_keys_that_stand_twice_are_named() {
    let mut two = two().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY, cur CHAR(3), amount DECIMAL(18,4), at DATETIME, k VARCHAR(9) NULL)")
        .await;
    two.both("INSERT INTO payments.t SELECT seq, IF(seq % 2, 'EUR', 'eur'), seq, '2026-01-01' + INTERVAL seq HOUR, NULL FROM payments.seq_1_to_48").await;
    let book = Ledger {
        name: "by day".into(),
        table: "payments.t".into(),
        group_by: vec!["cur".into()],
        group_by_day: vec!["at".into()],
        sums: vec!["amount".into()],
    };
    let unique = Columns { table: "payments.t".into(), columns: vec!["k".into()] };
    two.migration.spec.validation.ledger = vec![book];
    two.migration.spec.validation.unique = vec![unique];
    let report = two.compare().await;
    assert_eq!((report.verdict, report.ledger[0].groups), (Verdict::Equal, 5), "{report}");
    two.target("UPDATE payments.t SET amount = amount + 0.0001 WHERE id = 30").await;
    two.target("UPDATE payments.t SET k = 'twice' WHERE id IN (1, 2)").await;
    let report = two.compare().await;
    let expected = "eur | 2026-01-02: count 12, sum of amount 420.0000 on legacy, count 12, sum of amount 420.0001 on target";
    assert_eq!(report.ledger[0].sample, [expected]);
    assert_eq!(report.unique[0].sample, ["(twice) stands 2 times on target"]);
}

#[tokio::test]
async fn tables_and_columns_on_one_side_only_differ() {
    let two = two().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY)").await;
    two.legacy("ALTER TABLE payments.t ADD COLUMN forgotten INT").await;
    two.target("CREATE TABLE payments.surplus (id INT PRIMARY KEY)").await;
    let report = two.compare().await;
    assert_eq!(report.verdict, Verdict::Differs);
    assert!(table(&report, "t").notes[0].contains("\"forgotten\""), "{report}");
    assert_eq!(table(&report, "surplus").notes, ["the table is on target only"]);
}
