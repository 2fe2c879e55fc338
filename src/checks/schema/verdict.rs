//! What a comparison comes to.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::difference::{Difference, Severity};
use crate::checks::outcome::{Code, Evidence, Outcome};
use crate::fault::{Fault, Problem};
use crate::names::Side;
use crate::spec::checks::IgnoredDifference;

/// So many differences are evidence; the rest is counted, and [`differences`](super::differences) has all.
const SHOWN: usize = 20;
/// So many names are in a sentence.
const NAMED: usize = 4;

/// What was found, the worst first.
pub(super) struct Found {
    differences: Vec<Difference>,
    /// How many more there are that the spec means.
    meant: usize,
}

impl Found {
    /// Without those that are meant.
    pub(super) fn among(all: Vec<Difference>, ignore: &[IgnoredDifference]) -> Self {
        let is_meant = |difference: &Difference| ignore.iter().any(|meant| meant.what == difference.what);
        let (meant, mut differences): (Vec<_>, Vec<_>) = all.into_iter().partition(is_meant);
        // Sorting is stable: among those that matter alike, the order of their cures stays.
        differences.sort_by_key(|difference| difference.severity);
        Self { differences, meant: meant.len() }
    }

    /// All of them, without those that are meant.
    pub(super) fn evidence(&self, at: Timestamp) -> impl Iterator<Item = Evidence> {
        self.differences.iter().take(SHOWN).map(move |difference| {
            let asked = format!("{} ({})", difference.what, difference.severity.word());
            let cure = difference.cure.iter().map(|cure| format!("; on the target: {cure}")).collect::<String>();
            Evidence::new(&asked, &format!("{}{cure}", difference.sentence), at, Duration::ZERO)
        })
    }

    /// Why no gate may open; `None` where nothing blocks.
    pub(super) fn blocking(&self) -> Option<String> {
        let blocking = self.differences.iter().filter(|difference| difference.severity == Severity::Blocks);
        let names: Vec<&str> = blocking.map(|difference| difference.what.as_str()).collect();
        let count = counted(names.len(), "place");
        (!names.is_empty()).then(|| format!("the structures differ in {count} that must not differ: {}", listed(&names)))
    }

    /// What there is to say where nothing blocks.
    pub(super) fn harmless(&self, tables: usize) -> String {
        let (tables, rest) = (counted(tables, "table"), counted(self.differences.len(), "difference"));
        format!("{tables} of legacy are on the target; {rest} to look at, and {} that the spec means", self.meant)
    }
}

/// Which migrations were run on one side only; `None` where there are none.
pub(super) fn unlike([legacy, target]: &[BTreeSet<String>; 2]) -> Option<String> {
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>, lacking: Side| {
        let names: Vec<&str> = these.difference(those).map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{lacking} has not run {}", listed(&names)))
    };
    let sentences: Vec<String> =
        [only(legacy, target, Side::Target), only(target, legacy, Side::Legacy)].into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| format!("of the application's migrations, {}", sentences.join(", and ")))
}

/// What could not be read whole was not compared, and proves nothing either way.
pub(super) fn unreadable(fault: &Fault, evidence: Vec<Evidence>) -> Outcome {
    let code = match &fault.problem {
        Problem::Denied { code, .. } if code == "CredentialsMissing" => Code::SecretNotFound,
        Problem::Denied { code, .. } if code == "TLS" => Code::TlsRefused,
        Problem::Denied { code, .. } if ["1045", "1698", "3118", "4151"].contains(&code.as_str()) => Code::CredentialsRefused,
        Problem::Unreachable { .. } => Code::Unreachable,
        Problem::Ambiguous { .. } | Problem::Throttled { .. } => Code::TimedOut,
        _ => Code::NotAsked,
    };
    Outcome::unknown(code, fault.to_string(), evidence)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(severities: &[Severity]) -> Found {
        let number = |(at, severity): (usize, &Severity)| Difference::new(*severity, format!("pay.t{at}"), "it differs");
        let meant = IgnoredDifference { what: "pay.t1".into(), why: "It is.".into() };
        Found::among(severities.iter().enumerate().map(number).collect(), &[meant])
    }

    #[test]
    fn the_worst_come_first_and_what_is_meant_is_counted_apart() {
        let some = found(&[Severity::Harmless, Severity::Blocks, Severity::Matters, Severity::Blocks]);
        let asked: Vec<String> = some.evidence(Timestamp::UNIX_EPOCH).map(|evidence| evidence.asked).collect();
        assert_eq!(asked, ["pay.t3 (blocks)", "pay.t2 (matters)", "pay.t0 (harmless)"]);
        assert_eq!(some.blocking().as_deref(), Some("the structures differ in 1 place that must not differ: pay.t3"));
        let good = found(&[Severity::Matters, Severity::Blocks]);
        assert_eq!(good.blocking(), None);
        let sentence = "7 tables of legacy are on the target; 1 difference to look at, and 1 that the spec means";
        assert_eq!(good.harmless(7), sentence);
    }

    #[test]
    fn a_thousand_differences_are_a_sentence_and_twenty_pieces_of_evidence() {
        let many = found(&[Severity::Blocks; 1000]);
        assert_eq!(many.evidence(Timestamp::UNIX_EPOCH).count(), SHOWN);
        assert!(many.blocking().is_some_and(|sentence| sentence.ends_with("pay.t0, pay.t2, pay.t3, pay.t4 and 995 more")));
    }

    #[test]
    fn nobody_s_refusal_is_a_difference() {
        let code = |problem| {
            let outcome = unreadable(&Fault { attempted: "read the structure".into(), problem }, Vec::new());
            assert_eq!(outcome.verdict, crate::checks::outcome::Verdict::Unknown);
            outcome.code
        };
        let denied = |code: &str| Problem::Denied { code: code.into(), message: "no".into() };
        assert_eq!(code(denied("CredentialsMissing")), Code::SecretNotFound);
        assert_eq!(code(denied("1045")), Code::CredentialsRefused);
        assert_eq!(code(denied("TLS")), Code::TlsRefused);
        assert_eq!(code(denied("PrivilegesMissing")), Code::NotAsked);
        assert_eq!(code(Problem::Ambiguous { detail: "silence".into() }), Code::TimedOut);
    }
}
