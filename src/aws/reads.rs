//! Answers shared between the migrations of one account.
//!
//! AWS limits calls per account, not per migration. So the listings of an account are read once for everybody who asks at
//! the same time (single flight), and a settled migration may accept an answer of some age.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_databasemigration::types::{Connection, ReplicationTask, TableStatistics};
use aws_sdk_elasticloadbalancingv2::types::{Listener, TargetHealthDescription};
use aws_sdk_rds::types::DbCluster;
use aws_sdk_route53::types::ResourceRecordSet;
use jiff::Timestamp;

use crate::clock::{Clock, elapsed};
use crate::fault::Fault;
use crate::names::{
    DomainName, HostedZoneId, InstanceId, LoadBalancerArn, ParameterGroupName, TableName, TargetGroupArn, TaskArn,
};

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Its call must begin after this question was asked.
    Now,
    /// Its call must begin after this ticket was drawn, so that all questions of one look share their calls.
    After(Ticket),
    /// Its call may have begun this long ago, unless something was changed since.
    UpTo(Duration),
}

/// A place in the order of questions, calls and changes; wall-clock time may stand still or step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Whose answers a change makes stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Database Migration Service.
    Dms,
    /// RDS.
    Rds,
    /// Route 53.
    Route53,
    /// Elastic Load Balancing v2.
    Elb,
}

impl Service {
    /// Its name in a signature's scope and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dms => "dms",
            Self::Rds => "rds",
            Self::Route53 => "route53",
            Self::Elb => "elasticloadbalancing",
        }
    }
}

/// Everything that is shared. The listings themselves are in [`super::listings`].
#[derive(Debug)]
pub struct Reads {
    clock: Clock,
    tickets: AtomicU64,
    /// The ticket of the last change made to each service.
    changed: [AtomicU64; 4],
    pub(super) tasks: Shelf<(), Vec<ReplicationTask>>,
    pub(super) papers: Shelf<TaskArn, Option<ReplicationTask>>,
    pub(super) tables: Shelf<TaskArn, Vec<TableStatistics>>,
    pub(super) connections: Shelf<(), Vec<Connection>>,
    pub(super) clusters: Shelf<(), Vec<DbCluster>>,
    pub(super) instances: Shelf<InstanceId, Option<String>>,
    pub(super) parameters: Shelf<ParameterGroupName, Option<BTreeMap<String, String>>>,
    pub(super) records: Shelf<(HostedZoneId, DomainName), Vec<ResourceRecordSet>>,
    pub(super) listeners: Shelf<LoadBalancerArn, Vec<Listener>>,
    pub(super) targets: Shelf<TargetGroupArn, Vec<TargetHealthDescription>>,
    /// When this process last asked for a reload of each table.
    reloads: Mutex<BTreeMap<(TaskArn, TableName), Timestamp>>,
}

impl Reads {
    /// Nothing read yet.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            tickets: AtomicU64::new(0),
            changed: [const { AtomicU64::new(0) }; 4],
            tasks: Shelf::default(),
            papers: Shelf::default(),
            tables: Shelf::default(),
            connections: Shelf::default(),
            clusters: Shelf::default(),
            instances: Shelf::default(),
            parameters: Shelf::default(),
            records: Shelf::default(),
            listeners: Shelf::default(),
            targets: Shelf::default(),
            reloads: Mutex::default(),
        }
    }

    /// Announces a change to a service. When the guard is dropped, whether the call succeeded, failed or was cancelled,
    /// nothing read before that is believed any more.
    #[must_use = "answers go stale when the guard is dropped, so hold it across the call"]
    pub const fn changing(&self, service: Service) -> Changing<'_> {
        Changing { reads: self, service }
    }

    /// Remembers that reloads of `tables` were asked for just now.
    pub fn reload_asked(&self, task: &TaskArn, tables: &[TableName]) {
        let mut reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        for table in tables {
            reloads.insert((task.clone(), table.clone()), self.clock.now());
        }
    }

    /// Whether a statistics row that DMS refreshed at `refreshed` may still be from before the last reload of its table.
    ///
    /// Without this, a reload would be asked for again on every pass until the statistics catch up, and a table's few
    /// reloads would be spent on one failure.
    pub fn predates_reload(&self, task: &TaskArn, table: &TableName, refreshed: Option<Timestamp>) -> bool {
        let reloads = self.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(asked) = reloads.get(&(task.clone(), table.clone())) else { return false };
        let recent = elapsed(*asked, self.clock.now()) < STATISTICS_LAG;
        recent && refreshed.is_none_or(|refreshed| refreshed <= *asked)
    }

    /// The same freshness for all questions of one look: `Now` means from this moment on.
    pub fn from_now(&self, freshness: Freshness) -> Freshness {
        match freshness {
            Freshness::Now => Freshness::After(self.ticket()),
            Freshness::After(_) | Freshness::UpTo(_) => freshness,
        }
    }

    fn ticket(&self) -> Ticket {
        Ticket(self.tickets.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn changed(&self, service: Service) -> Ticket {
        Ticket(self.changed[service as usize].load(Ordering::Relaxed))
    }
}

/// DMS refreshes table statistics about once a minute; after two, an old row is no excuse.
const STATISTICS_LAG: Duration = Duration::from_secs(120);

/// Makes a service's answers stale when dropped.
#[derive(Debug)]
pub struct Changing<'a> {
    reads: &'a Reads,
    service: Service,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        let Ticket(now) = self.reads.ticket();
        self.reads.changed[self.service as usize].store(now, Ordering::Relaxed);
    }
}

/// The answers to one kind of query, by its key.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    slots: Mutex<BTreeMap<K, Arc<tokio::sync::Mutex<Slot<V>>>>>,
}

impl<K, V> Default for Shelf<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::new(BTreeMap::new()) }
    }
}

/// The answers to one query. Its lock is held across the call, so that whoever asks meanwhile waits for the same answer.
#[derive(Debug)]
struct Slot<V> {
    latest: Option<Answer<V>>,
    /// The complete answer before the latest.
    before: Option<Answer<V>>,
    /// The last failure, for those who asked before its call began.
    failure: Option<(Ticket, Fault)>,
}

#[derive(Debug)]
struct Answer<V> {
    ticket: Ticket,
    began: Timestamp,
    value: Arc<V>,
}

// Derived, it would ask for `V: Clone`.
impl<V> Clone for Answer<V> {
    fn clone(&self) -> Self {
        Self { ticket: self.ticket, began: self.began, value: Arc::clone(&self.value) }
    }
}

/// A complete answer, and the one before it if nothing was changed since that.
#[derive(Debug)]
pub(super) struct Pair<V> {
    ticket: Ticket,
    pub(super) latest: Arc<V>,
    before: Option<Arc<V>>,
}

impl<K: Ord + Clone, V> Shelf<K, V> {
    /// The answer to one query, from the shelf or from `fetch`.
    pub(super) async fn read<F>(
        &self,
        reads: &Reads,
        service: Service,
        key: &K,
        freshness: Freshness,
        fetch: impl Fn() -> F,
    ) -> Result<Pair<V>, Fault>
    where
        F: Future<Output = Result<V, Fault>>,
    {
        self.read_since(reads, || reads.changed(service), key, freshness, fetch).await
    }

    /// The answer to a query that no change of ours makes stale.
    pub(super) async fn lasting<F>(
        &self,
        reads: &Reads,
        key: &K,
        freshness: Freshness,
        fetch: impl Fn() -> F,
    ) -> Result<Arc<V>, Fault>
    where
        F: Future<Output = Result<V, Fault>>,
    {
        self.read_since(reads, || Ticket(0), key, freshness, fetch).await.map(|pair| pair.latest)
    }

    /// The answer to one query, if it was asked after `changed`.
    async fn read_since<F>(
        &self,
        reads: &Reads,
        changed: impl Fn() -> Ticket,
        key: &K,
        freshness: Freshness,
        fetch: impl Fn() -> F,
    ) -> Result<Pair<V>, Fault>
    where
        F: Future<Output = Result<V, Fault>>,
    {
        let asked = match freshness {
            Freshness::After(ticket) => ticket,
            Freshness::Now | Freshness::UpTo(_) => reads.ticket(),
        };
        let slot = self.slot(key);
        let mut slot = slot.lock().await;
        if let Some(pair) = slot.usable(asked, freshness, changed(), reads.clock.now()) {
            return Ok(pair);
        }
        if let Some((ticket, fault)) = &slot.failure
            && *ticket > asked
        {
            return Err(fault.clone());
        }
        let (ticket, began) = (reads.ticket(), reads.clock.now());
        match fetch().await {
            Ok(value) => {
                slot.failure = None;
                let answer = Answer { ticket, began, value: Arc::new(value) };
                slot.before = slot.latest.replace(answer.clone());
                Ok(slot.pair(&answer, changed()))
            }
            Err(fault) => {
                slot.failure = Some((ticket, fault.clone()));
                Err(fault)
            }
        }
    }

    /// The part of the answer that `pick` finds. `None` only after two complete answers in a row, with no change of ours
    /// between them, did not hold it (invariant S10): the second call is made only when the shelf does not hold the first.
    pub(super) async fn find<F, T>(
        &self,
        reads: &Reads,
        service: Service,
        key: &K,
        freshness: Freshness,
        fetch: impl Fn() -> F,
        pick: impl Fn(&V) -> Option<T>,
    ) -> Result<Option<T>, Fault>
    where
        F: Future<Output = Result<V, Fault>>,
    {
        let pair = self.read(reads, service, key, freshness, &fetch).await?;
        if let Some(found) = pick(&pair.latest) {
            return Ok(Some(found));
        }
        if pair.before.as_deref().is_some_and(|before| pick(before).is_none()) {
            return Ok(None);
        }
        let again = self.read(reads, service, key, Freshness::After(pair.ticket), &fetch).await?;
        Ok(pick(&again.latest))
    }

    fn slot(&self, key: &K) -> Arc<tokio::sync::Mutex<Slot<V>>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(tokio::sync::Mutex::new(Slot { latest: None, before: None, failure: None }));
        Arc::clone(slots.entry(key.clone()).or_insert_with(fresh))
    }
}

impl<V> Slot<V> {
    /// The kept answer, if it satisfies a question asked at `asked`, with the service changed last at `changed`.
    fn usable(&self, asked: Ticket, freshness: Freshness, changed: Ticket, now: Timestamp) -> Option<Pair<V>> {
        let latest = self.latest.as_ref().filter(|latest| latest.ticket > changed)?;
        let young = match freshness {
            Freshness::Now | Freshness::After(_) => false,
            // An answer from the future means that the clock stepped back: its age is not known.
            Freshness::UpTo(age) => latest.began <= now && elapsed(latest.began, now) <= age,
        };
        (young || latest.ticket > asked).then(|| self.pair(latest, changed))
    }

    fn pair(&self, latest: &Answer<V>, changed: Ticket) -> Pair<V> {
        let before = self.before.as_ref().filter(|before| before.ticket > changed);
        Pair { ticket: latest.ticket, latest: Arc::clone(&latest.value), before: before.map(|before| Arc::clone(&before.value)) }
    }
}

#[cfg(test)]
#[path = "reads_tests.rs"]
mod tests;
