//! When to look again: a pure rule from the plan's pace, what failed, and how long nothing has changed.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::elapsed;
use crate::fault::{Problem, Retry};
use crate::migration::plan::{Action, Pace, Plan};

/// After so many hurried passes that changed nothing, somebody else is slow, and hurrying helps nobody.
const HURRIED_PASSES: u32 = 40;

/// While writes are paused, so many hurried passes may change nothing before the pace is that of every other hurry: some
/// seconds, in which a database has usually answered.
const HURRIED_WHILE_PAUSED: u32 = 200;

/// What was just asked of AWS takes it at least ten times as long as a row takes to a database; and the answer that comes too
/// early is believed for a second.
const AWS_IS_SLOWER: u32 = 10;

/// The times between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// While nobody can write, and a database may have answered.
    pub paused: Duration,
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
    /// In production. Ten milliseconds are what a small look at two databases takes anyway: all of them are somebody's payment.
    /// A quarter of a second is what DMS's account-wide four calls a second allow during the few seconds of a cutover; a minute
    /// of drift on a settled migration is noticed early enough to be mended by hand.
    pub const fn production() -> Self {
        Self {
            paused: Duration::from_millis(10),
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
            paused: Duration::from_millis(250),
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
            Pace::WritesPaused => self.while_writes_pause(plan, unchanged),
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

    /// Databases are looked at in every pass, AWS's answers are shared between passes: so passes may follow each other closely.
    fn while_writes_pause(&self, plan: &Plan, unchanged: u32) -> Duration {
        if unchanged >= HURRIED_WHILE_PAUSED {
            return self.urgent;
        }
        if plan.actions.iter().any(asks_aws) { self.urgent.min(self.paused * AWS_IS_SLOWER) } else { self.paused }
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

const fn asks_aws(action: &Action) -> bool {
    match action {
        Action::Replication(_) | Action::Binlog(_) | Action::Redirect(_) | Action::Dns(_) => true,
        Action::Fence(_) | Action::WriteMarker { .. } | Action::RaiseIds { .. } | Action::CompareTables => false,
        Action::ExportRows { .. } | Action::Hook(_) | Action::Record(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::replication::ReplicationAction;
    use crate::migration::ladder::Rung;
    use crate::names::{Direction, TaskArn};

    fn paused(actions: Vec<Action>) -> Plan {
        let pace = Pace::WritesPaused;
        let (waiting, blocked, gates) = (Vec::new(), Vec::new(), Vec::new());
        Plan { rung: Rung::Drain, actions, waiting, blocked, gates, pace, look_again_at: None }
    }

    fn after_a_pass(plan: &Plan, unchanged: u32) -> Duration {
        Cadence::production().next(plan, &[], unchanged, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn while_nobody_can_write_a_row_is_looked_for_within_milliseconds_but_not_for_ever() {
        let waiting = paused(Vec::new());
        assert_eq!(after_a_pass(&waiting, 1), Duration::from_millis(10));
        assert_eq!(after_a_pass(&waiting, HURRIED_WHILE_PAUSED), Duration::from_millis(250));
    }

    #[test]
    fn aws_is_given_a_moment_to_do_what_it_was_asked() {
        let task = TaskArn::from("arn:aws:dms:eu-west-1:123456789012:task:FORWARD");
        let stop = ReplicationAction::StopTask { direction: Direction::Forward, task };
        assert_eq!(after_a_pass(&paused(vec![Action::Replication(stop)]), 0), Duration::from_millis(100));
    }
}
