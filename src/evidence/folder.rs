//! The folder on disk: what is in it, and the list of sums that `sha256sum --check` reads as well.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{EvidenceError, RECORD, REPORT, Record, report};
use crate::journal::sha256;

/// The list of every other file with its SHA-256, in the format of `sha256sum`.
pub const SUMS: &str = "SHA256SUMS";

/// Every file of a record's folder, by its path in it, the list of sums included.
pub fn files(record: &Record) -> Result<BTreeMap<String, Vec<u8>>, EvidenceError> {
    let mut json = serde_json::to_vec_pretty(record)?;
    json.push(b'\n');
    let mut files = BTreeMap::from([(RECORD.to_owned(), json), (REPORT.to_owned(), report(record).into_bytes())]);
    for spec in &record.specs {
        files.insert(format!("specs/generation-{}.yaml", spec.generation), spec.text.clone().into_bytes());
    }
    let sums: String = files.iter().map(|(path, bytes)| format!("{}  {path}\n", sha256(bytes))).collect();
    files.insert(SUMS.to_owned(), sums.into_bytes());
    Ok(files)
}

/// One number for the whole folder: the SHA-256 of its list of sums. Kept elsewhere, it tells this folder from any other.
pub fn seal(sums: &[u8]) -> String {
    sha256(sums)
}

/// Writes a record into a folder that is not there yet, and answers its seal. A folder that could not be written whole is
/// taken away again.
pub fn write(record: &Record, folder: &Path) -> Result<String, EvidenceError> {
    let files = files(record)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| EvidenceError::Io { path, source }
    };
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(failed(parent))?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(EvidenceError::Exists { path: folder.to_owned() });
        }
        made => made.map_err(failed(folder))?,
    }
    for (name, bytes) in &files {
        let path = folder.join(name);
        let placed = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, bytes));
        if let Err(source) = placed {
            // It is ours and not whole; what the system says about that comes second.
            let _ = fs::remove_dir_all(folder);
            return Err(EvidenceError::Io { path, source });
        }
    }
    Ok(seal(files.get(SUMS).map_or(&[], Vec::as_slice)))
}
