//! DNS as the world answers it: the zone's servers by what each has taken up, resolvers by the copies that they keep.

use std::net::{IpAddr, Ipv4Addr};

use crate::checks::network::{DnsAnswer, DnsRecord, DnsValue, Existence, Question, RecordType, Recursion};
use crate::checks::outcome::Code;
use crate::clock::elapsed;
use crate::names::{DomainName, Side};
use crate::sim::World;
use crate::sim::route53::{RecordData, SERVERS};
use crate::spec::Destination;

/// Names of the zone's servers are answered for so long: two days, as Route 53 has it.
const SERVER_TTL_SECONDS: u32 = 172_800;
/// Addresses of a load balancer are answered for a minute.
const BALANCER_TTL_SECONDS: u32 = 60;

/// The address of one of the zone's servers (TEST-NET-3).
fn server_address(number: usize) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, 250_u8.saturating_add(u8::try_from(number).unwrap_or(0))).into()
}

fn server_name(number: usize) -> DomainName {
    DomainName(format!("ns-{}.simulated.example", number + 1))
}

/// A load balancer's addresses (TEST-NET-2).
fn balancer_addresses() -> [IpAddr; 2] {
    [Ipv4Addr::new(198, 51, 100, 10).into(), Ipv4Addr::new(198, 51, 100, 11).into()]
}

pub(super) fn answer(world: &mut World, question: &Question) -> Result<DnsAnswer, (Code, String)> {
    let declared = world.setting.migration.spec.checks.names.clone();
    let authorities = declared.as_ref().map_or_else(Vec::new, |check| check.authorities.clone());
    let server = (0..SERVERS).find(|number| server_address(*number) == question.server);
    let authority = server.or_else(|| authorities.iter().position(|address| *address == question.server));
    let authoritative = authority.is_some() && question.recursion == Recursion::Off;
    let resolver = declared.as_ref().and_then(|check| check.resolvers.iter().position(|address| *address == question.server));
    let records = match (authority, resolver) {
        (Some(number), _) => of_zone(world, question, number),
        (None, Some(number)) => of_resolver(world, question, number),
        (None, None) => return Err((Code::ResolverSilent, "nobody answers there".to_owned())),
    };
    let existence = if records.is_some() { Existence::Exists } else { Existence::DoesNot };
    Ok(DnsAnswer { existence, authoritative, records: records.unwrap_or_default() })
}

/// What one of the zone's own servers serves; `None` where the name does not exist.
fn of_zone(world: &World, question: &Question, server: usize) -> Option<Vec<DnsRecord>> {
    let name = &question.name;
    if *name == world.setting.migration.spec.dns.zone_name {
        return Some(match question.record {
            RecordType::Ns => {
                (0..SERVERS).map(|number| record(name, SERVER_TTL_SECONDS, DnsValue::Server(server_name(number)))).collect()
            }
            _ => Vec::new(),
        });
    }
    let answer = world.route53.answer(name, server)?;
    let mut records = Vec::new();
    for served in answer.records {
        let ttl = u32::try_from(served.ttl_seconds()).unwrap_or(u32::MAX);
        match &served.data {
            RecordData::Alias { .. } if served.record_type == question.record.as_str() => {
                records.extend(balancer_addresses().map(|address| record(name, ttl, DnsValue::Address(address))));
            }
            RecordData::Alias { .. } => {}
            RecordData::Values { values, .. } => {
                let wanted = served.record_type == question.record.as_str() || served.record_type == "CNAME";
                records.extend(
                    values
                        .iter()
                        .filter(|_| wanted)
                        .filter_map(|text| value(&served.record_type, text))
                        .map(|value| record(name, ttl, value)),
                );
            }
        }
    }
    Some(records)
}

/// What a resolver answers from its copy; other names it looks up.
fn of_resolver(world: &mut World, question: &Question, resolver: usize) -> Option<Vec<DnsRecord>> {
    let name = &question.name;
    if let Some(number) = (0..SERVERS).find(|number| server_name(*number) == *name) {
        let address = record(name, SERVER_TTL_SECONDS, DnsValue::Address(server_address(number)));
        return Some(if question.record == RecordType::A { vec![address] } else { Vec::new() });
    }
    let dns = world.setting.migration.spec.dns.clone();
    if [&dns.public.legacy, &dns.public.target].into_iter().any(|destination| leads_through(destination, name)) {
        let addresses = balancer_addresses().map(|address| record(name, BALANCER_TTL_SECONDS, DnsValue::Address(address)));
        return Some(if question.record == RecordType::A { addresses.to_vec() } else { Vec::new() });
    }
    if *name != dns.public.name {
        return of_zone(world, question, resolver);
    }
    let now = world.now();
    let side = world.resolve(resolver, now)?;
    let left = world.resolvers.keeps_until(resolver).map_or(0, |until| elapsed(now, until).as_secs());
    Some(destination_records(
        &dns.public.name,
        dns.public.destination(side),
        u32::try_from(left).unwrap_or(u32::MAX),
        question.record,
    ))
}

fn leads_through(destination: &Destination, name: &DomainName) -> bool {
    match destination {
        Destination::A(_) => false,
        Destination::Cname(record) => record.host == *name,
        Destination::Alias(record) => record.dns_name == *name,
    }
}

fn destination_records(name: &DomainName, destination: &Destination, ttl_seconds: u32, asked: RecordType) -> Vec<DnsRecord> {
    match (destination, asked) {
        (Destination::A(a), RecordType::A) => {
            a.addresses.iter().map(|address| record(name, ttl_seconds, DnsValue::Address((*address).into()))).collect()
        }
        (Destination::Alias(_), RecordType::A) => {
            balancer_addresses().map(|address| record(name, ttl_seconds, DnsValue::Address(address))).to_vec()
        }
        (Destination::Cname(cname), RecordType::A | RecordType::Aaaa | RecordType::Cname) => {
            vec![record(name, ttl_seconds, DnsValue::Alias(cname.host.clone()))]
        }
        (Destination::A(_) | Destination::Alias(_) | Destination::Cname(_), _) => Vec::new(),
    }
}

fn record(name: &DomainName, ttl_seconds: u32, value: DnsValue) -> DnsRecord {
    DnsRecord { name: name.clone(), ttl_seconds, value }
}

fn value(record_type: &str, text: &str) -> Option<DnsValue> {
    match record_type {
        "A" | "AAAA" => text.parse().ok().map(DnsValue::Address),
        "CNAME" => Some(DnsValue::Alias(DomainName(text.trim_end_matches('.').to_owned()))),
        _ => None,
    }
}

/// Where a side's customers are sent, in an address; for whoever connects without asking.
pub(super) fn address_of(side: Side, world: &World) -> IpAddr {
    match world.setting.migration.spec.dns.public.destination(side) {
        Destination::A(record) => record.addresses.first().map_or_else(|| balancer_addresses()[0], |address| (*address).into()),
        Destination::Cname(_) | Destination::Alias(_) => balancer_addresses()[0],
    }
}
