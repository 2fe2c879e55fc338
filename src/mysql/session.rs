//! A connection that knows what it speaks to, limits every statement, and notices when it can no longer be trusted.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use mysql_async::prelude::{FromRow, Queryable};
use mysql_async::{Conn, Params, Row};

use super::connect::{Address, connect_trusting};
use super::errors::classify;
use super::flavour::{Dialect, Flavour, understand};
use crate::credentials::Credentials;
use crate::database::BinlogPosition;
use crate::fault::{Fault, Problem};

/// No statement but a comparison of rows takes this long on a server that is well. A row or metadata lock gives up sooner.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// Whoever holds a row that the controller writes for two seconds is not going to let go in this pass.
const LOCK_WAITS: &str = "SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2";

/// One session.
#[derive(Debug)]
pub struct Session {
    connection: Conn,
    flavour: Flavour,
    /// A statement was sent, and its answer has not been read: its caller went away, or the connection broke.
    is_midway: bool,
    limit: Duration,
    /// The end of the binary log as it was seen last, and since when it has been there. It goes with the connection: the next
    /// one may lead to another server.
    log_end: Option<(BinlogPosition, Timestamp)>,
}

impl Session {
    /// Connects, asks what the server is, and refuses one that is too old.
    ///
    /// # Errors
    /// A fault that names the server.
    pub async fn open(address: &Address, credentials: &Credentials, ca_file: Option<&Path>) -> Result<Self, Fault> {
        let connection = connect_trusting(address, credentials, ca_file).await?;
        let fault = |problem| Fault { attempted: format!("ask {address} what it is"), problem };
        // The version is known before the first statement can use it.
        let placeholder = Flavour { family: super::flavour::Family::MySql80, version: (0, 0, 0) };
        let mut session = Self { connection, flavour: placeholder, is_midway: false, limit: STATEMENT_TIMEOUT, log_end: None };
        session.flavour = session.ask_flavour().await.map_err(fault)?;
        session.run(LOCK_WAITS, ()).await.map_err(fault)?;
        Ok(session)
    }

    /// The same session with another limit for each statement.
    #[must_use]
    pub const fn limited_to(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    async fn ask_flavour(&mut self) -> Result<Flavour, Problem> {
        let version: Vec<String> = self.rows("SELECT VERSION()", ()).await?;
        let aurora: Vec<(String, String)> = self.rows("SHOW GLOBAL VARIABLES LIKE 'aurora_version'", ()).await?;
        let version = version.first().map_or("", String::as_str);
        understand(version, aurora.first().map(|(_, value)| value.as_str()))
            .map_err(|message| Problem::Invalid { code: "UnsupportedServer".to_owned(), message })
    }

    /// Since when the binary log is known to end at `end`, which it does now.
    pub fn log_end_since(&mut self, end: &BinlogPosition, now: Timestamp) -> Timestamp {
        match &self.log_end {
            Some((known, since)) if known == end => *since,
            Some(_) | None => {
                self.log_end = Some((end.clone(), now));
                now
            }
        }
    }

    /// What the server is.
    pub const fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The SQL that differs.
    pub const fn dialect(&self) -> Dialect {
        self.flavour.family.dialect()
    }

    /// Whether the next statement would read the answer of the one before.
    pub const fn is_usable(&self) -> bool {
        !self.is_midway
    }

    /// All rows of one statement. Without values it goes as text, which every statement allows.
    ///
    /// # Errors
    /// A problem by error number; `Ambiguous` where no answer came in time.
    pub async fn rows<T>(&mut self, statement: &str, values: impl Into<Params>) -> Result<Vec<T>, Problem>
    where
        T: FromRow + Send + 'static,
    {
        let (connection, values) = (&mut self.connection, values.into());
        let exchange = async move {
            match values {
                Params::Empty => connection.query::<Row, _>(statement).await,
                values => connection.exec::<Row, _, _>(statement, values).await,
            }
        };
        understood(answered(self.limit, &mut self.is_midway, exchange).await?)
    }

    /// All rows of one statement that the server prepares before it runs it: of several it would prepare none.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn prepared_rows<T>(&mut self, statement: &str) -> Result<Vec<T>, Problem>
    where
        T: FromRow + Send + 'static,
    {
        let exchange = self.connection.exec::<Row, _, _>(statement, ());
        understood(answered(self.limit, &mut self.is_midway, exchange).await?)
    }

    /// All rows of several statements that travel together, in one round trip.
    ///
    /// # Errors
    /// As [`Self::rows`], where one of them fails.
    pub async fn row_sets(&mut self, statements: &[String]) -> Result<Vec<Vec<Row>>, Problem> {
        let (connection, together) = (&mut self.connection, statements.join(";\n"));
        let exchange = async move {
            let mut result = connection.query_iter(together).await?;
            let mut sets = Vec::new();
            while !result.is_empty() {
                sets.push(result.collect::<Row>().await?);
            }
            Ok(sets)
        };
        answered(self.limit, &mut self.is_midway, exchange).await
    }

    /// One statement, and how many rows it changed.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub async fn run(&mut self, statement: &str, values: impl Into<Params>) -> Result<u64, Problem> {
        self.rows::<Row>(statement, values).await?;
        Ok(self.connection.affected_rows())
    }
}

/// Awaits an answer, and remembers whether all of it has been read.
async fn answered<T>(
    limit: Duration,
    is_midway: &mut bool,
    exchange: impl Future<Output = Result<T, mysql_async::Error>>,
) -> Result<T, Problem> {
    *is_midway = true;
    match tokio::time::timeout(limit, exchange).await {
        Ok(Ok(answer)) => {
            *is_midway = false;
            Ok(answer)
        }
        Ok(Err(error)) => {
            let problem = classify(&error);
            *is_midway = matches!(problem, Problem::Ambiguous { .. });
            Err(problem)
        }
        Err(_) => {
            let detail = format!("no answer within {} s; the server is overloaded or unreachable", limit.as_secs());
            Err(Problem::Ambiguous { detail })
        }
    }
}

/// Rows as what they are meant to be.
///
/// # Errors
/// `Ambiguous`, where a row is something else.
pub fn understood<T: FromRow>(rows: Vec<Row>) -> Result<Vec<T>, Problem> {
    let understood = rows.into_iter().map(|row| T::from_row_opt(row).map_err(|error| error.to_string()));
    understood
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::Ambiguous { detail: format!("the answer was not understood: {error}") })
}

/// A name between backticks.
pub fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text between single quotes. Backslashes escape in the sessions of this program.
pub fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
