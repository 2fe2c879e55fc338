//! What keeps a mover from moving, and whether waiting helps. Decided by error number, never by message text.

use mysql_async::Error;

use crate::fault::{Fault, Problem};
use crate::names::TableName;

/// What keeps a mover from moving.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A server cannot be used now.
    #[error("{0}")]
    Passing(String),
    /// A row does not fit.
    #[error("{table}: {why}")]
    Row {
        /// Where.
        table: TableName,
        /// The number of the change in its transaction.
        number: usize,
        /// What the server said.
        why: String,
    },
    /// Nothing will help.
    #[error("{0}")]
    Final(String),
}

/// What a refusal means to whoever moves rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The server, or this moment: the same again may succeed, so that it is tried for ever.
    Moment,
    /// The row, or its table: the same again never succeeds, another row may.
    Row,
    /// The log or the statement: nothing of the task can go on.
    Task,
}

impl Refusal {
    /// Exhaustive on purpose: a connection that broke says nothing about its statement.
    pub const fn of(error: &Error) -> Self {
        match error {
            Error::Server(server) => Self::of_number(server.code),
            Error::Io(_) | Error::Driver(_) | Error::Other(_) => Self::Moment,
            Error::Url(_) => Self::Task,
        }
    }

    /// By the server's number. What never passes is the closed list; a number that nobody thought of is tried again, as DMS
    /// does: a task that gives up needs a person, one that tries in vain shows as lag.
    pub const fn of_number(number: u16) -> Self {
        match number {
            // Duplicate keys in four forms; NULL or nothing where a value must be; a parent or child that is missing.
            1022 | 1062 | 1169 | 1586 | 1048 | 1364 | 1216 | 1217 | 1451 | 1452 => Self::Row,
            // Values that do not fit: range, truncation, text, length, JSON, checks, partitions; refused by a trigger.
            1264 | 1265 | 1292 | 1366 | 1367 | 1406 | 1690 | 3140 | 3819 | 4025 | 1526 | 1748 | 1644 | 1153 => Self::Row,
            // The table is not there, or has other columns.
            1051 | 1146 | 1054 | 1136 => Self::Row,
            // The log is purged, unknown, or was never written.
            1236 | 1373 | 1381 | 1598 => Self::Task,
            // The statement is not understood, or its database does not exist.
            1064 | 1149 | 1235 | 1049 => Self::Task,
            _ => Self::Moment,
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match Refusal::of(&error) {
            Refusal::Moment => Self::Passing(error.to_string()),
            Refusal::Row | Refusal::Task => Self::Final(error.to_string()),
        }
    }
}

/// A connection was not had: every problem passes but those that the server itself calls final.
impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match &fault.problem {
            Problem::Throttled { .. }
            | Problem::Ambiguous { .. }
            | Problem::Unreachable { .. }
            | Problem::WrongState { .. }
            | Problem::AlreadyExists { .. }
            | Problem::Denied { .. }
            | Problem::Conflict { .. }
            | Problem::Quota { .. }
            | Problem::Superseded { .. } => Self::Passing(fault.to_string()),
            Problem::NotFound { code } | Problem::Invalid { code, .. } => match code.parse().map(Refusal::of_number) {
                Ok(Refusal::Moment) => Self::Passing(fault.to_string()),
                Ok(Refusal::Row | Refusal::Task) | Err(_) => Self::Final(fault.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16) -> Error {
        Error::Server(mysql_async::ServerError { code, message: "said so".to_owned(), state: "HY000".to_owned() })
    }

    #[test]
    fn a_server_that_is_full_dying_or_busy_is_tried_again_and_so_is_what_nobody_thought_of() {
        // Too many connections in three forms; shut down, killed, blocked host; deadlock and lock wait; network; unknown.
        for number in [1040, 1203, 1226, 1053, 1317, 1927, 1129, 1205, 1213, 1158, 1159, 1161, 1180, 1184, 4031, 65_000] {
            assert!(matches!(Trouble::from(server(number)), Trouble::Passing(_)), "{number}");
            let problem = crate::mysql::errors::classify_number(number, "said so");
            let fault = Fault { attempted: "connect".to_owned(), problem };
            assert!(matches!(Trouble::from(fault), Trouble::Passing(_)), "{number} while connecting");
        }
    }

    #[test]
    fn a_duplicate_key_is_its_rows_trouble_and_never_a_reason_to_try_the_same_again() {
        for number in [1062, 1048, 1406, 1452, 1146] {
            assert_eq!(Refusal::of_number(number), Refusal::Row, "{number}");
        }
    }

    #[test]
    fn a_purged_log_ends_the_task() {
        assert!(matches!(Trouble::from(server(1236)), Trouble::Final(_)));
    }
}
