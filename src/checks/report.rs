//! How every declared check stands, as it is published.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::board::{Board, Run};
use super::declared::Declared;
use super::outcome::{CheckKind, Code, Evidence, Outcome, Verdict};
use crate::names::CheckName;
use crate::spec::Checks;
use crate::spec::checks::Waiver;

/// How one declared check stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckReport {
    /// Its name.
    pub name: CheckName,
    /// What it is about.
    pub kind: CheckKind,
    /// How its newest run ended; `unknown` before the first.
    pub verdict: Verdict,
    /// Why; nothing before the first run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The same in a sentence.
    pub message: String,
    /// When the newest run began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Passes in a row, the newest run included.
    pub passes_in_a_row: u32,
    /// What was seen in the newest run.
    pub evidence: Vec<Evidence>,
    /// Earlier runs, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Run>,
    /// Who says that it need not pass, if somebody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<Waiver>,
}

impl fmt::Display for CheckReport {
    /// One line, and one more for a waiver. A failure stands out without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Fail => "FAIL",
            Verdict::Pass | Verdict::Unknown => self.verdict.word(),
        };
        let code = self.code.map_or_else(String::new, |code| format!("{code}: "));
        write!(f, "{word:<8} {:<28} {code}{}", self.name, self.message)?;
        match &self.waiver {
            Some(waiver) => write!(f, "\n{:9}{waiver}", ""),
            None => Ok(()),
        }
    }
}

/// Every declared check, in the order of the file.
pub fn report(checks: &Checks, board: &Board, now: Timestamp) -> Vec<CheckReport> {
    Declared::all(checks)
        .map(|check| {
            let waiver = checks.waiver(check.name(), now).cloned();
            match board.entry(check.name()) {
                None => not_run(check, waiver),
                Some(entry) => CheckReport {
                    at: Some(entry.at),
                    passes_in_a_row: entry.passes_in_a_row,
                    history: entry.history.iter().copied().collect(),
                    ..ended(check, &entry.newest, waiver)
                },
            }
        })
        .collect()
}

fn not_run(check: Declared<'_>, waiver: Option<Waiver>) -> CheckReport {
    CheckReport {
        name: check.name().clone(),
        kind: check.kind(),
        verdict: Verdict::Unknown,
        code: None,
        message: "it has not run yet".to_owned(),
        at: None,
        passes_in_a_row: 0,
        evidence: Vec::new(),
        history: Vec::new(),
        waiver,
    }
}

/// A check whose one run has ended.
pub fn ended(check: Declared<'_>, outcome: &Outcome, waiver: Option<Waiver>) -> CheckReport {
    CheckReport {
        verdict: outcome.verdict,
        code: Some(outcome.code),
        message: outcome.message.clone(),
        evidence: outcome.evidence.clone(),
        ..not_run(check, waiver)
    }
}
