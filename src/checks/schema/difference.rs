//! One thing that differs, how much it matters, and what would cure it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a difference matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Rows would be lost, changed or refused, or the application would fail: no gate opens.
    Blocks,
    /// It works, and in another way: somebody should look before the cutover.
    Matters,
    /// Told so that nobody wonders.
    Harmless,
}

impl Severity {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Matters => "matters",
            Self::Harmless => "harmless",
        }
    }
}

/// Something that the target has in another way than legacy, or that is dangerous there while rows still come from legacy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What: tables, columns, views and indexes by their names, `payments.payments.ix_created`; what has names of its own beside
    /// theirs with its kind, `payments.refunds.fk_payment (foreign key)`; a setting by its own, `sql_mode`.
    pub what: String,
    /// How much it matters.
    pub severity: Severity,
    /// In which way it differs, and what comes of that.
    pub sentence: String,
    /// SQL that would make the target like legacy, in a session with the rights to. It is printed, and never run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Difference {
    /// A difference that no statement cures.
    pub fn new(severity: Severity, what: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { what: what.into(), severity, sentence: sentence.into(), cure: None }
    }

    /// The same with a statement that cures it.
    #[must_use]
    pub fn cured_by(self, statement: impl Into<String>) -> Self {
        Self { cure: Some(statement.into()), ..self }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.sentence)?;
        self.cure.iter().try_for_each(|cure| write!(f, "; on the target: {cure}"))
    }
}

/// What one object differs in, clause by clause: one object is one difference, as serious as its worst clause.
#[derive(Debug, Default)]
pub(super) struct Clauses(Vec<(Severity, String)>);

impl Clauses {
    /// Adds one where `differs`.
    pub(super) fn when(&mut self, differs: bool, severity: Severity, clause: impl FnOnce() -> String) {
        if differs {
            self.0.push((severity, clause()));
        }
    }

    /// All of them as one difference of `what`; `None` where there is none.
    pub(super) fn of(self, what: impl Into<String>) -> Option<Difference> {
        let severity = self.0.iter().map(|(severity, _)| *severity).min()?;
        let clauses: Vec<String> = self.0.into_iter().map(|(_, clause)| clause).collect();
        Some(Difference::new(severity, what, clauses.join("; ")))
    }
}
