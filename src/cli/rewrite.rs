//! A file in another version: seen whole or not at all, with the mode that it had.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use super::diff::unified;
use super::{exit, file};
use crate::spec::load::{Loaded, load};

/// Reads and checks the file that is to be edited, or prints everything that is wrong with it.
pub(super) fn original(path: &Path) -> Result<Loaded, u8> {
    let shown = path.display();
    let bytes = file::read(path).map_err(|error| exit::failed(&format!("{shown} cannot be read: {error}")))?;
    load(&shown.to_string(), &bytes).map_err(|report| {
        eprintln!("{report}");
        BAD_SPEC
    })
}

/// As `parity` and `check` end on one.
const BAD_SPEC: u8 = 2;

/// Whether the file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// It is.
    Write,
    /// Only the difference is shown.
    Show,
}

/// Prints the difference, and writes the file unless only the difference is wanted.
pub(super) fn finish(path: &Path, before: &str, after: &str, intent: Intent) -> u8 {
    print!("{}", unified(&path.display().to_string(), before, after));
    if intent == Intent::Show {
        return 0;
    }
    match replace(path, before, after) {
        Ok(()) => 0,
        Err(error) => exit::failed(&format!("{} is as it was: {error}", path.display())),
    }
}

/// Puts `after` in the place of a file that still holds `before`. A link stays one, and what it leads to is replaced.
fn replace(path: &Path, before: &str, after: &str) -> io::Result<()> {
    let path: PathBuf = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let found = fs::metadata(&path)?;
    // A name that begins with a dot is no spec to whoever watches the directory.
    let mut beside = tempfile::Builder::new().prefix(".bascule-").tempfile_in(folder)?;
    beside.write_all(after.as_bytes())?;
    let made = beside.as_file().metadata()?;
    if (made.uid(), made.gid()) != (found.uid(), found.gid()) {
        chown(beside.path(), Some(found.uid()), Some(found.gid()))?;
    }
    beside.as_file().set_permissions(found.permissions())?;
    beside.as_file().sync_all()?;
    if fs::read(&path)? != before.as_bytes() {
        return Err(io::Error::other("somebody else has changed it meanwhile; look, and try again"));
    }
    beside.persist(&path).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_mode_and_a_link_to_the_file_stay_as_they_are() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, link) = (directory.path().join("a.yaml"), directory.path().join("link.yaml"));
        fs::write(&file, "before").expect("a written file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        std::os::unix::fs::symlink("a.yaml", &link).expect("a link");
        replace(&link, "before", "after").expect("it is replaced");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "after");
        assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 2, "nothing is left beside them");
    }

    #[test]
    fn a_file_that_somebody_else_has_changed_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("a.yaml");
        fs::write(&file, "theirs").expect("a written file");
        assert!(replace(&file, "before", "after").is_err());
        assert_eq!(fs::read_to_string(&file).expect("a file"), "theirs");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }
}
