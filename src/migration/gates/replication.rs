//! Gates of the two DMS tasks: loaded, healthy, near enough, stopped, and the markers that crossed.

use std::time::Duration;

use super::{Scene, unknown_of};
use crate::clock::elapsed;
use crate::controllers::replication::{Connection, TableState, Task, TaskStatus, ValidationState};
use crate::database::DatabaseView;
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

pub(super) fn full_load_done(scene: &Scene<'_>) -> Standing {
    let task = match task(scene, Direction::Forward) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
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

/// The lag as heartbeats show it: zero while the newest one has arrived, else the age of the newest that has.
pub fn lag_now(scene: &Scene<'_>, direction: Direction) -> Option<Duration> {
    let newest = |view: &DatabaseView| view.heartbeats.get(&direction.source()).copied();
    let sent = scene.seen.database(direction.source()).present().and_then(newest)?;
    let arrived = scene.seen.database(direction.source().other()).present().and_then(newest)?;
    Some(if arrived >= sent { Duration::ZERO } else { elapsed(arrived, sent) })
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

pub(super) fn dms_validation(scene: &Scene<'_>) -> Standing {
    let sighting = &scene.seen.replication.forward_tables;
    let Some(tables) = sighting.present() else {
        return unknown_of("the list of the forward task's tables", sighting);
    };
    let failed: Vec<String> = tables
        .iter()
        .filter_map(|statistic| match &statistic.validation {
            ValidationState::Failed(word) => Some(format!("{}: {word}", statistic.table)),
            ValidationState::Validated | ValidationState::Pending(_) | ValidationState::NotValidated(_) => None,
        })
        .collect();
    if failed.is_empty() { Standing::Open("DMS reports no mismatch".into()) } else { Standing::Closed(failed.join(", ")) }
}

pub(super) fn reverse_created(scene: &Scene<'_>) -> Standing {
    let spec = &scene.migration.spec;
    let task = match task(scene, Direction::Reverse) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
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
