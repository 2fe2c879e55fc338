//! When to look again: a pure rule from the plan's pace, what failed, and how long nothing has changed.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::elapsed;
use crate::fault::{Problem, Retry};
use crate::migration::plan::{Pace, Plan};

/// After so many hurried passes that changed nothing, somebody else is slow, and hurrying helps nobody.
const HURRIED_PASSES: u32 = 40;

/// The times between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// While every second counts.
    pub urgent: Duration,
    /// While something is under way: the first pause, doubled as long as nothing changes.
    pub moving_first: Duration,
    /// The longest pause while something is under way.
    pub moving_longest: Duration,
    /// While all is as wished.
    pub settled: Duration,
    /// How old an answer may be about what changes only by somebody's hand, where no gate waits for it; records are asked for
    /// six times as often.
    pub glance: Duration,
}

impl Cadence {
    /// In production. A quarter of a second is what DMS's account-wide four calls a second allow during the few seconds of a
    /// cutover; a minute of drift on a settled migration is noticed early enough to be mended by hand.
    pub const fn production() -> Self {
        Self {
            urgent: Duration::from_millis(250),
            moving_first: Duration::from_secs(2),
            moving_longest: Duration::from_secs(30),
            settled: Duration::from_secs(60),
            glance: Duration::from_secs(600),
        }
    }

    /// In a rehearsal, where weeks pass: the same rule with longer pauses where nothing happens.
    pub const fn rehearsal() -> Self {
        Self {
            urgent: Duration::from_millis(250),
            moving_first: Duration::from_secs(5),
            moving_longest: Duration::from_secs(3600),
            settled: Duration::from_secs(6 * 3600),
            glance: Duration::from_secs(12 * 3600),
        }
    }

    /// How long to wait after a pass. `unchanged` counts the passes since the plan last changed.
    pub fn next(&self, plan: &Plan, problems: &[Problem], unchanged: u32, now: Timestamp) -> Duration {
        let by_pace = match plan.pace {
            Pace::WritesPaused => self.urgent,
            Pace::Urgent if unchanged < HURRIED_PASSES => self.urgent,
            Pace::Urgent => self.urgent.saturating_mul(8),
            Pace::Moving => self.moving_first.saturating_mul(1 << unchanged.min(16)).min(self.moving_longest),
            Pace::Settled => self.settled,
        };
        let pause = match plan.pace {
            Pace::WritesPaused => by_pace,
            Pace::Urgent | Pace::Moving | Pace::Settled => self.kept_back(by_pace, problems),
        };
        match plan.look_again_at {
            Some(at) if at > now => pause.min(elapsed(now, at)),
            Some(_) | None => pause,
        }
    }

    /// A failed call keeps the next look back, except while writes are paused: then looking is what opens legacy in time.
    fn kept_back(&self, pause: Duration, problems: &[Problem]) -> Duration {
        problems
            .iter()
            .map(|problem| match problem.retry() {
                Retry::Soon => pause.max(self.moving_first.min(Duration::from_secs(1))),
                Retry::Later(at_least) => pause.max(at_least),
                Retry::NeedsOperator | Retry::NeedsSpec => pause.max(self.moving_longest.min(Duration::from_secs(30))),
            })
            .max()
            .unwrap_or(pause)
    }
}
