//! Records beside the public one that would lead customers astray, now or after the switch.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::heard::{Heard, MOST_HOPS, Voice, alias_of, chain, listed, own_addresses};
use super::judge::{Finding, Wrong};
use super::wish::Wish;
use crate::checks::network::DnsValue;
use crate::names::DomainName;

/// The names by which CAA allows Amazon's certificates (ACM User Guide, "Configure a CAA record").
const AMAZON: [&str; 4] = ["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"];

/// Everything that gets in the way of the public record.
pub fn conflicts(wish: &Wish<'_>, heard: &Heard) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(forgotten_ipv6(wish, heard));
    findings.extend(cname_beside_others(wish, heard));
    findings.extend(through_legacy(wish, heard));
    findings.extend(endless_chain(wish, heard));
    findings.extend(amazon_forbidden(wish, heard));
    findings
}

fn conflict(sentence: &str) -> Finding {
    Finding::new(Wrong::Conflict, sentence)
}

/// The switch moves the A record, or the CNAME; an AAAA at the same name stays where it is.
fn forgotten_ipv6(wish: &Wish<'_>, heard: &Heard) -> Option<Finding> {
    let name = wish.name();
    let addresses = |voice: &Voice| -> BTreeSet<IpAddr> {
        let own = voice.aaaa.iter().flat_map(|answer| own_addresses(answer, name));
        own.filter(|address| !is_synthesised(address)).collect()
    };
    let servers: Vec<IpAddr> = heard.voices().filter(|voice| !addresses(voice).is_empty()).map(|voice| voice.server).collect();
    let first = heard.voices().map(addresses).find(|addresses| !addresses.is_empty())?;
    Some(conflict(&format!(
        "{name} has an AAAA record, {}, says {}; the switch would leave it where it is, and customers with IPv6 behind: remove \
         it, and wait for its TTL",
        listed(&first),
        listed(&servers)
    )))
}

/// A resolver behind NAT64 makes AAAA records out of A records, within this prefix (RFC 6052, section 2.1).
const fn is_synthesised(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => matches!(address.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _]),
    }
}

/// A CNAME stands alone (RFC 1034, section 3.6.2); where it does not, each resolver picks what it likes.
fn cname_beside_others(wish: &Wish<'_>, heard: &Heard) -> Option<Finding> {
    let name = wish.name();
    let both = |voice: &&Voice| {
        let replies = [&voice.a, &voice.aaaa, &voice.cname];
        let answers = || replies.into_iter().flatten();
        answers().any(|answer| alias_of(answer, name).is_some())
            && answers().any(|answer| own_addresses(answer, name).next().is_some())
    };
    let servers: Vec<IpAddr> = heard.voices().filter(both).map(|voice| voice.server).collect();
    (!servers.is_empty()).then(|| {
        conflict(&format!("{name} is a CNAME and has addresses of its own, says {}: remove one of the two", listed(&servers)))
    })
}

/// The target's own host leads through the old system's names: it would end with them.
fn through_legacy(wish: &Wish<'_>, heard: &Heard) -> Option<Finding> {
    let names = wish.names_of_legacy();
    let targets = heard.hosts.iter().filter(|(host, _)| wish.is_target(host));
    let answers = targets.flat_map(|(host, told)| told.iter().flat_map(move |(_, reply)| reply.iter().map(move |it| (host, it))));
    let mut hops = answers.flat_map(|(host, answer)| chain(answer, host).into_iter().map(move |hop| (host, hop)));
    let (host, hop) = hops.find(|(_, hop)| names.contains(*hop))?;
    Some(conflict(&format!(
        "the target's host {host} is a CNAME that leads through {hop}, a name of the old system, and would end with it; point it \
         at the new system itself"
    )))
}

fn endless_chain(wish: &Wish<'_>, heard: &Heard) -> Option<Finding> {
    let name = wish.name();
    let endless = |voice: &&Voice| voice.a.as_ref().is_ok_and(|answer| chain(answer, name).len() == MOST_HOPS);
    let voice = heard.voices().find(endless)?;
    let sentence =
        format!("{name} leads through {MOST_HOPS} CNAMEs and more, says {}: point it at the last of them", voice.server);
    Some(conflict(&sentence))
}

/// The nearest CAA records rule, those of a name above only where there are none (RFC 8659, section 3).
fn amazon_forbidden(wish: &Wish<'_>, heard: &Heard) -> Option<Finding> {
    let balancer = wish.load_balancer()?;
    let (owner, properties) = nearest_issuers(heard)?;
    let allowed: Vec<&str> = properties.iter().filter(|(tag, _)| *tag == "issue").map(|(_, value)| issuer(value)).collect();
    let forbidden = !allowed.is_empty() && !allowed.iter().any(|issuer| AMAZON.contains(issuer));
    forbidden.then(|| {
        let named: Vec<&str> = allowed.into_iter().filter(|issuer| !issuer.is_empty()).collect();
        let named = if named.is_empty() { "nobody".to_owned() } else { listed(named) };
        conflict(&format!(
            "CAA of {owner} lets {named} issue certificates, and not Amazon: an ACM certificate of {balancer} could not be \
             renewed; add `0 issue \"amazon.com\"`"
        ))
    })
}

/// The nearest name with CAA records, and those; `None` where there are none, or a nearer name was not answered.
fn nearest_issuers(heard: &Heard) -> Option<(&DomainName, Vec<(&str, &str)>)> {
    for (name, reply) in &heard.issuers {
        let records = &reply.as_ref().ok()?.records;
        let properties: Vec<(&str, &str)> = records
            .iter()
            .filter_map(|record| match &record.value {
                DnsValue::Issuer(tag, value) => Some((tag.as_str(), value.as_str())),
                _ => None,
            })
            .collect();
        if !properties.is_empty() {
            return Some((name, properties));
        }
    }
    None
}

/// The issuer's name, without parameters such as `; accounturi=...`. Empty, it forbids everybody.
fn issuer(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}
