//! The proof: whole migrations through the real engine and the real SDK, against the stand-in world.
//!
//! Every rehearsal watches the invariants after every event from the world's own truth, and ends with faults off, a day of
//! rest, and passes that must plan nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bascule::rehearsal::campaign::campaign;
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Kill, Rehearsed, Request, rehearse};
use bascule::sim::profile::FaultProfile;
use bascule::spec::load::load;
use bascule::spec::{Migration, Phase};

#[path = "common/ended.rs"]
mod ended;
#[path = "rehearsals/forced.rs"]
mod forced;
#[path = "rehearsals/hooks.rs"]
mod hooks;

use ended::end_state;

const SCENARIOS: [Scenario; 4] = [Scenario::Forward, Scenario::Rollback, Scenario::Forced, Scenario::Abort];

fn payments() -> Migration {
    let text = include_bytes!("../manifests/base/payments.yaml");
    load("payments.yaml", text).expect("the example is valid").migration.into_inner()
}

/// The same migration with short waits, for sweeps that run it thousands of times: the window opens on the first day, one
/// clean comparison is enough, and the observation window is an hour.
fn brisk() -> Migration {
    let mut migration = payments();
    migration.spec.binlog.maintenance_window = "mon:09:00-sun:23:00".parse().expect("a window");
    migration.spec.validation.consecutive_passes = 1;
    migration.spec.observation.window = "1h".parse().expect("a period");
    migration
}

fn calm(scenario: Scenario, seed: u64) -> Request {
    Request::new(scenario, "calm", FaultProfile::calm(), seed)
}

fn play(migration: &Migration, request: &Request) -> Rehearsed {
    rehearse(migration, request, &mut |_| {})
}

#[test]
fn a_migration_goes_forward_through_every_phase_and_loses_nothing() {
    let rehearsed = play(&payments(), &calm(Scenario::Forward, 1));
    let verdict = &rehearsed.verdict;
    assert!(verdict.is_good(), "{:?}", verdict.violations);
    let phases: Vec<Phase> = verdict.phases.iter().map(|entry| entry.phase).collect();
    assert_eq!(phases, Phase::ALL[..7], "each phase once, in order, and no rollback");
    assert!(verdict.payments.acknowledged > 1000, "customers really paid: {:?}", verdict.payments);
    assert!(verdict.faults_injected.contains_key("table_error"), "a busy table had its duplicate keys");
    assert!(
        rehearsed.timeline.moments.iter().any(|moment| moment.what.starts_with("reload ")),
        "and was cured by a targeted reload"
    );
}

#[test]
fn a_rollback_brings_every_write_back_to_legacy() {
    let verdict = play(&payments(), &calm(Scenario::Rollback, 1)).verdict;
    assert!(verdict.is_good(), "{:?}", verdict.violations);
    assert_eq!(verdict.phases.last().map(|entry| entry.phase), Some(Phase::RolledBack));
    assert!(verdict.phases.iter().all(|entry| entry.phase != Phase::Completed));
    assert!(verdict.rollback_write_pause_seconds.is_some(), "customers paid on legacy again");
}

#[test]
fn a_stalled_drain_is_aborted_by_itself_and_a_second_attempt_completes() {
    let verdict = play(&payments(), &calm(Scenario::Abort, 1)).verdict;
    assert!(verdict.is_good(), "{:?}", verdict.violations);
    let ends: Vec<&str> = verdict.attempts.iter().map(|attempt| attempt.end.as_str()).collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert!(ends[0].starts_with("Aborted: writes have paused for"), "{ends:?}");
    assert_eq!(ends[1], "Completed");
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte() {
    for (scenario, name, profile) in [
        (Scenario::Forward, "calm", FaultProfile::calm()),
        (Scenario::Rollback, "rough", FaultProfile::rough()),
        (Scenario::Abort, "storm", FaultProfile::storm()),
    ] {
        let request = Request::new(scenario, name, profile, 7);
        let told = || {
            let rehearsed = play(&payments(), &request);
            let verdict = serde_json::to_string(&rehearsed.verdict).expect("a verdict is JSON");
            let timeline = serde_json::to_string(&rehearsed.timeline).expect("a timeline is JSON");
            (verdict, timeline, serde_json::to_string(&rehearsed.status).expect("a status is JSON"))
        };
        assert_eq!(told(), told(), "{scenario:?}");
    }
}

#[test]
fn another_seed_gives_another_run() {
    let verdict = |seed| serde_json::to_string(&play(&brisk(), &calm(Scenario::Forward, seed)).verdict).expect("JSON");
    assert_ne!(verdict(1), verdict(2));
}

/// Seeds that found something once, with what it was. They stay.
const SEEDS_THAT_FOUND_SOMETHING: &[(Scenario, u64, &str)] = &[
    (Scenario::Forward, 5, "the writer was rebooted before AWS's own clock had opened the maintenance window"),
    (Scenario::Forward, 6, "a table used up its reloads, and the operator had to be told"),
    (Scenario::Forward, 21, "the same"),
    (Scenario::Forward, 100, "each lost answer began the count of a check anew, and the cutover's gates never opened"),
    (Scenario::Forward, 113, "the day of rest was judged before a person's last edit had been noticed"),
    (Scenario::Forward, 400, "an opening that had failed waited behind the start of the reverse task"),
    (Scenario::Forward, 481, "validation traffic was let in before the application, and failed"),
];

#[test]
fn a_pause_that_runs_out_of_budget_ends_within_one_call_of_it() {
    // Two restarts under a clock that was behind once stretched the budget: nothing in the journal told how late it was.
    let verdict = play(&payments(), &Request::new(Scenario::Abort, "rough", FaultProfile::rough(), 12)).verdict;
    assert!(verdict.is_good(), "{} {:?}", verdict.outcome, verdict.violations);
}

#[test]
fn seeds_that_found_something_once_find_nothing_now() {
    for (scenario, seed, what) in SEEDS_THAT_FOUND_SOMETHING {
        let verdict = play(&payments(), &Request::new(*scenario, "storm", FaultProfile::storm(), *seed)).verdict;
        assert!(verdict.is_good(), "{scenario:?} {seed} ({what}): {} {:?}", verdict.outcome, verdict.violations);
    }
}

#[test]
fn campaigns_of_seeds_end_well_whatever_the_weather() {
    for scenario in SCENARIOS {
        for (name, profile, seeds) in [("rough", FaultProfile::rough(), 1..=20), ("storm", FaultProfile::storm(), 100..=130)] {
            let summary = campaign(&payments(), &Request::new(scenario, name, profile, 0), seeds, threads(), &|_, _| {});
            assert!(summary.is_good(), "{scenario:?} {name}: {:?}", summary.failed_seeds);
            assert_eq!((summary.payments.lost, summary.payments.duplicated), (0, 0));
        }
    }
}

#[test]
fn a_storm_really_injects_every_kind_of_fault() {
    let request = Request::new(Scenario::Rollback, "storm", FaultProfile::storm(), 0);
    let summary = campaign(&brisk(), &request, 1..=40, threads(), &|_, _| {});
    let seen: Vec<&str> = summary.faults_injected.keys().map(String::as_str).collect();
    for kind in [
        "clock_step",
        "database_error",
        "failed_connection",
        "failed_task",
        "human_edit",
        "lag_spike",
        "long_transaction",
        "serverError",
        "slow_task",
        "staleRead",
        "table_error",
        "throttle",
        "timeoutAfter",
        "timeoutBefore",
        "truncatedBody",
    ] {
        assert!(seen.contains(&kind), "{kind} never happened, so nothing was proven about it: {seen:?}");
    }
}

#[test]
fn a_controller_killed_anywhere_ends_where_the_undisturbed_one_ends() {
    let migration = brisk();
    for (offset, scenario) in (0..).zip(SCENARIOS) {
        let reference = play(&migration, &Request { kill: Kill::AtPlace(u64::MAX), ..calm(scenario, 1) });
        assert!(reference.verdict.is_good(), "{:?}", reference.verdict.violations);
        let step = stride(reference.places);
        let places: Vec<u64> = (offset % step..reference.places).step_by(usize::try_from(step).unwrap_or(1)).collect();
        println!("{scenario:?}: {} of {} places", places.len(), reference.places);
        let failures = sweep(&migration, scenario, &places, Kill::AtPlace, &end_state(&reference));
        assert!(failures.is_empty(), "{scenario:?}, of {} places: {failures:#?}", places.len());
    }
}

/// Places from one kill to the next: a controller that starts reads everything anew, inspections and checked structures too, and
/// must then get on. With too few it would be killed in the same look for ever.
const STEP: u64 = 211;

#[test]
fn a_controller_killed_again_and_again_ends_where_the_undisturbed_one_ends() {
    // The first kills fall on an even sample of the first places, and every later one a step on: with `BASCULE_SWEEP=all`, every
    // place has a run that kills there.
    let migration = brisk();
    for scenario in SCENARIOS {
        let reference = play(&migration, &calm(scenario, 1));
        let firsts: Vec<u64> = (0..STEP).step_by(first_to_first()).collect();
        let kill = |first| Kill::Every { first, step: STEP };
        let failures = sweep(&migration, scenario, &firsts, kill, &end_state(&reference));
        assert!(failures.is_empty(), "{scenario:?}: {failures:#?}");
    }
}

/// A run of killed controllers starts some fifty of them: of those runs, an eighth of the places is what two slow cores do.
fn first_to_first() -> usize {
    match std::env::var("BASCULE_SWEEP").as_deref() {
        Ok("all") => 1,
        Ok(_) | Err(_) => 8,
    }
}

/// How many places of one scenario a run of the tests visits: what two slow cores do in a few minutes.
const PLACES_A_RUN: u64 = 150;

/// `BASCULE_SWEEP=all` visits every place, one run of the tests an even sample of them.
fn stride(places: u64) -> u64 {
    match std::env::var("BASCULE_SWEEP").as_deref() {
        Ok("all") => 1,
        Ok(_) | Err(_) => places.div_ceil(PLACES_A_RUN).max(1),
    }
}

/// Plays once for each place, an AWS call, a database verb or a journal write, before it or after it, and kills there.
fn sweep(
    migration: &Migration,
    scenario: Scenario,
    places: &[u64],
    kill: impl Fn(u64) -> Kill + Sync,
    expected: &[String; 7],
) -> BTreeMap<u64, String> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let Some(&place) = places.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                    let rehearsed = play(migration, &Request { kill: kill(place), ..calm(scenario, 1) });
                    let verdict = &rehearsed.verdict;
                    if !verdict.is_good() || end_state(&rehearsed) != *expected || verdict.controller_starts < 2 {
                        let what = format!(
                            "{} {:?} {:?}, {} starts",
                            verdict.outcome,
                            verdict.violations,
                            end_state(&rehearsed),
                            verdict.controller_starts
                        );
                        failures.lock().expect("no rehearsal panics").insert(place, what);
                    }
                }
            });
        }
    });
    failures.into_inner().expect("no rehearsal panics")
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
