//! Whether a folder is as it was written, and if not, where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

use super::folder::{SUMS, files, seal};
use super::{EvidenceError, RECORD, Record};
use crate::journal::{Row, seed, sha256};

/// One thing that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A file has other bytes.
    Changed {
        /// Its path.
        file: String,
        /// How that is known.
        why: String,
    },
    /// A file was not there.
    Added {
        /// Its path.
        file: String,
    },
    /// A file was there.
    TakenAway {
        /// Its path.
        file: String,
    },
    /// A row of the journal is not the one that was written, from here on.
    Entry {
        /// Its number.
        entry: u64,
        /// What is wrong with it.
        why: String,
    },
    /// It is whole, and another one than the seal names.
    Seal {
        /// Its own.
        found: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { file, why } => write!(f, "{file} was changed: {why}"),
            Self::Added { file } => write!(f, "{file} was added"),
            Self::TakenAway { file } => write!(f, "{file} was taken away"),
            Self::Entry { entry, why } => write!(f, "entry {entry} of {RECORD} {why}"),
            Self::Seal { found } => write!(f, "the folder was replaced: its seal is {found}"),
        }
    }
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Verified {
    /// What is wrong; nothing, if it is intact.
    pub findings: BTreeSet<Finding>,
    /// What could not be judged here.
    pub notes: Vec<String>,
    /// Files that were looked at.
    pub files: usize,
    /// Rows of the journal in it.
    pub entries: u64,
    /// The folder's seal as it stands.
    pub seal: String,
}

/// Judges the folder by its sums, by the chain of its entries, and by making it again from them. `expected` is the seal that
/// was kept elsewhere, if one was.
pub fn verify(folder: &Path, expected: Option<&str>) -> Result<Verified, EvidenceError> {
    let mut found = BTreeMap::new();
    read_all(folder, "", &mut found)?;
    let sums = found.get(SUMS).cloned().unwrap_or_default();
    let seal = seal(&sums);
    let mut findings = by_sums(&found, &sums);
    let mut notes = Vec::new();
    let mut entries = 0;
    if let Some(bytes) = found.get(RECORD) {
        match serde_json::from_slice::<Record>(bytes) {
            Err(error) => _ = findings.insert(Finding::Changed { file: RECORD.to_owned(), why: error.to_string() }),
            Ok(record) => {
                entries = record.entries.len() as u64;
                findings.extend(by_chain(&record));
                match made_again(&record) {
                    Made::Same(made) => findings.extend(by_making(&found, &made, &findings)),
                    Made::Broken(finding) => _ = findings.insert(finding),
                    Made::Elsewhere => notes.push(format!(
                        "bascule {} wrote it, this is {}: that the report follows from the entries was not looked at",
                        record.bascule,
                        env!("CARGO_PKG_VERSION")
                    )),
                }
            }
        }
    }
    if findings.is_empty() && expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&seal)) {
        findings.insert(Finding::Seal { found: seal.clone() });
    }
    Ok(Verified { findings, notes, files: found.len(), entries, seal })
}

/// Every file below `folder`, by its path in it. A link is no file of ours, wherever it leads.
fn read_all(folder: &Path, below: &str, found: &mut BTreeMap<String, Vec<u8>>) -> Result<(), EvidenceError> {
    let failed = |source| EvidenceError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            read_all(&entry.path(), &format!("{name}/"), found)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).map_err(|source| EvidenceError::Io { path: entry.path(), source })?;
            found.insert(name, bytes);
        } else {
            found.insert(name, b"neither a file nor a folder".to_vec());
        }
    }
    Ok(())
}

fn by_sums(found: &BTreeMap<String, Vec<u8>>, sums: &[u8]) -> BTreeSet<Finding> {
    let mut findings = BTreeSet::new();
    for needed in [SUMS, RECORD] {
        if !found.contains_key(needed) {
            findings.insert(Finding::TakenAway { file: needed.to_owned() });
        }
    }
    if !found.contains_key(SUMS) {
        return findings;
    }
    let mut listed = BTreeSet::from([SUMS.to_owned()]);
    for (number, line) in String::from_utf8_lossy(sums).lines().enumerate() {
        let Some((sum, file)) = line.split_once("  ") else {
            let why = format!("line {} is none of `sha256sum`", number + 1);
            findings.insert(Finding::Changed { file: SUMS.to_owned(), why });
            continue;
        };
        listed.insert(file.to_owned());
        match found.get(file).map(|bytes| sha256(bytes)) {
            None => _ = findings.insert(Finding::TakenAway { file: file.to_owned() }),
            Some(actual) if actual != sum => {
                let why = format!("its SHA-256 is not the one in {SUMS}");
                findings.insert(Finding::Changed { file: file.to_owned(), why });
            }
            Some(_) => {}
        }
    }
    findings.extend(found.keys().filter(|file| !listed.contains(*file)).map(|file| Finding::Added { file: file.clone() }));
    findings
}

/// The first row that does not follow from the one before; all after it are in doubt with it.
fn by_chain(record: &Record) -> Option<Finding> {
    let finding = |entry, why: &str| Some(Finding::Entry { entry, why: why.to_owned() });
    let mut before = seed(&record.migration);
    for (expected, row) in (1..).zip(&record.entries) {
        let Row { seq, chain, .. } = row;
        if *seq > expected {
            return finding(expected, "was taken away");
        }
        if *seq < expected {
            return finding(*seq, "is there twice, or was added");
        }
        if *chain != row.link(&before) {
            return finding(expected, "was changed");
        }
        before.clone_from(chain);
    }
    let last = record.entries.len() as u64;
    if record.chain.entries > last {
        return finding(last + 1, "and all after it were taken away");
    }
    if record.chain.entries < last {
        return finding(record.chain.entries + 1, "was added");
    }
    if before == record.chain.head { None } else { finding(last, "is not the last one that was written") }
}

/// A folder made from a record's own rows.
enum Made {
    Same(BTreeMap<String, Vec<u8>>),
    Broken(Finding),
    /// Another version of the program wrote it, and may say the same in other words.
    Elsewhere,
}

fn made_again(record: &Record) -> Made {
    for spec in &record.specs {
        if sha256(spec.text.as_bytes()) != spec.digest {
            let why = format!("the text of generation {} is not the one that was in force", spec.generation);
            return Made::Broken(Finding::Changed { file: RECORD.to_owned(), why });
        }
    }
    if record.bascule != env!("CARGO_PKG_VERSION") {
        return Made::Elsewhere;
    }
    match record.again().and_then(|again| files(&again)) {
        Ok(made) => Made::Same(made),
        Err(error) => Made::Broken(Finding::Changed { file: RECORD.to_owned(), why: error.to_string() }),
    }
}

/// Files that are not what the entries give, apart from those that are known to be changed.
fn by_making(
    found: &BTreeMap<String, Vec<u8>>,
    made: &BTreeMap<String, Vec<u8>>,
    known: &BTreeSet<Finding>,
) -> BTreeSet<Finding> {
    let is_known = |name: &str| {
        known.iter().any(|finding| match finding {
            Finding::Changed { file, .. } | Finding::TakenAway { file } | Finding::Added { file } => file == name,
            // What follows from rows that were changed is no second finding.
            Finding::Entry { .. } | Finding::Seal { .. } => true,
        })
    };
    let mut findings = BTreeSet::new();
    for name in found.keys().chain(made.keys()) {
        let finding = match (found.get(name), made.get(name)) {
            _ if is_known(name) => continue,
            (Some(is), Some(should)) if is == should => continue,
            // Where any file differs, the sums that go with it do as well.
            (Some(_), Some(_)) if name == SUMS => continue,
            (Some(_), Some(_)) => {
                Finding::Changed { file: name.clone(), why: format!("it does not follow from the entries of {RECORD}") }
            }
            (Some(_), None) => Finding::Added { file: name.clone() },
            (None, _) => Finding::TakenAway { file: name.clone() },
        };
        findings.insert(finding);
    }
    if findings.is_empty() && known.is_empty() && found.get(SUMS) != made.get(SUMS) {
        findings.insert(Finding::Changed { file: SUMS.to_owned(), why: "it is not what `sha256sum` writes".to_owned() });
    }
    findings
}
