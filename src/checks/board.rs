//! How all checks of a migration stand: their newest outcomes, how often in a row they passed, and what came before.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outcome::{CheckKind, Code, Outcome, Verdict};
use crate::clock::elapsed;
use crate::names::CheckName;
use crate::spec::Checks;

/// Runs that are remembered of each check: a third of an hour, a minute apart, shows a flapping one.
const REMEMBERED: usize = 20;

/// How much sooner than usual a run is made again that could not be made: soon enough that a lost answer does not keep a gate
/// shut for a whole interval, late enough that a host in trouble is not asked every moment.
const SOONER: u32 = 4;

/// How all checks of a migration stand. A look at memory, never at a network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Board {
    entries: BTreeMap<CheckName, Entry>,
}

/// How one check stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: CheckKind,
    /// When its newest run began.
    pub at: Timestamp,
    /// How that run ended.
    pub newest: Outcome,
    /// Passes without a failure between them. A run that could not be made says nothing: it neither counts nor starts the
    /// count anew, or a network that loses one answer in twenty would never let a check pass three times in a row.
    pub passes_in_a_row: u32,
    /// Earlier runs, the newest last.
    pub history: VecDeque<Run>,
}

/// One run that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// When it began.
    pub at: Timestamp,
    /// How it ended.
    pub verdict: Verdict,
    /// Why.
    pub code: Code,
}

/// Whether a check lets its gate open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stand {
    /// It has passed often enough, and lately.
    Proven(String),
    /// It has failed.
    Failed(String),
    /// It passes, and has to do so again.
    Counting(String),
    /// It has not run, could not, or too long ago.
    Unknown(String),
}

impl Entry {
    /// How many times it has failed without a pass between. Runs that could not be made say nothing here either.
    pub fn failures_in_a_row(&self) -> usize {
        let told = self.history.iter().rev().filter(|run| run.verdict != Verdict::Unknown);
        told.take_while(|run| run.verdict == Verdict::Fail).count()
    }

    /// How long after its newest run it is due, if it is to run every `interval`: one that could not be made, sooner.
    pub fn due_after(&self, interval: Duration) -> Duration {
        match self.newest.verdict {
            Verdict::Unknown => interval / SOONER,
            Verdict::Pass | Verdict::Fail => interval,
        }
    }
}

impl Board {
    /// Notes the end of a run that began at `at`.
    pub fn note(&mut self, name: &CheckName, kind: CheckKind, at: Timestamp, outcome: Outcome) {
        let run = Run { at, verdict: outcome.verdict, code: outcome.code };
        let entry = self.entries.entry(name.clone()).or_insert_with(|| Entry {
            kind,
            at,
            newest: outcome.clone(),
            passes_in_a_row: 0,
            history: VecDeque::new(),
        });
        entry.passes_in_a_row = match outcome.verdict {
            Verdict::Pass => entry.passes_in_a_row.saturating_add(1),
            Verdict::Unknown => entry.passes_in_a_row,
            Verdict::Fail => 0,
        };
        (entry.kind, entry.at, entry.newest) = (kind, at, outcome);
        entry.history.push_back(run);
        if entry.history.len() > REMEMBERED {
            entry.history.pop_front();
        }
    }

    /// One check, if it has run.
    pub fn entry(&self, name: &CheckName) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Every check that has run, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&CheckName, &Entry)> {
        self.entries.iter()
    }

    /// Whether a check lets its gate open, by the rules of `checks`.
    pub fn stand(&self, name: &CheckName, checks: &Checks, now: Timestamp) -> Stand {
        let Some(entry) = self.entries.get(name) else { return Stand::Unknown(format!("{name} has not run yet")) };
        let message = &entry.newest.message;
        match entry.newest.verdict {
            Verdict::Fail => Stand::Failed(format!("{name}: {message}")),
            Verdict::Unknown => Stand::Unknown(format!("{name}: {message}")),
            Verdict::Pass if elapsed(entry.at, now) > checks.max_age.duration() => {
                Stand::Unknown(format!("{name} passed last at {:.0}, which is too long ago", entry.at))
            }
            Verdict::Pass if entry.passes_in_a_row < checks.consecutive_passes => Stand::Counting(format!(
                "{name} passed {} of {} times in a row",
                entry.passes_in_a_row, checks.consecutive_passes
            )),
            Verdict::Pass => Stand::Proven(format!("{name}: {message}")),
        }
    }

    /// Whether a check is due, if it is to run every `interval`.
    pub fn is_due(&self, name: &CheckName, interval: Duration, now: Timestamp) -> bool {
        self.entries.get(name).is_none_or(|entry| elapsed(entry.at, now) >= entry.due_after(interval))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn ended(verdict: Verdict) -> Outcome {
        match verdict {
            Verdict::Pass => Outcome::pass("it is well", Vec::new()),
            Verdict::Fail => Outcome::fail(Code::NotAsked, "it is not", Vec::new()),
            Verdict::Unknown => Outcome::unknown(Code::NotAsked, "nobody can tell", Vec::new()),
        }
    }

    /// A board on which one check ended so, a minute apart, and how it stands by the time of its last run.
    fn after(verdicts: &[Verdict]) -> (Board, Stand) {
        let (mut board, name, mut now) = (Board::default(), name(), 0);
        for verdict in verdicts {
            now += 60;
            board.note(&name, CheckKind::Page, at(now), ended(*verdict));
        }
        let checks = Checks { consecutive_passes: 3, ..Checks::default() };
        let stand = board.stand(&name, &checks, at(now));
        (board, stand)
    }

    fn name() -> CheckName {
        "checkout".into()
    }

    use Verdict::{Fail, Pass, Unknown};

    #[test]
    fn a_run_that_could_not_be_made_neither_counts_nor_starts_the_count_anew() {
        assert!(matches!(after(&[Pass, Pass, Unknown, Pass]).1, Stand::Proven(_)));
        assert!(matches!(after(&[Pass, Unknown, Unknown, Pass]).1, Stand::Counting(_)), "two of three");
    }

    #[test]
    fn while_the_newest_run_could_not_be_made_the_check_is_unknown_however_often_it_passed() {
        assert!(matches!(after(&[Pass, Pass, Pass, Unknown]).1, Stand::Unknown(_)));
    }

    #[test]
    fn a_failure_starts_the_count_anew() {
        assert!(matches!(after(&[Pass, Pass, Fail, Pass]).1, Stand::Counting(_)));
        assert!(matches!(after(&[Pass, Pass, Pass, Fail]).1, Stand::Failed(_)));
    }

    #[test]
    fn what_could_not_be_asked_is_asked_again_sooner_but_not_at_once() {
        let (board, _) = after(&[Unknown]);
        assert!(!board.is_due(&name(), MINUTE, at(60 + 14)));
        assert!(board.is_due(&name(), MINUTE, at(60 + 15)));
        let (board, _) = after(&[Pass]);
        assert!(!board.is_due(&name(), MINUTE, at(60 + 59)));
        assert!(board.is_due(&name(), MINUTE, at(60 + 60)));
    }
}
