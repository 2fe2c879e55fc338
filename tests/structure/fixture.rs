//! Two real servers with one application's schema, and a controller's databases over them.

use std::fmt;

use bascule::checks::network::{CacheAnswer, CacheBatch, DnsAnswer, HttpAnswer, HttpRequest, Network, Question, Reply};
use bascule::checks::outcome::Outcome;
use bascule::checks::probe::{Probe, Secrets};
use bascule::checks::schema::{Difference, differences, run};
use bascule::clock::Clock;
use bascule::lab::server::{Product, Server};
use bascule::mysql::connect::connect;
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::spec::checks::{IgnoredDifference, SchemaCheck, SecretFrom};
use bascule::spec::{CredentialsFrom, Migration, Tls};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use super::installed::copy_installed;
use super::spec::migration;

/// Nothing here is worth waiting for a disk.
const OPTIONS: [&str; 2] = ["--innodb-flush-log-at-trx-commit=0", "--default-time-zone=+00:00"];

/// What both sides have. It says of everything what it is, so that both kinds of server make the same of it.
pub const APPLICATION: &str = "
CREATE DATABASE payments CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
USE payments;
CREATE TABLE customers (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(80) NOT NULL,
    email VARCHAR(120) CHARACTER SET utf8mb3 COLLATE utf8mb3_bin NOT NULL DEFAULT 'it''s \\\\ none',
    kind ENUM('person','company') NOT NULL DEFAULT 'person',
    is_active TINYINT(1) NOT NULL DEFAULT 1,
    flags BIT(4) NOT NULL DEFAULT b'101',
    details JSON,
    note TEXT,
    FULLTEXT KEY ft_note (note)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE payments (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    customer_id INT UNSIGNED NOT NULL,
    reference VARCHAR(64) NOT NULL,
    amount DECIMAL(18,4) NOT NULL DEFAULT 0,
    cents BIGINT AS (amount * 100) STORED,
    label VARCHAR(100) AS (CONCAT(reference, '-', customer_id)) VIRTUAL,
    status VARCHAR(20) NOT NULL DEFAULT 'pending',
    token CHAR(36) DEFAULT (UUID()),
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    UNIQUE KEY ux_reference (reference),
    KEY ix_created (created_at DESC),
    KEY ix_status (status(8), created_at),
    KEY fk_customer (customer_id),
    CONSTRAINT fk_customer FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE,
    CONSTRAINT ck_amount CHECK (amount >= 0)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE refunds (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    payment_id BIGINT UNSIGNED NOT NULL,
    amount DECIMAL(18,4) NOT NULL,
    reason VARCHAR(200) NULL,
    KEY ix_payment (payment_id),
    CONSTRAINT fk_payment FOREIGN KEY (payment_id) REFERENCES payments (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE disputes (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    refund_id BIGINT UNSIGNED NULL,
    opened_on DATE NOT NULL,
    KEY ix_refund (refund_id),
    CONSTRAINT fk_refund FOREIGN KEY (refund_id) REFERENCES refunds (id) ON DELETE SET NULL,
    CONSTRAINT ck_opened CHECK (opened_on > '2000-01-01')
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE settlements (
    id INT NOT NULL,
    part INT NOT NULL,
    total DECIMAL(18,4) NULL,
    PRIMARY KEY (id, part)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
CREATE TABLE migrations (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, migration VARCHAR(190) NOT NULL, batch INT NOT NULL)
    ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
INSERT INTO migrations (migration, batch) VALUES ('2026_01_01_create_payments', 1), ('2026_02_01_create_disputes', 2);
CREATE VIEW big_payments AS SELECT p.id, p.amount FROM payments p WHERE p.amount > 100;
CREATE PROCEDURE settle(IN settlement INT, OUT total DECIMAL(18,4))
    SELECT SUM(s.total) INTO total FROM settlements s WHERE s.id = settlement;
CREATE FUNCTION fee_of(amount DECIMAL(18,4)) RETURNS DECIMAL(18,4) DETERMINISTIC RETURN amount * 0.02;
CREATE EVENT forget_notes ON SCHEDULE EVERY 1 DAY DISABLE DO UPDATE customers SET note = NULL
";

/// Two servers, legacy first. They are killed when this is dropped.
pub struct Pair {
    pub servers: [Server; 2],
    pub migration: Migration,
    pub check: SchemaCheck,
    directory: TempDir,
}

impl Pair {
    /// Two MariaDB servers with the application's schema. Their foreign keys are there on purpose.
    pub async fn start() -> Self {
        let pair = Self::start_empty([Product::MariaDb, Product::MariaDb]);
        pair.both(APPLICATION).await;
        pair
    }

    /// Two servers of these products with no schema.
    pub fn start_empty(products: [Product; 2]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut number = 0;
        let servers = products.map(|product| {
            number += 1;
            let own = directory.path().join(number.to_string());
            match product {
                Product::MariaDb => copy_installed(&own),
                Product::MySql(_) => std::fs::create_dir(&own).expect("a directory"),
            }
            Server::start_product(product, &own, &OPTIONS).expect("a server")
        });
        let why = "The endpoint says Initstmt=SET FOREIGN_KEY_CHECKS=0.".to_owned();
        let check =
            SchemaCheck { ignore: vec![IgnoredDifference { what: "foreign_key_checks".into(), why }], ..SchemaCheck::default() };
        let mut pair = Self { servers, migration: migration(), check, directory };
        pair.declare_as("root", "");
        pair
    }

    /// As whom the controller reads on both sides.
    pub fn declare_as(&mut self, user: &str, password: &str) {
        let file = self.directory.path().join(format!("{user}.credentials"));
        std::fs::write(&file, format!("user={user}\npassword={password}\n")).expect("a file of credentials");
        let spec = &mut self.migration.spec;
        for (database, server) in [&mut spec.legacy.database, &mut spec.target.database].into_iter().zip(&self.servers) {
            let address = server.address();
            (database.host, database.port, database.tls) = (address.host, i32::from(address.port), Tls::Disabled);
            database.credentials_from = CredentialsFrom::File(file.display().to_string());
        }
    }

    /// One side's administrator.
    pub async fn root(&self, side: Side) -> Conn {
        connect(&self.server(side).address(), &Server::root()).await.expect("the administrator gets in")
    }

    pub const fn server(&self, side: Side) -> &Server {
        match side {
            Side::Legacy => &self.servers[0],
            Side::Target => &self.servers[1],
        }
    }

    /// Statements of the administrator, separated by semicolons.
    pub async fn on(&self, side: Side, statements: &str) {
        self.root(side).await.query_drop(statements).await.unwrap_or_else(|error| panic!("on {side}: {statements}: {error}"));
    }

    pub async fn target(&self, statements: &str) {
        self.on(Side::Target, statements).await;
    }

    pub async fn legacy(&self, statements: &str) {
        self.on(Side::Legacy, statements).await;
    }

    pub async fn both(&self, statements: &str) {
        tokio::join!(self.legacy(statements), self.target(statements));
    }

    /// The controller's database of one side.
    pub fn database(&self, side: Side) -> MySqlDatabase {
        MySqlDatabase::new(&self.migration, side, &Clock::system())
    }

    /// Everything that differs.
    pub async fn differences(&self) -> Vec<Difference> {
        self.probed(async |probe| differences(&self.check, &probe).await.expect("both structures are read")).await
    }

    /// The check, run once.
    pub async fn run(&self) -> Outcome {
        self.probed(async |probe| run(&self.check, &probe).await).await
    }

    async fn probed<T>(&self, look: impl AsyncFnOnce(Probe<'_>) -> T) -> T {
        let clock = Clock::system();
        let (legacy, target) = (self.database(Side::Legacy), self.database(Side::Target));
        let probe = Probe {
            migration: &self.migration,
            network: &Nothing,
            secrets: &Nothing,
            legacy: &legacy,
            target: &target,
            clock: &clock,
            public_at: Side::Legacy,
        };
        look(probe).await
    }
}

/// What differs, by name.
pub fn names(found: &[Difference]) -> Vec<&str> {
    found.iter().map(|difference| difference.what.as_str()).collect()
}

/// A structure is read over the databases' own connections, with the credentials that they were declared with.
struct Nothing;

impl fmt::Debug for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nothing")
    }
}

impl Network for Nothing {
    fn exchange<'a>(&'a self, _: &'a HttpRequest) -> Reply<'a, HttpAnswer> {
        unreachable!("no page is a structure")
    }

    fn ask<'a>(&'a self, _: &'a Question) -> Reply<'a, DnsAnswer> {
        unreachable!("no name is a structure")
    }

    fn command<'a>(&'a self, _: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>> {
        unreachable!("no cache is a structure")
    }
}

impl Secrets for Nothing {
    fn credentials(&self, _: &CredentialsFrom) -> Result<(String, String), String> {
        unreachable!("the databases find their own")
    }

    fn secret(&self, _: &SecretFrom) -> Result<String, String> {
        unreachable!("the databases find their own")
    }
}
