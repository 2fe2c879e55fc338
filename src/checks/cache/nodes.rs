//! How each node does: whether it finds the cluster whole, how much memory is left, and what it throws away when none is.

use futures_util::stream::{self, StreamExt};

use crate::checks::network::CacheAnswer;
use crate::checks::outcome::{Code, short};
use crate::keyspace::SLOTS;
use crate::spec::checks::{CacheCheck, EvictionPolicy};

use super::proof::AT_ONCE;
use super::report::Report;
use super::talk::{Talk, words};
use super::topology::{Node, Slots};

/// So many nodes are named in one sentence.
const NAMED: usize = 3;

/// What a node says of itself. `CONFIG` is forbidden on managed caches, `INFO` is not.
struct Sight {
    node: Node,
    state: Option<String>,
    slots_ok: Option<u16>,
    used: Option<u64>,
    /// `maxmemory`; 0 is no limit.
    limit: Option<u64>,
    policy: Option<String>,
}

/// Asks every node that serves slots, and judges what they say.
pub(super) async fn look(talk: &Talk<'_>, slots: &Slots, report: &mut Report) {
    let commands = [words(&["INFO", "memory"]), words(&["CLUSTER", "INFO"])];
    // Futures in a list, not a stream's closure: rustc cannot prove of the latter that it may move between threads.
    let mut asking = Vec::new();
    for node in slots.nodes() {
        let asked = talk.ask(node, &commands);
        asking.push(async move { (node, asked.await) });
    }
    let said: Vec<_> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    let mut sights = Vec::new();
    for (node, said) in said {
        report.saw(node, &commands, &said);
        match said.answers.as_deref() {
            Ok([CacheAnswer::Refused { word, rest }, _] | [_, CacheAnswer::Refused { word, rest }]) => {
                report.refusal(&format!("INFO at {node}"), word, rest);
            }
            Ok([memory, cluster]) => sights.push(Sight::read(node, memory, cluster)),
            Ok(_) => report.unclear(Code::NotAsked, format!("{node} did not answer everything")),
            Err(trouble) => report.trouble(trouble),
        }
    }
    judge(talk.check(), slots, &sights, report);
}

impl Sight {
    fn read(node: &Node, memory: &CacheAnswer, cluster: &CacheAnswer) -> Self {
        Self {
            node: node.clone(),
            state: cluster.field("cluster_state").map(short),
            slots_ok: cluster.field("cluster_slots_ok").and_then(|number| number.parse().ok()),
            used: memory.field("used_memory").and_then(|number| number.parse().ok()),
            limit: memory.field("maxmemory").and_then(|number| number.parse().ok()),
            policy: memory.field("maxmemory_policy").map(short),
        }
    }
}

fn judge(check: &CacheCheck, slots: &Slots, sights: &[Sight], report: &mut Report) {
    if sights.is_empty() {
        return;
    }
    judge_state(slots, sights, report);
    judge_memory(check, sights, report);
    judge_eviction(check.eviction, sights, report);
}

fn judge_state(slots: &Slots, sights: &[Sight], report: &mut Report) {
    let served = sights.iter().filter_map(|sight| sight.slots_ok).map(usize::from).fold(slots.served(), usize::min);
    let broken = which(sights, |sight| sight.state.as_deref().is_some_and(|state| state != "ok"));
    let silent = which(sights, |sight| sight.state.is_none());
    if !broken.is_empty() || served < usize::from(SLOTS) {
        let at = if broken.is_empty() { String::new() } else { format!(" and is down at {}", listed(&broken)) };
        let advice = "see which nodes are gone, and which slots nobody has";
        report.fail(Code::ClusterDown, format!("the cluster serves {served} of {SLOTS} slots{at}; {advice}"));
    } else if !silent.is_empty() {
        report.unclear(Code::NotAsked, format!("{} did not say how the cluster is", listed(&silent)));
    } else {
        let nodes = slots.nodes().len();
        report.prove(format!("{nodes} node{} every slot", if nodes == 1 { " serves" } else { "s serve" }));
    }
}

fn judge_memory(check: &CacheCheck, sights: &[Sight], report: &mut Report) {
    let percent = |sight: &Sight| match (sight.used, sight.limit) {
        (Some(used), Some(limit)) if limit > 0 => Some((u128::from(used) * 100).div_ceil(limit.into())),
        _ => None,
    };
    let most = check.max_memory_percent;
    let full: Vec<String> = sights
        .iter()
        .filter_map(|sight| Some((sight, percent(sight)?)))
        .filter(|(_, percent)| *percent > u128::from(most))
        .map(|(sight, percent)| format!("{} uses {percent}%", sight.node))
        .collect();
    let silent = which(sights, |sight| sight.used.is_none() || sight.limit.is_none());
    let unlimited = which(sights, |sight| sight.limit == Some(0));
    if !full.is_empty() {
        let advice = "add memory or nodes, or let keys expire";
        report.fail(Code::MemoryShort, format!("{} of its memory, and at most {most}% may be in use; {advice}", listed(&full)));
    }
    if !silent.is_empty() {
        report.unclear(Code::NotAsked, format!("{} did not say how much memory is in use", listed(&silent)));
    }
    if !unlimited.is_empty() {
        let consequence = "how much is left depends on what else its machine does";
        report.prove(format!("{} has no memory limit (maxmemory is 0): {consequence}", listed(&unlimited)));
    }
    if let Some(percent) = sights.iter().filter_map(percent).max() {
        report.prove(format!("at most {percent}% of a node's memory is in use"));
    }
}

fn judge_eviction(declared: EvictionPolicy, sights: &[Sight], report: &mut Report) {
    let policy = |sight: &Sight| sight.policy.as_deref().and_then(policy_named);
    let silent = which(sights, |sight| policy(sight).is_none());
    let others: Vec<String> = sights
        .iter()
        .filter(|sight| policy(sight).is_some_and(|policy| policy != declared))
        .map(|sight| format!("{} has {}", sight.node, sight.policy.as_deref().unwrap_or_default()))
        .collect();
    if !others.is_empty() {
        let wanted = match declared {
            EvictionPolicy::NoEviction => "`noeviction`, so that no job or lock is ever thrown away",
            EvictionPolicy::Volatile => "one of the `volatile-` policies, so that only keys with an expiry are thrown away",
            EvictionPolicy::Any => "one of the `allkeys-` policies, so that the cache makes room for what is new",
        };
        let what = listed(&others);
        report.fail(
            Code::EvictionDiffers,
            format!("{what} as maxmemory-policy; set it to {wanted} (on AWS in the parameter group)"),
        );
    }
    if !silent.is_empty() {
        report.unclear(Code::NotAsked, format!("{} did not say what is thrown away when memory is full", listed(&silent)));
    }
}

/// What `maxmemory-policy` means to an application.
fn policy_named(word: &str) -> Option<EvictionPolicy> {
    match word.split_once('-') {
        None if word == "noeviction" => Some(EvictionPolicy::NoEviction),
        Some(("volatile", _)) => Some(EvictionPolicy::Volatile),
        Some(("allkeys", _)) => Some(EvictionPolicy::Any),
        _ => None,
    }
}

fn which(sights: &[Sight], of: impl Fn(&Sight) -> bool) -> Vec<String> {
    sights.iter().filter(|sight| of(sight)).map(|sight| sight.node.to_string()).collect()
}

/// The first entries, and how many more there are.
fn listed(entries: &[String]) -> String {
    let first = entries[..entries.len().min(NAMED)].join(", ");
    match entries.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::outcome::{Outcome, Verdict};
    use serde_json::json;

    /// One node of a whole cluster that says this of itself.
    fn judged(declared: EvictionPolicy, memory: &str, cluster: &str) -> Outcome {
        let check = json!({ "name": "queue", "host": "cache.example.com", "eviction": declared });
        let check: CacheCheck = serde_json::from_value(check).expect("a check");
        let node = Node { host: "10.0.0.1".into(), port: 6379 };
        let text = |text: &str| CacheAnswer::Text(text.into());
        let writer = CacheAnswer::List(vec![text("10.0.0.1"), CacheAnswer::Number(6379)]);
        let range = CacheAnswer::List(vec![CacheAnswer::Number(0), CacheAnswer::Number(16_383), writer]);
        let slots = Slots::read(&CacheAnswer::List(vec![range]), &node).expect("one range");
        let mut report = Report::default();
        judge(&check, &slots, &[Sight::read(&node, &text(memory), &text(cluster))], &mut report);
        report.outcome(None)
    }

    const WHOLE: &str = "cluster_state:ok\r\ncluster_slots_ok:16384\r\n";

    fn memory(used: &str, limit: &str, policy: &str) -> String {
        format!("used_memory:{used}\r\nmaxmemory:{limit}\r\nmaxmemory_policy:{policy}\r\n")
    }

    #[test]
    fn memory_is_short_beyond_what_is_declared_and_not_at_it() {
        let at = |used| judged(EvictionPolicy::NoEviction, &memory(used, "1000", "noeviction"), WHOLE);
        assert_eq!(at("800").verdict, Verdict::Pass);
        assert_eq!((at("801").verdict, at("801").code), (Verdict::Fail, Code::MemoryShort));
        assert_eq!(at("18446744073709551615").code, Code::MemoryShort, "no figure is too large");
    }

    #[test]
    fn a_cache_without_a_limit_passes_and_says_so() {
        let outcome = judged(EvictionPolicy::NoEviction, &memory("800", "0", "noeviction"), WHOLE);
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(outcome.message.contains("no memory limit"), "{}", outcome.message);
    }

    #[test]
    fn policies_are_what_they_mean_to_an_application() {
        let has = |declared, policy| judged(declared, &memory("1", "1000", policy), WHOLE).code;
        assert_eq!(has(EvictionPolicy::Volatile, "volatile-ttl"), Code::AsDeclared);
        assert_eq!(has(EvictionPolicy::Any, "allkeys-lfu"), Code::AsDeclared);
        assert_eq!(has(EvictionPolicy::NoEviction, "volatile-lru"), Code::EvictionDiffers);
        assert_eq!(has(EvictionPolicy::Any, "noeviction"), Code::EvictionDiffers);
        assert_eq!(has(EvictionPolicy::Any, "mystery"), Code::NotAsked, "an unknown policy is no pass and no failure");
    }

    #[test]
    fn a_node_that_finds_slots_unserved_or_itself_cut_off_fails() {
        let fine = memory("1", "1000", "noeviction");
        for cluster in ["cluster_state:fail\r\ncluster_slots_ok:10923\r\n", "cluster_state:ok\r\ncluster_slots_ok:16383\r\n"] {
            assert_eq!(judged(EvictionPolicy::NoEviction, &fine, cluster).code, Code::ClusterDown, "{cluster}");
        }
    }

    #[test]
    fn what_a_node_does_not_say_is_unknown() {
        let fine = memory("1", "1000", "noeviction");
        for (memory, cluster) in [("", WHOLE), (fine.as_str(), ""), ("used_memory:many", WHOLE)] {
            assert_eq!(judged(EvictionPolicy::NoEviction, memory, cluster).verdict, Verdict::Unknown, "{memory} {cluster}");
        }
    }
}
