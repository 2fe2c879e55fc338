//! `bascule run`: the controller as a daemon.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::token::{TokenFrom, access};
use super::{exit, shutdown};
use crate::aws::Meter;
use crate::clock::Clock;
use crate::engine::cadence::Cadence;
use crate::engine::daemon::{Daemon, Options};
use crate::engine::source::Specs;
use crate::engine::source::git::GitSpecs;
use crate::engine::source::git::address::{Address, Branch, RepositoryPath};
use crate::engine::source::git::command::Bounds;
use crate::engine::surroundings::{Place, Surroundings};
use crate::http::{Board, Limits, serve};
use crate::sim::profile::FaultProfile;
use crate::spec::Period;

/// Keep migrations as their files ask, until told to stop.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "SIGTERM and SIGINT finish the step that was begun and exit with 0; SIGHUP has specs read again at once.\nExit codes: 0 stopped; 1 could not start; 64 wrong usage."
)]
pub struct RunArgs {
    /// A Migration file, or a directory of them (a mounted ConfigMap is fine).
    #[arg(required_unless_present = "git", conflicts_with = "git")]
    specs: Option<PathBuf>,
    /// Follow a branch of this Git repository instead: https://, ssh://, USER@HOST:PATH or file://. A secret in it is shown
    /// nowhere, and belongs into the environment.
    #[arg(long, value_name = "URL", env = "BASCULE_GIT", hide_env_values = true)]
    git: Option<GitUrl>,
    /// Which branch.
    #[arg(long, default_value = "main", requires = "git")]
    branch: String,
    /// A Migration file in it, or a directory of them.
    #[arg(long, default_value = ".", requires = "git")]
    path: String,
    /// Take only commits that are signed by somebody in this file (`man ssh-keygen`, ALLOWED SIGNERS).
    #[arg(long, requires = "git", value_name = "FILE")]
    verify_signatures: Option<PathBuf>,
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
    /// How often specs are read again, whatever the file system tells: every 10s, a branch every 30s.
    #[arg(long, value_name = "PERIOD")]
    poll: Option<Period>,
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

/// The address of a repository as it was given: with its secret, which is never printed.
#[derive(Clone)]
struct GitUrl(String);

impl From<&str> for GitUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GitUrl(..)")
    }
}

/// How often files are read again: a watch tells of most changes at once.
const POLL_OF_FILES: Duration = Duration::from_secs(10);
/// How often a branch is: soon enough for somebody who has just merged, seldom enough for a server that others use too.
const POLL_OF_A_BRANCH: Duration = Duration::from_secs(30);

impl RunArgs {
    /// Where specs come from, in words and as they are followed.
    fn source(&self) -> Result<(String, Specs, Duration), String> {
        let Some(GitUrl(url)) = &self.git else {
            let path = self.specs.clone().unwrap_or_default();
            return Ok((path.display().to_string(), Specs::Files(path), POLL_OF_FILES));
        };
        let address = Address::parse(url).map_err(|error| format!("--git: {error}"))?;
        let branch = Branch::parse(&self.branch).map_err(|error| format!("--branch: {error}"))?;
        let path = RepositoryPath::parse(&self.path).map_err(|error| format!("--path: {error}"))?;
        let signers = self.verify_signatures.as_deref().map(readable).transpose()?;
        let shown = format!("branch {} of {address}", branch.as_str());
        let specs = GitSpecs { address, branch, path, signers, bounds: Bounds::USUAL };
        Ok((shown, Specs::Git(Box::new(specs)), POLL_OF_A_BRANCH))
    }
}

/// A file that git will read from another directory.
fn readable(file: &Path) -> Result<PathBuf, String> {
    let found = std::fs::File::open(file).and_then(|_| std::path::absolute(file));
    found.map_err(|error| format!("--verify-signatures: {} cannot be read: {error}", file.display()))
}

/// Wakes whoever reads specs whenever the process is told to look again; never ends.
async fn hang_ups(wake: Arc<Notify>) {
    let Ok(mut signals) = signal(SignalKind::hangup()) else { return std::future::pending().await };
    while signals.recv().await.is_some() {
        tracing::info!("SIGHUP: specs are read again");
        wake.notify_one();
    }
    std::future::pending().await
}

/// Runs it until it is told to stop.
pub fn run(args: &RunArgs) -> u8 {
    let (shown, specs, usual_poll) = match args.source() {
        Ok(source) => source,
        Err(why) => return exit::failed(&why),
    };
    let token = args.token.find();
    let access = match token.and_then(|token| access(args.listen, token.as_deref(), args.allow_anonymous)) {
        Ok(access) => access,
        Err(why) => return exit::failed(&why),
    };
    super::on_runtime(async {
        let wake = Arc::new(Notify::new());
        let clock = Clock::scaled(args.start_at.unwrap_or_else(|| Clock::system().now()), args.time_scale);
        let board = Arc::new(Board::new(clock.now()));
        let place = if args.sandbox { Place::Sandbox { seed: args.seed, profile: FaultProfile::calm() } } else { Place::Real };
        let counted = board.clone();
        let meter = Meter::new(move |service| counted.metrics().aws_called(service.name()));
        let options = Options {
            specs,
            state: args.state.clone(),
            poll: args.poll.map_or(usual_poll, |poll| poll.duration()).max(Duration::from_millis(100)),
            wake: wake.clone(),
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
        eprintln!("bascule keeps {shown} and answers on http://{address}");
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
        let work = async { tokio::join!(keep, serve(listener, board, limits, async { _ = has_ended.await })) };
        tokio::select! {
            _ = work => 0,
            () = hang_ups(wake) => 0,
        }
    })
}
