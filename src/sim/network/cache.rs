//! A cache in cluster mode: one node with every slot, where keys of different slots are no more used together than on a hundred.
//!
//! It keeps nothing: whoever writes a key is told so, and nobody finds it. What it is strict about is where keys lie.

use crate::checks::network::{CacheAnswer, CacheBatch};
use crate::checks::outcome::Code;
use crate::keyspace::{SLOTS, slot};
use crate::sim::World;
use crate::spec::checks::{CacheCheck, EvictionPolicy};

pub(super) fn answer(world: &World, batch: &CacheBatch) -> Result<Vec<CacheAnswer>, (Code, String)> {
    let caches = &world.setting.migration.spec.checks.caches;
    let Some(cache) = caches.iter().find(|cache| cache.host == batch.host && cache.port == i32::from(batch.port)) else {
        return Err((Code::ConnectionRefused, "nobody listens there".to_owned()));
    };
    Ok(batch.commands.iter().map(|command| one(cache, command)).collect())
}

fn one(cache: &CacheCheck, command: &[String]) -> CacheAnswer {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["INFO", "cluster"] => text("cluster_enabled:1\r\n"),
        ["INFO", "memory"] => {
            let policy = match cache.eviction {
                EvictionPolicy::NoEviction => "noeviction",
                EvictionPolicy::Volatile => "volatile-lru",
                EvictionPolicy::Any => "allkeys-lru",
            };
            text(&format!("used_memory:100\r\nmaxmemory:10000\r\nmaxmemory_policy:{policy}\r\n"))
        }
        ["CLUSTER", "INFO"] => text(&format!("cluster_state:ok\r\ncluster_slots_ok:{SLOTS}\r\n")),
        ["CLUSTER", "SLOTS"] => {
            let node = CacheAnswer::List(vec![text(&cache.host), CacheAnswer::Number(i64::from(cache.port))]);
            let range = [CacheAnswer::Number(0), CacheAnswer::Number(i64::from(SLOTS) - 1), node];
            CacheAnswer::List(vec![CacheAnswer::List(range.to_vec())])
        }
        ["CLUSTER", "KEYSLOT", key] => CacheAnswer::Number(i64::from(slot(key))),
        ["EXISTS", first, rest @ ..] if rest.iter().any(|key| slot(key) != slot(first)) => {
            refused("CROSSSLOT", "Keys in request don't hash to the same slot")
        }
        ["EXISTS" | "DEL", ..] => CacheAnswer::Number(0),
        ["SET", ..] => CacheAnswer::Status("OK".to_owned()),
        _ => refused("ERR", "unknown command"),
    }
}

fn text(text: &str) -> CacheAnswer {
    CacheAnswer::Text(text.to_owned())
}

fn refused(word: &str, rest: &str) -> CacheAnswer {
    CacheAnswer::Refused { word: word.to_owned(), rest: rest.to_owned() }
}
