//! What the spec says that the public name leads to, and whether an answer does.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::heard::{Heard, Lead, listed};
use crate::names::{DomainName, Side};
use crate::spec::{Destination, Dns, Migration};

/// Route 53 answers an alias to a load balancer with this TTL, whatever is asked for (Developer Guide, "Choosing between alias
/// and non-alias records").
const ALIAS_TTL_SECONDS: u64 = 60;

/// What the public name is to lead to now.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Both destinations, and the TTL.
    pub dns: &'a Dns,
    /// The side that is to serve.
    pub public_at: Side,
    /// Hosts of the old system.
    pub legacy_hosts: &'a [DomainName],
}

/// Whose answer an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// One side's, as declared.
    Side(Side),
    /// Neither's.
    Neither,
    /// Nobody told the load balancer's addresses, so that nobody can say.
    Unsure,
}

impl<'a> Wish<'a> {
    /// The wish of a migration whose public name is to lead to `public_at`.
    pub const fn of(migration: &'a Migration, public_at: Side) -> Self {
        let spec = &migration.spec;
        Self { dns: &spec.dns, public_at, legacy_hosts: spec.checks.legacy_hosts.as_slice() }
    }

    /// The name that customers use.
    pub const fn name(&self) -> &'a DomainName {
        &self.dns.public.name
    }

    /// Where it is to lead.
    pub const fn destination(&self) -> &'a Destination {
        self.dns.public.destination(self.public_at)
    }

    /// Whether a side's addresses may change by themselves.
    pub const fn may_rotate(&self) -> bool {
        let public = &self.dns.public;
        matches!((&public.legacy, &public.target), (Destination::Alias(_), _) | (_, Destination::Alias(_)))
    }

    /// The hosts whose own answers matter: load balancers, and whatever host the target is.
    pub fn hosts(&self) -> BTreeSet<&'a DomainName> {
        let public = &self.dns.public;
        let legacy = host(&public.legacy).filter(|_| matches!(public.legacy, Destination::Alias(_)));
        legacy.into_iter().chain(host(&public.target)).collect()
    }

    /// Whether a host is where the target is declared to be.
    pub fn is_target(&self, name: &DomainName) -> bool {
        host(&self.dns.public.target) == Some(name)
    }

    /// The names that belong to the old system.
    pub fn names_of_legacy(&self) -> BTreeSet<&'a DomainName> {
        self.legacy_hosts.iter().chain(host(&self.dns.public.legacy)).collect()
    }

    /// The load balancer that ends the target's TLS, if the spec shows one.
    pub fn load_balancer(&self) -> Option<&'a DomainName> {
        match &self.dns.public.target {
            Destination::A(_) => None,
            Destination::Alias(alias) => Some(&alias.dns_name),
            Destination::Cname(cname) => Some(&cname.host).filter(|host| is_elastic_load_balancer(host)),
        }
    }

    /// The longest TTL that authoritative servers may serve, in seconds.
    pub fn longest_ttl_seconds(&self) -> u64 {
        match self.destination() {
            Destination::Alias(_) => ALIAS_TTL_SECONDS,
            // Route 53 counts whole seconds, and zero is never written.
            Destination::A(_) | Destination::Cname(_) => self.dns.ttl.duration().as_secs().max(1),
        }
    }

    /// Whose answer the `lead` of `server` is, by what is known of the hosts.
    pub fn answered(&self, lead: &Lead, server: IpAddr, heard: &Heard) -> Answered {
        let known = |host: &DomainName| heard.addresses_of(host, server);
        let sides = [self.public_at, self.public_at.other()];
        if let Some(side) = sides.into_iter().find(|side| leads_to(lead, self.dns.public.destination(*side), known)) {
            return Answered::Side(side);
        }
        let is_untold = |host| known(host).is_empty() && heard.told_of(host).any(|(_, reply)| reply.is_err());
        match (lead, self.destination()) {
            (Lead::Addresses(_), Destination::Alias(alias)) if is_untold(&alias.dns_name) => Answered::Unsure,
            _ => Answered::Neither,
        }
    }
}

/// `name-1.eu-central-1.elb.amazonaws.com`, or `name-1.elb.eu-central-1.amazonaws.com`.
fn is_elastic_load_balancer(host: &DomainName) -> bool {
    let host = host.as_str();
    host.contains(".elb.") && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

const fn host(destination: &Destination) -> Option<&DomainName> {
    match destination {
        Destination::A(_) => None,
        Destination::Cname(cname) => Some(&cname.host),
        Destination::Alias(alias) => Some(&alias.dns_name),
    }
}

/// An alias is answered with some of its load balancer's addresses, and perhaps not with all.
fn leads_to(lead: &Lead, destination: &Destination, known: impl Fn(&DomainName) -> BTreeSet<IpAddr>) -> bool {
    match (lead, destination) {
        (Lead::Addresses(addresses), Destination::A(record)) => {
            record.addresses.iter().copied().map(IpAddr::V4).collect::<BTreeSet<_>>() == *addresses
        }
        (Lead::Addresses(addresses), Destination::Alias(alias)) => addresses.is_subset(&known(&alias.dns_name)),
        (Lead::Host(host), Destination::Cname(cname)) => *host == cname.host,
        _ => false,
    }
}

/// A destination as a sentence names it.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a>(pub &'a Destination);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Destination::A(record) => f.write_str(&listed(&record.addresses)),
            Destination::Cname(cname) => write!(f, "CNAME {}", cname.host),
            Destination::Alias(alias) => write!(f, "the addresses of {}", alias.dns_name),
        }
    }
}
