//! Where a rehearsal plays: everything that exists before it begins, derived from the migration, and its sizes.

use std::time::Duration;

use crate::database::AccountLock;
use crate::names::{Direction, EndpointArn, ReplicationInstanceArn, Side, TableName, TaskIdentifier};
use crate::sim::database::{AccountUse, DatabaseAccount};
use crate::sim::dms::outside::DataPlane;
use crate::spec::Migration;

/// The tables of the payment system. The first two are the busy ones: every payment writes both.
const TABLES: [&str; 8] = ["payments", "ledger_entries", "customers", "cards", "refunds", "merchants", "payouts", "disputes"];
/// How many of them are busy.
pub const BUSY_TABLES: usize = 2;

/// Which end of a task an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointType {
    /// Rows are read from it.
    Source,
    /// Rows are written to it.
    Target,
}

impl EndpointType {
    /// DMS's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "SOURCE",
            Self::Target => "TARGET",
        }
    }
}

/// One DMS endpoint that exists.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its ARN.
    pub arn: EndpointArn,
    /// Which database it reaches.
    pub side: Side,
    /// Which end it is.
    pub endpoint_type: EndpointType,
}

/// The scene and its sizes.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The migration that is rehearsed: names, accounts, zone, records, windows.
    pub migration: Migration,
    /// Every table that moves, by its number.
    pub tables: Vec<TableName>,
    /// The four endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Rows of each table on legacy when the rehearsal begins.
    pub rows_at_start: u64,
    /// How long the whole full load takes when nothing is slow.
    pub full_load: Duration,
    /// The TTL of the public record before anybody prepared it, in seconds.
    pub initial_ttl_seconds: u64,
    /// Time between two payments on a quiet day.
    pub quiet_interval: Duration,
    /// Time between two payments in a rush.
    pub busy_interval: Duration,
    /// Recursive resolvers that customers use.
    pub resolvers: usize,
    /// Rows that validation traffic writes, at most.
    pub validation_rows: u32,
    /// Who moves the rows of replication tasks.
    pub data_plane: DataPlane,
}

impl Setting {
    /// The scene that a migration describes.
    pub fn of(migration: &Migration) -> Self {
        let schemas = &migration.spec.legacy.database.schemas;
        let schema = |number: usize| schemas.get(number % schemas.len().max(1)).cloned().unwrap_or_default();
        let (legacy, target) = (&migration.spec.legacy, &migration.spec.target);
        let endpoint = |arn: &EndpointArn, side, endpoint_type| Endpoint { arn: arn.clone(), side, endpoint_type };
        Self {
            migration: migration.clone(),
            tables: TABLES.iter().enumerate().map(|(number, table)| TableName::new(schema(number), *table)).collect(),
            endpoints: vec![
                endpoint(&legacy.endpoint_arn, Side::Legacy, EndpointType::Source),
                endpoint(&target.endpoint_arn, Side::Target, EndpointType::Target),
                endpoint(&target.reverse_endpoint_arn, Side::Target, EndpointType::Source),
                endpoint(&legacy.reverse_endpoint_arn, Side::Legacy, EndpointType::Target),
            ],
            // Enough that a lost row is one of many, few enough that ten rehearsals a second are possible.
            rows_at_start: 100,
            // What some hundred gigabytes take on a medium replication instance.
            full_load: Duration::from_secs(9_000),
            // An hour is what a record has that nobody thought of.
            initial_ttl_seconds: 3600,
            quiet_interval: Duration::from_secs(60),
            busy_interval: Duration::from_millis(50),
            resolvers: 20,
            validation_rows: 12,
            data_plane: DataPlane::Simulated,
        }
    }

    /// The accounts of one side's database, all unlocked: what is there before anybody fenced anything.
    pub fn accounts(&self, side: Side) -> Vec<DatabaseAccount> {
        let database = self.migration.database(side);
        let application = database.application_accounts.iter().map(|account| (account, AccountUse::Application));
        let validation = database.validation_accounts.iter().map(|account| (account, AccountUse::Validation));
        application
            .chain(validation)
            .map(|(account, used_by)| DatabaseAccount { account: account.clone(), used_by, lock: AccountLock::Open })
            .collect()
    }

    /// The number of a table.
    pub fn table_number(&self, schema: &str, table: &str) -> Option<usize> {
        self.tables.iter().position(|name| name.schema == schema && name.table == table)
    }

    /// Tables that validation traffic may write to.
    pub fn declared_tables(&self) -> Vec<usize> {
        let declared = self.migration.spec.validation.declared_writes.iter();
        declared.filter_map(|writes| self.tables.iter().position(|name| name.to_string() == writes.table)).collect()
    }

    /// The identifier of one direction's task.
    pub const fn task_identifier(&self, direction: Direction) -> &TaskIdentifier {
        match direction {
            Direction::Forward => &self.migration.spec.replication.forward.identifier,
            Direction::Reverse => &self.migration.spec.replication.reverse.identifier,
        }
    }

    /// The replication instance.
    pub const fn instance(&self) -> &ReplicationInstanceArn {
        &self.migration.spec.replication.instance_arn
    }

    /// The marker schema.
    pub fn marker_schema(&self) -> &str {
        &self.migration.spec.replication.marker_schema
    }
}
