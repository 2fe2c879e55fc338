//! `bascule run`: the controller as a daemon.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::token::{TokenFrom, access};
use super::{exit, shutdown};
use crate::aws::Meter;
use crate::clock::Clock;
use crate::engine::cadence::Cadence;
use crate::engine::daemon::{Daemon, Options};
use crate::engine::surroundings::{Place, Surroundings};
use crate::http::{Board, Limits, serve};
use crate::sim::profile::FaultProfile;
use crate::spec::Period;

/// Keep migrations as their files ask, until told to stop.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "SIGTERM and SIGINT finish the step that was begun and exit with 0.\nExit codes: 0 stopped; 1 could not start; 64 wrong usage."
)]
pub struct RunArgs {
    /// A Migration file, or a directory of them (a mounted ConfigMap is fine).
    specs: PathBuf,
    /// Where the read-only HTTP API listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// A name under which clients reach it, besides localhost and addresses; may be given more than once.
    #[arg(long = "host-name", value_name = "NAME")]
    host_names: Vec<String>,
    #[command(flatten)]
    token: TokenFrom,
    /// Let everybody read who can reach an address that is not loopback.
    #[arg(long)]
    allow_anonymous: bool,
    /// Journals and the lock that keeps a second process out.
    #[arg(long, default_value = "state", value_name = "DIR")]
    state: PathBuf,
    /// How often specs are read again, whatever the file system tells.
    #[arg(long, default_value = "10s")]
    poll: Period,
    /// Run over a stand-in world instead of AWS: edit spec.phase and watch.
    #[arg(long)]
    sandbox: bool,
    /// How much faster than real time the sandbox goes.
    #[arg(long, default_value_t = 1, requires = "sandbox", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    time_scale: u32,
    /// The time at which the sandbox begins, such as 2026-03-01T01:00:00Z (an hour before the maintenance window of the example);
    /// without it, now.
    #[arg(long, requires = "sandbox", value_name = "TIME")]
    start_at: Option<Timestamp>,
    /// The seed of the sandbox's chance.
    #[arg(long, default_value_t = 1, requires = "sandbox")]
    seed: u64,
}

/// Runs it until it is told to stop.
pub fn run(args: &RunArgs) -> u8 {
    let token = args.token.find();
    let access = match token.and_then(|token| access(args.listen, token.as_deref(), args.allow_anonymous)) {
        Ok(access) => access,
        Err(why) => return exit::failed(&why),
    };
    super::on_runtime(async {
        let clock = Clock::scaled(args.start_at.unwrap_or_else(|| Clock::system().now()), args.time_scale);
        let board = Arc::new(Board::new(clock.now()));
        let place = if args.sandbox { Place::Sandbox { seed: args.seed, profile: FaultProfile::calm() } } else { Place::Real };
        let counted = board.clone();
        let meter = Meter::new(move |service| counted.metrics().aws_called(service.name()));
        let options = Options {
            specs: args.specs.clone(),
            state: args.state.clone(),
            poll: args.poll.duration().max(Duration::from_millis(100)),
            cadence: Cadence::production(),
            surroundings: Arc::new(Surroundings::new(place, meter).keeping(&args.state)),
            clock,
        };
        let daemon = match Daemon::start(options, board.clone()) {
            Ok(daemon) => daemon,
            Err(error) => return exit::failed(&exit::chain(&error)),
        };
        let listener = match tokio::net::TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => {
                return exit::failed(&format!("cannot listen on {}: {error}; give another address with --listen", args.listen));
            }
        };
        let address = listener.local_addr().unwrap_or(args.listen);
        eprintln!("bascule keeps {} and answers on http://{address}", args.specs.display());
        let limits = Limits { access, host_names: args.host_names.clone(), ..Limits::default() };
        let signal = async {
            shutdown().await;
            eprintln!("stopping: the step that was begun is finished first");
        };
        // The face goes on answering while the last steps end, so that whoever asks sees them and `/readyz` says no.
        let (ended, has_ended) = tokio::sync::oneshot::channel::<()>();
        let keep = async {
            daemon.run(signal).await;
            drop(ended);
        };
        tokio::join!(keep, serve(listener, board, limits, async { _ = has_ended.await }));
        0
    })
}
