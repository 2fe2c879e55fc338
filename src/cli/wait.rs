//! `bascule wait`: until a phase is reached or a condition holds, or until that cannot come any more.

use std::time::Duration;

use super::client::Client;
use super::exit;
use super::screen::{Screen, clean};
use super::token::ServerArgs;
use crate::http::MigrationObject;
use crate::migration::awaited::{Awaited, Outlook};
use crate::spec::Period;

/// Wait until a phase is reached or a condition holds.
///
/// A phase is reached as well where a later one is. What it waits for is said on standard error whenever that changes. A server
/// that goes away meanwhile is asked again until the time is over.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 it is so; 1 no answer, or no such migration; 2 it cannot come any more in this attempt: aborted, rolled back or completed; 3 the time is over; 64 wrong usage."
)]
pub struct WaitArgs {
    /// The migration.
    name: String,
    /// What for: phase=CutOver, condition=Ready, condition=Stalled=False.
    #[arg(long = "for", value_name = "WHAT")]
    awaited: Awaited,
    /// The longest time, such as 30s, 10m or 48h.
    #[arg(long, default_value = "10m", value_name = "PERIOD")]
    timeout: Period,
    #[command(flatten)]
    server: ServerArgs,
}

/// It cannot come any more.
const NEVER: u8 = 2;
/// The time is over.
const TIMED_OUT: u8 = 3;

/// One long poll: below the half minute after which the server answers by itself.
const POLL: Duration = Duration::from_secs(20);
/// A server that is started again takes a moment.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Runs it.
pub fn run(args: &WaitArgs) -> u8 {
    let client = match args.server.client() {
        Ok(client) => client,
        Err(why) => return exit::failed(&why),
    };
    super::on_runtime(async {
        let mut said = Said::default();
        match tokio::time::timeout(args.timeout.duration(), wait(args, &client, &mut said)).await {
            Ok(code) => code,
            Err(_) => match &said.lost {
                Some(why) => exit::failed(&format!("{why} (for {} altogether)", args.timeout)),
                None => {
                    eprintln!("error: not within {}; last seen: {}", args.timeout, clean(&said.last));
                    TIMED_OUT
                }
            },
        }
    })
}

/// What was told so far.
#[derive(Default)]
struct Said {
    last: String,
    /// Why nobody answers, while nobody does.
    lost: Option<String>,
}

impl Said {
    /// Tells it once.
    fn tell(&mut self, what: String) {
        if what != self.last {
            eprint!("{}", Screen::of_stdout().hang("waiting: ", &what));
            self.last = what;
        }
    }
}

async fn wait(args: &WaitArgs, client: &Client, said: &mut Said) -> u8 {
    let path = format!("/api/v1/migrations/{}", args.name);
    let mut newest: Option<MigrationObject> = None;
    loop {
        let answer = match &newest {
            None => client.get(&path).await.map(Some),
            Some(object) => {
                let (version, seconds) = (&object.metadata.resource_version, POLL.as_secs());
                let poll = format!("{path}?watch=1&resourceVersion={version}&timeoutSeconds={seconds}");
                client.long_poll(&poll, POLL).await
            }
        };
        match answer.map_err(|error| exit::chain(&error)) {
            Ok(None) => said.lost = None,
            Ok(Some(body)) => {
                said.lost = None;
                let object: MigrationObject = match serde_json::from_str(&body) {
                    Ok(object) => object,
                    Err(error) => {
                        return exit::failed(&format!("the answer of {} is not a migration: {error}", args.server.server));
                    }
                };
                match args.awaited.judge(&object.status) {
                    Outlook::Met => return 0,
                    Outlook::NotYet(why) => said.tell(why),
                    Outlook::Never(why) => {
                        eprintln!("error: {why}");
                        return NEVER;
                    }
                }
                newest = Some(object);
            }
            // Nobody has answered yet: a wrong name or address is told at once.
            Err(why) if newest.is_none() => return exit::failed(&why),
            Err(why) => {
                said.tell(why.clone());
                said.lost = Some(why);
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}
