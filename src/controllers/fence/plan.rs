//! What a look at a database proves about its fence, and which accounts to close or open next.

use std::fmt::Write;

use super::{FenceAction, FenceState, FenceTerms, Proof, Writes};
use crate::controllers::{Block, Steps, Wait};
use crate::database::receipt::{Knock, KnockAnswer};
use crate::database::{AccountLock, AccountView, DatabaseView};
use crate::names::Account;
use crate::sighting::Sighting;

/// What `view` proves about `accounts`. An account that the view does not know proves nothing either way.
pub fn judge(view: &DatabaseView, accounts: &[Account]) -> FenceState {
    if accounts.is_empty() {
        return FenceState::Between("no account was given, so nothing is proven".to_owned());
    }
    let looks: Vec<(&Account, Option<&AccountView>)> = accounts.iter().map(|account| (account, seen(view, account))).collect();
    let all = |holds: fn(&AccountView) -> bool| looks.iter().all(|(_, look)| look.is_some_and(holds));
    if all(is_shut) && view.open_transactions == 0 {
        match let_in(view, accounts) {
            Some(knock) => FenceState::Between(format!("{knock}, though its account is locked")),
            None => FenceState::Closed { position: view.position.clone() },
        }
    } else if all(|look| !look.lock.is_shut()) {
        FenceState::Open
    } else {
        FenceState::Between(describe(&looks, view.open_transactions))
    }
}

fn let_in<'a>(view: &'a DatabaseView, accounts: &'a [Account]) -> Option<&'a Knock> {
    view.receipt.as_ref()?.knocks_of(accounts).find(|knock| knock.answer == KnockAnswer::LetIn)
}

/// What a closed fence lacks of the proof that is asked for; `None` where it is whole.
///
/// A canary that proves nothing (a wrong password) does not count here, as one that was never declared does not.
pub fn shortfall(view: &DatabaseView, accounts: &[Account], asked: Proof) -> Option<String> {
    if asked == Proof::NobodyLetIn {
        return None;
    }
    let Some(receipt) = &view.receipt else { return Some("the closed fence was not tried in this look".to_owned()) };
    let unanswered = |knock: &&Knock| matches!(knock.answer, KnockAnswer::Unanswered { .. });
    if let Some(knock) = receipt.knocks_of(accounts).find(unanswered) {
        return Some(knock.to_string());
    }
    receipt.unrest().filter(|_| asked == Proof::AtRest)
}

/// The next steps towards `writes` at one side.
///
/// Nothing is closed or opened unseen. A declared account that the database does not know is reported, and does not keep the
/// others from being closed or opened: in an abort the payments must flow again.
pub fn plan(writes: Writes, terms: &FenceTerms) -> Steps<FenceAction> {
    if writes == Writes::NotYet {
        return Steps::settled();
    }
    let view = match terms.view {
        Sighting::Present(view) => view,
        Sighting::Absent => return unseen(terms, "it answered nothing"),
        Sighting::Unknown { why } => return unseen(terms, why),
    };
    let (application, validation) = (&terms.database.application_accounts, &terms.database.validation_accounts);
    match writes {
        Writes::NotYet => Steps::settled(),
        Writes::Open => open(terms, view, application),
        Writes::ValidationOnly => {
            shut(terms, view, application).and(open(terms, view, validation)).and(betrayed(terms, view, application))
        }
        Writes::Closed => {
            let all = terms.database.all_accounts();
            close(terms, view, &all).and(betrayed(terms, view, &all))
        }
    }
}

fn unseen(terms: &FenceTerms, why: &str) -> Steps<FenceAction> {
    Steps::wait(Wait::new("DatabaseUnknown", format!("the {} database could not be looked at: {why}", terms.side)))
}

/// Unlocks those of `accounts` that the fence has locked. Whom somebody else had locked is only told.
fn open(terms: &FenceTerms, view: &DatabaseView, accounts: &[Account]) -> Steps<FenceAction> {
    let ours = present(view, accounts, |look| look.lock == AccountLock::ByFence);
    act_on(ours, |accounts| FenceAction::Open { side: terms.side, accounts })
        .and(foreign(terms, view, accounts))
        .and(missing(terms, view, accounts))
}

/// Accounts of `accounts` that are locked, and that no opening of this fence will unlock.
pub fn locked_by_others(view: &DatabaseView, accounts: &[Account]) -> Vec<Account> {
    present(view, accounts, |look| look.lock == AccountLock::BySomebodyElse)
}

fn foreign(terms: &FenceTerms, view: &DatabaseView, accounts: &[Account]) -> Steps<FenceAction> {
    let foreign: Vec<String> = locked_by_others(view, accounts).iter().map(ToString::to_string).collect();
    if foreign.is_empty() {
        return Steps::settled();
    }
    let message = format!(
        "{} was locked on the {} database before the fence closed, and stays so: ALTER USER ... ACCOUNT UNLOCK, if it is to write",
        foreign.join(", "),
        terms.side
    );
    Steps::block(Block::new("LockedBySomebodyElse", message))
}

/// Locks and disconnects those of `accounts` that can still write.
fn shut(terms: &FenceTerms, view: &DatabaseView, accounts: &[Account]) -> Steps<FenceAction> {
    let writing = present(view, accounts, |look| !is_shut(look));
    act_on(writing, |accounts| FenceAction::Close { side: terms.side, accounts }).and(missing(terms, view, accounts))
}

/// The whole fence: all accounts shut, and no transaction left behind that could still commit.
fn close(terms: &FenceTerms, view: &DatabaseView, accounts: &[Account]) -> Steps<FenceAction> {
    let steps = shut(terms, view, accounts);
    if view.open_transactions == 0 || !steps.actions.is_empty() {
        return steps;
    }
    // Everybody is locked out, yet something may commit: closing again kills what can be killed; a prepared XA transaction
    // needs a person, and the pause's budget sees to the rest.
    let message = format!("{} transactions are still open at {}", view.open_transactions, terms.side);
    let again = present(view, accounts, |_| true);
    act_on(again, |accounts| FenceAction::Close { side: terms.side, accounts })
        .and(Steps::wait(Wait::new("OpenTransactions", message)))
        .and(steps)
}

/// An endpoint that lets a locked account in is another server than the one that was fenced: closing again would not help.
fn betrayed(terms: &FenceTerms, view: &DatabaseView, accounts: &[Account]) -> Steps<FenceAction> {
    match let_in(view, accounts) {
        None => Steps::settled(),
        Some(knock) => {
            let message = format!(
                "{knock}, though its account is locked on the {} database: that endpoint leads elsewhere; cut it off or correct `canaries`",
                terms.side
            );
            Steps::block(Block::new("CanaryLetIn", message))
        }
    }
}

fn missing(terms: &FenceTerms, view: &DatabaseView, accounts: &[Account]) -> Steps<FenceAction> {
    let missing: Vec<&str> = accounts.iter().filter(|account| seen(view, account).is_none()).map(Account::as_str).collect();
    if missing.is_empty() {
        return Steps::settled();
    }
    let message = format!(
        "the {} database does not know the declared accounts {}; create them there or correct the spec",
        terms.side,
        missing.join(", ")
    );
    Steps::block(Block::new("AccountsMissing", message))
}

fn act_on(accounts: Vec<Account>, action: impl FnOnce(Vec<Account>) -> FenceAction) -> Steps<FenceAction> {
    if accounts.is_empty() { Steps::settled() } else { Steps::act(action(accounts)) }
}

fn present(view: &DatabaseView, accounts: &[Account], holds: fn(&AccountView) -> bool) -> Vec<Account> {
    accounts.iter().filter(|account| seen(view, account).is_some_and(holds)).cloned().collect()
}

fn seen<'a>(view: &'a DatabaseView, account: &Account) -> Option<&'a AccountView> {
    view.accounts.iter().find(|look| look.account == *account)
}

const fn is_shut(look: &AccountView) -> bool {
    look.lock.is_shut() && look.connections == 0
}

fn describe(looks: &[(&Account, Option<&AccountView>)], open_transactions: u32) -> String {
    let mut text = String::new();
    for (account, look) in looks {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match look {
            None => write!(text, "{separator}{account} unknown"),
            Some(look) if look.lock.is_shut() && look.connections > 0 => {
                write!(text, "{separator}{account} locked with {} connections", look.connections)
            }
            Some(AccountView { lock: AccountLock::Open, .. }) => write!(text, "{separator}{account} open"),
            Some(AccountView { lock: AccountLock::ByFence, .. }) => write!(text, "{separator}{account} closed"),
            Some(AccountView { lock: AccountLock::BySomebodyElse, .. }) => {
                write!(text, "{separator}{account} locked by somebody else")
            }
        };
    }
    if open_transactions > 0 {
        let _ = write!(text, "; {open_transactions} transactions open");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use jiff::Timestamp;

    use super::*;
    use crate::controllers::fixture::migration;
    use crate::database::receipt::Rest;
    use crate::database::{BinlogPosition, BinlogView, Epoch, LogForm, Receipt};
    use crate::names::Side;

    use AccountLock::{ByFence, BySomebodyElse, Open};

    type Look = (&'static str, AccountLock, u32);

    const OPEN: [Look; 3] = [("app@%", Open, 4), ("jobs@%", Open, 0), ("validation@%", Open, 0)];
    const SHUT: [Look; 3] = [("app@%", ByFence, 0), ("jobs@%", ByFence, 0), ("validation@%", ByFence, 0)];
    const VALIDATION: [Look; 3] = [("app@%", ByFence, 0), ("jobs@%", ByFence, 0), ("validation@%", Open, 1)];

    fn position() -> Option<BinlogPosition> {
        Some(BinlogPosition { file: "mysql-bin-changelog.000007".to_owned(), offset: 154 })
    }

    fn view(looks: &[Look], open_transactions: u32) -> DatabaseView {
        let account = |&(name, lock, connections): &Look| AccountView {
            account: name.into(),
            lock,
            foreign_locks: Vec::new(),
            connections,
        };
        let text = str::to_owned;
        DatabaseView {
            at: Timestamp::UNIX_EPOCH,
            accounts: looks.iter().map(account).collect(),
            open_transactions,
            position: position(),
            binlog: BinlogView {
                enabled: true,
                format: text("ROW"),
                row_image: text("FULL"),
                checksum: text("NONE"),
                form: LogForm::Plain,
                retention_hours: None,
                oldest: None,
            },
            epoch: Epoch(1),
            tables: BTreeSet::new(),
            markers: BTreeSet::new(),
            heartbeats: BTreeMap::new(),
            receipt: None,
        }
    }

    fn tried(answer: KnockAnswer, rest: Rest) -> DatabaseView {
        let knock = Knock { account: "app@%".into(), endpoint: "proxy:3306".to_owned(), answer };
        let receipt = Receipt { knocks: vec![knock], untried: Vec::new(), undeclared_writers: Vec::new(), rest };
        DatabaseView { receipt: Some(receipt), ..view(&SHUT, 0) }
    }

    fn planned(writes: Writes, sighting: &Sighting<DatabaseView>) -> Steps<FenceAction> {
        let migration = migration();
        plan(writes, &FenceTerms { side: Side::Target, database: migration.database(Side::Target), view: sighting })
    }

    fn steps(writes: Writes, looks: &[Look], open_transactions: u32) -> Steps<FenceAction> {
        planned(writes, &Sighting::Present(view(looks, open_transactions)))
    }

    fn close(accounts: &[&str]) -> FenceAction {
        FenceAction::Close { side: Side::Target, accounts: accounts.iter().map(|name| Account::from(*name)).collect() }
    }

    fn open(accounts: &[&str]) -> FenceAction {
        FenceAction::Open { side: Side::Target, accounts: accounts.iter().map(|name| Account::from(*name)).collect() }
    }

    #[test]
    fn a_fence_is_closed_only_without_connections_and_transactions() {
        let all = migration().database(Side::Target).all_accounts();
        assert_eq!(judge(&view(&SHUT, 0), &all), FenceState::Closed { position: position() });
        assert_eq!(judge(&view(&OPEN, 0), &all), FenceState::Open);
        assert!(matches!(judge(&view(&SHUT, 1), &all), FenceState::Between(_)));
        let connected = [("app@%", ByFence, 1), SHUT[1], SHUT[2]];
        assert!(matches!(judge(&view(&connected, 0), &all), FenceState::Between(_)));
        assert!(matches!(judge(&view(&VALIDATION, 0), &all), FenceState::Between(_)));
    }

    #[test]
    fn an_account_that_the_database_does_not_know_proves_nothing() {
        let all = migration().database(Side::Target).all_accounts();
        let FenceState::Between(why) = judge(&view(&SHUT[..2], 0), &all) else { panic!("a missing account proved a fence") };
        assert!(why.contains("validation@% unknown"), "{why}");
        assert!(!matches!(judge(&view(&OPEN[..2], 0), &all), FenceState::Open));
        assert!(matches!(judge(&view(&SHUT, 0), &[]), FenceState::Between(_)), "nobody asked about is nothing proven");
    }

    #[test]
    fn whom_somebody_else_had_locked_is_shut_out_all_the_same_and_never_opened() {
        let before = [("app@%", BySomebodyElse, 0), SHUT[1], SHUT[2]];
        let all = migration().database(Side::Target).all_accounts();
        assert!(matches!(judge(&view(&before, 0), &all), FenceState::Closed { .. }), "nobody can write");
        assert!(steps(Writes::Closed, &before, 0).is_settled(), "there is nothing to lock");
        let opened = steps(Writes::Open, &before, 0);
        assert_eq!(opened.actions, [open(&["jobs@%"])], "only what the fence had closed");
        assert_eq!(opened.blocked[0].reason.0, "LockedBySomebodyElse");
        assert!(opened.blocked[0].message.contains("app@% was locked on the target database before"), "{opened:?}");
        assert!(!matches!(judge(&view(&[before[0], OPEN[1], OPEN[2]], 0), &all), FenceState::Open));
    }

    #[test]
    fn a_canary_that_is_let_in_disproves_the_fence_and_needs_a_person() {
        let all = migration().database(Side::Target).all_accounts();
        let view = tried(KnockAnswer::LetIn, Rest::Still { milliseconds: 30 });
        let FenceState::Between(why) = judge(&view, &all) else { panic!("whoever comes that way can write") };
        assert!(why.contains("app@% was let in at proxy:3306"), "{why}");
        let steps = planned(Writes::Closed, &Sighting::Present(view));
        assert_eq!((steps.actions.len(), steps.blocked[0].reason.0.as_str()), (0, "CanaryLetIn"));
    }

    #[test]
    fn a_time_out_is_no_refusal_and_a_moving_log_no_rest() {
        let all = migration().database(Side::Target).all_accounts();
        let refused = || KnockAnswer::Refused { code: "3118".to_owned() };
        let still = || Rest::Still { milliseconds: 30 };
        let silent = tried(KnockAnswer::Unanswered { why: "no answer within 1 s".to_owned() }, still());
        assert!(shortfall(&silent, &all, Proof::Answered).is_some_and(|why| why.contains("no refusal")));
        assert_eq!(shortfall(&silent, &all, Proof::NobodyLetIn), None, "proven in full before, it holds nothing up");
        let moving = tried(refused(), Rest::Moved { to: position().expect("a position") });
        assert_eq!(shortfall(&moving, &all, Proof::Answered), None, "rows may still arrive by replication");
        assert!(shortfall(&moving, &all, Proof::AtRest).is_some());
        assert_eq!(shortfall(&tried(refused(), still()), &all, Proof::AtRest), None);
        assert!(shortfall(&view(&SHUT, 0), &all, Proof::AtRest).is_some(), "what was not tried is not proven");
    }

    #[test]
    fn as_wished_is_settled() {
        assert!(steps(Writes::Open, &OPEN, 2).is_settled());
        assert!(steps(Writes::ValidationOnly, &VALIDATION, 1).is_settled());
        assert!(steps(Writes::Closed, &SHUT, 0).is_settled());
        assert!(steps(Writes::NotYet, &[], 0).is_settled());
    }

    #[test]
    fn nothing_is_closed_or_opened_unseen() {
        for writes in [Writes::Open, Writes::ValidationOnly, Writes::Closed] {
            let steps = planned(writes, &Sighting::unknown("connection refused"));
            assert!(steps.actions.is_empty() && !steps.waiting.is_empty(), "{writes:?}: {steps:?}");
        }
    }

    #[test]
    fn each_wish_closes_and_opens_exactly_its_accounts() {
        let all = ["app@%", "jobs@%", "validation@%"];
        let table = [
            (Writes::Open, SHUT, vec![open(&all[..2])]),
            (Writes::Open, VALIDATION, vec![open(&all[..2])]),
            (Writes::Closed, OPEN, vec![close(&all)]),
            (Writes::Closed, VALIDATION, vec![close(&all[2..])]),
            (Writes::ValidationOnly, OPEN, vec![close(&all[..2])]),
            (Writes::ValidationOnly, SHUT, vec![open(&all[2..])]),
        ];
        for (writes, looks, expected) in table {
            assert_eq!(steps(writes, &looks, 0).actions, expected, "{writes:?} from {looks:?}");
        }
    }

    #[test]
    fn a_transaction_left_behind_keeps_the_fence_unproven_and_is_killed_again() {
        let steps = steps(Writes::Closed, &SHUT, 1);
        assert_eq!(steps.actions, vec![close(&["app@%", "jobs@%", "validation@%"])]);
        assert!(!steps.waiting.is_empty());
    }

    #[test]
    fn a_missing_account_is_reported_and_does_not_keep_the_others_shut() {
        let steps = steps(Writes::Open, &SHUT[..1], 0);
        assert_eq!(steps.actions, vec![open(&["app@%"])]);
        assert!(steps.blocked[0].message.contains("jobs@%"));
    }
}
