//! The one number that a query answers, and everything that is refused in its place.

use bascule::database::Database;
use bascule::fault::Problem;
use bascule::names::Side;

use super::fixture::Pair;

#[tokio::test]
async fn a_query_answers_one_number_and_can_change_nothing() {
    let pair = Pair::start().await;
    pair.legacy(
        "USE payments;
         INSERT INTO settlements VALUES (1, 1, 10), (1, 2, 32);
         CREATE FUNCTION writes() RETURNS INT DETERMINISTIC BEGIN INSERT INTO settlements VALUES (9, 9, 9); RETURN 1; END;
         CREATE PROCEDURE writing() BEGIN INSERT INTO settlements VALUES (8, 8, 8); SELECT 1; END",
    )
    .await;
    let legacy = pair.database(Side::Legacy);
    for (query, number) in [
        ("SELECT COUNT(*) FROM payments.settlements", 2),
        ("SELECT COUNT(*) FROM payments.settlements -- how many", 2),
        ("SELECT CAST(SUM(total) AS UNSIGNED) FROM payments.settlements", 42),
        ("SELECT part FROM payments.settlements ORDER BY part DESC LIMIT 1", 2),
        ("WITH some AS (SELECT part FROM payments.settlements) SELECT -MAX(part) FROM some", -2),
    ] {
        assert_eq!(legacy.number(query).await.expect("a number"), number, "{query}");
    }
    let written = pair.server(Side::Legacy).directory().join("written");
    let outfile = format!("SELECT 1 INTO OUTFILE '{}'", written.display());
    for query in [
        "DELETE FROM payments.settlements",
        "SELECT 1; DROP TABLE payments.settlements",
        "SELECT 1) AS a; DROP TABLE payments.settlements; SELECT * FROM (SELECT 1",
        "CALL payments.writing()",
        "SELECT payments.writes()",
        "SET SESSION TRANSACTION READ WRITE",
        outfile.as_str(),
        "SELECT part FROM payments.settlements",
        "SELECT 1, 2",
        "SELECT NULL",
        "SELECT 'many'",
        "SELECT 1.5",
        "SELECT 1 FROM payments.settlements WHERE id = 77",
        "",
    ] {
        let fault = legacy.number(query).await.expect_err(query);
        assert!(!matches!(fault.problem, Problem::Ambiguous { .. }), "it is known that nothing came of it: {fault}");
    }
    assert_eq!(legacy.number("SELECT COUNT(*) FROM payments.settlements").await.expect("a number"), 2, "nothing was written");
    assert!(!written.exists(), "no file either");
}
