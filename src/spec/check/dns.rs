//! Rules about the names on the Internet.

use super::{Rule, repeated, when};
use crate::names::DomainName;
use crate::spec::code::Code;
use crate::spec::finding::Finding;
use crate::spec::{Destination, Migration};

pub(super) const RULES: &[Rule] = &[
    a_shadow_of_its_own,
    inside_the_zone,
    no_cname_at_the_apex,
    somewhere_to_go,
    no_cname_loop,
    the_load_balancers_own_zone,
    addresses_once,
    a_short_ttl,
];

/// The public name's two destinations, with their paths.
fn destinations(migration: &Migration) -> [(&'static str, &Destination); 2] {
    let public = &migration.spec.dns.public;
    [("spec.dns.public.legacy", &public.legacy), ("spec.dns.public.target", &public.target)]
}

/// The two records' names, with their paths.
fn records(migration: &Migration) -> [(&'static str, &DomainName); 2] {
    [("spec.dns.public.name", &migration.spec.dns.public.name), ("spec.dns.shadow.name", &migration.spec.dns.shadow.name)]
}

fn a_shadow_of_its_own(migration: &Migration, findings: &mut Vec<Finding>) {
    let dns = &migration.spec.dns;
    findings.extend(when(dns.shadow.name == dns.public.name, || {
        let found = format!("`{}` is also the public name", dns.shadow.name);
        let advice = "choose another name, such as one with `shadow-` before it: customers would be sent to the target";
        Finding::new(Code::ShadowIsPublic, "spec.dns.shadow.name", found, "a name that the public does not use", advice)
    }));
}

fn inside_the_zone(migration: &Migration, findings: &mut Vec<Finding>) {
    let zone = &migration.spec.dns.zone_name;
    for (path, name) in records(migration) {
        let inside = name == zone || name.as_str().strip_suffix(zone.as_str()).is_some_and(|rest| rest.ends_with('.'));
        findings.extend(when(!inside, || {
            let accepted = format!("a name that ends in `.{zone}`");
            let advice = "correct the name, or `spec.dns.zoneName` and `spec.dns.hostedZoneId` together";
            Finding::new(Code::OutsideZone, path, format!("`{name}` is not in the zone `{zone}`"), &accepted, advice)
        }));
    }
}

/// The zone's apex holds SOA and NS records, and a CNAME stands beside nothing.
fn no_cname_at_the_apex(migration: &Migration, findings: &mut Vec<Finding>) {
    let dns = &migration.spec.dns;
    for (path, destination) in destinations(migration) {
        let apex = dns.public.name == dns.zone_name && matches!(destination, Destination::Cname(_));
        findings.extend(when(apex, || {
            let found = format!("a CNAME for `{}`, the apex of its zone", dns.public.name);
            Finding::new(
                Code::CnameAtApex,
                &format!("{path}.cname"),
                found,
                "an `a` or an `alias` record",
                "write `a` or `alias`",
            )
        }));
    }
}

fn somewhere_to_go(migration: &Migration, findings: &mut Vec<Finding>) {
    let public = &migration.spec.dns.public;
    findings.extend(when(public.legacy == public.target, || {
        let found = "the same destination as `spec.dns.public.legacy`".to_owned();
        let advice = "write where the public name points once the target serves";
        Finding::new(Code::NowhereToGo, "spec.dns.public.target", found, "another destination", advice)
    }));
}

fn no_cname_loop(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, destination) in destinations(migration) {
        let Destination::Cname(cname) = destination else { continue };
        findings.extend(when(records(migration).iter().any(|(_, name)| **name == cname.host), || {
            let found = format!("`{}` is a name that this migration moves", cname.host);
            let advice = "write the host name of the server or load balancer itself";
            Finding::new(Code::CnameLoop, &format!("{path}.cname.host"), found, "a name outside this migration", advice)
        }));
    }
}

fn the_load_balancers_own_zone(migration: &Migration, findings: &mut Vec<Finding>) {
    let zone = &migration.spec.dns.hosted_zone_id;
    for (path, destination) in destinations(migration) {
        let Destination::Alias(alias) = destination else { continue };
        findings.extend(when(alias.hosted_zone_id == *zone, || {
            let found = format!("`{zone}` is the public name's zone");
            let advice = "`aws elbv2 describe-load-balancers` shows it as `CanonicalHostedZoneId`";
            let accepted = "the load balancer's `CanonicalHostedZoneId`";
            Finding::new(Code::AliasInOwnZone, &format!("{path}.alias.hostedZoneId"), found, accepted, advice)
        }));
    }
}

fn addresses_once(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, destination) in destinations(migration) {
        if let Destination::A(record) = destination {
            repeated(&format!("{path}.a.addresses"), &record.addresses, findings);
        }
    }
}

/// Five minutes: the longest that a customer should keep going to a side which has stopped serving.
const LONGEST_TTL_SECONDS: u64 = 300;

fn a_short_ttl(migration: &Migration, findings: &mut Vec<Finding>) {
    let ttl = migration.spec.dns.ttl;
    findings.extend(when(ttl.duration().as_secs() > LONGEST_TTL_SECONDS, || {
        let advice = "resolvers go on sending customers to the old side for this long; lower it";
        Finding::new(Code::LongTtl, "spec.dns.ttl", format!("a TTL of `{ttl}`"), "at most `5m`; `60s` is usual", advice)
    }));
}
