//! One connection to one server, with a session whose every setting that could change an answer is set.

use std::fmt;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

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

/// A user and the password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The account's user.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Opens a connection and sets its session.
///
/// # Errors
/// A fault that says which server was not reached as whom, and why.
pub async fn connect(address: &Address, credentials: &Credentials) -> Result<Conn, Fault> {
    let fault = |problem| Fault { attempted: format!("connect to {address} as {}", credentials.user), problem };
    let connecting = async {
        let mut connection = Conn::new(options(address, credentials)).await?;
        for statement in SESSION {
            connection.query_drop(statement).await?;
        }
        Ok::<_, mysql_async::Error>(connection)
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(fault(classify(&error))),
        Err(_) => Err(fault(Problem::Ambiguous { detail: format!("no answer in {CONNECT_TIMEOUT:?}") })),
    }
}

fn options(address: &Address, credentials: &Credentials) -> Opts {
    let tls = match address.tls {
        Tls::Disabled => None,
        Tls::Required => Some(SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)),
        Tls::VerifyCa => Some(SslOpts::default().with_danger_skip_domain_validation(true)),
        Tls::VerifyIdentity => Some(SslOpts::default()),
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

/// MySQL's errors by number, never by text. An error of the connection itself leaves a statement's fate unknown.
pub fn classify(error: &mysql_async::Error) -> Problem {
    match error {
        mysql_async::Error::Server(server) => {
            let (code, message) = (server.code.to_string(), server.message.clone());
            match server.code {
                // Access denied, to the server, a schema, a table, a column or a privilege; a locked account (3118, 4151).
                1044 | 1045 | 1142 | 1143 | 1227 | 1698 | 3118 | 4151 => Problem::Denied { code, message },
                // Lock wait time-out, deadlock, read-only, shutdown in progress, killed.
                1205 | 1213 | 1290 | 1792 | 1836 | 1053 | 1317 => Problem::WrongState { code, message },
                1049 | 1146 => Problem::NotFound { code },
                _ => Problem::Invalid { code, message },
            }
        }
        other => Problem::Ambiguous { detail: other.to_string() },
    }
}
