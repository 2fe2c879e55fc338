//! Who is asked what.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::{join, join_all, join3};

use super::heard::{Heard, Reply, Voice};
use super::wish::Wish;
use crate::checks::network::{DnsAnswer, DnsValue, Existence, Question, RecordType, Recursion};
use crate::checks::outcome::{Code, Evidence, Outcome};
use crate::checks::probe::Probe;
use crate::clock::elapsed;
use crate::names::DomainName;
use crate::spec::checks::NamesCheck;

/// The most authorities that are found by themselves: Route 53 gives four to a zone, and others up to about eight.
const MOST_AUTHORITIES: usize = 8;

/// A run asks at most four times, each after the answers to the one before: for the zone's servers, for their addresses, and in
/// two rounds for the name. With a fifth of the time for each, the last answer is still judged.
const SHARES: u32 = 5;

/// The most names that are asked for CAA: the public name and those above it. RFC 8659 climbs without an end, names do not.
const MOST_LABELS: usize = 10;

/// One run's way of asking.
#[derive(Debug, Clone, Copy)]
pub struct Interview<'a> {
    probe: &'a Probe<'a>,
    port: u16,
    limit: Duration,
}

impl<'a> Interview<'a> {
    /// An interview within the time limit of one run.
    pub fn new(probe: &'a Probe<'a>, port: u16) -> Self {
        Self { probe, port, limit: probe.migration.spec.checks.timeout.duration() / SHARES }
    }

    /// The zone's servers: those that are declared, or those that the first resolver knows.
    ///
    /// # Errors
    /// The end of the run, where there are none.
    pub async fn authorities(&self, check: &NamesCheck) -> Result<Vec<IpAddr>, Outcome> {
        let Some(resolver) = check.resolvers.first().copied() else {
            return Err(Outcome::unknown(Code::NotAsked, "no resolvers are declared; write at least one", Vec::new()));
        };
        if !check.authorities.is_empty() {
            return Ok(check.authorities.clone());
        }
        let zone = &self.probe.migration.spec.dns.zone_name;
        let (reply, evidence) = self.noted(resolver, zone, RecordType::Ns, Recursion::Desired).await;
        let answer = reply.map_err(|trouble| Outcome::unknown(trouble.code, trouble.to_string(), vec![evidence.clone()]))?;
        let servers = servers_of(&answer, zone);
        if servers.is_empty() {
            let message = format!("{zone} has no name servers, says {resolver}; correct spec.dns.zoneName, or its delegation");
            return Err(Outcome::fail(Code::NameNotFound, message, vec![evidence]));
        }
        self.addresses(resolver, &servers).await
    }

    /// One address of each server.
    async fn addresses(&self, resolver: IpAddr, servers: &[&DomainName]) -> Result<Vec<IpAddr>, Outcome> {
        let questions = servers.iter().map(|server| self.noted(resolver, server, RecordType::A, Recursion::Desired));
        let (replies, evidence): (Vec<Reply>, Vec<Evidence>) = join_all(questions).await.into_iter().unzip();
        let mut addresses: Vec<IpAddr> = replies.iter().flatten().filter_map(address_in).collect();
        addresses.sort();
        addresses.dedup();
        if addresses.is_empty() {
            let message = format!("{resolver} tells no address of the zone's servers; declare spec.checks.names.authorities");
            return Err(Outcome::unknown(Code::ResolverSilent, message, evidence));
        }
        Ok(addresses)
    }

    /// One round: everybody at once.
    pub async fn round(&self, wish: &Wish<'_>, authorities: &[IpAddr], resolvers: &[IpAddr]) -> (Heard, Vec<Evidence>) {
        let name = wish.name();
        let own = join_all(authorities.iter().map(|server| self.voice(*server, name, Recursion::Off)));
        let others = join_all(resolvers.iter().map(|server| self.voice(*server, name, Recursion::Desired)));
        let beside = join(self.hosts(wish, resolvers), self.issuers(wish, resolvers));
        let (own, others, (hosts, issuers)) = join3(own, others, beside).await;
        let (authorities, mut evidence): (Vec<_>, Vec<_>) = own.into_iter().unzip();
        let (resolvers, more): (Vec<_>, Vec<_>) = others.into_iter().unzip();
        evidence.extend(more);
        let mut heard = Heard { authorities, resolvers, hosts: Default::default(), issuers: Vec::new() };
        for (host, server, reply, seen) in hosts {
            heard.hosts.entry(host).or_default().push((server, reply));
            evidence.push(seen);
        }
        for (name, reply, seen) in issuers {
            heard.issuers.push((name, reply));
            evidence.push(seen);
        }
        (heard, evidence)
    }

    /// What one server says about the public name.
    async fn voice(&self, server: IpAddr, name: &DomainName, recursion: Recursion) -> (Voice, Evidence) {
        let at = self.probe.clock.now();
        let ask = |record| self.ask(server, name, record, recursion);
        let (a, aaaa, cname) = join3(ask(RecordType::A), ask(RecordType::Aaaa), ask(RecordType::Cname)).await;
        let asked = format!("A, AAAA and CNAME {name}, asked of {server}");
        let answered = format!("A: {}; AAAA: {}; CNAME: {}", told(&a), told(&aaaa), told(&cname));
        let evidence = Evidence::new(&asked, &answered, at, elapsed(at, self.probe.clock.now()));
        (Voice { server, a, aaaa, cname }, evidence)
    }

    /// What each resolver says about the hosts that the spec leads to.
    async fn hosts(&self, wish: &Wish<'_>, resolvers: &[IpAddr]) -> Vec<(DomainName, IpAddr, Reply, Evidence)> {
        let hosts = wish.hosts();
        let pairs = hosts.into_iter().flat_map(|host| resolvers.iter().map(move |resolver| (host, *resolver)));
        let questions = pairs.map(|(host, resolver)| async move {
            let (reply, evidence) = self.noted(resolver, host, RecordType::A, Recursion::Desired).await;
            (host.clone(), resolver, reply, evidence)
        });
        join_all(questions).await
    }

    /// Who may issue certificates for the public name, where a load balancer needs one.
    async fn issuers(&self, wish: &Wish<'_>, resolvers: &[IpAddr]) -> Vec<(DomainName, Reply, Evidence)> {
        let resolver = resolvers.first().filter(|_| wish.load_balancer().is_some());
        let names = resolver.into_iter().flat_map(|resolver| upwards(wish.name()).map(move |name| (name, *resolver)));
        let questions = names.map(|(name, resolver)| async move {
            let (reply, evidence) = self.noted(resolver, &name, RecordType::Caa, Recursion::Desired).await;
            (name, reply, evidence)
        });
        join_all(questions).await
    }

    /// One question, with its evidence.
    async fn noted(&self, server: IpAddr, name: &DomainName, record: RecordType, recursion: Recursion) -> (Reply, Evidence) {
        let at = self.probe.clock.now();
        let reply = self.ask(server, name, record, recursion).await;
        let asked = format!("{} {name}, asked of {server}", record.as_str());
        let evidence = Evidence::new(&asked, &told(&reply), at, elapsed(at, self.probe.clock.now()));
        (reply, evidence)
    }

    async fn ask(&self, server: IpAddr, name: &DomainName, record: RecordType, recursion: Recursion) -> Reply {
        let question = Question { server, port: self.port, name: name.clone(), record, recursion, limit: self.limit };
        self.probe.network.ask(&question).await
    }
}

/// The servers that an answer to `NS` names, as many as are asked.
fn servers_of<'a>(answer: &'a DnsAnswer, zone: &DomainName) -> Vec<&'a DomainName> {
    let own = answer.records.iter().filter(|record| record.name == *zone);
    let servers = own.filter_map(|record| match &record.value {
        DnsValue::Server(server) => Some(server),
        _ => None,
    });
    servers.take(MOST_AUTHORITIES).collect()
}

fn address_in(answer: &DnsAnswer) -> Option<IpAddr> {
    answer.records.iter().find_map(|record| match record.value {
        DnsValue::Address(address) => Some(address),
        _ => None,
    })
}

/// `pay.example.com`, `example.com`: the name and those above it, without the registry's own.
fn upwards(name: &DomainName) -> impl Iterator<Item = DomainName> + use<> {
    let above = |name: &String| name.split_once('.').map(|(_, rest)| rest.to_owned()).filter(|rest| rest.contains('.'));
    std::iter::successors(Some(name.0.clone()), above).take(MOST_LABELS).map(DomainName)
}

/// A reply as evidence.
fn told(reply: &Reply) -> String {
    match reply {
        Err(trouble) => trouble.detail.clone(),
        Ok(DnsAnswer { existence: Existence::DoesNot, records, .. }) if records.is_empty() => "no such name".to_owned(),
        Ok(answer) if answer.records.is_empty() => "nothing".to_owned(),
        Ok(answer) => {
            let records = answer.records.iter().map(|record| format!("{} ({} s)", value(&record.value), record.ttl_seconds));
            super::heard::listed(records)
        }
    }
}

fn value(value: &DnsValue) -> String {
    match value {
        DnsValue::Address(address) => address.to_string(),
        DnsValue::Alias(host) | DnsValue::Server(host) | DnsValue::Authority(host) => host.to_string(),
        DnsValue::Issuer(tag, value) => format!("{tag} {value}"),
    }
}
