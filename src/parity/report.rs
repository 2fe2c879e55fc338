//! What a comparison found, for people and for programs.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{MigrationName, TableName};

/// The result of one comparison of two databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The migration's name.
    pub migration: String,
    /// All in all.
    pub verdict: Verdict,
    /// How it was known that rows had arrived before a difference counted.
    pub proof: String,
    /// When the first row was read: nothing here is older.
    pub began: Timestamp,
    /// When the last doubt was settled.
    pub finished: Timestamp,
    /// Why there is no report of any table, where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Table by table, by name.
    pub tables: Vec<TableReport>,
    /// The books, in the spec's order.
    pub ledger: Vec<BookReport>,
    /// Columns that hold no value twice, in the spec's order.
    pub unique: Vec<BookReport>,
}

/// The three answers there are. Unknown is not equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Everything was compared, and is the same.
    Equal,
    /// It could not be found out.
    Unknown,
    /// Something is certain to differ.
    Differs,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Equal => "equal",
            Self::Unknown => "unknown",
            Self::Differs => "differs",
        })
    }
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TableReport {
    /// `schema.table`
    pub table: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Rows on legacy and on target, as each was read, without declared validation writes.
    pub rows: [u64; 2],
    /// Rows of declared validation writes on legacy and on target: expected drift.
    pub declared_rows: [u64; 2],
    /// Rows that differ for certain.
    pub differing: u64,
    /// Rows that differed at first and were equal once everything had arrived.
    pub arrived: u64,
    /// Rows that kept changing, so that nothing can be said about them yet.
    pub in_flight: u64,
    /// Some of the rows that differ, by key.
    pub sample: Vec<Difference>,
    /// What somebody should know about how it was compared, or why it could not be.
    pub notes: Vec<String>,
    /// When its first row was read: nothing here is older.
    pub began: Timestamp,
    /// When the last doubt was settled.
    pub finished: Timestamp,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The columns of its key as SQL literals.
    pub key: Vec<String>,
    /// How it differs.
    pub how: How,
}

/// How a row differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum How {
    /// Target lacks it.
    OnlyOnLegacy,
    /// Legacy lacks it.
    OnlyOnTarget,
    /// Both have it, with other values in these columns.
    Columns(Vec<String>),
}

/// A ledger, or columns that are to be unique.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookReport {
    /// The ledger's name, or the table and its columns.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Groups that were compared, or 0.
    pub groups: u64,
    /// What does not balance, or which values stand twice; some of them.
    pub sample: Vec<String>,
    /// Why it could not be found out.
    pub notes: Vec<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}) ", self.key.iter().map(|literal| readable(literal)).collect::<Vec<_>>().join(", "))?;
        match &self.how {
            How::OnlyOnLegacy => f.write_str("is missing on target"),
            How::OnlyOnTarget => f.write_str("is on target only"),
            How::Columns(columns) => write!(f, "differs in {}", columns.join(", ")),
        }
    }
}

/// A literal as a person would write it: hexadecimal text as text, as far as it can be seen.
fn readable(literal: &str) -> String {
    let Some(digits) = literal.strip_prefix("_utf8mb4 0x") else { return literal.to_owned() };
    let byte = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    match bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(text) => format!("'{}'", text.escape_debug()),
        None => literal.to_owned(),
    }
}

impl Report {
    /// The verdict over all parts: certain difference before ignorance before equality.
    pub fn overall(tables: &[TableReport], books: &[&BookReport]) -> Verdict {
        let verdicts = tables.iter().map(|table| table.verdict).chain(books.iter().map(|book| book.verdict));
        verdicts.max().unwrap_or(Verdict::Unknown)
    }

    /// The report of a comparison that found nothing out.
    pub fn failed(migration: &MigrationName, why: String, began: Timestamp, finished: Timestamp) -> Self {
        Self {
            migration: migration.to_string(),
            verdict: Verdict::Unknown,
            proof: "none".to_owned(),
            began,
            finished,
            notes: vec![why],
            tables: Vec::new(),
            ledger: Vec::new(),
            unique: Vec::new(),
        }
    }

    /// Rows that were compared, on the fuller side of each table.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows[0].max(table.rows[1])).sum()
    }

    /// Whatever keeps it from being clean, one sentence each; the certain before the unknown.
    pub fn complaints(&self) -> Vec<String> {
        let tables = self.tables.iter().map(|table| (table.verdict, table.complaint()));
        let books = self.ledger.iter().map(|book| ("ledger", book)).chain(self.unique.iter().map(|book| ("unique", book)));
        let books = books.map(|(kind, book)| (book.verdict, book.complaint(kind)));
        let mut complaints: Vec<(Verdict, String)> =
            tables.chain(books).filter(|(verdict, _)| *verdict != Verdict::Equal).collect();
        complaints.sort_by_key(|(verdict, _)| std::cmp::Reverse(*verdict));
        self.notes.iter().cloned().chain(complaints.into_iter().map(|(_, complaint)| complaint)).collect()
    }
}

impl TableReport {
    /// Of a table of which no row counts, and why.
    pub fn unread(table: &TableName, verdict: Verdict, why: &str, now: Timestamp) -> Self {
        Self {
            table: table.to_string(),
            verdict,
            rows: [0, 0],
            declared_rows: [0, 0],
            differing: 0,
            arrived: 0,
            in_flight: 0,
            sample: Vec::new(),
            notes: vec![why.to_owned()],
            began: now,
            finished: now,
        }
    }

    /// What is not equal, in a sentence.
    fn complaint(&self) -> String {
        let Self { table, differing, in_flight, .. } = self;
        let such_as = self.sample.first().map_or_else(String::new, |row| format!(", such as: {row}"));
        match (self.verdict, differing, in_flight) {
            (Verdict::Equal, ..) => format!("{table} is equal"),
            (Verdict::Differs, 1.., _) => format!("{table} differs in {differing} rows{such_as}"),
            (Verdict::Unknown, _, 1..) => {
                format!("{in_flight} rows of {table} kept changing, or did not arrive, and could not be compared")
            }
            (Verdict::Differs | Verdict::Unknown, ..) => {
                format!("{table} {}: {}", self.verdict.predicate(), self.notes.join("; "))
            }
        }
    }
}

impl BookReport {
    fn complaint(&self, kind: &str) -> String {
        let why: Vec<&str> = self.sample.iter().chain(&self.notes).map(String::as_str).take(3).collect();
        format!("{kind} {} {}: {}", self.name, self.verdict.predicate(), why.join("; "))
    }
}

impl Verdict {
    const fn predicate(self) -> &'static str {
        match self {
            Self::Equal => "is equal",
            Self::Unknown => "could not be compared",
            Self::Differs => "differs",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            let [legacy, target] = table.rows;
            writeln!(f, "{:<8} {}  {legacy} rows on legacy, {target} on target", table.verdict, table.table)?;
            if table.declared_rows != [0, 0] {
                let [legacy, target] = table.declared_rows;
                writeln!(f, "         expected drift: {legacy} declared rows on legacy, {target} on target")?;
            }
            for (count, what) in [
                (table.differing, "differ"),
                (table.arrived, "were on their way and have arrived equal"),
                (table.in_flight, "kept changing and could not be compared"),
            ] {
                if count > 0 {
                    writeln!(f, "         {count} rows {what}")?;
                }
            }
            for difference in &table.sample {
                writeln!(f, "           {difference}")?;
            }
            for note in &table.notes {
                writeln!(f, "         {note}")?;
            }
            writeln!(f, "         as of {:.0} to {:.0}", table.began, table.finished)?;
        }
        for (kind, books) in [("ledger", &self.ledger), ("unique", &self.unique)] {
            for book in books {
                writeln!(f, "{:<8} {kind} {}", book.verdict, book.name)?;
                for line in book.sample.iter().chain(&book.notes) {
                    writeln!(f, "           {line}")?;
                }
            }
        }
        writeln!(f, "{} {} (differences were checked again: {})", self.migration, self.verdict, self.proof)
    }
}
