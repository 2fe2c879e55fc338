//! The figures that this program promises, measured side by side in one run: `cargo bench`.
//!
//! Without `--bench` (as `cargo test --benches` runs it) every size is small, and only the way through is tried.
#![recursion_limit = "256"]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the machine's clock, and is a shell of its own")]

mod daemon;
mod lab;
mod parity;
mod settled;

use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bascule::aws::Meter;
use bascule::clock::Clock;
use bascule::database::Epoch;
use bascule::engine::beats::Beats;
use bascule::engine::inspect::Inspections;
use bascule::engine::observe::{Eyes, look};
use bascule::engine::surroundings::{Place, Surroundings};
use bascule::migration::decide::decide;
use bascule::migration::facts::Facts;
use bascule::rehearsal::campaign::campaign;
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Request, rehearse};
use bascule::sim::profile::FaultProfile;
use bascule::spec::Migration;
use bascule::spec::load::load;

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
    lab: lab::Rounds,
}

impl Sizes {
    /// Enough for figures that repeat within a few percent, in about two minutes.
    const WHOLE: Self = Self {
        rehearsals: 20,
        campaign: 100,
        decisions: 200_000,
        migrations: 100,
        edits: 100,
        parity_rows: 1_000_000,
        parity_rounds: 5,
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
        lab: lab::Rounds { fences: 2, pauses: 0 },
    };
}

fn main() {
    let sizes = if std::env::args().any(|argument| argument == "--bench") { Sizes::WHOLE } else { Sizes::SMALL };
    // BASCULE_BENCH_ONLY=parity, =lab or =loop measures that alone; BASCULE_BENCH_ROWS=5000000 and BASCULE_BENCH_PAUSES=20 are the
    // sizes that are promised.
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
    if !wanted("loop") {
        return;
    }
    forward_rehearsal(&migration, sizes);
    campaign_rate(&migration, sizes);
    decisions(&migration, sizes);
    settled::calls_an_hour(1);
    settled::calls_an_hour(sizes.migrations);
    daemon::save_to_first_request(sizes.migrations, sizes.edits);
}

/// A size given in the environment.
fn size<N: std::str::FromStr>(variable: &str) -> Option<N> {
    std::env::var(variable).ok().and_then(|size| size.parse().ok())
}

fn migration(text: &str) -> Migration {
    load("payments.yaml", text.as_bytes()).expect("the example is valid").migration.into_inner()
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
    let (half, most) = (percentile(&times, 50), percentile(&times, 99));
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    say(what, &format!("p50 {:.1} ms, p99 {:.1} ms", milliseconds(half), milliseconds(most)));
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

fn decisions(migration: &Migration, sizes: Sizes) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let (seen, now) = runtime.block_on(async {
        let clock = Clock::starting_at("2026-03-02T09:00:00Z".parse().expect("a time"));
        let surroundings = Surroundings::new(Place::Sandbox { seed: 1, profile: FaultProfile::calm() }, Meter::deaf());
        let equipment = surroundings.equip(migration, &clock).await;
        let (legacy, target) = (Arc::clone(&equipment.legacy), Arc::clone(&equipment.target));
        let (inspections, beats) = (Inspections::default(), Beats::default());
        let eyes = Eyes {
            aws: &equipment.aws,
            legacy: &*legacy,
            target: &*target,
            comparer: &*equipment.comparer,
            clock: &clock,
            epoch: Epoch(1),
            glance: Duration::ZERO,
            inspections: &inspections,
            beats: &beats,
        };
        (look(eyes, migration, &Facts::default()).await, clock.now())
    });
    let facts = Facts::default();
    let began = Instant::now();
    for _ in 0..sizes.decisions {
        _ = black_box(decide(black_box(migration), black_box(&facts), black_box(&seen), now));
    }
    let rate = f64::from(sizes.decisions) / began.elapsed().as_secs_f64();
    say("decide, at Preflight", &format!("{rate:.0} a second"));
}
