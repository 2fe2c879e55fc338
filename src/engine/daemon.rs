//! The daemon: specs come in from the source, each migration gets its keeper, a bad spec changes nothing.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::cadence::Cadence;
use super::keeper::keep;
use super::reconcile::{Reconciler, Wish};
use super::source::{Content, Source, SpecEvent};
use super::surroundings::Surroundings;
use crate::clock::Clock;
use crate::http::Board;
use crate::journal::{Journal, JournalError, sha256};
use crate::names::MigrationName;
use crate::spec::Migration;
use crate::spec::change::check_change;
use crate::spec::load::{Loaded, load};

/// A keeper that panicked is started again after this long: soon enough for a cutover, not a busy loop.
const RESTART: Duration = Duration::from_secs(1);

/// What the daemon is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// A spec file, or a directory of them.
    pub specs: PathBuf,
    /// Journals and the process's lock.
    pub state: PathBuf,
    /// How often specs are read again, whatever a watch says.
    pub poll: Duration,
    /// How often migrations are looked at.
    pub cadence: Cadence,
    /// What surrounds them.
    pub surroundings: Surroundings,
    /// Time.
    pub clock: Clock,
}

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be made or opened.
    #[error("the state directory {path} cannot be used; give another one with --state")]
    State {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has it.
    #[error(
        "the state directory {path} is in use by another bascule; stop that one first, two controllers must never act on one migration"
    )]
    InUse {
        /// Which.
        path: PathBuf,
    },
}

/// One migration that is kept.
struct Kept {
    path: PathBuf,
    wish: watch::Sender<Wish>,
    journal: Arc<Journal>,
}

/// The running daemon.
pub struct Daemon {
    options: Options,
    board: Arc<Board>,
    kept: BTreeMap<MigrationName, Kept>,
    keepers: JoinSet<MigrationName>,
    by_task: BTreeMap<tokio::task::Id, MigrationName>,
    stop: watch::Sender<bool>,
    /// Held as long as the process lives.
    _lock: File,
}

impl Daemon {
    /// Takes the state directory for this process alone.
    pub fn start(options: Options, board: Arc<Board>) -> Result<Self, DaemonError> {
        let path = options.state.clone();
        let unusable = |source| DaemonError::State { path: path.clone(), source };
        fs::create_dir_all(&path).map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DaemonError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(DaemonError::State { path, source }),
        }
        let (stop, _) = watch::channel(false);
        Ok(Self { options, board, kept: BTreeMap::new(), keepers: JoinSet::new(), by_task: BTreeMap::new(), stop, _lock: lock })
    }

    /// Runs until `shutdown`, then lets every keeper finish its step.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let parses = |bytes: &[u8]| load("", bytes).is_ok();
        let mut source = Source::new(self.options.specs.clone(), self.options.poll, Clock::system(), parses);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                events = source.changed() => {
                    for event in events {
                        self.take(event).await;
                    }
                    self.board.set_ready(!self.kept.is_empty());
                }
                Some(ended) = self.keepers.join_next_with_id() => self.mend(ended).await,
            }
        }
        self.stop.send_replace(true);
        while self.keepers.join_next().await.is_some() {}
    }

    /// A file changed: a good one is put into force, a bad one is told and changes nothing.
    async fn take(&mut self, event: SpecEvent) {
        let source = event.path.display().to_string();
        let bytes = match event.content {
            Content::Present { bytes, .. } => bytes,
            Content::Gone => return self.refuse(&event.path, "", format!("{source} is gone; the last good spec holds")).await,
            Content::Unreadable(why) => {
                return self.refuse(&event.path, "", format!("{source} cannot be read ({why}); the last good spec holds")).await;
            }
        };
        let digest = sha256(&bytes);
        match load(&source, &bytes) {
            Ok(loaded) => self.accept(&event.path, loaded, &String::from_utf8_lossy(&bytes)).await,
            Err(report) => {
                let first = report.findings.first().map(ToString::to_string).unwrap_or_default();
                self.refuse(&event.path, &digest, format!("{}: {first}", report.summary())).await;
            }
        }
    }

    async fn accept(&mut self, path: &Path, loaded: Loaded, text: &str) {
        let source = path.display().to_string();
        let name = loaded.migration.name().clone();
        let now = self.options.clock.now();
        if let Some(kept) = self.kept.get(&name) {
            if kept.path != path {
                tracing::error!(migration = %name, file = %source, "two files declare this migration; {} stays in force", kept.path.display());
                return;
            }
            let frozen = kept.journal.facts().identity.is_some();
            let before = kept.wish.borrow().migration.clone();
            let report = loaded.report(check_change(&before, &loaded.migration, frozen));
            if report.errors() > 0 {
                let first = report.findings.first().map(ToString::to_string).unwrap_or_default();
                self.refuse(path, &sha256(text.as_bytes()), first).await;
                return;
            }
            let migration = Arc::new(loaded.migration.into_inner());
            match kept.journal.accept_spec(now, &source, text) {
                Ok(generation) => {
                    kept.wish.send_replace(Wish { migration, generation, refused: None });
                }
                Err(error) => kept.wish.send_modify(|wish| wish.refused = Some(error.to_string())),
            }
            return;
        }
        let journal = self.open_journal(&name);
        self.begin(path, loaded.migration.into_inner(), journal, Some((&source, text))).await;
    }

    fn open_journal(&self, name: &MigrationName) -> Result<Journal, JournalError> {
        Journal::open(&self.options.state.join(format!("{name}.journal")), name, self.options.clock.now())
    }

    /// Starts to keep a migration. Without its journal it is only observed.
    async fn begin(
        &mut self,
        path: &Path,
        migration: Migration,
        journal: Result<Journal, JournalError>,
        spec: Option<(&str, &str)>,
    ) {
        let name = migration.name().clone();
        let now = self.options.clock.now();
        let (journal, trouble) = match journal {
            Ok(journal) => (Arc::new(journal), None),
            Err(error) => match Journal::observing(&name, &error) {
                Ok(journal) => (Arc::new(journal), Some(error.to_string())),
                Err(_) => return tracing::error!(migration = %name, %error, "the journal cannot be used"),
            },
        };
        if let Some(why) = &trouble {
            tracing::error!(migration = %name, "observing only: {why}");
        }
        let frozen = journal.facts().identity.clone();
        let mut refused = None;
        let mut migration = migration;
        if let Some((previous, findings)) = self.last_good_that_forbids(&journal, &migration, frozen.is_some()) {
            migration = previous;
            refused = Some(findings);
        } else if let Some((source, text)) = spec {
            refused = journal.accept_spec(now, source, text).err().map(|error| error.to_string());
        }
        let wish = Wish { migration: Arc::new(migration), generation: journal.generation().max(1), refused };
        let (sender, _) = watch::channel(wish);
        self.board.attach(&name, journal.clone());
        self.kept.insert(name.clone(), Kept { path: path.to_owned(), wish: sender, journal });
        self.spawn(&name).await;
    }

    /// After a restart too, a spec that changes frozen fields is refused, and the one before stays in force.
    fn last_good_that_forbids(&self, journal: &Journal, new: &Migration, frozen: bool) -> Option<(Migration, String)> {
        let stored = journal.last_good_spec().ok().flatten()?;
        let before = load(&stored.source, stored.text.as_bytes()).ok()?.migration.into_inner();
        let finding = check_change(&before, new, frozen).into_iter().find(|finding| finding.is_error())?;
        Some((before, finding.to_string()))
    }

    #[allow(clippy::disallowed_methods, reason = "the daemon is the shell that starts keepers, and joins them")]
    async fn spawn(&mut self, name: &MigrationName) {
        let Some(kept) = self.kept.get(name) else { return };
        let migration = kept.wish.borrow().migration.clone();
        let clock = self.options.clock.clone();
        let equipment = self.options.surroundings.equip(&migration, &clock).await;
        let started = Reconciler::start(
            equipment.aws.clone(),
            equipment.legacy.clone(),
            equipment.target.clone(),
            kept.journal.clone(),
            clock,
            self.options.cadence,
        );
        let (wishes, board, stop, kept_name) = (kept.wish.subscribe(), self.board.clone(), self.stop.subscribe(), name.clone());
        let task = self.keepers.spawn(async move {
            keep(started, equipment, wishes, board, stop).await;
            kept_name
        });
        self.by_task.insert(task.id(), name.clone());
    }

    /// A keeper that panicked is replaced; its migration's facts are in the journal.
    async fn mend(&mut self, ended: Result<(tokio::task::Id, MigrationName), tokio::task::JoinError>) {
        let Err(error) = ended else { return };
        let Some(name) = self.by_task.remove(&error.id()) else { return };
        tracing::error!(migration = %name, %error, "the keeper panicked and is started again");
        self.options.clock.sleep(RESTART).await;
        self.spawn(&name).await;
    }

    /// Tells why a file changes nothing. A file that was never good is looked up in the journals of earlier runs.
    async fn refuse(&mut self, path: &Path, digest: &str, why: String) {
        tracing::error!(file = %path.display(), "{why}");
        self.board.metrics().spec_refused();
        let now = self.options.clock.now();
        if let Some(kept) = self.kept.values().find(|kept| kept.path == path) {
            let _ = kept.journal.refuse_spec(now, &path.display().to_string(), digest, &why);
            kept.wish.send_modify(|wish| wish.refused = Some(why));
            return;
        }
        if let Some((journal, migration)) = self.recover(path) {
            self.begin(path, migration, Ok(journal), None).await;
            if let Some(kept) = self.kept.values().find(|kept| kept.path == path) {
                kept.wish.send_modify(|wish| wish.refused = Some(why));
            }
        }
    }

    /// The last good spec that an earlier run read at `path`.
    fn recover(&self, path: &Path) -> Option<(Journal, Migration)> {
        let source = path.display().to_string();
        let mut files: Vec<PathBuf> =
            fs::read_dir(&self.options.state).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "journal")).find_map(|file| {
            let name = MigrationName(file.file_stem()?.to_str()?.to_owned());
            if self.kept.contains_key(&name) {
                return None;
            }
            let journal = self.open_journal(&name).ok()?;
            let stored = journal.last_good_spec().ok()??;
            let good = stored.source == source;
            let migration = load(&stored.source, stored.text.as_bytes()).ok()?.migration.into_inner();
            good.then_some((journal, migration))
        })
    }
}
