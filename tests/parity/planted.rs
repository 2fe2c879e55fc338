//! Differences planted into a million payments, one after the other: each is found exactly, and nothing else.

use bascule::parity::report::Verdict;

use crate::fixture::{PAYMENTS, Two, payments, table, told};

const ROWS: u64 = 1_000_000;

/// What is planted on target, how it is taken back, and what must be said about it.
const PLANTED: [(&str, &str, &[&str]); 8] = [
    (
        "UPDATE payments.payments SET amount = amount + 0.0001 WHERE id = 123456",
        "UPDATE payments.payments SET amount = amount - 0.0001 WHERE id = 123456",
        &["(123456) differs in amount"],
    ),
    (
        // Equal length: an XOR of CRCs, as other tools use it, does not notice.
        "UPDATE payments.payments SET currency = IF(currency = 'EUR', 'USD', 'EUR') WHERE id IN (300000, 300001)",
        "UPDATE payments.payments SET currency = IF(currency = 'EUR', 'USD', 'EUR') WHERE id IN (300000, 300001)",
        &["(300000) differs in currency", "(300001) differs in currency"],
    ),
    (
        "DELETE FROM payments.payments WHERE id = 999999",
        "INSERT INTO payments.payments SELECT 999999, 'key-999999', 'customer-999', 999999 * 1.01, 'EUR', 1, \
         '2026-01-01' + INTERVAL 999999 SECOND, '2026-01-01' + INTERVAL 999999 SECOND, NULL",
        &["(999999) is missing on target"],
    ),
    (
        "INSERT INTO payments.payments SELECT id + 5000000, 'key-x', customer_id, amount, currency, status, created_at, \
         updated_at, note FROM payments.payments WHERE id = 7",
        "DELETE FROM payments.payments WHERE id = 5000007",
        &["(5000007) is on target only"],
    ),
    (
        "UPDATE payments.payments SET note = '' WHERE id = 500001",
        "UPDATE payments.payments SET note = NULL WHERE id = 500001",
        &["(500001) differs in note"],
    ),
    (
        "UPDATE payments.payments SET note = 'paid in full' WHERE id = 600000",
        "UPDATE payments.payments SET note = 'Paid in Full' WHERE id = 600000",
        &["(600000) differs in note"],
    ),
    (
        "UPDATE payments.payments SET note = 'Paid in Full ' WHERE id = 700000",
        "UPDATE payments.payments SET note = 'Paid in Full' WHERE id = 700000",
        &["(700000) differs in note"],
    ),
    (
        // Written by a session that forgot its time zone.
        "UPDATE payments.payments SET updated_at = updated_at + INTERVAL 1 HOUR WHERE id = 800000",
        "UPDATE payments.payments SET updated_at = updated_at - INTERVAL 1 HOUR WHERE id = 800000",
        &["(800000) differs in updated_at"],
    ),
];

#[tokio::test]
async fn every_planted_difference_in_a_million_payments_is_found_exactly_and_nothing_else() {
    let mut two = Two::start_with([&["--default-time-zone=+09:00"], &["--default-time-zone=-05:00"]]).await;
    // The books are another test's; here they would be summed nine times.
    two.migration.spec.validation.ledger.clear();
    two.migration.spec.validation.unique.clear();
    two.both(PAYMENTS).await;
    two.both(&payments(ROWS)).await;
    let clean = two.compare().await;
    assert_eq!(clean.verdict, Verdict::Equal, "{clean}");
    assert_eq!(table(&clean, "payments").rows, [ROWS, ROWS]);
    for (plant, take_back, expected) in PLANTED {
        two.target(plant).await;
        let report = two.compare().await;
        let payments = table(&report, "payments");
        assert_eq!((report.verdict, payments.verdict), (Verdict::Differs, Verdict::Differs), "{plant}");
        assert_eq!(told(payments), expected, "{plant}");
        assert_eq!(payments.differing, expected.len() as u64, "{plant}");
        assert_eq!((payments.arrived, payments.in_flight), (0, 0), "{plant}");
        two.target(take_back).await;
    }
    let clean = two.compare().await;
    assert_eq!(clean.verdict, Verdict::Equal, "{clean}");
}
