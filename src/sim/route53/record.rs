//! A record set, as Route 53 keeps it and as resolvers are answered.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::names::{DomainName, HostedZoneId};
use crate::sim::wire::xml::Xml;
use crate::spec::Destination;

/// One resource record set. Names are lower-case, without the trailing dot; the wire adds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub name: DomainName,
    /// `A`, `CNAME`, ...
    pub record_type: String,
    /// Set where it shares its name and type with others.
    pub routing: Option<Routing>,
    /// What it answers.
    pub data: RecordData,
}

/// A record set's place among others of the same name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// `SetIdentifier`
    pub set_identifier: String,
    /// By which rule one of them is picked.
    pub policy: Policy,
}

/// A routing policy. Route 53 has more; these are the ones by which a name is shared between an old system and a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// `Weight`: 0 to 255; 0 is never answered unless all are 0.
    Weighted(u8),
    /// `Failover`
    Failover(FailoverRole),
    /// `Region`, by latency.
    Latency(String),
}

/// Which of two failover record sets it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverRole {
    /// `PRIMARY`
    Primary,
    /// `SECONDARY`
    Secondary,
}

impl FailoverRole {
    /// Route 53's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Secondary => "SECONDARY",
        }
    }
}

/// What a record set answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordData {
    /// `ResourceRecords` and `TTL`.
    Values {
        /// Seconds.
        ttl_seconds: u64,
        /// Sorted: Route 53 keeps a set.
        values: Vec<String>,
    },
    /// `AliasTarget`
    Alias {
        /// The load balancer's name.
        dns_name: DomainName,
        /// The load balancer's zone.
        hosted_zone_id: HostedZoneId,
        /// `EvaluateTargetHealth`
        evaluate_target_health: bool,
    },
}

/// Resolvers are told 60 seconds for an alias to a load balancer (Developer Guide, "Choosing between alias and non-alias").
const ALIAS_TTL_SECONDS: u64 = 60;

impl Record {
    /// A record set with values.
    pub fn of_values(name: &str, record_type: &str, ttl_seconds: u64, values: &[&str]) -> Self {
        let mut values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        values.sort();
        let data = RecordData::Values { ttl_seconds, values };
        Self { name: normal(name), record_type: record_type.to_owned(), routing: None, data }
    }

    /// The record set under `name` that answers `destination`.
    pub fn pointing(name: &DomainName, destination: &Destination, ttl_seconds: u64) -> Self {
        match destination {
            Destination::A(record) => {
                let addresses: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
                let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
                Self::of_values(name.as_str(), "A", ttl_seconds, &addresses)
            }
            Destination::Cname(record) => Self::of_values(name.as_str(), "CNAME", ttl_seconds, &[record.host.as_str()]),
            Destination::Alias(record) => Self {
                name: normal(name.as_str()),
                record_type: "A".to_owned(),
                routing: None,
                data: RecordData::Alias {
                    dns_name: normal(record.dns_name.as_str()),
                    hosted_zone_id: record.hosted_zone_id.clone(),
                    evaluate_target_health: record.evaluate_target_health,
                },
            },
        }
    }

    /// The TTL that resolvers are told.
    pub const fn ttl_seconds(&self) -> u64 {
        match &self.data {
            RecordData::Values { ttl_seconds, .. } => *ttl_seconds,
            RecordData::Alias { .. } => ALIAS_TTL_SECONDS,
        }
    }

    /// What tells it apart, in the order in which Route 53 lists.
    pub fn key(&self) -> RecordKey {
        RecordKey {
            labels: labels_of(self.name.as_str()),
            record_type: self.record_type.clone(),
            set_identifier: self.routing.as_ref().map(|routing| routing.set_identifier.clone()),
        }
    }

    /// Why Route 53 would not take it, if so.
    pub(super) fn problem(&self) -> Option<String> {
        let label_problem = self.name.as_str().split('.').any(|label| label.is_empty() || label.len() > 63);
        if label_problem || self.name.as_str().len() > 255 {
            return Some(format!("FATAL problem: DomainLabelEmpty or DomainTooLong encountered with {}", self.name));
        }
        if self.is_unwatched_primary() {
            return Some("A non-alias primary ResourceRecordSet must have an associated health check".to_owned());
        }
        match &self.data {
            RecordData::Alias { .. } if !["A", "AAAA"].contains(&self.record_type.as_str()) => {
                Some(format!("An alias to a load balancer is of type A or AAAA, not {}", self.record_type))
            }
            RecordData::Alias { .. } => None,
            RecordData::Values { ttl_seconds, .. } if *ttl_seconds > MAX_TTL_SECONDS => {
                Some(format!("Invalid TTL {ttl_seconds}"))
            }
            RecordData::Values { values, .. } => values_problem(&self.record_type, values),
        }
    }

    /// Health checks are not modelled, so that only an alias can be primary.
    const fn is_unwatched_primary(&self) -> bool {
        let primary = matches!(&self.routing, Some(Routing { policy: Policy::Failover(FailoverRole::Primary), .. }));
        primary && matches!(&self.data, RecordData::Values { .. })
    }

    /// Writes it as the inside of a `ResourceRecordSet` element.
    pub(super) fn write(&self, xml: &mut Xml) {
        xml.leaf("Name", wire_name(&self.name));
        xml.leaf("Type", &self.record_type);
        if let Some(routing) = &self.routing {
            xml.leaf("SetIdentifier", &routing.set_identifier);
            match &routing.policy {
                Policy::Weighted(weight) => xml.leaf("Weight", weight),
                Policy::Failover(role) => xml.leaf("Failover", role.as_str()),
                Policy::Latency(region) => xml.leaf("Region", region),
            }
        }
        match &self.data {
            RecordData::Values { ttl_seconds, values } => {
                xml.leaf("TTL", ttl_seconds);
                xml.list("ResourceRecords", "ResourceRecord", values, |xml, value| xml.leaf("Value", value));
            }
            RecordData::Alias { dns_name, hosted_zone_id, evaluate_target_health } => xml.node("AliasTarget", |xml| {
                xml.leaf("HostedZoneId", hosted_zone_id);
                xml.leaf("DNSName", wire_name(dns_name));
                xml.leaf("EvaluateTargetHealth", evaluate_target_health);
            }),
        }
    }
}

/// RFC 2181 section 8: a TTL is a 31-bit number.
const MAX_TTL_SECONDS: u64 = 2_147_483_647;

fn values_problem(record_type: &str, values: &[String]) -> Option<String> {
    if values.is_empty() {
        return Some("Expected at least one ResourceRecord".to_owned());
    }
    if values.windows(2).any(|pair| pair[0] == pair[1]) {
        return Some("Duplicate Resource Record".to_owned());
    }
    let valid: fn(&String) -> bool = match record_type {
        "A" => |value| value.parse::<Ipv4Addr>().is_ok(),
        "AAAA" => |value| value.parse::<Ipv6Addr>().is_ok(),
        "HTTPS" | "SVCB" => |value| is_service(value),
        "CNAME" if values.len() > 1 => return Some("A CNAME has exactly one value".to_owned()),
        _ => |value| !value.is_empty(),
    };
    values.iter().find(|value| !valid(value)).map(|value| format!("Value is not a valid {record_type}: {value}"))
}

/// A priority, a target, and parameters (RFC 9460, section 2.1).
fn is_service(value: &str) -> bool {
    let mut words = value.split_whitespace();
    words.next().is_some_and(|priority| priority.parse::<u16>().is_ok()) && words.next().is_some()
}

/// The identity of a record set; its order is that of a listing: reversed labels, then type, then set identifier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordKey {
    pub(super) labels: Vec<String>,
    pub(super) record_type: String,
    pub(super) set_identifier: Option<String>,
}

/// `www.example.com` as `com`, `example`, `www`.
pub(super) fn labels_of(name: &str) -> Vec<String> {
    name.split('.').rev().map(str::to_owned).collect()
}

/// Lower-case and without the trailing dot, with `\052` read as the asterisk that it stands for.
pub(super) fn normal(name: &str) -> DomainName {
    DomainName(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().replace("\\052", "*"))
}

/// With the trailing dot, and the asterisk escaped.
pub(super) fn wire_name(name: &DomainName) -> String {
    format!("{}.", name.as_str().replace('*', "\\052"))
}
