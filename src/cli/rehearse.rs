//! `bascule rehearse`: the main job with nothing but the binary.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use super::{Output, exit, file, read_spec};
use crate::lab::report::LabReport;
use crate::rehearsal::campaign::{Campaign, campaign};
use crate::rehearsal::operator::Scenario;
use crate::rehearsal::pause::{PauseSplit, PauseStep};
use crate::rehearsal::picture;
use crate::rehearsal::stage::{Rehearsed, Request, rehearse, rehearse_on_servers};
use crate::rehearsal::timeline::{Moment, Who};
use crate::rehearsal::verdict::Verdict;
use crate::sim::profile::FaultProfile;
use crate::spec::Migration;
use crate::spec::period::spoken;

/// Play a migration from end to end against the stand-in world, in virtual time.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the story came to its end and nothing was broken; 1 it did not, or an invariant broke, or the spec is bad, or --databases names servers that are not installed; 64 wrong usage."
)]
pub struct RehearseArgs {
    /// The Migration file. Its `phase` is where the rehearsed operator would begin anyway, so it is not looked at.
    file: PathBuf,
    /// Which story.
    #[arg(long, value_enum, default_value = "forward")]
    scenario: Scenario,
    /// How unkind the world is: calm, rough, storm, or a JSON file (`bascule schema fault-profile.schema.json` describes it).
    #[arg(long, default_value = "calm")]
    faults: String,
    /// Whose rows: simulated ones, or those of two real servers, started in a directory that goes with them. AWS is the
    /// stand-in in both; with real servers the AWS that they see is calm.
    #[arg(long, value_enum, default_value = "simulated", conflicts_with = "seeds")]
    databases: Databases,
    /// What makes it this run and no other.
    #[arg(long, default_value_t = 1, conflicts_with = "seeds")]
    seed: u64,
    /// A campaign: every seed of a range such as 1..1000, both ends included.
    #[arg(long)]
    seeds: Option<Seeds>,
    /// Threads of a campaign; the result does not depend on it.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
    /// Draw the migration in one picture.
    #[arg(long, value_name = "FILE.svg", conflicts_with = "seeds")]
    picture: Option<PathBuf>,
}

/// Whose rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Databases {
    /// In virtual time; nothing is needed but this program.
    Simulated,
    /// Two MariaDB servers: `mariadbd` has to be installed.
    Mariadb,
}

/// `A..B`, both ends included.
#[derive(Debug, Clone)]
struct Seeds(RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = || format!("`{text}` is not a range of seeds such as 1..1000");
        let (first, last) = text.split_once("..").ok_or_else(wanted)?;
        let first: u64 = first.parse().map_err(|_| wanted())?;
        let last: u64 = last.trim_start_matches('=').parse().map_err(|_| wanted())?;
        if first > last { Err(wanted()) } else { Ok(Self(first..=last)) }
    }
}

/// Runs it.
pub fn run(args: &RehearseArgs) -> u8 {
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(code) => return code,
    };
    let profile = match profile(&args.faults) {
        Ok(profile) => profile,
        Err(why) => return exit::failed(&why),
    };
    if args.scenario == Scenario::Forced && args.databases == Databases::Mariadb {
        return exit::failed("--scenario forced is rehearsed on simulated rows only: leave --databases out");
    }
    let request = Request::new(args.scenario, &args.faults, profile, args.seed);
    match &args.seeds {
        Some(seeds) => many(&migration, &request, seeds.0.clone(), args),
        None => one(&migration, &request, args),
    }
}

fn profile(name: &str) -> Result<FaultProfile, String> {
    match name {
        "calm" => Ok(FaultProfile::calm()),
        "rough" => Ok(FaultProfile::rough()),
        "storm" => Ok(FaultProfile::storm()),
        path => {
            let bytes = file::read(Path::new(path)).map_err(|error| {
                format!("--faults {path}: neither calm, rough nor storm, nor a file that can be read ({error})")
            })?;
            serde_json::from_slice(&bytes).map_err(|error| format!("--faults {path}: not a fault profile in JSON: {error}"))
        }
    }
}

fn one(migration: &Migration, request: &Request, args: &RehearseArgs) -> u8 {
    let text = args.output == Output::Text;
    if text {
        println!(
            "rehearsing {} · {:?} · faults {} · seed {}\n",
            migration.name(),
            request.scenario,
            request.faults,
            request.seed
        );
        if args.databases == Databases::Mariadb {
            println!(
                "two MariaDB servers are installed and started in a temporary directory; times are those of the rehearsal\n"
            );
        }
    }
    let mut tell = |moment: &Moment| {
        match (args.output, args.databases) {
            (Output::Text, databases) => println!("{}", line(moment, databases)),
            // A minute of silence would look like a hang.
            (Output::Json, Databases::Mariadb) => eprintln!("{}", line(moment, args.databases)),
            (Output::Json, Databases::Simulated) => {}
        }
    };
    let rehearsed = match args.databases {
        Databases::Simulated => rehearse(migration, request, &mut tell),
        Databases::Mariadb => match rehearse_on_servers(migration, request, &mut tell) {
            Ok(rehearsed) => rehearsed,
            Err(error) => return exit::failed(&error.to_string()),
        },
    };
    if let Some(path) = &args.picture
        && let Err(error) = std::fs::write(path, picture::svg(&rehearsed))
    {
        return exit::failed(&format!("the picture {} cannot be written: {error}", path.display()));
    }
    match args.output {
        Output::Json => exit::print_json(&rehearsed.verdict),
        Output::Text => print!("{}", closing(&rehearsed, args.picture.as_deref())),
    }
    u8::from(!rehearsed.verdict.is_good())
}

/// One line of the timeline: time, who, what. With real servers a switch takes real time, and its milliseconds say something.
fn line(moment: &Moment, databases: Databases) -> String {
    let format = match databases {
        Databases::Simulated => "%a %m-%d %H:%M:%S",
        Databases::Mariadb => "%a %m-%d %H:%M:%S%.3f",
    };
    let at = moment.at.to_zoned(jiff::tz::TimeZone::UTC).strftime(format);
    let who = match moment.who {
        Who::Operator => "operator  ",
        Who::Controller => "controller",
        Who::World => "world     ",
    };
    format!("{at}  {who}  {}", moment.what)
}

fn closing(rehearsed: &Rehearsed, picture: Option<&Path>) -> String {
    let verdict = &rehearsed.verdict;
    let mut text = String::from("\n");
    let mut say = |label: &str, value: String| text.push_str(&format!("{label:<22}{value}\n"));
    say("outcome", format!("{}{}", verdict.outcome, if verdict.is_good() { "" } else { "  (FAILED)" }));
    for entry in &verdict.phases {
        say("", format!("{:<14} {:.0}", entry.phase.name(), entry.entered_at));
    }
    for attempt in &verdict.attempts {
        say("attempt", format!("{}: {}", attempt.attempt, attempt.end));
    }
    say("payments", verdict.payments.to_string());
    say("write pause", seconds(verdict.write_pause_seconds));
    if verdict.rollback_write_pause_seconds.is_some() {
        say("write pause, way back", seconds(verdict.rollback_write_pause_seconds));
    }
    for pause in &verdict.pauses {
        say("", format!("towards {}: {}", pause.towards, steps(pause)));
    }
    if let Some(lab) = &verdict.lab {
        tell_of_the_lab(lab, &mut say);
    }
    say("virtual time", spoken(Duration::from_secs(verdict.simulated_seconds)));
    say("passes", verdict.passes.to_string());
    say("controller starts", verdict.controller_starts.to_string());
    say("AWS calls", counted(&verdict.aws_calls));
    say("faults injected", counted(&verdict.faults_injected));
    say("invariants broken", if verdict.violations.is_empty() { "none".into() } else { verdict.violations.len().to_string() });
    for violation in &verdict.violations {
        say("", violation.to_string());
    }
    if let Some(path) = picture {
        say("picture", path.display().to_string());
    }
    let scenario = format!("{:?}", verdict.scenario).to_lowercase();
    text.push_str(&match &verdict.lab {
        None => format!(
            "\nthe same again: bascule rehearse FILE --scenario {scenario} --faults {} --seed {}\n",
            verdict.faults, verdict.seed
        ),
        Some(_) => format!(
            "\nagain, though real servers take another moment each time: \
             bascule rehearse FILE --databases mariadb --scenario {scenario} --seed {}\n",
            verdict.seed
        ),
    });
    text
}

/// `fence 0.04 s, drain 0.21 s, ...`
fn steps(pause: &PauseSplit) -> String {
    let step = |step: &PauseStep| format!("{} {:.2} s", step.step.words(), step.seconds);
    pause.steps.iter().map(step).collect::<Vec<_>>().join(", ")
}

fn tell_of_the_lab(lab: &LabReport, say: &mut impl FnMut(&str, String)) {
    say(
        "servers",
        format!(
            "two of MariaDB {}, {} connections, {} payments/s while a switch was near",
            lab.server, lab.connections, lab.payments_per_second
        ),
    );
    for replaced in &lab.replaced {
        say("in this lab", replaced.clone());
    }
    say("refused", refusals(&lab.refusals));
    for held in &lab.held {
        say(
            "held open",
            format!("a transaction on {}: ended by {}, {} rows of it", held.side, refusal(&held.ended_by), held.rows),
        );
    }
    match &lab.tables {
        Some(tables) => {
            for pair in tables {
                let verdict = if pair.legacy == pair.target { "equal on both sides" } else { "DIFFERENT" };
                let (rows, others) = (pair.legacy.rows, pair.target.rows);
                say(
                    "rows",
                    format!(
                        "{:<16} {rows} and {others}, {} and {}: {verdict}",
                        pair.legacy.table.table, pair.legacy.checksum, pair.target.checksum
                    ),
                );
            }
        }
        None => say("rows", "never held against each other: there was no moment in which both sides stood still".to_owned()),
    }
    say("left behind", format!("{} rows of the other side, {} accounts out of balance", lab.left_behind, lab.unbalanced));
    say("real time", spoken(Duration::from_secs(lab.real_seconds)));
}

fn refusals(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".into();
    }
    counts.iter().map(|(why, count)| format!("{} {count}", refusal(why))).collect::<Vec<_>>().join(", ")
}

/// A server's number with what it means here.
fn refusal(why: &str) -> String {
    let meaning = match why {
        "1045" => "access denied",
        "1053" => "server shutdown",
        "1205" => "lock wait",
        "1213" => "deadlock",
        "1290" => "read-only",
        "1317" | "1927" => "killed",
        "3118" | "4151" => "account locked",
        other => return other.to_owned(),
    };
    format!("{why} ({meaning})")
}

fn seconds(pause: Option<f64>) -> String {
    pause.map_or_else(|| "none".into(), |seconds| format!("{seconds:.2} s"))
}

fn counted(counts: &BTreeMap<String, u64>) -> String {
    if counts.is_empty() {
        return "none".into();
    }
    counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

fn many(migration: &Migration, request: &Request, seeds: RangeInclusive<u64>, args: &RehearseArgs) -> u8 {
    let threads = match args.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        given => given,
    };
    let interactive = io::stderr().is_terminal();
    let progress = |done: u64, total: u64| {
        if interactive {
            let _ = write!(io::stderr(), "\r{done} of {total} rehearsals");
        } else if done.is_multiple_of(100) || done == total {
            let _ = writeln!(io::stderr(), "{done} of {total} rehearsals");
        }
    };
    let summary = campaign(migration, request, seeds, threads, &progress);
    if interactive {
        let _ = writeln!(io::stderr());
    }
    match args.output {
        Output::Json => exit::print_json(&summary),
        Output::Text => print!("{}", campaign_text(&summary)),
    }
    u8::from(!summary.is_good())
}

fn campaign_text(summary: &Campaign) -> String {
    let mut text = String::new();
    let mut say = |label: &str, value: String| text.push_str(&format!("{label:<22}{value}\n"));
    say("rehearsals", format!("{} of {} · {:?} · faults {}", summary.runs, summary.migration, summary.scenario, summary.faults));
    say("outcomes", counted(&summary.outcomes));
    say("payments", summary.payments.to_string());
    for (label, worst) in
        [("worst write pause", summary.worst_write_pause), ("worst, way back", summary.worst_rollback_write_pause)]
    {
        if let Some(worst) = worst {
            say(label, format!("{:.2} s (seed {})", worst.seconds, worst.seed));
        }
    }
    say("AWS calls", counted(&summary.aws_calls));
    say("faults injected", counted(&summary.faults_injected));
    say("invariants broken", if summary.violations.is_empty() { "none".into() } else { summary.violations.len().to_string() });
    for failed in &summary.failed_seeds {
        say("failed seed", format!("{}: {}", failed.seed, failed.outcome));
        for violation in &failed.violations {
            say("", violation.to_string());
        }
    }
    text
}

/// The result as JSON, for tests and tools.
pub fn json(verdict: &Verdict) -> String {
    serde_json::to_string_pretty(verdict).unwrap_or_default()
}
