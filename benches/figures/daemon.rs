//! How long it takes from saving a file until AWS hears of it, in a daemon that keeps many migrations.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bascule::aws::Meter;
use bascule::clock::Clock;
use bascule::engine::cadence::Cadence;
use bascule::engine::daemon::{Daemon, Options};
use bascule::engine::source::Specs;
use bascule::engine::surroundings::{Place, Surroundings};
use bascule::http::Board;
use bascule::sim::profile::FaultProfile;
use bascule::spec::Phase;

use super::{PAYMENTS, say_percentiles};

/// So long that no migration is looked at again, but for its own edit, while another one's file is timed.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// A pass over the stand-in world takes half a second, of which no gap between two calls is as long as this.
const QUIET: Duration = Duration::from_millis(400);

/// When AWS was called first and last since it was asked before.
#[derive(Default)]
struct Heard {
    first: Option<Instant>,
    last: Option<Instant>,
}

/// Measures `edits` edits among `count` migrations, each of which is edited at most once: from Preflight to Prepared.
pub fn save_to_first_request(count: usize, edits: usize) {
    let home = tempfile::tempdir().expect("a directory");
    let specs = home.path().join("specs");
    fs::create_dir(&specs).expect("a directory for specs");
    for number in 0..count {
        save(home.path(), number, "Preflight");
    }
    let heard: Arc<Mutex<Heard>> = Arc::default();
    let told = heard.clone();
    let meter = Meter::new(move |_| {
        let mut heard = told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        heard.first.get_or_insert(now);
        heard.last = Some(now);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let times = runtime.block_on(async {
        let clock = Clock::system();
        let board = Arc::new(Board::new(clock.now()));
        let place = Place::Sandbox { seed: 1, profile: FaultProfile::calm() };
        let options = Options {
            specs: Specs::Files(specs),
            wake: Arc::default(),
            state: home.path().join("state"),
            poll: NEVER,
            cadence: Cadence { moving_first: NEVER, moving_longest: NEVER, settled: NEVER, ..Cadence::production() },
            surroundings: Arc::new(Surroundings::new(place, meter)),
            clock,
        };
        let daemon = Daemon::start(options, board.clone()).expect("a daemon");
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(daemon.run(async { _ = stopped.await }));
        let settled = |phase| phase == Some(Phase::Preflight);
        while board.list().items.iter().filter(|item| settled(item.status.phase)).count() < count {
            tokio::time::sleep(QUIET).await;
        }
        let mut times = Vec::new();
        for number in 0..edits.min(count) {
            silence(&heard).await;
            let began = Instant::now();
            save(home.path(), number, "Prepared");
            times.push(first_request(&heard).await.duration_since(began));
        }
        _ = stop.send(());
        running.await.expect("the daemon ends");
        times
    });
    say_percentiles(&format!("from saving a file to the first request, {count} migrations"), times);
}

/// Puts a file in its place, as careful editors do.
fn save(home: &Path, number: usize, phase: &str) {
    let text = PAYMENTS.replace("\n  name: payments\n", &format!("\n  name: payments-{number}\n"));
    let text = text.replace("\n  phase: Preflight\n", &format!("\n  phase: {phase}\n"));
    let beside = home.join("being-written");
    fs::write(&beside, text).expect("a written file");
    fs::rename(beside, home.join(format!("specs/{number}.yaml"))).expect("the file in its place");
}

async fn silence(heard: &Mutex<Heard>) {
    loop {
        let last = heard.lock().unwrap_or_else(PoisonError::into_inner).last;
        if last.is_none_or(|last| last.elapsed() > QUIET) {
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Heard::default();
            return;
        }
        tokio::time::sleep(QUIET / 8).await;
    }
}

async fn first_request(heard: &Mutex<Heard>) -> Instant {
    loop {
        if let Some(first) = heard.lock().unwrap_or_else(PoisonError::into_inner).first {
            return first;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
