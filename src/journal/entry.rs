//! What the journal's rows say.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::database::Epoch;
use crate::migration::facts::Fact;
use crate::migration::ladder::Rung;
use crate::migration::plan::Action;
use crate::migration::source::Commit;
use crate::names::MigrationName;
use crate::spec::Phase;

/// The number of one entry; entries are numbered from 1 without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EntryId(pub u64);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How an intent ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The call was accepted, and this is what was said.
    Done(String),
    /// It was not, or nobody knows, and this is why.
    Failed(String),
}

/// The closed list of what is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "body")]
pub enum Event {
    /// A controller started and took the next epoch.
    Started {
        /// Its epoch.
        epoch: Epoch,
    },
    /// A spec came into force. Its text is kept in the table `specs`.
    SpecAccepted {
        /// SHA-256 of its text.
        digest: String,
        /// Where it was read.
        source: String,
        /// The commit that it was read from, where it came from a repository.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit: Option<Commit>,
    },
    /// A spec was refused; the one before stays in force.
    SpecRefused {
        /// SHA-256 of its text.
        digest: String,
        /// Where it was read.
        source: String,
        /// What is wrong with it.
        why: String,
    },
    /// A fact, from now on durable.
    Fact(Fact),
    /// An action that is about to be tried.
    Intent(Action),
    /// How an intent ended.
    Outcome {
        /// The intent.
        intent: EntryId,
        /// Its end.
        outcome: Outcome,
    },
    /// The published view changed in substance.
    StatusChanged {
        /// The furthest phase reached.
        phase: Option<Phase>,
        /// The rung stood on.
        rung: Rung,
        /// The status's one sentence.
        summary: String,
    },
}

/// The kinds of entry, as the column `kind` spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// [`Event::Started`].
    Started,
    /// [`Event::SpecAccepted`].
    SpecAccepted,
    /// [`Event::SpecRefused`].
    SpecRefused,
    /// [`Event::Fact`].
    Fact,
    /// [`Event::Intent`].
    Intent,
    /// [`Event::Outcome`].
    Outcome,
    /// [`Event::StatusChanged`].
    StatusChanged,
}

impl EventKind {
    /// The column's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::SpecAccepted => "SpecAccepted",
            Self::SpecRefused => "SpecRefused",
            Self::Fact => "Fact",
            Self::Intent => "Intent",
            Self::Outcome => "Outcome",
            Self::StatusChanged => "StatusChanged",
        }
    }
}

impl Event {
    /// Its kind.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Started { .. } => EventKind::Started,
            Self::SpecAccepted { .. } => EventKind::SpecAccepted,
            Self::SpecRefused { .. } => EventKind::SpecRefused,
            Self::Fact(_) => EventKind::Fact,
            Self::Intent(_) => EventKind::Intent,
            Self::Outcome { .. } => EventKind::Outcome,
            Self::StatusChanged { .. } => EventKind::StatusChanged,
        }
    }
}

impl fmt::Display for Event {
    /// The sentence of the history.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { epoch } => write!(f, "a controller started as epoch {}", epoch.0),
            Self::SpecAccepted { source, commit: None, .. } => write!(f, "the spec in {source} is in force"),
            Self::SpecAccepted { source, commit: Some(commit), .. } => {
                write!(f, "the spec in {source} is in force, by commit {commit}")
            }
            Self::SpecRefused { source, why, .. } => write!(f, "the spec in {source} is refused: {why}"),
            Self::Fact(fact) => fact.fmt(f),
            Self::Intent(action) => write!(f, "about to {action}"),
            Self::Outcome { intent, outcome: Outcome::Done(text) } if text.is_empty() => write!(f, "{intent} is done"),
            Self::Outcome { intent, outcome: Outcome::Done(text) } => write!(f, "{intent} is done: {text}"),
            Self::Outcome { intent, outcome: Outcome::Failed(why) } => write!(f, "{intent} failed: {why}"),
            Self::StatusChanged { summary, .. } => f.write_str(summary),
        }
    }
}

/// One row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number.
    pub seq: EntryId,
    /// When it was written.
    pub at: Timestamp,
    /// The attempt under way then.
    pub attempt: u32,
    /// The generation of the spec that was acted for.
    pub generation: u64,
    /// The same for people.
    pub sentence: String,
    /// What is said.
    #[serde(flatten)]
    pub event: Event,
}

/// SHA-256 in hexadecimal: how a spec's text is told from another.
pub fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// What the chain begins with, before the first row of a migration's journal.
pub fn seed(migration: &MigrationName) -> String {
    sha256(format!("bascule journal {migration}").as_bytes())
}

/// One row as it is stored, before it is understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: String,
    /// The attempt under way then.
    pub attempt: u32,
    /// The generation of the spec that was acted for.
    pub generation: u64,
    /// Its kind.
    pub kind: String,
    /// The same for people.
    pub sentence: String,
    /// What is said, as the JSON text that is hashed.
    pub body: String,
    /// SHA-256 over the row before and this one, so that no row can rot, vanish or be edited unnoticed.
    pub chain: String,
}

impl Row {
    /// The row that follows one with the chain value `before`.
    pub(super) fn after(before: &str, entry: &Entry) -> Result<Self, serde_json::Error> {
        let event = serde_json::to_value(&entry.event)?;
        let mut row = Self {
            seq: entry.seq.0,
            at: entry.at.to_string(),
            attempt: entry.attempt,
            generation: entry.generation,
            kind: entry.event.kind().as_str().to_owned(),
            sentence: entry.sentence.clone(),
            body: event.get("body").unwrap_or(&serde_json::Value::Null).to_string(),
            chain: String::new(),
        };
        row.chain = row.link(before);
        Ok(row)
    }

    /// What `chain` has to be after `before`.
    pub fn link(&self, before: &str) -> String {
        let mut hash = Sha256::new();
        let numbers = format!("{} {} {}", self.seq, self.attempt, self.generation);
        for part in [before, &numbers, &self.at, &self.kind, &self.sentence, &self.body] {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        hexadecimal(&hash.finalize())
    }

    /// What the row says.
    pub fn read(self) -> Result<Entry, String> {
        let body: serde_json::Value = serde_json::from_str(&self.body).map_err(|error| error.to_string())?;
        let event = serde_json::json!({ "kind": self.kind, "body": body });
        Ok(Entry {
            seq: EntryId(self.seq),
            at: self.at.parse().map_err(|error: jiff::Error| error.to_string())?,
            attempt: self.attempt,
            generation: self.generation,
            sentence: self.sentence,
            event: serde_json::from_value(event).map_err(|error| error.to_string())?,
        })
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
