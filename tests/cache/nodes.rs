//! How a cluster does: whole or not, short of memory, and what it throws away.

use bascule::checks::outcome::{Code, Verdict};
use serde_json::json;

use super::house::{assert_is, declared, outcome, with_keys};
use super::server::{Cluster, Options, Server};

const TOGETHER: [&str; 2] = ["queues:{<queue>}", "queues:{<queue>}:reserved"];

#[tokio::test]
async fn memory_and_eviction_are_held_against_what_is_declared() {
    let cluster = Cluster::start(1, &Options::default()).await;
    let server = cluster.first();
    let check = with_keys(server.port, &TOGETHER);

    let unlimited = outcome(&check).await;
    assert_is(&unlimited, Verdict::Pass, Code::AsDeclared);
    assert!(unlimited.message.contains("has no memory limit"), "{}", unlimited.message);

    server.tell(&["CONFIG", "SET", "maxmemory", "50mb"]).await;
    assert_is(&outcome(&check).await, Verdict::Pass, Code::AsDeclared);
    let narrow = declared(server.port, &json!({ "maxMemoryPercent": 1 }));
    assert_is(&outcome(&narrow).await, Verdict::Fail, Code::MemoryShort);

    server.tell(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]).await;
    let evicting = outcome(&check).await;
    assert_is(&evicting, Verdict::Fail, Code::EvictionDiffers);
    assert!(evicting.message.contains("volatile-lru") && evicting.message.contains("`noeviction`"), "{}", evicting.message);
    assert_is(&outcome(&declared(server.port, &json!({ "eviction": "Volatile" }))).await, Verdict::Pass, Code::AsDeclared);
    assert_is(&outcome(&declared(server.port, &json!({ "eviction": "Any" }))).await, Verdict::Fail, Code::EvictionDiffers);

    server.tell(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    server.tell(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let full = outcome(&check).await;
    assert_is(&full, Verdict::Fail, Code::MemoryShort);
    assert!(full.message.contains("OOM"), "the refused write is told: {}", full.message);
}

#[tokio::test]
async fn a_cluster_that_has_lost_a_slot_is_down() {
    let cluster = Cluster::start(1, &Options::default()).await;
    cluster.first().tell(&["CLUSTER", "DELSLOTS", "0"]).await;
    let outcome = outcome(&with_keys(cluster.first().port, &TOGETHER)).await;
    assert_is(&outcome, Verdict::Fail, Code::ClusterDown);
    assert!(outcome.message.contains("16383 of 16384"), "{}", outcome.message);
}

#[tokio::test]
async fn a_cache_that_is_no_cluster_proves_nothing_about_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Server::start(directory.path(), &Options::default()).await;
    let off = outcome(&with_keys(server.port, &TOGETHER)).await;
    assert_is(&off, Verdict::Fail, Code::ClusterModeOff);
    let apart = outcome(&with_keys(server.port, &["queues:<queue>", "queues:<queue>:reserved"])).await;
    assert!(apart.message.contains("queues:{<queue>}"), "what arithmetic knows is told all the same: {}", apart.message);
}

#[tokio::test]
async fn a_node_that_is_gone_is_named_and_the_others_do_not_make_up_for_it() {
    let mut cluster = Cluster::start(3, &Options::default()).await;
    let gone = cluster.servers.pop().expect("three nodes").port;
    let outcome = outcome(&with_keys(cluster.first().port, &TOGETHER)).await;
    assert_is(&outcome, Verdict::Fail, Code::ConnectionRefused);
    assert!(outcome.message.contains(&format!("127.0.0.1:{gone}")), "{}", outcome.message);
}
