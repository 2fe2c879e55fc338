//! The only time there is: everything that needs "now" or "later" is handed a [`Clock`].
//!
//! In production it reads the system's clock. In a rehearsal it reads tokio's paused clock, which jumps straight to the next
//! timer, so that weeks pass in milliseconds and the same seed gives the same run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that changes its pace is looked at this often by those who wait for it.
const GLANCE: Duration = Duration::from_millis(20);

/// A source of time, and of waiting: wall-clock time at its making, monotonic from there on.
///
/// A step of the machine's clock therefore reaches no decision while the process lives; a restart takes the corrected time,
/// though never one before its own journal ([`Clock::not_before`]).
#[derive(Debug, Clone)]
pub struct Clock {
    hands: Arc<Mutex<Hands>>,
}

#[derive(Debug)]
struct Hands {
    /// This clock's time at `origin`.
    base: Timestamp,
    origin: Instant,
    /// How much faster than tokio's clock this one goes while nobody is busy.
    scale: u32,
    busy: u32,
}

impl Hands {
    const fn rate(&self) -> u32 {
        if self.busy > 0 { 1 } else { self.scale }
    }

    fn at(&self, instant: Instant) -> Timestamp {
        after(self.base, instant.saturating_duration_since(self.origin).saturating_mul(self.rate()))
    }

    /// Changes who is busy without a jump in time.
    #[allow(clippy::disallowed_methods, reason = "this is the one room where time is read")]
    fn turn(&mut self, busy: u32) {
        let instant = Instant::now();
        self.base = self.at(instant);
        self.origin = instant;
        self.busy = busy;
    }
}

/// While it lives, a clock that is ahead of real time goes at real time's pace: thinking takes as long as it takes, and only
/// waiting is shortened.
#[derive(Debug)]
pub struct Busy(Clock);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut hands = self.0.hands();
        let busy = hands.busy.saturating_sub(1);
        hands.turn(busy);
    }
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
        let hands = Hands { base, origin: Instant::now(), scale: scale.max(1), busy: 0 };
        Self { hands: Arc::new(Mutex::new(hands)) }
    }

    /// The same clock, put forward if it shows a time before `earliest`.
    pub fn not_before(self, earliest: Timestamp) -> Self {
        if self.now() >= earliest {
            return self;
        }
        let scale = self.hands().scale;
        Self::scaled(earliest, scale)
    }

    /// The time.
    #[allow(clippy::disallowed_methods, reason = "this is the one room where time is read")]
    pub fn now(&self) -> Timestamp {
        self.hands().at(Instant::now())
    }

    /// Somebody begins to work: see [`Busy`].
    pub fn busy(&self) -> Busy {
        let mut hands = self.hands();
        let busy = hands.busy + 1;
        hands.turn(busy);
        drop(hands);
        Busy(self.clone())
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        let until = after(self.now(), duration);
        loop {
            let left = elapsed(self.now(), until);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(self.slice(left)).await;
        }
    }

    /// How long to rest in real time before looking at the clock again: its pace may have changed since.
    fn slice(&self, left: Duration) -> Duration {
        let scale = self.hands().scale;
        if scale == 1 { left } else { self.real(left).min(GLANCE) }
    }

    /// How long `duration` of this clock's time takes on tokio's clock, at its present pace.
    pub fn real(&self, duration: Duration) -> Duration {
        duration / self.hands().rate()
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
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
