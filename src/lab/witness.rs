//! Both sides' rows as they were in the moment when neither took any: after the drain of a way back, before legacy opens.
//!
//! Later there is no such moment: legacy is written to again, and nothing moves to the target any more. Customers wait while it
//! lasts, so it only takes a snapshot on each server; the rows in it are read and folded afterwards, while they pay.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use super::customers::Book;
use super::mover::Trouble;
use super::proof::{RowsOf, rows_of};
use super::server::Server;
use crate::mysql::connect::{Address, connect};
use crate::names::{Side, TableName};

/// Without the first statement the second says yes and takes none: the session's isolation has no snapshots.
const SNAPSHOT: [&str; 2] =
    ["SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"];

/// A server that has just died is back within seconds, and nobody opens it before.
const TRIES: u32 = 100;
/// From one try to the next.
const GLANCE: Duration = Duration::from_millis(100);

/// Both sides' rows, legacy first.
pub(super) type Agreed = (Vec<RowsOf>, Vec<RowsOf>);

/// Whoever looks at both servers before legacy opens again.
#[derive(Debug)]
pub struct Witness {
    addresses: (Address, Address),
    tables: Vec<TableName>,
    book: Arc<Book>,
    seen: Mutex<Option<JoinHandle<Result<Agreed, Trouble>>>>,
}

impl Witness {
    pub(super) fn new(addresses: (Address, Address), tables: Vec<TableName>, book: Arc<Book>) -> Self {
        Self { addresses, tables, book, seen: Mutex::default() }
    }

    /// Before `side` is opened. Only the first opening on the way back counts: whoever does it again may find customers there.
    pub(super) async fn look_before_opening(&self, side: Side) {
        let was_away = self.book.switches().last().is_some_and(|switch| switch.to == Side::Target);
        if side == Side::Target || !was_away || self.seen().is_some() {
            return;
        }
        let snapshots = self.snapshots().await;
        let tables = self.tables.clone();
        #[allow(clippy::disallowed_methods, reason = "the lab is the shell of its witness; the task is joined in `testimony`")]
        let reading = tokio::spawn(async move {
            let (mut legacy, mut target) = snapshots?;
            let (legacy, target) = tokio::join!(rows_of(&mut legacy, &tables), rows_of(&mut target, &tables));
            Ok((legacy?, target?))
        });
        *self.seen() = Some(reading);
    }

    /// What was seen; `None` where there was no way back, or its rows could not be read.
    pub(super) async fn testimony(&self) -> Option<Agreed> {
        let reading = self.seen().take()?;
        reading.await.ok()?.ok()
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<Result<Agreed, Trouble>>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn snapshots(&self) -> Result<(Conn, Conn), Trouble> {
        let mut tried = 0;
        loop {
            tried += 1;
            match tokio::try_join!(snapshot(&self.addresses.0), snapshot(&self.addresses.1)) {
                Ok(both) => return Ok(both),
                Err(trouble) if tried == TRIES => return Err(trouble),
                Err(_) => tokio::time::sleep(GLANCE).await,
            }
        }
    }
}

async fn snapshot(address: &Address) -> Result<Conn, Trouble> {
    let mut connection = connect(address, &Server::root()).await?;
    for statement in SNAPSHOT {
        connection.query_drop(statement).await?;
    }
    Ok(connection)
}
