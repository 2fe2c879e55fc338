//! One side's server as a comparison uses it: statements with an end, in a session that only reads.

use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Row};

use super::table::fault;
use crate::credentials::{Credentials, find};
use crate::fault::{Fault, Problem};
use crate::mysql::connect::{Address, connect_trusting};
use crate::names::Side;
use crate::spec::Migration;

/// A chunk takes milliseconds. A table without a key is folded in one piece, and a thousand million rows take a quarter of an
/// hour; a server that has not answered after an hour will not.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Where one side is, and as whom it is asked.
#[derive(Debug, Clone)]
pub struct Server {
    /// Which side.
    pub side: Side,
    /// Where it listens.
    pub address: Address,
    /// The account that reads.
    pub credentials: Credentials,
    /// The authorities that its certificate is checked against; `None` for those that the platform knows.
    pub ca_file: Option<PathBuf>,
}

/// One connection to one side.
#[derive(Debug)]
pub struct Hand {
    /// Which side.
    pub side: Side,
    connection: Conn,
}

/// Both servers of a migration, legacy first, with their credentials.
///
/// # Errors
/// A sentence about credentials that are not there, or a port that is none.
pub fn servers(migration: &Migration) -> Result<[Server; 2], String> {
    let server = |side| {
        let database = migration.database(side);
        let port = u16::try_from(database.port).map_err(|_| format!("{} is no TCP port", database.port))?;
        let credentials = find(&database.credentials_from).map_err(|error| format!("{side}: {error}"))?;
        let address = Address { host: database.host.clone(), port, tls: database.tls };
        Ok::<_, String>(Server { side, address, credentials, ca_file: database.tls_ca_file.as_ref().map(PathBuf::from) })
    };
    Ok([server(Side::Legacy)?, server(Side::Target)?])
}

impl Server {
    /// Opens a connection whose session refuses to write.
    ///
    /// # Errors
    /// A fault that says which server was not reached.
    pub async fn open(&self) -> Result<Hand, Fault> {
        let mut connection = connect_trusting(&self.address, &self.credentials, self.ca_file.as_deref()).await?;
        let read_only = connection.query_drop("SET SESSION TRANSACTION READ ONLY").await;
        read_only.map_err(fault(format!("forbid writing on {}", self.side)))?;
        Ok(Hand { side: self.side, connection })
    }
}

impl Hand {
    /// 0 for legacy, 1 for target: the place in pairs.
    pub const fn index(&self) -> usize {
        match self.side {
            Side::Legacy => 0,
            Side::Target => 1,
        }
    }

    /// The connection, for statements with parameters.
    pub const fn connection(&mut self) -> &mut Conn {
        &mut self.connection
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// A fault that names the side and what was attempted.
    pub async fn rows<T: FromRow + Send + 'static>(&mut self, attempted: &str, sql: &str) -> Result<Vec<T>, Fault> {
        let attempted = format!("{attempted} on {}", self.side);
        match tokio::time::timeout(STATEMENT_TIMEOUT, self.connection.query(sql)).await {
            Ok(answer) => answer.map_err(fault(attempted)),
            Err(_) => Err(slow(attempted)),
        }
    }

    /// The row of a statement that answers one at most.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn first<T: FromRow + Send + 'static>(&mut self, attempted: &str, sql: &str) -> Result<Option<T>, Fault> {
        Ok(self.rows(attempted, sql).await?.pop())
    }
}

fn slow(attempted: String) -> Fault {
    let detail = format!("no answer in {} minutes; look at the server's load", STATEMENT_TIMEOUT.as_secs() / 60);
    Fault { attempted, problem: Problem::Ambiguous { detail } }
}

/// The columns of a row as the server wrote them; `None` is NULL.
pub fn texts(row: Row) -> Vec<Option<Vec<u8>>> {
    let text = |value| match value {
        mysql_async::Value::NULL => None,
        mysql_async::Value::Bytes(bytes) => Some(bytes),
        // Only statements with parameters answer in binary, and those that are read here have none.
        other => Some(other.as_sql(true).into_bytes()),
    };
    row.unwrap().into_iter().map(text).collect()
}
