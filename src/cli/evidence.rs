//! `bascule evidence`: one folder for the auditor, and whether it is still as it was written.

use std::fs;
use std::path::{Path, PathBuf};

use super::exit;
use crate::evidence::{EvidenceError, gather, verify, write};
use crate::journal::Journal;
use crate::names::MigrationName;

/// Write everything that the journal can prove into one folder, for an auditor
///
/// Reads the journal only, also beside a running bascule. The same journal gives the same folder, byte by byte.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Exit codes: 0 written; 1 not written (the folder is there already, the disk refuses); 3 the journal cannot be read or trusted; 64 wrong usage."
)]
pub struct EvidenceArgs {
    /// The migration's name.
    #[arg(required = true)]
    name: Option<String>,
    /// The folder; one that is there already is never written over.
    #[arg(long, short = 'o', value_name = "DIR", required = true)]
    directory: Option<PathBuf>,
    /// Where the journal is.
    #[arg(long, default_value = "state", value_name = "DIR")]
    state: PathBuf,
    #[command(subcommand)]
    verb: Option<EvidenceVerb>,
}

#[derive(Debug, clap::Subcommand)]
enum EvidenceVerb {
    /// Say whether a folder is as it was written, or what was changed, added or taken away
    #[command(
        after_help = "Exit codes: 0 intact; 1 something was changed, added or taken away; 3 it could not be found out (no such folder, a file that cannot be read); 64 wrong usage."
    )]
    Verify {
        /// The folder.
        directory: PathBuf,
        /// The seal that was printed when it was written: tells this folder from another one that is as whole.
        #[arg(long, value_name = "SHA256")]
        seal: Option<String>,
    },
}

/// Runs it.
pub fn run(args: &EvidenceArgs) -> u8 {
    match args {
        EvidenceArgs { verb: Some(EvidenceVerb::Verify { directory, seal }), .. } => judged(directory, seal.as_deref()),
        EvidenceArgs { name: Some(name), directory: Some(directory), state, .. } => {
            match written(&MigrationName(name.clone()), directory, state) {
                Ok(()) => 0,
                Err(error) => refused(&error),
            }
        }
        // The parser asks for both.
        EvidenceArgs { .. } => exit::failed("name a migration, and a folder with -o"),
    }
}

fn written(name: &MigrationName, directory: &Path, state: &Path) -> Result<(), EvidenceError> {
    let path = state.join(format!("{name}.journal"));
    // Opening would say something about the disk; that there is no such migration is the likelier mistake.
    if let Err(source) = fs::metadata(&path) {
        return Err(EvidenceError::Unread { path, source });
    }
    let record = gather(name, &Journal::read_along(&path, name)?)?;
    let seal = write(&record, directory)?;
    println!("{} entries and {} specs of {name} are in {}", record.chain.entries, record.specs.len(), directory.display());
    println!("seal {seal}");
    eprintln!("keep the seal elsewhere: whoever can write to the folder could replace it by another that is as whole");
    Ok(())
}

fn refused(error: &EvidenceError) -> u8 {
    exit::failed(&error.to_string());
    match error {
        EvidenceError::Exists { .. } | EvidenceError::Io { .. } | EvidenceError::Json(_) => 1,
        EvidenceError::Journal(_)
        | EvidenceError::Unread { .. }
        | EvidenceError::Entry { .. }
        | EvidenceError::SpecGone { .. } => 3,
    }
}

fn judged(directory: &Path, seal: Option<&str>) -> u8 {
    let verified = match verify(directory, seal) {
        Ok(verified) => verified,
        Err(error) => {
            exit::failed(&error.to_string());
            return 3;
        }
    };
    for note in &verified.notes {
        eprintln!("{note}");
    }
    for finding in &verified.findings {
        println!("{finding}");
    }
    if verified.findings.is_empty() {
        println!("intact: {} files, {} entries", verified.files, verified.entries);
        println!("seal {}", verified.seal);
        return 0;
    }
    1
}
