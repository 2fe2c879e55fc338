//! From a name to a connection.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use dns_lookup::{LookupError, LookupErrorKind, lookup_host};
use futures_util::future::{Either, select};
use tokio::net::TcpStream;

use super::obstacle::Obstacle;
use crate::checks::outcome::Code;
use crate::clock::Clock;

/// The most addresses of one name that are tried: large services answer with eight.
const ADDRESSES: usize = 16;

/// The addresses of a host, a name or an address itself, in the order that the system prefers.
///
/// The system's resolver cannot be interrupted: one that hangs keeps a thread until it gives up, long after the exchange did.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Obstacle> {
    let host = host.trim_matches(['[', ']']).to_owned();
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let asked = host.clone();
    let looking = tokio::task::spawn_blocking(move || lookup_host(&asked).map(|found| found.collect::<Vec<_>>()));
    let found = match looking.await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(unresolved(&host, &error)),
        Err(error) => return Err(Obstacle::new(Code::ResolverSilent, format!("looking up `{host}` broke off: {error}"))),
    };
    if found.is_empty() {
        return Err(no_such_name(&host));
    }
    Ok(found.into_iter().take(ADDRESSES).map(|address| SocketAddr::new(address, port)).collect())
}

/// Only some of the system's codes say that there is no such name; with the others it may well be there.
fn unresolved(host: &str, error: &LookupError) -> Obstacle {
    match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => no_such_name(host),
        _ => Obstacle::new(
            Code::ResolverSilent,
            format!("this machine's resolver has no answer for `{host}` ({error}); see whether it reaches its servers"),
        ),
    }
}

fn no_such_name(host: &str) -> Obstacle {
    let detail = format!("the name `{host}` does not resolve; check its spelling and its record");
    Obstacle::new(Code::NameNotFound, detail)
}

/// A connection to the first address that takes one. Each has an equal share of `limit`, so that a silent one leaves time for
/// the next.
pub async fn first(clock: &Clock, addresses: &[SocketAddr], limit: Duration) -> Result<(TcpStream, IpAddr), Obstacle> {
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failures = Vec::new();
    for address in addresses {
        let connecting = TcpStream::connect(*address);
        match select(pin!(connecting), pin!(clock.sleep(share))).await {
            Either::Left((Ok(stream), _)) => return Ok((stream, address.ip())),
            Either::Left((Err(error), _)) => failures.push(failure(*address, &error)),
            Either::Right(((), _)) => {
                failures.push(Obstacle::new(Code::TimedOut, format!("{address} does not answer; check the firewall between")));
            }
        }
    }
    Err(together(failures))
}

/// Why one address did not take a connection.
fn failure(address: SocketAddr, error: &io::Error) -> Obstacle {
    let (code, words) = match error.kind() {
        ErrorKind::ConnectionRefused => (Code::ConnectionRefused, "nobody listens there"),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => (Code::ConnectionLost, "the connection was cut at once"),
        ErrorKind::TimedOut => (Code::TimedOut, "it does not answer; check the firewall between"),
        _ => (Code::Unreachable, "there is no way there from this machine"),
    };
    Obstacle::new(code, format!("{address}: {words} ({error})"))
}

/// All failures as one. It is certain that nobody listens only if every address says so.
fn together(failures: Vec<Obstacle>) -> Obstacle {
    let uncertain = failures.iter().map(|failure| failure.code).find(|code| *code != Code::ConnectionRefused);
    let details: Vec<String> = failures.into_iter().map(|failure| failure.detail).collect();
    Obstacle::new(uncertain.unwrap_or(Code::ConnectionRefused), details.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(kind: ErrorKind) -> Obstacle {
        failure("192.0.2.1:443".parse().expect("an address"), &io::Error::from(kind))
    }

    #[test]
    fn refused_unreachable_cut_and_silent_are_told_apart() {
        let codes = [
            (ErrorKind::ConnectionRefused, Code::ConnectionRefused),
            (ErrorKind::ConnectionReset, Code::ConnectionLost),
            (ErrorKind::NetworkUnreachable, Code::Unreachable),
            (ErrorKind::HostUnreachable, Code::Unreachable),
            (ErrorKind::PermissionDenied, Code::Unreachable),
            (ErrorKind::TimedOut, Code::TimedOut),
        ];
        for (kind, code) in codes {
            assert_eq!(failed(kind).code, code, "{kind}");
        }
    }

    #[test]
    fn nobody_listens_only_if_every_address_says_so() {
        let refused = || failed(ErrorKind::ConnectionRefused);
        assert_eq!(together(vec![refused(), refused()]).code, Code::ConnectionRefused);
        let mixed = together(vec![refused(), failed(ErrorKind::NetworkUnreachable)]);
        assert_eq!(mixed.code, Code::Unreachable);
        assert!(mixed.detail.contains("nobody listens there") && mixed.detail.contains("no way there"), "{}", mixed.detail);
    }

    #[test]
    fn only_a_resolver_that_says_so_makes_a_name_absent() {
        let said = |number| unresolved("pay.example.com", &LookupError::new(number)).code;
        // EAI_NONAME, EAI_AGAIN and EAI_FAIL of this platform, found by what they mean.
        let meaning = |wanted: fn(LookupErrorKind) -> bool| {
            (-20..20).find(|number| wanted(LookupErrorKind::new(*number))).expect("this platform has it")
        };
        assert_eq!(said(meaning(|kind| matches!(kind, LookupErrorKind::NoName))), Code::NameNotFound);
        assert_eq!(said(meaning(|kind| matches!(kind, LookupErrorKind::Again))), Code::ResolverSilent);
        assert_eq!(said(meaning(|kind| matches!(kind, LookupErrorKind::Fail))), Code::ResolverSilent);
    }
}
