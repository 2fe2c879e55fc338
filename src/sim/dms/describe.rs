//! DMS's reads, with their filters and pages.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ConnectionStatus, Dms};
use crate::names::{account_of, region_of};
use crate::sim::database::Databases;
use crate::sim::wire::ServiceError;

type Answer = Result<Value, ServiceError>;

/// One filter: name and accepted values.
type Filter<'a> = (&'a str, Vec<&'a str>);

impl Dms {
    pub(super) fn describe_tasks(&self, input: &Value, databases: &Databases) -> Answer {
        let instance = self.setting.instance().as_str();
        let known = ["replication-task-arn", "replication-task-id", "migration-type", "endpoint-arn", "replication-instance-arn"];
        let filters = filters(input, &known)?;
        let settings = input["WithoutSettings"] != true;
        let passes = |task: &&super::Task| {
            filters.iter().all(|(name, values)| match *name {
                "replication-task-arn" => values.contains(&task.arn.as_str()),
                "replication-task-id" => values.contains(&task.identifier.as_str()),
                "migration-type" => values.contains(&task.migration_type.as_str()),
                "endpoint-arn" => values.contains(&task.source.as_str()) || values.contains(&task.target.as_str()),
                _ => values.contains(&instance),
            })
        };
        let found: Vec<&super::Task> = self.tasks.iter().filter(passes).collect();
        found_or_not(&filters, found.len(), "No Tasks found matching given filter")?;
        paged(&found, input, 100, "ReplicationTasks", |task| task.shown(instance, settings, databases))
    }

    pub(super) fn describe_statistics(&mut self, input: &Value, now: Timestamp) -> Answer {
        let names = self.setting.tables.clone();
        let arn = text(input, "ReplicationTaskArn")?.to_owned();
        let task = self.tasks.iter_mut().find(|task| task.arn.as_str() == arn).ok_or_else(|| not_found("Task"))?;
        let filters = filters(input, &["schema-name", "table-name", "table-state"])?;
        let passes = |row: &&Value| {
            filters.iter().all(|(name, values)| {
                let field = match *name {
                    "schema-name" => "SchemaName",
                    "table-name" => "TableName",
                    _ => "TableState",
                };
                values.contains(&row[field].as_str().unwrap_or_default())
            })
        };
        let rows: Vec<&Value> = task.statistics(now, &names).iter().filter(passes).collect();
        let mut answer = paged(&rows, input, 500, "TableStatistics", |row| (*row).clone())?;
        answer["ReplicationTaskArn"] = json!(arn);
        Ok(answer)
    }

    pub(super) fn describe_connections(&self, input: &Value) -> Answer {
        let instance = self.setting.instance().as_str();
        let filters = filters(input, &["endpoint-arn", "replication-instance-arn"])?;
        let passes = |connection: &&super::Connection| {
            filters.iter().all(|(name, values)| match *name {
                "endpoint-arn" => values.contains(&connection.endpoint.as_str()),
                _ => values.contains(&instance),
            })
        };
        let found: Vec<&super::Connection> = self.connections.iter().filter(passes).collect();
        found_or_not(&filters, found.len(), "No connections found matching the filter")?;
        paged(&found, input, 100, "Connections", |connection| self.shown_connection(connection))
    }

    pub(super) fn shown_connection(&self, connection: &super::Connection) -> Value {
        let status = match connection.status {
            ConnectionStatus::Testing => "testing",
            ConnectionStatus::Successful => "successful",
            ConnectionStatus::Failed => "failed",
        };
        let mut shown = json!({
            "ReplicationInstanceArn": self.setting.instance(),
            "EndpointArn": connection.endpoint,
            "Status": status,
            "EndpointIdentifier": tail(connection.endpoint.as_str()),
            "ReplicationInstanceIdentifier": tail(self.setting.instance().as_str()),
        });
        if connection.status == ConnectionStatus::Failed {
            shown["LastFailureMessage"] =
                json!("Test Endpoint failed: Network error has occurred, Can't connect to MySQL server");
        }
        shown
    }

    pub(super) fn describe_endpoints(&self, input: &Value) -> Answer {
        let filters = filters(input, &["endpoint-arn", "endpoint-type", "endpoint-id", "engine-name"])?;
        let engine = |side| match side {
            crate::names::Side::Legacy => "mysql",
            crate::names::Side::Target => "aurora",
        };
        let passes = |endpoint: &&crate::sim::setting::Endpoint| {
            filters.iter().all(|(name, values)| match *name {
                "endpoint-arn" => values.contains(&endpoint.arn.as_str()),
                "endpoint-type" => values.iter().any(|value| value.eq_ignore_ascii_case(endpoint.endpoint_type.as_str())),
                "endpoint-id" => values.contains(&tail(endpoint.arn.as_str()).as_str()),
                _ => values.contains(&engine(endpoint.side)),
            })
        };
        let found: Vec<&crate::sim::setting::Endpoint> = self.setting.endpoints.iter().filter(passes).collect();
        found_or_not(&filters, found.len(), "No endpoints found matching the filter")?;
        paged(&found, input, 100, "Endpoints", |endpoint| {
            let database = self.setting.migration.database(endpoint.side);
            json!({
                "EndpointIdentifier": tail(endpoint.arn.as_str()),
                "EndpointType": endpoint.endpoint_type.as_str(),
                "EngineName": engine(endpoint.side),
                "ServerName": database.host,
                "Port": database.port,
                "Status": "active",
                "EndpointArn": endpoint.arn,
                "SslMode": "require",
            })
        })
    }

    pub(super) fn describe_instances(&self, input: &Value) -> Answer {
        let arn = self.setting.instance();
        let known = ["replication-instance-arn", "replication-instance-id", "replication-instance-class", "engine-version"];
        let filters = filters(input, &known)?;
        let identifier = tail(arn.as_str());
        let passes = filters.iter().all(|(name, values)| match *name {
            "replication-instance-arn" => values.contains(&arn.as_str()),
            "replication-instance-id" => values.contains(&identifier.as_str()),
            "replication-instance-class" => values.contains(&"dms.r5.large"),
            _ => values.contains(&"3.5.4"),
        });
        let found: &[()] = if passes { &[()] } else { &[] };
        found_or_not(&filters, found.len(), "No replication instances found matching the filter")?;
        paged(found, input, 100, "ReplicationInstances", |()| {
            json!({
                "ReplicationInstanceIdentifier": identifier,
                "ReplicationInstanceClass": "dms.r5.large",
                "ReplicationInstanceStatus": "available",
                "AllocatedStorage": 200,
                "EngineVersion": "3.5.4",
                "MultiAZ": true,
                "AvailabilityZone": format!("{}a", region_of(arn.as_str()).unwrap_or_default()),
                "ReplicationInstanceArn": arn,
                "PubliclyAccessible": false,
            })
        })
    }

    pub(super) fn describe_account(&self) -> Value {
        json!({
            "UniqueAccountIdentifier": account_of(self.setting.instance().as_str()),
            "AccountQuotas": [{ "AccountQuotaName": "ReplicationTasks", "Used": self.tasks.len(), "Max": 600 }],
        })
    }
}

/// A text member that must be there.
pub(super) fn text<'a>(input: &'a Value, member: &str) -> Result<&'a str, ServiceError> {
    let missing = || ServiceError::refused("InvalidParameterValueException", format!("{member} must not be empty"));
    input[member].as_str().filter(|text| !text.is_empty()).ok_or_else(missing)
}

pub(super) fn not_found(what: &str) -> ServiceError {
    ServiceError::refused("ResourceNotFoundFault", format!("{what} not found"))
}

/// The last part of an ARN: what an identifier would be.
pub(super) fn tail(arn: &str) -> String {
    arn.rsplit([':', '/']).next().unwrap_or_default().to_lowercase()
}

fn filters<'a>(input: &'a Value, known: &[&str]) -> Result<Vec<Filter<'a>>, ServiceError> {
    let refusal = |why: String| ServiceError::refused("InvalidParameterValueException", why);
    let Some(given) = input["Filters"].as_array() else { return Ok(Vec::new()) };
    given
        .iter()
        .map(|filter| {
            let name = filter["Name"].as_str().filter(|name| known.contains(name));
            let name = name.ok_or_else(|| refusal(format!("The filter '{}' is not valid", filter["Name"])))?;
            let values: Option<Vec<&str>> =
                filter["Values"].as_array().map(|values| values.iter().filter_map(Value::as_str).collect());
            let values = values.filter(|values| !values.is_empty());
            Ok((name, values.ok_or_else(|| refusal(format!("The filter '{name}' has no values")))?))
        })
        .collect()
}

/// A filtered read that matches nothing is refused; an unfiltered one is an empty list.
fn found_or_not(filters: &[Filter<'_>], found: usize, message: &str) -> Result<(), ServiceError> {
    match found == 0 && !filters.is_empty() {
        true => Err(ServiceError::refused("ResourceNotFoundFault", message)),
        false => Ok(()),
    }
}

/// One page of `items`. A marker is the number of the first item of its page.
fn paged<T>(items: &[T], input: &Value, most: u64, member: &str, show: impl Fn(&T) -> Value) -> Answer {
    let refusal = |why: &str| ServiceError::refused("InvalidParameterValueException", why);
    let size = match &input["MaxRecords"] {
        Value::Null => 100,
        number => {
            number.as_u64().filter(|size| (20..=most).contains(size)).ok_or_else(|| refusal("MaxRecords is out of range"))?
        }
    };
    let first = match input["Marker"].as_str() {
        None | Some("") => 0,
        Some(marker) => {
            marker.parse::<usize>().ok().filter(|first| *first < items.len()).ok_or_else(|| refusal("Invalid marker"))?
        }
    };
    let end = items.len().min(first.saturating_add(usize::try_from(size).unwrap_or(usize::MAX)));
    let mut answer = json!({ member: items[first..end].iter().map(show).collect::<Vec<_>>() });
    if end < items.len() {
        answer["Marker"] = json!(end.to_string());
    }
    Ok(answer)
}
