//! Both simulated databases compared, by digests of whole tables: they are read in no time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::seam::SimulatedDatabase;
use crate::clock::Clock;
use crate::database::{Answer, DeclaredWrites, Epoch};
use crate::fault::Fault;
use crate::names::{Side, TableName};
use crate::parity::comparer::{Comparer, Comparison};
use crate::parity::report::{Report, TableReport, Verdict};
use crate::sim::World;
use crate::spec::Migration;

/// Rows younger than this are left out of a comparison: they may still be on their way.
const SETTLED_AFTER: Duration = Duration::from_secs(120);

/// A row may change between the two digests; twice in a row the same tables would be chance no more.
const SECOND_LOOKS: u32 = 2;

/// How long replication may take to bring such a row.
const BEFORE_A_SECOND_LOOK: Duration = Duration::from_secs(3);

/// Rows of one table folded into a count and a checksum that is not linear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDigest {
    /// The table.
    pub table: TableName,
    /// Rows counted, without the declared validation writes.
    pub rows: u64,
    /// Their checksum, order-independent.
    pub checksum: u64,
    /// Rows that a declared validation write made: expected drift, reported apart.
    pub declared_rows: u64,
    /// Primary keys of rows that were left out because they changed too recently.
    pub unsettled: BTreeSet<String>,
}

/// Which rows a digest covers.
#[derive(Debug, Clone, Copy)]
pub struct DigestScope<'a> {
    /// Only rows last changed before this, so that replication lag is never called drift.
    pub settled_before: Timestamp,
    /// Rows that are counted apart.
    pub declared: &'a [DeclaredWrites],
    /// Primary keys, by table, of rows that the other side left out: an update on its way is old on one side and new on the
    /// other, and is compared another time.
    pub leave_out: &'a BTreeMap<TableName, BTreeSet<String>>,
}

/// Digests of all tables of one side.
pub fn digests(world: &World, side: Side, scope: DigestScope<'_>) -> Vec<TableDigest> {
    let nothing = BTreeSet::new();
    let tables = world.setting.tables.iter().zip(&world.databases.side(side).tables);
    tables
        .map(|(name, table)| {
            let full_name = name.to_string();
            let is_declared = scope.declared.iter().any(|writes| writes.table == full_name);
            let leave_out = scope.leave_out.get(name).unwrap_or(&nothing);
            let (rows, checksum, declared_rows) = table.digest_without(scope.settled_before, is_declared, leave_out);
            let unsettled = table.changed_since(scope.settled_before).map(|id| id.to_string()).collect();
            TableDigest { table: name.clone(), rows, checksum, declared_rows, unsettled }
        })
        .collect()
}

/// Compares the simulated databases within the pass that asks for it.
#[derive(Debug)]
pub struct SimulatedComparer {
    legacy: SimulatedDatabase,
    target: SimulatedDatabase,
    clock: Clock,
    ended: Mutex<Option<Report>>,
}

impl SimulatedComparer {
    /// Compares these two, on the controller's clock.
    pub const fn new(legacy: SimulatedDatabase, target: SimulatedDatabase, clock: Clock) -> Self {
        Self { legacy, target, clock, ended: Mutex::new(None) }
    }

    /// Compares, and counts a difference only if it is still there after replication has had time to catch up.
    async fn compare(&self, migration: &Migration) -> Result<Report, Fault> {
        let mut report = self.compare_once(migration).await?;
        for _ in 0..SECOND_LOOKS {
            if report.verdict == Verdict::Equal {
                break;
            }
            self.clock.sleep(BEFORE_A_SECOND_LOOK).await;
            report = self.compare_once(migration).await?;
        }
        Ok(report)
    }

    async fn compare_once(&self, migration: &Migration) -> Result<Report, Fault> {
        let began = self.clock.now();
        let settled_before = began.checked_sub(SETTLED_AFTER).unwrap_or(Timestamp::MIN);
        let declared = &migration.spec.validation.declared_writes;
        let scope = DigestScope { settled_before, declared, leave_out: &BTreeMap::new() };
        let legacy = self.legacy.digest_tables(scope).await?;
        let leave_out = legacy.iter().map(|digest| (digest.table.clone(), digest.unsettled.clone())).collect();
        let target = self.target.digest_tables(DigestScope { leave_out: &leave_out, ..scope }).await?;
        let finished = self.clock.now();
        let tables: Vec<TableReport> =
            legacy.iter().zip(&target).map(|(ours, theirs)| table_report(ours, theirs, began, finished)).collect();
        Ok(Report {
            migration: migration.name().to_string(),
            verdict: Report::overall(&tables, &[]),
            proof: format!("rows of the last {} s were left out", SETTLED_AFTER.as_secs()),
            began,
            finished,
            notes: Vec::new(),
            tables,
            ledger: Vec::new(),
            unique: Vec::new(),
        })
    }
}

fn table_report(legacy: &TableDigest, target: &TableDigest, began: Timestamp, finished: Timestamp) -> TableReport {
    let same = legacy.rows == target.rows && legacy.checksum == target.checksum;
    TableReport {
        table: legacy.table.to_string(),
        verdict: if same { Verdict::Equal } else { Verdict::Differs },
        rows: [legacy.rows, target.rows],
        declared_rows: [legacy.declared_rows, target.declared_rows],
        // A digest says that rows differ, not how many.
        differing: if same { 0 } else { legacy.rows.abs_diff(target.rows).max(1) },
        arrived: 0,
        in_flight: 0,
        sample: Vec::new(),
        notes: Vec::new(),
        began,
        finished,
    }
}

impl Comparer for SimulatedComparer {
    fn begin<'a>(&'a self, migration: &'a Migration, _: Epoch) -> Answer<'a, ()> {
        Box::pin(async move {
            let report = self.compare(migration).await?;
            *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
            Ok(())
        })
    }

    /// Nothing is ever under way between two passes.
    fn stop(&self) {}

    fn comparison(&self) -> Comparison {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Comparison { under_way: None, ended }
    }

    fn ending(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}
