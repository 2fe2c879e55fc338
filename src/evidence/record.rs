//! What the folder says to programs: the journal's rows, and what follows from them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EvidenceError;
use super::subjects::{Chapter, chapters};
use crate::clock::elapsed;
use crate::journal::{Entry, EntryId, Event, HISTORY_PAGE, Journal, Outcome, Row, seed};
use crate::migration::approvals;
use crate::migration::facts::Fact;
use crate::migration::ladder::Rung;
use crate::migration::source::Commit;
use crate::names::{MigrationName, PlanDigest, Side};
use crate::spec::load::load;
use crate::spec::{Approval, Phase};

/// The versions of this format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Format {
    /// The first.
    #[serde(rename = "bascule.dev/evidence/v1alpha1")]
    V1Alpha1,
}

/// Everything about one migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// The version of this format.
    pub format: Format,
    /// The version of the program that wrote it; only that one makes the same folder of the same rows.
    pub bascule: String,
    /// Whose evidence it is.
    pub migration: MigrationName,
    /// How the entries hang together.
    pub chain: Chain,
    /// Every spec that was in force, oldest first.
    pub specs: Vec<SpecInForce>,
    /// Every pause of writes.
    pub write_pauses: Vec<Pause>,
    /// Everything that was done, with its answer.
    pub actions: Vec<Deed>,
    /// What was proven and decided, by subject.
    pub chapters: Vec<Chapter>,
    /// The journal, row by row, as it is stored.
    pub entries: Vec<Row>,
}

/// How the entries hang together: each `chain` is the SHA-256 of the one before and of its own row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Chain {
    /// What the first row is chained to; follows from the migration's name.
    pub seed: String,
    /// The `chain` of the last row.
    pub head: String,
    /// How many rows there are.
    pub entries: u64,
    /// When the last row was written: what came later is not here.
    pub as_of: Option<Timestamp>,
}

/// One spec that was in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpecInForce {
    /// Its generation.
    pub generation: u64,
    /// The entry that says so.
    pub entry: EntryId,
    /// Since when.
    pub at: Timestamp,
    /// Where it was read.
    pub source: String,
    /// The commit that brought it, where it came from a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// SHA-256 of its text.
    pub digest: String,
    /// The phase that it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The digest of the cutover that it describes: what approvals have to name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<PlanDigest>,
    /// The approvals in it.
    pub approvals: Vec<Approval>,
    /// Whose counted when it came into force.
    pub counted: Vec<String>,
    /// Whose did not, and why.
    pub refused: Vec<String>,
    /// Its text, as it was read.
    pub text: String,
}

/// One pause of writes, from the first fence to the opening of a side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pause {
    /// The entry that begins it.
    pub entry: EntryId,
    /// The attempt that it was for.
    pub attempt: u32,
    /// The rung that closed both sides.
    pub rung: Rung,
    /// When it began.
    pub began: Timestamp,
    /// How it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<PauseEnd>,
}

/// How a pause of writes ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PauseEnd {
    /// The entry that ends it.
    pub entry: EntryId,
    /// When a side was seen open.
    pub at: Timestamp,
    /// Which side takes writes.
    pub opened: Side,
    /// How long nobody could write.
    pub length_milliseconds: u64,
}

/// One action, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deed {
    /// The entry of its intent.
    pub entry: EntryId,
    /// When it was about to be tried.
    pub at: Timestamp,
    /// The attempt under way then.
    pub attempt: u32,
    /// The generation of the spec that it was for.
    pub generation: u64,
    /// What was done, in a sentence.
    pub action: String,
    /// The answer; none where the controller ended before it could write it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
}

/// The answer to an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Answered {
    /// The entry of the outcome.
    pub entry: EntryId,
    /// When it was known.
    pub at: Timestamp,
    /// What was said.
    pub outcome: Outcome,
}

/// Takes everything out of a journal.
pub fn gather(migration: &MigrationName, journal: &Journal) -> Result<Record, EvidenceError> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = journal.rows(rows.last().map_or(0, |row| row.seq), HISTORY_PAGE)?;
        if page.is_empty() {
            break;
        }
        rows.extend(page);
    }
    let mut texts = BTreeMap::new();
    for entry in understood(&rows)? {
        if let Event::SpecAccepted { digest, .. } = entry.event {
            let text = journal.spec_text(&digest)?.ok_or(EvidenceError::SpecGone { generation: entry.generation })?;
            texts.insert(digest, text);
        }
    }
    Record::derive(migration, rows, &texts)
}

fn understood(rows: &[Row]) -> Result<Vec<Entry>, EvidenceError> {
    rows.iter().map(|row| row.clone().read().map_err(|why| EvidenceError::Entry { entry: row.seq, why })).collect()
}

impl Record {
    /// What follows from a journal's rows and from the texts of its specs, by their digests.
    pub fn derive(migration: &MigrationName, rows: Vec<Row>, texts: &BTreeMap<String, String>) -> Result<Self, EvidenceError> {
        let entries = understood(&rows)?;
        let seed = seed(migration);
        let chain = Chain {
            head: rows.last().map_or_else(|| seed.clone(), |row| row.chain.clone()),
            seed,
            entries: rows.len() as u64,
            as_of: entries.iter().map(|entry| entry.at).max(),
        };
        Ok(Self {
            format: Format::V1Alpha1,
            bascule: env!("CARGO_PKG_VERSION").to_owned(),
            migration: migration.clone(),
            chain,
            specs: specs(&entries, texts)?,
            write_pauses: pauses(&entries),
            actions: deeds(&entries),
            chapters: chapters(&entries),
            entries: rows,
        })
    }

    /// The same, made again from its own rows and texts.
    pub fn again(&self) -> Result<Self, EvidenceError> {
        let texts = self.specs.iter().map(|spec| (spec.digest.clone(), spec.text.clone())).collect();
        Self::derive(&self.migration, self.entries.clone(), &texts)
    }
}

fn specs(entries: &[Entry], texts: &BTreeMap<String, String>) -> Result<Vec<SpecInForce>, EvidenceError> {
    let mut specs = Vec::new();
    for entry in entries {
        if let Event::SpecAccepted { digest, source, commit } = &entry.event {
            let text = texts.get(digest).ok_or(EvidenceError::SpecGone { generation: entry.generation })?;
            specs.push(spec(entry, digest, source, commit.as_ref(), text));
        }
    }
    Ok(specs)
}

/// A spec that an older bascule took may not be understood any more: its text still stands for itself.
fn spec(entry: &Entry, digest: &str, source: &str, commit: Option<&Commit>, text: &str) -> SpecInForce {
    let migration = load(source, text.as_bytes()).ok().map(|loaded| loaded.migration.into_inner());
    let agreed = migration.as_ref().map(|it| approvals::report(it, approvals::cutover_digest(it), entry.at));
    SpecInForce {
        generation: entry.generation,
        entry: entry.seq,
        at: entry.at,
        source: source.to_owned(),
        commit: commit.cloned(),
        digest: digest.to_owned(),
        phase: migration.as_ref().map(|it| it.spec.phase),
        plan_digest: agreed.as_ref().map(|agreed| agreed.plan_digest.clone()),
        approvals: migration.map(|it| it.spec.approvals).unwrap_or_default(),
        counted: agreed.as_ref().map(|agreed| agreed.counted.clone()).unwrap_or_default(),
        refused: agreed.map(|agreed| agreed.refused).unwrap_or_default(),
        text: text.to_owned(),
    }
}

fn pauses(entries: &[Entry]) -> Vec<Pause> {
    let mut pauses: Vec<Pause> = Vec::new();
    for entry in entries {
        let open = pauses.last_mut().filter(|pause| pause.ended.is_none());
        match (&entry.event, open) {
            (Event::Fact(Fact::Entered { rung: rung @ (Rung::Fence | Rung::RollbackFence | Rung::ForcedFence) }), None) => {
                let (entry, attempt, began) = (entry.seq, entry.attempt, entry.at);
                pauses.push(Pause { entry, attempt, rung: *rung, began, ended: None });
            }
            (Event::Fact(Fact::WritesOpened { side }), Some(pause)) => {
                let length = elapsed(pause.began, entry.at).as_millis();
                pause.ended = Some(PauseEnd {
                    entry: entry.seq,
                    at: entry.at,
                    opened: *side,
                    length_milliseconds: u64::try_from(length).unwrap_or(u64::MAX),
                });
            }
            _ => {}
        }
    }
    pauses
}

fn deeds(entries: &[Entry]) -> Vec<Deed> {
    let mut deeds: BTreeMap<EntryId, Deed> = BTreeMap::new();
    for Entry { seq, at, attempt, generation, event, .. } in entries {
        let (entry, at) = (*seq, *at);
        match event {
            Event::Intent(action) => {
                let (attempt, generation, action) = (*attempt, *generation, action.to_string());
                deeds.insert(entry, Deed { entry, at, attempt, generation, action, answered: None });
            }
            Event::Outcome { intent, outcome } => {
                if let Some(deed) = deeds.get_mut(intent) {
                    deed.answered = Some(Answered { entry, at, outcome: outcome.clone() });
                }
            }
            Event::Started { .. }
            | Event::SpecAccepted { .. }
            | Event::SpecRefused { .. }
            | Event::Fact(_)
            | Event::StatusChanged { .. } => {}
        }
    }
    deeds.into_values().collect()
}
