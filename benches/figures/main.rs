//! The figures that this program promises, measured side by side in one run: `cargo bench`.
//!
//! Without `--bench` (as `cargo test --benches` runs it) every size is small, and only the way through is tried.
#![recursion_limit = "256"]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock, and is a shell of its own")]

mod checks;
#[path = "../../tests/common/mod.rs"]
#[allow(dead_code, reason = "the figures take a story, and none of its proofs")]
mod common;
mod daemon;
mod lab;
mod parity;
mod settled;
mod targets;

use std::hint::black_box;
use std::num::NonZero;
use std::path::Path;
use std::time::{Duration, Instant};

use bascule::lab::server::{Server, ServerError};
use bascule::migration::decide::decide;
use bascule::rehearsal::campaign::campaign;
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Request, rehearse};
use bascule::sim::profile::FaultProfile;
use bascule::spec::load::load;
use bascule::spec::{Migration, Phase};
use common::Story;

/// The payment system of the examples, at Preflight.
const PAYMENTS: &str = include_str!("../../manifests/base/payments.yaml");

/// How much is measured.
#[derive(Clone, Copy)]
struct Sizes {
    rehearsals: u64,
    campaign: u64,
    decisions: u32,
    migrations: usize,
    edits: usize,
    parity_rows: u64,
    parity_rounds: usize,
    tables: usize,
    lab: lab::Rounds,
}

impl Sizes {
    /// Enough for figures that repeat within a few percent, in about ten minutes. Only the write pause has fewer rounds than it
    /// is promised for: twenty journeys take half an hour more, and are asked for.
    const WHOLE: Self = Self {
        rehearsals: 20,
        campaign: 100,
        decisions: 200_000,
        migrations: 100,
        edits: 100,
        parity_rows: 5_000_000,
        parity_rounds: 3,
        tables: 1_000,
        lab: lab::Rounds { fences: 100, pauses: 2 },
    };
    /// Just through.
    const SMALL: Self = Self {
        rehearsals: 1,
        campaign: 1,
        decisions: 10,
        migrations: 3,
        edits: 2,
        parity_rows: 10_000,
        parity_rounds: 1,
        tables: 20,
        lab: lab::Rounds { fences: 2, pauses: 0 },
    };
}

fn main() {
    let sizes = if std::env::args().any(|argument| argument == "--bench") { Sizes::WHOLE } else { Sizes::SMALL };
    // The README says which variables ask for other parts and sizes.
    let only = std::env::var("BASCULE_BENCH_ONLY").unwrap_or_default();
    let wanted = |part: &str| only.is_empty() || only == part;
    let migration = migration(PAYMENTS);
    if wanted("parity") {
        parity::parity(size("BASCULE_BENCH_ROWS").unwrap_or(sizes.parity_rows), sizes.parity_rounds);
    }
    if wanted("lab") {
        let pauses = size("BASCULE_BENCH_PAUSES").unwrap_or(sizes.lab.pauses);
        lab::lab(&migration, lab::Rounds { pauses, ..sizes.lab });
    }
    if wanted("checks") {
        checks::checks(&migration, sizes.tables);
    }
    if !wanted("loop") {
        return;
    }
    forward_rehearsal(&migration, sizes);
    campaign_rate(&migration, sizes);
    decisions(sizes);
    for phase in [Phase::Preflight, Phase::Prepared, Phase::Validated] {
        settled::calls_an_hour(1, phase);
    }
    settled::calls_an_hour(sizes.migrations, Phase::Preflight);
    daemon::save_to_first_request(sizes.migrations, sizes.edits);
}

/// A size given in the environment.
fn size<N: std::str::FromStr>(variable: &str) -> Option<N> {
    std::env::var(variable).ok().and_then(|size| size.parse().ok())
}

fn migration(text: &str) -> Migration {
    load("payments.yaml", text.as_bytes()).expect("the example is valid").migration.into_inner()
}

/// Legacy and target, each started with `option` in a directory of its own.
fn two_servers(directory: &Path, option: &str) -> Result<(Server, Server), ServerError> {
    let start = |name: &str| {
        let own = directory.join(name);
        std::fs::create_dir(&own).expect("a directory");
        Server::start(&own, &[option])
    };
    Ok((start("legacy")?, start("target")?))
}

/// One figure a line, so that two runs can be compared with `diff`.
fn say(what: &str, figure: &str) {
    println!("{what:<64} {figure}");
}

/// The value below which `percent` of the sorted times lie.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn say_percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort();
    say(what, &percentiles(&times));
}

/// The middle and the worst but one in a hundred, of sorted times.
fn percentiles(sorted: &[Duration]) -> String {
    let milliseconds = |percent| percentile(sorted, percent).as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, p99 {:.1} ms", milliseconds(50), milliseconds(99))
}

fn forward_rehearsal(migration: &Migration, sizes: Sizes) {
    let mut times = Vec::new();
    for seed in 1..=sizes.rehearsals {
        let request = Request::new(Scenario::Forward, "calm", FaultProfile::calm(), seed);
        let began = Instant::now();
        let verdict = rehearse(migration, &request, &mut |_| {}).verdict;
        times.push(began.elapsed());
        assert!(verdict.is_good(), "seed {seed} broke something: {verdict:?}");
    }
    say_percentiles("a forward rehearsal, days of a calm world", times);
}

fn campaign_rate(migration: &Migration, sizes: Sizes) {
    let request = Request::new(Scenario::Forward, "rough", FaultProfile::rough(), 1);
    let began = Instant::now();
    let alone = campaign(migration, &request, 1..=sizes.campaign, 1, &|_, _| {});
    let rate = |runs: u64| runs as f64 / began.elapsed().as_secs_f64();
    say("a campaign on one core, rough world", &format!("{:.1} migrations a second", rate(alone.runs)));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let began = Instant::now();
    let together = campaign(migration, &request, 1..=sizes.campaign, cores, &|_, _| {});
    let rate = together.runs as f64 / began.elapsed().as_secs_f64();
    say(&format!("the same on {cores} cores"), &format!("{rate:.1} migrations a second"));
    assert_eq!(alone, together, "a campaign does not depend on its threads");
}

/// What is to be decided, from one fact to every gate of a cutover and the whole of what is observed after it.
fn decisions(sizes: Sizes) {
    let mut armed = Story::resting(Phase::RollbackArmed);
    armed.wish(Phase::CutOver);
    let stands = [
        ("before the first fact", Story::begin()),
        ("at RollbackArmed, CutOver wished", armed),
        ("at Observing", Story::resting(Phase::CutOver)),
    ];
    for (stand, story) in stands {
        let seen = story.seen();
        let began = Instant::now();
        for _ in 0..sizes.decisions {
            _ = black_box(decide(black_box(&story.migration), black_box(&story.facts), black_box(&seen), story.now));
        }
        let rate = f64::from(sizes.decisions) / began.elapsed().as_secs_f64();
        say(&format!("decide, {stand}"), &format!("{rate:.0} a second"));
    }
}
