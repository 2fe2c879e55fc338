//! The proof that everything one side had committed has arrived at the other.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock, elapsed};
use crate::database::{Answer, Database};
use crate::names::Side;

/// Looks this often whether a heartbeat has come.
const GLANCE: Duration = Duration::from_millis(200);

/// What a wait came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Everything that the source had committed when the wait began is on the other side.
    Yes,
    /// It did not arrive as long as it was waited for: nothing can be said about rows that differ.
    NotYet,
}

/// A way to know that rows have arrived.
pub trait Passage: Send + Sync + fmt::Debug {
    /// Waits until everything is on the other side that was committed on `source` before this was called.
    fn pass(&self, source: Side) -> Answer<'_, Passed>;

    /// How it is known, for the report: `heartbeat`, `waited 10s`.
    fn proof(&self) -> String;
}

/// Waits for a time in which replication is promised to deliver. The weakest of proofs: it believes the promise.
#[derive(Debug, Clone)]
pub struct Waited {
    /// The time that passes.
    pub clock: Clock,
    /// How long.
    pub wait: Duration,
}

impl Passage for Waited {
    fn pass(&self, _: Side) -> Answer<'_, Passed> {
        Box::pin(async {
            self.clock.sleep(self.wait).await;
            Ok(Passed::Yes)
        })
    }

    fn proof(&self) -> String {
        format!("waited {:?}", self.wait)
    }
}

/// Waits for a heartbeat of the source, written after the wait began, to be seen on the other side. A running controller
/// writes them; this only reads.
#[derive(Debug)]
pub struct Heartbeats<'a> {
    /// Legacy and target.
    pub databases: [&'a dyn Database; 2],
    /// The time that passes.
    pub clock: Clock,
    /// How long to wait at most: a controller that is gone beats no more.
    pub patience: Duration,
}

impl Heartbeats<'_> {
    /// The newest heartbeat of `source` that is to be seen on `place`.
    async fn newest(&self, source: Side, place: Side) -> Result<Option<Timestamp>, crate::fault::Fault> {
        let database = match place {
            Side::Legacy => self.databases[0],
            Side::Target => self.databases[1],
        };
        Ok(database.look().await?.heartbeats.get(&source).copied())
    }
}

impl Passage for Heartbeats<'_> {
    fn pass(&self, source: Side) -> Answer<'_, Passed> {
        Box::pin(async move {
            let began = self.clock.now();
            let last = self.newest(source, source).await?;
            while elapsed(began, self.clock.now()) < self.patience {
                // A newer beat than the last one was written after the wait began, whatever the clocks of both sides show.
                if self.newest(source, source.other()).await? > last {
                    return Ok(Passed::Yes);
                }
                self.clock.sleep(GLANCE).await;
            }
            Ok(Passed::NotYet)
        })
    }

    fn proof(&self) -> String {
        "heartbeat".to_owned()
    }
}
