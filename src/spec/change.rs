//! The file against the one before it: which resources a migration is about must not change under its feet.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::code::Code;
use super::finding::Finding;
use super::{DatabaseSpec, Migration};

/// What makes `new` unacceptable after `old`. `frozen` says that a fence has been closed: from then on positions, markers and
/// locks belong to these very resources, and another name in the file would leave them behind.
///
/// Whether the phase may change this way depends on the journal and is decided elsewhere. The findings carry paths and no
/// places; [`super::load::Loaded::report`] adds those.
pub fn check_change(old: &Migration, new: &Migration, frozen: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if old.name() != new.name() {
        let found = format!("`{}`, which was `{}`", new.name(), old.name());
        let accepted = format!("`{}`", old.name());
        let advice = "put the name back; another migration belongs into another file";
        findings.push(Finding::new(Code::RenamedMigration, "metadata.name", found, &accepted, advice));
    }
    if new.spec.attempt < old.spec.attempt {
        let found = format!("attempt {}, which was {}", new.spec.attempt, old.spec.attempt);
        let accepted = format!("`{}` or more", old.spec.attempt);
        let advice = "an attempt is never made twice; this may be an old version of the file";
        findings.push(Finding::new(Code::AttemptLowered, "spec.attempt", found, &accepted, advice));
    }
    if frozen {
        let (before, after) = (identity(old), identity(new));
        for (path, value) in &after {
            if before.get(path) != Some(value) {
                let was = shown(before.get(path).unwrap_or(&Value::Null));
                let found = format!("{}, which was {was}", shown(value));
                let advice = "put it back: a fence has been closed, and the migration ends with the resources that it began with";
                findings.push(Finding::new(Code::IdentityChanged, path, found, &was, advice));
            }
        }
    }
    findings
}

/// SHA-256, in hexadecimal, of which resources this migration is about. Two files with the same digest may replace each other
/// at any time.
pub fn identity_digest(migration: &Migration) -> String {
    let mut identity = identity(migration);
    identity.insert("metadata.name", json!(migration.name()));
    // Canonical: a sorted map of paths, printed without white space.
    let canonical = json!(identity).to_string();
    Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fields that say which resources, by path.
fn identity(migration: &Migration) -> BTreeMap<&'static str, Value> {
    let spec = &migration.spec;
    let DatabaseSpec { host: legacy_host, port: legacy_port, .. } = &spec.legacy.database;
    let DatabaseSpec { host: target_host, port: target_port, .. } = &spec.target.database;
    BTreeMap::from([
        ("spec.legacy.database.host", json!(legacy_host)),
        ("spec.legacy.database.port", json!(legacy_port)),
        ("spec.legacy.database.schemas", sorted(&spec.legacy.database.schemas)),
        ("spec.legacy.database.applicationAccounts", sorted(&spec.legacy.database.application_accounts)),
        ("spec.legacy.database.validationAccounts", sorted(&spec.legacy.database.validation_accounts)),
        ("spec.legacy.endpointArn", json!(spec.legacy.endpoint_arn)),
        ("spec.legacy.reverseEndpointArn", json!(spec.legacy.reverse_endpoint_arn)),
        ("spec.target.cluster", json!(spec.target.cluster)),
        ("spec.target.database.host", json!(target_host)),
        ("spec.target.database.port", json!(target_port)),
        ("spec.target.database.schemas", sorted(&spec.target.database.schemas)),
        ("spec.target.database.applicationAccounts", sorted(&spec.target.database.application_accounts)),
        ("spec.target.database.validationAccounts", sorted(&spec.target.database.validation_accounts)),
        ("spec.target.endpointArn", json!(spec.target.endpoint_arn)),
        ("spec.target.reverseEndpointArn", json!(spec.target.reverse_endpoint_arn)),
        ("spec.replication.instanceArn", json!(spec.replication.instance_arn)),
        ("spec.replication.markerSchema", json!(spec.replication.marker_schema)),
        ("spec.replication.forward.identifier", json!(spec.replication.forward.identifier)),
        ("spec.replication.reverse.identifier", json!(spec.replication.reverse.identifier)),
        ("spec.binlog.parameterGroup", json!(spec.binlog.parameter_group)),
        ("spec.loadBalancer.arn", json!(spec.load_balancer.arn)),
        ("spec.loadBalancer.targetGroupArn", json!(spec.load_balancer.target_group_arn)),
        ("spec.dns.hostedZoneId", json!(spec.dns.hosted_zone_id)),
        ("spec.dns.zoneName", json!(spec.dns.zone_name)),
        ("spec.dns.public.name", json!(spec.dns.public.name)),
        ("spec.dns.public.legacy", json!(spec.dns.public.legacy)),
        ("spec.dns.public.target", json!(spec.dns.public.target)),
        ("spec.dns.shadow.name", json!(spec.dns.shadow.name)),
    ])
}

/// The order of a list of names means nothing.
fn sorted<T: Serialize + Ord + Clone + Debug>(names: &[T]) -> Value {
    let mut names = names.to_vec();
    names.sort();
    json!(names)
}

fn shown(value: &Value) -> String {
    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::load::load;
    use crate::spec::{Period, Phase};

    fn payments() -> Migration {
        load("payments.yaml", include_bytes!("../../manifests/payments.yaml"))
            .expect("the example is valid")
            .migration
            .into_inner()
    }

    fn codes(findings: &[Finding]) -> Vec<Code> {
        findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn the_wish_may_change_at_any_time() {
        let old = payments();
        let mut new = old.clone();
        new.spec.phase = Phase::CutOver;
        new.spec.attempt = 2;
        new.spec.paused = true;
        new.spec.observation.window = Period::from_secs(24 * 3600);
        new.spec.legacy.database.application_accounts.reverse();
        assert_eq!(check_change(&old, &new, true), []);
        assert_eq!(identity_digest(&old), identity_digest(&new));
    }

    #[test]
    fn another_resource_is_taken_before_a_fence_and_refused_after_one() {
        let old = payments();
        let mut new = old.clone();
        new.spec.target.database.host = "other.cluster-c1x2y3z4a5b6.eu-west-1.rds.amazonaws.com".to_owned();
        new.spec.dns.shadow.name = "other.example.com".into();
        assert_eq!(check_change(&old, &new, false), []);
        let findings = check_change(&old, &new, true);
        assert_eq!(codes(&findings), [Code::IdentityChanged, Code::IdentityChanged]);
        assert_eq!(findings[0].path, "spec.dns.shadow.name");
        assert_eq!(findings[0].found, "`other.example.com`, which was `shadow-pay.example.com`");
        assert_ne!(identity_digest(&old), identity_digest(&new));
    }

    #[test]
    fn an_account_left_out_of_a_closed_fence_is_refused() {
        let old = payments();
        let mut new = old.clone();
        new.spec.target.database.application_accounts.pop();
        assert_eq!(codes(&check_change(&old, &new, true)), [Code::IdentityChanged]);
    }

    #[test]
    fn another_name_and_a_used_attempt_are_refused_always() {
        let mut old = payments();
        old.spec.attempt = 2;
        let mut new = payments();
        new.metadata.name = "orders".into();
        assert_eq!(codes(&check_change(&old, &new, false)), [Code::RenamedMigration, Code::AttemptLowered]);
        assert_ne!(identity_digest(&old), identity_digest(&new));
    }

    #[test]
    fn a_digest_is_sixty_four_digits_and_the_same_on_every_machine() {
        assert_eq!(identity_digest(&payments()).len(), 64);
        assert_eq!(identity_digest(&payments()), identity_digest(&payments()));
    }
}
