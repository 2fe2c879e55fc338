//! One connection to one server, with a session whose every setting that could change an answer is set.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

use super::errors::not_connected;
use super::tls;
use crate::credentials::Credentials;
use crate::fault::{Fault, Problem};
use crate::spec::Tls;

/// A server that accepts no connection in this time is down as far as a cutover is concerned. Shorter than a look at a database
/// may take (five seconds), so that the look can say what was in the way.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The session that everything is read and written in: times in UTC, text in utf8mb4, errors instead of silent truncation,
/// and each statement sees what is committed when it begins.
const SESSION: [&str; 4] = [
    "SET NAMES utf8mb4",
    "SET time_zone = '+00:00'",
    "SET sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How far TLS is demanded.
    pub tls: Tls,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Opens a connection and sets its session.
///
/// # Errors
/// A fault that says which server was not reached as whom, and why.
pub async fn connect(address: &Address, credentials: &Credentials) -> Result<Conn, Fault> {
    connect_trusting(address, credentials, None).await
}

/// The same, trusting the authorities in `ca_file` (PEM) instead of those that everybody knows.
///
/// # Errors
/// As [`connect`].
pub async fn connect_trusting(address: &Address, credentials: &Credentials, ca_file: Option<&Path>) -> Result<Conn, Fault> {
    let connection = match tokio::time::timeout(CONNECT_TIMEOUT, reach(address, credentials, ca_file)).await {
        Ok(outcome) => outcome,
        Err(_) => {
            let why = format!("no answer in {CONNECT_TIMEOUT:?}; check `host` and `port`, and the firewall between");
            Err(Problem::Unreachable { why })
        }
    };
    connection.map_err(|problem| Fault { attempted: format!("connect to {address} as {}", credentials.user), problem })
}

async fn reach(address: &Address, credentials: &Credentials, ca_file: Option<&Path>) -> Result<Conn, Problem> {
    let places = resolve(address).await?;
    let tls = tls::options(address.tls, ca_file).await?;
    let mut outcome = open(options(address, credentials, &places, tls.clone())).await;
    if address.tls == Tls::VerifyCa
        && let Err(error) = &outcome
        && let Some(name) = tls::name_of_its_own(error)
    {
        let tls = tls.map(|tls| tls.with_danger_tls_hostname_override(Some(name)));
        outcome = open(options(address, credentials, &places, tls)).await;
    }
    outcome.map_err(|error| not_connected(&error, address.tls))
}

async fn resolve(address: &Address) -> Result<Vec<IpAddr>, Problem> {
    let unknown = |why: &dyn fmt::Display| Problem::Unreachable {
        why: format!("{} has no address ({why}); correct `host`, or look at this machine's resolver", address.host),
    };
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await.map_err(|error| unknown(&error))?;
    let places: Vec<IpAddr> = found.map(|place| place.ip()).collect();
    if places.is_empty() { Err(unknown(&"an empty answer")) } else { Ok(places) }
}

async fn open(options: Opts) -> Result<Conn, mysql_async::Error> {
    let mut connection = Conn::new(options).await?;
    for statement in SESSION {
        connection.query_drop(statement).await?;
    }
    Ok(connection)
}

fn options(address: &Address, credentials: &Credentials, places: &[IpAddr], tls: Option<SslOpts>) -> Opts {
    OptsBuilder::default()
        .ip_or_hostname(&address.host)
        .resolved_ips(Some(places))
        .tcp_port(address.port)
        .user(Some(&credentials.user))
        .pass(Some(&credentials.password))
        .ssl_opts(tls)
        // A socket would go round TLS and round the host that the account is bound to.
        .prefer_socket(false)
        .into()
}
