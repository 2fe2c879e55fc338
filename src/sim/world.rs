//! The world: every component, and the order in which things happen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::bookkeeper::Bookkeeper;
use super::customers::{Customers, PAYMENTS};
use super::database::export::{Lacking, SavedRows, lacking_on_legacy};
use super::database::rows::{Row, RowKind, Status};
use super::database::{AccountUse, BinlogSettings, Databases, SimDatabase};
use super::dms::Dms;
use super::dms::mover::Note;
use super::dms::outside::DataPlane;
use super::elb::Elb;
use super::faults::Faults;
use super::humans::{Humans, Reach};
use super::monitor::calls::TaskInCall;
use super::monitor::rules::{LogNow, Rescue, SideTruth, Truth, WritesNow};
use super::monitor::{Actor, Monitor};
use super::network::{Incidents, Site};
use super::profile::FaultProfile;
use super::rds::{Rds, RdsEffect};
use super::report::{PaymentCounts, WorldReport};
use super::resolvers::{PublicAnswer, PublicAnswers, Resolvers};
use super::route53::{Record, RecordData, Route53};
use super::setting::Setting;
use super::wire::{Cloud, Parameters, RestAnswer, RestRequest, ServiceError};
use crate::clock::after;
use crate::names::{Account, Direction, InstanceId, Side};
use crate::parity::exporter::ExportName;
use crate::spec::Migration;

/// A world that the wire, the databases' seams and the rehearsal share.
pub type SharedWorld = Arc<Mutex<World>>;

/// Keys of rows that were there before the rehearsal begin here, above every customer's.
const OLD_KEYS: u64 = 1 << 40;
/// Targets behind the load balancer.
const TARGETS: usize = 3;
/// How long a resolver keeps it that nothing was answered.
const NEGATIVE_TTL: Duration = Duration::from_secs(60);

/// Everything that a rehearsal plays in.
#[derive(Debug)]
pub struct World {
    /// Names and sizes.
    pub setting: Setting,
    /// Both databases.
    pub databases: Databases,
    /// DMS.
    pub dms: Dms,
    /// RDS.
    pub rds: Rds,
    /// Route 53.
    pub route53: Route53,
    /// The load balancer.
    pub elb: Elb,
    /// Resolvers.
    pub resolvers: Resolvers,
    /// Customers.
    pub customers: Customers,
    /// People with consoles.
    pub humans: Humans,
    /// The other end of hooks.
    pub bookkeeper: Bookkeeper,
    /// The watch.
    pub monitor: Monitor,
    /// What answers over HTTP.
    pub site: Site,
    /// What is wrong behind the scenes.
    pub incidents: Incidents,
    faults: Faults,
    now: Timestamp,
    public: PublicAnswers,
    /// The rows that were saved before a forced rollback, on the controller's own disk: it outlives the controller.
    pub exports: BTreeMap<ExportName, SavedRows>,
    /// What became of the writer, for databases that are none of this world's.
    pub writer_effects: Vec<RdsEffect>,
    /// Chance at the databases' seams.
    pub(super) seam_rng: fastrand::Rng,
    /// Chance on the network that checks ask through.
    network_rng: fastrand::Rng,
}

impl World {
    /// The scene of `migration` before anybody touched it. Every component draws from its own generator, so that one more
    /// fault does not shift the rest.
    pub fn new(migration: &Migration, setting: Setting, profile: FaultProfile, seed: u64, start: Timestamp) -> Self {
        let fork = |number: u64| fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number));
        let spec = &migration.spec;
        let mut databases = Databases {
            legacy: SimDatabase::new(Side::Legacy, setting.tables.len(), setting.accounts(Side::Legacy)),
            target: SimDatabase::new(Side::Target, setting.tables.len(), setting.accounts(Side::Target)),
        };
        fill(&mut databases.legacy, setting.rows_at_start, start, &mut fork(1));
        let public = Record::pointing(&spec.dns.public.name, &spec.dns.public.legacy, setting.initial_ttl_seconds);
        let route53 = Route53::new(spec.dns.hosted_zone_id.clone(), &spec.dns.zone_name, vec![public], fork(2));
        let public = public_answers(&route53, &setting);
        let member = |number: u32| InstanceId(format!("{}-instance-{number}", spec.target.cluster));
        Self {
            dms: Dms::new(&setting, fork(3)),
            rds: Rds::new(spec.target.cluster.clone(), member(1), member(2), fork(4)),
            elb: Elb::new(spec.load_balancer.arn.clone(), spec.load_balancer.target_group_arn.clone(), TARGETS, start, fork(5)),
            resolvers: Resolvers::new(setting.resolvers, public[0], start, &mut fork(6)),
            customers: Customers::new(&setting, start, fork(7)),
            humans: Humans::new(profile.human_edits, start, fork(8)),
            bookkeeper: Bookkeeper::new(fork(11)),
            monitor: Monitor::new(public[0].side),
            faults: Faults::new(profile, fork(9)),
            seam_rng: fork(10),
            network_rng: fork(11),
            site: Site::of(&spec.checks),
            incidents: Incidents::default(),
            exports: BTreeMap::new(),
            now: start,
            writer_effects: Vec::new(),
            public,
            route53,
            databases,
            setting,
        }
    }

    /// Puts the world where the wire, the seams and the rehearsal can share it.
    pub fn shared(self) -> SharedWorld {
        Arc::new(Mutex::new(self))
    }

    /// The world's time: up to here everything has happened.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What the authoritative servers say about the public name.
    pub const fn public(&self) -> PublicAnswers {
        self.public
    }

    /// Where the public name points for customers of one resolver.
    pub fn resolve(&mut self, resolver: usize, now: Timestamp) -> Option<Side> {
        self.resolvers.resolve(resolver, now, &self.public)
    }

    /// Whether the network loses a question of a check.
    pub(super) fn loses_a_question(&mut self) -> bool {
        let chance = self.faults.profile.network_error;
        let lost = !self.faults.is_quiet() && chance > 0.0 && self.network_rng.f64() < chance;
        if lost {
            self.faults.count("network_error");
        }
        lost
    }

    /// Resolvers that would still send customers to legacy: what a counter of requests there shows.
    pub(super) fn still_at_legacy(&self) -> usize {
        self.resolvers.leading_to(Side::Legacy, self.now)
    }

    /// Begins or ends a rush of customers.
    pub fn rush(&mut self, on: bool) {
        self.customers.rush(on, self.now);
    }

    /// When something happens next, in any component.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = [
            self.rds.next_due(),
            self.route53.next_due(),
            self.dms.next_due(&self.databases),
            self.customers.next_due(),
            self.humans.next_due(),
        ];
        due.into_iter().flatten().min()
    }

    /// Everything that is due at `now`, in a fixed order.
    fn step(&mut self, now: Timestamp) {
        self.now = now;
        if self.rds.next_due().is_some_and(|due| due <= now) {
            self.take_rds_effects(Actor::Controller);
        }
        if self.route53.next_due().is_some_and(|due| due <= now) {
            self.route53.step(now);
            self.refresh_public(Actor::Controller);
        }
        if self.dms.next_due(&self.databases).is_some_and(|due| due <= now) {
            self.dms.step(now, &mut self.databases, &mut self.faults);
            self.take_dms_notes();
        }
        if self.customers.next_due().is_some_and(|due| due <= now) {
            self.customers.step(now, &mut self.databases, &mut self.resolvers, &self.public);
        }
        if self.humans.next_due().is_some_and(|due| due <= now) {
            // Nobody plays in a console while a fence moves.
            let hands_off = !self.is_open(Side::Legacy) && !self.is_open(Side::Target);
            let mut reach = Reach {
                databases: &mut self.databases,
                dms: &mut self.dms,
                route53: &mut self.route53,
                elb: &mut self.elb,
                faults: &mut self.faults,
                monitor: &mut self.monitor,
                setting: &self.setting,
            };
            self.humans.step(now, hands_off, &mut reach);
        }
        self.watch();
    }

    /// No number is given on one side that the other has given before it.
    fn watch_numbers(&mut self) {
        for side in [Side::Legacy, Side::Target] {
            for (table, id) in std::mem::take(&mut self.databases.side_mut(side).given) {
                let name = self.setting.tables[table].to_string();
                self.monitor.number_given(self.now, side, &name, id);
            }
        }
    }

    fn is_open(&self, side: Side) -> bool {
        self.databases.side(side).is_unlocked(AccountUse::Application)
    }

    /// The rules look, if there can be anything to see.
    pub(super) fn watch(&mut self) {
        if self.setting.data_plane == DataPlane::Outside {
            return;
        }
        self.watch_numbers();
        let writes = (self.writes_now(Side::Legacy), self.writes_now(Side::Target));
        let target_commits = self.databases.target.application_commits;
        if self.monitor.is_unchanged(writes, target_commits) {
            return;
        }
        let newest_commit = self.databases.target.application_end.saturating_sub(1);
        self.monitor.look(self.now, self.truth(), target_commits, newest_commit);
    }

    fn writes_now(&self, side: Side) -> WritesNow {
        match (self.is_open(side), self.customers.open_transactions(side)) {
            (true, _) => WritesNow::Open,
            (false, 0) => WritesNow::Closed,
            (false, _) => WritesNow::Ending,
        }
    }

    /// What is true now, for the rules.
    pub fn truth(&self) -> Truth {
        let side = |side| {
            let database = self.databases.side(side);
            SideTruth {
                writes: self.writes_now(side),
                application_end: database.application_end,
                log: if database.binlog.format == "ROW" { LogNow::Rows } else { LogNow::Unusable },
                unlogged_commits: database.unlogged_commits,
            }
        };
        Truth {
            authoritative: self.monitor.authoritative(),
            legacy: side(Side::Legacy),
            target: side(Side::Target),
            forward: self.dms.progress(Direction::Forward),
            reverse: self.dms.progress(Direction::Reverse),
            rescue: self.rescue(),
        }
    }

    /// Whether what legacy lacks is saved. It is asked for in the moment in which legacy has opened, before anybody has written
    /// there.
    fn rescue(&self) -> Rescue {
        let is_asked = self.monitor.authoritative() == Side::Target && self.is_open(Side::Legacy);
        match (self.monitor.loss_is_accepted(), is_asked) {
            (false, _) => Rescue::NobodyAcceptsALoss,
            (true, false) => Rescue::NotAsked,
            (true, true) => {
                let lacking = lacking_on_legacy(self);
                if self.exports.values().any(|saved| *saved == lacking) { Rescue::Exact } else { Rescue::Amiss }
            }
        }
    }

    fn take_rds_effects(&mut self, actor: Actor) {
        for effect in self.rds.step(self.now) {
            if self.setting.data_plane == DataPlane::Outside {
                self.writer_effects.push(effect.clone());
            }
            match effect {
                RdsEffect::WriterRebooting { .. } => {
                    let in_window = self.setting.migration.spec.binlog.maintenance_window.is_open(self.now);
                    self.monitor.writer_reboots(self.now, in_window, actor);
                    self.customers.cut(Side::Target, self.now, &mut self.databases);
                    self.databases.target.go_down();
                }
                RdsEffect::WriterUp { binlog, .. } => self.databases.target.come_up(BinlogSettings {
                    format: binlog.format,
                    row_image: binlog.row_image,
                    checksum: binlog.checksum,
                    form: binlog.form,
                }),
            }
        }
    }

    fn take_dms_notes(&mut self) {
        for note in std::mem::take(&mut self.dms.notes) {
            match note {
                Note::Emptied { side, table } => {
                    let name = self.setting.tables[table].to_string();
                    self.monitor.table_emptied(self.now, side, &name);
                }
                Note::ReadsFrom { direction, seq } => self.monitor.task_reads_from(self.now, direction, seq),
            }
        }
    }

    fn refresh_public(&mut self, actor: Actor) {
        self.public = public_answers(&self.route53, &self.setting);
        if self.setting.data_plane == DataPlane::Outside {
            return;
        }
        let truth = self.truth();
        self.monitor.pointing_changed(self.now, pointing(&self.public), &truth, actor);
    }

    /// Locks accounts: new connections are refused, and now and then a long transaction holds on.
    pub fn lock_accounts(&mut self, side: Side, accounts: &[Account]) {
        let was_open = self.is_open(side);
        self.databases.side_mut(side).lock(accounts);
        let closing = was_open && !self.is_open(side) && self.customers.last_side() == Some(side);
        if closing && self.faults.strikes(self.faults.profile.long_transaction) {
            self.faults.count("long_transaction");
            let ends = after(self.now, Duration::from_millis(self.seam_rng.u64(1_000..12_000)));
            self.customers.hold_on(side, ends);
        }
        self.watch();
    }

    /// Kills every connection of locked accounts; a long transaction takes its time.
    pub fn kill_connections(&mut self, side: Side) {
        if !self.is_open(side) {
            self.customers.cut(side, self.now, &mut self.databases);
        }
        self.watch();
    }

    /// Unlocks accounts; the application's connections come back by themselves.
    pub fn unlock_accounts(&mut self, side: Side, accounts: &[Account]) {
        self.databases.side_mut(side).unlock(accounts);
        self.watch();
    }

    /// S2 at the end: every acknowledged payment is on `authoritative`, once, with its amount; or, where somebody has accepted
    /// that, in quarantine and not there.
    pub fn final_check(&mut self, authoritative: Side) -> PaymentCounts {
        let here = &self.databases.side(authoritative).tables[PAYMENTS];
        let there = &self.databases.side(authoritative.other()).tables[PAYMENTS];
        let quarantine = self.quarantined_payments();
        let mut counts = PaymentCounts { refused: self.customers.refused, ..PaymentCounts::default() };
        let mut lost = Vec::new();
        for (key, payment) in self.customers.payments() {
            let row = here.with_key(key);
            if let (Some(row), Some(other)) = (row, there.with_key(key)) {
                counts.duplicated += u64::from(row.id != other.id && !quarantine.contains_key(&key));
            }
            let Some(acknowledged) = payment.acknowledged else { continue };
            counts.acknowledged += 1;
            match (quarantine.get(&key), row, acknowledged.side) {
                (Some(saved), None, _) if saved.amount_cents == payment.amount_cents => {
                    counts.quarantined += 1;
                    continue;
                }
                // Nobody had told the customer of the first try, so that legacy took the payment again.
                (Some(_), Some(_), Side::Legacy) => counts.paid_again += 1,
                (Some(_), Some(_), Side::Target) => counts.duplicated += 1,
                (Some(_), None, _) | (None, _, _) => {}
            }
            if row.is_none_or(|row| row.amount_cents != payment.amount_cents) {
                lost.push(key);
            }
        }
        counts.lost = lost.len() as u64;
        for key in lost {
            self.monitor.payment_lost(self.now, key, authoritative);
        }
        if counts.duplicated > 0 {
            self.monitor.report("S2", self.now, format!("{} payments have two rows", counts.duplicated));
        }
        counts
    }

    /// Payments that legacy had no row of when it opened, by their keys: those of the newest export, which it opened on.
    fn quarantined_payments(&self) -> BTreeMap<u64, Row> {
        let newest = self.exports.values().next_back().filter(|_| self.monitor.loss_is_accepted());
        let rows = newest.into_iter().flatten();
        rows.filter(|(table, _, lacking)| (*table, *lacking) == (PAYMENTS, Lacking::Row))
            .map(|(_, row, _)| (row.key, *row))
            .collect()
    }

    /// The final check, and all that was counted.
    pub fn report(&mut self, authoritative: Side) -> WorldReport {
        let payments = self.final_check(authoritative);
        self.monitor.finish(self.now);
        let pause = |side| self.customers.pause_towards(side).map(|pause| pause.as_secs_f64());
        WorldReport {
            payments,
            write_pause_seconds: pause(Side::Target),
            rollback_write_pause_seconds: pause(Side::Legacy),
            aws_calls: self.faults.calls.clone(),
            faults_injected: self.faults.injected.clone(),
            hook_calls: self.bookkeeper.taken().clone(),
            violations: self.monitor.violations.clone(),
        }
    }
}

impl Cloud for World {
    fn advance(&mut self, to: Timestamp) {
        while let Some(due) = self.next_due().filter(|due| *due <= to) {
            self.step(due.max(self.now));
        }
        self.now = self.now.max(to);
    }

    fn dms(&mut self, operation: &str, input: &Value) -> Result<Value, ServiceError> {
        let arn = input["ReplicationTaskArn"].as_str();
        let task = arn.and_then(|arn| {
            Some(TaskInCall { direction: self.dms.direction_of(arn)?, loads_tables: self.dms.loads_tables(arn) })
        });
        let answer = self.dms.call(self.now, operation, input, &mut self.databases, &mut self.faults)?;
        self.monitor.dms_called(self.now, &self.setting, operation, input, task);
        self.take_dms_notes();
        Ok(answer)
    }

    fn rds(&mut self, action: &str, parameters: &Parameters) -> Result<String, ServiceError> {
        let answer = self.rds.call(self.now, action, parameters)?;
        self.monitor.rds_called(self.now, &self.setting, action, parameters);
        self.take_rds_effects(Actor::Controller);
        self.watch();
        Ok(answer)
    }

    fn route53(&mut self, request: &RestRequest) -> Result<RestAnswer, ServiceError> {
        let answer = self.route53.call(self.now, request)?;
        self.monitor.route53_called(self.now, &self.setting, request);
        Ok(answer)
    }

    fn elb(&mut self, action: &str, parameters: &Parameters) -> Result<String, ServiceError> {
        let answer = self.elb.call(self.now, action, parameters)?;
        self.monitor.elb_called(self.now, &self.setting, action, parameters);
        Ok(answer)
    }

    fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }
}

/// The rows that legacy has had for years.
fn fill(database: &mut SimDatabase, rows: u64, start: Timestamp, rng: &mut fastrand::Rng) {
    for table in 0..database.tables.len() {
        for number in 1..=rows {
            let age = Duration::from_secs(rng.u64(3_600..90 * 24 * 3600));
            let changed_at = start.checked_sub(age).unwrap_or(start);
            database.tables[table].put(Row {
                id: number * 2,
                key: OLD_KEYS + number,
                amount_cents: rng.u64(100..50_000),
                status: Status::Captured,
                changed_at,
                origin: Side::Legacy,
                kind: RowKind::Application,
            });
        }
    }
}

/// Where each authoritative server sends customers.
fn public_answers(route53: &Route53, setting: &Setting) -> PublicAnswers {
    std::array::from_fn(|server| public_answer(route53, setting, server))
}

/// The first server that sends customers to the target has sent some there: from then on the name points there.
fn pointing(answers: &PublicAnswers) -> Option<Side> {
    let target = answers.iter().find(|answer| answer.side == Some(Side::Target));
    target.unwrap_or(&answers[0]).side
}

fn public_answer(route53: &Route53, setting: &Setting, server: usize) -> PublicAnswer {
    let public = &setting.migration.spec.dns.public;
    let Some(answer) = route53.answer(&public.name, server) else {
        return PublicAnswer { side: None, ttl: NEGATIVE_TTL };
    };
    let answers = |side: Side| {
        let wanted = Record::pointing(&public.name, public.destination(side), 0);
        answer
            .records
            .iter()
            .all(|record| record.record_type == wanted.record_type && goes_the_same_way(&record.data, &wanted.data))
    };
    let side = [Side::Legacy, Side::Target].into_iter().find(|side| answers(*side));
    PublicAnswer { side, ttl: Duration::from_secs(answer.ttl_seconds) }
}

/// Whether two record sets send customers to the same place, whatever their TTLs.
fn goes_the_same_way(one: &RecordData, other: &RecordData) -> bool {
    match (one, other) {
        (RecordData::Values { values: one, .. }, RecordData::Values { values: other, .. }) => one == other,
        (RecordData::Alias { dns_name: one, .. }, RecordData::Alias { dns_name: other, .. }) => one == other,
        _ => false,
    }
}
