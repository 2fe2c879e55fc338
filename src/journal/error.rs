//! What can be wrong with a journal, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the journal cannot be used. Every text ends with what a person can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// It belongs to another migration.
    #[error("{path} is the journal of the migration `{found}`, not of `{expected}`: give each migration its own journal file")]
    AnotherMigration {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// A newer bascule wrote it.
    #[error("{path} has schema version {found}, this bascule knows {known}: run the newer bascule that wrote it")]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest one known here.
        known: u32,
    },
    /// Another process has it.
    #[error("{path} is in use by another process: stop that one first, two controllers must never act on one migration")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is not a journal, or it is damaged. Nothing is guessed from it.
    #[error("{path} cannot be trusted ({detail}): restore it from a backup, and change nothing by hand meanwhile")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// No space is left.
    #[error("no space is left for {path}: free some, the controller only observes until then")]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// It may be read but not written.
    #[error("{path} cannot be written ({detail}): check its owner, mode and mount, the controller only observes until then")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What was refused.
        detail: String,
    },
    /// The disk failed. What it holds now is unknown until the journal is opened afresh.
    #[error("{path}: the disk failed ({detail}): check it, then restart the controller")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        detail: String,
    },
}

impl JournalError {
    /// Whether the same open journal may be written again once the cause is gone.
    ///
    /// After a failed fsync it may not: the kernel forgets the failure, and a later fsync would lie.
    pub const fn heals(&self) -> bool {
        match self {
            Self::Full { .. } | Self::ReadOnly { .. } | Self::Locked { .. } => true,
            Self::AnotherMigration { .. } | Self::NewerVersion { .. } | Self::Corrupt { .. } | Self::Io { .. } => false,
        }
    }

    /// Sorts SQLite's answer by its code.
    pub(super) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, detail },
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::OutOfMemory) => Self::Io { path, detail },
            // Whatever else a statement of ours says, the file is not what we made.
            Some(_) | None => Self::Corrupt { path, detail },
        }
    }

    /// Sorts the file system's answer by its kind.
    pub(super) fn of_io(path: &Path, error: &io::Error) -> Self {
        let (path, detail) = (path.to_owned(), error.to_string());
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path, detail },
            _ => Self::Io { path, detail },
        }
    }
}
