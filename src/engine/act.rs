//! Hands: one [`Action`] carried out exactly as planned. No judgement lives here; whatever needed an `if` was decided before.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::observe::{Eyes, within};
use crate::controllers::binlog::{self, aws::Route};
use crate::controllers::dns::{self, DnsAction};
use crate::controllers::fence::FenceAction;
use crate::controllers::redirect;
use crate::controllers::replication::{self, ReplicationAction};
use crate::database::{Database, DigestScope, TableDigest};
use crate::fault::{Fault, Problem};
use crate::migration::facts::Fact;
use crate::migration::plan::Action;
use crate::names::{Side, TableName};
use crate::spec::Migration;

/// Rows younger than this are left out of a comparison: they may still be on their way.
const SETTLED_AFTER: Duration = Duration::from_secs(120);

/// A row may change between the two digests; twice in a row the same tables would be chance no more.
const SECOND_LOOKS: u32 = 2;

/// How long replication may take to bring such a row.
const BEFORE_A_SECOND_LOOK: Duration = Duration::from_secs(3);

/// The longest one action may take while both sides are closed, so that the pause overruns its budget by one call at most.
const ACTION_WHILE_PAUSED: Duration = Duration::from_secs(3);

/// What must be durable before the call, beside its intent.
pub fn fact_before(action: &Action) -> Option<Fact> {
    match action {
        Action::Replication(ReplicationAction::ReloadTables { tables, .. }) => {
            Some(Fact::TablesReloaded { tables: tables.clone() })
        }
        Action::Dns(DnsAction::Change { purpose, old, .. }) => {
            let old_ttl_seconds = old.iter().map(dns::RecordSet::ttl_seconds).max().unwrap_or(0);
            Some(Fact::ChangeIntended { purpose: *purpose, old_ttl_seconds })
        }
        Action::Record(_) | Action::Replication(_) | Action::Binlog(_) | Action::Redirect(_) | Action::Fence(_) => None,
        Action::WriteMarker { .. } | Action::RaiseIds { .. } | Action::CompareTables => None,
    }
}

/// Carries an action out; what it learnt becomes a fact.
pub async fn act(eyes: Eyes<'_>, migration: &Migration, action: &Action, paused: bool) -> Result<Option<Fact>, Fault> {
    if !paused {
        return carry_out(eyes, migration, action).await;
    }
    within(eyes.clock, ACTION_WHILE_PAUSED, carry_out(eyes, migration, action), |detail| {
        Err(Fault { attempted: action.to_string(), problem: Problem::Ambiguous { detail } })
    })
    .await
}

async fn carry_out(eyes: Eyes<'_>, migration: &Migration, action: &Action) -> Result<Option<Fact>, Fault> {
    match action {
        Action::Record(fact) => Ok(Some(fact.clone())),
        Action::Replication(action) => replication::aws::act(eyes.aws, migration, action).await.map(|()| None),
        Action::Binlog(action) => match binlog::aws::route(action) {
            Route::Rds(call) => binlog::aws::act(eyes.aws, migration, call).await.map(|()| None),
            Route::SetRetention(hours) => eyes.target.set_binlog_retention(eyes.epoch, hours).await.map(|()| None),
        },
        Action::Redirect(action) => redirect::aws::act(eyes.aws, migration, action).await.map(|()| None),
        Action::Dns(change) => {
            let id = dns::aws::act(eyes.aws, migration, change).await?;
            let DnsAction::Change { purpose, old, .. } = change;
            let old_ttl_seconds = old.iter().map(dns::RecordSet::ttl_seconds).max().unwrap_or(0);
            Ok(Some(Fact::ChangeSubmitted { purpose: *purpose, change: Some(id), old_ttl_seconds }))
        }
        Action::Fence(FenceAction::Close { side, accounts }) => {
            database(eyes, *side).close_fence(eyes.epoch, accounts).await.map(|()| None)
        }
        Action::Fence(FenceAction::Open { side, accounts }) => {
            database(eyes, *side).open_fence(eyes.epoch, accounts).await.map(|()| None)
        }
        Action::WriteMarker { purpose, marker } => {
            database(eyes, purpose.written_on()).write_marker(eyes.epoch, marker).await?;
            Ok(Some(Fact::MarkerWritten { purpose: *purpose, marker: marker.clone() }))
        }
        Action::RaiseIds { side, floors } => database(eyes, *side).raise_ids(eyes.epoch, floors).await.map(|()| None),
        Action::CompareTables => compare(eyes, migration).await.map(Some),
    }
}

fn database<'a>(eyes: Eyes<'a>, side: Side) -> &'a dyn Database {
    match side {
        Side::Legacy => eyes.legacy,
        Side::Target => eyes.target,
    }
}

/// Compares, and counts a difference only if it is still there after replication has had time to catch up.
async fn compare(eyes: Eyes<'_>, migration: &Migration) -> Result<Fact, Fault> {
    let mut comparison = compare_once(eyes, migration).await?;
    for _ in 0..SECOND_LOOKS {
        let Fact::ParityCompared { differing, .. } = &comparison else { break };
        if differing.is_empty() {
            break;
        }
        eyes.clock.sleep(BEFORE_A_SECOND_LOOK).await;
        comparison = compare_once(eyes, migration).await?;
    }
    Ok(comparison)
}

async fn compare_once(eyes: Eyes<'_>, migration: &Migration) -> Result<Fact, Fault> {
    let settled_before = eyes.clock.now().checked_sub(SETTLED_AFTER).unwrap_or(Timestamp::MIN);
    let declared = &migration.spec.validation.declared_writes;
    let scope = DigestScope { settled_before, declared, leave_out: &BTreeMap::new() };
    let legacy = eyes.legacy.digest_tables(scope).await?;
    let leave_out = legacy.iter().map(|digest| (digest.table.clone(), digest.unsettled.clone())).collect();
    let target = eyes.target.digest_tables(DigestScope { leave_out: &leave_out, ..scope }).await?;
    Ok(Fact::ParityCompared { rows: legacy.iter().map(|digest| digest.rows).sum(), differing: differing(&legacy, &target) })
}

/// Tables whose counts or checksums differ, or that only one side has.
fn differing(legacy: &[TableDigest], target: &[TableDigest]) -> Vec<TableName> {
    let same = |a: &TableDigest, b: &TableDigest| a.table == b.table && a.rows == b.rows && a.checksum == b.checksum;
    let unmatched = |these: &[TableDigest], those: &[TableDigest]| -> Vec<TableName> {
        these.iter().filter(|this| !those.iter().any(|that| same(this, that))).map(|this| this.table.clone()).collect()
    };
    let mut tables = unmatched(legacy, target);
    tables.extend(unmatched(target, legacy));
    tables.sort();
    tables.dedup();
    tables
}
