//! `bascule events`: the history of a migration, and what is added to it.

use std::time::Duration;

use super::screen::{Screen, write};
use super::token::ServerArgs;
use super::{Output, exit};
use crate::http::EventList;
use crate::journal::Entry;

/// Print the history of a migration, oldest first: facts, intents, outcomes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 printed, or interrupted while following; 1 no answer; 64 wrong usage.")]
pub struct EventsArgs {
    /// The migration.
    name: String,
    /// Go on with what is added, until interrupted.
    #[arg(long, short)]
    follow: bool,
    /// Only what comes after this number.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    after: u64,
    #[command(flatten)]
    server: ServerArgs,
    /// Text for people; for machines JSON, one event a line.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// The most that the server gives at once.
const PAGE: usize = crate::journal::HISTORY_PAGE;
/// Soon enough for whoever watches a switch.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(args: &EventsArgs) -> u8 {
    super::on_runtime(async {
        tokio::select! {
            code = print(args) => code,
            () = super::shutdown() => 0,
        }
    })
}

async fn print(args: &EventsArgs) -> u8 {
    let mut after = args.after;
    let mut has_answered = false;
    let mut lost = String::new();
    loop {
        match page(args, after).await {
            Ok(list) => {
                has_answered = true;
                lost.clear();
                let text: String = list.items.iter().map(|entry| line(args.output, entry)).collect();
                // A reader that has seen enough, such as `head`, is an end and no failure.
                if !write(&text) {
                    return 0;
                }
                let is_last = list.items.is_empty() || list.metadata.next_after == after;
                after = list.metadata.next_after;
                match (is_last, args.follow) {
                    (false, _) => continue,
                    (true, false) => return 0,
                    (true, true) => {}
                }
            }
            Err(why) if !(args.follow && has_answered) => return exit::failed(&why),
            // Told once, and asked again: a server that is started again goes on where it was.
            Err(why) => {
                if why != lost {
                    eprintln!("no answer: {why}");
                    lost = why;
                }
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn page(args: &EventsArgs, after: u64) -> Result<EventList, String> {
    let path = format!("/api/v1/migrations/{}/events?after={after}&limit={PAGE}", args.name);
    let body = args.server.client()?.get(&path).await.map_err(|error| exit::chain(&error))?;
    serde_json::from_str(&body).map_err(|error| format!("the answer of {} is not a history: {error}", args.server.server))
}

fn line(output: Output, entry: &Entry) -> String {
    match output {
        Output::Json => serde_json::to_string(entry).map_or_else(|error| format!("error: {error}\n"), |text| format!("{text}\n")),
        Output::Text => {
            let first = format!("{:.0}  {:>5}  ", entry.at, entry.seq);
            Screen::of_stdout().hang(&first, &entry.sentence)
        }
    }
}
