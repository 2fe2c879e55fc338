//! One look at the files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal::sha256;

/// A migration is a page of text. Whatever is larger was not written by an operator, and is not read into memory.
pub(super) const LARGEST_BYTES: u64 = 1 << 20;

/// What a spec file holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Present {
        /// The whole file.
        bytes: Arc<[u8]>,
        /// Their SHA-256 in hexadecimal.
        digest: String,
    },
    /// Nothing: there is no such file. The last good spec stays in force.
    Gone,
    /// Something that cannot be read, and why. The last good spec stays in force.
    Unreadable(String),
}

impl Content {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self::Present { digest: sha256(&bytes), bytes: bytes.into() }
    }

    /// How long the file is, where there is one.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::Present { bytes, .. } => bytes.len(),
            Self::Gone | Self::Unreadable(_) => 0,
        }
    }
}

/// Reads the file at `path`, or every spec file in the directory at `path`.
pub(super) fn look(path: &Path) -> BTreeMap<PathBuf, Content> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => match files_in(path) {
            Ok(files) => files.into_iter().map(|file| (file.clone(), read(&file))).collect(),
            Err(error) => BTreeMap::from([(path.to_owned(), Content::Unreadable(error.to_string()))]),
        },
        Ok(_) | Err(_) => BTreeMap::from([(path.to_owned(), read(path))]),
    }
}

/// `*.yaml`, `*.yml` and `*.json`. Names that begin with a dot belong to the kubelet and to editors.
pub(super) fn is_spec(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|kind| ["yaml", "yml", "json"].iter().any(|known| kind == *known))
}

/// The spec files in `directory`, links followed.
fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if is_spec(&path) && !path.is_dir() {
            files.push(path);
        }
    }
    Ok(files)
}

fn read(path: &Path) -> Content {
    match read_regular(path) {
        Ok(bytes) => Content::of(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Content::Gone,
        Err(error) => Content::Unreadable(error.to_string()),
    }
}

/// Opening a pipe would wait for its writer for ever, so only regular files are opened.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST_BYTES) {
        return Err(io::Error::other(format!("larger than {LARGEST_BYTES} bytes")));
    }
    Ok(bytes)
}
