//! The pace of a comparison: a budget of rows a second, and a wait while a server or replication is under strain.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::passage::Passage;
use super::server::Hand;
use crate::clock::{Clock, elapsed};
use crate::fault::Fault;
use crate::names::Side;
use crate::spec::Parity;

/// Servers are asked for their load this often: often enough to step aside in time, too seldom to be load.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why a comparison stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strain {
    /// A server is busy.
    Threads {
        /// `Threads_running` of the busier server.
        running: u64,
        /// What the spec allows.
        limit: u32,
    },
    /// Replication falls behind.
    Lag {
        /// How far.
        lag: Duration,
        /// What the spec allows.
        limit: Duration,
    },
}

impl fmt::Display for Strain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads { running, limit } => write!(f, "waiting: {running} threads running, {limit} allowed"),
            Self::Lag { lag, limit } => {
                write!(f, "waiting: replication is {} s behind, {} s allowed", lag.as_secs(), limit.as_secs())
            }
        }
    }
}

/// Keeps the pace.
#[derive(Debug)]
pub struct Throttle {
    clock: Clock,
    rows_per_second: u32,
    limit: u32,
    max_lag: Duration,
    began: Timestamp,
    rows: u64,
    looked: Option<Timestamp>,
}

impl Throttle {
    /// A pace that begins now, and steps aside where replication is more than `max_lag` behind.
    pub fn new(clock: Clock, rules: &Parity, max_lag: Duration) -> Self {
        let began = clock.now();
        let (rows_per_second, limit) = (rules.max_rows_per_second, rules.max_threads_running);
        Self { clock, rows_per_second, limit, max_lag, began, rows: 0, looked: None }
    }

    /// Waits as long as the budget asks after `rows` more rows, and as long as a server or replication from `source` is under
    /// strain, which `tell` is told.
    ///
    /// # Errors
    /// A fault, where a server does not answer.
    pub async fn after(
        &mut self,
        rows: u64,
        hands: &mut [Hand; 2],
        passage: &dyn Passage,
        source: Side,
        tell: &mut (dyn FnMut(&Strain) + Send),
    ) -> Result<(), Fault> {
        self.rows += rows;
        let now = self.clock.now();
        let pause = owed(self.rows, self.rows_per_second, elapsed(self.began, now));
        if !pause.is_zero() {
            self.clock.sleep(pause).await;
        }
        if self.looked.is_some_and(|looked| elapsed(looked, now) < LOOK_EVERY) {
            return Ok(());
        }
        loop {
            self.looked = Some(self.clock.now());
            let running = threads_running(&mut hands[0]).await?.max(threads_running(&mut hands[1]).await?);
            let lag = passage.lag(source).await?;
            let strain = if running > u64::from(self.limit) {
                Strain::Threads { running, limit: self.limit }
            } else if lag > self.max_lag {
                Strain::Lag { lag, limit: self.max_lag }
            } else {
                return Ok(());
            };
            tell(&strain);
            self.clock.sleep(LOOK_EVERY).await;
        }
    }
}

/// How long `rows` rows at a budget still take, after so much time. Pure.
fn owed(rows: u64, rows_per_second: u32, spent: Duration) -> Duration {
    if rows_per_second == 0 {
        return Duration::ZERO;
    }
    Duration::from_secs_f64(rows as f64 / f64::from(rows_per_second)).saturating_sub(spent)
}

async fn threads_running(hand: &mut Hand) -> Result<u64, Fault> {
    let status = hand.first::<(String, u64)>("read the load", "SHOW GLOBAL STATUS LIKE 'Threads_running'").await?;
    Ok(status.map_or(0, |(_, count)| count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_owes_the_time_that_its_rows_should_have_taken() {
        assert_eq!(owed(1000, 500, Duration::from_secs(1)), Duration::from_secs(1));
        assert_eq!(owed(1000, 500, Duration::from_secs(3)), Duration::ZERO, "a slow server owes nothing");
        assert_eq!(owed(u64::MAX, 0, Duration::ZERO), Duration::ZERO, "no budget, no wait");
    }
}
