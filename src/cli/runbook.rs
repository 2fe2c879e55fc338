//! `bascule runbook`: what will happen, and what to do, for people at night.

use std::path::PathBuf;

use super::read_spec;
use crate::runbook::runbook;

/// Print the runbook of a migration, in Markdown
///
/// For each phase: what happens to which resource, what to watch, what to type, what can go wrong, who approves.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 printed; 1 a bad spec; 64 wrong usage.")]
pub struct RunbookArgs {
    /// The Migration file.
    file: PathBuf,
}

/// Runs it.
pub fn run(args: &RunbookArgs) -> u8 {
    match read_spec(&args.file) {
        Ok(migration) => {
            print!("{}", runbook(&migration, &args.file));
            0
        }
        Err(code) => code,
    }
}
