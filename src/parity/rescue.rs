//! The rows of real servers saved beside the controller's passes, in a directory of their own under the state directory.

use std::fs;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use tokio::task::AbortHandle;

use super::exporter::{Export, ExportName, ExportStand, Exporter, Quarantined};
use super::passage::Waited;
use super::quarantine::{Manifest, QuarantineError, private_directory, quarantine};
use super::run::Request;
use super::server::servers;
use crate::clock::Clock;
use crate::database::Answer;
use crate::names::{MigrationName, Side};
use crate::spec::Migration;

/// Why rows are not saved.
#[derive(Debug, thiserror::Error)]
enum RescueError {
    /// There is no state directory.
    #[error("no row can be saved without a directory to save it in; give one with --state")]
    NoPlace,
    /// Nobody knows how to read the servers.
    #[error("{0}")]
    Credentials(String),
    /// Rows could not be read or written.
    #[error("{0}")]
    Quarantine(#[from] QuarantineError),
    /// Some tables' rows could not be told apart.
    #[error("not every row could be saved: {0}")]
    Incomplete(String),
    /// The finished directory could not be put where it belongs.
    #[error("{path} cannot be put in its place: {source}; nothing may be given up before the rows at risk are saved")]
    Place {
        /// Which directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A defect.
    #[error("the export broke off; this is a defect of bascule, and its log says where")]
    BrokeOff,
}

/// Saves rows of real servers in a task of its own.
#[derive(Debug)]
pub struct Rescue {
    clock: Clock,
    /// Where directories of rows are made.
    state: Option<PathBuf>,
    export: Arc<Mutex<Option<Export>>>,
    task: Mutex<Option<AbortHandle>>,
}

impl Rescue {
    /// Saves into directories of `state`.
    pub fn new(clock: &Clock, state: Option<PathBuf>) -> Self {
        Self { clock: clock.clone(), state, export: Arc::default(), task: Mutex::default() }
    }

    #[allow(clippy::disallowed_methods, reason = "this is the shell of exports: the task ends with it")]
    fn spawn(&self, migration: &Migration, name: &ExportName) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = Export { name: name.clone(), stand: ExportStand::UnderWay };
        if self.export().as_ref() == Some(&under_way) {
            return;
        }
        if let Some(earlier) = task.take() {
            earlier.abort();
        }
        self.say(Some(under_way));
        let (migration, name, state) = (migration.clone(), name.clone(), self.state.clone());
        let (clock, export) = (self.clock.clone(), Arc::clone(&self.export));
        *task = Some(
            tokio::spawn(async move {
                // Where waiting is shortened, saving still takes as long as it takes.
                let _busy = clock.busy();
                let saved = AssertUnwindSafe(save(&migration, state.as_deref(), &name, &clock)).catch_unwind().await;
                let stand = match saved.unwrap_or(Err(RescueError::BrokeOff)) {
                    Ok(quarantined) => ExportStand::Saved(quarantined),
                    Err(error) => ExportStand::Failed { why: error.to_string(), at: clock.now() },
                };
                let mut export = export.lock().unwrap_or_else(PoisonError::into_inner);
                // One that was stopped has no say in the next.
                if export.as_ref().is_some_and(|newest| newest.name == name) {
                    *export = Some(Export { name, stand });
                }
            })
            .abort_handle(),
        );
    }

    fn say(&self, export: Option<Export>) {
        *self.export.lock().unwrap_or_else(PoisonError::into_inner) = export;
    }
}

impl Exporter for Rescue {
    fn begin<'a>(&'a self, migration: &'a Migration, name: &'a ExportName) -> Answer<'a, ()> {
        Box::pin(async move {
            self.spawn(migration, name);
            Ok(())
        })
    }

    fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
            self.say(None);
        }
    }

    fn export(&self) -> Option<Export> {
        self.export.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Rescue {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Room that is kept for the journal, which lies on the same disk: what ends a pause of writes is a few facts, and these must
/// never fail for the rows that were saved before them. A journal's entries have some hundred bytes each.
const RESERVE_BYTES: usize = 16 << 20;

/// Saves into a directory beside its place, and moves it there once all of it is on the disk: what has the name is whole. One
/// that fails leaves nothing: on a full disk the journal could not say so.
async fn save(migration: &Migration, state: Option<&Path>, name: &ExportName, clock: &Clock) -> Result<Quarantined, RescueError> {
    let state = state.ok_or(RescueError::NoPlace)?;
    let (shelf, place, beside) = places(state, name);
    let at = |path: &Path, source| RescueError::Place { path: path.to_owned(), source };
    made_anew(&shelf, migration.name()).map_err(|source| at(&beside, source))?;
    let reserve = Reserve::taken(&shelf, name).map_err(|source| at(&shelf, source))?;
    let saved = save_beside(migration, &beside, clock).await;
    drop(reserve);
    let saved = saved.and_then(|manifest| {
        put_in_place(&shelf, &beside, &place).map_err(|source| at(&place, source))?;
        Ok(quarantined(&manifest, &place))
    });
    if saved.is_err() {
        // What is left of it is swept by the next one.
        _ = gone(&beside);
    }
    saved
}

async fn save_beside(migration: &Migration, beside: &Path, clock: &Clock) -> Result<Manifest, RescueError> {
    let servers = servers(migration).map_err(RescueError::Credentials)?;
    let passage = Waited { clock: clock.clone(), wait: Duration::ZERO };
    let request =
        Request { migration, servers: &servers, only: None, source: Side::Target, passage: &passage, state: None, clock };
    let manifest = quarantine(&request, beside).await?;
    if !manifest.not_saved.is_empty() {
        let tables: Vec<String> = manifest.not_saved.iter().map(|(table, why)| format!("{table}: {why}")).collect();
        return Err(RescueError::Incomplete(tables.join("; ")));
    }
    Ok(manifest)
}

/// Bytes on the disk that are given back when this is dropped.
struct Reserve(PathBuf);

impl Reserve {
    fn taken(shelf: &Path, name: &ExportName) -> io::Result<Self> {
        let reserve = Self(shelf.join(format!("{name}.partial-reserve")));
        // A file with a hole would reserve nothing.
        fs::write(&reserve.0, vec![0xA5_u8; RESERVE_BYTES])?;
        fs::File::open(&reserve.0)?.sync_all()?;
        Ok(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

/// Where all exports are, where this one is to be, and where it is made.
fn places(state: &Path, name: &ExportName) -> (PathBuf, PathBuf, PathBuf) {
    let shelf = state.join("quarantine");
    let (place, beside) = (shelf.join(&name.0), shelf.join(format!("{name}.partial")));
    (shelf, place, beside)
}

/// What earlier tries of this migration had begun and not ended counts for nothing, and holds customers' rows.
fn made_anew(shelf: &Path, migration: &MigrationName) -> io::Result<()> {
    private_directory(shelf)?;
    let begins = format!("{migration}-attempt-");
    for entry in fs::read_dir(shelf)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&begins) && name.contains(".partial") {
            if entry.file_type()?.is_dir() { gone(&entry.path())? } else { fs::remove_file(entry.path())? }
        }
    }
    Ok(())
}

/// A whole export of the same try that nobody has journalled gives way to the newer one: its rows are on the target still.
fn put_in_place(shelf: &Path, beside: &Path, place: &Path) -> io::Result<()> {
    fs::File::open(beside)?.sync_all()?;
    gone(place)?;
    fs::rename(beside, place)?;
    // The names are durable with their directories, and these with the one that they are in.
    fs::File::open(shelf)?.sync_all()?;
    shelf.parent().map_or(Ok(()), |state| fs::File::open(state)?.sync_all())
}

fn gone(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The list of files is written as `sha256sum` does, so that a person can check it.
fn quarantined(manifest: &Manifest, place: &Path) -> Quarantined {
    let list: String = manifest.files.iter().map(|saved| format!("{}  {}\n", saved.sha256, saved.file)).collect();
    let sha256 = Sha256::digest(list).iter().map(|byte| format!("{byte:02x}")).collect();
    let tables = manifest.files.iter().map(|saved| (saved.table.clone(), saved.rows)).collect();
    Quarantined { place: place.display().to_string(), tables, sha256 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> ExportName {
        ExportName("payments-attempt-1-7".to_owned())
    }

    /// Leaves a whole export with one file of this text beside its place.
    fn made(state: &Path, text: &str) -> (PathBuf, PathBuf, PathBuf) {
        let (shelf, place, beside) = places(state, &name());
        made_anew(&shelf, &"payments".into()).expect("a shelf");
        private_directory(&beside).expect("a directory");
        fs::write(beside.join("rows"), text).expect("rows");
        (shelf, place, beside)
    }

    #[test]
    fn an_export_that_is_made_twice_is_there_once_and_is_the_newer_one() {
        let state = tempfile::tempdir().expect("a directory");
        for text in ["first", "second"] {
            let (shelf, place, beside) = made(state.path(), text);
            put_in_place(&shelf, &beside, &place).expect("in its place");
            assert_eq!(fs::read_to_string(place.join("rows")).expect("rows"), text);
            assert_eq!(fs::read_dir(&shelf).expect("a shelf").count(), 1, "nothing is left beside it");
        }
    }

    #[test]
    fn what_a_dead_predecessor_had_begun_is_no_part_of_the_export() {
        let state = tempfile::tempdir().expect("a directory");
        let (shelf, place, beside) = made(state.path(), "half");
        made_anew(&shelf, &"payments".into()).expect("made anew");
        assert!(!beside.exists() && !place.exists(), "half an export never has the name of a whole one");
    }

    #[test]
    fn what_other_migrations_have_under_way_is_left_alone() {
        let state = tempfile::tempdir().expect("a directory");
        let (shelf, _, beside) = made(state.path(), "half");
        made_anew(&shelf, &"orders".into()).expect("made anew");
        assert!(beside.exists());
    }

    #[test]
    fn room_for_the_journal_is_taken_and_given_back() {
        let state = tempfile::tempdir().expect("a directory");
        let (shelf, ..) = made(state.path(), "half");
        let reserve = Reserve::taken(&shelf, &name()).expect("room");
        assert_eq!(fs::metadata(&reserve.0).expect("a file").len(), RESERVE_BYTES as u64);
        let path = reserve.0.clone();
        drop(reserve);
        assert!(!path.exists());
    }
}
