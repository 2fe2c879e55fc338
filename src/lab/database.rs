//! The seam to the lab's own servers, in MariaDB's words and with every privilege: enough for a lab and for nothing else.
//!
//! Each verb has a connection of its own, so that one that was killed leaves nothing behind.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::mover::table::quoted;
use super::proof::fold;
use super::server::Server;
use super::schema;
use crate::clock::Clock;
use crate::database::{
    AccountView, Answer, BinlogPosition, BinlogView, Database, DatabaseView, DigestScope, Epoch, TableDigest,
};
use crate::fault::{Fault, Problem};
use crate::mysql::connect::{Address, classify, connect};
use crate::names::{Account, MarkerId, Side, TableName};
use crate::spec::Migration;

/// How often the fence looks whether connections are left.
const BETWEEN_KILLS: Duration = Duration::from_millis(5);
/// How long the fence kills and waits before it hands the waiting back: the caller looks, and closes again.
const PATIENCE: Duration = Duration::from_secs(2);

/// A row that changed less than this before a comparison may still be on its way; the movers need milliseconds.
const UNSETTLED: &str = "INTERVAL 2 SECOND";

/// One side's server.
#[derive(Debug, Clone)]
pub struct LabDatabase {
    side: Side,
    address: Address,
    clock: Clock,
    marker_schema: String,
    accounts: Vec<Account>,
    schemas: Vec<String>,
}

type Failure = mysql_async::Error;

impl LabDatabase {
    /// The server of `side` at `address`, as `migration` describes it.
    pub fn new(side: Side, address: Address, clock: Clock, migration: &Migration) -> Self {
        Self {
            side,
            address,
            clock,
            marker_schema: migration.spec.replication.marker_schema.clone(),
            accounts: migration.database(side).all_accounts(),
            schemas: migration.database(side).schemas.clone(),
        }
    }

    async fn connection(&self) -> Result<Conn, Fault> {
        connect(&self.address, &Server::root()).await
    }

    fn fault(&self, attempted: &str, error: &Failure) -> Fault {
        Fault { attempted: format!("{attempted} on {}", self.side), problem: classify(error) }
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.marker_schema), quoted(name))
    }

    /// The tables of the marker schema. Each row names the side that wrote it, so that rows that travel overwrite no other.
    async fn make_schema(&self, connection: &mut Conn) -> Result<(), Failure> {
        let question = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = 'epochs'";
        if connection.exec_first::<u64, _, _>(question, (&self.marker_schema,)).await? == Some(1) {
            return Ok(());
        }
        connection.query_drop(format!("CREATE DATABASE IF NOT EXISTS {}", quoted(&self.marker_schema))).await?;
        for columns in [
            format!("{} (marker VARCHAR(255) NOT NULL PRIMARY KEY)", self.table("markers")),
            format!("{} (side VARCHAR(10) NOT NULL PRIMARY KEY, at_us BIGINT NOT NULL)", self.table("heartbeats")),
            format!("{} (side VARCHAR(10) NOT NULL PRIMARY KEY, epoch BIGINT UNSIGNED NOT NULL)", self.table("epochs")),
        ] {
            connection.query_drop(format!("CREATE TABLE IF NOT EXISTS {columns}")).await?;
        }
        Ok(())
    }

    /// One write under an epoch, with the epoch's row locked until it is done.
    async fn write(&self, attempted: &str, epoch: Epoch, statement: String) -> Result<(), Fault> {
        let mut connection = self.connection().await?;
        let fault = |error: Failure| self.fault(attempted, &error);
        self.make_schema(&mut connection).await.map_err(fault)?;
        connection.query_drop("START TRANSACTION").await.map_err(fault)?;
        self.claim(&mut connection, attempted, epoch).await?;
        connection.query_drop(statement).await.map_err(fault)?;
        connection.query_drop("COMMIT").await.map_err(fault)
    }

    async fn claim(&self, connection: &mut Conn, attempted: &str, epoch: Epoch) -> Result<(), Fault> {
        let fault = |error: Failure| self.fault(attempted, &error);
        let table = self.table("epochs");
        let claim = format!(
            "INSERT INTO {table} (side, epoch) VALUES (?, ?) ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, VALUES(epoch))"
        );
        connection.exec_drop(claim, (self.side.to_string(), epoch.0)).await.map_err(fault)?;
        let question = format!("SELECT epoch FROM {table} WHERE side = ?");
        let stored: Option<u64> = connection.exec_first(question, (self.side.to_string(),)).await.map_err(fault)?;
        match stored.filter(|stored| *stored > epoch.0) {
            Some(theirs) => Err(Fault {
                attempted: format!("{attempted} on {}", self.side),
                problem: Problem::Superseded { ours: epoch.0, theirs },
            }),
            None => Ok(()),
        }
    }

    async fn view(&self) -> Result<DatabaseView, Failure> {
        let mut connection =
            self.connection().await.map_err(|fault| Failure::Other(fault.to_string().into()))?;
        self.make_schema(&mut connection).await?;
        let at = self.clock.now();
        let accounts = self.account_views(&mut connection).await?;
        let open: Vec<String> = connection
            .query("SELECT p.user FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id")
            .await?;
        let ours: BTreeSet<&str> = self.accounts.iter().map(user_of).collect();
        let open_transactions = open.iter().filter(|user| ours.contains(user.as_str())).count();
        let (position, binlog) = self.binlog(&mut connection).await?;
        let sides: Vec<(String, i64)> = connection.query(format!("SELECT side, at_us FROM {}", self.table("heartbeats"))).await?;
        let heartbeat = |(name, at): (String, i64)| {
            let side = [Side::Legacy, Side::Target].into_iter().find(|side| side.to_string() == name)?;
            Some((side, Timestamp::from_microsecond(at).ok()?))
        };
        let markers: Vec<String> = connection.query(format!("SELECT marker FROM {}", self.table("markers"))).await?;
        let question = format!("SELECT epoch FROM {} WHERE side = ?", self.table("epochs"));
        let epoch: Option<u64> = connection.exec_first(question, (self.side.to_string(),)).await?;
        Ok(DatabaseView {
            at,
            accounts,
            open_transactions: u32::try_from(open_transactions).unwrap_or(u32::MAX),
            position,
            binlog,
            epoch: Epoch(epoch.unwrap_or(0)),
            tables: self.tables(&mut connection).await?.into_iter().collect(),
            markers: markers.into_iter().map(MarkerId).collect(),
            heartbeats: sides.into_iter().filter_map(heartbeat).collect(),
        })
    }

    async fn account_views(&self, connection: &mut Conn) -> Result<Vec<AccountView>, Failure> {
        let locked: Vec<(String, Option<u8>)> = connection
            .query("SELECT CONCAT(user, '@', host), JSON_VALUE(priv, '$.account_locked') IN ('1', 'true') FROM mysql.global_priv")
            .await?;
        let connected: Vec<(String, u32)> =
            connection.query("SELECT user, COUNT(*) FROM information_schema.processlist GROUP BY user").await?;
        let view = |account: &Account| AccountView {
            account: account.clone(),
            locked: locked.iter().any(|(name, locked)| name == account.as_str() && *locked == Some(1)),
            connections: connected.iter().find(|(user, _)| user == user_of(account)).map_or(0, |(_, count)| *count),
        };
        Ok(self.accounts.iter().map(view).collect())
    }

    async fn binlog(&self, connection: &mut Conn) -> Result<(Option<BinlogPosition>, BinlogView), Failure> {
        let settings: Option<(u8, String, String, String, u32)> = connection
            .query_first("SELECT @@log_bin, @@binlog_format, @@binlog_row_image, @@global.binlog_checksum, @@binlog_expire_logs_seconds")
            .await?;
        let (enabled, format, row_image, checksum, seconds) = settings.unwrap_or_default();
        let enabled = enabled == 1;
        let end: Option<(String, u64, String, String)> = connection.query_first("SHOW MASTER STATUS").await?;
        let oldest: Option<(String, u64)> =
            if enabled { connection.query_first("SHOW BINARY LOGS").await? } else { None };
        let binlog = BinlogView {
            enabled,
            // Without a log MariaDB still has a format; Aurora says OFF.
            format: if enabled { format } else { "OFF".to_owned() },
            row_image,
            checksum,
            retention_hours: (seconds > 0).then_some(seconds / 3600),
            // Four bytes of magic come before the first event.
            oldest: oldest.map(|(file, _)| BinlogPosition { file, offset: 4 }),
        };
        Ok((end.map(|(file, offset, ..)| BinlogPosition { file, offset }), binlog))
    }

    async fn tables(&self, connection: &mut Conn) -> Result<Vec<TableName>, Failure> {
        let mut tables = Vec::new();
        for schema in &self.schemas {
            let question = "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name";
            let names: Vec<String> = connection.exec(question, (schema,)).await?;
            tables.extend(names.into_iter().map(|table| TableName::new(schema.clone(), table)));
        }
        Ok(tables)
    }

    async fn close(&self, epoch: Epoch, accounts: &[Account]) -> Result<(), Fault> {
        for account in accounts {
            self.write("lock the accounts", epoch, format!("ALTER USER {} ACCOUNT LOCK", named(account))).await?;
        }
        let mut connection = self.connection().await?;
        let fault = |error: Failure| self.fault("kill connections", &error);
        let users: BTreeSet<&str> = accounts.iter().map(user_of).collect();
        let mut waited = Duration::ZERO;
        loop {
            let connected: Vec<(u64, String)> =
                connection.query("SELECT id, user FROM information_schema.processlist").await.map_err(fault)?;
            let left: Vec<u64> = connected.into_iter().filter(|(_, user)| users.contains(user.as_str())).map(|(id, _)| id).collect();
            if left.is_empty() || waited >= PATIENCE {
                return Ok(());
            }
            for id in left {
                // One that has gone by itself meanwhile is no trouble, and the next look says so.
                _ = connection.query_drop(format!("KILL {id}")).await;
            }
            self.clock.sleep(BETWEEN_KILLS).await;
            waited += BETWEEN_KILLS;
        }
    }

    async fn digests(&self, scope: DigestScope<'_>) -> Result<Vec<TableDigest>, Fault> {
        let mut connection = self.connection().await?;
        let fault = |error: Failure| self.fault("digest the tables", &error);
        let tables = self.tables(&mut connection).await.map_err(fault)?;
        let mut digests = Vec::new();
        for table in tables {
            let leave_out = scope.leave_out.get(&table).cloned().unwrap_or_default();
            let Some(changed) = schema::changed_at(&table.table) else { continue };
            let recent = format!("SELECT CAST(id AS CHAR) FROM {}.{} WHERE {changed} >= NOW(6) - {UNSETTLED}", quoted(&table.schema), quoted(&table.table));
            let unsettled: Vec<String> = match changed {
                "NULL" => Vec::new(),
                _ => connection.query(recent).await.map_err(fault)?,
            };
            let unsettled: BTreeSet<String> = unsettled.into_iter().collect();
            let excluded: Vec<&str> = leave_out.union(&unsettled).map(String::as_str).collect();
            let condition = match excluded.is_empty() {
                true => "TRUE".to_owned(),
                false => format!("id NOT IN ({})", excluded.join(", ")),
            };
            let folded = fold(&mut connection, &table, &condition).await;
            let folded = folded.map_err(|trouble| Fault {
                attempted: format!("digest {table} on {}", self.side),
                problem: Problem::Ambiguous { detail: trouble.to_string() },
            })?;
            digests.push(TableDigest { table, rows: folded.rows, checksum: folded.checksum, declared_rows: 0, unsettled });
        }
        Ok(digests)
    }
}

fn user_of(account: &Account) -> &str {
    account.as_str().rsplit_once('@').map_or(account.as_str(), |(user, _)| user)
}

fn named(account: &Account) -> String {
    let (user, host) = account.as_str().rsplit_once('@').unwrap_or((account.as_str(), "%"));
    format!("'{}'@'{}'", user.replace('\'', "''"), host.replace('\'', "''"))
}

impl Database for LabDatabase {
    fn side(&self) -> Side {
        self.side
    }

    fn look(&self) -> Answer<'_, DatabaseView> {
        Box::pin(async { self.view().await.map_err(|error| self.fault("look", &error)) })
    }

    fn beat(&self, epoch: Epoch) -> Answer<'_, ()> {
        Box::pin(async move {
            let at = self.clock.now().as_microsecond();
            let statement = format!("REPLACE INTO {} (side, at_us) VALUES ('{}', {at})", self.table("heartbeats"), self.side);
            self.write("write a heartbeat", epoch, statement).await
        })
    }

    fn close_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(self.close(epoch, accounts))
    }

    fn open_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(async move {
            for account in accounts {
                self.write("unlock the accounts", epoch, format!("ALTER USER {} ACCOUNT UNLOCK", named(account))).await?;
            }
            Ok(())
        })
    }

    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()> {
        let marker = marker.as_str().replace('\'', "''");
        Box::pin(async move {
            let statement = format!("INSERT IGNORE INTO {} (marker) VALUES ('{marker}')", self.table("markers"));
            self.write("write a marker", epoch, statement).await
        })
    }

    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()> {
        Box::pin(async move {
            let statement = format!("SET GLOBAL binlog_expire_logs_seconds = {}", u64::from(hours) * 3600);
            self.write("set the binary log's retention", epoch, statement).await
        })
    }

    fn digest_tables<'a>(&'a self, scope: DigestScope<'a>) -> Answer<'a, Vec<TableDigest>> {
        Box::pin(self.digests(scope))
    }
}
