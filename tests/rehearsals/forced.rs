//! Whole migrations whose way back dies for good, and whose operator goes back all the same.

use bascule::migration::ladder::Rung;
use bascule::migration::status::{ConditionType, ForcedStanding};
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Kill, Rehearsed, Request};
use bascule::spec::Phase;

use super::ended::end_state;
use super::{brisk, calm, play, stride, sweep};

/// Where in the timeline a sentence begins with these words.
fn place(rehearsed: &Rehearsed, words: &str) -> usize {
    let moments = &rehearsed.timeline.moments;
    moments.iter().position(|moment| moment.what.starts_with(words)).unwrap_or_else(|| panic!("{words:?}: {moments:#?}"))
}

#[test]
fn a_forced_rollback_leaves_every_payment_on_legacy_or_in_quarantine_and_none_nowhere() {
    let rehearsed = play(&brisk(), &calm(Scenario::Forced, 1));
    let verdict = &rehearsed.verdict;
    assert!(verdict.is_good(), "{} {:?}", verdict.outcome, verdict.violations);
    assert_eq!(verdict.phases.last().map(|entry| entry.phase), Some(Phase::RolledBack));
    assert_eq!((verdict.payments.lost, verdict.payments.duplicated), (0, 0));
    assert!(verdict.payments.quarantined > 0, "customers had paid on the target: {:?}", verdict.payments);

    let order = [
        "reverse replication loses its account",
        "sets spec.phase to RolledBack, though no way back is ready",
        "accepts the loss of every write that legacy lacks",
        "force the rollback: ada accepts the loss",
        "every row that legacy lacks is saved: ",
        "the pause of writes is over: the legacy side takes them",
    ];
    let places = order.map(|words| place(&rehearsed, words));
    assert!(places.is_sorted(), "{places:?}");

    let status = rehearsed.status.as_ref().expect("it was published");
    let forced = status.rollback.forced.as_ref().expect("it says that it was forced");
    assert_eq!(forced.standing, ForcedStanding::Forced);
    let rows = forced.quarantined.as_ref().expect("rows are saved").tables["payments.payments"];
    assert!(rows >= verdict.payments.quarantined, "{rows} rows of payments, {:?}", verdict.payments);
    let condition = status.conditions.iter().find(|condition| condition.condition_type == ConditionType::RollbackReady);
    assert_eq!(condition.expect("it is there").reason.0, "Forced");
    assert!(verdict.rollback_write_pause_seconds.is_some(), "customers paid on legacy again");
}

#[test]
fn the_same_forced_rollback_is_the_same_byte_for_byte() {
    let told = || {
        let rehearsed = play(&brisk(), &calm(Scenario::Forced, 7));
        serde_json::to_string(&(&rehearsed.verdict, &rehearsed.timeline, &rehearsed.status)).expect("JSON")
    };
    assert_eq!(told(), told());
}

#[test]
fn a_controller_killed_on_every_rung_of_a_forced_rollback_ends_where_the_undisturbed_one_ends() {
    let migration = brisk();
    let reference = play(&migration, &calm(Scenario::Forced, 1));
    let killed = play(&migration, &Request { kill: Kill::OnEveryRung { times: 2 }, ..calm(Scenario::Forced, 1) });
    assert!(killed.verdict.is_good(), "{} {:?}", killed.verdict.outcome, killed.verdict.violations);
    assert_eq!(end_state(&killed), end_state(&reference));
    // A stream that is down already is stopped within the look that finds it so: no pass begins on that rung.
    for rung in [Rung::ForcedFence, Rung::ForcedExport, Rung::RollbackOpen] {
        assert!(killed.killed.iter().any(|killed| killed.rung == rung), "nobody died on {rung}: {:?}", killed.killed);
    }
}

/// A forced rollback passes about so many places, from the word to customers on legacy.
const LAST_PLACES: u64 = 600;

#[test]
fn a_controller_killed_anywhere_in_a_forced_rollback_ends_where_the_undisturbed_one_ends() {
    let migration = brisk();
    let reference = play(&migration, &Request { kill: Kill::AtPlace(u64::MAX), ..calm(Scenario::Forced, 1) });
    assert!(reference.verdict.is_good(), "{:?}", reference.verdict.violations);
    let first = reference.places.saturating_sub(LAST_PLACES);
    let places: Vec<u64> = (first..reference.places).step_by(usize::try_from(stride(8 * LAST_PLACES)).unwrap_or(1)).collect();
    let failures = sweep(&migration, Scenario::Forced, &places, Kill::AtPlace, &end_state(&reference));
    assert!(failures.is_empty(), "of {} places: {failures:#?}", places.len());
}
