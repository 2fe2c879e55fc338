//! Who is connected, who is locked, and what is still open: the three readings that a fence is made and proven with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mysql_async::prelude::FromRow;
use mysql_async::{FromRowError, Row};

use super::session::Session;
use crate::clock::Clock;
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

impl HostRow {
    /// `user@host`
    pub fn name(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
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
    /// What it does.
    pub command: String,
}

impl Connection {
    /// Whether it has not been let in yet. The user may be named already, even of a login that is about to be refused.
    pub fn is_logging_in(&self) -> bool {
        self.user == NOT_YET_LOGGED_IN || self.command == "Connect"
    }
}

impl FromRow for Connection {
    fn from_row_opt(mut row: Row) -> Result<Self, FromRowError> {
        match (row.take(0), row.take(1), row.take(4)) {
            (Some(id), Some(user), Some(command)) => Ok(Self { id, user, command }),
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
    let mut rows = everybody(session).await?;
    rows.retain(|row| users.contains(&row.user));
    Ok(rows)
}

/// Every host row of every user, in order.
///
/// # Errors
/// What the server answered.
pub async fn everybody(session: &mut Session) -> Result<Vec<HostRow>, Problem> {
    let statement = session.dialect().host_rows;
    let rows: Vec<(String, String, Option<u8>)> = session.rows(statement, ()).await?;
    let row = |(user, host, locked)| HostRow { user, host, is_locked: locked == Some(1) };
    let mut rows: Vec<HostRow> = rows.into_iter().map(row).collect();
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

/// How often a connection is looked for again before it counts, and after how long: a refusal takes well under a millisecond.
const SECOND_LOOKS: u32 = 10;
const BEFORE_A_SECOND_LOOK: Duration = Duration::from_millis(2);

/// Connections of each user, and how many transactions these users have open, prepared ones of nobody included.
///
/// Whoever is in one list and not in the next is gone: either it has ended, with its transaction, or it was a login that a lock
/// refused. Otherwise customers who keep knocking would keep a closed fence unproven. Transactions are read first: a connection
/// leaves the process list only after its transaction has ended.
///
/// # Errors
/// What the server answered.
pub async fn busy(
    session: &mut Session,
    clock: &Clock,
    users: &BTreeSet<String>,
) -> Result<(BTreeMap<String, u32>, u32), Problem> {
    let threads: Vec<u64> = session.rows("SELECT trx_mysql_thread_id FROM information_schema.innodb_trx", ()).await?;
    let mut theirs = connections(session).await?;
    theirs.retain(|one| users.contains(&one.user) && !one.is_logging_in());
    for _ in 0..SECOND_LOOKS {
        if theirs.is_empty() {
            break;
        }
        clock.sleep(BEFORE_A_SECOND_LOOK).await;
        let now: BTreeSet<u64> = connections(session).await?.iter().map(|one| one.id).collect();
        theirs.retain(|one| now.contains(&one.id));
    }
    let mut counts = BTreeMap::new();
    for one in &theirs {
        *counts.entry(one.user.clone()).or_insert(0) += 1;
    }
    let open = theirs.iter().filter(|one| threads.contains(&one.id)).count();
    // A prepared XA transaction that has lost its connection belongs to nobody: whoever knows its name may commit it.
    let prepared = session.rows::<Row>("XA RECOVER", ()).await?.len();
    Ok((counts, u32::try_from(open + prepared).unwrap_or(u32::MAX)))
}
