//! What a check is made with: the real network, a safe with secrets, and databases that nobody asks.

use bascule::checks::cache;
use bascule::checks::network::{CacheAnswer, CacheBatch, DnsAnswer, HttpAnswer, HttpRequest, Network, Question, Reply};
use bascule::checks::outcome::{Code, Outcome, Verdict};
use bascule::checks::probe::{Probe, Secrets};
use bascule::clock::Clock;
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::spec::checks::{CacheCheck, SecretFrom};
use bascule::spec::{CredentialsFrom, Period};
use serde_json::{Value, json};

use super::spec::migration;

/// Longer than any of these takes on a busy machine.
const PATIENCE: Period = Period::from_secs(120);

/// A password that must not be found anywhere.
pub const PASSWORD: &str = "hunter-canary";

/// A check of the cache at this port, with these fields besides.
pub fn declared(port: u16, fields: &Value) -> CacheCheck {
    let mut declared = json!({ "name": "queue", "host": "127.0.0.1", "port": port, "prefix": "payments:" });
    let all = declared.as_object_mut().expect("an object");
    all.extend(fields.as_object().expect("an object").clone());
    serde_json::from_value(declared).expect("a check")
}

/// The same with one operation.
pub fn with_keys(port: u16, keys: &[&str]) -> CacheCheck {
    declared(port, &json!({ "operations": [{ "name": "pop", "keys": keys }] }))
}

/// The outcome of one run.
pub async fn outcome(check: &CacheCheck) -> Outcome {
    outcome_within(check, PATIENCE).await
}

/// The same with another time limit.
pub async fn outcome_within(check: &CacheCheck, limit: Period) -> Outcome {
    let mut migration = migration();
    migration.spec.checks.timeout = limit;
    let clock = Clock::system();
    let (legacy, target) =
        (MySqlDatabase::new(&migration, Side::Legacy, &clock), MySqlDatabase::new(&migration, Side::Target, &clock));
    let machine = Machine(clock.clone());
    let probe = Probe {
        migration: &migration,
        network: &machine,
        secrets: &Safe,
        legacy: &legacy,
        target: &target,
        clock: &clock,
        public_at: Side::Legacy,
    };
    let outcome = cache::run(check, &probe).await;
    let told = serde_json::to_string(&outcome).expect("an outcome is JSON");
    assert!(!told.contains(PASSWORD), "{told}");
    outcome
}

/// Holds an outcome against what it has to be.
pub fn assert_is(outcome: &Outcome, verdict: Verdict, code: Code) {
    assert_eq!((outcome.verdict, outcome.code), (verdict, code), "{outcome:#?}");
}

/// This machine's network, as far as caches go.
#[derive(Debug)]
struct Machine(Clock);

impl Network for Machine {
    fn exchange<'a>(&'a self, request: &'a HttpRequest) -> Reply<'a, HttpAnswer> {
        panic!("a cache is not asked over HTTP: {request:?}")
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Reply<'a, DnsAnswer> {
        panic!("a cache asks no resolver: {question:?}")
    }

    fn command<'a>(&'a self, batch: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>> {
        Box::pin(bascule::network::cache::command(&self.0, batch))
    }
}

/// A safe in which only the environment `CACHE`, and the one of a user `CACHE_<user>`, hold something.
#[derive(Debug)]
struct Safe;

impl Secrets for Safe {
    fn credentials(&self, from: &CredentialsFrom) -> Result<(String, String), String> {
        match from {
            CredentialsFrom::Env(name) if name == "CACHE" => Ok((String::new(), PASSWORD.into())),
            CredentialsFrom::Env(name) if name == "CACHE_WATCHER" => Ok(("watcher".into(), PASSWORD.into())),
            other => Err(format!("nothing is found in {other:?}")),
        }
    }

    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        Err(format!("a cache needs no single secret: {from:?}"))
    }
}
