//! Who is connected, who is locked, and what is still open: the three readings that a fence is made and proven with.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::prelude::FromRow;
use mysql_async::{FromRowError, Row};

use super::session::Session;
use crate::fault::Problem;
use crate::names::Account;

/// One row of the account table. A login takes the row whose host fits best, so that a fence must lock every row of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostRow {
    /// The user.
    pub user: String,
    /// The host, or a pattern of hosts.
    pub host: String,
    /// `ACCOUNT LOCK`
    pub is_locked: bool,
}

/// What a connection's user is shown as until it has said who it is.
const NOT_YET_LOGGED_IN: &str = "unauthenticated user";

/// One row of the process list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its number: a later connection has a higher one.
    pub id: u64,
    /// Its user.
    pub user: String,
}

impl Connection {
    /// Whether it has not said yet who it is.
    pub fn is_logging_in(&self) -> bool {
        self.user == NOT_YET_LOGGED_IN
    }
}

impl FromRow for Connection {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        match (row.take::<u64, _>(0), row.take::<Option<String>, _>(1)) {
            (Some(id), Some(user)) => Ok(Self { id, user: user.unwrap_or_default() }),
            _ => Err(FromRowError(row)),
        }
    }
}

/// The user of `user@host`.
pub fn user_of(account: &Account) -> &str {
    account.as_str().rsplit_once('@').map_or(account.as_str(), |(user, _)| user)
}

/// The users of accounts, each once.
pub fn users(accounts: &[Account]) -> BTreeSet<String> {
    accounts.iter().map(|account| user_of(account).to_owned()).collect()
}

/// Every host row of these users.
///
/// # Errors
/// What the server answered.
pub async fn host_rows(session: &mut Session, users: &BTreeSet<String>) -> Result<Vec<HostRow>, Problem> {
    let statement = session.dialect().host_rows;
    let rows: Vec<(String, String, Option<u8>)> = session.rows(statement, ()).await?;
    let ours = rows.into_iter().filter(|(user, _, _)| users.contains(user));
    let mut rows: Vec<HostRow> = ours.map(|(user, host, locked)| HostRow { user, host, is_locked: locked == Some(1) }).collect();
    rows.sort();
    Ok(rows)
}

/// Every connection of everybody.
///
/// # Errors
/// `Denied` without PROCESS, which the server would let pass in silence, showing nobody: the reading of open transactions
/// asks for the same privilege, and refuses.
pub async fn connections(session: &mut Session) -> Result<Vec<Connection>, Problem> {
    session.run("SELECT 1 FROM information_schema.innodb_trx LIMIT 0", ()).await?;
    session.rows("SHOW PROCESSLIST", ()).await
}

/// Connections of each user, and how many transactions these users have open, prepared ones of nobody included.
///
/// Transactions are read first: a connection leaves the process list only after its transaction has ended.
///
/// # Errors
/// What the server answered.
pub async fn busy(session: &mut Session, users: &BTreeSet<String>) -> Result<(BTreeMap<String, u32>, u32), Problem> {
    let threads: Vec<u64> = session.rows("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx", ()).await?;
    let connections = connections(session).await?;
    let mut counts = BTreeMap::new();
    let mut open = 0;
    for connection in connections.iter().filter(|connection| users.contains(&connection.user)) {
        *counts.entry(connection.user.clone()).or_insert(0) += 1;
        open += u32::from(threads.contains(&connection.id));
    }
    // A prepared XA transaction that has lost its connection belongs to nobody: whoever knows its name may commit it.
    let prepared = session.rows::<Row>("XA RECOVER", ()).await?;
    Ok((counts, open + u32::try_from(prepared.len()).unwrap_or(u32::MAX)))
}
