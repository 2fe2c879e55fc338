//! Rules about who is asked for the public name.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Rule, repeated, when};
use crate::spec::Migration;
use crate::spec::checks::NamesCheck;
use crate::spec::code::Code;
use crate::spec::finding::Finding;

pub(super) const RULES: &[Rule] = &[each_server_once, own_word_or_others, servers_have_addresses];

const RESOLVERS: &str = "spec.checks.names.resolvers";
const AUTHORITIES: &str = "spec.checks.names.authorities";

/// Both lists of servers with their paths.
fn lists(check: &NamesCheck) -> [(&'static str, &[IpAddr]); 2] {
    [(RESOLVERS, &check.resolvers), (AUTHORITIES, &check.authorities)]
}

/// A resolver that stands there twice would seem to agree with itself.
fn each_server_once(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, servers) in migration.spec.checks.names.iter().flat_map(lists) {
        repeated(path, servers, findings);
    }
}

/// An authority is asked for its own word, and a resolver for what it remembers of others'.
fn own_word_or_others(migration: &Migration, findings: &mut Vec<Finding>) {
    let Some(check) = &migration.spec.checks.names else { return };
    let resolvers: BTreeSet<&IpAddr> = check.resolvers.iter().collect();
    for (index, server) in check.authorities.iter().enumerate() {
        findings.extend(when(resolvers.contains(server), || {
            let found = format!("`{server}` is also one of the resolvers");
            let accepted = "an address that is not in `spec.checks.names.resolvers`";
            let advice = "keep it where it belongs: `dig NS` of the zone names its authorities, customers use the resolvers";
            Finding::new(Code::AuthorityAmongResolvers, &format!("{AUTHORITIES}[{index}]"), found, accepted, advice)
        }));
    }
}

fn servers_have_addresses(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, servers) in migration.spec.checks.names.iter().flat_map(lists) {
        for (index, server) in servers.iter().enumerate() {
            findings.extend(when(is_nobodys(server), || {
                let found = format!("`{server}` is no single server's address");
                let advice = "write the server's address, or leave the list out for what it is by default";
                let path = format!("{path}[{index}]");
                Finding::new(Code::NobodysAddress, &path, found, "the address of one server", advice)
            }));
        }
    }
}

/// Addresses that no question can be sent to with an answer from there.
fn is_nobodys(server: &IpAddr) -> bool {
    server.is_unspecified() || server.is_multicast() || *server == IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}
