//! The whole journey on real servers: forward, rollback and abort.

use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Kill, Rehearsed, Request, rehearse_on_servers};
use bascule::rehearsal::verdict::Verdict;
use bascule::sim::profile::FaultProfile;
use bascule::spec::Migration;
use bascule::spec::load::load;

fn migration() -> Migration {
    let text = include_bytes!("../../manifests/base/payments.yaml");
    load("payments.yaml", text).expect("the example is valid").migration.into_inner()
}

fn played(scenario: Scenario, kill: Kill) -> Rehearsed {
    let play = move || {
        let request = Request { kill, ..Request::new(scenario, "calm", FaultProfile::calm(), 7) };
        rehearse_on_servers(&migration(), &request, &mut |moment| println!("{:.0} {}", moment.at, moment.what)).expect("a lab")
    };
    // What a main thread has: a pass is one deep future.
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(play).expect("a thread");
    thread.join().expect("it does not panic")
}

/// Nothing lost, nothing twice, nothing broken, and not for want of payments.
fn assert_good(verdict: &Verdict, outcome: &str) {
    let lab = verdict.lab.as_ref().expect("real servers report");
    assert_eq!(verdict.outcome, outcome, "{verdict:#?}");
    assert_eq!(verdict.violations, []);
    assert_eq!((lab.payments.lost, lab.payments.duplicated, lab.left_behind), (0, 0, 0), "{lab:#?}");
    assert!(lab.payments.acknowledged > 500, "customers got on: {}", lab.payments.acknowledged);
    assert!(lab.payments.refused > 0, "the fence was felt");
    assert!(verdict.is_good(), "{verdict:#?}");
}

fn assert_rows_agree(verdict: &Verdict) {
    let tables = verdict.lab.as_ref().and_then(|lab| lab.tables.as_ref()).expect("both sides were read");
    assert_eq!(tables.len(), 5);
    for pair in tables {
        assert!(pair.legacy.rows > 0, "{} is empty", pair.legacy.table);
        assert_eq!(pair.legacy, pair.target);
    }
}

#[test]
fn forward_ends_with_every_acknowledged_payment_on_the_target_once_and_equal_rows() {
    let rehearsed = played(Scenario::Forward, Kill::ByProfile);
    assert_good(&rehearsed.verdict, "Completed");
    assert_rows_agree(&rehearsed.verdict);
    let reloads = rehearsed.timeline.moments.iter().filter(|moment| moment.what.contains("to cure duplicate keys")).count();
    assert!(reloads > 0, "the busy table had its duplicates, and was cured");
    let pause = rehearsed.verdict.pauses.first().expect("a pause");
    let sum: f64 = pause.steps.iter().map(|step| step.seconds).sum();
    assert!((sum - pause.seconds).abs() < 1e-6, "the steps are the whole pause: {pause:?}");
}

#[test]
fn a_rollback_ends_with_every_payment_on_legacy_once_whichever_side_took_it() {
    let rehearsed = played(Scenario::Rollback, Kill::ByProfile);
    assert_good(&rehearsed.verdict, "RolledBack");
    assert_eq!(rehearsed.verdict.pauses.len(), 2, "there and back");
}

#[test]
fn a_stalled_drain_is_aborted_and_the_second_attempt_completes() {
    let rehearsed = played(Scenario::Abort, Kill::ByProfile);
    assert_good(&rehearsed.verdict, "Completed");
    assert_rows_agree(&rehearsed.verdict);
    assert!(rehearsed.verdict.attempts.len() > 1, "{:?}", rehearsed.verdict.attempts);
    assert!(rehearsed.verdict.attempts[0].end.starts_with("Aborted"), "{:?}", rehearsed.verdict.attempts);
}
