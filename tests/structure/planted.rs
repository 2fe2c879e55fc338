//! Differences are planted on the target, found, and cured by what is printed.

use std::collections::BTreeMap;

use bascule::checks::outcome::{Code, Verdict};
use bascule::checks::schema::Severity::{self, Blocks, Harmless, Matters};
use bascule::spec::checks::IgnoredDifference;

use super::fixture::{Pair, names};

/// What is done to the target; what is to be found of it, how serious; and what cures it where no cure is printed.
type Planted = (&'static str, &'static str, Severity, Option<&'static str>);

const PLANTED: [Planted; 27] = [
    ("DROP TABLE payments.disputes", "payments.disputes", Blocks, None),
    ("ALTER TABLE payments.customers DROP COLUMN is_active", "payments.customers.is_active", Blocks, None),
    ("ALTER TABLE payments.refunds MODIFY amount DECIMAL(10,2) NOT NULL", "payments.refunds.amount", Blocks, None),
    ("ALTER TABLE payments.refunds MODIFY reason VARCHAR(250) NULL", "payments.refunds.reason", Matters, None),
    (
        "ALTER TABLE payments.customers MODIFY name VARCHAR(80) COLLATE utf8mb4_bin NOT NULL",
        "payments.customers.name",
        Matters,
        None,
    ),
    ("ALTER TABLE payments.payments DROP KEY ix_created", "payments.payments.ix_created", Blocks, None),
    (
        "ALTER TABLE payments.payments DROP KEY ix_status, ADD KEY ix_status (status(9), created_at)",
        "payments.payments.ix_status",
        Blocks,
        None,
    ),
    ("ALTER TABLE payments.payments DROP KEY ux_reference", "payments.payments.ux_reference", Blocks, None),
    ("ALTER TABLE payments.customers RENAME KEY ft_note TO ft_other", "payments.customers.ft_note", Harmless, None),
    ("ALTER TABLE payments.settlements ADD KEY ix_total (total)", "payments.settlements.ix_total", Harmless, None),
    ("ALTER TABLE payments.refunds DROP FOREIGN KEY fk_payment", "payments.refunds.fk_payment (foreign key)", Matters, None),
    ("ALTER TABLE payments.payments DROP FOREIGN KEY fk_customer", "payments.payments.fk_customer (foreign key)", Blocks, None),
    ("ALTER TABLE payments.migrations MODIFY id INT UNSIGNED NOT NULL", "payments.migrations.id", Blocks, None),
    ("ALTER TABLE payments.settlements DROP PRIMARY KEY", "payments.settlements.PRIMARY", Blocks, None),
    ("ALTER TABLE payments.settlements MODIFY total DECIMAL(18,4) NOT NULL", "payments.settlements.total", Blocks, None),
    (
        "ALTER TABLE payments.payments MODIFY label VARCHAR(100) AS (CONCAT(reference, customer_id)) VIRTUAL",
        "payments.payments.label",
        Blocks,
        None,
    ),
    ("ALTER TABLE payments.payments MODIFY cents BIGINT NULL", "payments.payments.cents", Blocks, None),
    ("ALTER TABLE payments.payments ALTER status DROP DEFAULT", "payments.payments.status", Blocks, None),
    (
        "ALTER TABLE payments.payments MODIFY updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
        "payments.payments.updated_at",
        Blocks,
        None,
    ),
    ("ALTER TABLE payments.payments DROP CONSTRAINT ck_amount", "payments.payments.ck_amount (check)", Matters, None),
    ("ALTER TABLE payments.refunds ROW_FORMAT=COMPACT, DEFAULT COLLATE utf8mb4_bin", "payments.refunds", Matters, None),
    (
        "CREATE TRIGGER payments.tr_double AFTER INSERT ON payments.payments FOR EACH ROW DELETE FROM payments.refunds",
        "payments.tr_double (trigger)",
        Blocks,
        None,
    ),
    ("ALTER EVENT payments.forget_notes ENABLE", "payments.forget_notes (event)", Blocks, None),
    (
        "DROP PROCEDURE payments.settle",
        "payments.settle (procedure)",
        Blocks,
        Some(
            "USE payments; CREATE PROCEDURE settle(IN settlement INT, OUT total DECIMAL(18,4)) \
             SELECT SUM(s.total) INTO total FROM settlements s WHERE s.id = settlement",
        ),
    ),
    (
        "DROP VIEW payments.big_payments",
        "payments.big_payments",
        Blocks,
        Some("USE payments; CREATE VIEW big_payments AS SELECT p.id, p.amount FROM payments p WHERE p.amount > 100"),
    ),
    ("SET GLOBAL sql_mode = 'ONLY_FULL_GROUP_BY'", "sql_mode", Blocks, None),
    ("SET GLOBAL time_zone = '+02:00'", "time_zone", Blocks, None),
];

#[tokio::test]
async fn each_planted_difference_is_found_and_nothing_else_and_the_printed_cures_cure() {
    finds_and_cures(&Pair::start().await).await;
}

/// All of it, on two servers of whatever kind that have the application's schema.
pub async fn finds_and_cures(pair: &Pair) {
    assert_eq!(names(&pair.differences().await), Vec::<&str>::new(), "both sides were made alike");
    for (plant, ..) in &PLANTED {
        pair.target(plant).await;
    }
    let found = pair.differences().await;
    let told: BTreeMap<&str, Severity> = found.iter().map(|difference| (difference.what.as_str(), difference.severity)).collect();
    let planted: BTreeMap<&str, Severity> = PLANTED.iter().map(|(_, what, severity, _)| (*what, *severity)).collect();
    assert_eq!(told, planted);
    assert_eq!(found.len(), PLANTED.len(), "each is told once");
    for difference in &found {
        let by_hand = PLANTED.iter().find(|(_, what, ..)| *what == difference.what).and_then(|(.., by_hand)| *by_hand);
        assert!(
            difference.cure.is_some() != by_hand.is_some(),
            "either it is printed what to do, or a person has to know: {difference}"
        );
        pair.target(difference.cure.as_deref().or(by_hand).expect("one of both")).await;
    }
    let after = pair.differences().await;
    assert!(after.is_empty(), "the cures did not cure {after:#?}");
}

#[tokio::test]
async fn the_check_fails_with_the_missing_table_by_name_and_passes_once_it_is_there() {
    let mut pair = Pair::start().await;
    let passed = pair.run().await;
    assert_eq!((passed.verdict, passed.code), (Verdict::Pass, Code::AsDeclared), "{}", passed.message);
    pair.target("DROP TABLE payments.disputes").await;
    let failed = pair.run().await;
    assert_eq!((failed.verdict, failed.code), (Verdict::Fail, Code::SchemaDiffers));
    assert!(failed.message.contains("payments.disputes"), "{}", failed.message);
    let evidence = failed.evidence.iter().find(|evidence| evidence.asked.contains("payments.disputes")).expect("it is shown");
    assert!(evidence.answered.contains("CREATE TABLE `payments`.`disputes`"), "{}", evidence.answered);
    let why = "Disputes are kept elsewhere from now on.".to_owned();
    pair.check.ignore.push(IgnoredDifference { what: "payments.disputes".into(), why });
    assert_eq!(pair.run().await.verdict, Verdict::Pass, "what is meant is no difference");
}

#[tokio::test]
async fn what_is_only_on_the_target_is_told_by_how_much_it_hurts() {
    let pair = Pair::start().await;
    pair.target(
        "CREATE TABLE payments.scratch (id INT PRIMARY KEY);
         ALTER TABLE payments.refunds ADD COLUMN wanted INT NOT NULL, ADD COLUMN spare INT NULL;
         ALTER TABLE payments.refunds ADD UNIQUE KEY ux_payment (payment_id);
         CREATE FUNCTION payments.spare() RETURNS INT DETERMINISTIC RETURN 1;
         CREATE EVENT payments.idle ON SCHEDULE EVERY 1 DAY DISABLE DO DO 0",
    )
    .await;
    let found: Vec<(String, Severity)> = pair.differences().await.into_iter().map(|found| (found.what, found.severity)).collect();
    let expected = [
        ("payments.refunds.wanted", Blocks),
        ("payments.refunds.spare", Matters),
        ("payments.refunds.ux_payment", Blocks),
        ("payments.scratch", Matters),
        ("payments.spare (function)", Harmless),
    ];
    assert_eq!(found, expected.map(|(what, severity)| (what.to_owned(), severity)));
}

#[tokio::test]
async fn a_trigger_is_wanted_after_the_cutover_and_dangerous_before_it() {
    let pair = Pair::start().await;
    let trigger = "CREATE TRIGGER payments.tr_note BEFORE INSERT ON payments.customers FOR EACH ROW SET NEW.note = 'x'";
    pair.legacy(trigger).await;
    let found = pair.differences().await;
    assert_eq!((names(&found).as_slice(), found[0].severity), (["payments.tr_note (trigger)"].as_slice(), Matters));
    assert_eq!(found[0].cure, None, "it must not be created yet");
    pair.target(trigger).await;
    let found = pair.differences().await;
    assert_eq!(found[0].severity, Blocks);
    assert_eq!(found[0].cure.as_deref(), Some("DROP TRIGGER `payments`.`tr_note`"));
}

#[tokio::test]
async fn a_whole_schema_that_was_never_created_is_made_by_its_cures() {
    let pair = Pair::start().await;
    pair.target("DROP DATABASE payments").await;
    let found = pair.differences().await;
    assert_eq!(found[0].what, "payments");
    for cure in found.iter().filter_map(|difference| difference.cure.as_deref()) {
        pair.target(cure).await;
    }
    let left = pair.differences().await;
    let programs =
        ["payments.forget_notes (event)", "payments.fee_of (function)", "payments.settle (procedure)", "payments.big_payments"];
    assert_eq!(names(&left), programs, "only what has no printed text is left");
}
