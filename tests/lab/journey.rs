//! The whole journey on real servers: forward, rollback and abort; undisturbed, and through deaths of everything that can die.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use bascule::lab::bridge::Mishap;
use bascule::migration::ladder::Rung;
use bascule::names::{Direction, Side};
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Kill, Killed, Rehearsed, Request, rehearse_on_servers};
use bascule::rehearsal::verdict::Verdict;
use bascule::sim::profile::FaultProfile;
use bascule::spec::Migration;
use bascule::spec::load::load;

use crate::ended::end_state;

fn migration() -> Migration {
    let text = include_bytes!("../../manifests/base/payments.yaml");
    load("payments.yaml", text).expect("the example is valid").migration.into_inner()
}

fn played(scenario: Scenario, kill: Kill, mishaps: &[(Rung, Mishap)]) -> Rehearsed {
    let request = Request { kill, mishaps: mishaps.to_vec(), ..Request::new(scenario, "calm", FaultProfile::calm(), 7) };
    let play = move || {
        rehearse_on_servers(&migration(), &request, &mut |moment| println!("{:.3} {}", moment.at, moment.what)).expect("a lab")
    };
    // What a main thread has: a pass is one deep future.
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(play).expect("a thread");
    thread.join().expect("it does not panic")
}

/// Forward, with nobody in its way but a customer who holds a transaction open. Played once for all who compare with it.
fn forward() -> &'static Rehearsed {
    static FORWARD: OnceLock<Rehearsed> = OnceLock::new();
    let held = [(Rung::RollbackArmed, Mishap::TransactionHeld(Side::Legacy))];
    FORWARD.get_or_init(|| played(Scenario::Forward, Kill::ByProfile, &held))
}

/// There and back, with a transaction held open on the target before the way back.
fn rollback() -> &'static Rehearsed {
    static ROLLBACK: OnceLock<Rehearsed> = OnceLock::new();
    let held = [(Rung::Observing, Mishap::TransactionHeld(Side::Target))];
    ROLLBACK.get_or_init(|| played(Scenario::Rollback, Kill::ByProfile, &held))
}

/// Nothing lost, nothing twice, nothing broken, nothing left to do, and not for want of payments.
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

/// The transaction was killed: its customer was told nothing, and no side has its row.
fn assert_nothing_is_left_of_what_was_held(verdict: &Verdict, side: Side) {
    let held = &verdict.lab.as_ref().expect("real servers report").held;
    let [held] = held.as_slice() else { panic!("one was held: {held:?}") };
    assert_eq!((held.side, held.rows), (side, 0), "{held:?}");
    assert!(["1053", "1317", "1927", "connection lost"].contains(&held.ended_by.as_str()), "{held:?}");
}

fn count(rehearsed: &Rehearsed, what: &str) -> usize {
    rehearsed.timeline.moments.iter().filter(|moment| moment.what.contains(what)).count()
}

#[test]
fn forward_ends_with_every_acknowledged_payment_on_the_target_once_and_equal_rows() {
    let rehearsed = forward();
    assert_good(&rehearsed.verdict, "Completed");
    assert_rows_agree(&rehearsed.verdict);
    assert_nothing_is_left_of_what_was_held(&rehearsed.verdict, Side::Legacy);
    assert!(count(rehearsed, "to cure duplicate keys") > 0, "the busy table had its duplicates, and was cured");
    let pause = rehearsed.verdict.pauses.first().expect("a pause");
    let sum: f64 = pause.steps.iter().map(|step| step.seconds).sum();
    assert!((sum - pause.seconds).abs() < 1e-6, "the steps are the whole pause: {pause:?}");
    assert_time_was_real(&rehearsed.verdict);
}

/// A rest is forty thousand times as short as it says; a pause must be as long. A second is what a busy machine may take
/// between two looks at two clocks, and eleven hours of a rehearsal that does not know that customers wait.
fn assert_time_was_real(verdict: &Verdict) {
    let lab = verdict.lab.as_ref().expect("real servers report");
    assert!(!lab.switches.is_empty());
    for switch in &lab.switches {
        let by_the_rehearsal = u64::try_from(switch.pause().as_millis()).expect("a short time");
        assert!(by_the_rehearsal.abs_diff(switch.real_milliseconds) < 1_000, "{by_the_rehearsal} ms: {switch:?}");
    }
}

#[test]
fn a_rollback_ends_with_every_payment_on_legacy_once_whichever_side_took_it() {
    let rehearsed = rollback();
    assert_good(&rehearsed.verdict, "RolledBack");
    assert_rows_agree(&rehearsed.verdict);
    assert_nothing_is_left_of_what_was_held(&rehearsed.verdict, Side::Target);
    assert_eq!(rehearsed.verdict.pauses.len(), 2, "there and back");
    assert_time_was_real(&rehearsed.verdict);
}

#[test]
fn a_stalled_drain_is_aborted_and_the_second_attempt_completes() {
    let rehearsed = played(Scenario::Abort, Kill::ByProfile, &[]);
    assert_good(&rehearsed.verdict, "Completed");
    assert_rows_agree(&rehearsed.verdict);
    assert!(rehearsed.verdict.attempts.len() > 1, "{:?}", rehearsed.verdict.attempts);
    assert!(rehearsed.verdict.attempts[0].end.starts_with("Aborted"), "{:?}", rehearsed.verdict.attempts);
}

/// What dies on the way forward, while the controller dies too.
const DEATHS_FORWARD: [(Rung, Mishap); 4] = [
    (Rung::Validated, Mishap::ServerDies(Side::Legacy)),
    (Rung::RollbackArmed, Mishap::MoverDies(Direction::Forward)),
    (Rung::Drain, Mishap::ServerDies(Side::Target)),
    (Rung::Observing, Mishap::ServerDies(Side::Target)),
];

/// What dies on the way there and back.
const DEATHS_BACK: [(Rung, Mishap); 3] = [
    (Rung::Fence, Mishap::ServerDies(Side::Legacy)),
    (Rung::Observing, Mishap::ServerDies(Side::Legacy)),
    (Rung::RollbackFlip, Mishap::ServerDies(Side::Target)),
];

/// Deaths of the controller on each rung, at most.
const TIMES: usize = 3;

#[test]
fn a_controller_killed_on_every_rung_among_dying_servers_ends_like_the_undisturbed_one() {
    let kill = Kill::OnEveryRung { times: TIMES };
    let (there, back) = std::thread::scope(|scope| {
        let there = scope.spawn(|| played(Scenario::Forward, kill, &DEATHS_FORWARD));
        let back = scope.spawn(|| played(Scenario::Rollback, kill, &DEATHS_BACK));
        (there.join().expect("a journey"), back.join().expect("a journey"))
    });
    assert_good(&there.verdict, "Completed");
    assert_rows_agree(&there.verdict);
    assert_good(&back.verdict, "RolledBack");
    assert_rows_agree(&back.verdict);
    assert_eq!(end_state(&there), end_state(forward()));
    assert_eq!(end_state(&back), end_state(rollback()));
    assert_eq!(count(&there, "is killed"), DEATHS_FORWARD.len(), "everything died that should");
    assert_eq!(count(&back, "is killed"), DEATHS_BACK.len(), "everything died that should");

    let killed: Vec<Killed> = [&there, &back].into_iter().flat_map(|journey| journey.killed.iter().copied()).collect();
    println!("{} deaths of the controller: {killed:?}", killed.len());
    assert!(killed.len() >= 40, "{}", killed.len());
    let rungs: BTreeSet<Rung> = killed.iter().map(|killed| killed.rung).collect();
    let elsewhere = [Rung::Aborted, Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport];
    for rung in Rung::ALL.into_iter().filter(|rung| !elsewhere.contains(rung)) {
        assert!(rungs.contains(&rung), "nobody died on {rung}: {rungs:?}");
    }
}
