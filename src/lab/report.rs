//! What a lab has to say at the end, from the servers' own rows and the customers' own memory.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::customers::{Book, Switch};
use super::held::HeldTransaction;
use super::mover::Trouble;
use super::mover::table::quoted;
use super::proof::RowsOf;
use super::schema::PAYMENTS;
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
    /// Payments and ledger entries on the other side that the authoritative one lacks, or has otherwise: acknowledged or not.
    pub left_behind: u64,
    /// Both sides' rows, once nobody wrote any more and replication was still at work; absent where the story leaves the
    /// other side behind.
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
            && self.held.iter().all(|held| held.rows == 0)
            && self.tables.as_ref().is_none_or(agree)
    }
}

/// What became of the payments, and of rows that nobody was told of.
pub(super) struct Counted {
    pub payments: PaymentCounts,
    pub left_behind: u64,
}

/// A payment's or an entry's row: its id, and its amount as the server writes it.
type Rows = BTreeMap<String, (u64, String)>;

async fn read(connection: &mut Conn, schema: &str, table: &str, amount: &str) -> Result<Rows, Trouble> {
    let question = format!("SELECT CAST(idempotency_key AS CHAR), id, CAST({amount} AS CHAR) FROM {}.{table}", quoted(schema));
    let rows: Vec<(String, u64, String)> = connection.query(question).await?;
    Ok(rows.into_iter().map(|(key, id, amount)| (key, (id, amount))).collect())
}

/// Compares what customers were told with the rows of the authoritative server (`here`), and with the other's.
pub(super) async fn count(here: &mut Conn, there: &mut Conn, book: &Book, schema: &str) -> Result<Counted, Trouble> {
    let payments_here = read(here, schema, PAYMENTS, "amount").await?;
    let payments_there = read(there, schema, PAYMENTS, "amount").await?;
    let entries_here = read(here, schema, "ledger_entries", "delta").await?;
    let entries_there = read(there, schema, "ledger_entries", "delta").await?;
    let mut payments = PaymentCounts { refused: book.refused(), ..PaymentCounts::default() };
    for (key, told) in book.acknowledged() {
        payments.acknowledged += 1;
        let paid = payments_here.get(&key).is_some_and(|(_, amount)| *amount == told.amount);
        let booked = match told.style {
            super::customers::Style::Autocommit => !entries_here.contains_key(&key),
            super::customers::Style::Transaction => entries_here.get(&key).is_some_and(|(_, amount)| *amount == told.amount),
        };
        payments.lost += u64::from(!paid || !booked);
    }
    let twice = |here: &Rows, there: &Rows| {
        there.iter().filter(|(key, (id, _))| here.get(*key).is_some_and(|(other, _)| other != id)).count() as u64
    };
    let missing = |here: &Rows, there: &Rows| there.iter().filter(|(key, row)| here.get(*key) != Some(row)).count() as u64;
    payments.duplicated = twice(&payments_here, &payments_there) + twice(&entries_here, &entries_there);
    let left_behind = missing(&payments_here, &payments_there) + missing(&entries_here, &entries_there);
    Ok(Counted { payments, left_behind })
}
