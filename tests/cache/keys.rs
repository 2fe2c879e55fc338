//! Keys that are used together, on a real cluster of three nodes.

use bascule::checks::network::CacheAnswer;
use bascule::checks::outcome::{Code, Verdict};
use bascule::keyspace::slot;
use serde_json::json;

use super::house::{assert_is, declared, outcome, with_keys};
use super::server::{Cluster, Options};

async fn three_nodes() -> Cluster {
    Cluster::start(3, &Options::default()).await
}

/// What was asked, and what came back, of every question that holds `word`.
fn asked_with(outcome: &bascule::checks::outcome::Outcome, word: &str) -> Vec<(String, String)> {
    let evidence = outcome.evidence.iter().filter(|evidence| evidence.asked.contains(word));
    evidence.map(|evidence| (evidence.asked.clone(), evidence.answered.clone())).collect()
}

#[tokio::test]
async fn a_queue_whose_keys_lie_apart_is_refused_by_the_cluster_and_passes_with_the_cure_that_is_told() {
    let cluster = three_nodes().await;
    let outcome_of = async |keys: &[&str]| outcome(&with_keys(cluster.first().port, keys)).await;

    let apart = outcome_of(&["queues:<queue>", "queues:<queue>:reserved", "queues:<queue>:notify"]).await;
    assert_is(&apart, Verdict::Fail, Code::CrossSlot);
    let cure = "write `payments:queues:{<queue>}`, `payments:queues:{<queue>}:reserved`, `payments:queues:{<queue>}:notify`";
    assert!(apart.message.contains("the cluster refuses `pop` (CROSSSLOT)") && apart.message.contains(cure), "{apart:#?}");
    let refusal = "CROSSSLOT Keys in request don't hash to the same slot";
    assert!(asked_with(&apart, "EXISTS").iter().all(|(_, answered)| answered == refusal), "{apart:#?}");
    assert!(!asked_with(&apart, "EXISTS").is_empty());

    let cured = outcome_of(&["queues:{<queue>}", "queues:{<queue>}:reserved", "queues:{<queue>}:notify"]).await;
    assert_is(&cured, Verdict::Pass, Code::AsDeclared);
    assert!(cured.message.contains("3 nodes serve every slot"), "{}", cured.message);
    assert_eq!(asked_with(&cured, "EXISTS").last().map(|(_, answered)| answered.as_str()), Some("0"));
}

#[tokio::test]
async fn a_prefix_may_hold_everything_together_or_undo_every_tag() {
    let cluster = three_nodes().await;
    let outcome_of = async |prefix: &str| {
        let operation = json!({ "name": "pop", "keys": ["queues:{<queue>}", "queues:{<queue>}:reserved"] });
        outcome(&declared(cluster.first().port, &json!({ "prefix": prefix, "operations": [operation] }))).await
    };
    assert_is(&outcome_of("payments:").await, Verdict::Pass, Code::AsDeclared);
    let heavy = outcome_of("{pay}:").await;
    assert_is(&heavy, Verdict::Pass, Code::AsDeclared);
    assert!(heavy.message.contains("one node carries all of it"), "{}", heavy.message);
    let undone = outcome_of("pay{}:").await;
    assert_is(&undone, Verdict::Fail, Code::CrossSlot);
    assert!(undone.message.contains("with `pay:` as the prefix instead of `pay{}:`"), "{}", undone.message);
}

#[tokio::test]
async fn nothing_of_the_applications_is_touched_and_nothing_is_left_behind() {
    let cluster = three_nodes().await;
    let key = "payments:restart";
    let owner = cluster.owner(key);
    owner.tell(&["SET", key, "now"]).await;
    let (commands, before) = (["GET", key], cluster.keys().await);

    let fixed = outcome(&with_keys(cluster.first().port, &["restart", "queues:<queue>"])).await;
    assert_is(&fixed, Verdict::Fail, Code::CrossSlot);
    assert!(fixed.message.contains("the cluster refuses"), "the cluster places them itself: {}", fixed.message);
    let named = asked_with(&fixed, key);
    assert!(!named.is_empty() && named.iter().all(|(asked, _)| asked.starts_with("CLUSTER KEYSLOT ")), "{named:?}");

    assert_eq!(cluster.keys().await, before);
    assert_eq!(owner.say(&commands).await, CacheAnswer::Text("now".into()));
    let written = asked_with(&fixed, "SET payments:bascule-check-queue-");
    assert_eq!(written.last().map(|(_, answered)| answered.as_str()), Some("OK"), "{fixed:#?}");
}

#[tokio::test]
async fn slots_are_those_that_a_server_computes() {
    let cluster = Cluster::start(1, &Options::default()).await;
    let mut chance = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let length = chance.usize(0..12);
        let key: String = (0..length).map(|_| chance.choice(['a', 'b', '{', '}', ':', 'é']).expect("a letter")).collect();
        let answer = cluster.first().say(&["CLUSTER", "KEYSLOT", &key]).await;
        assert_eq!(answer, CacheAnswer::Number(slot(&key).into()), "{key}");
    }
}
