//! One side's server as a comparison uses it: statements with an end, in a session that only reads.

use std::path::PathBuf;
use std::time::Duration;

use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Params, QueryResult, Row, TextProtocol};

use super::table::fault;
use crate::credentials::{Credentials, find};
use crate::fault::{Fault, Problem};
use crate::mysql::connect::{Address, connect_trusting};
use crate::names::Side;
use crate::spec::Migration;

/// How long a statement is waited for before its server counts as silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Whatever reads a chunk, single rows, or what the tables look like.
    pub chunk: Duration,
    /// Whatever reads a table in one piece: a table without a key, a ledger, values that must be unique.
    pub whole_table: Duration,
}

impl Default for Limits {
    /// A chunk takes milliseconds, and a cold cache or a checkpoint makes seconds of these: after a minute there is nobody to
    /// wait for. A thousand million rows in one piece take a quarter of an hour; what has not ended after an hour will not.
    fn default() -> Self {
        Self { chunk: Duration::from_secs(60), whole_table: Duration::from_secs(3600) }
    }
}

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
    /// How long its answers are waited for.
    pub limits: Limits,
}

/// One connection to one side.
#[derive(Debug)]
pub struct Hand {
    /// Which side.
    pub side: Side,
    connection: Conn,
    /// Where to look when it is silent.
    address: Address,
    limits: Limits,
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
        let ca_file = database.tls_ca_file.as_ref().map(PathBuf::from);
        Ok::<_, String>(Server { side, address, credentials, ca_file, limits: Limits::default() })
    };
    Ok([server(Side::Legacy)?, server(Side::Target)?])
}

impl Server {
    /// Opens a connection whose session refuses to write.
    ///
    /// # Errors
    /// A fault that says which server was not reached.
    pub async fn open(&self) -> Result<Hand, Fault> {
        let connection = connect_trusting(&self.address, &self.credentials, self.ca_file.as_deref()).await?;
        let mut hand = Hand { side: self.side, connection, address: self.address.clone(), limits: self.limits };
        hand.rows::<Row>("forbid writing", "SET SESSION TRANSACTION READ ONLY").await?;
        Ok(hand)
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

    /// All rows of a statement that reads a chunk at most.
    ///
    /// # Errors
    /// A fault that names the side and what was attempted, also where no answer came in time.
    pub async fn rows<T: FromRow + Send + 'static>(&mut self, attempted: &str, sql: &str) -> Result<Vec<T>, Fault> {
        self.within(self.limits.chunk, attempted, sql, Params::Empty).await
    }

    /// The row of a statement that answers one at most.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn first<T: FromRow + Send + 'static>(&mut self, attempted: &str, sql: &str) -> Result<Option<T>, Fault> {
        Ok(self.rows(attempted, sql).await?.pop())
    }

    /// All rows of such a statement, with values for its question marks.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn rows_for<T>(&mut self, attempted: &str, sql: &str, values: impl Into<Params>) -> Result<Vec<T>, Fault>
    where
        T: FromRow + Send + 'static,
    {
        self.within(self.limits.chunk, attempted, sql, values.into()).await
    }

    /// All rows of a statement that reads a table in one piece.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn rows_of_whole<T: FromRow + Send + 'static>(&mut self, attempted: &str, sql: &str) -> Result<Vec<T>, Fault> {
        self.within(self.limits.whole_table, attempted, sql, Params::Empty).await
    }

    /// The rows of a statement that reads a table in one piece, as they come: there may be more than memory holds.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn stream(&mut self, attempted: &str, sql: &str) -> Result<Stream<'_>, Fault> {
        let attempted = format!("{attempted} on {}", self.side);
        let (address, limits) = (self.address.clone(), self.limits);
        let rows = match tokio::time::timeout(limits.whole_table, self.connection.query_iter(sql.to_owned())).await {
            Ok(answer) => answer.map_err(fault(attempted.clone()))?,
            Err(_) => return Err(silent(attempted, &address, limits.whole_table)),
        };
        Ok(Stream { rows, attempted, address, limit: limits.whole_table })
    }

    async fn within<T>(&mut self, limit: Duration, attempted: &str, sql: &str, values: Params) -> Result<Vec<T>, Fault>
    where
        T: FromRow + Send + 'static,
    {
        let attempted = format!("{attempted} on {}", self.side);
        let answer = async {
            match values {
                // As text, in which values come as the server writes them.
                Params::Empty => self.connection.query(sql).await,
                values => self.connection.exec(sql, values).await,
            }
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(fault(attempted)),
            Err(_) => Err(silent(attempted, &self.address, limit)),
        }
    }
}

/// Rows that are read one by one, and each waited for no longer than its server may take.
#[derive(Debug)]
pub struct Stream<'a> {
    rows: QueryResult<'a, 'static, TextProtocol>,
    attempted: String,
    address: Address,
    limit: Duration,
}

impl Stream<'_> {
    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// As [`Hand::rows`].
    pub async fn next(&mut self) -> Result<Option<Row>, Fault> {
        match tokio::time::timeout(self.limit, self.rows.next()).await {
            Ok(answer) => answer.map_err(fault(self.attempted.clone())),
            Err(_) => Err(silent(self.attempted.clone(), &self.address, self.limit)),
        }
    }
}

fn silent(attempted: String, address: &Address, limit: Duration) -> Fault {
    let detail = format!(
        "{address} was silent for {} s; see whether it answers there at all, whether it is overloaded or the network between is \
         cut, and compare again; where it is only slow, lower validation.parity.chunkRows",
        limit.as_secs()
    );
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
