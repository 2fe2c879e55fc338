//! A closed fence, tried: canaries knock at every declared endpoint, strangers' open writes are looked for, the log must rest.

use std::collections::BTreeSet;

use futures_util::future::join;

use super::canaries::try_writes;
use super::look::position;
use super::people::{connections, users};
use super::session::Session;
use crate::clock::{Clock, elapsed};
use crate::database::receipt::{REST, Receipt, Rest};
use crate::database::{AccountView, BinlogPosition, DatabaseView};
use crate::fault::Problem;
use crate::names::Account;
use crate::spec::DatabaseSpec;

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
    let (knocks, rest) = join(try_writes(declared, &shut, table), waiting).await;
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
    let is_shut = |look: &&AccountView| look.lock.is_shut() && look.connections == 0;
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
