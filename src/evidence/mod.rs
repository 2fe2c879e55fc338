//! Evidence for the auditor: one folder that says what was asked, agreed, done and proven, and in which an edit shows.
//!
//! Everything in it follows from the journal's rows, which are chained, and from the specs that they name. So a folder is
//! verified by making it again from its own rows: whatever is not what they give was changed.

mod folder;
mod html;
mod record;
mod subjects;
mod verify;

use std::io;
use std::path::PathBuf;

use crate::journal::JournalError;

pub use folder::{SUMS, files, seal, write};
pub use html::report;
pub use record::{Answered, Chain, Deed, Format, Pause, PauseEnd, Record, SpecInForce, gather};
pub use subjects::{Chapter, Exhibit, Subject};
pub use verify::{Finding, Verified, verify};

/// The machine-readable half.
pub const RECORD: &str = "evidence.json";
/// The half for people.
pub const REPORT: &str = "report.html";

/// Why no evidence could be written or judged. Every text ends with what a person can do.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no such journal, or it may not be looked at.
    #[error("{path}: {source}: name the migration as its file does, and the directory of its journal with --state")]
    Unread {
        /// The journal.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A row of the journal is of no kind that is known here.
    #[error("entry {entry} cannot be understood ({why}): use the bascule that wrote it")]
    Entry {
        /// Its number.
        entry: u64,
        /// What was found.
        why: String,
    },
    /// The text of a spec that was in force is not in the journal.
    #[error("the text of generation {generation} is not in the journal: restore the journal from a backup")]
    SpecGone {
        /// The generation.
        generation: u64,
    },
    /// The folder is there already.
    #[error("{path} is there already, and evidence is never written over: name another folder")]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("{path}: {source}: check its owner, mode and room")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The record cannot be written as JSON.
    #[error("the record cannot be written as JSON ({0}): report this as a defect")]
    Json(#[from] serde_json::Error),
}
