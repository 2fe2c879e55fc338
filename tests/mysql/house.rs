//! One real server with the application's schema and accounts, and the controller's database over it.

use bascule::clock::Clock;
use bascule::controllers::fence::{FenceState, Proof, judge, shortfall};
use bascule::credentials::Credentials;
use bascule::database::{Database, DatabaseView, Epoch};
use bascule::lab::server::{Product, Server};
use bascule::mysql::connect::connect;
use bascule::mysql::database::MySqlDatabase;
use bascule::names::{Account, Side};
use bascule::spec::{Canary, CredentialsFrom, Migration, Tls};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tempfile::TempDir;

use super::spec::migration;

/// The first controller.
pub const FIRST: Epoch = Epoch(1);

/// With a binary log that nobody waits for.
pub const OPTIONS: [&str; 3] = ["--log-bin", "--binlog-format=ROW", "--sync-binlog=0"];

/// A server and what the spec says of it.
pub struct House {
    /// Killed with the house.
    pub server: Server,
    /// As an operator would declare it.
    pub migration: Migration,
    directory: TempDir,
}

impl House {
    /// A MariaDB server with a binary log, one table, and the two declared accounts.
    pub async fn build() -> Self {
        Self::build_on(Product::MariaDb).await
    }

    /// The same on the MySQL server that `BASCULE_TEST_MYSQLD` names, or a word that none was given.
    pub async fn build_on_mysql() -> Option<Self> {
        let Some(mysqld) = std::env::var_os("BASCULE_TEST_MYSQLD") else {
            println!("BASCULE_TEST_MYSQLD names no MySQL server program: nothing was tried on MySQL");
            return None;
        };
        let house = Self::build_on(Product::MySql(mysqld.into())).await;
        house.grant_what_is_missing().await;
        Some(house)
    }

    async fn build_on(product: Product) -> Self {
        Self::build_in(tempfile::tempdir().expect("a directory"), product, &[]).await
    }

    /// A MariaDB server with further options, in a directory where what they name is already.
    pub async fn build_with(directory: TempDir, options: &[&str]) -> Self {
        let house = Self::build_in(directory, Product::MariaDb, options).await;
        house.grant_what_is_missing().await;
        house
    }

    async fn build_in(directory: TempDir, product: Product, options: &[&str]) -> Self {
        let options = [&OPTIONS[..], options].concat();
        let server = Server::start_product(product, directory.path(), &options).expect("a server");
        let house = Self { migration: migration(), server, directory };
        house
            .sql(&[
                "CREATE DATABASE payments",
                "CREATE TABLE payments.payments (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, reference VARCHAR(64) NOT NULL)",
                "CREATE USER 'app'@'%' IDENTIFIED BY 'app'",
                "CREATE USER 'app'@'127.0.0.1' IDENTIFIED BY 'app'",
                "CREATE USER 'validation'@'%' IDENTIFIED BY 'validation'",
                "CREATE USER 'bascule'@'%' IDENTIFIED BY 'secret'",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON payments.* TO 'app'@'%', 'app'@'127.0.0.1', 'validation'@'%'",
            ])
            .await;
        house
    }

    /// The same, with everything granted that the controller says it lacks.
    pub async fn build_and_grant() -> Self {
        let house = Self::build().await;
        house.grant_what_is_missing().await;
        house
    }

    /// Runs what the controller asks for.
    pub async fn grant_what_is_missing(&self) {
        let missing = self.controller().missing_privileges().await.expect("the grants can be read");
        self.sql(&missing.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }

    /// A controller's database with a session of its own, as the account `bascule`.
    pub fn controller(&self) -> MySqlDatabase {
        self.controller_as("bascule", "secret")
    }

    /// The same as somebody else.
    pub fn controller_as(&self, user: &str, password: &str) -> MySqlDatabase {
        MySqlDatabase::new(&self.declared(user, password), Side::Legacy, &Clock::system())
    }

    /// The migration with this server as its legacy side.
    pub fn declared(&self, user: &str, password: &str) -> Migration {
        let controller = self.credentials(user, password);
        let mut migration = self.migration.clone();
        let database = &mut migration.spec.legacy.database;
        let address = self.server.address();
        (database.host, database.port, database.tls) = (address.host, i32::from(address.port), Tls::Disabled);
        database.credentials_from = controller;
        let canary = |account: &Account, user| Canary {
            account: account.clone(),
            credentials_from: self.credentials(user, user),
            endpoints: Vec::new(),
        };
        database.canaries =
            vec![canary(&database.application_accounts[0], "app"), canary(&database.validation_accounts[0], "validation")];
        migration
    }

    /// A file of credentials.
    pub fn credentials(&self, user: &str, password: &str) -> CredentialsFrom {
        let file = self.directory.path().join(format!("{user}.credentials"));
        std::fs::write(&file, format!("user={user}\npassword={password}\n")).expect("a file of credentials");
        CredentialsFrom::File(file.display().to_string())
    }

    /// Hosts of the application's rows that are locked.
    pub async fn locked_hosts(&self) -> Vec<String> {
        let statement = match self.server.product() {
            Product::MariaDb => {
                "SELECT Host FROM mysql.global_priv WHERE User = 'app' AND JSON_VALUE(Priv, '$.account_locked') IN ('1', 'true')"
            }
            Product::MySql(_) => "SELECT Host FROM mysql.user WHERE User = 'app' AND account_locked = 'Y'",
        };
        self.root().await.query(statement).await.expect("an answer")
    }

    /// Whether a look proves that nobody can write, and that nobody does.
    pub fn is_proven(&self, view: &DatabaseView) -> bool {
        let accounts = self.accounts();
        matches!(judge(view, &accounts), FenceState::Closed { .. }) && shortfall(view, &accounts, Proof::AtRest).is_none()
    }

    /// Connections by number, user and what they wait for. The table of the same name is on its way out of MySQL.
    pub async fn connections(&self) -> Vec<(u64, String, String)> {
        let rows: Vec<Row> = self.root().await.query("SHOW PROCESSLIST").await.expect("an answer");
        let text = |row: &Row, column: &str| row.get::<Option<String>, _>(column).flatten().unwrap_or_default();
        rows.iter().map(|row| (row.get("Id").expect("a number"), text(row, "User"), text(row, "State"))).collect()
    }

    /// Transactions that were rolled back for the sake of others, since the server began.
    pub async fn deadlocks(&self) -> u64 {
        let counter = "SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'";
        self.root().await.query_first(counter).await.expect("an answer").expect("it is counted")
    }

    /// Options with which the server refuses the controller's writes as well: on MySQL, whoever may end others' connections
    /// writes to a server that is merely `read_only`.
    pub fn reading_only(&self) -> Vec<&'static str> {
        let read_only = match self.server.product() {
            Product::MariaDb => "--read-only",
            Product::MySql(_) => "--super-read-only",
        };
        OPTIONS.into_iter().chain([read_only]).collect()
    }

    /// Everybody whom a fence shuts out.
    pub fn accounts(&self) -> Vec<Account> {
        self.migration.spec.legacy.database.all_accounts()
    }

    /// Statements of the administrator.
    pub async fn sql(&self, statements: &[&str]) {
        let mut root = self.root().await;
        for statement in statements {
            root.query_drop(*statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    /// The administrator.
    pub async fn root(&self) -> Conn {
        connect(&self.server.address(), &Server::root()).await.expect("the administrator gets in")
    }

    /// The application.
    pub async fn app(&self) -> Option<Conn> {
        let app = Credentials { user: "app".into(), password: "app".into() };
        connect(&self.server.address(), &app).await.ok()
    }

    /// A look that must succeed.
    pub async fn look(&self) -> DatabaseView {
        self.controller().look().await.expect("a look")
    }

    /// How many payments there are.
    pub async fn payments(&self) -> u64 {
        let count: Option<u64> = self.root().await.query_first("SELECT COUNT(*) FROM payments.payments").await.expect("a count");
        count.expect("a count is a row")
    }
}
