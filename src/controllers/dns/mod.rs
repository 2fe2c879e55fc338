//! Route 53 records: the public name, switched by compare-and-swap, and the shadow name.

pub mod aws;
mod foreign;
mod plan;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{ChangeId, DomainName, HostedZoneId, Side};
use crate::sighting::Sighting;
use crate::spec::{Destination, Dns};

pub use plan::{plan, pointing, shadow_is_in_place};

/// One resource record set, as Route 53 keeps it, normalised: lower-case, no trailing dots, values sorted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordSet {
    /// Its name.
    pub name: DomainName,
    /// `A`, `CNAME`, `AAAA`, ...
    pub record_type: String,
    /// What it answers.
    pub answer: RecordAnswer,
    /// Set for weighted, failover, latency and other routing policies, which this program never writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
}

/// A record set's place among others of the same name and type, which take a share of the customers each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Routing {
    /// `SetIdentifier`
    pub set_identifier: String,
    /// Which share, in words: `weight 10`, `failover SECONDARY`.
    pub policy: String,
}

/// What a record set answers: values with a TTL, or an alias, which has none of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RecordAnswer {
    /// `ResourceRecords` and `TTL`.
    Values {
        /// Seconds.
        ttl_seconds: u64,
        /// Sorted.
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

impl RecordSet {
    /// The record set that answers `destination` under `name`.
    pub fn pointing(name: &DomainName, destination: &Destination, ttl_seconds: u64) -> Self {
        let (record_type, answer) = match destination {
            Destination::A(record) => {
                let mut values: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
                values.sort();
                ("A", RecordAnswer::Values { ttl_seconds, values })
            }
            Destination::Cname(record) => ("CNAME", RecordAnswer::Values { ttl_seconds, values: vec![record.host.to_string()] }),
            Destination::Alias(record) => (
                "A",
                RecordAnswer::Alias {
                    dns_name: record.dns_name.clone(),
                    hosted_zone_id: record.hosted_zone_id.clone(),
                    evaluate_target_health: record.evaluate_target_health,
                },
            ),
        };
        Self { name: name.clone(), record_type: record_type.to_owned(), answer, routing: None }
    }

    /// The TTL that resolvers see; an alias to a load balancer is answered with 60 seconds (Route 53 Developer Guide,
    /// "Choosing between alias and non-alias records").
    pub const fn ttl_seconds(&self) -> u64 {
        match &self.answer {
            RecordAnswer::Values { ttl_seconds, .. } => *ttl_seconds,
            RecordAnswer::Alias { .. } => 60,
        }
    }
}

/// Everything this room looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSighting {
    /// All record sets under the public name that lead customers somewhere; an empty list is `Absent`.
    pub public: Sighting<Vec<RecordSet>>,
    /// The same under the shadow name.
    pub shadow: Sighting<Vec<RecordSet>>,
    /// The state of the change that the journal awaits; `Absent` when it awaits none.
    pub change: Sighting<ChangeStatus>,
}

/// `ChangeInfo.Status`. In sync means the authoritative servers, not anybody's cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ChangeStatus {
    /// `PENDING`
    Pending(ChangeId),
    /// `INSYNC`
    InSync(ChangeId),
}

/// Where the public name stands, judged from the records and the spec alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Pointing {
    /// At one side, with this TTL.
    At {
        /// Which side.
        side: Side,
        /// Seconds.
        ttl_seconds: u64,
    },
    /// At neither, or at more than one place: somebody else's edit.
    Foreign(String),
}

/// What the names should be at one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DnsWish {
    /// Not needed yet. What is there is left alone.
    NotYet,
    /// The public name at legacy with the low TTL, the shadow name at the target.
    Legacy,
    /// The public name at the target, the shadow name too.
    Target,
}

/// The spec's part that this room needs.
pub type DnsTerms = Dns;

/// Why a batch is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DnsPurpose {
    /// The validation name.
    Shadow,
    /// The public name's TTL, ahead of the switch.
    LowerTtl,
    /// The public name to the target.
    FlipToTarget,
    /// The public name back to legacy.
    FlipToLegacy,
}

/// The closed list of this room's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DnsAction {
    /// `ChangeResourceRecordSets`: one atomic batch of DELETEs that name the exact old values, and CREATEs. Never UPSERT:
    /// the exact DELETE is Route 53's only compare-and-swap.
    Change {
        /// Why.
        purpose: DnsPurpose,
        /// What is there, exactly; deleted.
        old: Vec<RecordSet>,
        /// What is to be there; created.
        new: Vec<RecordSet>,
    },
}

impl fmt::Display for DnsAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Change { purpose, new, .. } = self;
        let name = new.first().map_or("the record", |record| record.name.as_str());
        match purpose {
            DnsPurpose::Shadow => write!(f, "point the shadow name {name} at the target"),
            DnsPurpose::LowerTtl => {
                let ttl_seconds = new.first().map_or(0, RecordSet::ttl_seconds);
                write!(f, "lower the TTL of {name} to {ttl_seconds} s")
            }
            DnsPurpose::FlipToTarget => write!(f, "point {name} at the target, if it still points exactly at legacy"),
            DnsPurpose::FlipToLegacy => write!(f, "point {name} back at legacy, if it still points exactly at the target"),
        }
    }
}

impl DnsSighting {
    /// Nothing is known, and this is why.
    pub fn unknown(why: impl fmt::Display) -> Self {
        Self { public: Sighting::unknown(&why), shadow: Sighting::unknown(&why), change: Sighting::unknown(&why) }
    }
}
