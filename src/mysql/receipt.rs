//! A closed fence, tried: canaries knock at every declared endpoint, strangers' open writes are looked for, the log must rest.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{join, join_all};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::connect::{Address, connect_trusting};
use super::errors::classify;
use super::look::position;
use super::people::{connections, user_of, users};
use super::session::{Session, quoted_name};
use crate::clock::{Clock, elapsed};
use crate::credentials::find;
use crate::database::receipt::{Knock, KnockAnswer, REST, Receipt, Rest};
use crate::database::{AccountView, BinlogPosition, DatabaseView};
use crate::fault::Problem;
use crate::names::{Account, TableName};
use crate::spec::{Canary, CanaryEndpoint, DatabaseSpec};

/// A whole look at a database has five seconds; an endpoint that does not refuse in one has not refused.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// Tries what `view` shows closed, and adds the receipt to it. Where an application account is not shut there is nothing to try.
///
/// # Errors
/// What the server answered.
pub async fn add(session: &mut Session, clock: &Clock, declared: &DatabaseSpec, view: &mut DatabaseView) -> Result<(), Problem> {
    let shut = shut_accounts(view);
    if !declared.application_accounts.iter().all(|account| shut.contains(account)) {
        return Ok(());
    }
    let everybody_is_shut = view.accounts.len() == shut.len() && view.open_transactions == 0;
    let table = view.tables.iter().next();
    let waiting =
        async { if everybody_is_shut { rest_for(session, clock, view.position.clone()).await } else { Ok(Rest::NotAsked) } };
    let (knocks, rest) = join(knock_everywhere(declared, &shut, table), waiting).await;
    let rest = rest?;
    if let Rest::Moved { to } = &rest {
        view.position = Some(to.clone());
    }
    let tried: BTreeSet<&Account> = declared.canaries.iter().map(|canary| &canary.account).collect();
    let untried = shut.iter().filter(|account| !tried.contains(account)).cloned().collect();
    let undeclared_writers = undeclared_writers(session, declared).await?;
    view.receipt = Some(Receipt { knocks, untried, undeclared_writers, rest });
    Ok(())
}

fn shut_accounts(view: &DatabaseView) -> Vec<Account> {
    let is_shut = |look: &&AccountView| look.locked && look.connections == 0;
    view.accounts.iter().filter(is_shut).map(|look| look.account.clone()).collect()
}

/// After this controller's own write the log rests from its new end on.
///
/// # Errors
/// What the server answered.
pub async fn remember_the_end(session: &mut Session, clock: &Clock) -> Result<(), Problem> {
    if let Some(end) = position(session).await? {
        session.log_end_since(&end, clock.now());
    }
    Ok(())
}

/// What this session saw last is counted, so that the second look at a resting log need not wait. This controller's own
/// heartbeats and markers go through the same session, so that none of them can come between two readings of one look.
async fn rest_for(session: &mut Session, clock: &Clock, end: Option<BinlogPosition>) -> Result<Rest, Problem> {
    let Some(end) = end else { return Ok(Rest::NoBinlog) };
    let since = session.log_end_since(&end, clock.now());
    let rested = elapsed(since, clock.now());
    if rested < REST {
        clock.sleep(REST - rested).await;
    }
    match position(session).await? {
        Some(now) if now == end => {
            let milliseconds = u64::try_from(elapsed(since, clock.now()).as_millis()).unwrap_or(u64::MAX);
            Ok(Rest::Still { milliseconds })
        }
        Some(to) => Ok(Rest::Moved { to }),
        None => Ok(Rest::NoBinlog),
    }
}

/// Transactions of the declared accounts are counted by the look; these are everybody else's. The server renews its list of
/// transactions only where it was not asked for a tenth of a second: whose connection has gone is gone, and whoever began while
/// the fence closed shows in the next pass, as long as the position is not final; his commit moves the log.
async fn undeclared_writers(session: &mut Session, declared: &DatabaseSpec) -> Result<Vec<String>, Problem> {
    let declared = users(&declared.all_accounts());
    let open = "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx \
                WHERE trx_rows_modified > 0 AND trx_mysql_thread_id <> CONNECTION_ID()";
    let writing: Vec<u64> = session.rows(open, ()).await?;
    if writing.is_empty() {
        return Ok(Vec::new());
    }
    let everybody = connections(session).await?;
    let strangers = everybody.into_iter().filter(|one| writing.contains(&one.id) && !declared.contains(&one.user));
    let named: BTreeSet<String> = strangers.map(|one| format!("{} (connection {})", one.user, one.id)).collect();
    Ok(named.into_iter().collect())
}

async fn knock_everywhere(declared: &DatabaseSpec, shut: &[Account], table: Option<&TableName>) -> Vec<Knock> {
    let own = [CanaryEndpoint { host: declared.host.clone(), port: declared.port }];
    let canaries = declared.canaries.iter().filter(|canary| shut.contains(&canary.account));
    let places = canaries.flat_map(|canary| {
        let endpoints = if canary.endpoints.is_empty() { &own[..] } else { &canary.endpoints[..] };
        endpoints.iter().map(move |endpoint| (canary, endpoint))
    });
    join_all(places.map(|(canary, endpoint)| knock(declared, canary, endpoint, table))).await
}

async fn knock(declared: &DatabaseSpec, canary: &Canary, endpoint: &CanaryEndpoint, table: Option<&TableName>) -> Knock {
    let port = u16::try_from(endpoint.port).unwrap_or(0);
    let address = Address { host: endpoint.host.clone(), port, tls: declared.tls };
    let answer = match tokio::time::timeout(KNOCK_TIMEOUT, try_to_write(declared, canary, &address, table)).await {
        Ok(answer) => answer,
        Err(_) => KnockAnswer::Unanswered { why: format!("no answer within {} s", KNOCK_TIMEOUT.as_secs()) },
    };
    Knock { account: canary.account.clone(), endpoint: address.to_string(), answer }
}

async fn try_to_write(declared: &DatabaseSpec, canary: &Canary, address: &Address, table: Option<&TableName>) -> KnockAnswer {
    let credentials = match find(&canary.credentials_from) {
        Ok(credentials) => credentials,
        Err(error) => return KnockAnswer::Inconclusive { why: error.to_string() },
    };
    if credentials.user != user_of(&canary.account) {
        let why = "the credentials that it names are of another user; name this account's".to_owned();
        return KnockAnswer::Inconclusive { why };
    }
    let ca_file = declared.tls_ca_file.as_ref().map(PathBuf::from);
    match connect_trusting(address, &credentials, ca_file.as_deref()).await {
        Ok(connection) => write_nothing(connection, table).await,
        Err(fault) => refusal(&fault.problem),
    }
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
        Problem::Ambiguous { .. } | Problem::Throttled { .. } => KnockAnswer::Unanswered { why: problem.to_string() },
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
        let silence = Problem::Ambiguous { detail: "no answer".to_owned() };
        assert!(matches!(refusal(&silence), KnockAnswer::Unanswered { .. }));
    }
}
