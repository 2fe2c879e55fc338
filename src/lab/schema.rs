//! The application's schema and accounts: what a payment system has, in every type that is hard to move.

use mysql_async::prelude::Queryable;

use super::mover::Trouble;
use super::mover::table::quoted;
use super::server::Server;
use crate::mysql::connect::connect;
use crate::names::{Side, TableName};
use crate::spec::Migration;

/// The password of every account in the lab: nobody but this machine can reach its servers.
pub const PASSWORD: &str = "lab";

/// The table that every payment writes.
pub const PAYMENTS: &str = "payments";

/// Rows of each table before the migration begins: enough that a load takes some statements, few enough for a second.
const ROWS_AT_START: u64 = 2_000;

/// The tables, by name and columns: those that change say when a row did. A payment's key is its idempotency key, which no two
/// rows may share.
const TABLES: [(&str, &str); 5] = [
    (
        PAYMENTS,
        "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, idempotency_key VARBINARY(32) NOT NULL UNIQUE, \
         customer_id VARCHAR(64) NOT NULL, amount DECIMAL(18,4) NOT NULL, currency CHAR(3) NOT NULL, \
         status ENUM('authorized','captured','refunded') NOT NULL DEFAULT 'authorized', details JSON, flags BIT(8) NOT NULL DEFAULT b'0', \
         created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
         updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
    ),
    (
        "ledger_entries",
        "id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, idempotency_key VARBINARY(32) NOT NULL UNIQUE, \
         account_id INT UNSIGNED NOT NULL, delta DECIMAL(18,4) NOT NULL, updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
    ),
    (
        "accounts",
        "id INT UNSIGNED NOT NULL PRIMARY KEY, balance DECIMAL(18,4) NOT NULL, version MEDIUMINT NOT NULL DEFAULT -1, \
         updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
    ),
    (
        "customers",
        "id VARCHAR(64) NOT NULL PRIMARY KEY, name VARCHAR(200) NOT NULL, fingerprint BINARY(16) NOT NULL, \
         labels SET('new','risky','vip') NOT NULL DEFAULT '', score DOUBLE, since DATE NOT NULL",
    ),
    ("audit", "at DATETIME(6) NOT NULL, what VARCHAR(100) NOT NULL, who VARBINARY(64), PRIMARY KEY (at, what)"),
];

/// How keys begin of what was there before the migration. Balances are of what came after it.
pub const OPENED: &str = "old-";

/// How many ledger accounts there are: few, so that transactions meet on their rows.
pub const ACCOUNTS: u32 = 50;

/// Every table of the application.
pub fn tables(migration: &Migration) -> Vec<TableName> {
    let schema = schema(migration);
    TABLES.iter().map(|(table, _)| TableName::new(schema, *table)).collect()
}

/// The schema that they are in.
pub fn schema(migration: &Migration) -> &str {
    migration.spec.legacy.database.schemas.first().map_or("payments", String::as_str)
}

/// Makes the schema and the accounts on one server, and on legacy the rows of years.
pub async fn make(server: &Server, side: Side, migration: &Migration) -> Result<(), Trouble> {
    let mut connection = connect(&server.address(), &Server::root()).await?;
    leave_one_administrator(&mut connection).await?;
    let schemas = &migration.spec.legacy.database.schemas;
    for schema in schemas {
        connection.query_drop(format!("CREATE DATABASE {} CHARACTER SET utf8mb4", quoted(schema))).await?;
    }
    connection.query_drop(format!("USE {}", quoted(schema(migration)))).await?;
    for (table, columns) in TABLES {
        connection.query_drop(format!("CREATE TABLE {table} ({columns})")).await?;
    }
    for account in migration.database(side).all_accounts() {
        let (user, host) = account.as_str().rsplit_once('@').unwrap_or((account.as_str(), "%"));
        let name = format!("'{}'@'{}'", user.replace('\'', "''"), host.replace('\'', "''"));
        connection.query_drop(format!("CREATE USER {name} IDENTIFIED BY '{PASSWORD}'")).await?;
        for schema in schemas {
            connection.query_drop(format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {}.* TO {name}", quoted(schema))).await?;
        }
    }
    if side == Side::Legacy {
        fill(&mut connection).await?;
    }
    Ok(())
}

/// A new server has an administrator for each name that its machine has. The lab and its controller use one of them, and the
/// others could write round a fence, as on any server.
async fn leave_one_administrator(connection: &mut mysql_async::Conn) -> Result<(), Trouble> {
    let others = "SELECT CONCAT(QUOTE(User), '@', QUOTE(Host)) FROM mysql.user \
                  WHERE User = 'root' AND CONCAT(User, '@', Host) <> CURRENT_USER()";
    let others: Vec<String> = connection.query(others).await?;
    for other in others {
        connection.query_drop(format!("DROP USER {other}")).await?;
    }
    Ok(())
}

async fn fill(connection: &mut mysql_async::Conn) -> Result<(), Trouble> {
    let statements = [
        format!("INSERT INTO accounts (id, balance) SELECT seq, 0 FROM seq_1_to_{ACCOUNTS}"),
        format!(
            "INSERT INTO {PAYMENTS} (idempotency_key, customer_id, amount, currency, status, details, flags) \
             SELECT CONCAT('{OPENED}', seq), CONCAT('customer-', seq % 500), seq * 1.0001, ELT(1 + seq % 3, 'EUR', 'USD', 'JPY'), 1 + seq % 3, \
             JSON_OBJECT('note', CONCAT('grüße 💶 ', seq), 'n', seq), seq % 256 FROM seq_1_to_{ROWS_AT_START}"
        ),
        format!(
            "INSERT INTO ledger_entries (idempotency_key, account_id, delta) \
             SELECT CONCAT('{OPENED}', seq), 1 + seq % {ACCOUNTS}, -seq * 1.0001 FROM seq_1_to_{ROWS_AT_START}"
        ),
        format!(
            "INSERT INTO customers (id, name, fingerprint, labels, score, since) \
             SELECT CONCAT('customer-', seq), CONCAT('Zoë ', seq), UNHEX(MD5(seq)), seq % 8, SQRT(seq), '2001-01-01' + INTERVAL seq DAY \
             FROM seq_1_to_{ROWS_AT_START}"
        ),
        format!(
            "INSERT INTO audit (at, what, who) SELECT '2020-01-01' + INTERVAL seq SECOND, 'opened', CONCAT('clerk', CHAR(0)) \
             FROM seq_1_to_{ROWS_AT_START}"
        ),
    ];
    for statement in statements {
        connection.query_drop(statement).await?;
    }
    Ok(())
}
