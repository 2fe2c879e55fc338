//! Customers: they resolve the public name, pay with an idempotency key, and never give up.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use jiff::Timestamp;

use super::database::binlog::{Change, Origin};
use super::database::rows::{Row, RowKind, Status};
use super::database::{AccountUse, Availability, Databases, SimDatabase};
use super::resolvers::{PublicAnswers, Resolvers};
use super::setting::{BUSY_TABLES, Setting};
use crate::clock::{after, elapsed};
use crate::names::Side;

/// The table of payments, which every payment writes beside its ledger entry.
pub const PAYMENTS: usize = 0;
const LEDGER_ENTRIES: usize = 1;
/// Keys of validation rows begin here, above every customer's.
const VALIDATION_KEYS: u64 = 1 << 41;
/// Validation traffic writes a row this often while it may.
const VALIDATION_INTERVAL: Duration = Duration::from_secs(600);
/// The longest wait between two tries of one payment.
const LONGEST_BACKOFF_MS: u64 = 60_000;

/// What a customer does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Resolve, connect, begin.
    Try,
    /// Commit what was begun.
    Commit,
}

/// Whether a fence's kill ends the transaction at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grip {
    /// It does.
    Ordinary,
    /// It takes its time: a long transaction.
    Stubborn,
}

/// A transaction that has begun and not ended.
#[derive(Debug, Clone, Copy)]
struct Flight {
    side: Side,
    grip: Grip,
}

/// What a customer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The side that said so.
    pub side: Side,
    /// The row it named.
    pub row_id: u64,
}

/// One payment.
#[derive(Debug, Clone, Copy)]
pub struct Payment {
    /// How much.
    pub amount_cents: u64,
    /// The customer's resolver.
    resolver: usize,
    tries: u32,
    /// What the customer was told, once.
    pub acknowledged: Option<Acknowledgement>,
}

/// The last and the first acknowledgement around a change of sides.
#[derive(Debug, Clone, Copy, Default)]
struct Pauses {
    last: Option<(Side, Timestamp)>,
    to_target: Option<(Timestamp, Timestamp)>,
    to_legacy: Option<(Timestamp, Timestamp)>,
}

/// Everybody who pays, and the validation traffic.
#[derive(Debug)]
pub struct Customers {
    payments: Vec<Payment>,
    agenda: BinaryHeap<Reverse<(Timestamp, u64, Step)>>,
    flights: BTreeMap<u64, Flight>,
    intervals: (Duration, Duration),
    interval: Duration,
    next_arrival: Timestamp,
    next_validation: Option<Timestamp>,
    declared_tables: Vec<usize>,
    validation_rows_left: u32,
    pauses: Pauses,
    /// Tries that were refused or left in doubt.
    pub refused: u64,
    rng: fastrand::Rng,
}

impl Customers {
    /// Customers on a quiet day.
    pub fn new(setting: &Setting, now: Timestamp, rng: fastrand::Rng) -> Self {
        let declared_tables = setting.declared_tables();
        Self {
            payments: Vec::new(),
            agenda: BinaryHeap::new(),
            flights: BTreeMap::new(),
            intervals: (setting.quiet_interval, setting.busy_interval),
            interval: setting.quiet_interval,
            next_arrival: after(now, setting.quiet_interval),
            next_validation: (!declared_tables.is_empty()).then(|| after(now, VALIDATION_INTERVAL)),
            declared_tables,
            validation_rows_left: setting.validation_rows,
            pauses: Pauses::default(),
            refused: 0,
            rng,
        }
    }

    /// Begins or ends a rush.
    pub fn rush(&mut self, on: bool, now: Timestamp) {
        self.interval = if on { self.intervals.1 } else { self.intervals.0 };
        self.next_arrival = after(now, self.interval);
    }

    /// All payments; a payment's key is its number, counted from 1.
    pub fn payments(&self) -> impl Iterator<Item = (u64, &Payment)> {
        (1..).zip(&self.payments)
    }

    /// Payments that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.payments.iter().filter(|payment| payment.acknowledged.is_some()).count() as u64
    }

    /// Transactions of the application that are open on one side.
    pub fn open_transactions(&self, side: Side) -> u32 {
        u32::try_from(self.flights.values().filter(|flight| flight.side == side).count()).unwrap_or(u32::MAX)
    }

    /// The side that acknowledged last.
    pub fn last_side(&self) -> Option<Side> {
        self.pauses.last.map(|(side, _)| side)
    }

    /// The last acknowledgement on the other side and the first on `side`, at the newest change to it.
    pub const fn switch_to(&self, side: Side) -> Option<(Timestamp, Timestamp)> {
        match side {
            Side::Target => self.pauses.to_target,
            Side::Legacy => self.pauses.to_legacy,
        }
    }

    /// How long that was.
    pub fn pause_towards(&self, side: Side) -> Option<Duration> {
        self.switch_to(side).map(|(last, first)| elapsed(last, first))
    }

    /// When something happens next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let agenda = self.agenda.peek().map(|Reverse((at, ..))| *at);
        [Some(self.next_arrival), self.next_validation, agenda].into_iter().flatten().min()
    }

    /// Does everything that is due.
    pub fn step(&mut self, now: Timestamp, databases: &mut Databases, resolvers: &mut Resolvers, authorities: &PublicAnswers) {
        if self.next_arrival <= now {
            let key = self.arrive();
            self.attempt(key, now, databases, resolvers, authorities);
            self.next_arrival = after(now, self.interval.mul_f64(self.rng.f64() + 0.5));
        }
        while let Some(Reverse((_, key, step))) = self.agenda.peek().copied().filter(|Reverse((at, ..))| *at <= now) {
            self.agenda.pop();
            match step {
                Step::Try => self.attempt(key, now, databases, resolvers, authorities),
                Step::Commit => self.finish(key, now, databases),
            }
        }
        if self.next_validation.is_some_and(|at| at <= now) {
            self.validate(now, &mut databases.target);
        }
    }

    fn arrive(&mut self) -> u64 {
        let (amount_cents, resolver) = (self.rng.u64(100..50_000), self.rng.usize(..1024));
        self.payments.push(Payment { amount_cents, resolver, tries: 0, acknowledged: None });
        self.payments.len() as u64
    }

    fn payment(&mut self, key: u64) -> &mut Payment {
        let number = usize::try_from(key - 1).unwrap_or(usize::MAX);
        &mut self.payments[number]
    }

    fn attempt(
        &mut self,
        key: u64,
        now: Timestamp,
        databases: &Databases,
        resolvers: &mut Resolvers,
        authorities: &PublicAnswers,
    ) {
        let resolver = self.payment(key).resolver;
        let side = resolvers.resolve(resolver, now, authorities);
        match side.filter(|side| databases.side(*side).accepts(AccountUse::Application)) {
            Some(side) => {
                let takes = Duration::from_millis(self.rng.u64(5..40));
                self.begin(key, Flight { side, grip: Grip::Ordinary }, after(now, takes));
            }
            None => self.try_again(key, now),
        }
    }

    fn begin(&mut self, key: u64, flight: Flight, ends: Timestamp) {
        self.flights.insert(key, flight);
        self.agenda.push(Reverse((ends, key, Step::Commit)));
    }

    /// Backs off, doubling from half a second, with jitter.
    fn try_again(&mut self, key: u64, now: Timestamp) {
        self.refused += 1;
        let payment = self.payment(key);
        payment.tries += 1;
        let usual_ms = (500_u64 << payment.tries.min(10)).min(LONGEST_BACKOFF_MS);
        let wait_ms = self.rng.u64(usual_ms / 2..=usual_ms);
        self.agenda.push(Reverse((after(now, Duration::from_millis(wait_ms)), key, Step::Try)));
    }

    fn finish(&mut self, key: u64, now: Timestamp, databases: &mut Databases) {
        let Some(flight) = self.flights.remove(&key) else { return };
        let database = databases.side_mut(flight.side);
        match flight.grip {
            Grip::Ordinary if database.availability == Availability::Available => {
                let row_id = self.pay(key, now, database);
                self.acknowledge(key, Acknowledgement { side: flight.side, row_id }, now);
            }
            Grip::Ordinary => self.try_again(key, now),
            Grip::Stubborn => {
                if self.rng.bool() {
                    self.pay(key, now, database);
                } else {
                    roll_back(database);
                }
                self.try_again(key, now);
            }
        }
    }

    /// Commits the payment, unless its key is there already: then it is the same payment.
    fn pay(&mut self, key: u64, now: Timestamp, database: &mut SimDatabase) -> u64 {
        if let Some(row) = database.tables[PAYMENTS].with_key(key) {
            return row.id;
        }
        let (amount_cents, side) = (self.payment(key).amount_cents, database.side);
        let row = |id| Row {
            id,
            key,
            amount_cents,
            status: Status::Authorized,
            changed_at: now,
            origin: side,
            kind: RowKind::Application,
        };
        let payment = row(database.take_id(PAYMENTS));
        let mut changes = vec![Change::Insert(PAYMENTS, payment)];
        changes.push(Change::Insert(LEDGER_ENTRIES, row(database.take_id(LEDGER_ENTRIES))));
        changes.extend(self.settle_earlier(now, database));
        if self.rng.u8(..20) == 0 {
            let table = self.rng.usize(BUSY_TABLES..database.tables.len());
            changes.push(Change::Insert(table, row(database.take_id(table))));
        }
        database.commit(now, Origin::Application, changes);
        payment.id
    }

    /// One time in three the transaction also captures or refunds one of the newest payments: updates give parity teeth,
    /// and only the newest rows change, as in a shop.
    fn settle_earlier(&mut self, now: Timestamp, database: &SimDatabase) -> Option<Change> {
        if self.rng.u8(..3) > 0 {
            return None;
        }
        let back = self.rng.usize(..8);
        let earlier = database.recent(PAYMENTS, 8).nth(back).filter(|row| row.kind == RowKind::Application)?;
        let status = match earlier.status {
            Status::Authorized => Status::Captured,
            Status::Captured | Status::Refunded => Status::Refunded,
        };
        Some(Change::Update(PAYMENTS, Row { status, changed_at: now, ..*earlier }))
    }

    fn acknowledge(&mut self, key: u64, acknowledgement: Acknowledgement, now: Timestamp) {
        self.payment(key).acknowledged = Some(acknowledgement);
        if let Some((side, at)) = self.pauses.last.filter(|(side, _)| *side != acknowledgement.side) {
            let pause = Some((at, now));
            match side {
                Side::Legacy => self.pauses.to_target = pause,
                Side::Target => self.pauses.to_legacy = pause,
            }
        }
        self.pauses.last = Some((acknowledgement.side, now));
    }

    /// One transaction of `side` becomes a long one, which a kill does not end before `ends`.
    pub fn hold_on(&mut self, side: Side, ends: Timestamp) {
        let key = match self.flights.iter().find(|(_, flight)| flight.side == side) {
            Some((key, _)) => *key,
            None => self.arrive(),
        };
        // Its ordinary commit, if one is on the agenda, must not end it early.
        self.agenda.retain(|Reverse((_, other, _))| *other != key);
        self.begin(key, Flight { side, grip: Grip::Stubborn }, ends);
    }

    /// Every ordinary connection to `side` breaks: half the transactions in flight had just been committed, and no customer
    /// knows whether theirs was.
    pub fn cut(&mut self, side: Side, now: Timestamp, databases: &mut Databases) {
        let cut = self.flights.iter().filter(|(_, flight)| flight.side == side && flight.grip == Grip::Ordinary);
        let keys: Vec<u64> = cut.map(|(key, _)| *key).collect();
        for key in keys {
            self.flights.remove(&key);
            if self.rng.bool() {
                self.pay(key, now, databases.side_mut(side));
            } else {
                roll_back(databases.side_mut(side));
            }
            self.try_again(key, now);
        }
    }

    /// Validation traffic writes its declared rows to the target, until customers are there.
    fn validate(&mut self, now: Timestamp, target: &mut SimDatabase) {
        self.next_validation = Some(after(now, VALIDATION_INTERVAL));
        if self.validation_rows_left == 0 || self.last_side() == Some(Side::Target) {
            self.next_validation = None;
            return;
        }
        if !target.accepts(AccountUse::Validation) {
            return;
        }
        let table = self.declared_tables[self.rng.usize(..self.declared_tables.len())];
        self.validation_rows_left -= 1;
        let row = Row {
            // From the odd numbers that the application has left free, so that no payment on its way meets one of these.
            id: u64::from(self.validation_rows_left) * 2 + 1,
            key: VALIDATION_KEYS + u64::from(self.validation_rows_left),
            amount_cents: 1,
            status: Status::Authorized,
            changed_at: now,
            origin: Side::Target,
            kind: RowKind::Declared,
        };
        target.commit(now, Origin::Validation, vec![Change::Insert(table, row)]);
    }
}

/// A payment's transaction ends without a row, and its numbers are gone.
fn roll_back(database: &mut SimDatabase) {
    database.take_id(PAYMENTS);
    database.take_id(LEDGER_ENTRIES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::resolvers::PublicAnswer;

    fn scene() -> (Databases, Resolvers, PublicAnswers) {
        let database = |side| SimDatabase::new(side, 8, Vec::new());
        let authority = PublicAnswer { side: Some(Side::Legacy), ttl: Duration::from_secs(60) };
        let resolvers = Resolvers::new(3, authority, Timestamp::UNIX_EPOCH, &mut fastrand::Rng::with_seed(1));
        (Databases { legacy: database(Side::Legacy), target: database(Side::Target) }, resolvers, [authority; 4])
    }

    fn customers() -> Customers {
        let interval = Duration::from_secs(60);
        Customers {
            payments: Vec::new(),
            agenda: BinaryHeap::new(),
            flights: BTreeMap::new(),
            intervals: (interval, interval),
            interval,
            next_arrival: Timestamp::UNIX_EPOCH,
            next_validation: None,
            declared_tables: Vec::new(),
            validation_rows_left: 0,
            pauses: Pauses::default(),
            refused: 0,
            rng: fastrand::Rng::with_seed(7),
        }
    }

    fn open_to_the_application(database: &mut SimDatabase) {
        database.accounts.push(super::super::database::DatabaseAccount {
            account: "payments_app@%".into(),
            used_by: AccountUse::Application,
            lock: crate::database::AccountLock::Open,
        });
    }

    #[test]
    fn a_payment_in_doubt_is_tried_again_and_stored_once() {
        let (mut databases, mut resolvers, authority) = scene();
        open_to_the_application(&mut databases.legacy);
        let mut customers = customers();
        let mut now = Timestamp::UNIX_EPOCH;
        for round in 0..200 {
            customers.step(now, &mut databases, &mut resolvers, &authority);
            if round % 3 == 0 {
                customers.cut(Side::Legacy, now, &mut databases);
            }
            now = customers.next_due().unwrap_or(now);
        }
        let acknowledged: Vec<_> = customers.payments().filter(|(_, payment)| payment.acknowledged.is_some()).collect();
        assert!(acknowledged.len() > 20, "customers get on");
        assert!(customers.refused > 10, "some were in doubt");
        for (key, payment) in acknowledged {
            let row = databases.legacy.tables[PAYMENTS].with_key(key).expect("acknowledged payments are stored");
            assert_eq!(payment.acknowledged.map(|told| told.row_id), Some(row.id));
        }
    }

    #[test]
    fn nobody_is_told_yes_by_a_database_that_refuses_connections() {
        let (mut databases, mut resolvers, authority) = scene();
        let mut customers = customers();
        let mut now = Timestamp::UNIX_EPOCH;
        for _ in 0..50 {
            customers.step(now, &mut databases, &mut resolvers, &authority);
            now = customers.next_due().unwrap_or(now);
        }
        assert_eq!(customers.acknowledged(), 0);
        assert!(databases.legacy.tables[PAYMENTS].is_empty());
    }
}
