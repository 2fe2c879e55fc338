//! The end of an exchange's time, and what it was busy with by then.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use jiff::Timestamp;

use super::obstacle::Obstacle;
use crate::checks::outcome::Code;
use crate::clock::{Clock, after, elapsed};

/// How far an exchange has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The resolver was asked for the host's addresses.
    Resolving,
    /// A connection was asked for.
    Connecting,
    /// TLS was begun.
    AgreeingOnTls,
    /// A request was sent over HTTP.
    AwaitingHead,
    /// The head of an answer came.
    ReadingBody,
    /// Commands were sent to a cache.
    AwaitingAnswers,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "the name was still being looked up; see whether this machine's resolver answers",
            Self::Connecting => "nobody took the connection; check address, port and the firewall between",
            Self::AgreeingOnTls => "connected, but TLS was not answered; see whether TLS is spoken there",
            Self::AwaitingHead => "the request was sent, but the head of an answer has not come",
            Self::ReadingBody => "an answer began to come, but its body has not ended",
            Self::AwaitingAnswers => "connected, but not everything was answered; see the load and the log of the server",
        })
    }
}

/// The end of an exchange's time. A drip of bytes does not move it.
pub struct Deadline<'a> {
    clock: &'a Clock,
    limit: Duration,
    until: Timestamp,
}

impl<'a> Deadline<'a> {
    /// The deadline that is `limit` away.
    pub fn after(clock: &'a Clock, limit: Duration) -> Self {
        Self { clock, limit, until: after(clock.now(), limit) }
    }

    /// What `work` comes to, unless it is still at it when time is over.
    pub async fn during<T>(&self, stage: Stage, work: impl Future<Output = Result<T, Obstacle>>) -> Result<T, Obstacle> {
        let left = elapsed(self.clock.now(), self.until);
        match select(pin!(work), pin!(self.clock.sleep(left))).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => {
                Err(Obstacle::new(Code::TimedOut, format!("no whole answer within {:?}: {stage}", self.limit)))
            }
        }
    }
}
