//! When the migration moves, when it does not, and what it refuses to hear.

use bascule::migration::facts::{Fact, Latch};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::names::{Direction, Side};
use bascule::spec::Phase;
use bascule::spec::checks::Waiver;
use jiff::SignedDuration;

use super::common::Story;
use super::common::world::{Blind, Door, Status};

const CUTTING_OVER: [Rung; 3] = [Rung::Fence, Rung::Drain, Rung::Arm];

/// The facts that a plan records.
pub fn moves(plan: &Plan) -> Vec<Fact> {
    let fact = |action: &Action| match action {
        Action::Record(fact) => Some(fact.clone()),
        _ => None,
    };
    plan.actions.iter().filter_map(fact).collect()
}

fn aborts(story: &Story) -> Option<String> {
    match moves(&story.plan()).as_slice() {
        [Fact::Aborted { why }, Fact::Entered { rung: Rung::Aborted }] => Some(why.clone()),
        _ => None,
    }
}

fn blocked(story: &Story) -> Vec<String> {
    story.plan().blocked.iter().map(|block| block.reason.to_string()).collect()
}

#[test]
fn the_first_attempt_begins_by_itself() {
    assert_eq!(moves(&Story::begin().plan()), [Fact::AttemptBegun { attempt: 1 }]);
}

#[test]
fn a_waiver_is_made_durable_once_and_so_is_its_end_but_not_while_writes_are_paused() {
    let mut story = Story::entering(Rung::Validated, Phase::Validated);
    let until = story.now + SignedDuration::from_hours(1);
    let check = story.migration.spec.checks.names_with_paths()[0].1.clone();
    let waiver = Waiver { check, by: "ada".into(), why: "its host moves on Monday".into(), until };
    story.migration.spec.checks.waivers.push(waiver.clone());
    let written_down = Fact::WaiversInForce { waivers: vec![waiver] };
    assert_eq!(moves(&story.plan()), std::slice::from_ref(&written_down));
    assert!(written_down.to_string().contains("is waived by ada until"), "{written_down}");
    story.record(&written_down);
    assert!(!moves(&story.plan()).iter().any(|fact| matches!(fact, Fact::WaiversInForce { .. })), "once is enough");

    story.now = until;
    assert_eq!(moves(&story.plan()), [Fact::WaiversInForce { waivers: Vec::new() }]);
    for rung in CUTTING_OVER {
        let mut paused = Story::entering(rung, Phase::CutOver);
        paused.migration.spec.checks.waivers = story.migration.spec.checks.waivers.clone();
        assert!(!moves(&paused.plan()).iter().any(|fact| matches!(fact, Fact::WaiversInForce { .. })), "{rung}");
    }
}

#[test]
fn a_rung_is_not_left_while_what_it_needs_is_unknown() {
    for (rung, blind) in [
        (Rung::Preflight, Blind::Legacy),
        (Rung::Prepared, Blind::Elb),
        (Rung::Replicating, Blind::Dms),
        (Rung::RollbackArmed, Blind::Route53),
        (Rung::Drain, Blind::Target),
        (Rung::Arm, Blind::Dms),
        (Rung::Open, Blind::Target),
        (Rung::Flip, Blind::Route53),
    ] {
        let mut story = Story::entering(rung, Phase::CutOver);
        story.world.blind.insert(blind);
        for _ in 0..10 {
            let _ = story.turn();
            assert!([rung, Rung::Aborted].contains(&story.facts.rung), "{rung} was left for {}", story.facts.rung);
        }
    }
}

#[test]
fn a_spent_budget_aborts_and_a_second_less_does_not() {
    for rung in CUTTING_OVER {
        let mut story = Story::entering(rung, Phase::CutOver);
        let began = story.facts.pause_began.expect("writes are paused");
        story.now = began + SignedDuration::from_secs(29);
        assert_eq!(aborts(&story), None, "{rung}");
        story.now = began + SignedDuration::from_secs(30);
        assert!(aborts(&story).is_some_and(|why| why.contains("the budget is 30s")), "{rung}");
    }
}

#[test]
fn an_operator_who_asks_for_an_earlier_phase_or_pauses_aborts() {
    for rung in CUTTING_OVER {
        let story = Story::entering(rung, Phase::CutOver);
        let mut earlier = story.clone();
        earlier.wish(Phase::RollbackArmed);
        assert_eq!(aborts(&earlier).as_deref(), Some("the operator asks for RollbackArmed"));
        let mut paused = story;
        paused.migration.spec.paused = true;
        assert!(aborts(&paused).is_some_and(|why| why.contains("paused")));
    }
}

#[test]
fn a_fence_lifted_from_outside_aborts_once_it_had_been_proven() {
    for rung in [Rung::Drain, Rung::Arm] {
        let mut story = Story::entering(rung, Phase::CutOver);
        story.world.legacy.app = Door::Open;
        assert!(aborts(&story).is_some_and(|why| why.contains("lifted from outside")), "{rung}");
    }
    let mut story = Story::entering(Rung::Fence, Phase::CutOver);
    story.world.legacy.app = Door::Open;
    assert_eq!(aborts(&story), None, "before the proof an open door is only not closed yet");
}

#[test]
fn an_unseen_legacy_is_not_taken_for_a_lifted_fence() {
    let mut story = Story::entering(Rung::Drain, Phase::CutOver);
    story.world.blind.insert(Blind::Legacy);
    assert_eq!(aborts(&story), None);
}

#[test]
fn nothing_aborts_after_the_point_of_no_return() {
    let mut story = Story::entering(Rung::Arm, Phase::CutOver);
    story.until(|story| story.facts.is_past_no_return());
    for disturb in [
        (|story: &mut Story| story.now += SignedDuration::from_hours(1)) as fn(&mut Story),
        |story| story.wish(Phase::Preflight),
        |story| story.migration.spec.paused = true,
        |story| story.world.legacy.app = Door::Open,
        |story| story.world.lagging = true,
    ] {
        let mut story = story.clone();
        disturb(&mut story);
        for _ in 0..20 {
            assert_eq!(aborts(&story), None);
            let _ = story.turn();
            assert_ne!(story.facts.rung, Rung::Aborted);
        }
    }
}

#[test]
fn the_point_of_no_return_is_not_passed_without_time_to_open_the_target() {
    let mut story = Story::entering(Rung::Arm, Phase::CutOver);
    story.until(|story| story.facts.reverse_start.is_some());
    let began = story.facts.pause_began.expect("writes are paused");
    story.now = began + SignedDuration::from_secs(26);
    assert!(moves(&story.plan()).is_empty(), "four seconds are left, five are kept");
    story.now = began + SignedDuration::from_secs(25);
    assert_eq!(moves(&story.plan()), [Fact::PointOfNoReturn]);
}

#[test]
fn an_abort_asks_for_legacy_alone_and_needs_neither_dns_nor_dms() {
    for rung in CUTTING_OVER {
        let mut story = Story::entering(rung, Phase::CutOver);
        story.until(|story| story.world.legacy.app == Door::Shut);
        story.world.blind.extend([Blind::Dms, Blind::Route53, Blind::Rds, Blind::Elb]);
        story.now += SignedDuration::from_secs(31);
        let _ = story.turn();
        assert_eq!(story.facts.rung, Rung::Aborted);
        let _ = story.turn();
        assert_eq!(story.world.legacy.app, Door::Open, "{rung}");
    }
}

#[test]
fn a_pause_never_keeps_both_sides_closed() {
    for (rung, phase, opens) in [
        (Rung::Fence, Phase::CutOver, Side::Legacy),
        (Rung::Drain, Phase::CutOver, Side::Legacy),
        (Rung::Arm, Phase::CutOver, Side::Legacy),
        (Rung::Open, Phase::CutOver, Side::Target),
        (Rung::RollbackOpen, Phase::RolledBack, Side::Legacy),
    ] {
        let mut story = Story::entering(rung, phase);
        story.until(|story| story.world.legacy.app == Door::Shut && story.world.target.app == Door::Shut);
        story.migration.spec.paused = true;
        for _ in 0..5 {
            let _ = story.turn();
        }
        assert_eq!(story.world.server(opens).app, Door::Open, "paused at {rung}, {opens} stays closed");
    }
}

#[test]
fn a_pause_changes_nothing_where_somebody_can_write() {
    for phase in [Phase::Prepared, Phase::Replicating, Phase::RollbackArmed, Phase::CutOver] {
        let mut story = Story::resting(phase);
        story.migration.spec.paused = true;
        story.world.redirect = false;
        story.world.target.validation = Door::Shut;
        assert!(story.plan().is_idle(), "{phase}");
    }
}

#[test]
fn an_aborted_attempt_is_latched_until_its_number_is_raised() {
    let mut story = Story::aborted();
    assert!(matches!(story.facts.latch, Latch::Aborted { .. }));
    assert_eq!(blocked(&story), ["AttemptLatched"]);
    for _ in 0..20 {
        let _ = story.turn();
        assert_eq!(story.facts.rung, Rung::Aborted, "Git asks for CutOver again and again");
    }
    story.migration.spec.attempt = 2;
    assert_eq!(moves(&story.plan()), [Fact::AttemptBegun { attempt: 2 }]);
}

#[test]
fn a_rolled_back_attempt_is_latched_until_its_number_is_raised() {
    let mut story = Story::resting(Phase::RolledBack);
    story.wish(Phase::CutOver);
    assert_eq!(blocked(&story), ["AttemptLatched"]);
    assert!(story.plan().is_idle());
    story.migration.spec.attempt = 2;
    assert_eq!(moves(&story.plan()), [Fact::AttemptBegun { attempt: 2 }]);
    story.settle();
    assert_eq!(story.facts.rung, Rung::Observing, "a second attempt after a rollback reaches the target");
}

#[test]
fn an_attempt_raised_in_the_middle_is_refused_and_changes_nothing() {
    for rung in [Rung::Fence, Rung::Drain, Rung::Arm, Rung::Open, Rung::Flip] {
        let mut story = Story::entering(rung, Phase::CutOver);
        story.migration.spec.attempt = 2;
        story.until(|story| story.facts.rung == Rung::Observing);
        assert_eq!(story.facts.attempt, 1);
        assert_eq!(blocked(&story), ["AttemptUnderWay"]);
    }
}

#[test]
fn a_lowered_attempt_is_refused() {
    let mut story = Story::aborted();
    story.migration.spec.attempt = 2;
    story.until(|story| story.facts.attempt == 2);
    story.migration.spec.attempt = 1;
    story.until(|story| !story.plan().blocked.is_empty());
    assert_eq!(blocked(&story), ["AttemptLowered"]);
}

#[test]
fn an_earlier_phase_after_the_point_of_no_return_is_refused() {
    for phase in [Phase::Preflight, Phase::Prepared, Phase::Replicating, Phase::Validated, Phase::RollbackArmed] {
        let mut story = Story::resting(Phase::CutOver);
        story.wish(phase);
        assert_eq!(blocked(&story), ["PastNoReturn"], "{phase}");
        assert!(story.plan().is_idle());
    }
}

#[test]
fn a_rollback_of_what_never_took_a_write_is_refused() {
    for phase in [Phase::Preflight, Phase::Prepared, Phase::Replicating, Phase::Validated, Phase::RollbackArmed] {
        let mut story = Story::resting(phase);
        story.wish(Phase::RolledBack);
        for _ in 0..5 {
            let plan = story.turn();
            assert!(moves(&plan).is_empty(), "{phase}: {:?}", plan.actions);
        }
        assert!(blocked(&story).contains(&"NothingToRollBack".to_owned()), "{phase}");
    }
}

/// A gate, and what closes it.
type Hindrance = (&'static str, fn(&mut Story));

/// What must not be so when a rollback begins.
const HINDRANCES: [Hindrance; 5] = [
    ("ReverseHealthy", |story| fail_reverse(story)),
    ("ReverseHealthy", |story| {
        story.world.blind.insert(Blind::Dms);
    }),
    ("LegacyFenced", |story| story.world.legacy.app = Door::Open),
    ("LegacyFenced", |story| {
        story.world.blind.insert(Blind::Legacy);
    }),
    ("ReverseLag", |story| story.world.lagging = true),
];

fn fail_reverse(story: &mut Story) {
    if let Some(task) = story.world.task_mut(Direction::Reverse) {
        task.status = Status::Failed;
    }
}

#[test]
fn a_rollback_that_could_not_end_does_not_begin_and_says_why() {
    for (gate, hinder) in HINDRANCES {
        let mut story = Story::resting(Phase::CutOver);
        story.wish(Phase::RolledBack);
        hinder(&mut story);
        let plan = story.plan();
        assert!(moves(&plan).is_empty(), "{gate}");
        let said: Vec<&str> = plan
            .blocked
            .iter()
            .map(|block| block.message.as_str())
            .chain(plan.waiting.iter().map(|wait| wait.message.as_str()))
            .collect();
        assert!(said.iter().any(|text| text.contains(gate)), "{gate}: {said:?}");
    }
}

#[test]
fn a_rollback_does_not_begin_while_the_migration_is_paused() {
    let mut story = Story::resting(Phase::CutOver);
    story.wish(Phase::RolledBack);
    story.migration.spec.paused = true;
    assert!(moves(&story.plan()).is_empty());
}

#[test]
fn a_rollback_over_its_budget_is_given_up_and_the_target_takes_writes_again() {
    for rung in [Rung::RollbackFence, Rung::RollbackFlip] {
        let mut story = Story::entering(rung, Phase::RolledBack);
        story.until(|story| story.world.target.app == Door::Shut);
        story.now += SignedDuration::from_secs(31);
        let _ = story.turn();
        assert_eq!(story.facts.rung, Rung::Observing, "{rung}");
        story.until(|story| story.world.target.app == Door::Open);
        story.until(|story| story.world.public == Side::Target);
        for _ in 0..20 {
            let _ = story.turn();
            assert_eq!(story.facts.rung, Rung::Observing, "it is not begun again by itself");
        }
        assert_eq!(blocked(&story), ["RollbackAbandoned"]);
        story.wish(Phase::CutOver);
        story.settle();
        story.wish(Phase::RolledBack);
        story.settle();
        assert_eq!(story.facts.rung, Rung::RollbackOpen);
    }
}

#[test]
fn a_rollback_that_begins_before_the_flip_does_not_flip_any_more() {
    let mut story = Story::entering(Rung::Flip, Phase::CutOver);
    story.record(&Fact::Entered { rung: Rung::RollbackFence });
    story.wish(Phase::RolledBack);
    let plan = story.plan();
    assert!(!plan.actions.iter().any(|action| matches!(action, Action::Dns(_))), "{:?}", plan.actions);
    assert_eq!(story.world.public, Side::Legacy);
}

#[test]
fn a_target_fence_lifted_from_outside_gives_the_rollback_up() {
    let mut story = Story::entering(Rung::RollbackFlip, Phase::RolledBack);
    story.world.target.app = Door::Open;
    story.world.target.is_ahead = true;
    let _ = story.turn();
    assert_eq!(story.facts.rung, Rung::Observing);
    assert!(story.facts.rollback_abandoned.as_ref().is_some_and(|why| why.contains("lifted from outside")));
    for _ in 0..20 {
        let _ = story.turn();
        assert_ne!(story.world.legacy.app, Door::Open);
    }
}

#[test]
fn a_target_that_cannot_be_seen_is_not_taken_for_a_lifted_fence() {
    let mut story = Story::entering(Rung::RollbackFlip, Phase::RolledBack);
    story.world.blind.insert(Blind::Target);
    let _ = story.turn();
    assert_eq!(story.facts.rung, Rung::RollbackFlip);
}

#[test]
fn a_second_rollback_in_the_same_second_waits_for_its_own_marker() {
    let mut story = Story::entering(Rung::RollbackFlip, Phase::RolledBack);
    story.until(|story| !story.world.target.unsent.is_empty());
    story.world.rest();
    let first = story.world.legacy.markers.clone();
    story.wish(Phase::CutOver);
    story.until(|story| story.facts.rung == Rung::Observing);
    let began = story.now;
    story.until(|story| story.world.target.app == Door::Open);
    // Everything happens within one second of the first one's beginning.
    story.now = story.facts.entered[&Rung::RollbackFence] + SignedDuration::from_millis(900);
    assert!(began >= story.facts.entered[&Rung::RollbackFence]);
    for fact in [Fact::RollbackWithdrawn, Fact::Entered { rung: Rung::RollbackFence }, Fact::Entered { rung: Rung::RollbackFlip }]
    {
        story.record(&fact);
    }
    story.wish(Phase::RolledBack);
    story.world.target.app = Door::Shut;
    story.world.target.validation = Door::Shut;
    let second = story.plan().actions.into_iter().find_map(|action| match action {
        Action::WriteMarker { marker, .. } => Some(marker),
        _ => None,
    });
    assert!(second.is_some_and(|marker| !first.contains(&marker)), "the first one's marker has arrived long ago");
}

#[test]
fn a_reverse_task_that_failed_while_legacy_opens_does_not_keep_the_rollback_from_ending() {
    let mut story = Story::entering(Rung::RollbackOpen, Phase::RolledBack);
    fail_reverse(&mut story);
    story.until(|story| story.facts.reached.contains_key(&Phase::RolledBack));
}

#[test]
fn completion_waits_for_the_window_and_for_a_living_way_back() {
    let mut story = Story::resting(Phase::CutOver);
    story.wish(Phase::Completed);
    let began = story.facts.entered[&Rung::Observing];
    story.now = began + SignedDuration::from_hours(48) - SignedDuration::from_secs(1);
    assert!(moves(&story.plan()).is_empty(), "a second of the window is left");
    story.now += SignedDuration::from_secs(1);
    assert_eq!(moves(&story.plan()), [Fact::Entered { rung: Rung::Completed }]);
    for (gate, hinder) in HINDRANCES {
        let mut story = story.clone();
        hinder(&mut story);
        assert!(moves(&story.plan()).is_empty(), "completed in spite of {gate}");
    }
}

#[test]
fn a_completed_migration_is_never_rolled_back() {
    let mut story = Story::resting(Phase::Completed);
    story.wish(Phase::RolledBack);
    assert_eq!(blocked(&story), ["RollbackGivenUp"]);
    assert!(story.plan().is_idle());
}
