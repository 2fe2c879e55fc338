//! The binary log: committed transactions in order, with positions that a reader can start from.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::rows::{Row, TableNumber};
use crate::clock::after;
use crate::database::BinlogPosition;
use crate::names::{Direction, MarkerId, Side};

/// What every file begins with (the magic number and the format description event of MySQL 8).
const FIRST_OFFSET: u64 = 157;
/// Roughly what one row event with its GTID, query, table map and XID events takes.
const EVENT_BYTES: u64 = 420;

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `WRITE_ROWS`
    Insert(TableNumber, Row),
    /// `UPDATE_ROWS`, with the full after-image.
    Update(TableNumber, Row),
    /// The heartbeat row that a side's controller account wrote.
    Heartbeat(Side, Timestamp),
    /// A marker row.
    Marker(MarkerId),
}

/// Who committed a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The application.
    Application,
    /// Validation traffic.
    Validation,
    /// The controller: heartbeats and markers.
    Controller,
    /// A DMS task of this direction; loopback prevention knows these.
    Replication(Direction),
}

/// A committed transaction.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it was committed.
    pub at: Timestamp,
    /// Who committed it.
    pub origin: Origin,
    /// What it did.
    pub changes: Arc<[Change]>,
    place: Place,
}

/// File number and offset.
type Place = (u32, u64);

/// Why a reader cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SeekError {
    /// The events are gone.
    #[error("the binary log has been purged at that position")]
    Purged,
    /// There is no such place.
    #[error("the position is beyond the end of the binary log")]
    Beyond,
}

/// The log of one server. Events have sequence numbers that never repeat, so that readers can hold one.
#[derive(Debug)]
pub struct Binlog {
    events: VecDeque<Event>,
    first: u64,
    oldest: Place,
    end: Place,
}

impl Default for Binlog {
    fn default() -> Self {
        Self { events: VecDeque::new(), first: 0, oldest: (1, FIRST_OFFSET), end: (1, FIRST_OFFSET) }
    }
}

impl Binlog {
    /// Appends one committed transaction.
    pub fn append(&mut self, at: Timestamp, origin: Origin, changes: Arc<[Change]>) {
        let bytes = EVENT_BYTES * (changes.len() as u64);
        self.events.push_back(Event { at, origin, changes, place: self.end });
        self.end.1 += bytes;
    }

    /// Begins the next file, as a restart of the server does.
    pub const fn rotate(&mut self) {
        self.end = (self.end.0 + 1, FIRST_OFFSET);
    }

    /// The sequence number that the next event will have.
    pub fn next_seq(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The event with this number, if it is still there.
    pub fn event(&self, seq: u64) -> Option<&Event> {
        self.events.get(usize::try_from(seq.checked_sub(self.first)?).ok()?)
    }

    /// Whether the event with this number has been purged.
    pub const fn is_purged(&self, seq: u64) -> bool {
        seq < self.first
    }

    /// The end of the log.
    pub fn position(&self) -> BinlogPosition {
        named(self.end)
    }

    /// The oldest position still there.
    pub fn oldest(&self) -> BinlogPosition {
        named(self.oldest)
    }

    /// Where the event with this number begins; the end of the log for the next one.
    pub fn position_of(&self, seq: u64) -> BinlogPosition {
        self.event(seq).map_or_else(|| self.position(), |event| named(event.place))
    }

    /// The number of the first event at or after `position`.
    pub fn seek(&self, position: &BinlogPosition) -> Result<u64, SeekError> {
        let number = position.file.rsplit('.').next().and_then(|digits| digits.parse().ok()).ok_or(SeekError::Beyond)?;
        let place: Place = (number, position.offset);
        if place < self.oldest {
            return Err(SeekError::Purged);
        }
        if place > self.end {
            return Err(SeekError::Beyond);
        }
        Ok(self.first + self.events.partition_point(|event| event.place < place) as u64)
    }

    /// Whether anybody but the controller has committed within `window`.
    pub fn moved_within(&self, window: Duration, now: Timestamp) -> bool {
        let mut recent = self.events.iter().rev().take_while(|event| after(event.at, window) > now);
        recent.any(|event| event.origin != Origin::Controller)
    }

    /// Forgets what is older than `retention`.
    pub fn purge(&mut self, now: Timestamp, retention: Duration) {
        while self.events.front().is_some_and(|event| after(event.at, retention) < now) {
            self.events.pop_front();
            self.first += 1;
            self.oldest = self.events.front().map_or(self.end, |event| event.place);
        }
    }

    /// Forgets everything, as a server does whose log was switched off.
    pub fn clear(&mut self) {
        self.first = self.next_seq();
        self.events.clear();
        self.rotate();
        self.oldest = self.end;
    }
}

fn named((file, offset): Place) -> BinlogPosition {
    BinlogPosition { file: format!("mysql-bin-changelog.{file:06}"), offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("a small number of seconds")
    }

    fn log_of(events: i64) -> Binlog {
        let mut log = Binlog::default();
        for second in 0..events {
            log.append(at(second), Origin::Controller, Arc::from([Change::Heartbeat(Side::Legacy, at(second))]));
        }
        log
    }

    #[test]
    fn a_position_read_at_the_end_is_where_the_next_event_begins() {
        let mut log = log_of(3);
        let end = log.position();
        log.append(at(9), Origin::Application, Arc::from([]));
        assert_eq!(log.seek(&end), Ok(3));
        assert_eq!(log.position_of(3), end);
    }

    #[test]
    fn a_position_survives_a_rotation() {
        let mut log = log_of(2);
        let end = log.position();
        log.rotate();
        log.append(at(9), Origin::Application, Arc::from([]));
        assert_eq!(log.seek(&end), Ok(2));
    }

    #[test]
    fn purged_and_unwritten_positions_are_refused() {
        let mut log = log_of(5);
        let start = log.oldest();
        let end = log.position();
        log.purge(at(100), Duration::from_secs(98));
        assert_eq!(log.seek(&start), Err(SeekError::Purged));
        assert!(log.is_purged(0) && !log.is_purged(2));
        assert_eq!(log.seek(&BinlogPosition { offset: end.offset + 1, ..end }), Err(SeekError::Beyond));
    }
}
