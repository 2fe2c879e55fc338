//! Who saves the rows that a forced rollback leaves behind, and how far that is.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::Answer;
use crate::spec::Migration;

/// One export's name: one for each try, so that no try takes another's rows for its own. It may stand in the name of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ExportName(pub String);

impl fmt::Display for ExportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Rows that are saved durably: every one that legacy lacks, or holds with other values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quarantined {
    /// Where they are.
    pub place: String,
    /// How many of which table, as `schema.table`; tables without any are left out.
    pub tables: BTreeMap<String, u64>,
    /// SHA-256 of the list of files with their own SHA-256, in hexadecimal.
    pub sha256: String,
}

impl Quarantined {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().sum()
    }
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<String> = self.tables.iter().map(|(table, rows)| format!("{rows} of {table}")).collect();
        let of_which = if tables.is_empty() { String::new() } else { format!(" ({})", tables.join(", ")) };
        write!(f, "{} rows{of_which} in {}", self.rows(), self.place)
    }
}

/// The newest export, as it is known in this process: a look at memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Which.
    pub name: ExportName,
    /// How far it is.
    pub stand: ExportStand,
}

/// How far an export is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportStand {
    /// Rows are being read and written.
    UnderWay,
    /// Every row is on the disk.
    Saved(Quarantined),
    /// Not every row is, so that none counts.
    Failed {
        /// Why.
        why: String,
        /// When that was known.
        at: Timestamp,
    },
}

/// Saves rows in its own time, so that the budget of a pause of writes goes on being watched.
///
/// What it has saved counts once it is journalled; until then it is saved again after a crash, in the same place.
pub trait Exporter: Send + Sync + fmt::Debug {
    /// Begins to save every row of the target that legacy lacks, unless that is under way under this name.
    fn begin<'a>(&'a self, migration: &'a Migration, name: &'a ExportName) -> Answer<'a, ()>;

    /// Gives up what is under way. Nothing that was saved is taken away.
    fn stop(&self);

    /// How the newest one stands; `None` where this process has begun none.
    fn export(&self) -> Option<Export>;
}
