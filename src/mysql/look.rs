//! One look at a whole database: a few short reads, in the order that makes each a proof of what the one before it said.

use std::collections::BTreeSet;

use mysql_async::Row;

use super::flavour::Family;
use super::markers::{Contents, Home, utc};
use super::people::{HostRow, busy, host_rows, user_of, users};
use super::session::{Session, quoted_text};
use crate::clock::Clock;
use crate::database::{AccountLock, AccountView, BinlogPosition, BinlogView, DatabaseView, Epoch, LogForm};
use crate::fault::Problem;
use crate::names::{Account, TableName};
use crate::spec::DatabaseSpec;

/// Binary logs that are never purged are kept for ten years, as far as an observation window is concerned.
const FOR_EVER_HOURS: u32 = 10 * 365 * 24;

/// Looks. The position comes last, so that nothing which was seen closed before it can be after it in the log.
///
/// # Errors
/// What the server answered.
pub async fn look(session: &mut Session, home: &Home, clock: &Clock, declared: &DatabaseSpec) -> Result<DatabaseView, Problem> {
    let accounts = declared.all_accounts();
    let users = users(&accounts);
    let at = now(session).await?;
    let contents = home.read(session).await?;
    let rows = host_rows(session, &users).await?;
    let (connections, open_transactions) = busy(session, clock, &users).await?;
    let views = accounts.iter().filter_map(|account| {
        let count = connections.get(user_of(account)).copied().unwrap_or(0);
        account_view(account, &rows, count, &contents)
    });
    Ok(DatabaseView {
        at,
        accounts: views.collect(),
        open_transactions,
        position: position(session).await?,
        binlog: binlog(session).await?,
        epoch: Epoch(contents.epoch),
        tables: tables(session, &declared.schemas).await?,
        markers: contents.markers,
        heartbeats: contents.heartbeats,
        receipt: None,
    })
}

/// An account whose own row is missing is not there.
fn account_view(account: &Account, rows: &[HostRow], connections: u32, contents: &Contents) -> Option<AccountView> {
    let user = user_of(account);
    let own: Vec<&HostRow> = rows.iter().filter(|row| row.user == user).collect();
    own.iter().find(|row| row.name() == account.as_str())?;
    // A fence that broke off may have left a login under way that the process list does not name yet.
    let may_be_logging_in = u32::from(contents.unfinished.contains(user));
    let connections = connections.max(may_be_logging_in);
    let foreign = own.iter().filter(|row| row.is_locked && !contents.closed.contains(&row.name()));
    let foreign_locks = foreign.map(|row| Account(row.name())).collect();
    Some(AccountView { account: account.clone(), lock: lock(&own, contents), foreign_locks, connections })
}

/// A user is shut out when every row is locked: a login takes the best one. Where one lock is the fence's own, opening it lets
/// the user in again.
fn lock(own: &[&HostRow], contents: &Contents) -> AccountLock {
    if own.iter().any(|row| !row.is_locked) {
        AccountLock::Open
    } else if own.iter().any(|row| contents.closed.contains(&row.name())) {
        AccountLock::ByFence
    } else {
        AccountLock::BySomebodyElse
    }
}

/// The server's own time.
///
/// # Errors
/// What the server answered.
pub async fn now(session: &mut Session) -> Result<jiff::Timestamp, Problem> {
    let rows: Vec<String> = session.rows("SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%f')", ()).await?;
    let text = rows.first().map_or("", String::as_str);
    utc(text).ok_or_else(|| Problem::Ambiguous { detail: format!("the server's time is `{text}`") })
}

/// The end of the binary log; `None` where none is written.
///
/// # Errors
/// What the server answered.
pub async fn position(session: &mut Session) -> Result<Option<BinlogPosition>, Problem> {
    let rows: Vec<Row> = session.rows(session.dialect().position, ()).await?;
    Ok(rows.first().and_then(place))
}

/// A file and an offset, from the first two columns.
fn place(row: &Row) -> Option<BinlogPosition> {
    Some(BinlogPosition { file: row.get(0)?, offset: row.get(1)? })
}

async fn binlog(session: &mut Session) -> Result<BinlogView, Problem> {
    let settings = "SELECT @@GLOBAL.log_bin, @@GLOBAL.binlog_format, @@GLOBAL.binlog_row_image, @@GLOBAL.binlog_checksum";
    let rows: Vec<(u8, String, String, String)> = session.rows(settings, ()).await?;
    let Some((enabled, format, row_image, checksum)) = rows.into_iter().next() else {
        return Err(Problem::Ambiguous { detail: "the server's settings are empty".to_owned() });
    };
    let compressed: Vec<u8> = session.rows(session.dialect().log_compressed, ()).await?;
    let form = if compressed == [1] { LogForm::Compressed } else { LogForm::Plain };
    let hours: Vec<Option<String>> = session.rows(session.dialect().retention, ()).await?;
    let hours: Option<u32> = hours.into_iter().next().flatten().and_then(|text| text.parse().ok());
    let is_aurora = session.flavour().family == Family::Aurora3;
    let retention_hours = hours.map(|hours| if hours == 0 && !is_aurora { FOR_EVER_HOURS } else { hours });
    let oldest = if enabled == 1 {
        let logs: Vec<Row> = session.rows("SHOW BINARY LOGS", ()).await?;
        // The first event of a file is at offset 4, after the magic number.
        logs.first().and_then(|row| row.get(0)).map(|file| BinlogPosition { file, offset: 4 })
    } else {
        None
    };
    Ok(BinlogView { enabled: enabled == 1, format, row_image, checksum, form, retention_hours, oldest })
}

async fn tables(session: &mut Session, schemas: &[String]) -> Result<BTreeSet<TableName>, Problem> {
    let names: Vec<String> = schemas.iter().map(|schema| quoted_text(schema)).collect();
    let statement = format!(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema IN ({})",
        names.join(", ")
    );
    let rows: Vec<(String, String)> = session.rows(&statement, ()).await?;
    Ok(rows.into_iter().map(|(schema, table)| TableName { schema, table }).collect())
}
