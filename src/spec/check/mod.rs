//! Rules that no single field can break: what is right by itself and wrong together.
//!
//! Every rule is a small pure function that looks at the whole migration and says what it finds; all of them always run.

mod approvals;
mod caches;
mod credentials;
mod databases;
mod dns;
mod hooks;
mod names;
mod pages;
mod requests;
mod resources;
mod rollback;
mod same_cluster;
mod schema;
mod timing;

use std::collections::BTreeSet;
use std::fmt::Display;

use super::Migration;
use super::code::Code;
use super::finding::Finding;

/// A rule adds what it finds.
type Rule = fn(&Migration, &mut Vec<Finding>);

/// Every finding that the rules have about `migration`, not yet placed in a file.
pub fn check(migration: &Migration) -> Vec<Finding> {
    let themes: [&[Rule]; 13] = [
        resources::RULES,
        dns::RULES,
        timing::RULES,
        same_cluster::RULES,
        databases::RULES,
        approvals::RULES,
        pages::RULES,
        requests::RULES,
        caches::RULES,
        names::RULES,
        schema::RULES,
        hooks::RULES,
        rollback::RULES,
    ];
    let mut findings = Vec::new();
    for rule in themes.into_iter().flatten() {
        rule(migration, &mut findings);
    }
    findings
}

/// The shorthand of all rules: a finding, if the condition holds.
fn when(holds: bool, finding: impl FnOnce() -> Finding) -> Option<Finding> {
    holds.then(finding)
}

/// Entries of the list at `path` that stand in it for a second time.
fn repeated<T: Ord + Display>(path: &str, entries: &[T], findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for (index, entry) in entries.iter().enumerate() {
        if !seen.insert(entry) {
            let found = format!("`{entry}` stands in this list twice");
            findings.push(Finding::new(
                Code::Twice,
                &format!("{path}[{index}]"),
                found,
                "each entry once",
                "remove one of the two",
            ));
        }
    }
}
