//! The next step of each DMS task, with only those start types that DMS accepts in the state found.

use super::settings::few;
use super::{
    Connection, Reloads, ReplicationAction, ReplicationSighting, ReplicationWish, StartType, TableState, TableStatistic, Task,
    TaskStatus, TaskWish, Wiring, endpoints,
};
use crate::controllers::{Block, Steps, Wait};
use crate::database::BinlogPosition;
use crate::names::{Direction, TableName};
use crate::sighting::Sighting;
use crate::spec::Migration;

/// The most tables that one ReloadTables call takes.
const TABLES_A_RELOAD: usize = 10;

/// The next steps of both tasks.
pub fn plan(wish: &ReplicationWish, seen: &ReplicationSighting, migration: &Migration) -> Steps<ReplicationAction> {
    [(Direction::Forward, &wish.forward), (Direction::Reverse, &wish.reverse)]
        .into_iter()
        .map(|(direction, wish)| Room { direction, seen, migration }.task(wish))
        .fold(Steps::settled(), Steps::and)
        .and(tables(wish, seen))
}

/// One direction's part of the room.
#[derive(Clone, Copy)]
struct Room<'a> {
    direction: Direction,
    seen: &'a ReplicationSighting,
    migration: &'a Migration,
}

impl Room<'_> {
    fn task(self, wish: &TaskWish) -> Steps<ReplicationAction> {
        let direction = self.direction;
        if *wish == TaskWish::NotYet {
            return Steps::settled();
        }
        let task = match self.seen.task(direction) {
            Sighting::Present(task) => task,
            Sighting::Unknown { why } => return Steps::wait(Wait::new("TaskUnknown", why)),
            Sighting::Absent => return self.absent(wish),
        };
        if let Wiring::Foreign(how) = &task.wiring {
            let message =
                format!("the {direction} task is somebody else's: {how}; it is left alone, rename it or correct the spec");
            return Steps::block(Block::new("ForeignTask", message));
        }
        match wish {
            TaskWish::NotYet => Steps::settled(),
            TaskWish::Created => self.created(task),
            TaskWish::Running { from } => self.running(task, from.as_ref()),
            TaskWish::Stopped => self.stopped(task),
            TaskWish::Retired => self.retired(task),
        }
    }

    fn absent(self, wish: &TaskWish) -> Steps<ReplicationAction> {
        match wish {
            TaskWish::NotYet | TaskWish::Stopped | TaskWish::Retired => Steps::settled(),
            TaskWish::Created | TaskWish::Running { .. } => {
                Steps::act(ReplicationAction::CreateTask { direction: self.direction }).and(self.connections())
            }
        }
    }

    /// Exists, not running, and able to start.
    ///
    /// A CDC-only task that has run keeps the position it stopped at, and DMS documents no other way to give it a new one
    /// than a new task. So a reverse task of an earlier attempt is deleted here and created afresh. This is what later tells
    /// the two cases of a stopped reverse task apart: never started means "from the recorded position", started means
    /// "started in this attempt, so resume".
    fn created(self, task: &Task) -> Steps<ReplicationAction> {
        match &task.status {
            TaskStatus::Running => self.stop(task),
            TaskStatus::Ready | TaskStatus::Stopped | TaskStatus::Failed => {
                if self.direction == Direction::Reverse && task.started_before {
                    self.delete(task)
                } else {
                    self.connections().and(self.careful(task))
                }
            }
            moving => self.moving(moving),
        }
    }

    fn running(self, task: &Task, from: Option<&BinlogPosition>) -> Steps<ReplicationAction> {
        match &task.status {
            TaskStatus::Running => self.careful(task),
            TaskStatus::Ready | TaskStatus::Stopped | TaskStatus::Failed => self.start(task, from),
            moving => self.moving(moving),
        }
    }

    fn stopped(self, task: &Task) -> Steps<ReplicationAction> {
        match &task.status {
            TaskStatus::Running => self.stop(task),
            TaskStatus::Ready | TaskStatus::Stopped | TaskStatus::Failed => Steps::settled(),
            moving => self.moving(moving),
        }
    }

    fn retired(self, task: &Task) -> Steps<ReplicationAction> {
        match &task.status {
            TaskStatus::Running => self.stop(task),
            TaskStatus::Ready | TaskStatus::Stopped | TaskStatus::Failed => self.delete(task),
            moving => self.moving(moving),
        }
    }

    fn stop(self, task: &Task) -> Steps<ReplicationAction> {
        Steps::act(ReplicationAction::StopTask { direction: self.direction, task: task.arn.clone() })
    }

    fn delete(self, task: &Task) -> Steps<ReplicationAction> {
        Steps::act(ReplicationAction::DeleteTask { direction: self.direction, task: task.arn.clone() })
    }

    /// DMS refuses every call in these states.
    fn moving(self, status: &TaskStatus) -> Steps<ReplicationAction> {
        Steps::wait(Wait::new("TaskMoving", format!("the {} task is {status}", self.direction)))
    }

    fn start(self, task: &Task, from: Option<&BinlogPosition>) -> Steps<ReplicationAction> {
        let Some(how) = self.start_type(task, from) else {
            let message = "the reverse task was never started, and no start position is recorded for it".to_owned();
            return Steps::block(Block::new("NoStartPosition", message));
        };
        let careful = self.careful(task);
        if !careful.is_settled() {
            return careful.and(self.why_it_stopped(task));
        }
        let connections = self.connections();
        if !connections.is_settled() {
            return connections.and(self.why_it_stopped(task));
        }
        let (direction, arn) = (self.direction, task.arn.clone());
        Steps::act(ReplicationAction::StartTask { direction, task: arn, how }).and(self.why_it_stopped(task))
    }

    /// `start-replication` is legal once for a full load; a CDC-only task gets its position with its first start, because
    /// without one it would begin at "now" and lose what lies between. Whatever has run is resumed where it stopped: a
    /// second start from the position would apply again what was applied already.
    fn start_type(self, task: &Task, from: Option<&BinlogPosition>) -> Option<StartType> {
        match (task.started_before, self.direction, from) {
            (true, _, _) => Some(StartType::Resume),
            (false, Direction::Forward, _) => Some(StartType::First),
            (false, Direction::Reverse, Some(position)) => Some(StartType::FromPosition(position.clone())),
            (false, Direction::Reverse, None) => None,
        }
    }

    /// Nothing to do where the task is set up as this program would have. One that somebody made by hand has DMS's defaults,
    /// which drop the target's tables and skip the rows that do not fit: it is left as it is, and never started.
    fn careful(self, task: &Task) -> Steps<ReplicationAction> {
        let direction = self.direction;
        match &task.drift {
            Sighting::Present(drift) if drift.is_empty() => Steps::settled(),
            Sighting::Present(drift) => Steps::block(Block::new(
                "CarelessTask",
                format!(
                    "the {direction} task is there already and set up in another way ({}); it is left as it is, and not started. \
                     Correct its settings and mappings, or delete it if nobody needs it: it is created anew",
                    few(drift)
                ),
            )),
            Sighting::Unknown { why } => Steps::wait(Wait::new("SettingsUnknown", why)),
            Sighting::Absent => Steps::wait(Wait::new("SettingsUnknown", format!("the {direction} task shows no settings"))),
        }
    }

    /// A task that should run and stopped is started again, but never silently.
    fn why_it_stopped(self, task: &Task) -> Steps<ReplicationAction> {
        if !task.started_before {
            return Steps::settled();
        }
        let why = task.last_failure.as_deref().or(task.stop_reason.as_deref()).unwrap_or("no reason given");
        let reason = if task.status == TaskStatus::Failed { "TaskFailed" } else { "TaskStopped" };
        Steps::wait(Wait::new(reason, format!("the {} task is {} and is resumed: {why}", self.direction, task.status)))
    }

    /// DMS refuses a start until both endpoints have a successful test from this instance.
    fn connections(self) -> Steps<ReplicationAction> {
        endpoints(self.direction, self.migration)
            .into_iter()
            .map(|endpoint| {
                let test = || Steps::act(ReplicationAction::TestConnection { endpoint: endpoint.clone() });
                match self.seen.connections.get(endpoint) {
                    None => Steps::wait(Wait::new("ConnectionUnknown", format!("{endpoint} was not looked at"))),
                    Some(Sighting::Unknown { why }) => Steps::wait(Wait::new("ConnectionUnknown", why)),
                    Some(Sighting::Absent) => test(),
                    Some(Sighting::Present(Connection::Successful)) => Steps::settled(),
                    Some(Sighting::Present(Connection::Testing)) => {
                        Steps::wait(Wait::new("ConnectionTesting", format!("{endpoint} is being tested")))
                    }
                    Some(Sighting::Present(Connection::Failed(why))) => {
                        test().and(Steps::wait(Wait::new("ConnectionFailed", format!("{endpoint} is tested again: {why}"))))
                    }
                    Some(Sighting::Present(Connection::Other(word))) => {
                        Steps::wait(Wait::new("ConnectionUnknown", format!("the connection to {endpoint} is {word}")))
                    }
                }
            })
            .fold(Steps::settled(), Steps::and)
    }
}

/// Tables that stopped applying while their task runs on: DMS calls the task `running` all the same.
fn tables(wish: &ReplicationWish, seen: &ReplicationSighting) -> Steps<ReplicationAction> {
    let is_watched = |wish: &TaskWish| matches!(wish, TaskWish::Running { .. });
    let forward = Some(Direction::Forward).filter(|_| is_watched(&wish.forward));
    let reverse = Some(Direction::Reverse).filter(|_| is_watched(&wish.reverse));
    forward
        .into_iter()
        .chain(reverse)
        .map(|direction| errored_tables(direction, &wish.reloads, seen))
        .fold(Steps::settled(), Steps::and)
}

fn errored_tables(direction: Direction, reloads: &Reloads, seen: &ReplicationSighting) -> Steps<ReplicationAction> {
    let is_running = |task: &&Task| task.status == TaskStatus::Running && task.wiring == Wiring::AsDeclared;
    let Some(task) = seen.task(direction).present().filter(is_running) else { return Steps::settled() };
    let is_errored = |table: &&TableStatistic| table.state == TableState::Error;
    let statistics = seen.tables(direction).present();
    let errored: Vec<&TableName> = statistics.into_iter().flatten().filter(is_errored).map(|it| &it.table).collect();
    if errored.is_empty() {
        if task.tables_errored == 0 {
            return Steps::settled();
        }
        let message = format!("DMS counts {} tables in error and does not say which", task.tables_errored);
        return Steps::wait(Wait::new("ErroredTablesUnknown", message));
    }
    match (direction, reloads) {
        (Direction::Forward, Reloads::Allowed { per_table, done }) => {
            let count = |table: &TableName| done.get(table).copied().unwrap_or(0);
            let (curable, spent): (Vec<_>, Vec<_>) = errored.into_iter().partition(|table| count(table) < *per_table);
            reload(task, &curable).and(give_up(direction, &spent, &format!("each was reloaded {per_table} times")))
        }
        (Direction::Forward, Reloads::Forbidden) => {
            give_up(direction, &errored, "a reload is out of the question while a fence stands or the target has rows of its own")
        }
        (Direction::Reverse, _) => {
            give_up(direction, &errored, "a CDC-only task cannot reload them, so a rollback would lose rows")
        }
    }
}

fn reload(task: &Task, tables: &[&TableName]) -> Steps<ReplicationAction> {
    if tables.is_empty() {
        return Steps::settled();
    }
    let tables = tables.iter().take(TABLES_A_RELOAD).map(|table| (*table).clone()).collect();
    Steps::act(ReplicationAction::ReloadTables { task: task.arn.clone(), tables })
}

fn give_up(direction: Direction, tables: &[&TableName], why: &str) -> Steps<ReplicationAction> {
    if tables.is_empty() {
        return Steps::settled();
    }
    let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let message = format!("{} stopped applying in the {direction} task; {why}", names.join(", "));
    Steps::block(Block::new("TableErrors", message))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
