//! The file: created whole or not at all, locked by one process, proven sound before it is believed.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tempfile::TempDir;

use super::JournalError;
use super::entry::Row;
use crate::names::MigrationName;

/// Raised whenever an older bascule could not read what a newer one writes.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// A person's `sqlite3` shell may hold the file for a moment; longer than this and a write pause would feel it.
const BUSY_TIMEOUT: Duration = Duration::from_millis(500);

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, attempt INTEGER NOT NULL, generation INTEGER NOT NULL,
  kind TEXT NOT NULL, sentence TEXT NOT NULL, body TEXT NOT NULL, chain TEXT NOT NULL
) STRICT;
CREATE TABLE specs (digest TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;";

/// An open database, and what keeps others from it.
pub(super) struct Disk {
    pub path: PathBuf,
    pub connection: Connection,
    /// Held for its lock, which the system takes back when the process dies.
    _lock: Option<File>,
    /// Where a copy is, which goes with it.
    _copy: Option<TempDir>,
}

impl Disk {
    /// A database that lives as long as this value.
    pub fn in_memory(migration: &MigrationName) -> Result<Self, JournalError> {
        let path = PathBuf::from(":memory:");
        let connection = Connection::open_in_memory().map_err(|error| JournalError::of_sqlite(&path, &error))?;
        let disk = Self { path, connection, _lock: None, _copy: None };
        disk.run(|db| {
            db.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")?;
            lay_out(db, migration, Timestamp::UNIX_EPOCH)
        })?;
        Ok(disk)
    }

    /// The file at `path`, created when there is none.
    pub fn open(path: &Path, migration: &MigrationName, now: Timestamp) -> Result<Self, JournalError> {
        let lock = lock(path)?;
        match fs::metadata(path) {
            Ok(file) if file.len() == 0 => return Err(corrupt(path, "it is empty, and bascule never leaves it so")),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(path, migration, now)?,
            Err(error) => return Err(JournalError::of_io(path, &error)),
        }
        let connection = connect(path).map_err(|error| JournalError::of_sqlite(path, &error))?;
        let disk = Self { path: path.to_owned(), connection, _lock: Some(lock), _copy: None };
        disk.run(|db| {
            db.busy_timeout(BUSY_TIMEOUT)?;
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cell_size_check = ON;")
        })?;
        disk.check_whole()?;
        disk.check_belongs_to(migration)?;
        Ok(disk)
    }

    /// A copy of the file at `path` as it stands, in a place of its own. SQLite reads no file of this kind without making others
    /// beside it, and takes what a killed process has left there into the file itself: so the journal itself is not opened.
    pub fn copy(path: &Path, migration: &MigrationName) -> Result<Self, JournalError> {
        let failed = |error: &std::io::Error| JournalError::of_io(path, error);
        let nobody_writes = lock_shared(path)?;
        let directory = tempfile::tempdir().map_err(|error| failed(&error))?;
        let copy = directory.path().join("copy");
        fs::copy(path, &copy).map_err(|error| failed(&error))?;
        match fs::copy(beside(path, "-wal"), beside(&copy, "-wal")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&error)),
            Ok(_) | Err(_) => {}
        }
        drop(nobody_writes);
        let connection = connect(&copy).map_err(|error| JournalError::of_sqlite(path, &error))?;
        let disk = Self { path: path.to_owned(), connection, _lock: None, _copy: Some(directory) };
        disk.check_whole()?;
        disk.check_belongs_to(migration)?;
        Ok(disk)
    }

    /// The file at `path` as of one moment, while another process goes on writing it. Nothing is written: a reader of SQLite's
    /// write-ahead log neither waits for the writer nor holds it up.
    pub fn moment(path: &Path, migration: &MigrationName) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| JournalError::of_sqlite(path, &error))?;
        let disk = Self { path: path.to_owned(), connection, _lock: None, _copy: None };
        disk.run(|db| {
            db.busy_timeout(BUSY_TIMEOUT)?;
            // The first read after this is the moment; it ends with the connection.
            db.execute_batch("BEGIN")
        })?;
        disk.check_whole()?;
        disk.check_belongs_to(migration)?;
        Ok(disk)
    }

    /// Runs `work`, and sorts what goes wrong.
    pub fn run<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        work(&self.connection).map_err(|error| JournalError::of_sqlite(&self.path, &error))
    }

    /// That the file is damaged.
    pub fn corrupt(&self, detail: impl Into<String>) -> JournalError {
        corrupt(&self.path, detail)
    }

    fn check_whole(&self) -> Result<(), JournalError> {
        let verdict: String = self.run(|db| db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)))?;
        if verdict == "ok" { Ok(()) } else { Err(self.corrupt(verdict)) }
    }

    fn check_belongs_to(&self, migration: &MigrationName) -> Result<(), JournalError> {
        let version = self.meta("schema_version")?;
        match version.parse::<u32>() {
            Ok(SCHEMA_VERSION) => {}
            Ok(found) if found > SCHEMA_VERSION => {
                return Err(JournalError::NewerVersion { path: self.path.clone(), found, known: SCHEMA_VERSION });
            }
            Ok(_) | Err(_) => return Err(self.corrupt(format!("its schema version is `{version}`"))),
        }
        let found = self.meta("migration")?;
        if found == migration.as_str() {
            return Ok(());
        }
        Err(JournalError::AnotherMigration { path: self.path.clone(), found, expected: migration.to_string() })
    }

    fn meta(&self, key: &str) -> Result<String, JournalError> {
        let value = self.run(|db| db.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional())?;
        value.ok_or_else(|| self.corrupt(format!("its meta table has no `{key}`")))
    }

    /// Every row after `after`, in order, at most `limit`.
    pub fn rows(&self, after: u64, limit: usize) -> Result<Vec<Row>, JournalError> {
        self.select("WHERE seq > ?1 ORDER BY seq LIMIT ?2", after, limit)
    }

    /// The last rows before `before`, in order, at most `limit`.
    pub fn rows_before(&self, before: u64, limit: usize) -> Result<Vec<Row>, JournalError> {
        let mut rows = self.select("WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2", before, limit)?;
        rows.reverse();
        Ok(rows)
    }

    fn select(&self, which: &str, seq: u64, limit: usize) -> Result<Vec<Row>, JournalError> {
        self.run(|db| {
            let columns = "seq, at, attempt, generation, kind, sentence, body, chain";
            let mut query = db.prepare_cached(&format!("SELECT {columns} FROM entries {which}"))?;
            let rows = query.query_map(params![clamp(seq), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
                Ok(Row {
                    seq: unsigned(row.get(0)?),
                    at: row.get(1)?,
                    attempt: row.get(2)?,
                    generation: unsigned(row.get(3)?),
                    kind: row.get(4)?,
                    sentence: row.get(5)?,
                    body: row.get(6)?,
                    chain: row.get(7)?,
                })
            })?;
            rows.collect()
        })
    }

    /// Adds one row, and a spec's text with it, as one durable step.
    pub fn append(&self, row: &Row, spec: Option<(&str, &str)>) -> Result<(), JournalError> {
        self.run(|db| match spec {
            None => insert(db, row),
            Some((digest, text)) => {
                let step = db.unchecked_transaction()?;
                step.execute("INSERT OR IGNORE INTO specs (digest, text) VALUES (?1, ?2)", [digest, text])?;
                insert(&step, row)?;
                step.commit()
            }
        })
    }

    /// The text of a spec that was in force once.
    pub fn spec_text(&self, digest: &str) -> Result<Option<String>, JournalError> {
        self.run(|db| db.query_row("SELECT text FROM specs WHERE digest = ?1", [digest], |row| row.get(0)).optional())
    }

    /// Writes something without meaning, to learn whether writing works again.
    pub fn probe(&self, at: Timestamp) -> Result<(), JournalError> {
        self.run(|db| db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('probed', ?1)", [at.to_string()]).map(|_| ()))
    }
}

fn insert(db: &Connection, row: &Row) -> rusqlite::Result<()> {
    let mut statement = db.prepare_cached(
        "INSERT INTO entries (seq, at, attempt, generation, kind, sentence, body, chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let numbers = (clamp(row.seq), row.attempt, clamp(row.generation));
    statement.execute(params![numbers.0, row.at, numbers.1, numbers.2, row.kind, row.sentence, row.body, row.chain]).map(|_| ())
}

/// SQLite's integers are signed.
fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A negative number is none of ours; 0 is refused by the chain.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn corrupt(path: &Path, detail: impl Into<String>) -> JournalError {
    JournalError::Corrupt { path: path.to_owned(), detail: detail.into() }
}

fn lay_out(db: &Connection, migration: &MigrationName, now: Timestamp) -> rusqlite::Result<()> {
    let step = db.unchecked_transaction()?;
    step.execute_batch(TABLES)?;
    let meta =
        [("schema_version", SCHEMA_VERSION.to_string()), ("migration", migration.to_string()), ("created", now.to_string())];
    for (key, value) in meta {
        step.execute("INSERT INTO meta (key, value) VALUES (?1, ?2)", [key, &value])?;
    }
    step.commit()
}

/// One process at a time. The lock is on a file of its own, so that the ordinary `sqlite3` shell can still read along.
fn lock(path: &Path) -> Result<File, JournalError> {
    if let Some(directory) = directory_of(path) {
        fs::create_dir_all(directory).map_err(|error| JournalError::of_io(path, &error))?;
    }
    let file = File::options().create(true).append(true).open(beside(path, ".lock"));
    let file = file.map_err(|error| JournalError::of_io(path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(JournalError::of_io(path, &error)),
    }
}

/// That no process has the journal, for as long as the answer is held; `None` where none has ever opened it here.
fn lock_shared(path: &Path) -> Result<Option<File>, JournalError> {
    let file = match File::open(beside(path, ".lock")) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::of_io(path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(JournalError::of_io(path, &error)),
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Builds the file under another name and renames it, so that a journal at its own name is never half made.
fn create(path: &Path, migration: &MigrationName, now: Timestamp) -> Result<(), JournalError> {
    let failed = |error: &std::io::Error| JournalError::of_io(path, error);
    if beside(path, "-wal").exists() {
        // SQLite would replay that log onto the new file.
        return Err(corrupt(path, "it is gone, though its -wal file is still there"));
    }
    let draft = beside(path, ".new");
    match fs::remove_file(&draft) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    let connection = Connection::open(&draft).map_err(|error| JournalError::of_sqlite(path, &error))?;
    lay_out(&connection, migration, now).map_err(|error| JournalError::of_sqlite(path, &error))?;
    connection.close().map_err(|(_, error)| JournalError::of_sqlite(path, &error))?;
    File::open(&draft).and_then(|file| file.sync_all()).map_err(|error| failed(&error))?;
    fs::rename(&draft, path).map_err(|error| failed(&error))?;
    // A rename is durable once its directory is.
    let directory = directory_of(path).unwrap_or_else(|| Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| failed(&error))
}

fn directory_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|directory| !directory.as_os_str().is_empty())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
