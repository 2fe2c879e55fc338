//! Hands: one [`Action`] carried out exactly as planned. No judgement lives here; whatever needed an `if` was decided before.

use std::time::Duration;

use super::observe::{Eyes, within};
use crate::controllers::binlog::{self, aws::Route};
use crate::controllers::dns::{self, DnsAction};
use crate::controllers::fence::FenceAction;
use crate::controllers::hooks::HookAction;
use crate::controllers::hooks::call::{Desk, call};
use crate::controllers::redirect;
use crate::controllers::replication::{self, ReplicationAction, StartType};
use crate::fault::{Fault, Problem};
use crate::migration::approvals::cutover_digest;
use crate::migration::facts::Fact;
use crate::migration::plan::Action;
use crate::names::Direction;
use crate::spec::Migration;

/// The longest one action may take while both sides are closed, so that the pause overruns its budget by one call at most.
const ACTION_WHILE_PAUSED: Duration = Duration::from_secs(3);

/// What must be durable before the call, beside its intent.
pub fn fact_before(action: &Action) -> Option<Fact> {
    match action {
        Action::Replication(ReplicationAction::ReloadTables { tables, .. }) => {
            Some(Fact::TablesReloaded { tables: tables.clone() })
        }
        Action::Replication(ReplicationAction::StartTask { direction: Direction::Reverse, how: StartType::Resume, .. }) => {
            Some(Fact::ReverseResumed)
        }
        Action::Dns(DnsAction::Change { purpose, old, .. }) => {
            let old_ttl_seconds = old.iter().map(dns::RecordSet::ttl_seconds).max().unwrap_or(0);
            Some(Fact::ChangeIntended { purpose: *purpose, old_ttl_seconds })
        }
        Action::Hook(HookAction::Call { point, hooks, .. }) => Some(Fact::HooksCalled { point: *point, hooks: hooks.clone() }),
        Action::Record(_) | Action::Replication(_) | Action::Binlog(_) | Action::Redirect(_) | Action::Fence(_) => None,
        Action::WriteMarker { .. } | Action::RaiseIds { .. } | Action::ExportRows { .. } | Action::CompareTables => None,
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
        Action::Replication(action) => replication::aws::act(&eyes.equipment.aws, migration, action).await.map(|()| None),
        Action::Binlog(action) => match binlog::aws::route(action) {
            Route::Rds(call) => binlog::aws::act(&eyes.equipment.aws, migration, call).await.map(|()| None),
            Route::SetRetention(hours) => eyes.equipment.target.set_binlog_retention(eyes.epoch, hours).await.map(|()| None),
        },
        Action::Redirect(action) => redirect::aws::act(&eyes.equipment.aws, migration, action).await.map(|()| None),
        Action::Dns(change) => {
            let id = dns::aws::act(&eyes.equipment.aws, migration, change).await?;
            let DnsAction::Change { purpose, old, .. } = change;
            let old_ttl_seconds = old.iter().map(dns::RecordSet::ttl_seconds).max().unwrap_or(0);
            Ok(Some(Fact::ChangeSubmitted { purpose: *purpose, change: Some(id), old_ttl_seconds }))
        }
        Action::Fence(FenceAction::Close { side, accounts }) => {
            eyes.equipment.database(*side).close_fence(eyes.epoch, accounts).await.map(|()| None)
        }
        Action::Fence(FenceAction::Open { side, accounts }) => {
            eyes.equipment.database(*side).open_fence(eyes.epoch, accounts).await.map(|()| None)
        }
        Action::WriteMarker { purpose, marker } => {
            eyes.equipment.database(purpose.written_on()).write_marker(eyes.epoch, marker).await?;
            Ok(Some(Fact::MarkerWritten { purpose: *purpose, marker: marker.clone() }))
        }
        Action::CompareTables => eyes.equipment.comparer.begin(migration, eyes.epoch).await.map(|()| None),
        Action::ExportRows { name } => eyes.equipment.exporter.begin(migration, name).await.map(|()| None),
        Action::RaiseIds { side, floors } => eyes.equipment.database(*side).raise_ids(eyes.epoch, floors).await.map(|()| None),
        Action::Hook(action) => {
            let (messenger, secrets) = (&*eyes.equipment.messenger, &*eyes.equipment.tools.secrets);
            let (plan_digest, at) = (&cutover_digest(migration), eyes.clock.now());
            let answers = call(Desk { messenger, secrets, plan_digest, at }, migration, action).await;
            let HookAction::Call { point, .. } = action;
            Ok(Some(Fact::HooksAnswered { point: *point, answers }))
        }
    }
}
