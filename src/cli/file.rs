//! Files that a command line names: read no further than it takes to see that they are too large to be meant.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::spec::load::LARGEST_BYTES;

/// A file's bytes, at most one more than a spec may have: whoever understands them says that it is too many.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    beginning(File::open(file)?)
}

/// The same of an open source.
pub(super) fn beginning(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LARGEST_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_and_a_huge_one_are_read_no_further_than_a_spec_can_be_long() {
        let huge = tempfile::NamedTempFile::new().expect("a file");
        huge.as_file().set_len(120 << 20).expect("a sparse file");
        for file in [huge.path(), Path::new("/dev/zero")] {
            assert_eq!(read(file).expect("it can be read").len(), LARGEST_BYTES + 1, "{}", file.display());
        }
    }
}
