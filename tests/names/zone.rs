//! The simulated Route 53's zone behind authoritative servers, and its change batches as they come over the wire.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bascule::checks::network::{DnsRecord, DnsValue, RecordType};
use bascule::clock::after;
use bascule::names::DomainName;
use bascule::sim::profile::FaultProfile;
use bascule::sim::route53::{Record, RecordData};
use bascule::sim::setting::Setting;
use bascule::sim::wire::{Cloud, Parameters, RestRequest};
use bascule::sim::{SharedWorld, World};
use bascule::spec::Migration;
use hickory_server::proto::op::ResponseCode;

use super::server::{Clerk, Says, Standing, clerk};

/// The world, and the rest of the Internet.
#[derive(Debug, Clone)]
pub struct Internet {
    pub world: SharedWorld,
    hosts: Arc<Mutex<BTreeMap<DomainName, Vec<Ipv4Addr>>>>,
}

impl Internet {
    /// The world of a migration before anybody touched it.
    pub fn new(migration: &Migration) -> Self {
        let start = "2026-03-02T08:00:00Z".parse().expect("a time");
        let world = World::new(migration, Setting::of(migration), FaultProfile::calm(), 7, start);
        Self { world: world.shared(), hosts: Arc::default() }
    }

    /// A host somewhere, and its addresses from now on.
    pub fn host(&self, name: &str, addresses: &[Ipv4Addr]) {
        self.hosts.lock().expect("nobody panics here").insert(DomainName::from(name), addresses.to_vec());
    }

    /// The addresses of a host somewhere, as records of `owner`.
    pub fn addresses(&self, host: &DomainName, owner: &DomainName, ttl_seconds: u64) -> Option<Vec<DnsRecord>> {
        let addresses = self.hosts.lock().expect("nobody panics here").get(host)?.clone();
        let value = |address| DnsValue::Address(IpAddr::V4(address));
        Some(addresses.into_iter().map(|address| record(owner, ttl_seconds, value(address))).collect())
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panics while holding the world")
    }

    /// Lets time pass in the world; no cache looks at any other clock.
    pub fn pass(&self, seconds: u64) {
        let mut world = self.world();
        let until = after(world.now(), Duration::from_secs(seconds));
        world.advance(until);
    }

    /// Sends one change batch to the simulated Route 53, as the wire brings it.
    pub fn change(&self, zone: &str, old: &[Record], new: &[Record]) {
        let change = |action: &str, record: &Record| format!("<Change><Action>{action}</Action>{}</Change>", element(record));
        let deletes: String = old.iter().map(|record| change("DELETE", record)).collect();
        let creates: String = new.iter().map(|record| change("CREATE", record)).collect();
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch>\
             <Changes>{deletes}{creates}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let path = format!("/2013-04-01/hostedzone/{zone}/rrset");
        let request = RestRequest { method: "POST".to_owned(), path, query: Parameters::new(), body };
        self.world().route53(&request).expect("the batch is accepted");
    }

    /// The clerk of one of the zone's authoritative servers.
    pub fn authority(&self, zone: &str, number: usize) -> Clerk {
        let (internet, zone) = (self.clone(), DomainName::from(zone));
        clerk(move |asked| internet.served(&zone, number, &asked.name, asked.record))
    }

    fn served(&self, zone: &DomainName, number: usize, name: &DomainName, wanted: RecordType) -> Says {
        if name != zone && !name.as_str().ends_with(&format!(".{zone}")) {
            return Says::code(Standing::Stranger, ResponseCode::Refused);
        }
        let sets: Vec<Record> = self.world().route53.served(name, number).cloned().collect();
        if sets.is_empty() {
            return Says::code(Standing::Authority, ResponseCode::NXDomain);
        }
        let cname = sets.iter().find(|set| set.record_type == "CNAME");
        let of_type = sets.iter().filter(|set| set.record_type == wanted.as_str());
        let chosen: Vec<&Record> = cname.map_or_else(|| of_type.collect(), |cname| vec![cname]);
        Says::records(Standing::Authority, chosen.into_iter().flat_map(|set| self.expanded(set)).collect())
    }

    /// A record set as its records; an alias as those of the load balancer.
    fn expanded(&self, set: &Record) -> Vec<DnsRecord> {
        match &set.data {
            RecordData::Values { ttl_seconds, values } => {
                values.iter().map(|value| record(&set.name, *ttl_seconds, read(&set.record_type, value))).collect()
            }
            RecordData::Alias { dns_name, .. } => {
                self.addresses(dns_name, &set.name, set.ttl_seconds()).expect("the load balancer is a host")
            }
        }
    }
}

pub fn record(owner: &DomainName, ttl_seconds: u64, value: DnsValue) -> DnsRecord {
    DnsRecord { name: owner.clone(), ttl_seconds: u32::try_from(ttl_seconds).expect("a TTL"), value }
}

/// A value as Route 53 keeps it.
fn read(record_type: &str, value: &str) -> DnsValue {
    let name = || DomainName::from(value.trim_end_matches('.'));
    match record_type {
        "A" | "AAAA" => DnsValue::Address(value.parse().expect("an address")),
        "CNAME" => DnsValue::Alias(name()),
        "NS" => DnsValue::Server(name()),
        "CAA" => {
            let mut words = value.splitn(3, ' ').skip(1);
            let mut word = || words.next().expect("flags, tag and value").trim_matches('"').to_owned();
            DnsValue::Issuer(word(), word())
        }
        other => panic!("nobody asks for {other}"),
    }
}

/// A record set as the API takes it.
fn element(record: &Record) -> String {
    let data = match &record.data {
        RecordData::Values { ttl_seconds, values } => {
            let values: String =
                values.iter().map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>")).collect();
            format!("<TTL>{ttl_seconds}</TTL><ResourceRecords>{values}</ResourceRecords>")
        }
        RecordData::Alias { dns_name, hosted_zone_id, evaluate_target_health } => format!(
            "<AliasTarget><HostedZoneId>{hosted_zone_id}</HostedZoneId><DNSName>{dns_name}</DNSName>\
             <EvaluateTargetHealth>{evaluate_target_health}</EvaluateTargetHealth></AliasTarget>"
        ),
    };
    format!("<ResourceRecordSet><Name>{}</Name><Type>{}</Type>{data}</ResourceRecordSet>", record.name, record.record_type)
}
