//! What servers said about the public name in one round. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::checks::network::{DnsAnswer, DnsValue, Existence, Trouble};
use crate::names::DomainName;

/// The most CNAMEs that are followed: resolvers give up after about as many.
pub const MOST_HOPS: usize = 8;

/// The most entries of a list that a sentence names.
const MOST_NAMED: usize = 4;

/// What one server said to one question, or why it said nothing.
pub type Reply = Result<DnsAnswer, Trouble>;

/// One round: everybody's replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The zone's own servers.
    pub authorities: Vec<Voice>,
    /// Those that customers ask.
    pub resolvers: Vec<Voice>,
    /// The hosts that the spec leads to by their names (load balancers, CNAMEs), and what each resolver said to `A`.
    pub hosts: BTreeMap<DomainName, Vec<(IpAddr, Reply)>>,
    /// `CAA` of the public name and of each name above it, the nearest first; empty where no load balancer needs them.
    pub issuers: Vec<(DomainName, Reply)>,
}

/// What one server said about the public name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// Who.
    pub server: IpAddr,
    /// To `A`.
    pub a: Reply,
    /// To `AAAA`.
    pub aaaa: Reply,
    /// To `CNAME`.
    pub cname: Reply,
}

impl Heard {
    /// Everybody, authorities first.
    pub fn voices(&self) -> impl Iterator<Item = &Voice> {
        self.authorities.iter().chain(&self.resolvers)
    }

    /// The addresses of a host that `judged` is compared with: those that another resolver told of it, and those of its own that
    /// the zone's servers answer too. Where nobody else told any, its own word has to do.
    ///
    /// A resolver that answers every name with one address would otherwise vouch for itself.
    pub fn addresses_of(&self, host: &DomainName, judged: IpAddr) -> BTreeSet<IpAddr> {
        let (own, others): (Vec<_>, Vec<_>) = self.told_of(host).partition(|(server, _)| *server == judged);
        let (own, mut known) = (addresses_in(own), addresses_in(others));
        if known.is_empty() {
            return own;
        }
        let confirmed: BTreeSet<IpAddr> = self.authorities.iter().flat_map(|voice| addresses(&voice.a)).collect();
        known.extend(own.intersection(&confirmed));
        known
    }

    /// What each resolver said about a host.
    pub fn told_of(&self, host: &DomainName) -> impl Iterator<Item = &(IpAddr, Reply)> {
        self.hosts.get(host).into_iter().flatten()
    }

    /// The same round, with what an earlier one said about the hosts.
    pub fn remembering(mut self, earlier: Self) -> Self {
        for (host, replies) in earlier.hosts {
            self.hosts.entry(host).or_default().extend(replies);
        }
        self
    }
}

impl Voice {
    /// Why one of its replies is none, if so.
    pub fn trouble(&self) -> Option<&Trouble> {
        [&self.a, &self.aaaa, &self.cname].into_iter().find_map(|reply| reply.as_ref().err())
    }
}

/// Where an answer to `A` leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lead {
    /// The name does not exist.
    NoName,
    /// It exists, without an address.
    NoAddress,
    /// To another name.
    Host(DomainName),
    /// To these addresses.
    Addresses(BTreeSet<IpAddr>),
}

impl Lead {
    /// Where `answer` leads whoever asked for `name`.
    pub fn of(answer: &DnsAnswer, name: &DomainName) -> Self {
        if let Some(host) = alias_of(answer, name) {
            return Self::Host(host.clone());
        }
        let addresses: BTreeSet<IpAddr> = own_addresses(answer, name).collect();
        match answer.existence {
            Existence::Exists if addresses.is_empty() => Self::NoAddress,
            Existence::DoesNot if addresses.is_empty() => Self::NoName,
            Existence::Exists | Existence::DoesNot => Self::Addresses(addresses),
        }
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("NXDOMAIN (no such name)"),
            Self::NoAddress => f.write_str("no address"),
            Self::Host(host) => write!(f, "CNAME {host}"),
            Self::Addresses(addresses) => write!(f, "{}", listed(addresses)),
        }
    }
}

/// The name that `name` is another word for.
pub fn alias_of<'a>(answer: &'a DnsAnswer, name: &DomainName) -> Option<&'a DomainName> {
    answer.records.iter().find_map(|record| match &record.value {
        DnsValue::Alias(host) if record.name == *name => Some(host),
        _ => None,
    })
}

/// Addresses that stand at `name` itself, not behind a CNAME.
pub fn own_addresses<'a>(answer: &'a DnsAnswer, name: &'a DomainName) -> impl Iterator<Item = IpAddr> + 'a {
    answer.records.iter().filter(move |record| record.name == *name).filter_map(|record| address(&record.value))
}

/// The names that an answer leads through, in order, as far as it shows them and [`MOST_HOPS`] at most.
pub fn chain<'a>(answer: &'a DnsAnswer, name: &DomainName) -> Vec<&'a DomainName> {
    let first = alias_of(answer, name);
    std::iter::successors(first, |host| alias_of(answer, host)).take(MOST_HOPS).collect()
}

/// How long the answer about `name` itself may be kept, in seconds; `None` where it has none.
pub fn ttl_seconds(answer: &DnsAnswer, name: &DomainName) -> Option<u32> {
    answer.records.iter().filter(|record| record.name == *name).map(|record| record.ttl_seconds).max()
}

/// Every address in an answer, whoever's.
fn addresses(reply: &Reply) -> impl Iterator<Item = IpAddr> {
    reply.iter().flat_map(|answer| &answer.records).filter_map(|record| address(&record.value))
}

fn addresses_in(told: Vec<&(IpAddr, Reply)>) -> BTreeSet<IpAddr> {
    told.into_iter().flat_map(|(_, reply)| addresses(reply)).collect()
}

const fn address(value: &DnsValue) -> Option<IpAddr> {
    match value {
        DnsValue::Address(address) => Some(*address),
        DnsValue::Alias(_) | DnsValue::Server(_) | DnsValue::Authority(_) | DnsValue::Issuer(..) => None,
    }
}

/// The first few of a list, and how many more there are.
pub fn listed<T: fmt::Display>(entries: impl IntoIterator<Item = T>) -> String {
    let mut entries = entries.into_iter();
    let named: Vec<String> = entries.by_ref().take(MOST_NAMED).map(|entry| entry.to_string()).collect();
    match entries.count() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
