//! The journal: durable facts and the history of one migration, in a SQLite file that the ordinary `sqlite3` shell can read.
//!
//! Entries are only ever appended. An intent is durable before its call; a fact counts from the moment it is durable. What
//! cannot be read whole is refused, never repaired, and while nothing can be written the controller only observes.

mod disk;
mod entry;
mod error;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;

use crate::database::Epoch;
use crate::migration::facts::{Fact, Facts};
use crate::migration::ladder::Rung;
use crate::migration::plan::Action;
use crate::migration::source::Commit;
use crate::names::MigrationName;
use crate::spec::Phase;
use disk::Disk;

pub use entry::{Entry, EntryId, Event, EventKind, Outcome, Row, seed, sha256};
pub use error::JournalError;

/// The most entries one call of [`Journal::history`] returns: a page, not the whole file in memory.
pub const HISTORY_PAGE: usize = 1000;

/// Rows folded at a time when the journal is opened.
const FOLD_PAGE: usize = 4096;

/// Where the crash hook is called: the two places at which a crash is worth rehearsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JournalPlace {
    /// Nothing is durable yet.
    Before(EventKind),
    /// It is durable, and the caller does not know yet.
    After(EventKind),
}

/// Called around every write, outside all locks; it may unwind.
pub type CrashHook = Box<dyn Fn(JournalPlace) + Send + Sync>;

/// A spec that was in force, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSpec {
    /// Its generation.
    pub generation: u64,
    /// SHA-256 of its text.
    pub digest: String,
    /// Where it was read.
    pub source: String,
    /// What was read.
    pub text: String,
}

/// A disk that fails on purpose, for rehearsals and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFault {
    /// It works.
    None,
    /// It has no room left.
    Full,
    /// It refuses writes.
    ReadOnly,
}

/// The journal of one migration. Share it as `Arc<Journal>`.
pub struct Journal {
    state: Mutex<State>,
    hook: RwLock<Option<Arc<CrashHook>>>,
}

struct State {
    disk: Disk,
    fold: Fold,
    /// Why the newest write failed, until one succeeds.
    trouble: Option<JournalError>,
    closed: Closed,
}

/// Whether a failure may ever heal here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closed {
    No,
    ForGood,
}

/// What all entries add up to.
#[derive(Clone)]
struct Fold {
    last: EntryId,
    newest: Option<Timestamp>,
    /// The chain value of the last row; at first one that depends on the migration's name.
    chain: String,
    facts: Arc<Facts>,
    epoch: Epoch,
    spec: Option<InForce>,
}

/// The spec in force, without its text.
#[derive(Clone)]
struct InForce {
    generation: u64,
    digest: String,
    source: String,
    commit: Option<Commit>,
}

impl Fold {
    fn new(migration: &MigrationName) -> Self {
        Self { last: EntryId(0), newest: None, chain: seed(migration), facts: Arc::default(), epoch: Epoch(0), spec: None }
    }

    fn generation(&self) -> u64 {
        self.spec.as_ref().map_or(0, |spec| spec.generation)
    }

    fn apply(&mut self, entry: &Entry, chain: String) {
        self.last = entry.seq;
        self.newest = self.newest.max(Some(entry.at));
        self.chain = chain;
        match &entry.event {
            Event::Started { epoch } => self.epoch = *epoch,
            Event::SpecAccepted { digest, source, commit } => {
                let (digest, source, commit) = (digest.clone(), source.clone(), commit.clone());
                self.spec = Some(InForce { generation: entry.generation, digest, source, commit });
            }
            Event::Fact(fact) => Arc::make_mut(&mut self.facts).apply(entry.at, fact),
            Event::SpecRefused { .. } | Event::Intent(_) | Event::Outcome { .. } | Event::StatusChanged { .. } => {}
        }
    }
}

impl State {
    fn read(&self, rows: Vec<Row>) -> Result<Vec<Entry>, JournalError> {
        rows.into_iter().map(|row| row.read().map_err(|why| self.disk.corrupt(why))).collect()
    }

    fn new(disk: Disk, migration: &MigrationName) -> Result<Self, JournalError> {
        let mut fold = Fold::new(migration);
        loop {
            let rows = disk.rows(fold.last.0, FOLD_PAGE)?;
            if rows.is_empty() {
                return Ok(Self { disk, fold, trouble: None, closed: Closed::No });
            }
            for row in rows {
                if row.seq != fold.last.0 + 1 || row.chain != row.link(&fold.chain) {
                    return Err(disk.corrupt(format!("entry {} is not the one that was written", fold.last.0 + 1)));
                }
                let chain = row.chain.clone();
                let entry = row.read().map_err(|why| disk.corrupt(format!("entry {}: {why}", fold.last.0 + 1)))?;
                fold.apply(&entry, chain);
            }
        }
    }

    fn append(
        &mut self,
        at: Timestamp,
        generation: u64,
        event: Event,
        text: Option<(&str, &str)>,
    ) -> Result<EntryId, JournalError> {
        if let Some(trouble) = self.trouble.as_ref().filter(|trouble| !trouble.heals() || self.closed == Closed::ForGood) {
            return Err(trouble.clone());
        }
        let seq = EntryId(self.fold.last.0 + 1);
        let entry = Entry { seq, at, attempt: self.fold.facts.attempt, generation, sentence: event.to_string(), event };
        let row = Row::after(&self.fold.chain, &entry).map_err(|error| self.disk.corrupt(error.to_string()))?;
        let written = self.disk.append(&row, text);
        self.trouble = written.as_ref().err().cloned();
        written?;
        self.fold.apply(&entry, row.chain);
        Ok(seq)
    }
}

impl Journal {
    /// Opens the journal at `path`, or creates it and its directory. One process at a time; the lock ends with the process.
    ///
    /// A journal that can be read but not written opens too, and [`Journal::standing`] says so from the start.
    pub fn open(path: &Path, migration: &MigrationName, now: Timestamp) -> Result<Self, JournalError> {
        let journal = Self::over(Disk::open(path, migration, now)?, migration)?;
        let mut state = journal.lock();
        state.trouble = state.disk.probe(now).err();
        drop(state);
        Ok(journal)
    }

    /// What the journal at `path` says now, for whoever only asks: nothing is written there or beside it, and nothing can be.
    pub fn read(path: &Path, migration: &MigrationName) -> Result<Self, JournalError> {
        let journal = Self::over(Disk::copy(path, migration)?, migration)?;
        journal.close_for_good(JournalError::ReadOnly { path: path.to_owned(), detail: "it was only to be read".to_owned() });
        Ok(journal)
    }

    /// The same, also beside the process that has the journal: then as of one moment, as the `sqlite3` shell would see it.
    pub fn read_along(path: &Path, migration: &MigrationName) -> Result<Self, JournalError> {
        match Self::read(path, migration) {
            Err(JournalError::Locked { .. }) => {
                let journal = Self::over(Disk::moment(path, migration)?, migration)?;
                let detail = "it was only to be read".to_owned();
                journal.close_for_good(JournalError::ReadOnly { path: path.to_owned(), detail });
                Ok(journal)
            }
            read => read,
        }
    }

    /// A journal that is gone when it is dropped: for rehearsals.
    pub fn in_memory(migration: &MigrationName) -> Result<Self, JournalError> {
        Self::over(Disk::in_memory(migration)?, migration)
    }

    /// Stands in for a journal that could not be opened because of `trouble`: nothing can ever be written to it, so that
    /// whoever holds it only observes.
    pub fn observing(migration: &MigrationName, trouble: &JournalError) -> Result<Self, JournalError> {
        let journal = Self::in_memory(migration)?;
        journal.close_for_good(trouble.clone());
        Ok(journal)
    }

    fn close_for_good(&self, trouble: JournalError) {
        let mut state = self.lock();
        state.trouble = Some(trouble);
        state.closed = Closed::ForGood;
    }

    /// When the newest entry was written; `None` in an empty journal.
    pub fn newest(&self) -> Option<Timestamp> {
        self.lock().fold.newest
    }

    fn over(disk: Disk, migration: &MigrationName) -> Result<Self, JournalError> {
        Ok(Self { state: Mutex::new(State::new(disk, migration)?), hook: RwLock::new(None) })
    }

    /// What all facts add up to.
    pub fn facts(&self) -> Arc<Facts> {
        Arc::clone(&self.lock().fold.facts)
    }

    /// Makes a fact durable.
    pub fn record(&self, at: Timestamp, generation: u64, fact: Fact) -> Result<EntryId, JournalError> {
        self.write(at, generation, Event::Fact(fact))
    }

    /// Makes an intent durable. Only then may its call be made.
    pub fn intend(&self, at: Timestamp, generation: u64, action: &Action) -> Result<EntryId, JournalError> {
        self.write(at, generation, Event::Intent(action.clone()))
    }

    /// Writes down how an intent ended.
    pub fn conclude(&self, at: Timestamp, intent: EntryId, outcome: Outcome) -> Result<EntryId, JournalError> {
        self.write(at, self.generation(), Event::Outcome { intent, outcome })
    }

    /// Writes down that the published view changed in substance.
    pub fn status_changed(
        &self,
        at: Timestamp,
        generation: u64,
        phase: Option<Phase>,
        rung: Rung,
        summary: &str,
    ) -> Result<EntryId, JournalError> {
        self.write(at, generation, Event::StatusChanged { phase, rung, summary: summary.to_owned() })
    }

    /// Takes the epoch after the last one taken, durably, for a controller that starts now.
    pub fn next_epoch(&self, at: Timestamp) -> Result<Epoch, JournalError> {
        self.around(EventKind::Started, |state| {
            let epoch = Epoch(state.fold.epoch.0 + 1);
            state.append(at, state.fold.generation(), Event::Started { epoch }, None)?;
            Ok(epoch)
        })
    }

    /// Puts a spec into force and keeps its text. Returns its generation, one more than before if the text differs from the
    /// one in force, and the same, writing nothing, if it does not.
    pub fn accept_spec(&self, at: Timestamp, source: &str, text: &str) -> Result<u64, JournalError> {
        self.accept_spec_of(None, at, source, text)
    }

    /// The same of a spec that `commit` brought.
    pub fn accept_spec_of(&self, commit: Option<&Commit>, at: Timestamp, source: &str, text: &str) -> Result<u64, JournalError> {
        let digest = sha256(text.as_bytes());
        let in_force = self.lock().fold.spec.clone();
        if let Some(spec) = in_force.filter(|spec| spec.digest == digest) {
            return Ok(spec.generation);
        }
        self.around(EventKind::SpecAccepted, |state| {
            let generation = state.fold.generation() + 1;
            let (source, commit) = (source.to_owned(), commit.cloned());
            let event = Event::SpecAccepted { digest: digest.clone(), source, commit };
            state.append(at, generation, event, Some((&digest, text)))?;
            Ok(generation)
        })
    }

    /// Writes down that a spec was refused, and why. The one in force stays.
    pub fn refuse_spec(&self, at: Timestamp, source: &str, digest: &str, why: &str) -> Result<EntryId, JournalError> {
        let event = Event::SpecRefused { digest: digest.to_owned(), source: source.to_owned(), why: why.to_owned() };
        self.write(at, self.generation(), event)
    }

    /// The generation of the spec in force; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.lock().fold.generation()
    }

    /// The commit that brought the spec in force, where it came from a repository.
    pub fn commit_in_force(&self) -> Option<Commit> {
        self.lock().fold.spec.as_ref().and_then(|spec| spec.commit.clone())
    }

    /// The spec in force, as it was read: what a restart holds on to when the file on disk is bad.
    pub fn last_good_spec(&self) -> Result<Option<StoredSpec>, JournalError> {
        let state = self.lock();
        let Some(InForce { generation, digest, source, .. }) = state.fold.spec.clone() else { return Ok(None) };
        let text = state.disk.spec_text(&digest)?.filter(|text| sha256(text.as_bytes()) == digest);
        let text =
            text.ok_or_else(|| state.disk.corrupt(format!("the text of generation {generation} is not the one in force")))?;
        Ok(Some(StoredSpec { generation, digest, source, text }))
    }

    /// Entries after `after_seq` in order, at most `limit` and at most [`HISTORY_PAGE`].
    pub fn history(&self, after_seq: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let state = self.lock();
        let rows = state.disk.rows(after_seq, limit.min(HISTORY_PAGE))?;
        state.read(rows)
    }

    /// The last entries before `before_seq` in order, at most `limit` and at most [`HISTORY_PAGE`]: with a number beyond the end,
    /// the newest.
    pub fn history_before(&self, before_seq: u64, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let state = self.lock();
        let rows = state.disk.rows_before(before_seq, limit.min(HISTORY_PAGE))?;
        state.read(rows)
    }

    /// Every row after `after_seq` as it is stored, chained, at most `limit`.
    pub fn rows(&self, after_seq: u64, limit: usize) -> Result<Vec<Row>, JournalError> {
        self.lock().disk.rows(after_seq, limit)
    }

    /// The text of a spec that was in force once, by its digest; `None` where there was no such spec.
    pub fn spec_text(&self, digest: &str) -> Result<Option<String>, JournalError> {
        self.lock().disk.spec_text(digest)
    }

    /// Whether the journal can be written. After a failure that can heal it tries; `at` marks the try.
    ///
    /// While this is an error, the controller only observes.
    pub fn standing(&self, at: Timestamp) -> Result<(), JournalError> {
        let mut state = self.lock();
        if state.closed == Closed::No && state.trouble.as_ref().is_some_and(JournalError::heals) {
            state.trouble = state.disk.probe(at).err();
        }
        state.trouble.clone().map_or(Ok(()), Err)
    }

    /// Has `hook` called before and after every write from now on.
    pub fn set_crash_hook(&self, hook: CrashHook) {
        *self.hook.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Takes the crash hook away.
    pub fn clear_crash_hook(&self) {
        *self.hook.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lets the disk fail on purpose from now on, or no longer.
    pub fn inject(&self, fault: DiskFault) -> Result<(), JournalError> {
        // SQLite takes a maximum below the present size as the present size.
        let (pages, query_only) = match fault {
            DiskFault::None => (i64::from(u32::MAX - 1), false),
            DiskFault::Full => (1, false),
            DiskFault::ReadOnly => (i64::from(u32::MAX - 1), true),
        };
        self.lock().disk.run(|db| {
            db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            db.pragma_update(None, "query_only", query_only)
        })
    }

    fn write(&self, at: Timestamp, generation: u64, event: Event) -> Result<EntryId, JournalError> {
        self.around(event.kind(), |state| state.append(at, generation, event, None))
    }

    fn around<T>(&self, kind: EventKind, work: impl FnOnce(&mut State) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.visit(JournalPlace::Before(kind));
        let done = work(&mut self.lock())?;
        self.visit(JournalPlace::After(kind));
        Ok(done)
    }

    fn visit(&self, place: JournalPlace) {
        let hook = self.hook.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hook) = hook {
            hook(place);
        }
    }

    /// A panic while the lock was held left nothing half done: SQLite rolls back, and the fold follows only a commit.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Journal").field("path", &state.disk.path).field("last", &state.fold.last).finish_non_exhaustive()
    }
}
