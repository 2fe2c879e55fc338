//! The fence: lock, kill, and wait, killing again, until no commit can follow. Opening is the exact inverse.
//!
//! Measured on MariaDB 10.11 and MySQL 9.7: a lock alone leaves connected sessions writing for ever, and `KILL` returns before
//! a commit under way has ended. Every step is safe to repeat; a crash between any two leaves rows that say what was begun.

use std::collections::BTreeSet;
use std::time::Duration;

use super::markers::{Home, kill};
use super::people::{HostRow, busy, connections, host_rows, users};
use super::session::{Session, quoted_text};
use crate::clock::Clock;
use crate::database::Epoch;
use crate::fault::Problem;
use crate::names::Account;

/// How often it looks whether anybody is left: a killed session ends within a few milliseconds.
const GLANCE: Duration = Duration::from_millis(5);

/// So many looks, two seconds without the statements' own time, before the waiting is handed back: the caller looks, and
/// closes again.
const GLANCES: u32 = 400;

/// Closes the fence for every host row of each account's user.
///
/// `Ok` is not the proof: whoever is left after the last look is counted by the caller's next one.
///
/// # Errors
/// `Superseded`, or what the server answered. After a lost connection the next look says how far it came.
pub async fn close(session: &mut Session, home: &Home, clock: &Clock, epoch: Epoch, accounts: &[Account]) -> Result<(), Problem> {
    home.step_forward(session, epoch).await?;
    let users = users(accounts);
    let rows = host_rows(session, &users).await?;
    remember(session, home, epoch, &users, &rows).await?;
    alter(session, &rows.iter().collect::<Vec<_>>(), "ACCOUNT LOCK").await?;
    if wait_until_nobody_is_left(session, clock, &users).await? {
        let (migration, side) = home.key();
        for user in &users {
            let finished =
                format!("DELETE FROM {} WHERE migration = ? AND side = ? AND user = ?", home.table("unfinished_fences"));
            session.run(&finished, (&migration, &side, user)).await?;
        }
    }
    home.step_back(session).await
}

/// What is unlocked now is what an opening unlocks, beside what an earlier closing has found so: a list is only added to, until
/// the opening. It is durable before the first lock. Whose fence is not known to be finished counts as connected.
async fn remember(
    session: &mut Session,
    home: &Home,
    epoch: Epoch,
    users: &BTreeSet<String>,
    rows: &[HostRow],
) -> Result<(), Problem> {
    let (migration, side) = home.key();
    home.claim(session, epoch).await?;
    for row in rows.iter().filter(|row| !row.is_locked) {
        let insert = format!("INSERT IGNORE INTO {} (migration, side, user, host) VALUES (?, ?, ?, ?)", home.table("fences"));
        session.run(&insert, (&migration, &side, &row.user, &row.host)).await?;
    }
    for user in users {
        let insert = format!("INSERT IGNORE INTO {} (migration, side, user) VALUES (?, ?, ?)", home.table("unfinished_fences"));
        session.run(&insert, (&migration, &side, user)).await?;
    }
    session.run("COMMIT", ()).await.map(drop)
}

/// One statement for all rows: a crash of the controller cannot come between them.
async fn alter(session: &mut Session, rows: &[&HostRow], what: &str) -> Result<(), Problem> {
    if rows.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = rows.iter().map(|row| format!("{}@{}", quoted_text(&row.user), quoted_text(&row.host))).collect();
    session.run(&format!("ALTER USER {} {what}", names.join(", ")), ()).await.map(drop)
}

/// Kills, looks, and kills again. A login that had begun before the lock may still succeed after it, so that those are ended
/// as well; a later one finds the lock, and shows up only while it is refused.
async fn wait_until_nobody_is_left(session: &mut Session, clock: &Clock, users: &BTreeSet<String>) -> Result<bool, Problem> {
    let last = connections(session).await?.iter().map(|one| one.id).max().unwrap_or(0);
    for _ in 0..GLANCES {
        let all = connections(session).await?;
        let left: Vec<u64> = all
            .iter()
            .filter(|one| one.id <= last && (users.contains(&one.user) || one.is_logging_in()))
            .map(|one| one.id)
            .collect();
        if left.is_empty() && busy(session, clock, users).await?.1 == 0 {
            return Ok(true);
        }
        for id in left {
            kill(session, id).await?;
        }
        clock.sleep(GLANCE).await;
    }
    Ok(false)
}

/// Opens the fence: of the accounts' users, those rows that [`close`] had found open, and no other. A row that somebody else had
/// locked before stays locked; the look says of which account that is.
///
/// What was closed is forgotten only once it is open: whoever breaks off in between finds the list, and opens the same rows.
///
/// # Errors
/// `Superseded`, or what the server answered.
pub async fn open(session: &mut Session, home: &Home, epoch: Epoch, accounts: &[Account]) -> Result<(), Problem> {
    home.step_forward(session, epoch).await?;
    let users = users(accounts);
    let (migration, side) = home.key();
    let ours: BTreeSet<(String, String)> = home.closed(session).await?.into_iter().collect();
    let rows = host_rows(session, &users).await?;
    let is_ours = |row: &HostRow| ours.contains(&(row.user.clone(), row.host.clone()));
    let to_open: Vec<&HostRow> = rows.iter().filter(|row| row.is_locked && is_ours(row)).collect();
    alter(session, &to_open, "ACCOUNT UNLOCK").await?;
    home.claim(session, epoch).await?;
    for user in &users {
        for table in ["fences", "unfinished_fences"] {
            let forget = format!("DELETE FROM {} WHERE migration = ? AND side = ? AND user = ?", home.table(table));
            session.run(&forget, (&migration, &side, user)).await?;
        }
    }
    session.run("COMMIT", ()).await?;
    home.step_back(session).await
}
