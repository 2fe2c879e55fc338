//! `bascule promote`: another phase is asked for, by changing one line of the file.

use std::path::PathBuf;

use super::live::LiveArgs;
use super::{exit, rewrite};
use crate::migration::promotion::{Promotion, judge};
use crate::spec::Phase;

/// Ask for another phase: change the one line of the file that says so.
///
/// Nothing else in the file changes, and nothing happens before the file is in force. Which steps are legal is told with --server
/// or --status by where the migration stands; otherwise by the file alone.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 changed, or so already; 1 refused, and said why; 2 a bad spec; 3 the server or the status could not be read; 64 wrong usage."
)]
pub struct PromoteArgs {
    /// The Migration file.
    file: PathBuf,
    /// The phase to ask for.
    #[arg(long, value_name = "PHASE", value_parser = phase)]
    to: Phase,
    #[command(flatten)]
    live: LiveArgs,
    /// Print the difference and write nothing.
    #[arg(long)]
    dry_run: bool,
}

fn phase(text: &str) -> Result<Phase, String> {
    let found = Phase::ALL.into_iter().find(|phase| phase.name().eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("accepted: {}", Phase::ALL.map(Phase::name).join(", ")))
}

/// Runs it.
pub fn run(args: &PromoteArgs) -> u8 {
    promote(args).unwrap_or_else(|code| code)
}

fn promote(args: &PromoteArgs) -> Result<u8, u8> {
    let loaded = rewrite::original(&args.file)?;
    let known = args.live.ask(loaded.migration.name())?;
    let status = known.as_ref().map(|object| &object.status);
    match judge(&loaded.migration, args.to, status).map_err(|error| exit::failed(&error.to_string()))? {
        Promotion::Already => {
            eprintln!("{} asks for {} already", args.file.display(), args.to);
            return Ok(0);
        }
        Promotion::Allowed(notes) => notes.iter().for_each(|note| eprintln!("note: {note}")),
    }
    let after = loaded.with_phase(args.to).map_err(|error| exit::failed(&format!("{}, {error}", args.file.display())))?;
    Ok(rewrite::finish(&args.file, loaded.text(), &after, intent(args.dry_run)))
}

/// What `--dry-run` means.
pub(super) const fn intent(dry_run: bool) -> rewrite::Intent {
    if dry_run { rewrite::Intent::Show } else { rewrite::Intent::Write }
}
