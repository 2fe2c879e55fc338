//! Rows and tables of the simulated databases, as much of them as a migration can get wrong.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::names::Side;

/// A table's number in the setting's list of tables.
pub type TableNumber = usize;

/// Where a payment stands; later states come by updates of the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Promised by the bank.
    Authorized,
    /// Taken.
    Captured,
    /// Given back.
    Refunded,
}

/// Whose row it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// The application's.
    Application,
    /// Validation traffic's, picked out by a declared predicate.
    Declared,
}

/// One row; every table has this shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Primary key, the next number of the database that took the insert.
    pub id: u64,
    /// Idempotency key, under a unique index.
    pub key: u64,
    /// Money.
    pub amount_cents: u64,
    /// State.
    pub status: Status,
    /// When a client changed it last; replication carries the value over.
    pub changed_at: Timestamp,
    /// Where it was inserted.
    pub origin: Side,
    /// Whose it is.
    pub kind: RowKind,
}

/// A unique index refused a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("duplicate entry")]
pub struct DuplicateEntry;

/// An update found no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such row")]
pub struct NoSuchRow;

/// One table with its primary key and its unique index.
#[derive(Debug, Default)]
pub struct Table {
    rows: BTreeMap<u64, Row>,
    by_key: BTreeMap<u64, u64>,
    /// `AUTO_INCREMENT`; 0 and 1 are the same.
    next_id: u64,
}

impl Table {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row with this idempotency key.
    pub fn with_key(&self, key: u64) -> Option<&Row> {
        self.by_key.get(&key).and_then(|id| self.rows.get(id))
    }

    /// The row with this primary key.
    pub fn with_id(&self, id: u64) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// All rows by primary key.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values()
    }

    /// The highest primary key.
    pub fn last_id(&self) -> u64 {
        self.rows.last_key_value().map_or(0, |(id, _)| *id)
    }

    /// The number that the next row is given.
    pub fn next_id(&self) -> u64 {
        self.next_id.max(1)
    }

    /// Gives a number, which is gone whether or not its row is ever committed.
    pub fn take_id(&mut self) -> u64 {
        let id = self.next_id();
        self.next_id = id + 1;
        id
    }

    /// `ALTER TABLE ... AUTO_INCREMENT`, upwards only.
    pub fn raise_next_id(&mut self, next: u64) {
        self.next_id = self.next_id.max(next);
    }

    /// `INSERT`
    pub fn insert(&mut self, row: Row) -> Result<(), DuplicateEntry> {
        if self.rows.contains_key(&row.id) || self.by_key.contains_key(&row.key) {
            return Err(DuplicateEntry);
        }
        self.put(row);
        Ok(())
    }

    /// `UPDATE` by primary key.
    pub fn update(&mut self, row: Row) -> Result<(), NoSuchRow> {
        let old = self.rows.get_mut(&row.id).ok_or(NoSuchRow)?;
        *old = row;
        Ok(())
    }

    /// `REPLACE`: whatever stood in the way of either index is gone.
    pub fn put(&mut self, row: Row) {
        self.raise_next_id(row.id + 1);
        if let Some(old) = self.rows.insert(row.id, row) {
            self.by_key.remove(&old.key);
        }
        if let Some(other) = self.by_key.insert(row.key, row.id).filter(|other| *other != row.id) {
            self.rows.remove(&other);
        }
    }

    /// `DELETE` by primary key.
    pub fn remove(&mut self, id: u64) {
        if let Some(old) = self.rows.remove(&id) {
            self.by_key.remove(&old.key);
        }
    }

    /// `TRUNCATE`, which numbers rows from 1 again.
    pub fn truncate(&mut self) {
        self.next_id = 1;
        self.rows.clear();
        self.by_key.clear();
    }

    /// Count and order-independent checksum of the rows last changed before `settled_before`, and the declared rows, which
    /// are counted apart when they are declared for this table.
    pub fn digest(&self, settled_before: Timestamp, declared: bool) -> (u64, u64, u64) {
        self.digest_without(settled_before, declared, &BTreeSet::new())
    }

    /// Primary keys of the rows changed at `since` or later.
    pub fn changed_since(&self, since: Timestamp) -> impl Iterator<Item = u64> {
        self.rows.values().filter(move |row| row.changed_at >= since).map(|row| row.id)
    }

    /// The same without the rows whose primary keys the other side left out.
    pub fn digest_without(&self, settled_before: Timestamp, declared: bool, leave_out: &BTreeSet<String>) -> (u64, u64, u64) {
        let left_out = |row: &&Row| !leave_out.is_empty() && leave_out.contains(&row.id.to_string());
        let settled = self.rows.values().filter(|row| row.changed_at < settled_before).filter(|row| !left_out(row));
        let mut sums = (0_u64, 0_u64, 0_u64);
        for row in settled {
            if declared && row.kind == RowKind::Declared {
                sums.2 += 1;
            } else {
                sums.0 += 1;
                sums.1 = sums.1.wrapping_add(hash(row));
            }
        }
        sums
    }
}

/// A hash of one row. Summed, it is not linear in the values, so compensating changes show (`reference`: a CRC hides them).
fn hash(row: &Row) -> u64 {
    let changed_at = row.changed_at.as_millisecond().unsigned_abs();
    [row.key, row.amount_cents, row.status as u64, changed_at].into_iter().fold(mix(row.id), |sum, value| mix(sum ^ value))
}

/// The finaliser of SplitMix64.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, key: u64, amount_cents: u64) -> Row {
        let changed_at = Timestamp::UNIX_EPOCH;
        Row { id, key, amount_cents, status: Status::Authorized, changed_at, origin: Side::Legacy, kind: RowKind::Application }
    }

    #[test]
    fn a_key_is_stored_once_whatever_its_row_id() {
        let mut table = Table::default();
        assert_eq!(table.insert(row(2, 7, 100)), Ok(()));
        assert_eq!(table.insert(row(4, 7, 100)), Err(DuplicateEntry));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_number_is_given_once_even_if_its_row_never_comes_and_a_truncated_table_forgets_it() {
        let mut table = Table::default();
        assert_eq!((table.take_id(), table.take_id()), (1, 2));
        table.put(row(9, 9, 1));
        assert_eq!(table.next_id(), 10, "a replicated row raises the counter");
        table.raise_next_id(5);
        assert_eq!(table.next_id(), 10, "which never goes down");
        table.truncate();
        assert_eq!(table.next_id(), 1);
    }

    #[test]
    fn a_swap_of_two_values_changes_the_digest() {
        let (mut one, mut other) = (Table::default(), Table::default());
        for (table, amounts) in [(&mut one, [100, 200]), (&mut other, [200, 100])] {
            for (id, amount) in [2, 4].into_iter().zip(amounts) {
                table.put(row(id, id, amount));
            }
        }
        let (one, other) = (one.digest(Timestamp::MAX, false), other.digest(Timestamp::MAX, false));
        assert_eq!(one.0, other.0);
        assert_ne!(one.1, other.1);
    }

    #[test]
    fn declared_rows_are_counted_apart_only_where_they_are_declared() {
        let mut table = Table::default();
        table.put(Row { kind: RowKind::Declared, ..row(1, 1, 1) });
        assert_eq!(table.digest(Timestamp::MAX, true).2, 1);
        assert_eq!(table.digest(Timestamp::MAX, false).0, 1);
    }
}
