//! `bascule check`: makes the declared checks once, from wherever it is called.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{Output, exit, on_runtime, read_spec};
use crate::aws::Meter;
use crate::checks::declared::Declared;
use crate::checks::outcome::Verdict;
use crate::checks::report::{CheckReport, ended};
use crate::checks::rounds::Tools;
use crate::checks::run::run_all;
use crate::clock::Clock;
use crate::engine::cadence::Cadence;
use crate::engine::reconcile::{Reconciler, Wish};
use crate::engine::surroundings::{Place, Surroundings};
use crate::journal::Journal;
use crate::names::{MigrationName, Side};
use crate::sim::profile::FaultProfile;
use crate::spec::{Migration, Phase};

/// Make the declared checks once and say what was seen
///
/// The same code as the controller's, from a laptop or from CI. Changes nothing where it looks; a cache is asked with throw-away
/// keys of its own.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 everything passed or is waived; 1 something failed; 2 a bad spec; 3 something could not be found out; 64 wrong usage."
)]
pub struct CheckArgs {
    /// The Migration file.
    file: PathBuf,
    /// Only these checks, by name.
    names: Vec<String>,
    /// In a simulated world, as it is once `Prepared` is reached.
    #[arg(long)]
    sandbox: bool,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// Passes in which the simulated world comes to `Prepared`: some dozens, most of them while the old TTL runs out.
const PASSES_TO_PREPARED: usize = 2_000;

/// All checks of one call.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    migration: MigrationName,
    verdict: Verdict,
    checks: Vec<CheckReport>,
}

/// Runs it.
pub fn run(args: &CheckArgs) -> u8 {
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(_) => return 2,
    };
    let unknown =
        args.names.iter().find(|name| Declared::all(&migration.spec.checks).all(|check| check.name().as_str() != *name));
    if let Some(name) = unknown {
        let known: Vec<&str> = Declared::all(&migration.spec.checks).map(|check| check.name().as_str()).collect();
        exit::failed(&format!("no check is called {name}; declared are: {}", known.join(", ")));
        return 2;
    }
    let checked = if args.sandbox { in_the_sandbox(args, &migration) } else { on_runtime(from_here(args, &migration)) };
    match (args.output, &checked) {
        (Output::Json, Ok(checked)) => exit::print_json(checked),
        (Output::Text, Ok(checked)) => print!("{checked}"),
        (_, Err(why)) => {
            exit::failed(why);
            return 3;
        }
    }
    match checked.map(|checked| checked.verdict) {
        Ok(Verdict::Pass) => 0,
        Ok(Verdict::Fail) => 1,
        Ok(Verdict::Unknown) | Err(_) => 3,
    }
}

async fn from_here(args: &CheckArgs, migration: &Migration) -> Result<Checked, String> {
    let clock = Clock::system();
    let equipment = Surroundings::new(Place::Real, Meter::deaf()).equip(migration, &clock).await;
    // The wish says where the public name should lead, as far as anybody can say without the journal.
    let public_at = match migration.spec.phase {
        Phase::CutOver | Phase::Completed => Side::Target,
        _ => Side::Legacy,
    };
    Ok(check(args, migration, &equipment.tools, public_at).await)
}

/// The controller itself brings the simulated world to `Prepared`, in time that nobody waits for.
fn in_the_sandbox(args: &CheckArgs, migration: &Migration) -> Result<Checked, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| format!("the operating system refuses a runtime: {error}"))?;
    runtime.block_on(async {
        let clock = Clock::system();
        let place = Place::Sandbox { seed: 1, profile: FaultProfile::calm() };
        let equipment = Surroundings::new(place, Meter::deaf()).equip(migration, &clock).await;
        let tools = equipment.tools.clone();
        let journal = Journal::in_memory(migration.name()).map_err(|error| exit::chain(&error))?;
        let mut controller = Reconciler::start(equipment, Arc::new(journal), clock.clone(), Cadence::rehearsal());
        let mut prepared = migration.clone();
        (prepared.spec.phase, prepared.spec.paused) = (Phase::Prepared, false);
        let wish = Wish { migration: Arc::new(prepared), generation: 1, source: None, refused: None };
        for _ in 0..PASSES_TO_PREPARED {
            let report = controller.pass(&wish).await;
            if report.status.phase == Some(Phase::Prepared) {
                break;
            }
            clock.sleep(report.pause).await;
        }
        Ok(check(args, migration, &tools, Side::Legacy).await)
    })
}

async fn check(args: &CheckArgs, migration: &Migration, tools: &Tools, public_at: Side) -> Checked {
    let asked = |check: &Declared<'_>| args.names.is_empty() || args.names.iter().any(|name| name == check.name().as_str());
    let declared: Vec<Declared<'_>> = Declared::all(&migration.spec.checks).filter(asked).collect();
    let ended_runs = run_all(declared, &tools.probe(migration, public_at)).await;
    let waiver = |check: Declared<'_>| migration.spec.checks.waiver(check.name(), tools.clock.now()).cloned();
    let checks: Vec<CheckReport> = ended_runs
        .iter()
        .map(|run| CheckReport { at: Some(run.at), ..ended(run.check, &run.outcome, waiver(run.check)) })
        .collect();
    Checked { migration: migration.name().clone(), verdict: overall(&checks), checks }
}

/// What failed counts before what is unknown; what is waived does not count.
fn overall(checks: &[CheckReport]) -> Verdict {
    let found = |verdict| checks.iter().any(|check| check.waiver.is_none() && check.verdict == verdict);
    match (found(Verdict::Fail), found(Verdict::Unknown)) {
        (true, _) => Verdict::Fail,
        (false, true) => Verdict::Unknown,
        (false, false) => Verdict::Pass,
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            writeln!(f, "{check}")?;
            for seen in &check.evidence {
                writeln!(f, "{:9}{} -> {} ({} ms)", "", seen.asked, seen.answered, seen.took_ms)?;
            }
        }
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let (passed, failed, unknown) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::Unknown));
        writeln!(f, "{}: {passed} passed, {failed} failed, {unknown} unknown", self.migration)
    }
}
