//! `bascule parity`: compares both databases by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Output, exit, on_runtime, read_spec};
use crate::clock::Clock;
use crate::fault::Fault;
use crate::mysql::database::MySqlDatabase;
use crate::names::Side;
use crate::parity::passage::{Beats, Heartbeats, Passage, Waited};
use crate::parity::progress::StateFile;
use crate::parity::repair;
use crate::parity::report::{Report, Verdict};
use crate::parity::run::{Request, run as compare};
use crate::parity::server::servers;
use crate::spec::{Migration, Phase};

/// A controller of a settled migration sends a heartbeat a minute; one that has missed two is gone.
const SELDOM_BEATS: Duration = Duration::from_secs(150);

/// Compare the rows of both databases and name those that differ
///
/// Writes nothing to either.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 equal; 1 something differs; 2 a bad spec; 3 it could not be found out (a server does not answer, rows kept changing); 64 wrong usage."
)]
pub struct ParityArgs {
    /// The Migration file.
    file: PathBuf,
    /// Only this table, as `schema.table`.
    #[arg(long)]
    table: Option<String>,
    /// Print the SQL that would make the side that is written to like its source. It is never executed.
    #[arg(long)]
    repair_plan: bool,
    /// How long to wait before a row that differs is looked at again, in seconds. Without it, a heartbeat of the running
    /// controller is waited for; where none runs, twice `maxLag`.
    #[arg(long, value_name = "SECONDS")]
    settle: Option<u64>,
    /// Where progress is kept, so that a comparison that is cut off goes on where it was.
    #[arg(long, default_value = "state", value_name = "DIR")]
    state: PathBuf,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// The side that writes flow from while a migration is at `phase`, and how long they may take.
pub fn flow(migration: &Migration) -> (Side, Duration) {
    let replication = &migration.spec.replication;
    match migration.spec.phase {
        Phase::CutOver | Phase::Completed => (Side::Target, replication.reverse.max_lag.duration()),
        Phase::Preflight | Phase::Prepared | Phase::Replicating | Phase::Validated | Phase::RollbackArmed | Phase::RolledBack => {
            (Side::Legacy, replication.forward.max_lag.duration())
        }
    }
}

/// Runs it.
pub fn run(args: &ParityArgs) -> u8 {
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(_) => return 2,
    };
    let servers = match servers(&migration) {
        Ok(servers) => servers,
        Err(why) => return unknown(&why),
    };
    on_runtime(async {
        let clock = Clock::system();
        let (source, max_lag) = flow(&migration);
        let passage = match passage(args, &migration, source, max_lag, &clock).await {
            Ok(passage) => passage,
            Err(fault) => return unknown(&fault.to_string()),
        };
        let state = state_file(&args.state, &migration);
        let only = args.table.as_deref();
        let request = Request {
            migration: &migration,
            servers: &servers,
            only,
            source,
            passage: &*passage,
            state: Some(&state),
            clock: &clock,
        };
        match compare(&request, &mut |line| eprintln!("{line}")).await {
            Ok(report) if report.tables.is_empty() => unknown(&nothing(args)),
            Ok(report) => told(args, &request, &report).await,
            Err(fault) => unknown(&fault.to_string()),
        }
    })
}

/// Rows have arrived once a heartbeat has that was sent after them, if a controller sends any; else, once the time has passed
/// in which replication is promised to bring them.
async fn passage(
    args: &ParityArgs,
    migration: &Migration,
    source: Side,
    max_lag: Duration,
    clock: &Clock,
) -> Result<Box<dyn Passage>, Fault> {
    let waited = |wait| Ok(Box::new(Waited { clock: clock.clone(), wait }) as Box<dyn Passage>);
    if let Some(seconds) = args.settle {
        return waited(Duration::from_secs(seconds));
    }
    let database = |side| Arc::new(MySqlDatabase::new(migration, side, clock));
    let heartbeats = Heartbeats {
        databases: [database(Side::Legacy), database(Side::Target)],
        clock: clock.clone(),
        patience: SELDOM_BEATS + max_lag * 2,
        beats: Beats::OfAController,
    };
    if heartbeats.are_heard(source, SELDOM_BEATS).await? { Ok(Box::new(heartbeats)) } else { waited(max_lag * 2) }
}

async fn told(args: &ParityArgs, request: &Request<'_>, report: &Report) -> u8 {
    match args.output {
        Output::Text => print!("{report}"),
        Output::Json => exit::print_json(report),
    }
    if args.repair_plan {
        match repair::plan(request, report).await {
            // Beside JSON the plan would make the output unreadable for programs.
            Ok(plan) if args.output == Output::Json => eprint!("{plan}"),
            Ok(plan) => print!("\n{plan}"),
            Err(fault) => return unknown(&fault.to_string()),
        }
    }
    match report.verdict {
        Verdict::Equal => 0,
        Verdict::Differs => 1,
        Verdict::Unknown => 3,
    }
}

fn state_file(directory: &Path, migration: &Migration) -> StateFile {
    StateFile(directory.join(format!("{}.parity", migration.name())))
}

fn nothing(args: &ParityArgs) -> String {
    match &args.table {
        Some(table) => format!("neither side has a table {table} in a schema that moves; write it as `schema.table`"),
        None => {
            "neither side has any table in the schemas that move; see whether the account may read them (GRANT SELECT)".into()
        }
    }
}

fn unknown(why: &str) -> u8 {
    exit::failed(why);
    3
}
