//! A customer whose transaction stays open while everything changes round it: what a fence must end, and never let commit.

use std::convert::Infallible;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::mover::Trouble;
use super::mover::table::quoted;
use super::schema::PAYMENTS;
use crate::credentials::Credentials;
use crate::mysql::connect::{Address, connect};
use crate::names::Side;

/// The customer asks this often whether the connection is still there, as a pool does.
const GLANCE: Duration = Duration::from_millis(50);

/// Whoever still has a transaction open at the end of a journey is not waited for.
const AT_THE_END: Duration = Duration::from_secs(1);

/// What became of a transaction that was held open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldTransaction {
    /// Where it was open.
    pub side: Side,
    /// What ended it: the server's error number, or what happened to the connection. Nobody was ever told yes.
    pub ended_by: String,
    /// Rows that it left, on both sides together: none may be there.
    pub rows: u64,
}

/// A transaction held open.
#[derive(Debug)]
pub(super) struct Holding {
    side: Side,
    key: String,
    task: JoinHandle<String>,
}

impl Holding {
    /// Begins a transaction that writes a payment, and holds it.
    pub(super) fn begin(side: Side, number: usize, address: Address, credentials: Credentials, schema: &str) -> Self {
        let key = format!("held-{number}");
        let insert = format!(
            "INSERT INTO {}.{PAYMENTS} (idempotency_key, customer_id, amount, currency) VALUES ('{key}', 'customer-1', 1, 'EUR')",
            quoted(schema)
        );
        #[allow(clippy::disallowed_methods, reason = "the lab is the shell of its customers; the task is joined in `end`")]
        let task = tokio::spawn(async move {
            match connect(&address, &credentials).await {
                Ok(connection) => told(&hold(connection, &insert).await),
                Err(fault) => fault.to_string(),
            }
        });
        Self { side, key, task }
    }

    /// What became of it, by the rows on both servers.
    pub(super) async fn end(mut self, schema: &str, servers: [&mut Conn; 2]) -> Result<HeldTransaction, Trouble> {
        let ended_by = match tokio::time::timeout(AT_THE_END, &mut self.task).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) | Err(_) => "nobody: it is still open".to_owned(),
        };
        self.task.abort();
        let question = format!("SELECT COUNT(*) FROM {}.{PAYMENTS} WHERE idempotency_key = ?", quoted(schema));
        let mut rows = 0;
        for server in servers {
            rows += server.exec_first::<u64, _, _>(&question, (&self.key,)).await?.unwrap_or_default();
        }
        Ok(HeldTransaction { side: self.side, ended_by, rows })
    }
}

/// Holds until something ends it, then tries to commit all the same.
async fn hold(mut connection: Conn, insert: &str) -> Error {
    let ended = async {
        connection.query_drop("START TRANSACTION").await?;
        connection.query_drop(insert).await?;
        loop {
            tokio::time::sleep(GLANCE).await;
            connection.query_drop("DO 0").await?;
        }
    };
    let ended: Result<Infallible, Error> = ended.await;
    let Err(error) = ended;
    // If this succeeds, it leaves its row, and that is what is counted.
    _ = connection.query_drop("COMMIT").await;
    error
}

fn told(error: &Error) -> String {
    match error {
        Error::Server(server) => server.code.to_string(),
        Error::Io(_) | Error::Driver(_) | Error::Other(_) | Error::Url(_) => "connection lost".to_owned(),
    }
}
