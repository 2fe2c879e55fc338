//! What is published: the controllers write here, the HTTP face only reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::lag::{LagHistory, LagSample};
use super::metrics::Metrics;
use super::objects::{ListKind, ListMeta, MigrationList, MigrationObject, ObjectMeta};
use crate::journal::Journal;
use crate::migration::plan::Plan;
use crate::migration::status::MigrationStatus;
use crate::names::MigrationName;
use crate::spec::{ApiVersion, Kind, Migration};

/// One migration as it was published last.
#[derive(Debug, Clone, PartialEq)]
pub struct Posted {
    /// The object.
    pub object: MigrationObject,
    /// The number behind `metadata.resourceVersion`.
    pub resource_version: u64,
    /// What the next pass would do.
    pub plan: Plan,
}

/// The board of all migrations of this process.
pub struct Board {
    posted: Mutex<BTreeMap<MigrationName, Arc<Posted>>>,
    journals: Mutex<BTreeMap<MigrationName, Arc<Journal>>>,
    lag: Mutex<BTreeMap<MigrationName, LagHistory>>,
    newest: watch::Sender<u64>,
    ready: AtomicBool,
    metrics: Metrics,
}

impl Board {
    /// An empty board. Resource versions count from the milliseconds of `started_at`, so that one that a client kept from
    /// an earlier process is never mistaken for a present one.
    pub fn new(started_at: Timestamp) -> Self {
        let first = u64::try_from(started_at.as_millisecond()).unwrap_or(0);
        Self {
            posted: Mutex::default(),
            journals: Mutex::default(),
            lag: Mutex::default(),
            newest: watch::Sender::new(first),
            ready: AtomicBool::new(false),
            metrics: Metrics::default(),
        }
    }

    /// Publishes what a pass found, and returns the resource version. Watchers are woken only when spec or status say
    /// something new; the mere time of the look is not new.
    pub fn publish(&self, migration: &Migration, generation: u64, status: MigrationStatus, plan: Plan) -> u64 {
        let name = migration.name();
        self.metrics.take(name, &status);
        lock(&self.lag).entry(name.clone()).or_default().note(&status);
        let mut posted = lock(&self.posted);
        let same = posted.get(name).filter(|before| says_the_same(before, migration, generation, &status));
        let (resource_version, is_new) = match same {
            Some(before) => (before.resource_version, false),
            None => (*self.newest.borrow() + 1, true),
        };
        let metadata = ObjectMeta { name: name.clone(), generation, resource_version: resource_version.to_string() };
        let (api_version, kind) = (ApiVersion::V1Alpha1, Kind::Migration);
        let object = MigrationObject { api_version, kind, metadata, spec: migration.spec.clone(), status };
        posted.insert(name.clone(), Arc::new(Posted { object, resource_version, plan }));
        if is_new {
            self.newest.send_replace(resource_version);
        }
        resource_version
    }

    /// Lets the history of `name` be read from `journal`.
    pub fn attach(&self, name: &MigrationName, journal: Arc<Journal>) {
        lock(&self.journals).insert(name.clone(), journal);
    }

    /// Says whether the controllers are at work, which `/readyz` answers.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Whether the controllers are at work.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// One migration.
    pub fn get(&self, name: &MigrationName) -> Option<Arc<Posted>> {
        lock(&self.posted).get(name).cloned()
    }

    /// All migrations as they were published last, by name.
    pub fn all(&self) -> Vec<Arc<Posted>> {
        lock(&self.posted).values().cloned().collect()
    }

    /// All migrations, by name.
    pub fn list(&self) -> MigrationList {
        // The version first: a list may be newer than it says, never older.
        let resource_version = self.newest.borrow().to_string();
        MigrationList {
            api_version: ApiVersion::V1Alpha1,
            kind: ListKind::MigrationList,
            metadata: ListMeta { resource_version },
            items: self.all().iter().map(|posted| posted.object.clone()).collect(),
        }
    }

    /// How far replication of `name` was behind, the oldest first.
    pub fn lag(&self, name: &MigrationName) -> Vec<LagSample> {
        lock(&self.lag).get(name).map(LagHistory::samples).unwrap_or_default()
    }

    /// The journal that holds the history of `name`.
    pub fn journal(&self, name: &MigrationName) -> Option<Arc<Journal>> {
        lock(&self.journals).get(name).cloned()
    }

    /// Wakes with the newest resource version of all migrations whenever something new was published.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// What Prometheus reads.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

fn says_the_same(before: &Posted, migration: &Migration, generation: u64, status: &MigrationStatus) -> bool {
    let object = &before.object;
    let then = MigrationStatus { observed_at: status.observed_at, ..object.status.clone() };
    object.metadata.generation == generation && object.spec == migration.spec && then == *status
}

/// Nothing panics while a lock is held, and if it did, a map is whole between two calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
