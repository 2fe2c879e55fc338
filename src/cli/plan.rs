//! `bascule plan`: what the next pass would do, which gates hold, and the digest that approvals have to name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::token::TokenFrom;
use super::{Output, client, exit, read_spec};
use crate::aws::Meter;
use crate::clock::Clock;
use crate::engine::cadence::Cadence;
use crate::engine::reconcile::{Reconciler, Wish};
use crate::engine::surroundings::{Place, Surroundings};
use crate::journal::{Journal, JournalError};
use crate::migration::approvals::cutover_digest;
use crate::migration::plan::{Plan, Standing};
use crate::names::PlanDigest;
use crate::sim::profile::FaultProfile;
use crate::spec::Migration;

/// Say what the next pass would do, without doing it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 planned; 1 could not plan; and with --detailed-exitcode: 0 nothing to do, 2 something to do, 3 held until a person has looked."
)]
pub struct PlanArgs {
    /// The Migration file.
    file: PathBuf,
    /// Ask a running bascule for its own plan of this migration.
    #[arg(long, value_name = "URL", conflicts_with = "sandbox")]
    server: Option<String>,
    #[command(flatten)]
    token: TokenFrom,
    /// Plan against a fresh stand-in world instead of AWS.
    #[arg(long)]
    sandbox: bool,
    /// Where the journal is; a migration without one has not begun.
    #[arg(long, default_value = "state", value_name = "DIR")]
    state: PathBuf,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    /// Tell by the exit code whether there is something to do.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// What is printed as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    migration: String,
    /// Sentences of `plan.actions`, in their order.
    sentences: Vec<String>,
    /// What approvals have to name, beside the attempt.
    cutover_digest: PlanDigest,
    plan: Plan,
}

/// Runs it.
pub fn run(args: &PlanArgs) -> u8 {
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(code) => return code,
    };
    let plan = super::on_runtime(async {
        match &args.server {
            Some(server) => from_server(server, &args.token, &migration).await,
            None => from_here(args, &migration).await,
        }
    });
    let plan = match plan {
        Ok(plan) => plan,
        Err(why) => return exit::failed(&why),
    };
    match args.output {
        Output::Text => print!("{}", text(&migration, &plan)),
        Output::Json => exit::print_json(&Printed {
            migration: migration.name().to_string(),
            sentences: plan.actions.iter().map(ToString::to_string).collect(),
            cutover_digest: cutover_digest(&migration),
            plan: plan.clone(),
        }),
    }
    match (args.detailed_exitcode, plan.blocked.is_empty(), plan.is_idle()) {
        (true, false, _) => 3,
        (true, true, false) => 2,
        (true, true, true) | (false, _, _) => 0,
    }
}

async fn from_server(server: &str, token: &TokenFrom, migration: &Migration) -> Result<Plan, String> {
    let path = format!("/api/v1/migrations/{}/plan", migration.name());
    let token = token.find()?;
    let body = client::get(server, &path, token.as_deref()).await.map_err(|error| exit::chain(&error))?;
    serde_json::from_str(&body).map_err(|error| format!("the answer of {server} is not a plan: {error}"))
}

async fn from_here(args: &PlanArgs, migration: &Migration) -> Result<Plan, String> {
    let clock = Clock::system();
    let path = args.state.join(format!("{}.journal", migration.name()));
    // Planning must leave no trace, so a journal that does not exist is not made.
    let journal = if !args.sandbox && path.exists() {
        Journal::read(&path, migration.name()).map_err(|error| advice(&error, &args.file))?
    } else {
        Journal::in_memory(migration.name()).map_err(|error| exit::chain(&error))?
    };
    let place = if args.sandbox { Place::Sandbox { seed: 1, profile: FaultProfile::calm() } } else { Place::Real };
    let surroundings = Surroundings::new(place, Meter::deaf());
    let equipment = surroundings.equip(migration, &clock).await;
    let generation = journal.generation().max(1);
    let journal = Arc::new(journal);
    let reconciler = Reconciler::planning(equipment, journal, clock, Cadence::production());
    let wish = Wish { migration: Arc::new(migration.clone()), generation, source: None, refused: None };
    Ok(reconciler.plan(&wish).await.0)
}

/// What is wrong with the journal; a controller that has it open is not in the way, but the one to ask.
fn advice(error: &JournalError, file: &Path) -> String {
    match error {
        JournalError::Locked { path } => format!(
            "{} is in use by a running bascule, which knows best what it does next: ask it with \
             `bascule plan {} --server http://127.0.0.1:8080`, or wherever it was told to --listen",
            path.display(),
            file.display()
        ),
        other => exit::chain(other),
    }
}

/// The plan in words.
pub fn text(migration: &Migration, plan: &Plan) -> String {
    let mut text = format!("{} at {}; {} is asked for\n", migration.name(), plan.rung, migration.spec.phase);
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            for line in lines {
                text.push_str(&format!("  {line}\n"));
            }
        }
    };
    let actions: Vec<String> =
        plan.actions.iter().enumerate().map(|(number, action)| format!("{}. {action}", number + 1)).collect();
    section("the next pass would", if actions.is_empty() { vec!["do nothing".into()] } else { actions });
    section("waiting", plan.waiting.iter().map(|wait| format!("{}: {}", wait.reason, wait.message)).collect());
    section(
        "held until a person has looked",
        plan.blocked.iter().map(|block| format!("{}: {}", block.reason, block.message)).collect(),
    );
    let gate = |report: &crate::migration::plan::GateReport| {
        let word = match &report.standing {
            Standing::Open(_) => "open   ",
            Standing::Closed(_) => "closed ",
            Standing::Unknown(_) => "unknown",
        };
        format!("{word}  {:<22} {}", report.name, report.standing.text())
    };
    section("gates", plan.gates.iter().map(gate).collect());
    section("approvals have to name", vec![format!("attempt {}, plan {}", migration.spec.attempt, cutover_digest(migration))]);
    text
}
