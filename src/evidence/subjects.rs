//! What an auditor asks about, and which entries answer.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::{Entry, EntryId, Event};
use crate::migration::facts::Fact;
use crate::migration::plan::GateReport;

/// The closed list of subjects, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Subject {
    /// Attempts, rungs and phases.
    Progress,
    /// Gates that let something through.
    Gates,
    /// Fences, positions in binary logs, and who takes writes.
    FencesAndPositions,
    /// Markers that travelled.
    Markers,
    /// Comparisons of both sides' rows.
    Comparisons,
    /// Batches sent to Route 53.
    DnsChanges,
    /// Calls to the operator's own systems.
    Hooks,
    /// Checks that need not pass for a while.
    Waivers,
    /// Cutovers and rollbacks that were given up.
    GivenUp,
    /// A rollback that lost writes, and the rows that were saved from it.
    ForcedRollback,
    /// Specs that were refused.
    RefusedSpecs,
    /// Starts of the controller.
    Controllers,
}

impl Subject {
    /// Every subject.
    pub const ALL: [Self; 12] = [
        Self::Progress,
        Self::Gates,
        Self::FencesAndPositions,
        Self::Markers,
        Self::Comparisons,
        Self::DnsChanges,
        Self::Hooks,
        Self::Waivers,
        Self::GivenUp,
        Self::ForcedRollback,
        Self::RefusedSpecs,
        Self::Controllers,
    ];

    /// What an entry is about; `None` where other parts of the record have it.
    const fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Started { .. } => Some(Self::Controllers),
            Event::SpecRefused { .. } => Some(Self::RefusedSpecs),
            Event::Fact(fact) => Some(Self::of_fact(fact)),
            Event::SpecAccepted { .. } | Event::Intent(_) | Event::Outcome { .. } | Event::StatusChanged { .. } => None,
        }
    }

    const fn of_fact(fact: &Fact) -> Self {
        match fact {
            Fact::AttemptBegun { .. } | Fact::Entered { .. } | Fact::Reached { .. } | Fact::IdentityFrozen { .. } => {
                Self::Progress
            }
            Fact::GatesOpened { .. } => Self::Gates,
            Fact::FenceProven { .. }
            | Fact::ReverseStartRecorded { .. }
            | Fact::PointOfNoReturn
            | Fact::ReverseStarted
            | Fact::ReverseResumed
            | Fact::ReverseRecovered
            | Fact::WritesOpened { .. } => Self::FencesAndPositions,
            Fact::MarkerWritten { .. } | Fact::MarkerSeen { .. } => Self::Markers,
            Fact::ParityCompared { .. } | Fact::TablesReloaded { .. } => Self::Comparisons,
            Fact::ChangeIntended { .. } | Fact::ChangeSubmitted { .. } | Fact::ChangeInSync { .. } => Self::DnsChanges,
            Fact::HooksCalled { .. } | Fact::HooksAnswered { .. } => Self::Hooks,
            Fact::WaiversInForce { .. } => Self::Waivers,
            Fact::Aborted { .. } | Fact::RollbackAbandoned { .. } | Fact::RollbackWithdrawn => Self::GivenUp,
            Fact::RollbackForced { .. } | Fact::RowsQuarantined { .. } => Self::ForcedRollback,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Progress => "Attempts, rungs and phases",
            Self::Gates => "Gates, with what opened them",
            Self::FencesAndPositions => "Fences and positions",
            Self::Markers => "Markers",
            Self::Comparisons => "Comparisons of rows",
            Self::DnsChanges => "DNS changes",
            Self::Hooks => "Hooks",
            Self::Waivers => "Waivers of checks",
            Self::GivenUp => "Given up",
            Self::ForcedRollback => "Forced rollback and quarantine",
            Self::RefusedSpecs => "Specs that were refused",
            Self::Controllers => "Starts of the controller",
        })
    }
}

/// All entries of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chapter {
    /// What it is about.
    pub subject: Subject,
    /// Its entries, oldest first; none where nothing of the kind happened.
    pub exhibits: Vec<Exhibit>,
}

/// One entry as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exhibit {
    /// The entry.
    pub entry: EntryId,
    /// When it was written.
    pub at: Timestamp,
    /// The attempt under way then.
    pub attempt: u32,
    /// What happened, in a sentence.
    pub sentence: String,
    /// More of it, line by line: tables that were compared, gates that were open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

/// The entries of every subject.
pub(super) fn chapters(entries: &[Entry]) -> Vec<Chapter> {
    let about = |subject| entries.iter().filter(move |entry| Subject::of(&entry.event) == Some(subject));
    Subject::ALL.map(|subject| Chapter { subject, exhibits: about(subject).map(exhibit).collect() }).into()
}

fn exhibit(entry: &Entry) -> Exhibit {
    Exhibit {
        entry: entry.seq,
        at: entry.at,
        attempt: entry.attempt,
        sentence: entry.sentence.clone(),
        details: details(&entry.event),
    }
}

fn details(event: &Event) -> Vec<String> {
    match event {
        Event::Fact(Fact::ParityCompared { report: Some(report), .. }) => report.to_string().lines().map(str::to_owned).collect(),
        Event::Fact(Fact::GatesOpened { gates }) => gates.iter().map(gate).collect(),
        Event::Fact(Fact::ChangeIntended { old_ttl_seconds, .. } | Fact::ChangeSubmitted { old_ttl_seconds, .. }) => {
            vec![format!("caches may hold what was there before for {old_ttl_seconds} s")]
        }
        Event::Fact(Fact::IdentityFrozen { digest }) => vec![format!("SHA-256 {digest}")],
        Event::SpecRefused { digest, .. } => vec![format!("SHA-256 of its text {digest}")],
        _ => Vec::new(),
    }
}

fn gate(gate: &GateReport) -> String {
    format!("{}: {}", gate.name, gate.standing.text())
}
