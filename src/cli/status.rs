//! `bascule status`: what a running bascule says is true, awaited, and why.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::token::TokenFrom;
use super::{Output, client, exit};
use crate::checks::outcome::Verdict;
use crate::http::{MigrationList, MigrationObject};
use crate::migration::status::{ConditionStatus, MigrationStatus, TaskReport};
use crate::names::MigrationName;

/// Ask a running bascule.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 answered; 1 no answer; 64 wrong usage.")]
pub struct StatusArgs {
    /// The migration; all of them without it.
    name: Option<String>,
    /// Where bascule answers.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", env = "BASCULE_SERVER")]
    server: String,
    #[command(flatten)]
    token: TokenFrom,
    /// Look again every two seconds, until interrupted.
    #[arg(long)]
    watch: bool,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// Often enough to follow a cutover, seldom enough to read.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Runs it.
pub fn run(args: &StatusArgs) -> u8 {
    super::on_runtime(async {
        loop {
            let text = match ask(args).await {
                Ok(text) => text,
                Err(why) if args.watch => format!("error: {why}\n"),
                Err(why) => return exit::failed(&why),
            };
            let redraw = args.watch && std::io::stdout().is_terminal();
            print!("{}{text}", if redraw { "\x1b[H\x1b[2J" } else { "" });
            let _ = std::io::stdout().flush();
            if !args.watch {
                return 0;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = super::shutdown() => return 0,
            }
        }
    })
}

async fn ask(args: &StatusArgs) -> Result<String, String> {
    let path = match &args.name {
        Some(name) => format!("/api/v1/migrations/{name}"),
        None => "/api/v1/migrations".to_owned(),
    };
    let token = args.token.find()?;
    let body = client::get(&args.server, &path, token.as_deref()).await.map_err(|error| exit::chain(&error))?;
    match (args.output, &args.name) {
        (Output::Json, _) => Ok(format!("{}\n", body.trim_end())),
        (Output::Text, Some(_)) => {
            let object: MigrationObject = serde_json::from_str(&body).map_err(|error| format!("not a migration: {error}"))?;
            Ok(text(&object.metadata.name, &object.status))
        }
        (Output::Text, None) => {
            let list: MigrationList =
                serde_json::from_str(&body).map_err(|error| format!("not a list of migrations: {error}"))?;
            Ok(table(&list))
        }
    }
}

fn table(list: &MigrationList) -> String {
    let mut text = format!("{:<24} {:<14} {:<14} {:<14} {:<6} REASON\n", "NAME", "PHASE", "WISHED", "RUNG", "READY");
    for item in &list.items {
        let status = &item.status;
        let ready = status.conditions.first();
        let word = ready.map_or("?", |condition| match condition.status {
            ConditionStatus::True => "True",
            ConditionStatus::False => "False",
            ConditionStatus::Unknown => "?",
        });
        text.push_str(&format!(
            "{:<24} {:<14} {:<14} {:<14} {:<6} {}\n",
            item.metadata.name,
            status.phase.map_or("-", crate::spec::Phase::name),
            status.wished_phase,
            status.rung,
            word,
            ready.map_or("", |condition| condition.reason.0.as_str()),
        ));
    }
    text
}

/// One migration in words, within 100 columns where its messages allow.
pub fn text(name: &MigrationName, status: &MigrationStatus) -> String {
    let mut text = format!("{name}: {}\n", status.summary);
    let mut say = |label: &str, value: String| text.push_str(&format!("{label:<16}{value}\n"));
    say("next", status.next_step.clone());
    say("stands at", format!("{}, attempt {}, as of {:.0}", status.rung, status.attempt, status.observed_at));
    say("writes", format!("legacy {}, target {}", status.legacy_writes, status.target_writes));
    say("public name", status.public_dns.clone());
    say("forward", task(&status.forward));
    say("reverse", task(&status.reverse));
    say(
        "rollback",
        format!("{}: {}", if status.rollback.ready { "ready" } else { "not ready" }, status.rollback.reasons.join("; ")),
    );
    say("", format!("at risk: {}", status.rollback.data_at_risk));
    if let Some(forced) = &status.rollback.forced {
        say("forced", forced.to_string());
    }
    if let Some(until) = status.rollback.possible_until {
        say("", format!("possible until {until:.0}"));
    }
    if let Some(source) = &status.source {
        say("spec from", format!("branch {} of {}, {}", source.branch, source.repository, source.path));
        if let Some(commit) = &source.commit {
            say("", format!("by commit {commit}"));
        }
        if let Some(trouble) = &source.trouble {
            say("", format!("not followed: {}", trouble.why()));
        }
    }
    if let Some(error) = &status.spec_error {
        say("spec refused", error.clone());
    }
    for condition in &status.conditions {
        say(
            "condition",
            format!(
                "{:<18} {:<8} {:<18} {}",
                format!("{:?}", condition.condition_type),
                format!("{:?}", condition.status),
                condition.reason,
                condition.message
            ),
        );
    }
    for gate in status.gates.iter().filter(|gate| !gate.standing.is_open()) {
        say("gate closed", format!("{:<18} {}", gate.name, gate.standing.text()));
    }
    if !status.checks.is_empty() {
        let passing = status.checks.iter().filter(|check| check.verdict == Verdict::Pass).count();
        say("checks", format!("{passing} of {} pass", status.checks.len()));
    }
    for check in status.checks.iter().filter(|check| check.verdict != Verdict::Pass || check.waiver.is_some()) {
        say("check", check.to_string().replace('\n', &format!("\n{:16}", "")));
    }
    for wait in &status.waiting {
        say("waiting", wait.message.clone());
    }
    for block in &status.blocked {
        say("held", block.message.clone());
    }
    text
}

fn task(report: &TaskReport) -> String {
    let lag = report.lag_seconds.map_or_else(String::new, |lag| format!(", {lag:.1} s behind"));
    let errors = if report.errored_tables.is_empty() {
        String::new()
    } else {
        format!(", in error: {}", report.errored_tables.join(", "))
    };
    format!("{}{lag}{errors}", report.task)
}
