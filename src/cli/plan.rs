//! `bascule plan`: what the next pass would do, which gates hold, and the digest that approvals have to name; against a running
//! migration, what the file would change.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::client::ClientError;
use super::screen::Screen;
use super::token::TokenFrom;
use super::{exit, proposal, read_spec};
use crate::aws::Meter;
use crate::clock::Clock;
use crate::engine::cadence::Cadence;
use crate::engine::reconcile::{Reconciler, Wish};
use crate::engine::surroundings::{Place, Surroundings};
use crate::http::MigrationObject;
use crate::journal::{Journal, JournalError};
use crate::migration::approvals::cutover_digest;
use crate::migration::plan::{Plan, Standing};
use crate::migration::proposal::{Proposal, propose};
use crate::names::PlanDigest;
use crate::sim::profile::FaultProfile;
use crate::spec::{Metadata, Migration};

/// Say what the next pass would do, without doing it.
///
/// With --server or --against, the file is a proposal: it is held against the spec in force, and told what would change, which
/// rungs would be entered, which gates hold now, what could not be taken back, and which approvals are missing.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 planned; 1 could not plan; and with --detailed-exitcode: 0 nothing to do, 2 something to do, 3 held until a person has looked, or not allowed; 64 wrong usage."
)]
pub struct PlanArgs {
    /// The Migration file.
    file: PathBuf,
    /// Hold the file against the spec that a running bascule has in force.
    #[arg(long, value_name = "URL", conflicts_with = "sandbox")]
    server: Option<String>,
    #[command(flatten)]
    token: TokenFrom,
    /// The same against what `bascule status NAME --output json` printed.
    #[arg(long, value_name = "STATUS.json", conflicts_with_all = ["sandbox", "server"])]
    against: Option<PathBuf>,
    /// Plan against a fresh stand-in world instead of AWS.
    #[arg(long)]
    sandbox: bool,
    /// Where the journal is; a migration without one has not begun.
    #[arg(long, default_value = "state", value_name = "DIR")]
    state: PathBuf,
    /// For whom.
    #[arg(long, short, value_enum, default_value = "text")]
    output: PlanOutput,
    /// Tell by the exit code whether there is something to do.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Whom a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PlanOutput {
    /// People at a terminal.
    Text,
    /// Programs.
    Json,
    /// The comment of a pull request, with --server or --against; its first line is how a later run finds it.
    Markdown,
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
    /// What the next pass would do; left out where nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
    /// What the file would change; left out where nothing is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proposal: Option<Proposal>,
}

/// What was found out.
struct Found {
    /// What the next pass would do, by the spec in force.
    plan: Option<Plan>,
    /// The file, against the spec in force.
    proposal: Option<Proposal>,
}

/// Runs it.
pub fn run(args: &PlanArgs) -> u8 {
    if args.output == PlanOutput::Markdown && args.server.is_none() && args.against.is_none() {
        return exit::misused("--output markdown tells what a file would change: add --server URL or --against STATUS.json");
    }
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(code) => return code,
    };
    let found = super::on_runtime(async {
        match (&args.server, &args.against) {
            (Some(server), _) => from_server(server, &args.token, &migration).await,
            (None, Some(file)) => from_file(file, &migration),
            (None, None) => from_here(args, &migration).await.map(|plan| Found { plan: Some(plan), proposal: None }),
        }
    });
    let found = match found {
        Ok(found) => found,
        Err(why) => return exit::failed(&why),
    };
    match args.output {
        PlanOutput::Text => print!("{}", told(&migration, &found)),
        PlanOutput::Markdown => print!("{}", found.proposal.as_ref().map(proposal::markdown).unwrap_or_default()),
        PlanOutput::Json => {
            let actions = found.plan.iter().flat_map(|plan| &plan.actions);
            exit::print_json(&Printed {
                migration: migration.name().to_string(),
                sentences: actions.map(ToString::to_string).collect(),
                cutover_digest: cutover_digest(&migration),
                plan: found.plan.clone(),
                proposal: found.proposal.clone(),
            });
        }
    }
    if args.detailed_exitcode { found.code() } else { 0 }
}

impl Found {
    /// 0 nothing to do, 2 something to do, 3 for a person. What the spec in force is held by is no matter once it changes.
    fn code(&self) -> u8 {
        let changes = self.proposal.as_ref().is_some_and(|proposal| !proposal.changes.is_empty());
        let refused = self.proposal.as_ref().is_some_and(|proposal| !proposal.refused.is_empty());
        let held = self.plan.as_ref().is_some_and(|plan| !plan.blocked.is_empty());
        let idle = self.plan.as_ref().is_none_or(Plan::is_idle) && self.proposal.as_ref().is_none_or(Proposal::is_idle);
        match (refused || (held && !changes), idle) {
            (true, _) => 3,
            (false, false) => 2,
            (false, true) => 0,
        }
    }
}

/// The proposal, and the next pass where that is not by another spec.
fn told(migration: &Migration, found: &Found) -> String {
    let changes = found.proposal.as_ref().is_some_and(|proposal| !proposal.changes.is_empty());
    let mut parts: Vec<String> = Vec::new();
    parts.extend(found.proposal.as_ref().map(|it| proposal::text(it, Screen::of_stdout())));
    parts.extend(found.plan.as_ref().filter(|_| !changes).map(|plan| text(migration, plan)));
    parts.join("\n")
}

async fn from_server(server: &str, token: &TokenFrom, migration: &Migration) -> Result<Found, String> {
    let path = format!("/api/v1/migrations/{}", migration.name());
    let said = |error: ClientError| exit::chain(&error);
    let client = token.client_of(server)?;
    let body = client.get(&path).await.map_err(said)?;
    let object: MigrationObject =
        serde_json::from_str(&body).map_err(|error| format!("the answer of {server} is not a migration: {error}"))?;
    let body = client.get(&format!("{path}/plan")).await.map_err(said)?;
    let plan = serde_json::from_str(&body).map_err(|error| format!("the answer of {server} is not a plan: {error}"))?;
    Ok(Found { plan: Some(plan), proposal: Some(held_against(object, migration)) })
}

fn from_file(file: &Path, migration: &Migration) -> Result<Found, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let object: MigrationObject = serde_json::from_str(&text)
        .map_err(|error| format!("{shown} is not what `bascule status NAME --output json` prints: {error}"))?;
    if object.metadata.name != *migration.name() {
        return Err(format!("{shown} speaks of {}, and the file of {}", object.metadata.name, migration.name()));
    }
    Ok(Found { plan: None, proposal: Some(held_against(object, migration)) })
}

fn held_against(object: MigrationObject, migration: &Migration) -> Proposal {
    let live = Migration {
        api_version: object.api_version,
        kind: object.kind,
        metadata: Metadata { name: object.metadata.name },
        spec: object.spec,
    };
    propose(&live, &object.status, migration)
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
