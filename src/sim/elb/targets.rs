//! The targets of the group: they stand in two zones, and their health is computed when asked.
//!
//! They come with the world; after that they fall ill, recover and leave by hand.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;
use crate::sim::wire::xml::Xml;

/// A target is `healthy` so long after its group is first referenced: five checks, 5 to 30 seconds apart.
const HEALTHY_AFTER_SECONDS: RangeInclusive<u64> = 25..=150;
/// `deregistration_delay.timeout_seconds`, as AWS sets it.
const DEREGISTRATION_DELAY: Duration = Duration::from_secs(300);
/// The last letters of the two zones, in which the targets stand by turns.
const ZONES: [&str; 2] = ["a", "b"];
const PORT: u16 = 8080;

#[derive(Debug)]
struct Target {
    id: String,
    zone: String,
    healthy_after: Duration,
    condition: Condition,
}

/// What a target itself does, whoever asks.
#[derive(Debug, Clone, Copy)]
enum Condition {
    /// It answers every check since then.
    Answering(Timestamp),
    /// It answers none.
    Failing,
    /// It was deregistered then.
    Leaving(Timestamp),
}

/// All targets of one group.
#[derive(Debug)]
pub struct Targets {
    targets: Vec<Target>,
    /// By name, since when the load balancer serves it.
    zones: BTreeMap<String, Option<Timestamp>>,
    /// Since when a listener forwards to the group.
    referenced_since: Option<Timestamp>,
}

impl Targets {
    /// So many targets in two zones of a region, both enabled, all answering since `start`; nothing forwards to them yet.
    pub(super) fn new(number: usize, region: &str, start: Timestamp, rng: &mut fastrand::Rng) -> Self {
        let zones = ZONES.map(|letter| format!("{region}{letter}"));
        let targets = (0..number).zip(zones.iter().cycle()).map(|(number, zone)| Target {
            id: format!("10.0.{}.{}", number / 200, 10 + number % 200),
            zone: zone.clone(),
            healthy_after: Duration::from_secs(rng.u64(HEALTHY_AFTER_SECONDS)),
            condition: Condition::Answering(start),
        });
        Self {
            targets: targets.collect(),
            zones: zones.iter().map(|zone| (zone.clone(), Some(start))).collect(),
            referenced_since: None,
        }
    }

    /// Somebody breaks a target: it answers no check any more. One failed check is enough here.
    pub fn break_by_hand(&mut self, id: &str) {
        self.turn(id, Condition::Failing);
    }

    /// Somebody mends a target: it answers again, and is unhealthy until it has done so often enough.
    pub fn mend_by_hand(&mut self, id: &str, now: Timestamp) {
        self.turn(id, Condition::Answering(now));
    }

    /// Somebody deregisters a target: it drains, and then is not there any more.
    pub fn deregister_by_hand(&mut self, id: &str, now: Timestamp) {
        self.turn(id, Condition::Leaving(now));
    }

    fn turn(&mut self, id: &str, condition: Condition) {
        for target in self.targets.iter_mut().filter(|target| target.id == id) {
            target.condition = condition;
        }
    }

    /// Somebody takes a zone away from the load balancer.
    pub fn disable_zone_by_hand(&mut self, zone: &str) {
        self.zones.entry(zone.to_owned()).and_modify(|since| *since = None);
    }

    /// Somebody gives the zone back; its targets begin again.
    pub fn enable_zone_by_hand(&mut self, zone: &str, now: Timestamp) {
        self.zones.entry(zone.to_owned()).and_modify(|since| *since = since.or(Some(now)));
    }

    /// Health is only checked while something forwards to the group.
    pub(super) fn note_reference(&mut self, is_referenced: bool, now: Timestamp) {
        self.referenced_since = is_referenced.then(|| self.referenced_since.unwrap_or(now));
    }

    /// Whether something forwards to the group.
    pub(super) const fn are_referenced(&self) -> bool {
        self.referenced_since.is_some()
    }

    /// The inner XML of DescribeTargetHealth's `Result`, of all targets or of those named in `wanted`.
    pub(super) fn describe(&self, now: Timestamp, wanted: &[String]) -> String {
        let there: Vec<&Target> = self.targets.iter().filter(|target| target.is_there(now)).collect();
        let known = there.iter().filter(|target| wanted.is_empty() || wanted.contains(&target.id));
        let mut rows: Vec<(&str, Option<&str>, Health)> =
            known.map(|target| (target.id.as_str(), Some(target.zone.as_str()), self.health_of(target, now))).collect();
        let strangers = wanted.iter().filter(|id| there.iter().all(|target| target.id != **id));
        rows.extend(strangers.map(|id| (id.as_str(), None, Health::NotRegistered)));
        Xml::written(|xml| {
            xml.list("TargetHealthDescriptions", "member", rows, |xml, (id, zone, health)| {
                xml.node("Target", |xml| {
                    xml.leaf("Id", id);
                    xml.leaf("Port", PORT);
                    xml.optional("AvailabilityZone", zone);
                });
                xml.leaf("HealthCheckPort", PORT);
                xml.node("TargetHealth", |xml| health.write(xml));
            });
        })
    }

    fn health_of(&self, target: &Target, now: Timestamp) -> Health {
        let zone_since = self.zones.get(&target.zone).copied().flatten();
        let used_since = self.referenced_since.zip(zone_since).map(|(group, zone)| group.max(zone));
        match (target.condition, used_since) {
            (Condition::Leaving(_), _) => Health::Draining,
            (Condition::Answering(_) | Condition::Failing, None) => Health::NotInUse,
            (Condition::Failing, Some(_)) => Health::Unhealthy,
            (Condition::Answering(since), Some(used)) if after(since.max(used), target.healthy_after) <= now => Health::Healthy,
            (Condition::Answering(since), Some(used)) if since > used => Health::Unhealthy,
            (Condition::Answering(_), Some(_)) => Health::Initial,
        }
    }
}

impl Target {
    fn is_there(&self, now: Timestamp) -> bool {
        match self.condition {
            Condition::Leaving(since) => now < after(since, DEREGISTRATION_DELAY),
            Condition::Answering(_) | Condition::Failing => true,
        }
    }
}

/// What DescribeTargetHealth can say here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Healthy,
    Initial,
    Unhealthy,
    Draining,
    NotInUse,
    NotRegistered,
}

impl Health {
    fn write(self, xml: &mut Xml) {
        let (state, reason) = match self {
            Self::Healthy => ("healthy", None),
            Self::Initial => ("initial", Some("Elb.InitialHealthChecking")),
            Self::Unhealthy => ("unhealthy", Some("Target.Timeout")),
            Self::Draining => ("draining", Some("Target.DeregistrationInProgress")),
            Self::NotInUse => ("unused", Some("Target.NotInUse")),
            Self::NotRegistered => ("unused", Some("Target.NotRegistered")),
        };
        xml.leaf("State", state);
        xml.optional("Reason", reason);
    }
}
