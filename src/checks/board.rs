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
    /// Passes in a row, the newest included.
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
    /// How many times in a row it has failed, the newest run included.
    pub fn failures_in_a_row(&self) -> usize {
        self.history.iter().rev().take_while(|run| run.verdict == Verdict::Fail).count()
    }
}

impl Board {
    /// Notes the end of a run that began at `at`.
    pub fn note(&mut self, name: &CheckName, kind: CheckKind, at: Timestamp, outcome: Outcome) {
        let run = Run { at, verdict: outcome.verdict, code: outcome.code };
        let passed = outcome.verdict == Verdict::Pass;
        let entry = self.entries.entry(name.clone()).or_insert_with(|| Entry {
            kind,
            at,
            newest: outcome.clone(),
            passes_in_a_row: 0,
            history: VecDeque::new(),
        });
        entry.passes_in_a_row = if passed { entry.passes_in_a_row.saturating_add(1) } else { 0 };
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
        self.entries.get(name).is_none_or(|entry| elapsed(entry.at, now) >= interval)
    }
}
