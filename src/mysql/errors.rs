//! What a server's refusals mean. Decided by error number, never by message text.

use mysql_async::{DriverError, Error, IoError};

use crate::fault::Problem;

/// MySQL's and MariaDB's errors by number. An error of the connection itself leaves a statement's fate unknown.
pub fn classify(error: &Error) -> Problem {
    match error {
        Error::Server(server) => classify_number(server.code, &server.message),
        Error::Io(IoError::Tls(tls)) => {
            let message =
                format!("TLS was not agreed ({tls}); check `tls` and `tlsCaFile` in the spec, and the server's certificate");
            Problem::Denied { code: "TLS".to_owned(), message }
        }
        Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            let message = "the server offers no TLS; give it a certificate, or write `tls: Disabled` in a lab".to_owned();
            Problem::Denied { code: "TLS".to_owned(), message }
        }
        other => Problem::Ambiguous { detail: other.to_string() },
    }
}

/// One number with its message, to which is added what a person can do.
pub fn classify_number(number: u16, message: &str) -> Problem {
    let code = number.to_string();
    let message = match advice(number) {
        Some(advice) => format!("{message}; {advice}"),
        None => message.to_owned(),
    };
    match number {
        // Access denied, to the server, a schema, a table, a column or a privilege; a locked account (3118, 4151).
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1698 | 3118 | 4151 => Problem::Denied { code, message },
        // Too many connections, of everybody or of this account.
        1040 | 1203 | 1226 => Problem::Throttled { code },
        // Lock wait time-out, deadlock, read-only in its three forms, disk or table full.
        1205 | 1213 | 1290 | 1792 | 1836 | 1021 | 1114 => Problem::WrongState { code, message },
        // Shutdown, interrupted or killed in mid-statement (1927, 1969 and 3024 are MariaDB's and MySQL's): it may have applied.
        1053 | 1317 | 1927 | 1969 | 3024 => Problem::Ambiguous { detail: format!("error {code}: {message}") },
        1049 | 1051 | 1146 => Problem::NotFound { code },
        _ => Problem::Invalid { code, message },
    }
}

/// What to do about an error that only a person can cure.
const fn advice(number: u16) -> Option<&'static str> {
    match number {
        1045 | 1698 => {
            Some("check the user and password that `credentialsFrom` names, and from which hosts the account may come")
        }
        1044 | 1142 | 1143 | 1227 | 1370 => Some("grant the controller's account what it lacks; a preflight names each GRANT"),
        3118 | 4151 => Some("unlock the account"),
        1290 | 1792 | 1836 => {
            Some("this is not a writer: name the writer's endpoint in the spec, or end the server's read-only mode")
        }
        1205 | 1213 => Some("another transaction holds the rows; it is tried again, and one that never ends must be killed"),
        1021 | 1114 => Some("free space on the server's disk"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Retry;

    #[test]
    fn a_statement_that_was_killed_may_have_applied() {
        for number in [1053, 1317, 1927] {
            assert!(matches!(classify_number(number, "killed"), Problem::Ambiguous { .. }), "{number}");
        }
    }

    #[test]
    fn a_wrong_password_needs_a_person_and_says_what_to_do() {
        let problem = classify_number(1045, "Access denied");
        assert_eq!(problem.retry(), Retry::NeedsOperator);
        assert!(problem.to_string().contains("credentialsFrom"), "{problem}");
    }

    #[test]
    fn a_read_only_server_is_no_missing_privilege() {
        for number in [1290, 1792, 1836] {
            assert!(matches!(classify_number(number, "read-only"), Problem::WrongState { .. }), "{number}");
        }
    }
}
