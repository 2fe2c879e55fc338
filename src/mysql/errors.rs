//! What a server's refusals mean. Decided by error number, never by message text.

use std::io::ErrorKind;

use mysql_async::{DriverError, Error, IoError};

use super::tls;
use crate::fault::Problem;
use crate::spec::Tls;

/// MySQL's and MariaDB's errors by number. An error of the connection itself leaves a statement's fate unknown.
pub fn classify(error: &Error) -> Problem {
    match error {
        Error::Server(server) => classify_number(server.code, &server.message),
        other => Problem::Ambiguous { detail: other.to_string() },
    }
}

/// Why there is no connection. Whatever it is, nothing was asked of the server yet, so that nothing can have been applied.
pub fn not_connected(error: &Error, tls: Tls) -> Problem {
    if let Some(problem) = tls::not_agreed(error) {
        return problem;
    }
    match (error, classify(error)) {
        (Error::Io(IoError::Io(io)), _) => Problem::Unreachable { why: format!("{io}; {}", way_there(io.kind())) },
        (Error::Driver(DriverError::ConnectionClosed), _) => Problem::Unreachable { why: format!("{error}; {HUNG_UP}") },
        (Error::Server(_), Problem::Ambiguous { detail }) => Problem::Unreachable { why: format!("{detail}; {HUNG_UP}") },
        // What MariaDB says where plain text is not taken is what it says of a wrong password.
        (Error::Server(_), Problem::Denied { code, message }) if code == "1045" && tls == Tls::Disabled => {
            Problem::Denied { code, message: format!("{message}; or it demands TLS, which `tls: Disabled` does not offer") }
        }
        (Error::Server(_), problem) => problem,
        (other, _) => Problem::Unreachable { why: format!("{other}; check that a MySQL server listens there, and not another") },
    }
}

/// It took the connection and let go of it.
const HUNG_UP: &str = "look at the server's log, and at a proxy or load balancer before it: it may be starting or shutting down";

/// Where to look, by what the operating system says.
const fn way_there(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ConnectionRefused => "nobody listens there: start the server, or correct `host` and `port`",
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown | ErrorKind::AddrNotAvailable => {
            "no route leads there: check the network between (routes, peering, security groups), and `host`"
        }
        ErrorKind::TimedOut => "check `host` and `port`, and the firewall between",
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => HUNG_UP,
        _ => "check `host` and `port`",
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
        // Access denied, to the server, a schema, a table, a column or a privilege; a locked account (3118, 4151); plain text
        // where TLS is demanded (3159); a host from which nobody may come (1130).
        1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1370 | 1698 | 3118 | 3159 | 4151 => Problem::Denied { code, message },
        // Too many connections, of everybody or of this account.
        1040 | 1203 | 1226 => Problem::Throttled { code },
        // Lock wait time-out, deadlock, read-only in its three forms; disk or table full, which for what is made anew is called
        // 1005 and 1006.
        1205 | 1213 | 1290 | 1792 | 1836 | 1005 | 1006 | 1021 | 1114 => Problem::WrongState { code, message },
        // Shutdown, interrupted or killed in mid-statement (1927, 1969 and 3024 are MariaDB's and MySQL's): it may have applied.
        1053 | 1317 | 1927 | 1969 | 3024 => Problem::Ambiguous { detail: format!("error {code}: {message}") },
        1049 | 1051 | 1146 => Problem::NotFound { code },
        _ => Problem::Invalid { code, message },
    }
}

/// What to do about an error that only a person can cure.
const fn advice(number: u16) -> Option<&'static str> {
    match number {
        1045 | 1130 | 1698 => {
            Some("check the user and password that `credentialsFrom` names, and from which hosts the account may come")
        }
        1044 | 1142 | 1143 | 1227 | 1370 => Some("grant the controller's account what it lacks; a preflight names each GRANT"),
        3118 | 4151 => Some("unlock the account"),
        1290 | 1792 | 1836 => {
            Some("this is not a writer: name the writer's endpoint in the spec, or end the server's read-only mode")
        }
        1205 | 1213 => Some("another transaction holds the rows; it is tried again, and one that never ends must be killed"),
        1021 | 1114 => {
            Some("the server's disk or tablespace is full, and nothing is written until there is room: free or add some there")
        }
        1005 | 1006 => Some("look at the server's log for why; a full disk or tablespace is one reason: free or add room there"),
        3159 => Some("the server takes no plain text: write `tls: Required` or more in place of `Disabled`"),
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
    fn whoever_is_not_reached_has_changed_nothing_and_is_told_where_to_look() {
        let refused = |kind: ErrorKind| not_connected(&Error::Io(IoError::Io(kind.into())), Tls::VerifyIdentity);
        let table = [
            (ErrorKind::ConnectionRefused, "nobody listens there: start the server"),
            (ErrorKind::HostUnreachable, "no route leads there"),
            (ErrorKind::NetworkUnreachable, "no route leads there"),
            (ErrorKind::TimedOut, "the firewall between"),
            (ErrorKind::ConnectionReset, "look at the server's log"),
        ];
        for (kind, advice) in table {
            let told = refused(kind).to_string();
            assert!(told.contains(advice) && !told.contains("may have been applied"), "{told}");
            assert_eq!(refused(kind).retry(), Retry::Soon, "a server that restarts is back soon");
        }
    }

    #[test]
    fn a_server_that_answers_a_connect_with_a_number_is_understood_by_it() {
        let answered = |code| {
            let error = mysql_async::ServerError { code, message: "no".into(), state: "HY000".into() };
            not_connected(&Error::Server(error), Tls::Required)
        };
        assert!(matches!(answered(1045), Problem::Denied { .. }));
        assert!(matches!(answered(1040), Problem::Throttled { .. }));
        assert!(matches!(answered(1053), Problem::Unreachable { .. }), "a shutdown under way has taken nothing");
    }

    #[test]
    fn a_full_disk_is_a_state_that_somebody_has_to_end() {
        for number in [1005, 1021, 1114] {
            let problem = classify_number(number, "full");
            assert!(matches!(&problem, Problem::WrongState { .. }) && problem.to_string().contains("free or add"), "{problem}");
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
