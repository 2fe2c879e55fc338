//! How both sides are compared: pace, rules for single columns, and the books that have to balance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How rows are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Parity {
    /// Rows that one statement folds. More are a little faster, fewer let a busy server breathe more often.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub chunk_rows: u32,
    /// The most rows a second that are read on each side; 0 is as fast as the servers go.
    #[schemars(range(min = 0, max = 100_000_000))]
    pub max_rows_per_second: u32,
    /// The comparison waits while either server has more `Threads_running` than this.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_threads_running: u32,
    /// A table without a key is folded in one statement that nothing can slow down. One with more rows than this, as the
    /// server estimates them, is not compared, which keeps the gate closed that asks for equal rows.
    #[schemars(range(min = 0, max = 10_000_000_000_u64))]
    pub max_rows_without_key: u64,
    /// Columns that are not compared.
    #[schemars(length(max = 64))]
    pub exclude: Vec<Columns>,
    /// Columns whose values are compared after a difference in form is taken out.
    #[schemars(length(max = 64))]
    pub normalise: Vec<Normalised>,
}

impl Default for Parity {
    /// Twenty thousand rows take a server 20 to 40 ms, and cost a few percent of a scan in one piece. A hundred threads that
    /// run at once are more than two dozen processors keep up with. Ten million rows are folded in some fifteen seconds.
    fn default() -> Self {
        Self {
            chunk_rows: 20_000,
            max_rows_per_second: 0,
            max_threads_running: 100,
            max_rows_without_key: 10_000_000,
            exclude: Vec::new(),
            normalise: Vec::new(),
        }
    }
}

/// Columns of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Columns {
    /// `schema.table`
    pub table: String,
    /// Its columns.
    #[schemars(length(min = 1, max = 64))]
    pub columns: Vec<String>,
}

/// Columns of one table and what does not count in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Normalised {
    /// `schema.table`
    pub table: String,
    /// Its columns.
    #[schemars(length(min = 1, max = 64))]
    pub columns: Vec<String>,
    /// What is taken out.
    pub rule: Rule,
}

/// A difference in form that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Rule {
    /// Order of members and white space in JSON that is stored as text.
    Json,
    /// Spaces at the end.
    TrailingSpaces,
    /// Upper and lower case.
    Case,
    /// Fractions of a second, cut off.
    FractionalSeconds,
    /// What lies behind the sixth decimal of a FLOAT or DOUBLE.
    SixDecimals,
}

/// Sums and counts that must be equal on both sides, group by group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ledger {
    /// What the report calls it.
    pub name: String,
    /// `schema.table`
    pub table: String,
    /// Columns whose values make the groups, byte for byte: currency, status.
    #[serde(default)]
    #[schemars(length(max = 8))]
    pub group_by: Vec<String>,
    /// Columns of moments, each cut to its day in UTC, that divide the groups further.
    #[serde(default)]
    #[schemars(length(max = 4))]
    pub group_by_day: Vec<String>,
    /// Columns that are summed. Rows are always counted.
    #[serde(default)]
    #[schemars(length(max = 16))]
    pub sums: Vec<String>,
}
