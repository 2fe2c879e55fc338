//! Watches the world for broken safety properties, from its truth and never from the controller's belief.
//!
//! Here, after every event: S1 to S5, S7 (judged by [`rules`]), S8 and S14, `Window` and `Numbers`; from what is asked of AWS,
//! S6, S11 and S13 ([`calls`]). S2 is judged once more when the world ends. S9 needs the journal as well, and is judged where a
//! rehearsal ends. What no state of the world shows is tested where it belongs: S10 with what reads answers (`aws`,
//! `sighting`) and with every gate, S12 and S15 with the daemon.
//!
//! Cheap on purpose: between two changes of a fence or of the authoritative side there is nothing to check but counters.

pub mod calls;
pub mod rules;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::rules::{
    Truth, WritesNow, s1_one_writable_side, s3_target_may_take_over, s5_reverse_starts_early_enough, s7_legacy_may_reopen,
};
use crate::clock::elapsed;
use crate::names::{Direction, Side};

/// One call may be on its way when the budget runs out (`aws::CALL_TIMEOUT`).
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// One broken property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Which: `S1` ... `S14`, `Window` for a reboot outside the maintenance window, `Numbers` for a row's number given twice, or
    /// `Hooks` for a call that was not signed, or said what was not so.
    pub rule: String,
    /// When.
    pub at: Timestamp,
    /// What was wrong.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:.0}: {}", self.rule, self.at, self.what)
    }
}

/// Who acts: what a human breaks is not the controller's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// Whatever comes through the wire or the database seam.
    Controller,
    /// A person behind its back.
    Human,
}

/// The watch.
#[derive(Debug)]
pub struct Monitor {
    /// What was broken so far.
    pub violations: Vec<Violation>,
    /// Where acknowledged payments live: legacy, until the application commits on the target; legacy again once it reopens.
    authoritative: Side,
    writes: Option<(WritesNow, WritesNow)>,
    fenced_once: bool,
    both_closed_since: Option<Timestamp>,
    pause_budget: Option<Duration>,
    downtime: Duration,
    target_commits: u64,
    first_commit: Option<u64>,
    /// Where the public name points, as far as its authoritative servers say.
    pointing: Option<Side>,
    /// A person moved the shadow record, and has not put it back.
    shadow_edited: bool,
    /// The highest number that each side has given to a row of each table.
    numbers: BTreeMap<(Side, String), u64>,
    /// The newest epoch that has changed each side.
    epochs: BTreeMap<Side, u64>,
    /// A person has accepted that legacy lacks writes, as long as they are saved.
    loss_is_accepted: bool,
}

impl Monitor {
    /// A watch over an untouched world.
    pub const fn new(pointing: Option<Side>) -> Self {
        Self {
            violations: Vec::new(),
            authoritative: Side::Legacy,
            writes: None,
            fenced_once: false,
            both_closed_since: None,
            pause_budget: None,
            downtime: Duration::ZERO,
            target_commits: 0,
            first_commit: None,
            pointing,
            shadow_edited: false,
            numbers: BTreeMap::new(),
            epochs: BTreeMap::new(),
            loss_is_accepted: false,
        }
    }

    /// Where acknowledged payments live.
    pub const fn authoritative(&self) -> Side {
        self.authoritative
    }

    /// Where the public name points.
    pub const fn pointing(&self) -> Option<Side> {
        self.pointing
    }

    /// S14 is measured against this budget from now on.
    pub const fn note_pause_budget(&mut self, budget: Duration) {
        self.pause_budget = Some(budget);
    }

    /// A person has accepted that legacy lacks writes.
    pub const fn note_loss_accepted(&mut self) {
        self.loss_is_accepted = true;
    }

    /// Whether a person has.
    pub const fn loss_is_accepted(&self) -> bool {
        self.loss_is_accepted
    }

    /// The controller was down for so long: nobody can end a write pause then.
    pub fn note_controller_down(&mut self, down: Duration) {
        if self.both_closed_since.is_some() {
            self.downtime += down;
        }
    }

    /// Reports one broken property.
    pub fn report(&mut self, rule: &str, at: Timestamp, what: impl Into<String>) {
        self.violations.push(Violation { rule: rule.to_owned(), at, what: what.into() });
    }

    fn judge(&mut self, rule: &str, at: Timestamp, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            self.report(rule, at, what);
        }
    }

    /// Whether anything that the rules look at may have changed: the cheap question, asked after every event.
    pub fn is_unchanged(&self, writes: (WritesNow, WritesNow), target_commits: u64) -> bool {
        self.writes == Some(writes) && self.target_commits == target_commits
    }

    /// Looks at the world after something changed. `target_commits` counts the application's commits on the target;
    /// `first_commit` is the event of the one that came last.
    pub fn look(&mut self, now: Timestamp, truth: Truth, target_commits: u64, newest_commit: u64) {
        let writes = (truth.legacy.writes, truth.target.writes);
        let before = self.writes.replace(writes).unwrap_or(writes);
        if before.1 != WritesNow::Open && writes.1 == WritesNow::Open {
            self.judge("S3", now, s3_target_may_take_over(&truth));
        }
        if before.0 != WritesNow::Open && writes.0 == WritesNow::Open {
            self.judge("S7", now, s7_legacy_may_reopen(&truth));
            self.authoritative = Side::Legacy;
            self.first_commit = None;
        }
        if self.fenced_once && before != writes {
            self.judge("S1", now, s1_one_writable_side(&truth));
        }
        self.measure_pause(now, writes);
        if target_commits > self.target_commits {
            self.target_commits = target_commits;
            self.first_commit.get_or_insert(newest_commit);
            self.authoritative = Side::Target;
        }
    }

    fn measure_pause(&mut self, now: Timestamp, writes: (WritesNow, WritesNow)) {
        if writes.0 != WritesNow::Open && writes.1 != WritesNow::Open {
            self.fenced_once = true;
            self.both_closed_since.get_or_insert(now);
        } else if let Some(since) = self.both_closed_since.take() {
            self.check_pause(since, now);
        }
    }

    /// The end of the run: a pause that still lasts is measured too.
    pub fn finish(&mut self, now: Timestamp) {
        if let Some(since) = self.both_closed_since {
            self.check_pause(since, now);
        }
    }

    /// S14: both sides refuse writes no longer than the budget, one call, and the controller's own absence.
    fn check_pause(&mut self, since: Timestamp, now: Timestamp) {
        let allowed = self.pause_budget.map(|budget| budget + CALL_TIMEOUT + std::mem::take(&mut self.downtime));
        let paused = elapsed(since, now);
        if let Some(allowed) = allowed.filter(|allowed| paused > *allowed) {
            let (paused, allowed) = (paused.as_secs_f64(), allowed.as_secs_f64());
            self.report("S14", now, format!("writes were paused for {paused:.1} s, {allowed:.1} s were allowed"));
        }
    }

    /// The public name's authoritative servers answer something else.
    pub fn pointing_changed(&mut self, now: Timestamp, pointing: Option<Side>, truth: &Truth, actor: Actor) {
        let before = std::mem::replace(&mut self.pointing, pointing);
        if actor == Actor::Controller && before != pointing && pointing == Some(Side::Target) {
            self.judge("S4", now, s3_target_may_take_over(truth));
        }
    }

    /// A task reads from this event on.
    pub fn task_reads_from(&mut self, now: Timestamp, direction: Direction, seq: u64) {
        if direction == Direction::Reverse && self.authoritative == Side::Target {
            self.judge("S5", now, s5_reverse_starts_early_enough(seq, self.first_commit));
        }
    }

    /// S2 while it runs: all rows of a table were removed on `side`.
    pub fn table_emptied(&mut self, now: Timestamp, side: Side, table: &str) {
        if side == self.authoritative {
            self.report("S2", now, format!("{table} was emptied on {side}, where the payments live"));
        }
    }

    /// A side gave a number to one of the application's rows, whether or not the row was committed.
    pub fn number_given(&mut self, now: Timestamp, side: Side, table: &str, id: u64) {
        let other = self.numbers.get(&(side.other(), table.to_owned())).copied().unwrap_or(0);
        if id <= other {
            self.report("Numbers", now, format!("{side} gave {id} to a row of {table}, the other side has given {other} before"));
        }
        let highest = self.numbers.entry((side, table.to_owned())).or_default();
        *highest = id.max(*highest);
    }

    /// S8: a controller changes a side under its epoch. Once a newer one has, an older one's word may do nothing any more.
    pub fn changed_under(&mut self, now: Timestamp, side: Side, epoch: u64) {
        let newest = self.epochs.entry(side).or_insert(epoch);
        if epoch < *newest {
            let what = format!("{side} was changed under epoch {epoch}, after it was under epoch {newest}");
            self.report("S8", now, what);
        } else {
            *newest = epoch;
        }
    }

    /// The writer restarts; `in_window` is what the maintenance window says.
    pub fn writer_reboots(&mut self, now: Timestamp, in_window: bool, actor: Actor) {
        if actor == Actor::Controller && !in_window {
            self.report("Window", now, "the target's writer was rebooted outside the maintenance window");
        }
    }

    /// A person moved the shadow record, or put it back.
    pub const fn note_shadow_edit(&mut self, stands: bool) {
        self.shadow_edited = stands;
    }
}
