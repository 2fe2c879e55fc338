//! One simulated database: rows, accounts, the binary log, and the controller's own schema.
//!
//! Not modelled: isolation levels, locks between transactions, XA, foreign keys. Every commit is one moment.

pub mod binlog;
pub mod compare;
pub mod export;
pub mod rows;
pub mod seam;
pub mod structure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::binlog::{Binlog, Change, Origin};
use self::rows::{DuplicateEntry, NoSuchRow, Row, Table, TableNumber};
use crate::database::{AccountLock, AccountView, BinlogPosition, BinlogView, LogForm};
use crate::names::{Account, Direction, MarkerId, Side, TableName};

/// How many connections the application's pool holds with each account.
const POOL_CONNECTIONS: u32 = 8;
/// Aurora purges lazily when no retention is set, "usually" within a day: six hours is unkind and possible.
const LAZY_PURGE: Duration = Duration::from_secs(6 * 3600);

/// Whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountUse {
    /// The application writes with it.
    Application,
    /// Validation traffic writes with it.
    Validation,
}

/// One account.
#[derive(Debug, Clone)]
pub struct DatabaseAccount {
    /// Its name.
    pub account: Account,
    /// Whose it is.
    pub used_by: AccountUse,
    /// Whether it may connect.
    pub lock: AccountLock,
}

/// Whether the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Availability {
    /// It does.
    Available,
    /// It restarts: every connection is refused.
    Rebooting,
}

/// The binary log settings in effect, which only a restart changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogSettings {
    /// `OFF`, `ROW`, ...
    pub format: String,
    /// `FULL`, ...
    pub row_image: String,
    /// `NONE`, `CRC32`
    pub checksum: String,
    /// Compressed or not.
    pub form: LogForm,
}

/// The database of one side.
#[derive(Debug)]
pub struct SimDatabase {
    /// Which side.
    pub side: Side,
    /// Tables by number.
    pub tables: Vec<Table>,
    /// Tables of the setting that nobody created here.
    pub missing: BTreeSet<TableName>,
    /// Every account that the spec declares.
    pub accounts: Vec<DatabaseAccount>,
    /// Accounts that nobody declared, each with a privilege that lets it undo a fence.
    pub strangers: Vec<(Account, &'static str)>,
    /// Numbers given to the application's rows since the world last looked.
    pub given: Vec<(TableNumber, u64)>,
    /// Whether it answers.
    pub availability: Availability,
    /// The log.
    pub log: Binlog,
    /// What is in effect.
    pub binlog: BinlogSettings,
    /// `binlog retention hours`; `None` promises nothing.
    pub retention_hours: Option<u32>,
    /// The newest controller's epoch.
    pub epoch: u64,
    /// Marker rows.
    pub markers: BTreeSet<MarkerId>,
    /// Heartbeat rows, by the side that wrote them.
    pub heartbeats: BTreeMap<Side, Timestamp>,
    /// The sequence number after the last commit of the application that was logged.
    pub application_end: u64,
    /// Commits of the application that no binary log holds.
    pub unlogged_commits: u64,
    /// All commits of the application.
    pub application_commits: u64,
}

impl SimDatabase {
    /// An empty database with these accounts, all unlocked; legacy writes a binary log, Aurora by default none.
    pub fn new(side: Side, tables: usize, accounts: Vec<DatabaseAccount>) -> Self {
        let (format, checksum, retention_hours) = match side {
            // Two weeks: longer than any rehearsal, as an operator would have set it before a migration.
            Side::Legacy => ("ROW", "NONE", Some(14 * 24)),
            Side::Target => ("OFF", "CRC32", None),
        };
        let (format, row_image, checksum) = (format.to_owned(), "FULL".to_owned(), checksum.to_owned());
        let binlog = BinlogSettings { format, row_image, checksum, form: LogForm::Plain };
        Self {
            side,
            tables: (0..tables).map(|_| Table::default()).collect(),
            missing: BTreeSet::new(),
            accounts,
            strangers: Vec::new(),
            given: Vec::new(),
            availability: Availability::Available,
            log: Binlog::default(),
            binlog,
            retention_hours,
            epoch: 0,
            markers: BTreeSet::new(),
            heartbeats: BTreeMap::new(),
            application_end: 0,
            unlogged_commits: 0,
            application_commits: 0,
        }
    }

    /// Whether commits are logged.
    pub fn is_logging(&self) -> bool {
        self.binlog.format != "OFF"
    }

    /// Whether an account of this use can connect and write now.
    pub fn accepts(&self, used_by: AccountUse) -> bool {
        self.availability == Availability::Available && self.is_unlocked(used_by)
    }

    /// Whether any account of this use is unlocked, even while the server restarts.
    pub fn is_unlocked(&self, used_by: AccountUse) -> bool {
        self.accounts.iter().any(|account| account.used_by == used_by && !account.lock.is_shut())
    }

    /// A fence locks those of `accounts` that exist here and are open.
    pub fn lock(&mut self, accounts: &[Account]) {
        self.turn(accounts, AccountLock::Open, AccountLock::ByFence);
    }

    /// A fence unlocks those of `accounts` that it has locked.
    pub fn unlock(&mut self, accounts: &[Account]) {
        self.turn(accounts, AccountLock::ByFence, AccountLock::Open);
    }

    fn turn(&mut self, accounts: &[Account], from: AccountLock, to: AccountLock) {
        let known = self.accounts.iter_mut().filter(|known| accounts.contains(&known.account));
        for account in known.filter(|known| known.lock == from) {
            account.lock = to;
        }
    }

    /// Every account with its connections. `held` connections outlived their account's lock.
    pub fn account_views(&self, held: u32) -> Vec<AccountView> {
        let mut held = held;
        self.accounts
            .iter()
            .map(|account| {
                let connections = match (account.lock.is_shut(), account.used_by) {
                    (false, AccountUse::Application) => POOL_CONNECTIONS,
                    (false, AccountUse::Validation) => 1,
                    (true, AccountUse::Application) => std::mem::take(&mut held),
                    (true, AccountUse::Validation) => 0,
                };
                let is_foreign = account.lock == AccountLock::BySomebodyElse;
                let foreign_locks = is_foreign.then(|| account.account.clone()).into_iter().collect();
                AccountView { account: account.account.clone(), lock: account.lock, foreign_locks, connections }
            })
            .collect()
    }

    /// The binary log settings in effect, as SQL shows them.
    pub fn binlog_view(&self) -> BinlogView {
        BinlogView {
            enabled: self.is_logging(),
            format: self.binlog.format.clone(),
            row_image: self.binlog.row_image.clone(),
            checksum: self.binlog.checksum.clone(),
            form: self.binlog.form,
            retention_hours: self.retention_hours,
            oldest: self.is_logging().then(|| self.log.oldest()),
        }
    }

    /// The end of the binary log, where there is one.
    pub fn position(&self) -> Option<BinlogPosition> {
        self.is_logging().then(|| self.log.position())
    }

    /// Gives one of the application's rows its primary key.
    pub fn take_id(&mut self, table: TableNumber) -> u64 {
        let id = self.tables[table].take_id();
        self.given.push((table, id));
        id
    }

    /// Commits changes whose rows are known to fit.
    pub fn commit(&mut self, at: Timestamp, origin: Origin, changes: Vec<Change>) {
        for change in &changes {
            self.store(change);
        }
        self.write_log(at, origin, Arc::from(changes));
    }

    /// Writes the binary log, if there is one.
    pub fn write_log(&mut self, at: Timestamp, origin: Origin, changes: Arc<[Change]>) {
        if self.is_logging() {
            self.log.append(at, origin, changes);
            self.purge(at);
        }
        if origin == Origin::Application {
            self.application_commits += 1;
        }
        match (origin, self.is_logging()) {
            (Origin::Application, true) => self.application_end = self.log.next_seq(),
            (Origin::Application, false) => self.unlogged_commits += 1,
            (Origin::Validation | Origin::Controller | Origin::Replication(_), _) => {}
        }
    }

    fn store(&mut self, change: &Change) {
        match change {
            Change::Insert(table, row) | Change::Update(table, row) => self.tables[*table].put(*row),
            Change::Heartbeat(side, at) => {
                self.heartbeats.insert(*side, *at);
            }
            Change::Marker(marker) => {
                self.markers.insert(marker.clone());
            }
        }
    }

    /// Applies one replicated change; the unique indexes have the last word.
    pub fn apply(&mut self, change: &Change) -> Result<(), ApplyError> {
        match change {
            Change::Insert(table, row) => self.tables[*table].insert(*row)?,
            Change::Update(table, row) => self.tables[*table].update(*row)?,
            Change::Heartbeat(..) | Change::Marker(_) => self.store(change),
        }
        Ok(())
    }

    /// Forgets what the retention no longer promises.
    pub fn purge(&mut self, now: Timestamp) {
        let retention = self.retention_hours.map_or(LAZY_PURGE, |hours| Duration::from_secs(u64::from(hours) * 3600));
        self.log.purge(now, retention);
    }

    /// The server goes down.
    pub const fn go_down(&mut self) {
        self.availability = Availability::Rebooting;
    }

    /// The server is back, with these settings in effect.
    pub fn come_up(&mut self, settings: BinlogSettings) {
        let was_logging = self.is_logging();
        self.availability = Availability::Available;
        self.binlog = settings;
        if was_logging && !self.is_logging() {
            self.log.clear();
        } else {
            self.log.rotate();
        }
    }

    /// The last few rows of a table, newest first: what clients still change.
    pub fn recent(&self, table: TableNumber, count: usize) -> impl Iterator<Item = &Row> {
        self.tables[table].rows().rev().take(count)
    }
}

/// Why a replicated change could not be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// 1062
    #[error(transparent)]
    DuplicateEntry(#[from] DuplicateEntry),
    /// Zero rows affected.
    #[error(transparent)]
    NoSuchRow(#[from] NoSuchRow),
}

/// Both sides.
#[derive(Debug)]
pub struct Databases {
    /// Legacy.
    pub legacy: SimDatabase,
    /// Target.
    pub target: SimDatabase,
}

impl Databases {
    /// One side.
    pub const fn side(&self, side: Side) -> &SimDatabase {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }

    /// One side, to change it.
    pub const fn side_mut(&mut self, side: Side) -> &mut SimDatabase {
        match side {
            Side::Legacy => &mut self.legacy,
            Side::Target => &mut self.target,
        }
    }

    /// The side that rows leave, and the side that they reach.
    pub const fn along(&mut self, direction: Direction) -> (&SimDatabase, &mut SimDatabase) {
        match direction {
            Direction::Forward => (&self.legacy, &mut self.target),
            Direction::Reverse => (&self.target, &mut self.legacy),
        }
    }
}
