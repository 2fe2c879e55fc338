//! A reverse stream that does not stay up while the way back is needed: tried again at once a few times, then seldom, and told.
//!
//! Nothing is given up here. Writes stay on the target, the stream is resumed where it stopped, and whether a way back that is
//! dead is to be mended or accepted is a person's decision.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::Fact;
use super::gates::{Gate, Scene};
use super::ladder::Rung;
use super::plan::Action;
use crate::clock::{after, elapsed};
use crate::controllers::replication::{ReplicationAction, StartType, Task, TaskStatus};
use crate::controllers::{Block, Steps, Wait};
use crate::names::Direction;
use crate::spec::OnReverseFailure;

/// The word under which a dead reverse stream is reported.
pub const DEAD: &str = "ReverseReplicationDead";

/// Resumes in a row before a person is told. DMS itself has gone on trying after whatever it calls recoverable; what stops the
/// task all the same is gone after one resume or two (a failover, a restart of its instance), or it stays.
const TRIES: u32 = 3;

/// How long a resumed task has to stay up, with heartbeats crossing, before its tries are forgotten: one that fails again does
/// so while it starts, or with the first row that it cannot apply.
const STAYS_UP: Duration = Duration::from_secs(60);

/// The pause between two tries once a person was told: it costs a call to DMS, and whoever has mended the cause should not have
/// to wait for long.
const SELDOM: Duration = Duration::from_secs(5 * 60);

/// After so long without a heartbeat a person is told, whatever DMS says of the task: longer than the start of a task and the
/// failover of a database take together.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// What the journal knows of resumes since the stream was well last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How many.
    pub count: u32,
    /// When the last one was made.
    pub last_at: Timestamp,
}

/// Whether the reverse stream carries the way back now, and nobody's writes are paused for it.
const fn is_needed(scene: &Scene<'_>) -> bool {
    matches!(scene.facts.rung, Rung::Open | Rung::Flip | Rung::Observing) && !scene.facts.writes_are_paused()
}

/// Why the stream is dead, as far as this program can tell; `None` while it lives or is not needed.
fn cause(scene: &Scene<'_>) -> Option<String> {
    Some(scene).filter(|scene| is_needed(scene)).and_then(|scene| does_not_stay_up(scene).or_else(|| is_silent(scene)))
}

/// The same, and what can be done.
pub fn dead(scene: &Scene<'_>) -> Option<String> {
    let what = cause(scene)?;
    Some(format!(
        "{what}. Writes stay on the target, and no way back is ready: mend its task, its endpoints or its accounts, and it goes on \
         where it stopped, as long as the target's binary logs reach back"
    ))
}

/// Why the stream brings nothing more as things stand; stricter than what a person is told of: one that runs again, or that is
/// far behind and catches up, may still bring everything.
pub fn lost(scene: &Scene<'_>) -> Option<String> {
    let is_down = |task: &Task| matches!(task.status, TaskStatus::Failed | TaskStatus::Stopped);
    let stays_down = || does_not_stay_up(scene).filter(|_| scene.seen.replication.reverse.present().is_some_and(is_down));
    Some(scene).filter(|scene| is_needed(scene)).and_then(|scene| stays_down().or_else(|| stands_still(scene)))
}

fn stands_still(scene: &Scene<'_>) -> Option<String> {
    let since = scene.seen.crossing.still_since(SILENCE)?;
    Some(format!("nothing that the target wrote has come to legacy since {since:.0}"))
}

fn does_not_stay_up(scene: &Scene<'_>) -> Option<String> {
    let Tries { count, .. } = scene.facts.reverse_tries.filter(|tries| tries.count >= TRIES)?;
    let task = scene.seen.replication.reverse.present()?;
    let is_down = matches!(task.status, TaskStatus::Failed | TaskStatus::Stopped);
    let why = task.last_failure.as_deref().or(task.stop_reason.as_deref()).map_or_else(String::new, |why| format!(": {why}"));
    // The last of the first tries is given its time.
    (is_down || count > TRIES).then(|| format!("the reverse task was resumed {count} times and is {}{why}", task.status))
}

fn is_silent(scene: &Scene<'_>) -> Option<String> {
    let since = scene.seen.crossing.missing_since(SILENCE)?;
    Some(format!("no heartbeat that the target sent since {since:.0} has come to legacy"))
}

/// A resumed stream that has stayed up is well again.
pub fn notice(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    let Some(tries) = scene.facts.reverse_tries else { return };
    let is_running = scene.seen.replication.reverse.present().is_some_and(|task| task.status == TaskStatus::Running);
    if is_running && elapsed(tries.last_at, scene.now) >= STAYS_UP && Gate::ReverseLag.judge(scene).is_open() {
        facts.push(Fact::ReverseRecovered);
    }
}

/// When a resumed stream will have stayed up for long enough.
pub fn stays_up_at(scene: &Scene<'_>) -> Option<Timestamp> {
    scene.facts.reverse_tries.filter(|_| is_needed(scene)).map(|tries| after(tries.last_at, STAYS_UP))
}

/// Adds what the spec asks for when the stream is dead, and lets its resumes rest in between.
pub fn hold(steps: Steps<Action>, scene: &Scene<'_>) -> Steps<Action> {
    let Some(why) = dead(scene) else { return steps };
    let steps = match scene.facts.reverse_tries.filter(|tries| tries.count >= TRIES) {
        Some(tries) => rested(steps, after(tries.last_at, SELDOM), scene.now),
        None => steps,
    };
    match scene.migration.spec.rollback.on_reverse_failure {
        OnReverseFailure::Hold => steps.and(Steps::block(Block::new(DEAD, why))),
    }
}

fn rested(mut steps: Steps<Action>, until: Timestamp, now: Timestamp) -> Steps<Action> {
    let resumes = |action: &Action| {
        let Action::Replication(ReplicationAction::StartTask { direction, how, .. }) = action else { return false };
        (direction, how) == (&Direction::Reverse, &StartType::Resume)
    };
    if now >= until || !steps.actions.iter().any(resumes) {
        return steps;
    }
    steps.actions.retain(|action| !resumes(action));
    // It is told below why, and that it rests.
    steps.waiting.retain(|wait| !matches!(wait.reason.0.as_str(), "TaskFailed" | "TaskStopped"));
    steps.and(Steps::wait(Wait::until("ReverseRests", format!("the reverse task is resumed again at {until:.0}"), until)))
}
