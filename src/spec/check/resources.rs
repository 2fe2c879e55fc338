//! Rules about AWS resources: all in one place, none in two roles.

use super::{Rule, when};
use crate::names::{account_of, region_of};
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};
use crate::spec::{Migration, Phase, RedirectStatus};

pub(super) const RULES: &[Rule] = &[
    one_region,
    one_account,
    four_endpoints,
    two_tasks,
    a_known_family,
    a_target_in_each_zone,
    a_redirect_elsewhere,
    no_early_301,
];

/// Every ARN of the file with its path; the replication instance comes first, because its region and account are the measure.
fn arns(migration: &Migration) -> [(&'static str, &str); 7] {
    let spec = &migration.spec;
    [
        ("spec.replication.instanceArn", spec.replication.instance_arn.as_str()),
        ("spec.legacy.endpointArn", spec.legacy.endpoint_arn.as_str()),
        ("spec.legacy.reverseEndpointArn", spec.legacy.reverse_endpoint_arn.as_str()),
        ("spec.target.endpointArn", spec.target.endpoint_arn.as_str()),
        ("spec.target.reverseEndpointArn", spec.target.reverse_endpoint_arn.as_str()),
        ("spec.loadBalancer.arn", spec.load_balancer.arn.as_str()),
        ("spec.loadBalancer.targetGroupArn", spec.load_balancer.target_group_arn.as_str()),
    ]
}

/// What every ARN must have in common with the first.
fn in_common(migration: &Migration, code: Code, thing: &str, part: fn(&str) -> Option<&str>, findings: &mut Vec<Finding>) {
    let [(measure_path, measure), others @ ..] = arns(migration);
    let wanted = part(measure).unwrap_or_default();
    for (path, arn) in others {
        let named = part(arn).unwrap_or_default();
        if named != wanted {
            let accepted = format!("{thing} `{wanted}`, as in `{measure_path}`");
            let advice = format!("name resources of one {thing}; this may be one of another environment");
            findings.push(Finding::new(code, path, format!("this is in {thing} `{named}`"), &accepted, &advice));
        }
    }
}

fn one_region(migration: &Migration, findings: &mut Vec<Finding>) {
    in_common(migration, Code::OtherRegion, "region", region_of, findings);
}

fn one_account(migration: &Migration, findings: &mut Vec<Finding>) {
    in_common(migration, Code::OtherAccount, "account", account_of, findings);
}

/// A DMS endpoint is a source or a target, of one database: four roles, four endpoints.
fn four_endpoints(migration: &Migration, findings: &mut Vec<Finding>) {
    let [_, endpoints @ .., _, _] = arns(migration);
    for (index, (path, arn)) in endpoints.iter().enumerate() {
        if let Some((first, _)) = endpoints[..index].iter().find(|(_, other)| other == arn) {
            let found = format!("`{arn}` is also `{first}`");
            let advice = "create a separate endpoint: one that reads and one that writes, for each side";
            findings.push(Finding::new(Code::EndpointReused, path, found, "four different endpoints", advice));
        }
    }
}

fn two_tasks(migration: &Migration, findings: &mut Vec<Finding>) {
    let replication = &migration.spec.replication;
    findings.extend(when(replication.forward.identifier == replication.reverse.identifier, || {
        let found = format!("`{}` is also the forward task", replication.reverse.identifier);
        Finding::new(
            Code::TaskReused,
            "spec.replication.reverse.identifier",
            found,
            "two different tasks",
            "give it a name of its own",
        )
    }));
}

fn a_known_family(migration: &Migration, findings: &mut Vec<Finding>) {
    let family = &migration.spec.binlog.family;
    let known = ["aurora-mysql8.0", "aurora-mysql5.7"];
    findings.extend(when(!known.contains(&family.as_str()), || {
        let accepted = format!("`{}` or `{}`", known[0], known[1]);
        let advice = "check the cluster's engine version; its settings may have other names there";
        Finding::new(Code::UnknownFamily, "spec.binlog.family", format!("the family {}", quoted(family)), &accepted, advice)
    }));
}

/// The least that counts as a running stack must be able to be in as many zones as are asked.
fn a_target_in_each_zone(migration: &Migration, findings: &mut Vec<Finding>) {
    let balancer = &migration.spec.load_balancer;
    let (zones, targets) = (balancer.min_zones, balancer.min_healthy_targets);
    findings.extend(when(zones > targets, || {
        let found = format!("{zones} zones, where {targets} healthy targets are enough");
        let accepted = format!("at most {targets}, as in `spec.loadBalancer.minHealthyTargets`");
        let advice = "a target stands in one zone; raise minHealthyTargets, or ask for fewer zones";
        Finding::new(Code::TooManyZones, "spec.loadBalancer.minZones", found, &accepted, advice)
    }));
}

fn a_redirect_elsewhere(migration: &Migration, findings: &mut Vec<Finding>) {
    findings.extend(when(migration.spec.load_balancer.redirect.from_port == 443, || {
        let found = "port 443 would be redirected to port 443".to_owned();
        Finding::new(
            Code::RedirectToItself,
            "spec.loadBalancer.redirect.fromPort",
            found,
            "a plain HTTP port such as 80",
            "write 80",
        )
    }));
}

/// A browser that has seen a 301 never asks again, and a rollback cannot reach into browsers.
fn no_early_301(migration: &Migration, findings: &mut Vec<Finding>) {
    let early = migration.spec.phase < Phase::CutOver;
    findings.extend(when(early && migration.spec.load_balancer.redirect.status_code == RedirectStatus::Http301, || {
        let found = format!("a permanent redirect in phase `{}`", migration.spec.phase);
        let advice = "browsers remember a 301 for good; use HTTP_302 until the migration is completed";
        Finding::new(Code::EarlyPermanentRedirect, "spec.loadBalancer.redirect.statusCode", found, "`HTTP_302`", advice)
    }));
}
