//! The command line: one file a verb. Data goes to stdout, messages to stderr, and every exit code is documented.

pub mod approve;
pub mod check;
pub mod client;
pub mod completions;
mod diff;
pub mod events;
pub mod evidence;
pub mod exit;
pub mod explain;
mod file;
pub mod iam_policy;
pub mod live;
pub mod parity;
pub mod plan;
pub mod promote;
mod proposal;
pub mod quarantine;
pub mod rehearse;
mod rewrite;
pub mod run;
pub mod runbook;
pub mod schema;
mod screen;
pub mod simulate;
pub mod status;
pub mod token;
pub mod validate;
pub mod wait;

use std::io::IsTerminal;
use std::path::Path;

use clap::{CommandFactory, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::spec::Migration;
use crate::spec::load::load;

/// Whom the output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
}

/// Moves a live payment system from a legacy MySQL to Aurora MySQL, with a write pause of seconds and a rollback that loses
/// nothing.
#[derive(Debug, Parser)]
#[command(name = "bascule", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Rehearse(rehearse::RehearseArgs),
    Run(run::RunArgs),
    Plan(plan::PlanArgs),
    Promote(promote::PromoteArgs),
    Approve(approve::ApproveArgs),
    Check(check::CheckArgs),
    Parity(parity::ParityArgs),
    Quarantine(quarantine::QuarantineArgs),
    Status(status::StatusArgs),
    Evidence(evidence::EvidenceArgs),
    Runbook(runbook::RunbookArgs),
    IamPolicy(iam_policy::IamPolicyArgs),
    Wait(wait::WaitArgs),
    Events(events::EventsArgs),
    Explain(explain::ExplainArgs),
    Validate(validate::ValidateArgs),
    Schema(schema::SchemaArgs),
    Simulate(simulate::SimulateArgs),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

/// Parses, runs, and answers the exit code.
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return exit::said_by_parser(&said),
    };
    log(&cli.verb);
    match cli.verb {
        Verb::Rehearse(args) => rehearse::run(&args),
        Verb::Run(args) => run::run(&args),
        Verb::Plan(args) => plan::run(&args),
        Verb::Promote(args) => promote::run(&args),
        Verb::Approve(args) => approve::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Parity(args) => parity::run(&args),
        Verb::Quarantine(args) => quarantine::run(&args),
        Verb::Status(args) => status::run(&args),
        Verb::Evidence(args) => evidence::run(&args),
        Verb::Runbook(args) => runbook::run(&args),
        Verb::IamPolicy(args) => iam_policy::run(&args),
        Verb::Wait(args) => wait::run(&args),
        Verb::Events(args) => events::run(&args),
        Verb::Explain(args) => explain::run(&args),
        Verb::Validate(args) => validate::run(&args),
        Verb::Schema(args) => schema::run(&args),
        Verb::Simulate(args) => simulate::run(&args),
        Verb::Completions(args) => completions::completions(&args, Cli::command()),
        Verb::Man(args) => completions::man(&args, Cli::command()),
    }
}

/// The daemon's log goes to stderr; everything else is quiet unless `RUST_LOG` asks. The SDK's own events stay at warnings,
/// because its debug level prints requests.
fn log(verb: &Verb) {
    let level = match verb {
        Verb::Run(_) | Verb::Simulate(_) => "warn,bascule=info",
        // A rehearsal breaks thousands of connections on purpose; what the SDK says about each is no news.
        _ => "off,bascule=error",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}

/// What a main thread has: a keeper's pass is one deep future, and the two megabytes of other threads are close to it.
const STACK_BYTES: usize = 8 << 20;

/// Runs a command's future on a runtime of its own.
fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    match tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => panic!("the operating system refuses a runtime: {error}"),
    }
}

/// SIGTERM or SIGINT.
async fn shutdown() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}

/// Reads a spec, or prints everything that is wrong with it.
fn read_spec(path: &Path) -> Result<Migration, u8> {
    let bytes = file::read(path).map_err(|error| exit::failed(&format!("{} cannot be read: {error}", path.display())))?;
    match load(&path.display().to_string(), &bytes) {
        Ok(loaded) => {
            if loaded.warnings.warnings() > 0 {
                eprintln!("{}", loaded.warnings);
            }
            Ok(loaded.migration.into_inner())
        }
        Err(report) => {
            eprintln!("{report}");
            Err(1)
        }
    }
}
