//! People who edit things behind the controller's back, and put back what nobody else may overwrite.

use std::time::Duration;

use jiff::Timestamp;

use super::database::Databases;
use super::dms::Dms;
use super::elb::Elb;
use super::faults::Faults;
use super::monitor::Monitor;
use super::route53::{Record, RecordData, Route53};
use super::setting::Setting;
use crate::clock::after;
use crate::names::{Account, Direction, Side};

/// The closed list of edits. None of them endangers a payment by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HumanEdit {
    /// A running task is stopped in the console.
    StopTask(Direction),
    /// The shadow record is pointed elsewhere, and put back some hours later.
    RepointShadow,
    /// The listener on the plain port is deleted.
    DeleteRedirect,
    /// The public record's TTL is raised to an hour again.
    RaiseTtl,
    /// An account that nobody declared is given a privilege that could undo a fence, and loses it some hours later.
    GrantSuper(Side),
}

const EDITS: [HumanEdit; 7] = [
    HumanEdit::StopTask(Direction::Forward),
    HumanEdit::StopTask(Direction::Reverse),
    HumanEdit::RepointShadow,
    HumanEdit::DeleteRedirect,
    HumanEdit::RaiseTtl,
    HumanEdit::GrantSuper(Side::Legacy),
    HumanEdit::GrantSuper(Side::Target),
];

/// Whom somebody lets in to have a quick look at something.
const CONSULTANT: &str = "consultant@%";

/// Edits are spread over this long: the usual length of a migration.
const SPREAD_HOURS: u64 = 9 * 24;
/// An edit that cannot be made now is tried again after this long.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What people can reach.
pub struct Reach<'a> {
    /// An administrator's session on either database.
    pub databases: &'a mut Databases,
    /// DMS's console.
    pub dms: &'a mut Dms,
    /// Route 53's console.
    pub route53: &'a mut Route53,
    /// The load balancer's console.
    pub elb: &'a mut Elb,
    /// Counts what they do.
    pub faults: &'a mut Faults,
    /// Knows what they did.
    pub monitor: &'a mut Monitor,
    /// Names.
    pub setting: &'a Setting,
}

/// Everybody with a console.
#[derive(Debug)]
pub struct Humans {
    /// When somebody does something next, the latest first.
    planned: Vec<Timestamp>,
    /// The shadow record as it was, and when it is put back.
    to_put_back: Option<(Timestamp, Vec<Record>)>,
    /// When the consultant's privilege is taken back, and where.
    to_take_back: Option<(Timestamp, Side)>,
    rng: fastrand::Rng,
}

impl Humans {
    /// People who will make `edits` edits.
    pub fn new(edits: u32, now: Timestamp, mut rng: fastrand::Rng) -> Self {
        let moment = |_| after(now, Duration::from_secs(rng.u64(2 * 3600..SPREAD_HOURS * 3600)));
        let mut planned: Vec<Timestamp> = (0..edits).map(moment).collect();
        planned.sort_by(|one, other| other.cmp(one));
        Self { planned, to_put_back: None, to_take_back: None, rng }
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let back = self.to_put_back.as_ref().map(|(at, _)| *at);
        let revoke = self.to_take_back.map(|(at, _)| at);
        self.planned.last().copied().into_iter().chain(back).chain(revoke).min()
    }

    /// Does what is due, unless somebody just now would do better to keep their hands off.
    pub fn step(&mut self, now: Timestamp, hands_off: bool, reach: &mut Reach<'_>) {
        if self.to_put_back.as_ref().is_some_and(|(at, _)| *at <= now) {
            self.put_back(now, reach);
        }
        if let Some((_, side)) = self.to_take_back.take_if(|(at, _)| *at <= now) {
            reach.databases.side_mut(side).strangers.retain(|(account, _)| account.as_str() != CONSULTANT);
        }
        if self.planned.last().is_none_or(|at| *at > now) {
            return;
        }
        self.planned.pop();
        if reach.faults.is_quiet() {
            return;
        }
        let edit = EDITS[self.rng.usize(..EDITS.len())];
        if !hands_off && self.make(edit, now, reach) {
            reach.faults.count("human_edit");
        } else {
            self.planned.push(after(now, PATIENCE));
            self.planned.sort_by(|one, other| other.cmp(one));
        }
    }

    /// Makes one edit now; whether it was possible.
    pub fn make(&mut self, edit: HumanEdit, now: Timestamp, reach: &mut Reach<'_>) -> bool {
        let dns = &reach.setting.migration.spec.dns;
        match edit {
            HumanEdit::StopTask(direction) => reach.dms.stop_by_hand(direction, now),
            HumanEdit::DeleteRedirect => {
                let port = u16::try_from(reach.setting.migration.spec.load_balancer.redirect.from_port).unwrap_or(80);
                reach.elb.delete_by_hand(port, now).is_some()
            }
            HumanEdit::RaiseTtl => {
                let old: Vec<Record> = reach.route53.shown(&dns.public.name).into_iter().cloned().collect();
                let new: Vec<Record> = old.iter().filter_map(with_an_hour).collect();
                !new.is_empty() && new.len() == old.len() && reach.route53.edit(now, &old, &new).is_ok()
            }
            HumanEdit::GrantSuper(side) => {
                let possible = self.to_take_back.is_none();
                if possible {
                    reach.databases.side_mut(side).strangers.push((Account::from(CONSULTANT), "SUPER"));
                    let hours = self.rng.u64(2..6);
                    self.to_take_back = Some((after(now, Duration::from_secs(hours * 3600)), side));
                }
                possible
            }
            HumanEdit::RepointShadow => {
                let old: Vec<Record> = reach.route53.shown(&dns.shadow.name).into_iter().cloned().collect();
                // A documentation address (RFC 5737): nobody's.
                let new = Record::of_values(dns.shadow.name.as_str(), "A", 300, &["192.0.2.99"]);
                let possible = !old.is_empty() && self.to_put_back.is_none();
                let made = possible && reach.route53.edit(now, &old, &[new]).is_ok();
                if made {
                    reach.monitor.note_shadow_edit(true);
                    let hours = self.rng.u64(2..6);
                    self.to_put_back = Some((after(now, Duration::from_secs(hours * 3600)), old));
                }
                made
            }
        }
    }

    fn put_back(&mut self, now: Timestamp, reach: &mut Reach<'_>) {
        let Some((_, old)) = self.to_put_back.take() else { return };
        let name = &reach.setting.migration.spec.dns.shadow.name;
        let there: Vec<Record> = reach.route53.shown(name).into_iter().cloned().collect();
        match reach.route53.edit(now, &there, &old) {
            Ok(()) => reach.monitor.note_shadow_edit(false),
            Err(_) => self.to_put_back = Some((after(now, PATIENCE), old)),
        }
    }
}

/// The same record with a TTL of an hour, unless it has no TTL or has that one.
fn with_an_hour(record: &Record) -> Option<Record> {
    match &record.data {
        RecordData::Values { ttl_seconds, values } if *ttl_seconds < 3600 => {
            let data = RecordData::Values { ttl_seconds: 3600, values: values.clone() };
            Some(Record { data, ..record.clone() })
        }
        RecordData::Values { .. } | RecordData::Alias { .. } => None,
    }
}
