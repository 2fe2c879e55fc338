//! The structure of one side's declared schemas: what the application and replication depend on, and no replicated row carries.
//!
//! Names of types, character sets and rules are those that the newest servers print, whichever server was read. Texts of
//! programs are kept as digests: enough to see that they differ, too little to give away what stands in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::TableName;

/// The declared schemas of one database, and the settings of its server that change what statements do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// The server.
    pub environment: Environment,
    /// Those of the declared schemas that are there, by name.
    pub schemas: BTreeMap<String, Schema>,
}

impl Structure {
    /// How many tables there are.
    pub fn table_count(&self) -> usize {
        self.schemas.values().map(|schema| schema.tables.len()).sum()
    }

    /// Every table with its schema's and its own name.
    pub fn tables(&self) -> impl Iterator<Item = (&String, &String, &Table)> {
        self.schemas.iter().flat_map(|(schema, of)| of.tables.iter().map(move |(name, table)| (schema, name, table)))
    }
}

/// Whose server it is. MySQL and Aurora print expressions alike, MariaDB in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// MySQL.
    MySql,
    /// Aurora MySQL, whose settings are those of its parameter group.
    Aurora,
    /// MariaDB.
    MariaDb,
}

/// The server's settings, as a session gets them that sets none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Whose server it is.
    pub maker: Maker,
    /// What it calls itself: `MariaDB 10.11.14`.
    pub version: String,
    /// `sql_mode`
    pub sql_mode: BTreeSet<String>,
    /// `time_zone`
    pub time_zone: TimeZone,
    /// What else changes the meaning of statements.
    pub settings: BTreeMap<Setting, String>,
}

/// What `NOW()` shows. Equal by what it shows: `SYSTEM`, `CET` and `Europe/Berlin` may be one.
#[derive(Debug, Clone)]
pub struct TimeZone {
    /// As the server has it: `SYSTEM`, `+01:00`, `Europe/Berlin`.
    pub name: String,
    /// Minutes east of UTC in January.
    pub january_minutes: i64,
    /// Minutes east of UTC in July.
    pub july_minutes: i64,
}

impl PartialEq for TimeZone {
    fn eq(&self, other: &Self) -> bool {
        (self.january_minutes, self.july_minutes) == (other.january_minutes, other.july_minutes)
    }
}

impl Eq for TimeZone {}

/// A global variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// `character_set_server`
    CharacterSet,
    /// `collation_server`
    Collation,
    /// `lower_case_table_names`
    LowerCaseTableNames,
    /// `explicit_defaults_for_timestamp`
    ExplicitDefaultsForTimestamp,
    /// `innodb_strict_mode`
    InnodbStrictMode,
    /// `transaction_isolation`
    TransactionIsolation,
}

impl Setting {
    /// The variable's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CharacterSet => "character_set_server",
            Self::Collation => "collation_server",
            Self::LowerCaseTableNames => "lower_case_table_names",
            Self::ExplicitDefaultsForTimestamp => "explicit_defaults_for_timestamp",
            Self::InnodbStrictMode => "innodb_strict_mode",
            Self::TransactionIsolation => "transaction_isolation",
        }
    }
}

/// One schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// What a table gets that names no collation.
    pub collation: String,
    /// Tables by name.
    pub tables: BTreeMap<String, Table>,
    /// Views by name.
    pub views: BTreeMap<String, Program>,
    /// Routines by name and kind, such as `settle (procedure)`: procedures and functions may share a name.
    pub routines: BTreeMap<String, Routine>,
    /// Events by name.
    pub events: BTreeMap<String, Event>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `BASE TABLE`, or what MariaDB has beside it: `SEQUENCE`, `SYSTEM VERSIONED`.
    pub kind: String,
    /// Its storage engine.
    pub engine: String,
    /// `DYNAMIC`, `COMPACT`, ...
    pub row_format: String,
    /// What a column gets that names no collation.
    pub collation: String,
    /// How its rows are laid out.
    pub layout: Layout,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Its indexes by name; `PRIMARY` is the primary key.
    pub indexes: BTreeMap<String, Index>,
    /// Foreign keys by name.
    pub foreign_keys: BTreeMap<String, ForeignKey>,
    /// Conditions that its rows must meet, by name.
    pub checks: BTreeMap<String, String>,
    /// Triggers by name.
    pub triggers: BTreeMap<String, Trigger>,
}

impl Table {
    /// A column. MySQL does not tell names of columns apart by case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// How a table's rows are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In one piece.
    Whole,
    /// In partitions.
    Partitioned,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its whole type: `bigint unsigned`, `decimal(18,4)`, `enum('a','b')`.
    pub column_type: String,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// The collation, which names the character set too; `None` for what is not text.
    pub collation: Option<String>,
    /// Where its value comes from.
    pub filling: Filling,
}

/// Where a column's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filling {
    /// From whoever writes the row.
    Given {
        /// What is taken where nothing is given; `None` is NULL, or an error where the column cannot be.
        default: Option<DefaultValue>,
        /// What is taken in an update that does not name the column.
        on_update: Option<String>,
    },
    /// `AUTO_INCREMENT`
    Numbered,
    /// From the other columns.
    Generated {
        /// How.
        expression: String,
        /// Where.
        kept: Kept,
    },
}

/// A column's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// A value, written as text without quotes.
    Literal(String),
    /// Something that is evaluated: `current_timestamp(6)`, `uuid()`, `b'101'`.
    Expression(String),
}

/// Where a generated column's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the row.
    Stored,
    /// Nowhere: they are computed when they are read.
    Virtual,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// What it is for.
    pub kind: IndexKind,
    /// What it is made of, in its order.
    pub parts: Vec<IndexPart>,
    /// Whether the optimiser may use it.
    pub visibility: Visibility,
}

/// What an index is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexKind {
    /// Each value once; the primary key is one of these.
    Unique,
    /// Finding rows.
    Plain,
    /// Finding words.
    FullText,
    /// Finding places.
    Spatial,
}

/// Whether the optimiser may use an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// It may.
    Visible,
    /// `INVISIBLE` in MySQL, `IGNORED` in MariaDB.
    Hidden,
}

/// One part of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexPart {
    /// What it holds.
    pub of: IndexedValue,
    /// In which order.
    pub order: IndexOrder,
}

/// What a part of an index holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexedValue {
    /// A column.
    Column {
        /// Its name.
        name: String,
        /// Its first characters or bytes alone, where it is not all of it.
        prefix: Option<u64>,
    },
    /// What comes of an expression.
    Expression(String),
}

/// Which way a part of an index is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexOrder {
    /// `ASC`
    Ascending,
    /// `DESC`
    Descending,
}

/// One foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its columns, in its order.
    pub columns: Vec<String>,
    /// The table that it leads to.
    pub referenced: TableName,
    /// The columns there.
    pub referenced_columns: Vec<String>,
    /// `RESTRICT`, `CASCADE`, `SET NULL`; `NO ACTION` is `RESTRICT` here, as it is to InnoDB.
    pub on_delete: String,
    /// The same for updates.
    pub on_update: String,
}

/// Text that the server runs, and with whose rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// SHA-256 of its text, in hexadecimal.
    pub digest: String,
    /// `user@host`
    pub definer: String,
    /// `DEFINER` or `INVOKER`; empty where there is no choice.
    pub security: String,
}

/// One trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// When, and at which change: `AFTER INSERT`.
    pub fires: String,
    /// What it does.
    pub program: Program,
}

/// One procedure, function or package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    /// What it takes and gives: `IN amount decimal(18,4)`.
    pub parameters: Vec<String>,
    /// What it does.
    pub program: Program,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `every 1 DAY`, or when it happens once.
    pub schedule: String,
    /// Whether it runs here.
    pub enabled: bool,
    /// What it does.
    pub program: Program,
}
