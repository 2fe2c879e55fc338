//! `bascule status`: what a running bascule says is true, awaited, and why.

use std::time::Duration;

use super::screen::{Screen, Tone, write};
use super::token::ServerArgs;
use super::{Output, exit};
use crate::checks::outcome::Verdict;
use crate::http::{MigrationList, MigrationObject};
use crate::migration::plan::Standing;
use crate::migration::status::{Condition, ConditionStatus, ConditionType, MigrationStatus, TaskReport};
use crate::names::MigrationName;
use crate::spec::Phase;

/// Ask a running bascule.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 answered; 1 no answer; 64 wrong usage.")]
pub struct StatusArgs {
    /// The migration; all of them without it.
    name: Option<String>,
    #[command(flatten)]
    server: ServerArgs,
    /// Look again every two seconds, until interrupted. In a terminal the picture is redrawn; elsewhere what has changed is
    /// added.
    #[arg(long)]
    watch: bool,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// Often enough to follow a cutover, seldom enough to read.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The column at which values begin.
const VALUES: usize = 14;

/// Runs it.
pub fn run(args: &StatusArgs) -> u8 {
    super::on_runtime(async {
        if args.watch {
            watch(args).await;
            return 0;
        }
        match ask(args, Screen::of_stdout()).await {
            Ok(text) => {
                write(&text);
                0
            }
            Err(why) => exit::failed(&why),
        }
    })
}

/// Shows what is so until nobody looks any more. An answer that does not come leaves the last one in place, and says so above it.
async fn watch(args: &StatusArgs) {
    let (mut newest, mut shown) = (String::new(), String::new());
    loop {
        let screen = Screen::of_stdout();
        let text = match ask(args, screen).await {
            Ok(text) => {
                newest.clone_from(&text);
                text
            }
            Err(why) if screen.rows.is_some() => format!("{}{newest}", screen.hang("no answer: ", &why)),
            Err(why) => screen.hang("no answer: ", &why),
        };
        // A window may have been resized, or written over; a file is only told what is new.
        let is_news = screen.rows.is_some() || substance(&text) != substance(&shown);
        if is_news && !write(&screen.redrawn(&text)) {
            return;
        }
        if is_news {
            shown = text;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = super::shutdown() => return,
        }
    }
}

/// A text without the line that is another at every look.
fn substance(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("stands at") && !line.contains("\"observedAt\"")).collect()
}

async fn ask(args: &StatusArgs, screen: Screen) -> Result<String, String> {
    let path = match &args.name {
        Some(name) => format!("/api/v1/migrations/{name}"),
        None => "/api/v1/migrations".to_owned(),
    };
    let body = args.server.client()?.get(&path).await.map_err(|error| exit::chain(&error))?;
    match (args.output, &args.name) {
        (Output::Json, _) => Ok(format!("{}\n", body.trim_end())),
        (Output::Text, Some(_)) => {
            let object: MigrationObject = serde_json::from_str(&body).map_err(|error| format!("not a migration: {error}"))?;
            Ok(text(&object.metadata.name, &object.status, screen))
        }
        (Output::Text, None) => {
            let list: MigrationList =
                serde_json::from_str(&body).map_err(|error| format!("not a list of migrations: {error}"))?;
            Ok(table(&list))
        }
    }
}

/// All migrations, a line each, in columns as wide as they need to be.
fn table(list: &MigrationList) -> String {
    let mut rows = vec![["NAME", "PHASE", "WISHED", "RUNG", "READY", "REASON"].map(str::to_owned)];
    for item in &list.items {
        let ready = item.status.conditions.first();
        rows.push([
            item.metadata.name.to_string(),
            item.status.phase.map_or("-", Phase::name).to_owned(),
            item.status.wished_phase.to_string(),
            item.status.rung.to_string(),
            ready.map_or("?", |condition| word(condition.status)).to_owned(),
            ready.map_or(String::new(), |condition| condition.reason.to_string()),
        ]);
    }
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(widest);
    let line = |row: &[String; 6]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

const fn word(status: ConditionStatus) -> &'static str {
    match status {
        ConditionStatus::True => "True",
        ConditionStatus::False => "False",
        ConditionStatus::Unknown => "?",
    }
}

/// One migration in words, within the width of the screen.
pub fn text(name: &MigrationName, status: &MigrationStatus, screen: Screen) -> String {
    let name = format!("{} ", screen.paint(Tone::Strong, &format!("{name}:")));
    let mut text = screen.hang_at(&name, VALUES, &status.summary);
    let mut say = |label: &str, value: &str| text.push_str(&screen.hang_at(&format!("{label:<VALUES$}"), VALUES, value));
    say("next", &status.next_step);
    say("stands at", &format!("{}, attempt {}, as of {:.0}", status.rung, status.attempt, status.observed_at));
    say("writes", &format!("legacy {}, target {}", status.legacy_writes, status.target_writes));
    if let Some(began) = status.write_pause_began {
        say("", &format!("{} since {began:.0}", screen.paint(Tone::Bad, "paused")));
    }
    say("public name", &status.public_dns);
    say("forward", &task(&status.forward));
    say("reverse", &task(&status.reverse));
    rollback(status, screen, &mut say);
    source(status, &mut say);
    for condition in &status.conditions {
        let (label, value) = condition_line(condition, screen);
        say(label, &value);
    }
    for gate in status.gates.iter().filter(|gate| !gate.standing.is_open()) {
        let label = if matches!(gate.standing, Standing::Unknown(_)) { "gate unknown" } else { "gate closed" };
        say(label, &format!("{}: {}", gate.name, gate.standing.text()));
    }
    if !status.checks.is_empty() {
        let passing = status.checks.iter().filter(|check| check.verdict == Verdict::Pass).count();
        say("checks", &format!("{passing} of {} pass", status.checks.len()));
    }
    for check in status.checks.iter().filter(|check| check.verdict != Verdict::Pass || check.waiver.is_some()) {
        let lines = check.to_string();
        for (at, line) in lines.lines().enumerate() {
            say(if at == 0 { "check" } else { "" }, line);
        }
    }
    status.waiting.iter().for_each(|wait| say("waiting", &wait.message));
    status.blocked.iter().for_each(|block| say("held", &block.message));
    text
}

fn rollback(status: &MigrationStatus, screen: Screen, say: &mut impl FnMut(&str, &str)) {
    let rollback = &status.rollback;
    let ready = if rollback.ready { screen.paint(Tone::Good, "ready") } else { "not ready".to_owned() };
    say("rollback", &format!("{ready}: {}", rollback.reasons.join("; ")));
    say("", &format!("at risk: {}", rollback.data_at_risk));
    if let Some(forced) = &rollback.forced {
        say("forced", &forced.to_string());
    }
    if let Some(until) = rollback.possible_until {
        say("", &format!("possible until {until:.0}"));
    }
}

fn source(status: &MigrationStatus, say: &mut impl FnMut(&str, &str)) {
    if let Some(source) = &status.source {
        say("spec from", &format!("branch {} of {}, {}", source.branch, source.repository, source.path));
        if let Some(commit) = &source.commit {
            say("", &format!("by commit {commit}"));
        }
        if let Some(trouble) = &source.trouble {
            say("", &format!("not followed: {}", trouble.why()));
        }
    }
    if let Some(error) = &status.spec_error {
        say("spec refused", error);
    }
}

/// A condition that is as it should be needs no sentence; any other says what is the matter.
fn condition_line(condition: &Condition, screen: Screen) -> (&'static str, String) {
    let should_be = match condition.condition_type {
        ConditionType::Reconciling | ConditionType::Stalled => ConditionStatus::False,
        _ => ConditionStatus::True,
    };
    let tone = match (condition.status == should_be, condition.condition_type) {
        (true, _) => Tone::Good,
        (false, ConditionType::Stalled) => Tone::Bad,
        (false, _) => Tone::Open,
    };
    let (kind, status) = (format!("{:?}", condition.condition_type), format!("{:?}", condition.status));
    let line = format!("{kind} {} {}", screen.paint(tone, &status), condition.reason);
    let is_plain = condition.status == should_be && condition.reason.0 != "ProvenInPart";
    ("condition", if is_plain { line } else { format!("{line}: {}", condition.message) })
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

#[cfg(test)]
mod tests {
    use super::super::screen::{Colour, width};
    use super::*;

    fn live() -> MigrationObject {
        serde_json::from_str(include_str!("../../tests/fixtures/live.json")).expect("a migration")
    }

    #[test]
    fn a_status_fits_the_screen_and_tells_the_next_step() {
        for colour in [Colour::Shown, Colour::Hidden] {
            let screen = Screen { columns: 80, rows: None, colour };
            let MigrationObject { metadata, status, .. } = live();
            let text = text(&metadata.name, &status, screen);
            let wide: Vec<&str> = text.lines().filter(|line| width(line) > 80).collect();
            assert_eq!(wide, [""; 0]);
            assert!(text.contains("\nnext          set spec.phase to CutOver when you are ready\n"), "{text}");
            assert_eq!(text.contains('\x1b'), colour == Colour::Shown, "{text}");
        }
    }

    #[test]
    fn without_colours_every_word_is_still_there() {
        let MigrationObject { metadata, status, .. } = live();
        let (plain, painted) = (Colour::Hidden, Colour::Shown);
        let text = |colour| text(&metadata.name, &status, Screen { columns: 80, rows: None, colour });
        let mut bare = text(painted);
        for code in ["\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, text(plain));
    }

    #[test]
    fn only_the_time_of_a_look_is_no_news() {
        assert_eq!(substance("next a\nstands at b"), substance("next a\nstands at c"));
        assert_ne!(substance("next a\nstands at b"), substance("next c\nstands at b"));
    }
}
