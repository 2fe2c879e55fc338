//! One connection to one server, with a session whose every setting that could change an answer is set.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

pub use super::errors::classify;
use crate::credentials::Credentials;
use crate::fault::{Fault, Problem};
use crate::spec::Tls;

/// A server that accepts no connection in this time is down as far as a cutover is concerned.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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

/// The same, trusting the authorities in `ca_file` (PEM) instead of those that the platform knows.
///
/// # Errors
/// As [`connect`].
pub async fn connect_trusting(address: &Address, credentials: &Credentials, ca_file: Option<&Path>) -> Result<Conn, Fault> {
    let fault = |problem| Fault { attempted: format!("connect to {address} as {}", credentials.user), problem };
    let connecting = async {
        let mut connection = Conn::new(options(address, credentials, ca_file)).await?;
        for statement in SESSION {
            connection.query_drop(statement).await?;
        }
        Ok::<_, mysql_async::Error>(connection)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(fault(classify(&error))),
        Err(_) => {
            let detail = format!("no answer in {CONNECT_TIMEOUT:?}; check host, port and the firewall between");
            Err(fault(Problem::Ambiguous { detail }))
        }
    }
}

fn options(address: &Address, credentials: &Credentials, ca_file: Option<&Path>) -> Opts {
    let roots: Vec<_> = ca_file.map(|path| PathBuf::from(path).into()).into_iter().collect();
    let trusting = SslOpts::default().with_disable_built_in_roots(!roots.is_empty()).with_root_certs(roots);
    let tls = match address.tls {
        Tls::Disabled => None,
        Tls::Required => Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)),
        Tls::VerifyCa => Some(trusting.with_danger_skip_domain_validation(true)),
        Tls::VerifyIdentity => Some(trusting),
    };
    OptsBuilder::default()
        .ip_or_hostname(&address.host)
        .tcp_port(address.port)
        .user(Some(&credentials.user))
        .pass(Some(&credentials.password))
        .ssl_opts(tls)
        // A socket would go round TLS and round the host that the account is bound to.
        .prefer_socket(false)
        .into()
}
