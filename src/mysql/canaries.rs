//! Canaries: logins and writes as the application itself, which a closed fence must refuse at every declared endpoint.
//!
//! Before anything is fenced only their logins are tried. The lock is asked about after the password, so that a login says
//! whether a canary's credentials are right, whether or not its account is locked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::connect::{Address, connect_trusting};

use super::errors::classify;
use super::people::user_of;
use super::session::quoted_name;
use crate::clock::{Clock, elapsed};
use crate::credentials::{Credentials, find};
use crate::database::receipt::{Knock, KnockAnswer};
use crate::fault::{Fault, Problem};
use crate::names::{Account, TableName};
use crate::spec::{Canary, CanaryEndpoint, DatabaseSpec};

/// A whole look at a database has five seconds; an endpoint that does not refuse in one has not refused.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a password that was refused is not tried again, unless another one is found: servers count wrong passwords, and
/// shut out an account that has had too many.
const BEFORE_THE_SAME_PASSWORD: Duration = Duration::from_secs(3600);

/// Tries a login and a write, as each canary of the accounts that are shut.
pub async fn try_writes(declared: &DatabaseSpec, shut: &[Account], table: Option<&TableName>) -> Vec<Knock> {
    let doors = doors(declared, |canary| shut.contains(&canary.account));
    join_all(doors.iter().map(|door| knock(door, try_to_write(declared, door, table)))).await
}

/// Tries the login alone, as each canary. Writes nothing, and never holds a password against a server that has refused it.
pub async fn try_logins(declared: &DatabaseSpec, refused: &Refused, clock: &Clock) -> Vec<Knock> {
    let doors = doors(declared, |_| true);
    join_all(doors.iter().map(|door| knock(door, try_to_log_in(declared, door, refused, clock)))).await
}

/// One canary at one of its endpoints.
struct Door<'a> {
    canary: &'a Canary,
    address: Address,
}

/// Every endpoint of every canary that is wanted; where none is declared, the database's own.
fn doors(declared: &DatabaseSpec, wanted: impl Fn(&Canary) -> bool) -> Vec<Door<'_>> {
    let mut doors = Vec::new();
    for canary in declared.canaries.iter().filter(|canary| wanted(canary)) {
        let own = CanaryEndpoint { host: declared.host.clone(), port: declared.port };
        let endpoints = if canary.endpoints.is_empty() { vec![own] } else { canary.endpoints.clone() };
        doors.extend(endpoints.into_iter().map(|CanaryEndpoint { host, port }| {
            let port = u16::try_from(port).unwrap_or(0);
            Door { canary, address: Address { host, port, tls: declared.tls } }
        }));
    }
    doors
}

async fn knock(door: &Door<'_>, answer: impl Future<Output = KnockAnswer>) -> Knock {
    let answer = match tokio::time::timeout(KNOCK_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => KnockAnswer::Unanswered { why: format!("no answer within {} s", KNOCK_TIMEOUT.as_secs()) },
    };
    Knock { account: door.canary.account.clone(), endpoint: door.address.to_string(), answer }
}

async fn try_to_write(declared: &DatabaseSpec, door: &Door<'_>, table: Option<&TableName>) -> KnockAnswer {
    let credentials = match credentials_of(door.canary) {
        Ok(credentials) => credentials,
        Err(why) => return KnockAnswer::Inconclusive { why },
    };
    match login(declared, &credentials, &door.address).await {
        Ok(connection) => write_nothing(connection, table).await,
        Err(fault) => refusal(&fault.problem),
    }
}

async fn try_to_log_in(declared: &DatabaseSpec, door: &Door<'_>, refused: &Refused, clock: &Clock) -> KnockAnswer {
    let credentials = match credentials_of(door.canary) {
        Ok(credentials) => credentials,
        Err(why) => return KnockAnswer::Inconclusive { why },
    };
    let place = (door.canary.account.clone(), door.address.to_string());
    if let Some(answer) = refused.before(&place, &credentials, clock.now()) {
        return answer;
    }
    let answer = match login(declared, &credentials, &door.address).await {
        Ok(connection) => {
            // It was let in, and that is all there is to know.
            _ = connection.disconnect().await;
            KnockAnswer::LetIn
        }
        Err(fault) => refusal(&fault.problem),
    };
    refused.remember(place, credentials, &answer, clock.now());
    answer
}

/// Passwords that were refused.
#[derive(Debug, Default)]
pub struct Refused {
    known: Mutex<BTreeMap<Place, Refusal>>,
}

/// An account and an endpoint.
type Place = (Account, String);

/// What came of a password, and when.
#[derive(Debug)]
struct Refusal {
    credentials: Credentials,
    answer: KnockAnswer,
    at: Timestamp,
}

impl Refused {
    fn before(&self, place: &Place, credentials: &Credentials, now: Timestamp) -> Option<KnockAnswer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = known.get(place).filter(|refusal| refusal.credentials == *credentials)?;
        (elapsed(refusal.at, now) < BEFORE_THE_SAME_PASSWORD).then(|| refusal.answer.clone())
    }

    fn remember(&self, place: Place, credentials: Credentials, answer: &KnockAnswer, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(answer, KnockAnswer::Inconclusive { .. }) {
            known.insert(place, Refusal { credentials, answer: answer.clone(), at: now });
        } else {
            known.remove(&place);
        }
    }
}

/// The canary's own credentials, or why they are not there.
fn credentials_of(canary: &Canary) -> Result<Credentials, String> {
    let credentials = find(&canary.credentials_from).map_err(|error| error.to_string())?;
    if credentials.user != user_of(&canary.account) {
        return Err("the credentials that it names are of another user; name this account's".to_owned());
    }
    Ok(credentials)
}

async fn login(declared: &DatabaseSpec, credentials: &Credentials, address: &Address) -> Result<Conn, Fault> {
    let ca_file = declared.tls_ca_file.as_ref().map(PathBuf::from);
    connect_trusting(address, credentials, ca_file.as_deref()).await
}

/// A login may be let in by a proxy or by a read-only server that then refuses the write. Where the write is taken, it deletes
/// no row and is rolled back.
async fn write_nothing(mut connection: Conn, table: Option<&TableName>) -> KnockAnswer {
    let Some(TableName { schema, table }) = table else { return KnockAnswer::LetIn };
    let delete = format!("DELETE FROM {}.{} WHERE FALSE", quoted_name(schema), quoted_name(table));
    let outcome = async {
        connection.query_drop("START TRANSACTION").await?;
        connection.query_drop(delete).await?;
        connection.query_drop("ROLLBACK").await
    };
    let answer = match outcome.await {
        Ok(()) => KnockAnswer::LetIn,
        Err(error) => match refusal(&classify(&error)) {
            // Whoever holds a session and lacks one privilege may well have another.
            KnockAnswer::Inconclusive { .. } => KnockAnswer::LetIn,
            answer => answer,
        },
    };
    // Whatever state it is in, it is of no more use.
    _ = connection.disconnect().await;
    answer
}

/// The lock is asked about after the password: a wrong password is refused by an open fence as well.
fn refusal(problem: &Problem) -> KnockAnswer {
    match problem {
        Problem::Denied { code, .. } if code == "3118" || code == "4151" => KnockAnswer::Refused { code: code.clone() },
        Problem::WrongState { code, .. } if code == "1290" || code == "1792" || code == "1836" => {
            KnockAnswer::Refused { code: code.clone() }
        }
        Problem::Ambiguous { .. } | Problem::Unreachable { .. } | Problem::Throttled { .. } => {
            KnockAnswer::Unanswered { why: problem.to_string() }
        }
        other => KnockAnswer::Inconclusive { why: format!("an open fence would have refused it too: {other}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::errors::classify_number;

    #[test]
    fn only_the_lock_and_a_read_only_server_refuse_because_of_a_fence() {
        for number in [3118, 4151, 1290, 1792, 1836] {
            let answer = refusal(&classify_number(number, "no"));
            assert_eq!(answer, KnockAnswer::Refused { code: number.to_string() });
        }
    }

    #[test]
    fn a_wrong_password_proves_nothing_and_silence_is_no_refusal() {
        for number in [1045, 1698, 1044, 1049] {
            assert!(matches!(refusal(&classify_number(number, "no")), KnockAnswer::Inconclusive { .. }), "{number}");
        }
        assert!(matches!(refusal(&classify_number(1040, "full")), KnockAnswer::Unanswered { .. }));
        for silence in
            [Problem::Ambiguous { detail: "no answer".to_owned() }, Problem::Unreachable { why: "nobody listens".to_owned() }]
        {
            assert!(matches!(refusal(&silence), KnockAnswer::Unanswered { .. }));
        }
    }

    #[test]
    fn a_refused_password_is_not_tried_again_until_it_changes_or_an_hour_has_passed() {
        let refused = Refused::default();
        let place = || (Account::from("app@%"), "db:3306".to_owned());
        let password = |password: &str| Credentials { user: "app".to_owned(), password: password.to_owned() };
        let wrong = KnockAnswer::Inconclusive { why: "denied (1045)".to_owned() };
        let (now, later) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH + BEFORE_THE_SAME_PASSWORD);
        refused.remember(place(), password("old"), &wrong, now);
        assert_eq!(refused.before(&place(), &password("old"), now), Some(wrong));
        assert_eq!(refused.before(&place(), &password("new"), now), None);
        assert_eq!(refused.before(&(place().0, "proxy:3306".to_owned()), &password("old"), now), None);
        assert_eq!(refused.before(&place(), &password("old"), later), None);
        refused.remember(place(), password("old"), &KnockAnswer::LetIn, later);
        assert_eq!(refused.before(&place(), &password("old"), later), None, "it is right by now");
    }
}
