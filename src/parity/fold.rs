//! Rows folded by the server into a count and a checksum.
//!
//! The checksum is the XOR of a hash that is not linear: an XOR of CRCs does not notice two values exchanged between rows.

use serde::{Deserialize, Serialize};

use super::chunks::{Range, SharedKey};
use super::expression::Rows;
use super::server::Hand;
use super::table::{Table, quoted_table};
use crate::fault::Fault;

/// What a range of rows folds into.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fold {
    /// Rows, without those that a declared validation write made.
    pub rows: u64,
    /// Rows that a declared validation write made.
    pub declared_rows: u64,
    /// XOR of the rows' hashes, cut to 64 bits.
    pub xor: u64,
    /// Their sum, where there is no key: an XOR forgets a row that stands there twice.
    pub sum: String,
}

impl Fold {
    /// Whether the rows that count are the same; how many validation rows there are is another matter.
    pub fn same_rows(&self, other: &Self) -> bool {
        self.rows == other.rows && self.xor == other.xor && self.sum == other.sum
    }
}

/// What is compared of a table, and how.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The table on each side.
    pub tables: [Table; 2],
    /// Its rows as text.
    pub rows: Rows,
    /// The key that both sides are read by, or why there is none.
    pub key: Result<SharedKey, String>,
    /// Conditions that pick out declared validation writes.
    pub declared: Vec<String>,
}

impl Subject {
    /// The table on one side, with its index where it is read by key.
    pub fn source(&self, side: usize) -> String {
        match &self.key {
            Ok(key) => key.source(&self.tables[side], side),
            Err(_) => quoted_table(&self.tables[side].name),
        }
    }

    /// An expression that is true for validation writes and never NULL; `None` if there are none.
    pub fn is_declared(&self) -> Option<String> {
        let conditions: Vec<String> = self.declared.iter().map(|condition| format!("({condition})")).collect();
        (!conditions.is_empty()).then(|| format!("COALESCE(({}), FALSE)", conditions.join(" OR ")))
    }

    /// The condition for rows that count, to stand behind another.
    pub fn and_counts(&self) -> String {
        self.is_declared().map(|declared| format!(" AND NOT {declared}")).unwrap_or_default()
    }

    /// The statement that folds the rows for which `condition` holds.
    pub fn fold_statement(&self, side: usize, condition: &str) -> String {
        let hash = self.rows.cut_hash();
        let (declared, hash) = match self.is_declared() {
            None => ("0".to_owned(), hash),
            // Aggregates pass over NULL. A 0 in its place would make a DECIMAL of the hash, and BIT_XOR cut that to 63 bits.
            Some(declared) => (format!("COALESCE(SUM({declared}), 0)"), format!("IF({declared}, NULL, {hash})")),
        };
        let sum = if self.key.is_ok() { "''".to_owned() } else { format!("CAST(COALESCE(SUM({hash}), 0) AS CHAR)") };
        format!(
            "SELECT COUNT(*), CAST({declared} AS UNSIGNED), BIT_XOR({hash}), {sum} FROM {} WHERE {condition}",
            self.source(side)
        )
    }
}

/// Folds the rows of `range` on the side of `hand`; without a key, the whole table.
///
/// # Errors
/// A fault, where the server does not answer.
pub async fn fold(hand: &mut Hand, subject: &Subject, range: &Range) -> Result<Fold, Fault> {
    let attempted = format!("fold rows of {}", subject.tables[0].name);
    let mut folded: Vec<(u64, u64, u64, String)> = match &subject.key {
        Ok(key) => hand.rows(&attempted, &subject.fold_statement(hand.index(), &key.condition(range))).await?,
        Err(_) => hand.rows_of_whole(&attempted, &subject.fold_statement(hand.index(), "TRUE")).await?,
    };
    let (all, declared_rows, xor, sum) = folded.pop().unwrap_or_default();
    Ok(Fold { rows: all.saturating_sub(declared_rows), declared_rows, xor, sum })
}
