//! A MariaDB server that is installed once for all tests: an installation takes longer than most of them.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bascule::lab::server::Server;

/// Puts an installed server into `own`, which must not exist.
pub fn copy_installed(own: &Path) {
    copy(template(), own).expect("an installed server");
}

/// The server, in cargo's own directory for tests.
fn template() -> &'static Path {
    static TEMPLATE: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed-server");
        if !path.exists() {
            let making = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
            drop(Server::start(making.path(), &[]).expect("a server"));
            // Another test program may have been quicker; theirs is as good.
            _ = std::fs::rename(making.path(), &path);
        }
        path
    });
    &TEMPLATE
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, copied) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &copied)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), copied)?;
        }
    }
    Ok(())
}
