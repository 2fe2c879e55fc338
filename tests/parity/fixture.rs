//! Two real servers and a migration between them.

use std::time::Duration;

use bascule::clock::Clock;
use bascule::lab::server::Server as Installed;
use bascule::mysql::connect::connect;
use bascule::names::Side;
use bascule::parity::passage::{Passage, Waited};
use bascule::parity::progress::StateFile;
use bascule::parity::report::{Report, TableReport};
use bascule::parity::run::{Request, run};
use bascule::parity::server::{Limits, Server};
use bascule::spec::Migration;
use bascule::spec::load::load;
use mysql_async::prelude::Queryable;

use super::installed::copy_installed;

pub const TWO_SERVERS: &str = include_str!("../fixtures/two_servers.yaml");

/// Payments as an application has them. The seed's columns: who, how much, in what, since when.
pub const PAYMENTS: &str = "CREATE TABLE payments.payments (
    id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    idempotency_key VARCHAR(64) NOT NULL,
    customer_id VARCHAR(32) NOT NULL,
    amount DECIMAL(18,4) NOT NULL,
    currency CHAR(3) NOT NULL,
    status ENUM('pending','paid','failed') NOT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at TIMESTAMP NOT NULL DEFAULT '2026-01-01 00:00:00',
    note VARCHAR(100) NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";

/// Fills [`PAYMENTS`] with so many rows, the same on every server.
pub fn payments(rows: u64) -> String {
    format!(
        "INSERT INTO payments.payments SELECT seq, CONCAT('key-', seq), CONCAT('customer-', seq % 1000), seq * 1.01, \
         ELT(1 + seq % 3, 'EUR', 'USD', 'GBP'), 1 + seq % 3, '2026-01-01' + INTERVAL seq SECOND, \
         '2026-01-01 00:00:00' + INTERVAL seq SECOND, IF(seq % 5, NULL, 'Paid in Full') FROM payments.seq_1_to_{rows}"
    )
}

/// Two servers, legacy first. They are killed when this is dropped.
pub struct Two {
    pub installed: [Installed; 2],
    pub servers: [Server; 2],
    pub migration: Migration,
    pub directory: tempfile::TempDir,
}

impl Two {
    /// Starts both, with an empty schema `payments`.
    pub async fn start() -> Self {
        Self::start_with([&[], &[]]).await
    }

    /// Starts both, each with options of its own.
    pub async fn start_with(options: [&[&str]; 2]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let start = |name: &str, options: &[&str]| {
            let own = directory.path().join(name);
            copy_installed(&own);
            Installed::start(&own, options).expect("a server")
        };
        let installed = [start("legacy", options[0]), start("target", options[1])];
        let server = |side, installed: &Installed| Server {
            side,
            address: installed.address(),
            credentials: Installed::root(),
            ca_file: None,
            limits: Limits::default(),
        };
        let servers = [server(Side::Legacy, &installed[0]), server(Side::Target, &installed[1])];
        let migration = load("two_servers.yaml", TWO_SERVERS.as_bytes()).expect("the spec is good").migration.into_inner();
        let two = Self { installed, servers, migration, directory };
        two.both("CREATE DATABASE payments").await;
        two
    }

    /// Executes a statement on one side.
    pub async fn on(&self, side: usize, sql: &str) {
        let server = &self.servers[side];
        let mut connection = connect(&server.address, &server.credentials).await.expect("a connection");
        connection.query_drop(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub async fn legacy(&self, sql: &str) {
        self.on(0, sql).await;
    }

    pub async fn target(&self, sql: &str) {
        self.on(1, sql).await;
    }

    /// Executes a statement on both sides at once.
    pub async fn both(&self, sql: &str) {
        tokio::join!(self.legacy(sql), self.target(sql));
    }

    /// Compares everything; nothing is on its way, so that no time has to pass.
    pub async fn compare(&self) -> Report {
        let passage = Waited { clock: Clock::system(), wait: Duration::ZERO };
        self.compare_by(&passage, None).await
    }

    pub async fn compare_by(&self, passage: &dyn Passage, state: Option<&StateFile>) -> Report {
        let clock = Clock::system();
        let request = Request {
            migration: &self.migration,
            servers: &self.servers,
            only: None,
            source: Side::Legacy,
            passage,
            state,
            clock: &clock,
        };
        run(&request, &mut |_| {}).await.expect("the tables can be listed")
    }
}

/// The report of one table of the schema `payments`.
pub fn table<'a>(report: &'a Report, name: &str) -> &'a TableReport {
    let name = format!("payments.{name}");
    report.tables.iter().find(|table| table.table == name).unwrap_or_else(|| panic!("{name} is not in {report}"))
}

/// The differences of a table, as they are told.
pub fn told(table: &TableReport) -> Vec<String> {
    table.sample.iter().map(ToString::to_string).collect()
}
