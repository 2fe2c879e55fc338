//! The names that the public uses, and where each may point.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Period;
use crate::names::{DomainName, HostedZoneId, Side};

/// The names that the public uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// The hosted zone that holds both records.
    pub hosted_zone_id: HostedZoneId,
    /// The zone's own name, such as `example.com`: a guard against the zone of another environment.
    pub zone_name: DomainName,
    /// The TTL that the public record is lowered to, long before the switch.
    pub ttl: Period,
    /// The public name and where it points before and after.
    pub public: PublicRecord,
    /// The validation name, pointing at the target from `Prepared` on.
    pub shadow: ShadowRecord,
}

/// The public record's two lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicRecord {
    /// The name customers use.
    pub name: DomainName,
    /// Where it points while legacy serves.
    pub legacy: Destination,
    /// Where it points once the target serves.
    pub target: Destination,
}

impl PublicRecord {
    /// Where the name points while `side` serves.
    pub const fn destination(&self, side: Side) -> &Destination {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }
}

/// The validation name. It points where the public name will point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShadowRecord {
    /// A name the public does not use.
    pub name: DomainName,
}

/// Where a record points: exactly one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Destination {
    /// An A record.
    A(ARecord),
    /// A CNAME record; not possible at the zone's apex.
    Cname(CnameRecord),
    /// An A alias to an AWS load balancer; it has no TTL of its own (Route 53 answers 60 seconds).
    Alias(AliasRecord),
}

/// The values of an A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ARecord {
    /// IPv4 addresses.
    #[schemars(length(min = 1, max = 100))]
    pub addresses: Vec<std::net::Ipv4Addr>,
}

/// The value of a CNAME record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CnameRecord {
    /// The canonical name.
    pub host: DomainName,
}

/// The target of an alias record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AliasRecord {
    /// The load balancer's DNS name.
    pub dns_name: DomainName,
    /// The load balancer's `CanonicalHostedZoneId`, not the zone of the public name.
    pub hosted_zone_id: HostedZoneId,
    /// Whether Route 53 takes the record out when no target is healthy.
    #[serde(default)]
    pub evaluate_target_health: bool,
}
