//! The one seam to a database: what the controller reads there and the few things it writes.
//!
//! Two implementations stand behind it: the simulated databases of the stand-in world, and real MySQL or MariaDB servers.
//! Every verb is idempotent and safe to repeat after a crash. Every write carries the caller's [`Epoch`], which the
//! database compares with the one in its own marker schema in the same transaction: a stale controller is refused there.

mod inspection;
mod migrations;
pub mod receipt;
pub mod structure;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::names::{Account, MarkerId, Side, TableName};

pub use inspection::{Bypass, Counter, IdFloor, IdSpace, Inspection, Lender, Stride};
pub use migrations::{Framework, MigrationsTable};
pub use receipt::Receipt;
pub use structure::Structure;

/// Which incarnation of the controller is acting; each start of the process takes the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Whether a controller took it: 0 is nobody's, and whoever has it only observes.
    pub const fn is_taken(self) -> bool {
        self.0 > 0
    }
}

/// A place in a server's binary log. Ordered by file, then by offset; files of one server sort by their number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct BinlogPosition {
    /// `mysql-bin-changelog.000024`
    pub file: String,
    /// Offset of the next event in that file.
    pub offset: u64,
}

impl fmt::Display for BinlogPosition {
    /// DMS's native form, `file:offset`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

/// Whether an account is locked (`ACCOUNT LOCK`), and by whom: a fence opens what it closed, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AccountLock {
    /// A new connection is let in.
    Open,
    /// A new connection is refused until this fence opens.
    ByFence,
    /// A new connection is refused, and was so before this fence closed: opening it changes nothing.
    BySomebodyElse,
}

impl AccountLock {
    /// Whether a new connection is refused.
    pub const fn is_shut(self) -> bool {
        !matches!(self, Self::Open)
    }
}

/// What one account may do at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccountView {
    /// The account.
    pub account: Account,
    /// Whether a new connection is refused.
    pub lock: AccountLock,
    /// Host rows of its user that are locked, and not by this fence: they stay so.
    pub foreign_locks: Vec<Account>,
    /// Connections it still holds. A lock alone leaves these writing for ever.
    pub connections: u32,
}

/// In which form transactions stand in the binary log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LogForm {
    /// Event by event, which every reader understands.
    Plain,
    /// Compressed (`@@binlog_transaction_compression`, MariaDB's `@@log_bin_compress`), which DMS cannot read.
    Compressed,
}

/// The binary log settings *in effect*, read by SQL on the writer; a parameter group only says what is wished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BinlogView {
    /// `@@log_bin`
    pub enabled: bool,
    /// `@@binlog_format`
    pub format: String,
    /// `@@binlog_row_image`
    pub row_image: String,
    /// `@@binlog_checksum`
    pub checksum: String,
    /// Whether what is written from now on is compressed.
    pub form: LogForm,
    /// Hours that binary logs are kept; `None` is Aurora's lazy purge, which promises nothing.
    pub retention_hours: Option<u32>,
    /// The oldest position still on the server; `None` where no binary log is written.
    pub oldest: Option<BinlogPosition>,
}

/// One consistent look at one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseView {
    /// When it was taken.
    pub at: Timestamp,
    /// Every declared account, application and validation alike.
    pub accounts: Vec<AccountView>,
    /// Transactions (XA prepared ones too) of declared accounts that are still open.
    pub open_transactions: u32,
    /// The end of the binary log, read after the two fields above; `None` where no binary log is written.
    pub position: Option<BinlogPosition>,
    /// The binary log settings in effect.
    pub binlog: BinlogView,
    /// The epoch of the newest controller that wrote here.
    pub epoch: Epoch,
    /// Tables of the declared schemas.
    pub tables: BTreeSet<TableName>,
    /// Markers of this migration that are here, whichever side wrote them.
    pub markers: BTreeSet<MarkerId>,
    /// The newest heartbeat that each side wrote, as far as it has come here.
    pub heartbeats: BTreeMap<Side, Timestamp>,
    /// What was tried, where every application account is shut; `None` where one of them is not.
    pub receipt: Option<Receipt>,
}

/// Rows that validation traffic is allowed to make on the target, by predicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeclaredWrites {
    /// `schema.table`
    pub table: String,
    /// A SQL condition that picks out the validation rows, such as `customer_id = 'validation'`.
    #[serde(rename = "where")]
    pub predicate: String,
}

/// The future of a database verb.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// One side's database, as its controller account sees it.
pub trait Database: Send + Sync + fmt::Debug {
    /// Which side this is.
    fn side(&self) -> Side;

    /// Looks at everything in one consistent read. Reads only.
    fn look(&self) -> Answer<'_, DatabaseView>;

    /// Reads what changes only by somebody's hand: privileges, and ways round the fence. Reads only, and slower than a look.
    fn inspect(&self) -> Answer<'_, Inspection>;

    /// Reads which numbers the tables of the declared schemas have given to their rows. Reads only.
    fn id_space(&self) -> Answer<'_, IdSpace>;

    /// Reads the structure of the declared schemas, in one round trip. Reads only.
    ///
    /// What the controller's account may not see would seem not to be there: then it is denied, and nothing is answered.
    fn structure(&self) -> Answer<'_, Structure>;

    /// Reads which of the application's own migrations were run here. Reads only.
    fn migrations<'a>(&'a self, table: &'a MigrationsTable) -> Answer<'a, BTreeSet<String>>;

    /// The one number that a query answers, in a session that cannot write. What is no single SELECT is refused by the server.
    fn number<'a>(&'a self, query: &'a str) -> Answer<'a, i64>;

    /// Raises the next number of each table to its floor. A counter that is higher already is left alone.
    fn raise_ids<'a>(&'a self, epoch: Epoch, floors: &'a [IdFloor]) -> Answer<'a, ()>;

    /// Writes a heartbeat row into the marker schema, and nothing else.
    ///
    /// It is the one write that an observation makes: replication lag can only be measured by a row that travelled.
    fn beat(&self, epoch: Epoch) -> Answer<'_, ()>;

    /// Locks `accounts`, kills their connections, and waits, killing again, until none is left.
    ///
    /// Returning `Ok` is not the proof; the next [`look`](Self::look) is.
    fn close_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()>;

    /// Unlocks those of `accounts` that [`close_fence`](Self::close_fence) had locked. Whom somebody else had locked stays so.
    fn open_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()>;

    /// Writes a marker row; a marker that is there already is success.
    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()>;

    /// Keeps binary logs for `hours` (`mysql.rds_set_configuration('binlog retention hours', hours)`).
    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()>;
}
