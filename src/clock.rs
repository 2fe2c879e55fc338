//! The only time there is: everything that needs "now" or "later" is handed a [`Clock`].
//!
//! In production it reads the system's clock. In a rehearsal it reads tokio's paused clock, which jumps straight to the next
//! timer, so that weeks pass in milliseconds and the same seed gives the same run.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};

/// A source of time, and of waiting: wall-clock time at its making, monotonic from there on.
///
/// A step of the machine's clock therefore reaches no decision while the process lives; a restart takes the corrected time,
/// though never one before its own journal ([`Clock::not_before`]).
#[derive(Debug, Clone)]
pub struct Clock {
    base: Timestamp,
    origin: tokio::time::Instant,
    scale: u32,
}

impl Clock {
    /// The machine's own time.
    #[allow(clippy::disallowed_methods, reason = "this is the one room where time is read")]
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// Time that is `base` now and follows tokio's clock, which a rehearsal pauses.
    pub fn starting_at(base: Timestamp) -> Self {
        Self::scaled(base, 1)
    }

    /// Time that is `base` now and runs `scale` times as fast as tokio's clock (the sandbox).
    #[allow(clippy::disallowed_methods, reason = "this is the one room where time is read")]
    pub fn scaled(base: Timestamp, scale: u32) -> Self {
        Self { base, origin: tokio::time::Instant::now(), scale: scale.max(1) }
    }

    /// The same clock, put forward if it shows a time before `earliest`.
    pub fn not_before(self, earliest: Timestamp) -> Self {
        if self.now() >= earliest { self } else { Self::scaled(earliest, self.scale) }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        after(self.base, self.origin.elapsed().saturating_mul(self.scale))
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real(duration)).await;
    }

    /// How long `duration` of this clock's time takes on tokio's clock.
    pub fn real(&self, duration: Duration) -> Duration {
        duration / self.scale
    }
}

/// The SDK's signatures, waiters and retries follow the same clock.
impl TimeSource for Clock {
    fn now(&self) -> std::time::SystemTime {
        Self::now(self).into()
    }
}

impl AsyncSleep for Clock {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(self.real(duration)))
    }
}

/// `later - earlier`, never negative.
pub fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or(Duration::ZERO)
}

/// `at + duration`, at most the end of time.
pub fn after(at: Timestamp, duration: Duration) -> Timestamp {
    SignedDuration::try_from(duration).ok().and_then(|duration| at.checked_add(duration).ok()).unwrap_or(Timestamp::MAX)
}
