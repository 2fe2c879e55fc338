//! The rule that the two sides are two databases, also where one cluster answers to several names.
//!
//! RDS names are `NAME.HASH.REGION.rds.amazonaws.com`, where HASH belongs to one account in one region: what differs in either
//! is not the same cluster. With the same HASH, the front says what NAME is the name of.

use super::Rule;
use crate::names::Side;
use crate::spec::Migration;
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};

pub(super) const RULES: &[Rule] = &[two_databases];

/// What NAME is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Front {
    /// `cluster-HASH`: a cluster, at its writer.
    Writer,
    /// `cluster-ro-HASH`: a cluster, at its readers.
    Reader,
    /// `cluster-custom-HASH`: an endpoint that somebody named, of a cluster that is not named.
    Custom,
    /// `HASH` alone: one instance, of a cluster or of none.
    Instance,
}

/// A host name of RDS, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RdsName<'a> {
    /// The first label.
    pub name: &'a str,
    /// What it names.
    pub front: Front,
    /// HASH and region.
    account: (&'a str, &'a str),
}

impl<'a> RdsName<'a> {
    /// The parts of `host`, if it is a name of RDS.
    pub fn of(host: &'a str) -> Option<Self> {
        let (name, rest) = host.strip_suffix(".rds.amazonaws.com")?.split_once('.')?;
        let (label, region) = rest.split_once('.')?;
        let fronts = [
            ("cluster-ro-", Front::Reader),
            ("cluster-custom-", Front::Custom),
            ("cluster-", Front::Writer),
            ("", Front::Instance),
        ];
        let (front, hash) = fronts.into_iter().find_map(|(prefix, front)| Some((front, label.strip_prefix(prefix)?)))?;
        Some(Self { name, front, account: (hash, region) })
    }
}

/// How sure it is that a legacy host is a part of the target's cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// Its name says so.
    Same,
    /// Its name would be the same if it were.
    Perhaps,
}

/// What the names say of a legacy host beside the target's; nothing if they are plainly two.
fn likeness(legacy: RdsName<'_>, target: RdsName<'_>, cluster: &str) -> Option<Likeness> {
    if legacy.account != target.account {
        return None;
    }
    match legacy.front {
        Front::Writer | Front::Reader => (legacy.name == cluster).then_some(Likeness::Same),
        // It names no cluster, but a MySQL outside Aurora has no such endpoint.
        Front::Custom => Some(Likeness::Perhaps),
        Front::Instance => {
            let of_cluster = legacy.name.strip_prefix(cluster)?;
            // The console names a cluster's own instances so. Any other name is free: `payments-old` beside the cluster
            // `payments` may well be the legacy server, and a file cannot tell.
            let number = of_cluster.strip_prefix("-instance-");
            let by_console = number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
            let perhaps = (of_cluster.is_empty() || of_cluster.starts_with('-')).then_some(Likeness::Perhaps);
            if by_console { Some(Likeness::Same) } else { perhaps }
        }
    }
}

fn two_databases(migration: &Migration, findings: &mut Vec<Finding>) {
    let (legacy, target) = (migration.database(Side::Legacy), migration.database(Side::Target));
    let cluster = &migration.spec.target.cluster;
    if legacy.host.eq_ignore_ascii_case(&target.host) && legacy.port == target.port {
        let found = format!("{} is also the legacy database", quoted(&target.host));
        let accepted = "another server than `spec.legacy.database.host`";
        let advice = "write the Aurora cluster's writer endpoint";
        findings.push(Finding::new(Code::SameDatabase, "spec.target.database.host", found, accepted, advice));
        return;
    }
    let (Some(left), Some(right)) = (RdsName::of(&legacy.host), RdsName::of(&target.host)) else { return };
    let path = "spec.legacy.database.host";
    let accepted = format!("a server outside the target's cluster, `{cluster}`");
    findings.extend(likeness(left, right, cluster.as_str()).map(|likeness| match likeness {
        Likeness::Same => {
            let found = format!("{} is another name of the target's cluster", quoted(&legacy.host));
            let advice = "write the server that the application writes to today; a cluster cannot move to itself";
            Finding::new(Code::SameDatabase, path, found, &accepted, advice)
        }
        Likeness::Perhaps => {
            let found = format!("{} may belong to the target's cluster", quoted(&legacy.host));
            let advice = "look it up: `aws rds describe-db-clusters` lists the members and endpoints of each cluster";
            Finding::new(Code::PerhapsSameDatabase, path, found, &accepted, advice)
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "c1x2y3z4a5b6.eu-west-1.rds.amazonaws.com";

    /// What is said of `front` before the target's HASH, beside the cluster `payments`.
    fn said(front: &str) -> Option<Likeness> {
        let (legacy, target) = (format!("{front}{HASH}"), format!("payments.cluster-{HASH}"));
        likeness(RdsName::of(&legacy).expect("a name of RDS"), RdsName::of(&target).expect("a name of RDS"), "payments")
    }

    #[test]
    fn the_clusters_other_endpoints_and_instances_of_the_console_are_the_same_database() {
        for front in ["payments.cluster-", "payments.cluster-ro-", "payments-instance-1.", "payments-instance-12."] {
            assert_eq!(said(front), Some(Likeness::Same), "{front}");
        }
    }

    #[test]
    fn names_that_do_not_tell_are_for_a_person() {
        for front in ["payments.", "payments-a.", "payments-instance-old.", "payments-instance-.", "reports.cluster-custom-"] {
            assert_eq!(said(front), Some(Likeness::Perhaps), "{front}");
        }
    }

    #[test]
    fn another_cluster_another_servers_name_and_a_proxy_are_another_database() {
        for front in ["orders.cluster-", "orders.cluster-ro-", "mysql-payments.", "paymentsold.", "payments.proxy-"] {
            assert_eq!(said(front), None, "{front}");
        }
    }

    #[test]
    fn another_account_or_region_is_another_database() {
        let target = format!("payments.cluster-{HASH}");
        let target = RdsName::of(&target).expect("a name of RDS");
        for legacy in [HASH.replace("c1x2", "c9x9"), HASH.replace("eu-west-1", "eu-central-1")] {
            let legacy = format!("payments.cluster-ro-{legacy}");
            assert_eq!(likeness(RdsName::of(&legacy).expect("a name of RDS"), target, "payments"), None, "{legacy}");
        }
        assert_eq!(RdsName::of("mysql.payments.legacy.example.net"), None);
    }
}
