//! Where the declared keys lie, and what that means for what was declared.

use std::collections::BTreeSet;

use crate::checks::outcome::Code;
use crate::keyspace::{Operation, Placement, PrefixTag, prefix_tag};
use crate::spec::checks::CacheCheck;

use super::report::Report;

/// The declared operations, as far as they can be read; the spec has no others.
pub(super) fn operations(check: &CacheCheck, report: &mut Report) -> Vec<Operation> {
    let mut operations = Vec::new();
    for declared in &check.operations {
        match Operation::read(&declared.name, &check.prefix, &declared.keys) {
            Ok(operation) => operations.push(operation),
            Err(error) => report.unclear(Code::NotAsked, format!("a key of `{}` cannot be read: {error}", declared.name)),
        }
    }
    operations
}

/// Judges every operation. `refused` are those that the cluster itself refused with `CROSSSLOT`.
pub(super) fn judge(check: &CacheCheck, operations: &[Operation], refused: &BTreeSet<String>, report: &mut Report) {
    let mut together = 0_usize;
    for operation in operations {
        let name = operation.name();
        match (operation.placement(), refused.contains(name)) {
            (Placement::Apart(cure), true) => {
                report.fail(Code::CrossSlot, format!("the cluster refuses `{name}` (CROSSSLOT): {cure}"));
            }
            (Placement::Apart(cure), false) => {
                report.fail(Code::CrossSlot, format!("the keys of `{name}` lie in different slots (CROSSSLOT): {cure}"));
            }
            (Placement::Together | Placement::ByChance(_), true) => {
                let message = "though its keys should share one; see whether a proxy rewrites them";
                report.fail(Code::CrossSlot, format!("the cluster finds `{name}` in different slots (CROSSSLOT), {message}"));
            }
            (Placement::ByChance(slot), false) => {
                together += 1;
                let advice = "put what they have in common in braces before somebody renames one";
                report.prove(format!("the keys of `{name}` share slot {slot} by chance: {advice}"));
            }
            (Placement::Together, false) => together += 1,
        }
    }
    report.prove(match together {
        0 => "no operation is declared".to_owned(),
        1 => "the keys of 1 operation stay together".to_owned(),
        many => format!("the keys of {many} operations stay together"),
    });
    note_prefix(&check.prefix, report);
}

/// What the prefix itself does, which may be another in another environment.
fn note_prefix(prefix: &str, report: &mut Report) {
    match prefix_tag(prefix) {
        PrefixTag::None => {}
        PrefixTag::OneSlot(slot) => {
            report.prove(format!("the prefix `{prefix}` puts every key in slot {slot}: correct, but one node carries all of it"));
        }
        PrefixTag::HidesTags => {
            report.prove(format!("the prefix `{prefix}` has empty braces: no hash tag behind it counts"));
        }
        PrefixTag::BeginsTags => {
            let advice = "under another environment's prefix they lie elsewhere";
            report.prove(format!("the prefix `{prefix}` opens a brace, so that every key's hash tag begins there: {advice}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::outcome::{Outcome, Verdict};
    use serde_json::json;

    fn judged(prefix: &str, keys: &[&str], refused: &[&str]) -> Outcome {
        let declared = json!({
            "name": "queue", "host": "cache.example.com", "prefix": prefix, "operations": [{ "name": "pop", "keys": keys }]
        });
        let check: CacheCheck = serde_json::from_value(declared).expect("a check");
        let mut report = Report::default();
        let operations = operations(&check, &mut report);
        judge(&check, &operations, &refused.iter().map(|&name| name.to_owned()).collect(), &mut report);
        report.outcome(None)
    }

    #[test]
    fn keys_that_lie_apart_fail_with_their_cure_whether_or_not_the_cluster_was_asked() {
        for refused in [&["pop"][..], &[]] {
            let outcome = judged("payments:", &["queues:<queue>", "queues:<queue>:reserved"], refused);
            assert_eq!((outcome.verdict, outcome.code), (Verdict::Fail, Code::CrossSlot));
            assert!(outcome.message.contains("CROSSSLOT"), "{}", outcome.message);
            assert!(outcome.message.contains("write `payments:queues:{<queue>}`"), "{}", outcome.message);
        }
    }

    #[test]
    fn the_cluster_is_believed_before_the_arithmetic() {
        let outcome = judged("payments:", &["{<id>}:a", "{<id>}:b"], &["pop"]);
        assert_eq!((outcome.verdict, outcome.code), (Verdict::Fail, Code::CrossSlot));
    }

    #[test]
    fn a_prefix_with_a_tag_passes_and_says_what_it_costs() {
        let outcome = judged("{pay}:", &["queues:<queue>", "locks:<id>"], &[]);
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(outcome.message.contains("one node carries all of it"), "{}", outcome.message);
    }
}
