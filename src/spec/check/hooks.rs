//! Rules about hooks: where they are called, what may wait for them, and for how long.

use std::time::Duration;

use super::credentials::secret_finding;
use super::requests::{holds_a_secret, is_loopback};
use super::{Rule, repeated, when};
use crate::spec::checks::text::web_url;
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};
use crate::spec::period::spoken;
use crate::spec::{Demand, Hook, HookPoint, Migration};

pub(super) const RULES: &[Rule] =
    &[named_once, called_somewhere, waited_for_where_that_can_be, in_good_time, paid_for_by_customers, signed];

/// While customers wait, every action is given up after three seconds; a call has to end before, so that its answer is not lost.
const LONGEST_WHILE_CUSTOMERS_WAIT: Duration = Duration::from_secs(2);

/// Nothing is looked at while hooks are called; after ten seconds a person at a console would wonder.
const LONGEST: Duration = Duration::from_secs(10);

/// Every hook with its path.
fn hooks(migration: &Migration) -> impl Iterator<Item = (String, &Hook)> {
    migration.spec.hooks.iter().enumerate().map(|(index, hook)| (format!("spec.hooks[{index}]"), hook))
}

fn named_once(migration: &Migration, findings: &mut Vec<Finding>) {
    let names: Vec<_> = migration.spec.hooks.iter().map(|hook| &hook.name).collect();
    repeated("spec.hooks", &names, findings);
}

fn called_somewhere(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, hook) in hooks(migration) {
        findings.extend(url_finding(&format!("{path}.url"), &hook.url));
    }
}

fn url_finding(path: &str, text: &str) -> Option<Finding> {
    let accepted = "an `https://` URL without user, password or fragment, such as `https://ops.example.com/hooks/banner`";
    if holds_a_secret(text) {
        // It is not repeated, whatever else is wrong with it.
        let advice = "remove it, and change it: it has been written down. Calls are signed, and need no password";
        return Some(Finding::new(Code::LiteralSecret, path, "this URL holds a secret".to_owned(), accepted, advice));
    }
    let Some(url) = web_url(text).filter(|url| url.fragment().is_none()) else {
        let found = format!("{} cannot be called with POST", quoted(text));
        let advice = "write the whole URL, with its scheme and its host";
        return Some(Finding::new(Code::WrongHookUrl, path, found, accepted, advice));
    };
    when(url.scheme() == "http" && !is_loopback(&url), || {
        let found = format!("the call to {} is not encrypted", quoted(text));
        let advice = "use `https://`: a signature keeps a call from being changed, not from being read or held back";
        Finding::new(Code::PlainHook, path, found, "an `https://` URL, or a host of this machine", advice)
    })
}

/// Before the flip nothing can be given up any more, so nothing waits for a hook; and a question has a way back only before the
/// fence.
fn waited_for_where_that_can_be(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, hook) in hooks(migration) {
        let (found, accepted) = match (hook.demand, hook.at) {
            (Demand::Told, _) | (Demand::Confirmed, HookPoint::BeforeFence) => continue,
            (Demand::Confirmed, at) => (format!("a question at {at}"), "`Confirmed` at `BeforeFence` only"),
            (Demand::Required, HookPoint::BeforeFlip) => {
                ("customers cannot reach the target before the flip".to_owned(), "`Told` at `BeforeFlip`")
            }
            (Demand::Required, _) => continue,
        };
        let advice = "ask and demand at `BeforeFence`, where a no changes nothing";
        findings.push(Finding::new(Code::HookCannotHold, &format!("{path}.demand"), found, accepted, advice));
    }
}

fn in_good_time(migration: &Migration, findings: &mut Vec<Finding>) {
    let third_of_budget = migration.spec.cutover.write_pause_budget.duration() / 3;
    for (path, hook) in hooks(migration) {
        let (timeout, path) = (hook.timeout.duration(), format!("{path}.timeout"));
        let longest = if hook.at.customers_wait() { LONGEST_WHILE_CUSTOMERS_WAIT.min(third_of_budget) } else { LONGEST };
        let code = if hook.at.customers_wait() { Code::HookOutlivesPause } else { Code::HookTooSlow };
        findings.extend(when(timeout.is_zero(), || {
            let found = "no time at all".to_owned();
            Finding::new(Code::ZeroPeriod, &path, found, "a duration above zero", "write how long one call may take")
        }));
        findings.extend(when(timeout > longest, || {
            let found = format!("a call at {} may take `{}`", hook.at, hook.timeout);
            let accepted = format!("at most `{}`", spoken(longest));
            let advice = "lower it; who needs longer answers 202 at once and works on";
            Finding::new(code, &path, found, &accepted, advice)
        }));
    }
}

fn paid_for_by_customers(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, hook) in hooks(migration) {
        findings.extend(when((hook.at, hook.demand) == (HookPoint::AfterFence, Demand::Required), || {
            let found = format!("nobody can write until `{}` has taken the call", hook.name);
            let advice =
                "demand it at `BeforeFence` if that is early enough; past the budget of the pause the cutover is aborted";
            Finding::new(Code::HookInThePause, &format!("{path}.demand"), found, "`Told` at `AfterFence`", advice)
        }));
    }
}

/// The key is named and never written.
fn signed(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, hook) in hooks(migration) {
        secret_finding(&format!("{path}.secretFrom"), &hook.secret_from, findings);
    }
}
