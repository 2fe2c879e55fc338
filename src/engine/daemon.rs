//! The daemon: specs come in from the source, each migration gets its keeper, a bad spec changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::cadence::Cadence;
use super::keeper::{Keeper, resumed};
use super::reconcile::Wish;
use super::source::{Content, Feed, News, SpecEvent, Specs};
use super::surroundings::Surroundings;
use crate::clock::Clock;
use crate::http::Board;
use crate::journal::{Journal, JournalError, sha256};
use crate::migration::source::{Commit, SourceReport, SourceTrouble};
use crate::names::MigrationName;
use crate::spec::Migration;
use crate::spec::change::{check_change, identity_digest};
use crate::spec::finding::Finding;
use crate::spec::load::{Loaded, load};

/// A keeper that panicked is started again after this long: soon enough for a cutover, not a busy loop.
const RESTART: Duration = Duration::from_secs(1);

/// What the daemon is told.
#[derive(Debug)]
pub struct Options {
    /// Where specs come from.
    pub specs: Specs,
    /// Journals and the process's lock.
    pub state: PathBuf,
    /// How often specs are read again, whatever a watch says.
    pub poll: Duration,
    /// Has them read again at once.
    pub wake: Arc<Notify>,
    /// How often migrations are looked at.
    pub cadence: Cadence,
    /// What surrounds them.
    pub surroundings: Arc<Surroundings>,
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
    keeper: Keeper,
}

/// What an earlier process left behind.
struct Recovered {
    journal: Journal,
    migration: Migration,
    /// Where its spec was read.
    source: String,
}

/// The running daemon.
pub struct Daemon {
    options: Options,
    board: Arc<Board>,
    kept: BTreeMap<MigrationName, Kept>,
    keepers: JoinSet<()>,
    by_task: BTreeMap<tokio::task::Id, MigrationName>,
    /// Files that a branch no longer has.
    gone: BTreeSet<PathBuf>,
    /// The newest commit of the branch that was taken.
    head: Option<Commit>,
    /// Why the branch is not followed now.
    trouble: Option<SourceTrouble>,
    stop: watch::Sender<bool>,
    /// Held as long as the process lives.
    _lock: File,
}

impl Daemon {
    /// Takes the state directory for this process alone.
    pub fn start(mut options: Options, board: Arc<Board>) -> Result<Self, DaemonError> {
        let path = options.state.clone();
        let unusable = |source| DaemonError::State { path: path.clone(), source };
        fs::create_dir_all(&path).map_err(unusable)?;
        let lock = File::create(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DaemonError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(DaemonError::State { path, source }),
        }
        // Journals remember specs by where they were read, which must not depend on where the process was started.
        if let Specs::Files(path) = &mut options.specs
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute;
        }
        let (stop, _) = watch::channel(false);
        Ok(Self {
            options,
            board,
            kept: BTreeMap::new(),
            keepers: JoinSet::new(),
            by_task: BTreeMap::new(),
            gone: BTreeSet::new(),
            head: None,
            trouble: None,
            stop,
            _lock: lock,
        })
    }

    /// Runs until `shutdown`, then lets every keeper finish its step.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let Options { specs, state, poll, wake, .. } = &self.options;
        let mut feed = Feed::new(specs, state, *poll, wake.clone());
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                news = feed.changed() => {
                    self.hear(news);
                    self.board.set_ready(!self.kept.is_empty());
                }
                Some(ended) = self.keepers.join_next_with_id() => self.mend(ended),
            }
        }
        self.board.set_ready(false);
        self.stop.send_replace(true);
        while self.keepers.join_next().await.is_some() {}
    }

    /// What a look at the source brought: each file for itself, and what concerns them all.
    fn hear(&mut self, News { files, head, trouble }: News) {
        self.head = head;
        if let Some(trouble) = trouble.as_ref().filter(|trouble| Some(*trouble) != self.trouble.as_ref()) {
            tracing::error!("{}; the last good spec holds", trouble.why());
            // A server that is away is no fault of a spec.
            if matches!(trouble, SourceTrouble::Refused(_)) {
                self.board.metrics().spec_refused();
            }
        }
        self.trouble = trouble;
        for event in files {
            self.take(event);
        }
        // Once something of the branch is known, what it does not have was taken out of it, and an outage brings nothing back.
        if self.trouble.is_some() && self.head.is_none() {
            self.recover_all();
        }
        for kept in self.kept.values() {
            let source = self.report(&kept.path, &kept.keeper.journal);
            kept.wish.send_if_modified(|wish| {
                let is_new = wish.source != source;
                wish.source = source;
                is_new
            });
        }
    }

    /// What is published of where a spec came from.
    fn report(&self, path: &Path, journal: &Journal) -> Option<SourceReport> {
        match &self.options.specs {
            Specs::Files(_) => None,
            Specs::Git(specs) => Some(specs.report(path, journal.commit_in_force(), self.head.as_ref(), self.trouble.clone())),
        }
    }

    /// A file changed: a good one is put into force, a bad one is told and changes nothing.
    fn take(&mut self, SpecEvent { path, content }: SpecEvent) {
        let source = path.display().to_string();
        if content == Content::Gone {
            self.gone.insert(path.clone());
        } else {
            self.gone.remove(&path);
        }
        let bytes = match content {
            Content::Present { bytes, .. } => bytes,
            Content::Gone => return self.refuse(&path, "", format!("{source} is gone; the last good spec holds")),
            Content::Unreadable(why) => {
                return self.refuse(&path, "", format!("{source} cannot be read ({why}); the last good spec holds"));
            }
        };
        match load(&source, &bytes) {
            Ok(loaded) => self.accept(&path, &loaded, &String::from_utf8_lossy(&bytes)),
            Err(report) => {
                let first =
                    report.findings.iter().find(|finding| finding.is_error()).map(ToString::to_string).unwrap_or_default();
                self.refuse(&path, &sha256(&bytes), format!("{}: {first}", report.summary()));
            }
        }
    }

    /// Puts a good file into force, unless it may not follow the one before it.
    fn accept(&mut self, path: &Path, loaded: &Loaded, text: &str) {
        let digest = sha256(text.as_bytes());
        let migration: &Migration = &loaded.migration;
        let name = migration.name().clone();
        if let Some(why) = self.other_file_of(&name, path) {
            return self.refuse(path, &digest, why);
        }
        if let Some(before) = self.kept_from(path).map(|kept| kept.wish.borrow().migration.clone()) {
            let frozen = self.kept_from(path).is_some_and(|kept| kept.keeper.journal.facts().identity.is_some());
            return match first_error(loaded, check_change(&before, migration, frozen)) {
                Some(why) => self.refuse(path, &digest, why),
                None => self.put_into_force(&name, path, migration, text),
            };
        }
        if self.kept.contains_key(&name) {
            // Its file was moved here.
            if let Some(kept) = self.kept.get_mut(&name) {
                kept.path = path.to_owned();
            }
            return self.accept(path, loaded, text);
        }
        self.accept_first(path, loaded, text);
    }

    /// The first good file of a migration in this process. An earlier process may have known a better one.
    fn accept_first(&mut self, path: &Path, loaded: &Loaded, text: &str) {
        let migration: &Migration = &loaded.migration;
        let (name, digest) = (migration.name(), sha256(text.as_bytes()));
        let is_new = !self.journal_path(name).exists();
        let earlier = if is_new { self.recover(path).map(|found| found.migration) } else { None };
        if let Some(before) = earlier
            && let Some(why) = first_error(loaded, check_change(&before, migration, false))
        {
            return self.refuse(path, &digest, why);
        }
        let journal = match self.open_journal(name) {
            Ok(journal) => journal,
            Err(error) => {
                tracing::error!(migration = %name, "observing only: {error}");
                match Journal::observing(name, &error) {
                    Ok(journal) => journal,
                    Err(error) => return tracing::error!(migration = %name, "not even observing: {error}"),
                }
            }
        };
        let frozen = journal.facts().identity.clone();
        let before = last_good(&journal);
        if before.is_none() && frozen.as_ref().is_some_and(|frozen| *frozen != identity_digest(migration)) {
            let why = "the journal belongs to other resources, and the spec that named them cannot be read any more";
            return self.refuse(path, &digest, why.to_owned());
        }
        let forbidden = before.as_ref().and_then(|before| first_error(loaded, check_change(before, migration, frozen.is_some())));
        match before.zip(forbidden) {
            Some((before, why)) => {
                self.begin(path, before, journal, None);
                self.refuse(path, &digest, why);
            }
            None => self.begin(path, migration.clone(), journal, Some(text)),
        }
        self.spawn(name, Duration::ZERO);
    }

    fn put_into_force(&self, name: &MigrationName, path: &Path, migration: &Migration, text: &str) {
        let Some(kept) = self.kept.get(name) else { return };
        let (journal, now) = (&kept.keeper.journal, kept.keeper.clock.now());
        match journal.accept_spec_of(self.head.as_ref(), now, &path.display().to_string(), text) {
            Ok(generation) => {
                let (migration, source) = (Arc::new(migration.clone()), self.report(path, journal));
                kept.wish.send_replace(Wish { migration, generation, source, refused: None });
            }
            Err(error) => kept.wish.send_modify(|wish| wish.refused = Some(error.to_string())),
        }
    }

    /// Takes a migration on; [`Self::spawn`] starts its keeper. `text` is a spec that was not in force before.
    fn begin(&mut self, path: &Path, migration: Migration, journal: Journal, text: Option<&str>) {
        let name = migration.name().clone();
        let journal = Arc::new(journal);
        let clock = resumed(self.options.clock.clone(), &journal);
        let keeper = Keeper {
            surroundings: self.options.surroundings.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            cadence: self.options.cadence,
            board: self.board.clone(),
        };
        let accepted =
            text.map(|text| journal.accept_spec_of(self.head.as_ref(), clock.now(), &path.display().to_string(), text));
        let refused = accepted.and_then(Result::err).map(|error| error.to_string());
        let source = self.report(path, &journal);
        let wish = Wish { migration: Arc::new(migration), generation: journal.generation().max(1), source, refused };
        self.board.attach(&name, journal);
        self.kept.insert(name, Kept { path: path.to_owned(), wish: watch::Sender::new(wish), keeper });
    }

    #[allow(clippy::disallowed_methods, reason = "the daemon is the shell that starts keepers, and joins them")]
    fn spawn(&mut self, name: &MigrationName, delay: Duration) {
        let Some(kept) = self.kept.get(name) else { return };
        let (keeper, wishes, mut stop) = (kept.keeper.clone(), kept.wish.subscribe(), self.stop.subscribe());
        let task = self.keepers.spawn(async move {
            tokio::select! {
                () = keeper.clock.sleep(delay) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            keeper.keep(wishes, stop).await;
        });
        self.by_task.insert(task.id(), name.clone());
    }

    /// A keeper that panicked is replaced; its migration's facts are in the journal.
    fn mend(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let Err(error) = ended else { return };
        let Some(name) = self.by_task.remove(&error.id()) else { return };
        tracing::error!(migration = %name, %error, "the keeper panicked and is started again");
        self.spawn(&name, RESTART);
    }

    /// Tells why a file changes nothing. A file that was never good in this process is looked up in the journals of earlier
    /// ones.
    fn refuse(&mut self, path: &Path, digest: &str, why: String) {
        tracing::error!(file = %path.display(), "{why}");
        self.board.metrics().spec_refused();
        let recovered = if self.kept_from(path).is_none() { self.recover(path) } else { None };
        let name = recovered.as_ref().map(|found| found.migration.name().clone());
        if let Some(Recovered { journal, migration, .. }) = recovered {
            self.begin(path, migration, journal, None);
        }
        if let Some(kept) = self.kept_from(path) {
            // A journal that cannot be written has its own condition.
            let _ = kept.keeper.journal.refuse_spec(kept.keeper.clock.now(), &path.display().to_string(), digest, &why);
            kept.wish.send_modify(|wish| wish.refused = Some(why));
        }
        // Not before it knows what was refused.
        if let Some(name) = name {
            self.spawn(&name, Duration::ZERO);
        }
    }

    fn kept_from(&self, path: &Path) -> Option<&Kept> {
        self.kept.values().find(|kept| kept.path == path)
    }

    /// Whether another file that still exists declares this migration.
    fn other_file_of(&self, name: &MigrationName, path: &Path) -> Option<String> {
        let other = self.kept.get(name).map(|kept| &kept.path).filter(|other| *other != path && self.is_there(other))?;
        Some(format!("{} declares {name} already, and stays in force", other.display()))
    }

    fn is_there(&self, path: &Path) -> bool {
        match &self.options.specs {
            Specs::Files(_) => path.exists(),
            Specs::Git(_) => !self.gone.contains(path),
        }
    }

    fn journal_path(&self, name: &MigrationName) -> PathBuf {
        self.options.state.join(format!("{name}.journal"))
    }

    fn open_journal(&self, name: &MigrationName) -> Result<Journal, JournalError> {
        Journal::open(&self.journal_path(name), name, self.options.clock.now())
    }

    /// The last good spec that an earlier process read at `path`.
    fn recover(&self, path: &Path) -> Option<Recovered> {
        let wanted = path.display().to_string();
        self.recover_where(|source| source == wanted)
    }

    /// Whatever an earlier process kept of a branch that cannot be read now is kept on.
    fn recover_all(&mut self) {
        let Specs::Git(specs) = &self.options.specs else { return };
        let specs = specs.clone();
        while let Some(found) = self.recover_where(|source| specs.has(source)) {
            let name = found.migration.name().clone();
            self.begin(Path::new(&found.source), found.migration, found.journal, None);
            self.spawn(&name, Duration::ZERO);
        }
    }

    fn recover_where(&self, is_wanted: impl Fn(&str) -> bool) -> Option<Recovered> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(&self.options.state).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "journal")).find_map(|file| {
            let name = MigrationName(file.file_stem()?.to_str()?.to_owned());
            if self.kept.contains_key(&name) {
                return None;
            }
            let journal = self.open_journal(&name).ok()?;
            let source = journal.last_good_spec().ok()??.source;
            let migration = last_good(&journal)?;
            is_wanted(&source).then_some(Recovered { journal, migration, source })
        })
    }
}

/// The spec that was in force last, if this version still reads it.
fn last_good(journal: &Journal) -> Option<Migration> {
    let stored = journal.last_good_spec().ok().flatten()?;
    load(&stored.source, stored.text.as_bytes()).ok().map(|loaded| loaded.migration.into_inner())
}

/// What forbids a change, with its place in the new file.
fn first_error(loaded: &Loaded, findings: Vec<Finding>) -> Option<String> {
    let report = loaded.report(findings);
    report.findings.iter().find(|finding| finding.is_error()).map(ToString::to_string)
}
