//! A change batch: read whole, judged whole, applied whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::{Document, Node};

use super::record::{FailoverRole, Policy, Record, RecordData, RecordKey, Routing, labels_of, normal};
use crate::names::{DomainName, HostedZoneId};
use crate::sim::wire::ServiceError;

/// All record sets of a zone, in the order of a listing.
pub(super) type Records = BTreeMap<RecordKey, Record>;

/// What one change of a batch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Delete,
    Upsert,
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) action: Action,
    pub(super) record: Record,
}

/// A batch as it was sent.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) comment: Option<String>,
    pub(super) changes: Vec<Change>,
}

/// Elements that a batch may hold; an UPSERT counts twice (Developer Guide, "Quotas").
const ELEMENTS_AT_MOST: usize = 1_000;
/// Characters of `Value` that a batch may hold; an UPSERT counts twice.
const CHARACTERS_AT_MOST: usize = 32_000;

impl Batch {
    /// Reads the body of ChangeResourceRecordSets.
    pub(super) fn read(body: &str) -> Result<Self, ServiceError> {
        let document = Document::parse(body).map_err(|problem| invalid_input(format!("The body is not XML: {problem}")))?;
        let root = document.root_element();
        if root.tag_name().name() != "ChangeResourceRecordSetsRequest" {
            return Err(invalid_input("The body is not a ChangeResourceRecordSetsRequest."));
        }
        let batch = child(root, "ChangeBatch").ok_or_else(|| invalid_input("ChangeBatch is missing."))?;
        let changes = child(batch, "Changes").ok_or_else(|| invalid_input("Changes is missing."))?;
        let changes = changes.children().filter(Node::is_element).map(read_change).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { comment: text_of(batch, "Comment"), changes })
    }

    /// The zone's records after this batch, or every reason against it.
    pub(super) fn applied_to(&self, before: &Records, zone: &DomainName) -> Result<Records, ServiceError> {
        let mut problems = self.size_problems();
        problems.extend(self.duplicates());
        let mut after = before.clone();
        for change in &self.changes {
            problems.extend(change.record.problem());
            problems.extend(outside(&change.record, zone));
            problems.extend(change.apply(&mut after));
        }
        problems.extend(self.coexistence_problems(&after, zone));
        if problems.is_empty() { Ok(after) } else { Err(invalid_batch(&problems)) }
    }

    fn size_problems(&self) -> Vec<String> {
        let (mut elements, mut characters) = (0, 0);
        for change in &self.changes {
            let times = if change.action == Action::Upsert { 2 } else { 1 };
            match &change.record.data {
                RecordData::Values { values, .. } => {
                    elements += times * values.len();
                    characters += times * values.iter().map(|value| value.chars().count()).sum::<usize>();
                }
                RecordData::Alias { .. } => elements += times,
            }
        }
        let mut problems = Vec::new();
        if self.changes.is_empty() {
            problems.push("The batch has no changes".to_owned());
        }
        if elements > ELEMENTS_AT_MOST {
            problems.push(format!("Number of records limit of {ELEMENTS_AT_MOST} exceeded."));
        }
        if characters > CHARACTERS_AT_MOST {
            problems.push(format!("RDATA character limit of {CHARACTERS_AT_MOST} exceeded."));
        }
        problems
    }

    /// The same record set may be deleted and created in one batch, but not touched twice by the same action.
    fn duplicates(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let twice = self.changes.iter().filter(|change| {
            let deletes = change.action == Action::Delete;
            !seen.insert((change.record.key(), deletes))
        });
        twice.map(|change| format!("The request contains an invalid set of changes for {}", said(&change.record))).collect()
    }

    /// What must not stand beside each other once everything is applied.
    fn coexistence_problems(&self, after: &Records, zone: &DomainName) -> Vec<String> {
        let names: BTreeSet<&DomainName> = self.changes.iter().map(|change| &change.record.name).collect();
        names.into_iter().filter_map(|name| coexistence_problem(name, after, zone)).collect()
    }
}

fn coexistence_problem(name: &DomainName, after: &Records, zone: &DomainName) -> Option<String> {
    let here: Vec<&Record> = named(after, name).collect();
    let cname = here.iter().any(|record| record.record_type == "CNAME");
    if cname && name == zone {
        return Some(format!("RRSet of type CNAME with DNS name {name}. is not permitted at apex in zone {zone}."));
    }
    if cname && here.iter().any(|record| record.record_type != "CNAME") {
        return Some(format!(
            "RRSet of type CNAME with DNS name {name}. is not permitted because a conflicting RRSet with the same DNS name already exists in zone {zone}."
        ));
    }
    here.iter().enumerate().find_map(|(index, record)| here[index + 1..].iter().find_map(|other| sharing_problem(record, other)))
}

/// Why two record sets cannot share a name: siblings follow one policy, and no two of them the same case of it.
fn sharing_problem(one: &Record, other: &Record) -> Option<String> {
    if one.record_type != other.record_type {
        return None;
    }
    match (one.routing.as_ref().map(|it| &it.policy), other.routing.as_ref().map(|it| &it.policy)) {
        (Some(Policy::Weighted(_)), Some(Policy::Weighted(_))) => None,
        (Some(Policy::Failover(one)), Some(Policy::Failover(other))) if one != other => None,
        (Some(Policy::Latency(one)), Some(Policy::Latency(other))) if one != other => None,
        (Some(Policy::Failover(_)), Some(Policy::Failover(_))) | (Some(Policy::Latency(_)), Some(Policy::Latency(_))) => {
            Some(format!("Two record sets cannot be the same case of {}", said(one)))
        }
        (None, None) => None,
        _ => Some(format!("Record sets of different routing policies cannot share {}", said(one))),
    }
}

/// All record sets under one name.
pub(super) fn named<'a>(records: &'a Records, name: &DomainName) -> impl Iterator<Item = &'a Record> {
    let labels = labels_of(name.as_str());
    let first = RecordKey { labels: labels.clone(), record_type: String::new(), set_identifier: None };
    records.range(first..).take_while(move |(key, _)| key.labels == labels).map(|(_, record)| record)
}

impl Change {
    /// Applies this change, or says why it cannot be.
    fn apply(&self, records: &mut Records) -> Option<String> {
        let key = self.record.key();
        match (self.action, records.get(&key)) {
            (Action::Create, Some(_)) => {
                Some(format!("Tried to create resource record set {} but it already exists", said(&self.record)))
            }
            (Action::Delete, None) => {
                Some(format!("Tried to delete resource record set {} but it was not found", said(&self.record)))
            }
            (Action::Delete, Some(found)) if *found != self.record => Some(format!(
                "Tried to delete resource record set {} but the values provided do not match the current values",
                said(&self.record)
            )),
            (Action::Delete, Some(_)) => {
                records.remove(&key);
                None
            }
            (Action::Create, None) | (Action::Upsert, _) => {
                records.insert(key, self.record.clone());
                None
            }
        }
    }
}

fn outside(record: &Record, zone: &DomainName) -> Option<String> {
    let below = record.name.as_str().strip_suffix(zone.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    (!below).then(|| format!("RRSet with DNS name {}. is not permitted in zone {zone}.", record.name))
}

fn said(record: &Record) -> String {
    format!("[name='{}.', type='{}']", record.name, record.record_type)
}

fn read_change(change: Node<'_, '_>) -> Result<Change, ServiceError> {
    let action = match text_of(change, "Action").as_deref() {
        Some("CREATE") => Action::Create,
        Some("DELETE") => Action::Delete,
        Some("UPSERT") => Action::Upsert,
        _ => return Err(invalid_input("Action is not CREATE, DELETE or UPSERT.")),
    };
    let set = child(change, "ResourceRecordSet").ok_or_else(|| invalid_input("ResourceRecordSet is missing."))?;
    Ok(Change { action, record: read_record(set)? })
}

/// The elements that this stand-in knows. Everything else (geolocation, several values, health checks) is refused.
const KNOWN: [&str; 9] =
    ["Name", "Type", "SetIdentifier", "Weight", "Failover", "Region", "TTL", "ResourceRecords", "AliasTarget"];
/// The types of record that it knows.
const TYPES: [&str; 13] = ["A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SPF", "SRV", "SVCB", "TXT"];

fn read_record(set: Node<'_, '_>) -> Result<Record, ServiceError> {
    if let Some(strange) = set.children().find(|node| node.is_element() && !KNOWN.contains(&node.tag_name().name())) {
        return Err(invalid_input(format!("{} is not modelled by this stand-in.", strange.tag_name().name())));
    }
    let name = text_of(set, "Name").ok_or_else(|| invalid_input("Name is missing."))?;
    let record_type = text_of(set, "Type").ok_or_else(|| invalid_input("Type is missing."))?;
    if !TYPES.contains(&record_type.as_str()) {
        return Err(invalid_input(format!("{record_type} is not a record type that is known here.")));
    }
    Ok(Record { name: normal(&name), record_type, routing: read_routing(set)?, data: read_data(set)? })
}

fn read_routing(set: Node<'_, '_>) -> Result<Option<Routing>, ServiceError> {
    let policies = [
        text_of(set, "Weight").map(|weight| weight.parse().map(Policy::Weighted).map_err(|_| "Weight is not from 0 to 255.")),
        text_of(set, "Failover").map(|role| match role.as_str() {
            "PRIMARY" => Ok(Policy::Failover(FailoverRole::Primary)),
            "SECONDARY" => Ok(Policy::Failover(FailoverRole::Secondary)),
            _ => Err("Failover is neither PRIMARY nor SECONDARY."),
        }),
        text_of(set, "Region").map(|region| Ok(Policy::Latency(region))),
    ];
    let mut policies = policies.into_iter().flatten();
    match (text_of(set, "SetIdentifier"), policies.next(), policies.next()) {
        (None, None, None) => Ok(None),
        (Some(set_identifier), Some(policy), None) if (1..=128).contains(&set_identifier.len()) => {
            Ok(Some(Routing { set_identifier, policy: policy.map_err(invalid_input)? }))
        }
        _ => Err(invalid_input("One of Weight, Failover and Region comes together with SetIdentifier, or none of them.")),
    }
}

fn read_data(set: Node<'_, '_>) -> Result<RecordData, ServiceError> {
    match (text_of(set, "TTL"), child(set, "ResourceRecords"), child(set, "AliasTarget")) {
        (Some(ttl), Some(records), None) => {
            let ttl_seconds = ttl.parse().map_err(|_| invalid_input("TTL is not a number."))?;
            let mut values: Vec<String> =
                records.children().filter(Node::is_element).map(|record| text_of(record, "Value").unwrap_or_default()).collect();
            values.sort();
            Ok(RecordData::Values { ttl_seconds, values })
        }
        (None, None, Some(alias)) => {
            let part = |name| text_of(alias, name).ok_or_else(|| invalid_input(format!("{name} is missing.")));
            let evaluate_target_health = match part("EvaluateTargetHealth")?.as_str() {
                "true" => true,
                "false" => false,
                _ => return Err(invalid_input("EvaluateTargetHealth is neither true nor false.")),
            };
            let (dns_name, hosted_zone_id) = (normal(&part("DNSName")?), HostedZoneId(part("HostedZoneId")?));
            Ok(RecordData::Alias { dns_name, hosted_zone_id, evaluate_target_health })
        }
        _ => Err(invalid_input("Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords]].")),
    }
}

fn child<'a, 'input>(parent: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    parent.children().find(|node| node.is_element() && node.tag_name().name() == name)
}

fn text_of(parent: Node<'_, '_>, name: &str) -> Option<String> {
    child(parent, name).map(|node| node.text().unwrap_or_default().trim().to_owned())
}

pub(super) fn invalid_input(message: impl Into<String>) -> ServiceError {
    ServiceError::refused("InvalidInput", message)
}

fn invalid_batch(problems: &[String]) -> ServiceError {
    ServiceError::refused("InvalidChangeBatch", format!("[{}]", problems.join(", ")))
}
