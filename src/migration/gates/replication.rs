//! Gates of the two DMS tasks: loaded, healthy, near enough, stopped, and the markers that crossed.

use std::time::Duration;

use super::{Scene, unknown_of};
use crate::clock::elapsed;
use crate::controllers::replication::settings::few;
use crate::controllers::replication::{Connection, MISMATCHED, TableState, TableStatistic, Task, TaskStatus, ValidationState};
use crate::migration::crossing::Lag;
use crate::migration::facts::MarkerPurpose;
use crate::migration::plan::Standing;
use crate::names::Direction;
use crate::sighting::Sighting;
use crate::spec::Migration;
use crate::spec::period::spoken;

fn task<'a>(scene: &Scene<'a>, direction: Direction) -> Result<&'a Task, Standing> {
    let sighting = scene.seen.replication.task(direction);
    sighting.present().ok_or_else(|| unknown_of(&format!("the {direction} task"), sighting))
}

/// What keeps a task that somebody else may have made from being relied on, though it is there.
fn carelessness(task: &Task, direction: Direction) -> Option<Standing> {
    match &task.drift {
        Sighting::Present(drift) if drift.is_empty() => None,
        Sighting::Present(drift) => {
            Some(Standing::Closed(format!("the {direction} task is set up in another way: {}", few(drift))))
        }
        sighting => Some(unknown_of(&format!("how the {direction} task is set up"), sighting)),
    }
}

pub(super) fn full_load_done(scene: &Scene<'_>) -> Standing {
    let task = match task(scene, Direction::Forward) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
    if let Some(standing) = carelessness(task, Direction::Forward) {
        return standing;
    }
    match &task.status {
        TaskStatus::Running if task.full_load_percent == 100 && task.tables_loading == 0 => {
            Standing::Open("the full load is done, changes flow".into())
        }
        TaskStatus::Running => Standing::Closed(format!("full load at {} %", task.full_load_percent)),
        status => Standing::Closed(format!("the forward task is {status}")),
    }
}

pub(super) fn tables_healthy(scene: &Scene<'_>, direction: Direction) -> Standing {
    let sighting = scene.seen.replication.tables(direction);
    let Some(tables) = sighting.present() else {
        return unknown_of(&format!("the list of the {direction} task's tables"), sighting);
    };
    if tables.is_empty() {
        return Standing::Closed(format!("the {direction} task lists no table"));
    }
    let troubled: Vec<String> = tables
        .iter()
        .filter(|statistic| statistic.state != TableState::Completed)
        .map(|statistic| format!("{} ({:?})", statistic.table, statistic.state))
        .collect();
    if troubled.is_empty() {
        Standing::Open(format!("{} tables, none in error", tables.len()))
    } else {
        Standing::Closed(troubled.join(", "))
    }
}

/// How old the newest heartbeat is that has crossed in `direction`: an upper bound of the lag. Both times are the source
/// server's own, so that no two clocks are ever compared.
pub fn heartbeat_age(scene: &Scene<'_>, direction: Direction) -> Option<Duration> {
    let source = scene.seen.database(direction.source()).present()?;
    let arrived = scene.seen.database(direction.source().other()).present()?;
    arrived.heartbeats.get(&direction.source()).map(|sent| elapsed(*sent, source.at))
}

/// How far behind `direction` is, as its heartbeats have proven it across looks; for people and for metrics. What lets a switch
/// through asks for a fresh heartbeat in the very look that it is judged on.
pub fn lag_now(scene: &Scene<'_>, direction: Direction) -> Lag {
    let sides = [direction.source(), direction.source().other()];
    if sides.iter().any(|side| scene.seen.database(*side).present().is_none()) {
        return Lag::Unproven;
    }
    match scene.seen.crossing.lag(max_lag(scene.migration, direction)) {
        // None is sent while the migration is paused, so that nothing is proven any more.
        Lag::Within { .. } if scene.migration.spec.paused => Lag::Unproven,
        lag => lag,
    }
}

pub(super) fn lag(scene: &Scene<'_>, direction: Direction) -> Standing {
    let most = max_lag(scene.migration, direction);
    match heartbeat_age(scene, direction) {
        Some(age) if age <= most => Standing::Open(format!("a heartbeat of {} ago has crossed", spoken(age))),
        Some(age) => Standing::Closed(format!("the newest heartbeat across is {} old, {} allowed", spoken(age), spoken(most))),
        None => Standing::Unknown("no heartbeat has crossed yet".into()),
    }
}

/// The lag that the spec accepts in one direction.
pub const fn max_lag(migration: &Migration, direction: Direction) -> Duration {
    match direction {
        Direction::Forward => migration.spec.replication.forward.max_lag.duration(),
        Direction::Reverse => migration.spec.replication.reverse.max_lag.duration(),
    }
}

/// DMS's own comparison is a second witness that can only accuse. It compares no table without a key and is never done with a
/// busy one, so what is pending, or was not compared, holds nobody up. That every row is equal is proven by this program's own
/// comparison, whose gates stand beside this one.
pub(super) fn dms_validation(scene: &Scene<'_>) -> Standing {
    let sighting = &scene.seen.replication.forward_tables;
    let Some(tables) = sighting.present() else {
        return unknown_of("the list of the forward task's tables", sighting);
    };
    let failed: Vec<String> = tables.iter().filter_map(|statistic| accusation(statistic, scene.migration)).collect();
    if !failed.is_empty() {
        return Standing::Closed(failed.join(", "));
    }
    let pending = tables.iter().filter(|statistic| matches!(statistic.validation, ValidationState::Pending(_))).count();
    match pending {
        0 => Standing::Open("DMS reports no mismatch".into()),
        pending => Standing::Open(format!("DMS reports no mismatch, and still compares {pending} of {} tables", tables.len())),
    }
}

/// What DMS says against a table. Rows of declared validation writes are on the target alone; DMS knows of no exceptions and
/// calls them mismatched, and only this program's comparison can tell them from others.
fn accusation(statistic: &TableStatistic, migration: &Migration) -> Option<String> {
    let table = statistic.table.to_string();
    let declared = migration.spec.validation.declared_writes.iter().any(|writes| writes.table == table);
    match &statistic.validation {
        ValidationState::Failed(word) if declared && word == MISMATCHED => None,
        ValidationState::Failed(word) => Some(format!("{table}: {word}")),
        ValidationState::Validated | ValidationState::Pending(_) | ValidationState::NotValidated(_) => None,
    }
}

pub(super) fn reverse_created(scene: &Scene<'_>) -> Standing {
    let spec = &scene.migration.spec;
    let task = match task(scene, Direction::Reverse) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
    if let Some(standing) = carelessness(task, Direction::Reverse) {
        return standing;
    }
    // A task that has run keeps its old position; only one that never ran starts where this attempt says.
    if task.status != TaskStatus::Ready || task.started_before {
        return Standing::Closed(format!("the reverse task is {}", task.status));
    }
    for endpoint in [&spec.target.reverse_endpoint_arn, &spec.legacy.reverse_endpoint_arn] {
        match scene.seen.replication.connections.get(endpoint) {
            Some(Sighting::Present(Connection::Successful)) => {}
            Some(Sighting::Present(other)) => return Standing::Closed(format!("the connection to {endpoint} is {other:?}")),
            Some(sighting) => return unknown_of(&format!("the connection test of {endpoint}"), sighting),
            None => return Standing::Unknown(format!("the connection test of {endpoint} was not read")),
        }
    }
    Standing::Open("the reverse task is created, both its endpoints tested".into())
}

pub(super) fn reverse_healthy(scene: &Scene<'_>) -> Standing {
    let task = match task(scene, Direction::Reverse) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
    if task.status != TaskStatus::Running {
        let why = task.last_failure.as_deref().map_or(String::new(), |why| format!(": {why}"));
        return Standing::Closed(format!("the reverse task is {}{why}", task.status));
    }
    tables_healthy(scene, Direction::Reverse)
}

pub(super) fn marker_arrived(scene: &Scene<'_>, purpose: MarkerPurpose) -> Standing {
    match scene.facts.markers.get(&purpose) {
        Some(marker) if marker.seen_at.is_some() => Standing::Open(format!("marker {} arrived", marker.marker)),
        Some(marker) => Standing::Closed(format!("marker {} has not arrived yet", marker.marker)),
        None => Standing::Closed(format!("the {} marker is not written yet", purpose.word())),
    }
}

pub(super) fn stopped(scene: &Scene<'_>, direction: Direction) -> Standing {
    match scene.seen.replication.task(direction) {
        // A failed task applies nothing either, and nothing would ever stop it.
        Sighting::Present(task) if matches!(task.status, TaskStatus::Stopped | TaskStatus::Ready | TaskStatus::Failed) => {
            Standing::Open(format!("the {direction} task is stopped"))
        }
        Sighting::Present(task) => Standing::Closed(format!("the {direction} task is {}", task.status)),
        Sighting::Absent => Standing::Open(format!("there is no {direction} task")),
        sighting @ Sighting::Unknown { .. } => unknown_of(&format!("the {direction} task"), sighting),
    }
}

pub(super) fn tasks_retired(scene: &Scene<'_>) -> Standing {
    for direction in [Direction::Forward, Direction::Reverse] {
        match scene.seen.replication.task(direction) {
            Sighting::Absent => {}
            Sighting::Present(task) => return Standing::Closed(format!("the {direction} task is still {}", task.status)),
            sighting @ Sighting::Unknown { .. } => return unknown_of(&format!("the {direction} task"), sighting),
        }
    }
    Standing::Open("both tasks are retired; all data stays where it is".into())
}
