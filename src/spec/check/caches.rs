//! Rules about caches: where they are, and which of their keys stay together.

use super::credentials::credentials_finding;
use super::databases::host_finding;
use super::{Rule, repeated, when};
use crate::keyspace::{Operation, Pattern, Placement};
use crate::spec::Migration;
use crate::spec::checks::{CacheCheck, CacheOperation};
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};

pub(super) const RULES: &[Rule] = &[caches_can_be_reached, operations_are_named_once, keys_are_patterns, keys_stay_together];

/// Every cache with its path.
fn caches(migration: &Migration) -> impl Iterator<Item = (String, &CacheCheck)> {
    migration.spec.checks.caches.iter().enumerate().map(|(index, cache)| (format!("spec.checks.caches[{index}]"), cache))
}

/// Every operation of every cache, with its path and its cache.
fn operations(migration: &Migration) -> impl Iterator<Item = (String, &CacheCheck, &CacheOperation)> {
    caches(migration).flat_map(|(path, cache)| {
        let numbered = cache.operations.iter().enumerate();
        numbered.map(move |(index, operation)| (format!("{path}.operations[{index}]"), cache, operation))
    })
}

fn caches_can_be_reached(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, cache) in caches(migration) {
        host_finding(&format!("{path}.host"), &cache.host, findings);
        if let Some(credentials) = &cache.credentials_from {
            credentials_finding(&format!("{path}.credentialsFrom"), credentials, findings);
        }
        findings.extend(when(cache.tls_ca_file.is_some() && !cache.tls, || {
            let found = "authorities are named, and TLS is off".to_owned();
            let advice = "write `tls: true`, or remove the file";
            Finding::new(Code::AuthorityWithoutTls, &format!("{path}.tlsCaFile"), found, "no file where `tls` is false", advice)
        }));
    }
}

fn operations_are_named_once(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, cache) in caches(migration) {
        let names: Vec<&str> = cache.operations.iter().map(|operation| operation.name.as_str()).collect();
        repeated(&format!("{path}.operations"), &names, findings);
    }
    for (path, _, operation) in operations(migration) {
        findings.extend(when(operation.name.trim().is_empty(), || {
            let advice = "write what the application calls it: a failure is told by this name";
            Finding::new(Code::EmptyText, &format!("{path}.name"), "an empty name".to_owned(), "a name such as `pop`", advice)
        }));
    }
}

fn keys_are_patterns(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, _, operation) in operations(migration) {
        for (index, key) in operation.keys.iter().enumerate() {
            let path = format!("{path}.keys[{index}]");
            findings.extend(when(key.trim().is_empty(), || {
                let accepted = "a key's pattern, such as `queues:<queue>:reserved`";
                Finding::new(Code::EmptyText, &path, "an empty key".to_owned(), accepted, "write the key behind the prefix")
            }));
            findings.extend(Pattern::read(key).err().map(|error| {
                let found = format!("{error} in {}", quoted(key));
                let accepted = "placeholders such as `<queue>`";
                Finding::new(Code::OpenPlaceholder, &path, found, accepted, "close it, and give it one word as its name")
            }));
        }
    }
}

/// Known before anything runs: the check would fail.
fn keys_stay_together(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, cache, operation) in operations(migration) {
        // What is no pattern has been told above.
        let Ok(read) = Operation::read(&operation.name, &cache.prefix, &operation.keys) else { continue };
        let (found, advice) = match read.placement() {
            Placement::Together => continue,
            Placement::ByChance(slot) => {
                let found = format!("the keys of {} share slot {slot} by chance", quoted(&operation.name));
                (found, "put what they have in common in braces before somebody renames one".to_owned())
            }
            Placement::Apart(cure) => {
                let found = format!("the keys of {} lie in different slots: a cluster refuses it", quoted(&operation.name));
                (found, format!("{cure}, in the application and here"))
            }
        };
        let accepted = "keys with the same hash tag: the same text between the first `{` and the next `}`";
        findings.push(Finding::new(Code::CrossSlotOperation, &format!("{path}.keys"), found, accepted, &advice));
    }
}
