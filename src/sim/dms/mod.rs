//! DMS: one replication instance, its endpoints, and its tasks, over JSON values.
//!
//! Not modelled: DDL, LOBs, assessments' results, tags, CloudWatch, instance failover, serverless replications.

mod calls;
mod describe;
pub mod mappings;
pub mod mover;
pub mod outside;
pub mod settings;
pub mod task;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use self::mover::{Mover, Note, TaskFailure};
use self::outside::{DataPlane, Errand, Pulse};
use self::task::{MigrationType, StartHow, Status, Task};
use crate::clock::after;
use crate::names::{Direction, EndpointArn, TaskIdentifier};
use crate::sim::database::Databases;
use crate::sim::database::binlog::SeekError;
use crate::sim::faults::Faults;
use crate::sim::setting::Setting;

/// `Connection.Status`
#[derive(Debug, Clone, PartialEq, Eq)]
enum ConnectionStatus {
    /// `testing`
    Testing,
    /// `successful`
    Successful,
    /// `failed`
    Failed,
}

/// A test of one endpoint on the instance.
#[derive(Debug)]
struct Connection {
    endpoint: EndpointArn,
    status: ConnectionStatus,
    due: Option<Timestamp>,
    tests: u32,
}

/// How far the tasks of one direction have come, whether they still exist or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Every event of the source's log before this one has been applied.
    pub applied_seq: u64,
    /// Tables that take no changes.
    pub unsettled_tables: usize,
    /// Rows logged and skipped.
    pub skipped_rows: u64,
}

/// The service.
#[derive(Debug)]
pub struct Dms {
    setting: Setting,
    tasks: Vec<Task>,
    connections: Vec<Connection>,
    /// What the world has to know of what happened since it asked last.
    pub notes: Vec<Note>,
    errands: Vec<Errand>,
    retired: [Progress; 2],
    /// Directions that no task can serve.
    cut_off: BTreeSet<Direction>,
    rng: fastrand::Rng,
}

impl Dms {
    /// An instance and four endpoints, none of them tested, and no task.
    pub fn new(setting: &Setting, rng: fastrand::Rng) -> Self {
        Self {
            setting: setting.clone(),
            tasks: Vec::new(),
            connections: Vec::new(),
            notes: Vec::new(),
            errands: Vec::new(),
            retired: [Progress::default(); 2],
            cut_off: BTreeSet::new(),
            rng,
        }
    }

    /// When something happens next.
    pub fn next_due(&self, databases: &Databases) -> Option<Timestamp> {
        let tasks = self.tasks.iter().filter_map(|task| {
            let moves =
                task.mover.as_ref().filter(|_| task.status == Status::Running).and_then(|mover| mover.next_due(databases));
            task.due.into_iter().chain(moves).min()
        });
        tasks.chain(self.connections.iter().filter_map(|connection| connection.due)).min()
    }

    /// Does everything that is due.
    pub fn step(&mut self, now: Timestamp, databases: &mut Databases, faults: &mut Faults) {
        for connection in self.connections.iter_mut().filter(|connection| connection.due.is_some_and(|due| due <= now)) {
            connection.due = None;
            connection.tests += 1;
            let fails = connection.tests == 1 && faults.strikes(faults.profile.failed_connection);
            if fails {
                faults.count("failed_connection");
            }
            connection.status = if fails { ConnectionStatus::Failed } else { ConnectionStatus::Successful };
        }
        for task in &mut self.tasks {
            if task.due.is_some_and(|due| due <= now) {
                task.due = None;
                let told = Told { notes: &mut self.notes, errands: &mut self.errands };
                pass(task, now, databases, faults, &self.setting, told);
            }
            if task.status == Status::Running && self.cut_off.contains(&task.direction) {
                fail(task, now, &TaskFailure("Access denied for user 'dms'@'%' (using password: YES)".to_owned()));
                task.status = Status::Failed;
            }
            if task.status == Status::Running {
                run(task, now, databases, faults, &mut self.rng);
            }
        }
        let retired = &mut self.retired;
        self.tasks.retain(|task| {
            let gone = task.status == Status::Deleting && task.due.is_none();
            if gone {
                retired[slot(task.direction)] = fold(retired[slot(task.direction)], task);
            }
            !gone
        });
    }

    /// How far the tasks of one direction have come.
    pub fn progress(&self, direction: Direction) -> Progress {
        let tasks = self.tasks.iter().filter(|task| task.direction == direction);
        tasks.fold(self.retired[slot(direction)], fold)
    }

    /// Lets no change of a direction arrive before `until`.
    pub fn stall(&mut self, direction: Direction, until: Timestamp) {
        let tasks = self.tasks.iter_mut().filter(|task| task.direction == direction);
        tasks.filter_map(|task| task.mover.as_mut()).for_each(|mover| mover.stall(until));
    }

    /// Somebody takes DMS's account away at one end: the task of this direction fails, and again whenever it has started.
    pub fn cut_off(&mut self, direction: Direction) {
        self.cut_off.insert(direction);
    }

    /// The account is given back.
    pub fn mend(&mut self, direction: Direction) {
        self.cut_off.remove(&direction);
    }

    /// Whether a task of this direction runs.
    pub fn is_running(&self, direction: Direction) -> bool {
        self.tasks.iter().any(|task| task.direction == direction && task.status == Status::Running)
    }

    /// Stops a running task, as a person does in the console. Whether there was one.
    pub fn stop_by_hand(&mut self, direction: Direction, now: Timestamp) -> bool {
        let found = self.tasks.iter_mut().find(|task| task.direction == direction && task.status == Status::Running);
        match found {
            Some(task) => {
                task.status = Status::Stopping;
                task.due = Some(after(now, Duration::from_secs(4)));
                true
            }
            None => false,
        }
    }

    /// A span between `shortest` and `longest` seconds, and several times that where a slow task strikes.
    fn delay(&mut self, faults: &mut Faults, shortest: u64, longest: u64) -> Duration {
        let usual = Duration::from_millis(self.rng.u64(shortest * 1000..=longest * 1000));
        if faults.strikes(faults.profile.slow_task) {
            faults.count("slow_task");
            return usual * self.rng.u32(3..=6);
        }
        usual
    }
}

const fn slot(direction: Direction) -> usize {
    match direction {
        Direction::Forward => 0,
        Direction::Reverse => 1,
    }
}

fn fold(sum: Progress, task: &Task) -> Progress {
    let Some(mover) = &task.mover else { return sum };
    let applied = if mover.load_is_over() { mover.next_seq } else { 0 };
    Progress {
        applied_seq: sum.applied_seq.max(applied),
        unsettled_tables: if task.status == Status::Deleting { 0 } else { mover.unsettled_tables() },
        skipped_rows: sum.skipped_rows + mover.skipped_rows(),
    }
}

/// Who is told what happens to tasks: the world, and movers outside.
struct Told<'a> {
    notes: &'a mut Vec<Note>,
    errands: &'a mut Vec<Errand>,
}

/// How often a stopping task asks after its mover outside.
const A_MOMENT: Duration = Duration::from_millis(5);

/// A status that passes by itself has passed.
fn pass(task: &mut Task, now: Timestamp, databases: &mut Databases, faults: &mut Faults, setting: &Setting, told: Told<'_>) {
    let before = std::mem::replace(&mut task.status, Status::Failed);
    task.status = match before {
        Status::Creating => Status::Ready,
        Status::Starting(how) => match begin(task, how, now, databases, setting, told) {
            Ok(()) if faults.strikes(faults.profile.failed_task) => {
                faults.count("failed_task");
                fail(task, now, &TaskFailure("Error executing source loop; Stream component failed at subtask 0".to_owned()));
                Status::Failed
            }
            Ok(()) => Status::Running,
            Err(failure) => {
                fail(task, now, &failure);
                Status::Failed
            }
        },
        // It has stopped when its mover outside has; nothing else takes time there.
        Status::Stopping if task.mover.as_ref().is_some_and(|mover| mover.pulse == Some(Pulse::AtWork)) => {
            task.due = Some(after(now, A_MOMENT));
            Status::Stopping
        }
        Status::Stopping => {
            task.stop_reason = Some("Stop Reason NORMAL");
            task.dates.stop = Some(now);
            Status::Stopped
        }
        Status::Modifying(before) => *before,
        settled => settled,
    };
}

/// Gives a starting task its hands.
fn begin(
    task: &mut Task,
    how: StartHow,
    now: Timestamp,
    databases: &mut Databases,
    setting: &Setting,
    Told { notes, errands }: Told<'_>,
) -> Result<(), TaskFailure> {
    if setting.data_plane == DataPlane::Outside {
        begin_outside(task, how, now, setting, errands);
        return Ok(());
    }
    let source = databases.side(task.direction.source());
    if task.migration_type != MigrationType::FullLoad && source.binlog.format != "ROW" {
        return Err(TaskFailure("Binary logging must be enabled with binlog_format=ROW for MySQL server".to_owned()));
    }
    if task.selection.tables.is_empty() {
        return Err(TaskFailure("No tables were found at task initialization".to_owned()));
    }
    let policies = task.settings.policies;
    match how {
        StartHow::FullLoad => {
            let mover = Mover::full_load(task.direction, &task.selection, policies, databases, notes);
            task.dates.full_load_start = Some(now);
            task.mover = Some(mover);
        }
        StartHow::Changes(position) => {
            let seq = match position {
                Some(position) => source.log.seek(&position).map_err(refused)?,
                None => source.log.next_seq(),
            };
            task.mover = Some(Mover::changes_only(task.direction, &task.selection, policies, seq, notes));
        }
        StartHow::Resume => {}
    }
    if let Some(mover) = &mut task.mover {
        mover.plan_load(now, setting.full_load);
    }
    Ok(())
}

/// Sends somebody outside to move a task's rows; what is known of its tables is kept for a resumed one.
fn begin_outside(task: &mut Task, how: StartHow, now: Timestamp, setting: &Setting, errands: &mut Vec<Errand>) {
    if how == StartHow::FullLoad {
        task.dates.full_load_start = Some(now);
    }
    let fresh = || Mover::outside(task.direction, &task.selection, task.settings.policies, &how);
    let mut mover = match (&how, task.mover.take()) {
        (StartHow::Resume, Some(mover)) => mover,
        _ => fresh(),
    };
    mover.pulse = Some(Pulse::AtWork);
    task.mover = Some(mover);
    errands.push(Errand::Begin {
        arn: task.arn.clone(),
        identifier: TaskIdentifier(task.identifier.clone()),
        direction: task.direction,
        tables: task.selection.tables.iter().filter_map(|table| setting.tables.get(*table).cloned()).collect(),
        policies: task.settings.policies,
        how,
    });
}

fn refused(error: SeekError) -> TaskFailure {
    TaskFailure(format!("Cannot start reading changes: {error}"))
}

fn run(task: &mut Task, now: Timestamp, databases: &mut Databases, faults: &mut Faults, rng: &mut fastrand::Rng) {
    let Some(mover) = &mut task.mover else { return };
    if mover.pulse.is_some() {
        return;
    }
    if let Err(failure) = mover.step(now, databases, faults, rng) {
        fail(task, now, &failure);
        return;
    }
    if task.dates.full_load_start.is_some() && task.dates.full_load_finish.is_none() && mover.load_is_over() {
        task.dates.full_load_finish = Some(now);
        if task.migration_type == MigrationType::FullLoad {
            task.status = Status::Stopped;
            task.stop_reason = Some("Stop Reason FULL_LOAD_ONLY_FINISHED");
            task.dates.stop = Some(now);
        }
    }
}

fn fail(task: &mut Task, now: Timestamp, failure: &TaskFailure) {
    task.status = Status::Failed;
    task.stop_reason = Some("Stop Reason FATAL_ERROR");
    task.last_failure = Some(failure.to_string());
    task.dates.stop = Some(now);
}
