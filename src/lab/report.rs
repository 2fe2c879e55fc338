//! What a lab has to say at the end, from the servers' own rows and the customers' own memory.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::customers::{Book, Switch};
use super::held::HeldTransaction;
use super::mover::Trouble;
use super::mover::table::quoted;
use super::proof::RowsOf;
use super::schema::{OPENED, PAYMENTS};
use crate::sim::report::PaymentCounts;

/// One table's rows on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TablePair {
    /// On legacy.
    pub legacy: RowsOf,
    /// On the target.
    pub target: RowsOf,
}

/// The end of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabReport {
    /// The servers' version.
    pub server: String,
    /// Connections of the application.
    pub connections: u32,
    /// Payments a second, of all of them together, while a switch was near and nobody in their way.
    pub payments_per_second: u32,
    /// What the lab's spec has that the operator's has not.
    pub replaced: Vec<String>,
    /// What became of the payments.
    pub payments: PaymentCounts,
    /// Payments, ledger entries, customers and audit records on the other side that the authoritative one lacks, or has
    /// otherwise: acknowledged or not. A payment's status may have gone on, and may not have gone back.
    pub left_behind: u64,
    /// Accounts on the authoritative side whose balance is not the sum of their ledger entries.
    pub unbalanced: u64,
    /// Both sides' rows when nobody could write any more and everything had arrived: at the end, or, where the story goes back
    /// to legacy, between the target's fence and legacy's opening. Absent where that moment never came, or could not be read.
    pub tables: Option<Vec<TablePair>>,
    /// Refused tries by the server's error number, or by what happened to the connection.
    pub refusals: BTreeMap<String, u64>,
    /// Every change of the side that acknowledges.
    pub switches: Vec<Switch>,
    /// Transactions that somebody held open, where somebody did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldTransaction>,
    /// What the whole journey took, its servers' installation included.
    pub real_seconds: u64,
}

impl LabReport {
    /// Whether every row is where it must be, once.
    pub fn is_good(&self) -> bool {
        let agree = |tables: &Vec<TablePair>| tables.iter().all(|pair| pair.legacy == pair.target);
        self.payments.lost == 0
            && self.payments.duplicated == 0
            && self.left_behind == 0
            && self.unbalanced == 0
            && self.held.iter().all(|held| held.rows == 0)
            && self.tables.as_ref().is_some_and(agree)
    }
}

/// What became of the payments, and of rows that nobody was told of.
pub(super) struct Counted {
    pub payments: PaymentCounts,
    pub left_behind: u64,
    pub unbalanced: u64,
}

/// A payment's or an entry's row.
#[derive(Debug, PartialEq, Eq)]
struct RowOf {
    id: u64,
    /// As the server writes it.
    amount: String,
    /// How far the payment is, counted from 1; the same for every entry.
    status: u8,
}

/// Rows by their idempotency key.
type Rows = BTreeMap<String, RowOf>;

async fn read(connection: &mut Conn, schema: &str, table: &str, amount: &str, status: &str) -> Result<Rows, Trouble> {
    let schema = quoted(schema);
    let question =
        format!("SELECT CAST(idempotency_key AS CHAR), id, CAST({amount} AS CHAR), {status} + 0 FROM {schema}.{table}");
    let rows: Vec<(String, u64, String, u8)> = connection.query(question).await?;
    Ok(rows.into_iter().map(|(key, id, amount, status)| (key, RowOf { id, amount, status })).collect())
}

/// Whole rows of a table that no payment changes, each as a hash of all it holds.
async fn still(connection: &mut Conn, schema: &str, table: &str, columns: &str) -> Result<BTreeSet<String>, Trouble> {
    let question = format!("SELECT SHA2(CONCAT_WS('|', {columns}), 256) FROM {}.{table}", quoted(schema));
    let rows: Vec<String> = connection.query(question).await?;
    Ok(rows.into_iter().collect())
}

/// Accounts whose balance is not what was booked on them since they were opened.
async fn unbalanced(connection: &mut Conn, schema: &str) -> Result<u64, Trouble> {
    let schema = quoted(schema);
    let question = format!(
        "SELECT COUNT(*) FROM {schema}.accounts a LEFT JOIN (SELECT account_id, SUM(delta) AS booked FROM \
         {schema}.ledger_entries WHERE idempotency_key NOT LIKE '{OPENED}%' GROUP BY account_id) e ON e.account_id = a.id \
         WHERE a.balance <> COALESCE(e.booked, 0)"
    );
    Ok(connection.query_first(question).await?.unwrap_or_default())
}

/// Compares what customers were told with the rows of the authoritative server (`here`), and with the other's.
pub(super) async fn count(here: &mut Conn, there: &mut Conn, book: &Book, schema: &str) -> Result<Counted, Trouble> {
    let payments_here = read(here, schema, PAYMENTS, "amount", "status").await?;
    let payments_there = read(there, schema, PAYMENTS, "amount", "status").await?;
    let entries_here = read(here, schema, "ledger_entries", "delta", "1").await?;
    let entries_there = read(there, schema, "ledger_entries", "delta", "1").await?;
    let mut payments = PaymentCounts { refused: book.refused(), ..PaymentCounts::default() };
    for (key, told) in book.acknowledged() {
        payments.acknowledged += 1;
        let paid = payments_here.get(&key).is_some_and(|row| row.amount == told.amount);
        let booked = match told.style {
            super::customers::Style::Autocommit => !entries_here.contains_key(&key),
            super::customers::Style::Transaction => entries_here.get(&key).is_some_and(|row| row.amount == told.amount),
        };
        payments.lost += u64::from(!paid || !booked);
    }
    let twice = |here: &Rows, there: &Rows| {
        there.iter().filter(|(key, row)| here.get(*key).is_some_and(|other| other.id != row.id)).count() as u64
    };
    let missing = |here: &Rows, there: &Rows| there.iter().filter(|(key, row)| !goes_on(here.get(*key), row)).count() as u64;
    payments.duplicated = twice(&payments_here, &payments_there) + twice(&entries_here, &entries_there);
    let mut left_behind = missing(&payments_here, &payments_there) + missing(&entries_here, &entries_there);
    for (table, columns) in STILL {
        let ours = still(here, schema, table, columns).await?;
        left_behind += still(there, schema, table, columns).await?.difference(&ours).count() as u64;
    }
    Ok(Counted { payments, left_behind, unbalanced: unbalanced(here, schema).await? })
}

/// Tables that no payment changes, with their columns as text; none of them is ever NULL.
const STILL: [(&str, &str); 2] =
    [("customers", "id, name, HEX(fingerprint), labels, score, since"), ("audit", "at, what, HEX(who)")];

/// Whether the authoritative side has a row of the other one, at least as far as it was there. Pure.
fn goes_on(here: Option<&RowOf>, there: &RowOf) -> bool {
    here.is_some_and(|here| here.id == there.id && here.amount == there.amount && here.status >= there.status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::TableName;

    fn row(id: u64, amount: &str, status: u8) -> RowOf {
        RowOf { id, amount: amount.to_owned(), status }
    }

    #[test]
    fn a_payment_may_have_gone_on_and_nothing_else_of_it_may_be_otherwise() {
        let there = row(1, "2.5000", 2);
        assert!(goes_on(Some(&row(1, "2.5000", 2)), &there) && goes_on(Some(&row(1, "2.5000", 3)), &there));
        for other in [row(2, "2.5000", 2), row(1, "2.5001", 2), row(1, "2.5000", 1)] {
            assert!(!goes_on(Some(&other), &there), "{other:?}");
        }
        assert!(!goes_on(None, &there), "it is not there at all");
    }

    #[test]
    fn a_lab_whose_rows_were_never_held_against_each_other_is_not_good() {
        let rows =
            |checksum: &str| RowsOf { table: TableName::new("payments", "payments"), rows: 1, checksum: checksum.to_owned() };
        let lab = |tables| LabReport {
            server: String::new(),
            connections: 1,
            payments_per_second: 1,
            replaced: Vec::new(),
            payments: PaymentCounts::default(),
            left_behind: 0,
            unbalanced: 0,
            tables,
            refusals: BTreeMap::new(),
            switches: Vec::new(),
            held: Vec::new(),
            real_seconds: 0,
        };
        let pair = |target| vec![TablePair { legacy: rows("a"), target: rows(target) }];
        assert!(lab(Some(pair("a"))).is_good());
        assert!(!lab(Some(pair("b"))).is_good());
        assert!(!lab(None).is_good());
        assert!(!LabReport { unbalanced: 1, ..lab(Some(pair("a"))) }.is_good());
    }
}
