//! DMS: what is seen there, and the room's calls.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_databasemigration::types::{
    Connection as DmsConnection, MigrationTypeValue, ReplicationTask, StartReplicationTaskTypeValue, TableStatistics,
    TableToReload,
};
use futures_util::future::{join, join_all};
use jiff::Timestamp;
use serde_json::Value;

use super::settings::{drift, mappings_drift, table_mappings, task_settings};
use super::{
    Connection, MISMATCHED, ReplicationAction, ReplicationSighting, StartType, TableState, TableStatistic, Task, TaskStatus,
    ValidationState, Wiring, endpoints,
};
use crate::aws::classify::{fault, unbuilt};
use crate::aws::{Aws, Freshness, Service};
use crate::controllers::sighted;
use crate::fault::Fault;
use crate::names::{Direction, EndpointArn, TableName, TaskArn, TaskIdentifier};
use crate::sighting::Sighting;
use crate::spec::Migration;

/// A start that finds a connection gone is refused by DMS itself, so this is only how soon it is told.
const TESTED_STAYS: Duration = Duration::from_secs(3600);

/// A start of ours makes the answer stale at once; this is how soon a stranger's is noticed in the tables.
const STOPPED_STAYS: Duration = Duration::from_secs(3600);

/// Looks at both tasks, their tables and the connection tests, and, as seldom as `papers` says, at how the tasks are set up.
/// Failed reads are `Unknown`.
pub async fn observe(aws: &Aws, migration: &Migration, freshness: Freshness, papers: Freshness) -> ReplicationSighting {
    let look = Look { aws, migration, freshness: aws.reads.from_now(freshness), papers };
    let ((forward, forward_tables), ((reverse, reverse_tables), connections)) =
        join(look.task(Direction::Forward), join(look.task(Direction::Reverse), look.connections())).await;
    ReplicationSighting { forward, reverse, forward_tables, reverse_tables, connections }
}

/// Makes one call. Whatever was read of DMS before it is not believed any more.
pub async fn act(aws: &Aws, migration: &Migration, action: &ReplicationAction) -> Result<(), Fault> {
    let _stale = aws.reads.changing(Service::Dms);
    match action {
        ReplicationAction::TestConnection { endpoint } => test_connection(aws, migration, endpoint).await,
        ReplicationAction::CreateTask { direction } => create_task(aws, migration, *direction).await,
        ReplicationAction::StartTask { direction: _, task, how } => start_task(aws, task, how).await,
        ReplicationAction::StopTask { direction: _, task } => {
            let call = aws.dms.stop_replication_task().replication_task_arn(task.as_str());
            call.send().await.map(drop).map_err(|error| fault(format!("StopReplicationTask {task}"), &error))
        }
        ReplicationAction::DeleteTask { direction: _, task } => {
            let call = aws.dms.delete_replication_task().replication_task_arn(task.as_str());
            call.send().await.map(drop).map_err(|error| fault(format!("DeleteReplicationTask {task}"), &error))
        }
        ReplicationAction::ReloadTables { task, tables } => reload_tables(aws, task, tables).await,
    }
}

const fn identifier(direction: Direction, migration: &Migration) -> &TaskIdentifier {
    match direction {
        Direction::Forward => &migration.spec.replication.forward.identifier,
        Direction::Reverse => &migration.spec.replication.reverse.identifier,
    }
}

const fn migration_type(direction: Direction) -> MigrationTypeValue {
    match direction {
        Direction::Forward => MigrationTypeValue::FullLoadAndCdc,
        Direction::Reverse => MigrationTypeValue::Cdc,
    }
}

async fn test_connection(aws: &Aws, migration: &Migration, endpoint: &EndpointArn) -> Result<(), Fault> {
    let instance = migration.spec.replication.instance_arn.as_str();
    let call = aws.dms.test_connection().replication_instance_arn(instance).endpoint_arn(endpoint.as_str());
    call.send().await.map(drop).map_err(|error| fault(format!("TestConnection {endpoint}"), &error))
}

async fn create_task(aws: &Aws, migration: &Migration, direction: Direction) -> Result<(), Fault> {
    let identifier = identifier(direction, migration);
    let [source, target] = endpoints(direction, migration);
    let call = aws
        .dms
        .create_replication_task()
        .replication_task_identifier(identifier.as_str())
        .source_endpoint_arn(source.as_str())
        .target_endpoint_arn(target.as_str())
        .replication_instance_arn(migration.spec.replication.instance_arn.as_str())
        .migration_type(migration_type(direction))
        .table_mappings(table_mappings(migration).to_string())
        .replication_task_settings(task_settings(migration).to_string());
    call.send().await.map(drop).map_err(|error| fault(format!("CreateReplicationTask {identifier}"), &error))
}

async fn start_task(aws: &Aws, task: &TaskArn, how: &StartType) -> Result<(), Fault> {
    let call = aws.dms.start_replication_task().replication_task_arn(task.as_str());
    let call = match how {
        StartType::First => call.start_replication_task_type(StartReplicationTaskTypeValue::StartReplication),
        StartType::FromPosition(position) => call
            .start_replication_task_type(StartReplicationTaskTypeValue::StartReplication)
            .cdc_start_position(position.to_string()),
        StartType::Resume => call.start_replication_task_type(StartReplicationTaskTypeValue::ResumeProcessing),
    };
    call.send().await.map(drop).map_err(|error| fault(format!("StartReplicationTask {task}"), &error))
}

async fn reload_tables(aws: &Aws, task: &TaskArn, tables: &[TableName]) -> Result<(), Fault> {
    let attempted = format!("ReloadTables {task}");
    let reload = |name: &TableName| TableToReload::builder().schema_name(&name.schema).table_name(&name.table).build();
    let built: Result<Vec<TableToReload>, _> = tables.iter().map(reload).collect();
    let built = built.map_err(|error| unbuilt(attempted.as_str(), &error))?;
    // Remembered before the call: an answer that gets lost may have been applied.
    aws.reads.reload_asked(task, tables);
    let call = aws.dms.reload_tables().replication_task_arn(task.as_str()).set_tables_to_reload(Some(built));
    call.send().await.map(drop).map_err(|error| fault(attempted, &error))
}

#[derive(Clone, Copy)]
struct Look<'a> {
    aws: &'a Aws,
    migration: &'a Migration,
    freshness: Freshness,
    /// How old an answer may be about how a task is set up.
    papers: Freshness,
}

impl Look<'_> {
    /// One direction's task, and its tables once it has run.
    async fn task(self, direction: Direction) -> (Sighting<Task>, Sighting<Vec<TableStatistic>>) {
        let found = self.aws.task(identifier(direction, self.migration), self.freshness).await;
        let mut task = sighted(found).map(|task| read_task(&task, direction, self.migration));
        if let Sighting::Present(task) = &mut task {
            task.drift = self.drift(task).await;
        }
        let tables = match &task {
            Sighting::Present(task) if task.started_before => self.tables_of(task).await,
            Sighting::Present(_) | Sighting::Absent => Sighting::Absent,
            Sighting::Unknown { why } => Sighting::unknown(why),
        };
        (task, tables)
    }

    /// How one task is set up, compared with what a new one would be given. Only somebody's hand changes that, so an answer is
    /// kept; but whoever has corrected a task need not wait until it is forgotten.
    async fn drift(self, task: &Task) -> Sighting<Vec<String>> {
        if task.wiring != Wiring::AsDeclared {
            return Sighting::unknown("it is somebody else's task");
        }
        // DMS shows a task that is being made or changed as it was, or as it will be.
        if matches!(task.status, TaskStatus::Creating | TaskStatus::Modifying | TaskStatus::Deleting) {
            return Sighting::unknown(format!("the task is {}", task.status));
        }
        let read = async |freshness| match sighted(self.aws.task_papers(&task.arn, freshness).await) {
            Sighting::Present(papers) => read_drift(&papers, self.migration),
            Sighting::Absent => Sighting::unknown(format!("{} was there and is gone", task.arn)),
            Sighting::Unknown { why } => Sighting::Unknown { why },
        };
        match read(self.papers).await {
            Sighting::Present(drift) if !drift.is_empty() => read(self.freshness).await,
            kept => kept,
        }
    }

    /// A task that has stopped moves no rows: what its tables were stays true until somebody starts it again.
    async fn tables_of(self, task: &Task) -> Sighting<Vec<TableStatistic>> {
        let freshness = match task.status {
            TaskStatus::Stopped => Freshness::UpTo(STOPPED_STAYS),
            _ => self.freshness,
        };
        Self { freshness, ..self }.tables(&task.arn).await
    }

    async fn tables(self, task: &TaskArn) -> Sighting<Vec<TableStatistic>> {
        let found = sighted(self.aws.tables(task, self.freshness).await);
        found.map(|tables| {
            let mut tables: Vec<TableStatistic> = tables.iter().map(read_table).collect();
            for it in &mut tables {
                if it.state == TableState::Error && self.aws.reads.predates_reload(task, &it.table, it.updated_at) {
                    it.state = TableState::Reloading;
                }
            }
            tables
        })
    }

    /// The tests of all four endpoints, out of one listing.
    /// A tested connection stays tested until somebody tests it again: once all are, they are asked for only now and then.
    async fn connections(self) -> BTreeMap<EndpointArn, Sighting<Connection>> {
        let remembered = Self { freshness: self.aws.reads.from_now(Freshness::UpTo(TESTED_STAYS)), ..self };
        let known = remembered.connection_tests().await;
        let tested = |sighting: &Sighting<Connection>| sighting.present() == Some(&Connection::Successful);
        if known.values().all(tested) { known } else { self.connection_tests().await }
    }

    async fn connection_tests(self) -> BTreeMap<EndpointArn, Sighting<Connection>> {
        let instance = &self.migration.spec.replication.instance_arn;
        let all = [Direction::Forward, Direction::Reverse].map(|direction| endpoints(direction, self.migration));
        let reads = all.into_iter().flatten().map(|endpoint| async move {
            let found = self.aws.connection(endpoint, instance, self.freshness).await;
            (endpoint.clone(), sighted(found).map(|connection| read_connection(&connection)))
        });
        join_all(reads).await.into_iter().collect()
    }
}

fn read_task(task: &ReplicationTask, direction: Direction, migration: &Migration) -> Task {
    let stats = task.replication_task_stats();
    let status = read_status(task.status().unwrap_or_default());
    let has_run = matches!(status, TaskStatus::Running | TaskStatus::Stopping | TaskStatus::Stopped);
    let was_started = task.replication_task_start_date().is_some()
        || stats.is_some_and(|stats| stats.start_date().is_some() || stats.fresh_start_date().is_some());
    Task {
        arn: TaskArn::from(task.replication_task_arn().unwrap_or_default()),
        started_before: has_run || was_started,
        status,
        migration_type: task.migration_type().map(|word| word.as_str().to_owned()).unwrap_or_default(),
        wiring: wiring(task, direction, migration),
        stop_reason: task.stop_reason().map(str::to_owned),
        last_failure: task.last_failure_message().map(str::to_owned),
        full_load_percent: stats.map_or(0, |stats| stats.full_load_progress_percent()),
        tables_errored: stats.map_or(0, |stats| stats.tables_errored()),
        tables_loading: stats.map_or(0, |stats| stats.tables_loading() + stats.tables_queued()),
        drift: Sighting::unknown("not asked yet"),
    }
}

fn read_drift(papers: &ReplicationTask, migration: &Migration) -> Sighting<Vec<String>> {
    let read = |what: &str, text: Option<&str>| {
        let text = text.ok_or_else(|| format!("DMS shows no {what} of the task"))?;
        serde_json::from_str::<Value>(text).map_err(|error| format!("the {what} of the task are not JSON: {error}"))
    };
    let settings = read("settings", papers.replication_task_settings());
    let mappings = read("table mappings", papers.table_mappings());
    match (settings, mappings) {
        (Ok(settings), Ok(mappings)) => {
            let mut lines = drift(&task_settings(migration), &settings);
            lines.extend(mappings_drift(&table_mappings(migration), &mappings));
            Sighting::Present(lines)
        }
        (Err(why), _) | (_, Err(why)) => Sighting::unknown(why),
    }
}

fn wiring(task: &ReplicationTask, direction: Direction, migration: &Migration) -> Wiring {
    let [source, target] = endpoints(direction, migration);
    let wished_type = migration_type(direction);
    let parts = [
        ("source endpoint", task.source_endpoint_arn(), source.as_str()),
        ("target endpoint", task.target_endpoint_arn(), target.as_str()),
        ("replication instance", task.replication_instance_arn(), migration.spec.replication.instance_arn.as_str()),
        ("migration type", task.migration_type().map(MigrationTypeValue::as_str), wished_type.as_str()),
    ];
    let differs = |(what, found, wished): &(&str, Option<&str>, &str)| {
        let found = found.unwrap_or("nothing");
        (found != *wished).then(|| format!("its {what} is {found}, not {wished}"))
    };
    parts.iter().find_map(differs).map_or(Wiring::AsDeclared, Wiring::Foreign)
}

fn read_status(word: &str) -> TaskStatus {
    match word {
        "creating" => TaskStatus::Creating,
        "ready" => TaskStatus::Ready,
        "starting" => TaskStatus::Starting,
        "running" => TaskStatus::Running,
        "stopping" => TaskStatus::Stopping,
        "stopped" => TaskStatus::Stopped,
        "failed" => TaskStatus::Failed,
        "modifying" => TaskStatus::Modifying,
        "deleting" => TaskStatus::Deleting,
        "testing" => TaskStatus::Testing,
        other => TaskStatus::Other(other.to_owned()),
    }
}

fn read_table(table: &TableStatistics) -> TableStatistic {
    let updated_at = table.last_update_time().and_then(|time| Timestamp::from_nanosecond(time.as_nanos()).ok());
    TableStatistic {
        table: TableName::new(table.schema_name().unwrap_or_default(), table.table_name().unwrap_or_default()),
        state: read_table_state(table.table_state().unwrap_or_default()),
        validation: read_validation(table.validation_state().unwrap_or_default()),
        full_load_rows: table.full_load_rows(),
        updated_at,
    }
}

fn read_table_state(word: &str) -> TableState {
    match word {
        "Table does not exist" => TableState::DoesNotExist,
        "Before load" => TableState::BeforeLoad,
        "Full load" => TableState::FullLoad,
        "Table completed" => TableState::Completed,
        "Table cancelled" => TableState::Cancelled,
        "Table error" => TableState::Error,
        "Table is being reloaded" => TableState::Reloading,
        other => TableState::Other(other.to_owned()),
    }
}

fn read_validation(word: &str) -> ValidationState {
    let text = word.to_owned();
    match word {
        "Validated" => ValidationState::Validated,
        "Pending records" | "Pending validation" | "Preparing table" | "Pending revalidation" => ValidationState::Pending(text),
        MISMATCHED | "Suspended records" | "Table error" | "Error" => ValidationState::Failed(text),
        // "Not enabled", "No primary key", and words that this program does not know: nothing was validated.
        _ => ValidationState::NotValidated(text),
    }
}

fn read_connection(connection: &DmsConnection) -> Connection {
    match connection.status().unwrap_or_default() {
        "testing" => Connection::Testing,
        "successful" => Connection::Successful,
        "failed" => Connection::Failed(connection.last_failure_message().unwrap_or("no reason given").to_owned()),
        other => Connection::Other(other.to_owned()),
    }
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
