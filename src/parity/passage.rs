//! The proof that everything one side had committed has arrived at the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock, elapsed};
use crate::database::{Answer, Database, Epoch};
use crate::fault::Fault;
use crate::mysql::database::MySqlDatabase;
use crate::names::Side;

/// Looks this soon whether a heartbeat has come: replication that keeps up takes milliseconds ...
const FIRST_GLANCE: Duration = Duration::from_millis(10);
/// ... and this seldom where it takes longer.
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

    /// How far the other side is behind `source`, so that a comparison can step aside; zero where nobody measures it.
    fn lag(&self, _source: Side) -> Answer<'_, Duration> {
        Box::pin(async { Ok(Duration::ZERO) })
    }

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

/// Waits for a heartbeat of the source, written after the wait began, to be seen on the other side.
#[derive(Debug)]
pub struct Heartbeats {
    /// Legacy and target. Connections of their own, so that nobody else ever waits for these.
    pub databases: [Arc<MySqlDatabase>; 2],
    /// The time that passes.
    pub clock: Clock,
    /// How long to wait at most: a controller that is gone beats no more.
    pub patience: Duration,
    /// Who writes the heartbeats.
    pub beats: Beats,
}

/// Who writes the heartbeats that are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beats {
    /// A controller, in another process: these only read.
    OfAController,
    /// Whoever waits, with its controller's epoch, so that it need not wait for the controller's next look.
    Own(Epoch),
}

impl Heartbeats {
    const fn at(&self, side: Side) -> &Arc<MySqlDatabase> {
        match side {
            Side::Legacy => &self.databases[0],
            Side::Target => &self.databases[1],
        }
    }

    /// The newest heartbeat of `source` that is to be seen on `place`.
    async fn newest(&self, source: Side, place: Side) -> Result<Option<Timestamp>, Fault> {
        Ok(self.at(place).heartbeats().await?.get(&source).copied())
    }

    async fn beat(&self, source: Side) -> Result<(), Fault> {
        match self.beats {
            Beats::OfAController => Ok(()),
            Beats::Own(epoch) => self.at(source).beat(epoch).await,
        }
    }

    /// Whether the newest heartbeat of `source` is younger than `age` by the source's own clock: somebody beats there.
    ///
    /// # Errors
    /// A fault, where the server does not answer.
    pub async fn are_heard(&self, source: Side, age: Duration) -> Result<bool, Fault> {
        let Some(newest) = self.newest(source, source).await? else { return Ok(false) };
        Ok(elapsed(newest, self.at(source).server_time().await?) <= age)
    }
}

impl Passage for Heartbeats {
    fn pass(&self, source: Side) -> Answer<'_, Passed> {
        Box::pin(async move {
            let began = self.clock.now();
            let last = self.newest(source, source).await?;
            self.beat(source).await?;
            let mut glance = FIRST_GLANCE;
            while elapsed(began, self.clock.now()) < self.patience {
                // A newer beat than the last one was written after the wait began, whatever the clocks of both sides show.
                if self.newest(source, source.other()).await? > last {
                    return Ok(Passed::Yes);
                }
                self.clock.sleep(glance).await;
                glance = (glance * 2).min(GLANCE);
            }
            Ok(Passed::NotYet)
        })
    }

    /// Both times are of the source's clock, so that no difference of clocks is taken for lag. The beat comes last: what is
    /// asked for is how far behind its predecessor is.
    fn lag(&self, source: Side) -> Answer<'_, Duration> {
        Box::pin(async move {
            let sent = self.newest(source, source).await?;
            let mut arrived = self.newest(source, source.other()).await?;
            if arrived < sent {
                // It may have been sent this very moment, a minute after the one before.
                self.clock.sleep(GLANCE).await;
                arrived = self.newest(source, source.other()).await?;
            }
            self.beat(source).await?;
            Ok(match (sent, arrived) {
                (Some(sent), Some(arrived)) => elapsed(arrived, sent),
                (Some(_) | None, None) | (None, Some(_)) => Duration::ZERO,
            })
        })
    }

    fn proof(&self) -> String {
        "heartbeat".to_owned()
    }
}
