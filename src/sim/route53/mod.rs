//! Route 53: one hosted zone, changed in atomic batches, which its authoritative servers serve some time later.
//!
//! Listings show a change at once. The four authoritative servers take it up one after another: the first within a second or
//! so, the last when the change is in sync. Not modelled: by which sibling a routing policy answers whom, geolocation and
//! multi-value policies, health checks, private zones, record set protections, DNSSEC; two changes never overlap out of order.

mod batch;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use record::{FailoverRole, Policy, Record, RecordData, RecordKey, Routing};

use self::batch::{Batch, Records, invalid_input, named};
use self::record::{labels_of, normal, wire_name};
use crate::clock::after;
use crate::names::{DomainName, HostedZoneId};
use crate::sim::wire::close::ROUTE53_NAMESPACE;
use crate::sim::wire::xml::Xml;
use crate::sim::wire::{Parameters, RestAnswer, RestRequest, ServiceError};

/// A change is in sync after 10 to 60 seconds ("generally within 60 seconds", ChangeResourceRecordSets).
const SYNC_SECONDS: std::ops::RangeInclusive<u64> = 10..=60;
/// The first server answers a change this soon: one "within a second or so" of four (each zone has four name servers).
const FIRST_SERVER_MS: std::ops::RangeInclusive<u64> = 200..=1_500;
/// Name servers of a hosted zone.
pub const SERVERS: usize = 4;
/// Items of one listing (ListResourceRecordSets).
const ITEMS_AT_MOST: usize = 300;

/// What a request asks of Route 53, told from its method and path alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// `POST /2013-04-01/hostedzone/{Id}/rrset`
    ChangeResourceRecordSets(&'a str),
    /// `GET /2013-04-01/hostedzone/{Id}/rrset`
    ListResourceRecordSets(&'a str),
    /// `GET /2013-04-01/change/{Id}`
    GetChange(&'a str),
    /// `GET /2013-04-01/hostedzone/{Id}`
    GetHostedZone(&'a str),
    /// `GET /2013-04-01/hostedzone`
    ListHostedZones,
    /// Anything else.
    Unknown,
}

impl<'a> Operation<'a> {
    /// The operation; a slash at the end does not matter (botocore sends one, the Rust SDK does not).
    pub fn of(method: &str, path: &'a str) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some(rest) = path.strip_prefix("/2013-04-01/") else { return Self::Unknown };
        let mut parts = rest.split('/');
        match (method, parts.next(), parts.next(), parts.next(), parts.next()) {
            ("POST", Some("hostedzone"), Some(zone), Some("rrset"), None) => Self::ChangeResourceRecordSets(zone),
            ("GET", Some("hostedzone"), Some(zone), Some("rrset"), None) => Self::ListResourceRecordSets(zone),
            ("GET", Some("change"), Some(change), None, None) => Self::GetChange(change),
            ("GET", Some("hostedzone"), Some(zone), None, None) => Self::GetHostedZone(zone),
            ("GET", Some("hostedzone"), None, None, None) => Self::ListHostedZones,
            _ => Self::Unknown,
        }
    }

    /// Route 53's own word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChangeResourceRecordSets(_) => "ChangeResourceRecordSets",
            Self::ListResourceRecordSets(_) => "ListResourceRecordSets",
            Self::GetChange(_) => "GetChange",
            Self::GetHostedZone(_) => "GetHostedZone",
            Self::ListHostedZones => "ListHostedZones",
            Self::Unknown => "Unknown",
        }
    }
}

/// What the authoritative servers answer for one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Every address, alias and CNAME record set under the name; never empty.
    pub records: Vec<&'a Record>,
    /// How long it may be cached: the shortest TTL of them.
    pub ttl_seconds: u64,
}

#[derive(Debug)]
struct SubmittedChange {
    submitted_at: Timestamp,
    in_sync_at: Timestamp,
    comment: Option<String>,
}

/// One hosted zone.
#[derive(Debug)]
pub struct Route53 {
    zone_id: HostedZoneId,
    zone_name: DomainName,
    /// What the API shows.
    records: Records,
    /// What each authoritative server serves.
    served: [Arc<Records>; SERVERS],
    /// The zone as a server will serve it from a time on, by that time, the number of the change, and the server.
    on_its_way: BTreeMap<(Timestamp, usize, usize), Arc<Records>>,
    changes: BTreeMap<String, SubmittedChange>,
    /// When each server takes up the newest change.
    newest_at: [Timestamp; SERVERS],
    rng: fastrand::Rng,
}

impl Route53 {
    /// A zone with `initial` records beside its own NS and SOA, all served already.
    pub fn new(zone_id: HostedZoneId, zone_name: &DomainName, initial: Vec<Record>, rng: fastrand::Rng) -> Self {
        let zone_name = normal(zone_name.as_str());
        let apex = zone_name.as_str();
        let own = [
            // The TTLs that Route 53 gives a new zone's own records: two days, and a quarter of an hour.
            Record::of_values(apex, "NS", 172_800, &["ns-1.awsdns-01.org.", "ns-2.awsdns-02.co.uk."]),
            Record::of_values(apex, "SOA", 900, &["ns-1.awsdns-01.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"]),
        ];
        let records: Records = own.into_iter().chain(initial).map(|record| (record.key(), record)).collect();
        Self {
            zone_id,
            zone_name,
            served: std::array::from_fn(|_| Arc::new(records.clone())),
            records,
            on_its_way: BTreeMap::new(),
            changes: BTreeMap::new(),
            newest_at: [Timestamp::MIN; SERVERS],
            rng,
        }
    }

    /// When the next server takes up a change.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.on_its_way.keys().next().map(|(at, ..)| *at)
    }

    /// Lets every server take up what is due by `now`.
    pub fn step(&mut self, now: Timestamp) {
        while let Some(entry) = self.on_its_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, _, server), records) = entry.remove_entry();
            self.served[server] = records;
        }
    }

    /// Every record set that one authoritative server has under `name`, as of the last change that `step` let it take up.
    pub fn served(&self, name: &DomainName, server: usize) -> impl Iterator<Item = &Record> {
        named(&self.served[server % SERVERS], name)
    }

    /// What one authoritative server answers for `name`.
    pub fn answer(&self, name: &DomainName, server: usize) -> Option<Answer<'_>> {
        let leads = |record: &&Record| ["A", "AAAA", "CNAME"].contains(&record.record_type.as_str());
        let records: Vec<&Record> = self.served(name, server).filter(leads).collect();
        let ttl_seconds = records.iter().map(|record| record.ttl_seconds()).min()?;
        Some(Answer { records, ttl_seconds })
    }

    /// What the API shows under `name`, whether it is served yet or not.
    pub fn shown(&self, name: &DomainName) -> Vec<&Record> {
        named(&self.records, name).collect()
    }

    /// A human's edit in the console: `old` goes, `new` comes, in one batch, if that is possible now.
    pub fn edit(&mut self, now: Timestamp, old: &[Record], new: &[Record]) -> Result<(), ServiceError> {
        let change = |action, record: &Record| batch::Change { action, record: record.clone() };
        let deletes = old.iter().map(|record| change(batch::Action::Delete, record));
        let creates = new.iter().map(|record| change(batch::Action::Create, record));
        let changes = deletes.chain(creates).collect();
        self.submit(now, Batch { comment: None, changes }).map(|_| ())
    }

    /// Handles one request.
    pub fn call(&mut self, now: Timestamp, request: &RestRequest) -> Result<RestAnswer, ServiceError> {
        self.step(now);
        match Operation::of(&request.method, &request.path) {
            Operation::ChangeResourceRecordSets(zone) => {
                self.check_zone(zone)?;
                let id = self.submit(now, Batch::read(&request.body)?)?;
                Ok(self.change_answer("ChangeResourceRecordSetsResponse", &id, now))
            }
            Operation::ListResourceRecordSets(zone) => {
                self.check_zone(zone)?;
                self.list(&request.query)
            }
            Operation::GetChange(id) if self.changes.contains_key(id) => Ok(self.change_answer("GetChangeResponse", id, now)),
            Operation::GetChange(id) => {
                Err(ServiceError::with_status(404, "NoSuchChange", format!("A change with id {id} does not exist.")))
            }
            Operation::GetHostedZone(zone) => {
                self.check_zone(zone)?;
                Ok(self.zone_answer())
            }
            Operation::ListHostedZones => Ok(self.zones_answer()),
            Operation::Unknown => {
                Err(ServiceError::with_status(404, "UnknownOperationException", "There is no such operation here."))
            }
        }
    }

    fn check_zone(&self, zone: &str) -> Result<(), ServiceError> {
        if zone == self.zone_id.as_str() {
            return Ok(());
        }
        Err(ServiceError::with_status(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {zone}")))
    }

    /// Applies a batch to what the API shows, and sends it on its way to the servers.
    fn submit(&mut self, now: Timestamp, batch: Batch) -> Result<String, ServiceError> {
        let records = batch.applied_to(&self.records, &self.zone_name)?;
        let in_sync_at = self.send(now, &Arc::new(records.clone()));
        self.records = records;
        let id = format!("C{:04}{:016X}", self.changes.len() + 1, self.rng.u64(..));
        let change = SubmittedChange { submitted_at: now, in_sync_at, comment: batch.comment };
        self.changes.insert(id.clone(), change);
        Ok(id)
    }

    /// Sends the zone on its way to every server, and says when the last of them has it. No server goes back in time.
    fn send(&mut self, now: Timestamp, records: &Arc<Records>) -> Timestamp {
        let in_sync = Duration::from_secs(self.rng.u64(SYNC_SECONDS));
        let first = Duration::from_millis(self.rng.u64(FIRST_SERVER_MS));
        let between = |rng: &mut fastrand::Rng| first + (in_sync - first).mul_f64(rng.f64());
        let mut takes = [first, between(&mut self.rng), between(&mut self.rng), in_sync];
        self.rng.shuffle(&mut takes);
        for (server, takes) in takes.into_iter().enumerate() {
            let at = self.newest_at[server].max(after(now, takes));
            self.newest_at[server] = at;
            self.on_its_way.insert((at, self.changes.len(), server), Arc::clone(records));
        }
        self.newest_at.into_iter().max().unwrap_or(now)
    }

    fn list(&self, query: &Parameters) -> Result<RestAnswer, ServiceError> {
        let start = start_of(query)?;
        let items = items_of(query)?;
        let mut following = match &start {
            Some(start) => self.records.range(start..),
            None => self.records.range::<RecordKey, _>(..),
        };
        let shown: Vec<&Record> = following.by_ref().take(items).map(|(_, record)| record).collect();
        let next = following.next().map(|(_, record)| record);
        Ok(document("ListResourceRecordSetsResponse", |xml| {
            xml.list("ResourceRecordSets", "ResourceRecordSet", shown, |xml, record| record.write(xml));
            xml.leaf("IsTruncated", next.is_some());
            if let Some(next) = next {
                xml.leaf("NextRecordName", wire_name(&next.name));
                xml.leaf("NextRecordType", &next.record_type);
                xml.optional("NextRecordIdentifier", next.routing.as_ref().map(|routing| &routing.set_identifier));
            }
            xml.leaf("MaxItems", items);
        }))
    }

    fn change_answer(&self, root: &str, id: &str, now: Timestamp) -> RestAnswer {
        document(root, |xml| {
            xml.node("ChangeInfo", |xml| {
                xml.leaf("Id", format_args!("/change/{id}"));
                let Some(change) = self.changes.get(id) else { return };
                xml.leaf("Status", if change.in_sync_at <= now { "INSYNC" } else { "PENDING" });
                xml.leaf("SubmittedAt", change.submitted_at);
                xml.optional("Comment", change.comment.as_ref());
            });
        })
    }

    fn zone_answer(&self) -> RestAnswer {
        document("GetHostedZoneResponse", |xml| {
            xml.node("HostedZone", |xml| self.write_zone(xml));
            xml.node("DelegationSet", |xml| {
                xml.list("NameServers", "NameServer", ["ns-1.awsdns-01.org", "ns-2.awsdns-02.co.uk"], |xml, name| {
                    // A list of text: the element itself holds it.
                    xml.raw(name);
                });
            });
        })
    }

    fn zones_answer(&self) -> RestAnswer {
        document("ListHostedZonesResponse", |xml| {
            xml.list("HostedZones", "HostedZone", [()], |xml, ()| self.write_zone(xml));
            xml.leaf("Marker", "");
            xml.leaf("IsTruncated", false);
            xml.leaf("MaxItems", 100);
        })
    }

    fn write_zone(&self, xml: &mut Xml) {
        xml.leaf("Id", format_args!("/hostedzone/{}", self.zone_id));
        xml.leaf("Name", wire_name(&self.zone_name));
        xml.leaf("CallerReference", "stand-in");
        xml.node("Config", |xml| xml.leaf("PrivateZone", false));
        xml.leaf("ResourceRecordSetCount", self.records.len());
    }
}

/// Where a listing starts: a name, then a type, then a set identifier, each only with the one before.
fn start_of(query: &Parameters) -> Result<Option<RecordKey>, ServiceError> {
    let part = |name: &str| query.get(name).filter(|value| !value.is_empty());
    match (part("name"), part("type"), part("identifier")) {
        (None, None, None) => Ok(None),
        (None, _, _) => Err(invalid_input("If a type or an identifier is given, a name must be given too.")),
        (Some(_), None, Some(_)) => Err(invalid_input("If an identifier is given, a type must be given too.")),
        (Some(name), record_type, identifier) => Ok(Some(RecordKey {
            labels: labels_of(normal(name).as_str()),
            record_type: record_type.cloned().unwrap_or_default(),
            set_identifier: identifier.cloned(),
        })),
    }
}

fn items_of(query: &Parameters) -> Result<usize, ServiceError> {
    match query.get("maxitems") {
        None => Ok(ITEMS_AT_MOST),
        Some(text) => match text.parse::<usize>() {
            Ok(items) if items > 0 => Ok(items.min(ITEMS_AT_MOST)),
            Ok(_) | Err(_) => Err(invalid_input("maxitems is not a positive number.")),
        },
    }
}

fn document(root: &str, inside: impl FnOnce(&mut Xml)) -> RestAnswer {
    RestAnswer { status: 200, body: Xml::written(|xml| xml.root(root, ROUTE53_NAMESPACE, inside)) }
}
