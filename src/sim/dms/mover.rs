//! The data plane of one task: full load, reloads, and change data capture from the source's binary log.
//!
//! A table's load is one copy at the moment it ends, exact to the source's binary log there: what really happens is a longer
//! read with cached changes replayed behind it, which ends in the same rows. Busy tables get their duplicate keys by chance.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::mappings::{MarkerSchema, Selection};
use super::outside::Pulse;
use super::settings::{ErrorPolicy, Loopback, Policies, PrepMode};
use super::task::StartHow;
use crate::clock::after;
use crate::database::BinlogPosition;
use crate::names::{Direction, Side};
use crate::sim::database::binlog::{Change, Event, Origin};
use crate::sim::database::rows::TableNumber;
use crate::sim::database::{Availability, Databases, SimDatabase};
use crate::sim::faults::Faults;
use crate::sim::setting::BUSY_TABLES;

/// `TableState`, as much as happens here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableState {
    /// `Before load`
    BeforeLoad,
    /// `Full load`
    FullLoad,
    /// `Table completed`
    Completed,
    /// `Table error`: suspended, nothing is applied to it any more.
    Error,
    /// `Table is being reloaded`
    Reloading,
}

impl TableState {
    /// DMS's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeLoad => "Before load",
            Self::FullLoad => "Full load",
            Self::Completed => "Table completed",
            Self::Error => "Table error",
            Self::Reloading => "Table is being reloaded",
        }
    }
}

/// One table of a task.
#[derive(Debug, Clone)]
pub struct TableProgress {
    /// Which.
    pub table: TableNumber,
    /// Where it stands.
    pub state: TableState,
    /// Rows copied by the last load.
    pub full_load_rows: u64,
    /// Inserts and updates captured.
    pub captured: (u64, u64),
    /// Inserts and updates applied.
    pub applied: (u64, u64),
    /// Rows that were logged and skipped.
    pub skipped: u64,
    /// How often it was reloaded.
    pub reloads: u32,
    /// When its last load began and ended.
    pub loaded: (Option<Timestamp>, Option<Timestamp>),
    /// When its load begins and ends, while one is planned.
    plan: Option<(Timestamp, Timestamp)>,
    /// Events before this one are in the copied rows already.
    from_seq: u64,
}

/// What the world has to know of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Every row of a table was removed to load it.
    Emptied {
        /// Where.
        side: Side,
        /// Which.
        table: TableNumber,
    },
    /// A task began to read from this event on.
    ReadsFrom {
        /// Which way.
        direction: Direction,
        /// The first event.
        seq: u64,
    },
}

/// Why a task cannot go on; `LastFailureMessage`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Last Error  {0}")]
pub struct TaskFailure(pub String);

/// The hands of one task.
#[derive(Debug)]
pub struct Mover {
    /// Its tables, in the order of loading.
    pub tables: Vec<TableProgress>,
    /// The next event of the source's binary log that it reads.
    pub next_seq: u64,
    direction: Direction,
    policies: Policies,
    markers: MarkerSchema,
    lag: Duration,
    /// Changes arrive no earlier than this, however small the lag is.
    stalled_until: Timestamp,
    /// What somebody outside who does the moving said last; `None` where this mover moves rows itself.
    pub pulse: Option<Pulse>,
    /// How far the mover outside has come.
    pub checkpoint: Option<BinlogPosition>,
}

impl Mover {
    /// The record of what somebody outside moves.
    pub fn outside(direction: Direction, selection: &Selection, policies: Policies, how: &StartHow) -> Self {
        let state = match how {
            StartHow::FullLoad => TableState::BeforeLoad,
            StartHow::Changes(_) | StartHow::Resume => TableState::Completed,
        };
        Self { pulse: Some(Pulse::AtWork), ..Self::new(direction, selection, policies, state, 0) }
    }

    /// Hands for a full load that begins now, and the changes after it.
    pub fn full_load(
        direction: Direction,
        selection: &Selection,
        policies: Policies,
        databases: &mut Databases,
        notes: &mut Vec<Note>,
    ) -> Self {
        let (source, target) = databases.along(direction);
        let next_seq = source.log.next_seq();
        if policies.prep_mode == PrepMode::Empty {
            for table in &selection.tables {
                empty(target, *table, notes);
            }
        }
        notes.push(Note::ReadsFrom { direction, seq: next_seq });
        Self::new(direction, selection, policies, TableState::BeforeLoad, next_seq)
    }

    /// Hands for changes only, from this event on.
    pub fn changes_only(
        direction: Direction,
        selection: &Selection,
        policies: Policies,
        next_seq: u64,
        notes: &mut Vec<Note>,
    ) -> Self {
        notes.push(Note::ReadsFrom { direction, seq: next_seq });
        Self::new(direction, selection, policies, TableState::Completed, next_seq)
    }

    fn new(direction: Direction, selection: &Selection, policies: Policies, state: TableState, next_seq: u64) -> Self {
        let progress = |table: &TableNumber| TableProgress {
            table: *table,
            state,
            full_load_rows: 0,
            captured: (0, 0),
            applied: (0, 0),
            skipped: 0,
            reloads: 0,
            loaded: (None, None),
            plan: None,
            from_seq: 0,
        };
        let tables = selection.tables.iter().map(progress).collect();
        // Until the first batch: the middle of what is normal.
        let lag = Duration::from_secs(1);
        Self {
            tables,
            next_seq,
            direction,
            policies,
            markers: selection.markers,
            lag,
            stalled_until: Timestamp::MIN,
            pulse: None,
            checkpoint: None,
        }
    }

    /// Plans the load of every table that is not loaded yet, one after another, over `whole` in all.
    pub fn plan_load(&mut self, now: Timestamp, whole: Duration) {
        let count = u32::try_from(self.tables.len().max(1)).unwrap_or(u32::MAX);
        let mut begins = now;
        for table in self.tables.iter_mut().filter(|table| matches!(table.state, TableState::BeforeLoad | TableState::FullLoad)) {
            // A busy table is four times the size of the others.
            let weight = if table.table < BUSY_TABLES { 4 } else { 1 };
            let ends = after(begins, whole * weight / (count + 3 * u32::try_from(BUSY_TABLES).unwrap_or(0)));
            table.state = TableState::BeforeLoad;
            table.plan = Some((begins, ends));
            begins = ends;
        }
    }

    /// Begins to reload one table: its rows on the target side go at once, whatever they are.
    pub fn reload(
        &mut self,
        table: TableNumber,
        ends: Timestamp,
        now: Timestamp,
        databases: &mut Databases,
        notes: &mut Vec<Note>,
    ) {
        let (_, target) = databases.along(self.direction);
        if let Some(progress) = self.tables.iter_mut().find(|progress| progress.table == table) {
            progress.state = TableState::Reloading;
            progress.reloads += 1;
            if self.pulse.is_some() {
                return;
            }
            progress.plan = Some((now, ends));
            empty(target, table, notes);
        }
    }

    /// Whether every table has been loaded once.
    pub fn load_is_over(&self) -> bool {
        !self.tables.iter().any(|table| matches!(table.state, TableState::BeforeLoad | TableState::FullLoad))
    }

    /// Tables that do not take changes.
    pub fn unsettled_tables(&self) -> usize {
        self.tables.iter().filter(|table| table.state != TableState::Completed).count()
    }

    /// Rows that were logged and skipped.
    pub fn skipped_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.skipped).sum()
    }

    /// When something happens next, if the source's log and both servers stay as they are.
    pub fn next_due(&self, databases: &Databases) -> Option<Timestamp> {
        if self.pulse.is_some() {
            return None;
        }
        let source = databases.side(self.direction.source());
        let target = databases.side(self.direction.source().other());
        if source.availability == Availability::Rebooting || target.availability == Availability::Rebooting {
            return None;
        }
        let loads = self.tables.iter().filter_map(|table| match (table.state, table.plan) {
            (TableState::BeforeLoad, Some((begins, _))) => Some(begins),
            (TableState::FullLoad | TableState::Reloading, Some((_, ends))) => Some(ends),
            _ => None,
        });
        let change = if self.load_is_over() { self.change_due(source) } else { None };
        loads.chain(change).min()
    }

    fn change_due(&self, source: &SimDatabase) -> Option<Timestamp> {
        if source.log.is_purged(self.next_seq) {
            return Some(Timestamp::MIN);
        }
        source.log.event(self.next_seq).map(|event| self.arrival(event))
    }

    /// When a change of the source arrives on the target.
    fn arrival(&self, event: &Event) -> Timestamp {
        after(event.at, self.lag).max(self.stalled_until)
    }

    /// Lets no change arrive before `until`, though the task goes on to call itself running.
    pub const fn stall(&mut self, until: Timestamp) {
        self.stalled_until = until;
    }

    /// Does everything that is due.
    pub fn step(
        &mut self,
        now: Timestamp,
        databases: &mut Databases,
        faults: &mut Faults,
        rng: &mut fastrand::Rng,
    ) -> Result<(), TaskFailure> {
        let (source, target) = databases.along(self.direction);
        if source.availability == Availability::Rebooting || target.availability == Availability::Rebooting {
            return Ok(());
        }
        self.load(now, source, target, faults, rng)?;
        if !self.load_is_over() {
            return Ok(());
        }
        if source.log.is_purged(self.next_seq) || !source.is_logging() {
            return Err(TaskFailure("Could not find first log file name in binary log index file. Task is stopped".to_owned()));
        }
        let before = self.next_seq;
        while let Some(event) = source.log.event(self.next_seq).filter(|event| self.arrival(event) <= now) {
            self.replay(now, event, target)?;
            self.next_seq += 1;
        }
        if self.next_seq > before {
            self.lag = lag(faults, rng);
        }
        Ok(())
    }

    fn load(
        &mut self,
        now: Timestamp,
        source: &SimDatabase,
        target: &mut SimDatabase,
        faults: &mut Faults,
        rng: &mut fastrand::Rng,
    ) -> Result<(), TaskFailure> {
        let policy = self.policies.insert;
        for table in &mut self.tables {
            let Some((begins, ends)) = table.plan else { continue };
            if table.state == TableState::BeforeLoad && begins <= now {
                table.state = TableState::FullLoad;
            }
            if !matches!(table.state, TableState::FullLoad | TableState::Reloading) || ends > now {
                continue;
            }
            table.copy(source, target);
            table.loaded = (Some(begins), Some(ends));
            table.plan = None;
            table.state = TableState::Completed;
            if !faults.strikes(table.duplicate_chance(faults.profile.table_error)) {
                continue;
            }
            faults.count("table_error");
            match policy {
                ErrorPolicy::Skip => table.lose_a_row(target, rng),
                ErrorPolicy::SuspendTable => table.state = TableState::Error,
                ErrorPolicy::StopTask => {
                    return Err(TaskFailure("Duplicate entry for key 'PRIMARY' [1062]. Task is stopped".to_owned()));
                }
                ErrorPolicy::Overwrite => {}
            }
        }
        Ok(())
    }

    /// Replays one transaction of the source on the target.
    fn replay(&mut self, now: Timestamp, event: &Event, target: &mut SimDatabase) -> Result<(), TaskFailure> {
        let echo = matches!(event.origin, Origin::Replication(_));
        if echo && self.policies.loopback == Loopback::Prevented {
            return Ok(());
        }
        let mut applied = Vec::with_capacity(event.changes.len());
        for change in event.changes.iter() {
            if self.replay_change(change, target)? {
                applied.push(change);
            }
        }
        if applied.is_empty() {
            return Ok(());
        }
        let changes: Arc<[Change]> = match applied.len() == event.changes.len() {
            true => Arc::clone(&event.changes),
            false => applied.into_iter().cloned().collect(),
        };
        target.write_log(now, Origin::Replication(self.direction), changes);
        Ok(())
    }

    /// Whether the change was applied.
    fn replay_change(&mut self, change: &Change, target: &mut SimDatabase) -> Result<bool, TaskFailure> {
        let (table, policy) = match change {
            Change::Insert(table, _) => (*table, self.policies.insert),
            Change::Update(table, _) => (*table, self.policies.update),
            Change::Heartbeat(..) | Change::Marker(_) => {
                let travels = self.markers == MarkerSchema::Selected;
                return Ok(travels && target.apply(change).is_ok());
            }
        };
        let next_seq = self.next_seq;
        let Some(progress) = self.tables.iter_mut().find(|progress| progress.table == table) else { return Ok(false) };
        if progress.state != TableState::Completed || next_seq < progress.from_seq {
            return Ok(false);
        }
        count(&mut progress.captured, change);
        let Err(error) = target.apply(change) else {
            count(&mut progress.applied, change);
            return Ok(true);
        };
        match policy {
            ErrorPolicy::Skip => progress.skipped += 1,
            ErrorPolicy::SuspendTable => progress.state = TableState::Error,
            ErrorPolicy::StopTask => return Err(TaskFailure(format!("{error}. Task is stopped"))),
            ErrorPolicy::Overwrite => {
                if let Change::Insert(_, row) | Change::Update(_, row) = change {
                    target.tables[table].put(*row);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl TableProgress {
    fn copy(&mut self, source: &SimDatabase, target: &mut SimDatabase) {
        let rows = &source.tables[self.table];
        for row in rows.rows() {
            target.tables[self.table].put(*row);
        }
        self.full_load_rows = rows.len() as u64;
        self.from_seq = source.log.next_seq();
        self.skipped = 0;
    }

    /// Busy tables get duplicates in their load; a reload meets the same rush once more, one time in four, and never again.
    fn duplicate_chance(&self, table_error: f64) -> f64 {
        match self.reloads {
            _ if self.table >= BUSY_TABLES => 0.0,
            0 => table_error,
            1 => table_error / 4.0,
            _ => 0.0,
        }
    }

    /// What `LOG_ERROR` does: one row is missing, and nobody says so.
    fn lose_a_row(&mut self, target: &mut SimDatabase, rng: &mut fastrand::Rng) {
        let rows = &mut target.tables[self.table];
        let Some(lost) = rng.usize(..rows.len().max(1)).checked_rem(rows.len()).and_then(|number| rows.rows().nth(number)) else {
            return;
        };
        let lost = lost.id;
        rows.remove(lost);
        self.skipped += 1;
    }
}

fn empty(target: &mut SimDatabase, table: TableNumber, notes: &mut Vec<Note>) {
    target.tables[table].truncate();
    notes.push(Note::Emptied { side: target.side, table });
}

const fn count(counters: &mut (u64, u64), change: &Change) {
    match change {
        Change::Insert(..) => counters.0 += 1,
        Change::Update(..) => counters.1 += 1,
        Change::Heartbeat(..) | Change::Marker(_) => {}
    }
}

/// How far behind the next batch is: up to two seconds, and in a storm now and then a good deal more.
fn lag(faults: &mut Faults, rng: &mut fastrand::Rng) -> Duration {
    // One batch in fifty of those that a slow day touches.
    if faults.strikes(faults.profile.slow_task / 50.0) {
        faults.count("lag_spike");
        return Duration::from_millis(rng.u64(5_000..20_000));
    }
    Duration::from_millis(rng.u64(200..2_000))
}
