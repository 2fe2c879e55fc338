//! Which of the application's own migrations were run, by the four conventions.

use std::collections::BTreeSet;

use bascule::checks::outcome::{Code, Verdict};
use bascule::database::{Database, Framework, MigrationsTable};
use bascule::fault::Problem;
use bascule::names::Side;

use super::fixture::Pair;

fn table(framework: Framework) -> MigrationsTable {
    MigrationsTable { framework, schema: "payments".into(), table: None }
}

#[tokio::test]
async fn every_framework_s_own_table_is_understood() {
    let pair = Pair::start().await;
    pair.legacy(
        "USE payments;
         CREATE TABLE flyway_schema_history (installed_rank INT PRIMARY KEY, version VARCHAR(50), script TEXT, success BOOL);
         INSERT INTO flyway_schema_history VALUES (1, '1.1', 'V1.1__a.sql', 1), (2, NULL, 'R__views.sql', 1),
             (3, '2', 'V2__b.sql', 0);
         CREATE TABLE schema_migrations (version VARCHAR(190) PRIMARY KEY);
         INSERT INTO schema_migrations VALUES ('20260101120000');
         CREATE TABLE django_migrations (id INT PRIMARY KEY, app VARCHAR(200), name VARCHAR(200));
         INSERT INTO django_migrations VALUES (1, 'payments', '0001_initial')",
    )
    .await;
    let legacy = pair.database(Side::Legacy);
    let run = async |framework| legacy.migrations(&table(framework)).await.expect("they are read");
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(run(Framework::Flyway).await, names(&["1.1", "R__views.sql"]), "one that failed was not run");
    assert_eq!(run(Framework::Laravel).await, names(&["2026_01_01_create_payments", "2026_02_01_create_disputes"]));
    assert_eq!(run(Framework::Rails).await, names(&["20260101120000"]));
    assert_eq!(run(Framework::Django).await, names(&["payments.0001_initial"]));
    let fault = pair.database(Side::Target).migrations(&table(Framework::Rails)).await.expect_err("it is not there");
    assert!(matches!(fault.problem, Problem::NotFound { .. }), "{fault}");
}

#[tokio::test]
async fn a_migration_that_was_not_run_on_one_side_fails_the_check_by_name() {
    let mut pair = Pair::start().await;
    pair.check.migrations = Some(table(Framework::Laravel));
    let passed = pair.run().await;
    assert_eq!(passed.verdict, Verdict::Pass, "{}", passed.message);
    assert!(
        passed.evidence.iter().any(|evidence| evidence.answered.contains("2026_02_01_create_disputes")),
        "{:?}",
        passed.evidence
    );
    pair.target("DELETE FROM payments.migrations WHERE migration LIKE '%disputes'").await;
    pair.legacy("INSERT INTO payments.migrations (migration, batch) VALUES ('2026_03_01_more', 3)").await;
    pair.target("INSERT INTO payments.migrations (migration, batch) VALUES ('2026_04_01_hotfix', 3)").await;
    let failed = pair.run().await;
    assert_eq!((failed.verdict, failed.code), (Verdict::Fail, Code::MigrationsDiffer));
    let told = "of the application's migrations, target has not run 2026_02_01_create_disputes, 2026_03_01_more, \
                and legacy has not run 2026_04_01_hotfix";
    assert_eq!(failed.message, told);
}

#[tokio::test]
async fn a_table_of_migrations_that_legacy_does_not_have_proves_nothing() {
    let mut pair = Pair::start().await;
    pair.check.migrations = Some(table(Framework::Flyway));
    let outcome = pair.run().await;
    assert_eq!((outcome.verdict, outcome.code), (Verdict::Unknown, Code::NotAsked), "{}", outcome.message);
    assert!(outcome.message.contains("payments.flyway_schema_history"), "{}", outcome.message);
}
