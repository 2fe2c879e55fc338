//! `bascule quarantine`: saves the rows that a forced rollback would leave behind.

use std::path::PathBuf;
use std::time::Duration;

use super::{Output, exit, on_runtime, read_spec};
use crate::clock::Clock;
use crate::names::Side;
use crate::parity::passage::Waited;
use crate::parity::quarantine::quarantine;
use crate::parity::run::Request;
use crate::parity::server::servers;

/// Save the rows that would be lost if one side were given up
///
/// These are the rows that the other side lacks, or holds with other values.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 every row at risk is saved; 1 some tables could not be saved; 2 a bad spec; 3 it could not be found out, and nothing may be given up; 64 wrong usage."
)]
pub struct QuarantineArgs {
    /// The Migration file.
    file: PathBuf,
    /// Where the rows go; files that are there are never written over.
    #[arg(long, short = 'o', value_name = "DIR")]
    directory: PathBuf,
    /// The side that is given up: `target` in a rollback.
    #[arg(long, value_enum, default_value = "target")]
    given_up: GivenUp,
    /// Text for people, JSON for machines.
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// A side, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GivenUp {
    /// In an abort whose target had already taken writes of its own: never by itself.
    Legacy,
    /// In a rollback.
    Target,
}

/// Runs it.
pub fn run(args: &QuarantineArgs) -> u8 {
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(_) => return 2,
    };
    let servers = match servers(&migration) {
        Ok(servers) => servers,
        Err(why) => return unknown(&why),
    };
    let clock = Clock::system();
    let passage = Waited { clock: clock.clone(), wait: Duration::ZERO };
    let source = match args.given_up {
        GivenUp::Legacy => Side::Legacy,
        GivenUp::Target => Side::Target,
    };
    let request =
        Request { migration: &migration, servers: &servers, only: None, source, passage: &passage, state: None, clock: &clock };
    let manifest = match on_runtime(quarantine(&request, &args.directory)) {
        Ok(manifest) => manifest,
        Err(error) => return unknown(&error.to_string()),
    };
    match args.output {
        Output::Json => exit::print_json(&manifest),
        Output::Text => {
            for saved in &manifest.files {
                println!("{} rows of {} are in {}", saved.rows, saved.table, args.directory.join(&saved.file).display());
            }
            if manifest.files.is_empty() {
                println!("no row at risk: the other side has every row of {source}");
            }
        }
    }
    for (table, why) in &manifest.not_saved {
        eprintln!("{table} is NOT saved: {why}; save the whole table by other means");
    }
    u8::from(!manifest.not_saved.is_empty())
}

fn unknown(why: &str) -> u8 {
    exit::failed(why);
    3
}
