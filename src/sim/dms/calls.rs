//! DMS's operations that change something, and the door to all of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::describe::{not_found, text};
use super::mappings::select;
use super::mover::TableState;
use super::outside::{DataPlane, Errand};
use super::settings::{RowValidation, enrich};
use super::task::{Dates, MigrationType, StartHow, Status, Task};
use super::{Connection, ConnectionStatus, Dms};
use crate::clock::after;
use crate::database::BinlogPosition;
use crate::names::{Direction, EndpointArn, Side, TaskArn, account_of, region_of};
use crate::sim::database::Databases;
use crate::sim::faults::Faults;
use crate::sim::setting::EndpointType;
use crate::sim::wire::ServiceError;

type Answer = Result<Value, ServiceError>;

fn wrong_state(message: impl Into<String>) -> ServiceError {
    ServiceError::refused("InvalidResourceStateFault", message)
}

fn wrong_combination(message: &str) -> ServiceError {
    ServiceError::refused("InvalidParameterCombinationException", message)
}

fn wrong_value(message: &str) -> ServiceError {
    ServiceError::refused("InvalidParameterValueException", message)
}

impl Dms {
    /// Answers one operation.
    pub fn call(
        &mut self,
        now: Timestamp,
        operation: &str,
        input: &Value,
        databases: &mut Databases,
        faults: &mut Faults,
    ) -> Answer {
        match operation {
            "DescribeReplicationTasks" => self.describe_tasks(input, databases),
            "DescribeTableStatistics" => self.describe_statistics(input, now),
            "DescribeConnections" => self.describe_connections(input),
            "DescribeEndpoints" => self.describe_endpoints(input),
            "DescribeReplicationInstances" => self.describe_instances(input),
            "DescribeAccountAttributes" => Ok(self.describe_account()),
            "TestConnection" => self.test_connection(now, input, faults),
            "CreateReplicationTask" => self.create(now, input, databases, faults),
            "ModifyReplicationTask" => self.modify(now, input, databases, faults),
            "StartReplicationTask" => self.start(now, input, databases, faults),
            "StopReplicationTask" => self.stop(now, input, databases, faults),
            "DeleteReplicationTask" => self.delete(now, input, databases, faults),
            "ReloadTables" => self.reload(now, input, databases, faults),
            other => Err(ServiceError::refused("UnknownOperationException", format!("{other} is not known here"))),
        }
    }

    /// The direction of the task with this ARN.
    pub fn direction_of(&self, arn: &str) -> Option<Direction> {
        self.tasks.iter().find(|task| task.arn.as_str() == arn).map(|task| task.direction)
    }

    /// Whether the task with this ARN loads whole tables.
    pub fn loads_tables(&self, arn: &str) -> bool {
        self.tasks.iter().any(|task| task.arn.as_str() == arn && task.migration_type != MigrationType::Cdc)
    }

    fn named(&self, input: &Value) -> Result<usize, ServiceError> {
        let arn = text(input, "ReplicationTaskArn")?;
        self.tasks.iter().position(|task| task.arn.as_str() == arn).ok_or_else(|| not_found("Replication Task"))
    }

    fn answer(&self, number: usize, databases: &Databases) -> Answer {
        Ok(json!({ "ReplicationTask": self.tasks[number].shown(self.setting.instance().as_str(), true, databases) }))
    }

    fn endpoint(&self, input: &Value, member: &str, endpoint_type: EndpointType) -> Result<(EndpointArn, Side), ServiceError> {
        let arn = text(input, member)?;
        let found = self.setting.endpoints.iter().find(|endpoint| endpoint.arn.as_str() == arn);
        let endpoint = found.ok_or_else(|| not_found("Endpoint"))?;
        if endpoint.endpoint_type != endpoint_type {
            return Err(wrong_value(&format!("{member} is not a {} endpoint", endpoint_type.as_str())));
        }
        Ok((endpoint.arn.clone(), endpoint.side))
    }

    fn instance_named(&self, input: &Value) -> Result<(), ServiceError> {
        let named = text(input, "ReplicationInstanceArn")?;
        if named == self.setting.instance().as_str() { Ok(()) } else { Err(not_found("Replication Instance")) }
    }

    fn test_connection(&mut self, now: Timestamp, input: &Value, faults: &mut Faults) -> Answer {
        self.instance_named(input)?;
        let arn = text(input, "EndpointArn")?;
        let endpoint = self.setting.endpoints.iter().find(|endpoint| endpoint.arn.as_str() == arn);
        let endpoint = endpoint.ok_or_else(|| not_found("Endpoint"))?.arn.clone();
        let due = Some(after(now, self.delay(faults, 5, 15)));
        let number = match self.connections.iter().position(|connection| connection.endpoint == endpoint) {
            Some(number) if self.connections[number].status == ConnectionStatus::Testing => {
                return Err(wrong_state("Connection is already being tested"));
            }
            Some(number) => number,
            None => {
                self.connections.push(Connection { endpoint, status: ConnectionStatus::Testing, due, tests: 0 });
                self.connections.len() - 1
            }
        };
        let connection = &mut self.connections[number];
        connection.status = ConnectionStatus::Testing;
        connection.due = due;
        Ok(json!({ "Connection": self.shown_connection(&self.connections[number]) }))
    }

    fn create(&mut self, now: Timestamp, input: &Value, databases: &Databases, faults: &mut Faults) -> Answer {
        let identifier = text(input, "ReplicationTaskIdentifier")?.to_lowercase();
        check_identifier(&identifier)?;
        let (source, source_side) = self.endpoint(input, "SourceEndpointArn", EndpointType::Source)?;
        let (target, target_side) = self.endpoint(input, "TargetEndpointArn", EndpointType::Target)?;
        self.instance_named(input)?;
        let direction = match (source_side, target_side) {
            (Side::Legacy, Side::Target) => Direction::Forward,
            (Side::Target, Side::Legacy) => Direction::Reverse,
            _ => return Err(wrong_value("Source and target reach the same database")),
        };
        let word = text(input, "MigrationType")?;
        let migration_type = MigrationType::of(word).ok_or_else(|| wrong_value("Invalid MigrationType"))?;
        let mappings = text(input, "TableMappings")?.to_owned();
        let selection = select(&mappings, &self.setting)?;
        let settings = enrich(input["ReplicationTaskSettings"].as_str())?;
        let cdc_start = start_position(input, migration_type)?;
        if let Some(other) = self.tasks.iter().find(|task| task.identifier == identifier) {
            let mut refusal = ServiceError::refused("ResourceAlreadyExistsFault", "Replication Task already exists");
            refusal.fields.push(("resourceArn".to_owned(), other.arn.to_string()));
            return Err(refusal);
        }
        let due = Some(after(now, self.delay(faults, 15, 25)));
        let arn = self.new_arn();
        self.tasks.push(Task {
            arn,
            identifier,
            source,
            target,
            direction,
            migration_type,
            mappings,
            selection,
            settings,
            cdc_start,
            status: Status::Creating,
            due,
            stop_reason: None,
            last_failure: None,
            created: now,
            dates: Dates::default(),
            mover: None,
            published: None,
        });
        self.answer(self.tasks.len() - 1, databases)
    }

    /// Twenty-six letters and digits, as DMS gives them; never the identifier.
    fn new_arn(&mut self) -> TaskArn {
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let suffix: String = (0..26).map(|_| char::from(letters[self.rng.usize(..letters.len())])).collect();
        let instance = self.setting.instance().as_str();
        let (region, account) = (region_of(instance).unwrap_or_default(), account_of(instance).unwrap_or_default());
        TaskArn(format!("arn:aws:dms:{region}:{account}:task:{suffix}"))
    }

    fn modify(&mut self, now: Timestamp, input: &Value, databases: &Databases, faults: &mut Faults) -> Answer {
        let number = self.named(input)?;
        let task = &self.tasks[number];
        if !task.status.is_at_rest() {
            let state = task.status.as_str();
            let message = format!(
                "Replication Task, excluding logging severity task settings, cannot be modified while it is {state} state"
            );
            return Err(wrong_state(message));
        }
        let changed_type = input["MigrationType"].as_str().is_some_and(|word| word != task.migration_type.as_str());
        if changed_type {
            return Err(wrong_combination("MigrationType cannot be changed"));
        }
        let mappings = input["TableMappings"].as_str().map(str::to_owned);
        let selection = mappings.as_deref().map(|text| select(text, &self.setting)).transpose()?;
        let settings = input["ReplicationTaskSettings"].as_str().map(|text| enrich(Some(text))).transpose()?;
        let cdc_start = start_position(input, task.migration_type)?;
        let due = Some(after(now, self.delay(faults, 3, 10)));
        let task = &mut self.tasks[number];
        task.mappings = mappings.unwrap_or_else(|| std::mem::take(&mut task.mappings));
        task.selection = selection.unwrap_or_else(|| std::mem::take(&mut task.selection));
        if let Some(settings) = settings {
            task.settings = settings;
        }
        task.cdc_start = cdc_start.or(task.cdc_start.take());
        let before = std::mem::replace(&mut task.status, Status::Deleting);
        task.status = Status::Modifying(Box::new(before));
        task.due = due;
        self.answer(number, databases)
    }

    fn start(&mut self, now: Timestamp, input: &Value, databases: &Databases, faults: &mut Faults) -> Answer {
        let number = self.named(input)?;
        let word = text(input, "StartReplicationTaskType")?.to_owned();
        let task = &self.tasks[number];
        if !task.status.is_at_rest() {
            return Err(wrong_state("Replication Task cannot be started, invalid state"));
        }
        for endpoint in [&task.source, &task.target] {
            let connection = self.connections.iter().find(|connection| connection.endpoint == *endpoint);
            if connection.is_none_or(|connection| connection.status != ConnectionStatus::Successful) {
                let instance = self.setting.instance();
                let message = format!(
                    "Test connection for replication instance {instance} and endpoint {endpoint} should be successful for starting the replication task"
                );
                return Err(wrong_state(message));
            }
        }
        let position = start_position(input, task.migration_type)?;
        let how = start_how(task, &word, position)?;
        let due = match how {
            StartHow::FullLoad => self.delay(faults, 20, 60),
            StartHow::Changes(_) | StartHow::Resume => self.delay(faults, 5, 15),
        };
        let task = &mut self.tasks[number];
        task.dates.start = Some(now);
        if how != StartHow::Resume {
            task.dates = Dates { fresh_start: Some(now), start: Some(now), ..Dates::default() };
        }
        if let StartHow::Changes(Some(position)) = &how {
            task.cdc_start = Some(position.clone());
        }
        task.stop_reason = None;
        task.last_failure = None;
        task.status = Status::Starting(how);
        task.due = Some(after(now, due));
        self.answer(number, databases)
    }

    fn stop(&mut self, now: Timestamp, input: &Value, databases: &Databases, faults: &mut Faults) -> Answer {
        let number = self.named(input)?;
        if self.tasks[number].status != Status::Running {
            return Err(wrong_state("Replication Task cannot be stopped, invalid state"));
        }
        let due = match self.setting.data_plane {
            DataPlane::Simulated => after(now, self.delay(faults, 2, 6)),
            // As long as its mover outside takes, and no made-up second longer.
            DataPlane::Outside => {
                self.errands.push(Errand::Stop { arn: self.tasks[number].arn.clone() });
                now
            }
        };
        self.tasks[number].status = Status::Stopping;
        self.tasks[number].due = Some(due);
        self.answer(number, databases)
    }

    fn delete(&mut self, now: Timestamp, input: &Value, databases: &Databases, faults: &mut Faults) -> Answer {
        let number = self.named(input)?;
        if !self.tasks[number].status.is_at_rest() {
            return Err(wrong_state("Replication Task cannot be deleted, invalid state"));
        }
        let due = Some(after(now, self.delay(faults, 60, 300)));
        self.tasks[number].status = Status::Deleting;
        self.tasks[number].due = due;
        self.answer(number, databases)
    }

    fn reload(&mut self, now: Timestamp, input: &Value, databases: &mut Databases, faults: &mut Faults) -> Answer {
        let number = self.named(input)?;
        let task = &self.tasks[number];
        if task.status != Status::Running || task.migration_type == MigrationType::Cdc {
            return Err(wrong_state("Tables can be reloaded only while a full-load task is running"));
        }
        let listed = input["TablesToReload"].as_array().filter(|tables| !tables.is_empty());
        let listed = listed.ok_or_else(|| wrong_value("TablesToReload must not be empty"))?;
        let name = |table: &Value| Some((table["SchemaName"].as_str()?.to_owned(), table["TableName"].as_str()?.to_owned()));
        let names: Option<BTreeSet<(String, String)>> = listed.iter().map(name).collect();
        let names = names.ok_or_else(|| wrong_value("SchemaName and TableName are required"))?;
        if listed.len() > 10 || names.len() < listed.len() {
            return Err(wrong_value("At most 10 different tables can be reloaded at once"));
        }
        let tables: Option<Vec<usize>> = names.iter().map(|(schema, table)| self.setting.table_number(schema, table)).collect();
        let tables = tables.filter(|tables| tables.iter().all(|table| task.selection.tables.contains(table)));
        let tables = tables.ok_or_else(|| not_found("Table"))?;
        match input["ReloadOption"].as_str() {
            None | Some("data-reload") => {}
            Some("validate-only") if task.settings.policies.validation == RowValidation::Enabled => {
                return Ok(json!({ "ReplicationTaskArn": task.arn }));
            }
            Some(_) => return Err(wrong_value("Invalid ReloadOption")),
        }
        let loading = |state| matches!(state, TableState::BeforeLoad | TableState::FullLoad | TableState::Reloading);
        let mover = task.mover.as_ref().ok_or_else(|| wrong_state("The task has not started"))?;
        if mover.tables.iter().any(|progress| tables.contains(&progress.table) && loading(progress.state)) {
            return Err(wrong_state("Table is being loaded"));
        }
        for table in tables {
            // Minutes, as for a table of some gigabytes.
            let ends = after(now, self.delay(faults, 120, 360));
            if self.setting.data_plane == DataPlane::Outside {
                let (arn, name) = (self.tasks[number].arn.clone(), self.setting.tables[table].clone());
                self.errands.push(Errand::Reload { arn, table: name });
            }
            if let Some(mover) = &mut self.tasks[number].mover {
                mover.reload(table, ends, now, databases, &mut self.notes);
            }
        }
        Ok(json!({ "ReplicationTaskArn": self.tasks[number].arn }))
    }
}

/// Whether this start type is legal for this task now, and what it means.
fn start_how(task: &Task, word: &str, position: Option<BinlogPosition>) -> Result<StartHow, ServiceError> {
    let first_only = || wrong_combination("Start Type : START_REPLICATION, valid only for tasks running for the first time");
    match (word, task.migration_type) {
        ("start-replication", MigrationType::Cdc) => match position.or_else(|| task.cdc_start.clone()) {
            Some(position) => Ok(StartHow::Changes(Some(position))),
            None if task.started_before() => Err(first_only()),
            None => Ok(StartHow::Changes(None)),
        },
        ("start-replication", _) if task.started_before() => Err(first_only()),
        ("start-replication", _) => Ok(StartHow::FullLoad),
        ("resume-processing", _) if !task.started_before() => {
            Err(wrong_combination("Start Type : RESUME_PROCESSING, valid only for tasks that have run before"))
        }
        // A start that failed before the task had hands is begun again.
        ("resume-processing", MigrationType::Cdc) if task.mover.is_none() => Ok(StartHow::Changes(task.cdc_start.clone())),
        ("resume-processing", _) if task.mover.is_none() => Ok(StartHow::FullLoad),
        ("resume-processing", _) => Ok(StartHow::Resume),
        ("reload-target", MigrationType::Cdc) => {
            Err(wrong_combination("Start Type : RELOAD_TARGET is not valid for CDC only tasks"))
        }
        ("reload-target", _) if task.started_before() => Ok(StartHow::FullLoad),
        _ => Err(wrong_combination("Invalid StartReplicationTaskType")),
    }
}

fn start_position(input: &Value, migration_type: MigrationType) -> Result<Option<BinlogPosition>, ServiceError> {
    let given = input["CdcStartPosition"].as_str();
    let with_time = !input["CdcStartTime"].is_null();
    if given.is_some() && with_time {
        return Err(wrong_combination("CdcStartTime and CdcStartPosition cannot both be given"));
    }
    if with_time {
        return Err(wrong_value("CdcStartTime is not supported here"));
    }
    let Some(text) = given else { return Ok(None) };
    if migration_type != MigrationType::Cdc {
        return Err(wrong_combination("CdcStartPosition is valid only for CDC only tasks"));
    }
    let parsed = text.rsplit_once(':').and_then(|(file, offset)| {
        let is_named = file.rsplit_once('.').is_some_and(|(_, digits)| digits.parse::<u32>().is_ok());
        Some(BinlogPosition { file: file.to_owned(), offset: offset.parse().ok()? }).filter(|_| is_named)
    });
    parsed.map(Some).ok_or_else(|| wrong_value("Invalid CdcStartPosition format"))
}

fn check_identifier(identifier: &str) -> Result<(), ServiceError> {
    let legal = identifier.len() <= 255
        && identifier.starts_with(|first: char| first.is_ascii_lowercase())
        && identifier.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-')
        && !identifier.ends_with('-')
        && !identifier.contains("--");
    if legal { Ok(()) } else { Err(wrong_value("The parameter ReplicationTaskIdentifier is not a valid identifier")) }
}
