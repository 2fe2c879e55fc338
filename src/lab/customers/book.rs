//! What customers were told, and what follows from it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, elapsed};
use crate::names::Side;

/// How a payment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One row, committed by itself.
    Autocommit,
    /// A payment, its ledger entry, the account's balance and an earlier payment's status, in one transaction.
    Transaction,
}

/// What one customer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// How much was paid, as the server writes it.
    pub amount: String,
    /// Who said so.
    pub side: Side,
    /// When the customer heard it.
    pub at: Timestamp,
    /// How it was written.
    pub style: Style,
}

/// The acknowledgements before and after a change of sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Switch {
    /// The side that acknowledges from now on.
    pub to: Side,
    /// The last acknowledgement of the other side.
    pub last_at: Timestamp,
    /// The first of this one.
    pub first_at: Timestamp,
    /// The same by the machine's own clock, which the rehearsal's must not run away from while nobody can pay.
    pub real_milliseconds: u64,
}

impl Switch {
    /// How long nobody was told yes.
    pub fn pause(&self) -> Duration {
        elapsed(self.last_at, self.first_at)
    }
}

/// Everything that customers remember.
#[derive(Debug)]
pub struct Book {
    pages: Mutex<Pages>,
    machine: Clock,
}

#[derive(Debug, Default)]
struct Pages {
    acknowledged: BTreeMap<String, Acknowledgement>,
    /// Who said yes last, and when by the rehearsal's clock and by the machine's.
    last: Option<(Side, Timestamp, Timestamp)>,
    switches: Vec<Switch>,
    refused: u64,
    refusals: BTreeMap<String, u64>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self { pages: Mutex::default(), machine: Clock::system() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A customer was told yes.
    pub(super) fn acknowledge(&self, key: String, told: Acknowledgement) {
        let mut pages = self.pages();
        let (side, at, real_at) = (told.side, told.at, self.machine.now());
        if let Some((_, last_at, real_last_at)) = pages.last.filter(|(last, ..)| *last != side) {
            let real_milliseconds = u64::try_from(elapsed(real_last_at, real_at).as_millis()).unwrap_or(u64::MAX);
            pages.switches.push(Switch { to: side, last_at, first_at: at, real_milliseconds });
        }
        pages.last = Some((side, at, real_at));
        pages.acknowledged.insert(key, told);
    }

    /// A try was refused or left in doubt, by the error of this number, or by none.
    pub(super) fn refuse(&self, why: String) {
        let mut pages = self.pages();
        pages.refused += 1;
        *pages.refusals.entry(why).or_default() += 1;
    }

    /// Every payment that was acknowledged, by its idempotency key.
    pub fn acknowledged(&self) -> BTreeMap<String, Acknowledgement> {
        self.pages().acknowledged.clone()
    }

    /// How many were.
    pub fn count(&self) -> u64 {
        self.pages().acknowledged.len() as u64
    }

    /// Tries that were refused or left in doubt.
    pub fn refused(&self) -> u64 {
        self.pages().refused
    }

    /// The same by what was said, in the servers' numbers.
    pub fn refusals(&self) -> BTreeMap<String, u64> {
        self.pages().refusals.clone()
    }

    /// Every change of the side that acknowledges. One more than were asked for is a second open side.
    pub fn switches(&self) -> Vec<Switch> {
        self.pages().switches.clone()
    }
}
