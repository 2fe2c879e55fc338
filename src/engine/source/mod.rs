//! Where specs come from: a file, a directory of files, or a branch of a [Git repository](git).
//!
//! The *directory* is watched, because a mounted ConfigMap is replaced by swapping its `..data` link, which a watch on the
//! file would not see; and it is read again on a poll, because some mounts (`subPath`, network file systems) tell nothing.
//! A watch only wakes; what counts is the content, told apart by its digest.

pub mod feed;
pub mod git;
mod read;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use crate::clock::{Clock, elapsed};
pub use feed::{Feed, News, Specs};
pub use read::Content;

/// How long a file has to stay as it is when it vanished or does not parse: longer than an editor takes between moving the
/// old file away and writing the new one.
const SETTLE_BAD: Duration = Duration::from_millis(250);

/// The same for a file that parses but became shorter: long enough for the rest of a write, too short to be felt.
const SETTLE_SHORTER: Duration = Duration::from_millis(20);

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecEvent {
    /// The file.
    pub path: PathBuf,
    /// What it holds now.
    pub content: Content,
}

/// A file, or a directory of files, and what was last said about it.
///
/// `J` judges whether bytes parse; it only decides how long to wait before they are passed on, good or bad.
pub struct Source<J> {
    path: PathBuf,
    poll: Duration,
    clock: Clock,
    parses: J,
    wake: Arc<Notify>,
    watcher: Option<RecommendedWatcher>,
    /// Whether something may have changed since the last look. It outlives a cancelled [`Source::changed`].
    stale: bool,
    known: BTreeMap<PathBuf, Content>,
    doubted: BTreeMap<PathBuf, Doubt>,
}

/// A change that may be half written.
struct Doubt {
    content: Content,
    since: Timestamp,
    settle: Duration,
}

impl<J: Fn(&[u8]) -> bool> Source<J> {
    /// A source at `path`, which need not exist yet, read again at least every `poll`.
    pub fn new(path: impl Into<PathBuf>, poll: Duration, clock: Clock, parses: J) -> Self {
        Self::woken_by(Arc::new(Notify::new()), path, poll, clock, parses)
    }

    /// The same, read again at once when `wake` is notified.
    pub fn woken_by(wake: Arc<Notify>, path: impl Into<PathBuf>, poll: Duration, clock: Clock, parses: J) -> Self {
        let mut source = Self {
            path: path.into(),
            poll,
            clock,
            parses,
            watcher: watcher(Arc::clone(&wake)),
            wake,
            stale: true,
            known: BTreeMap::new(),
            doubted: BTreeMap::new(),
        };
        source.watch();
        source
    }

    /// Waits until something changed, and says what. The first call says what is there. Safe to cancel.
    pub async fn changed(&mut self) -> Vec<SpecEvent> {
        loop {
            if !self.stale {
                let patience = self.patience();
                tokio::select! {
                    () = self.wake.notified() => {}
                    () = self.clock.sleep(patience) => self.watch(),
                }
                self.stale = true;
            }
            let path = self.path.clone();
            if let Ok(seen) = tokio::task::spawn_blocking(move || read::look(&path)).await {
                self.stale = false;
                let events = self.compare(seen);
                if !events.is_empty() {
                    return events;
                }
            }
        }
    }

    /// Watches the directory, again if it was replaced; watching one twice is harmless.
    fn watch(&mut self) {
        let directory = if fs::metadata(&self.path).is_ok_and(|found| found.is_dir()) {
            self.path.as_path()
        } else {
            self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
        };
        if let Some(watcher) = &mut self.watcher
            && let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive)
        {
            tracing::warn!(directory = %directory.display(), %error, "cannot watch, polling only");
        }
    }

    /// How long to wait at most before looking again.
    fn patience(&self) -> Duration {
        let now = self.clock.now();
        let waits = self.doubted.values().map(|doubt| doubt.settle.saturating_sub(elapsed(doubt.since, now)));
        // A millisecond more, so that the settling time is over for certain and is not waited for again.
        waits.min().map_or(self.poll, |wait| (wait + Duration::from_millis(1)).min(self.poll))
    }

    /// What is new and settled among `seen`.
    fn compare(&mut self, mut seen: BTreeMap<PathBuf, Content>) -> Vec<SpecEvent> {
        for path in self.known.keys() {
            seen.entry(path.clone()).or_insert(Content::Gone);
        }
        self.doubted.retain(|path, _| seen.contains_key(path));
        let now = self.clock.now();
        let mut events = Vec::new();
        for (path, content) in seen {
            if self.known.get(&path) == Some(&content) {
                self.doubted.remove(&path);
            } else if self.is_settled(&path, &content, now) {
                self.doubted.remove(&path);
                self.known.insert(path.clone(), content.clone());
                events.push(SpecEvent { path, content });
            }
        }
        events
    }

    /// Whether a change counts now. One that is doubted counts once it has stayed the same for its settling time.
    fn is_settled(&mut self, path: &Path, content: &Content, now: Timestamp) -> bool {
        let settle = self.settling_time(path, content);
        match self.doubted.get(path) {
            Some(doubt) if doubt.content == *content => elapsed(doubt.since, now) >= doubt.settle,
            Some(_) | None if settle.is_zero() => true,
            Some(_) | None => {
                self.doubted.insert(path.to_owned(), Doubt { content: content.clone(), since: now, settle });
                false
            }
        }
    }

    fn settling_time(&self, path: &Path, content: &Content) -> Duration {
        match content {
            Content::Present { bytes, .. } if (self.parses)(bytes) => {
                let shorter = self.known.get(path).is_some_and(|known| content.length() < known.length());
                if shorter { SETTLE_SHORTER } else { Duration::ZERO }
            }
            Content::Present { .. } | Content::Gone | Content::Unreadable(_) => SETTLE_BAD,
        }
    }
}

/// A watcher that wakes on every change, but not on reads: our own would wake us for ever.
fn watcher(wake: Arc<Notify>) -> Option<RecommendedWatcher> {
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let read_only = event.is_ok_and(|event| match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        });
        if !read_only {
            wake.notify_one();
        }
    });
    watcher.inspect_err(|error| tracing::warn!(%error, "cannot watch files, polling only")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "payments.yaml";

    fn source() -> Source<fn(&[u8]) -> bool> {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        Source::new("/nowhere/payments.yaml", Duration::from_secs(60), clock, |bytes| bytes.ends_with(b"end"))
    }

    /// What is said when a look sees `text` after `wait_ms` milliseconds.
    async fn look(source: &mut Source<fn(&[u8]) -> bool>, wait_ms: u64, text: &str) -> Vec<SpecEvent> {
        tokio::time::advance(Duration::from_millis(wait_ms)).await;
        source.compare(BTreeMap::from([(PathBuf::from(PATH), Content::of(text.into()))]))
    }

    #[tokio::test(start_paused = true)]
    async fn a_beginning_that_happens_to_parse_does_not_count_when_the_rest_follows() {
        let mut source = source();
        assert_eq!(look(&mut source, 0, "phase, approvals, end").await.len(), 1);
        assert_eq!(look(&mut source, 5, "phase, end").await, []);
        assert_eq!(look(&mut source, 5, "phase, other approvals, end").await.len(), 1);
        assert_eq!(look(&mut source, 100, "phase, other approvals, end").await, []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_file_counts_once_it_stayed_so() {
        let mut source = source();
        look(&mut source, 0, "phase, approvals, end").await;
        assert_eq!(look(&mut source, 5, "phase, end").await, []);
        assert!(source.patience() <= Duration::from_millis(21), "it is looked at again in time");
        assert_eq!(look(&mut source, 19, "phase, end").await, []);
        assert_eq!(look(&mut source, 1, "phase, end").await.len(), 1);
        assert_eq!(source.patience(), Duration::from_secs(60), "and then only at the poll");
    }

    #[tokio::test(start_paused = true)]
    async fn a_doubted_change_that_was_taken_back_is_forgotten() {
        let mut source = source();
        look(&mut source, 0, "one end").await;
        assert_eq!(look(&mut source, 1, "bad").await, []);
        assert_eq!(look(&mut source, 1, "one end").await, []);
        assert_eq!(look(&mut source, 300, "bad").await, [], "its settling time begins anew");
        assert_eq!(look(&mut source, 250, "bad").await.len(), 1);
    }
}
