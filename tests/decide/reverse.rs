//! A reverse stream that does not stay up: resumed, told after some tries, never given up, and well again by itself.

use bascule::controllers::replication::{ReplicationAction, StartType};
use bascule::migration::crossing::{Crossing, Glimpse};
use bascule::migration::decide::decide;
use bascule::migration::facts::Fact;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::migration::reverse::DEAD;
use bascule::names::Direction;
use bascule::spec::Phase;
use jiff::SignedDuration;

use super::common::Story;
use super::common::world::Status;

fn resumes(plan: &Plan) -> bool {
    let is_resume = |action: &Action| {
        matches!(
            action,
            Action::Replication(ReplicationAction::StartTask { direction: Direction::Reverse, how: StartType::Resume, .. })
        )
    };
    plan.actions.iter().any(is_resume)
}

fn is_held(plan: &Plan) -> bool {
    plan.blocked.iter().any(|block| block.reason.0 == DEAD)
}

fn set(story: &mut Story, status: Status) {
    story.world.task_mut(Direction::Reverse).as_mut().expect("the reverse task").status = status;
}

/// The reverse task fails, is resumed, and fails again, so many times.
fn failing(times: u32) -> Story {
    let mut story = Story::resting(Phase::CutOver);
    for _ in 0..times {
        set(&mut story, Status::Failed);
        let plan = story.plan();
        assert!(resumes(&plan) && !is_held(&plan), "a failure that may pass is tried again at once: {plan:#?}");
        plan.actions.iter().for_each(|action| story.carry_out(action));
    }
    set(&mut story, Status::Failed);
    story
}

#[test]
fn after_three_resumes_in_a_row_a_person_is_told_and_the_stream_is_tried_seldom() {
    let mut story = failing(3);
    let plan = story.plan();
    assert!(is_held(&plan) && !resumes(&plan), "{plan:#?}");
    let message = &plan.blocked[0].message;
    for part in ["resumed 3 times", "failed", "out of memory", "Writes stay on the target"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(plan.look_again_at.is_some_and(|at| at <= story.now + SignedDuration::from_mins(5)), "{plan:#?}");
    story.now += SignedDuration::from_mins(5);
    let plan = story.plan();
    assert!(is_held(&plan) && resumes(&plan), "it is not given up: {plan:#?}");
}

#[test]
fn a_resumed_stream_that_stays_up_is_well_again_and_one_that_has_only_just_begun_is_not() {
    let mut story = failing(3);
    story.now += SignedDuration::from_mins(5);
    let plan = story.plan();
    plan.actions.iter().for_each(|action| story.carry_out(action));
    story.world.rest();
    assert!(is_held(&story.plan()), "it runs, as it did each time before it failed");
    story.now += SignedDuration::from_secs(60);
    assert_eq!(story.plan().actions, [Action::Record(Fact::ReverseRecovered)]);
    story.record(&Fact::ReverseRecovered);
    let plan = story.plan();
    assert!(plan.is_idle() && plan.blocked.is_empty(), "{plan:#?}");
}

#[test]
fn tries_that_each_led_to_a_stream_that_stayed_up_are_not_added_up() {
    let mut story = Story::resting(Phase::CutOver);
    for _ in 0..10 {
        set(&mut story, Status::Failed);
        story.until(|story| story.facts.reverse_tries.is_some());
        story.now += SignedDuration::from_hours(1);
        story.until(|story| story.facts.reverse_tries.is_none());
        assert!(!is_held(&story.plan()));
    }
}

#[test]
fn a_stream_that_says_it_runs_and_brings_nothing_is_as_dead() {
    let story = Story::resting(Phase::CutOver);
    let silent = |minutes: i64| {
        let mut seen = story.seen();
        seen.crossing = Crossing::default();
        let sent = Some(story.now - SignedDuration::from_mins(minutes));
        seen.crossing.note(Glimpse { now: story.now, sent, written: sent, arrived: None }, std::time::Duration::from_secs(10));
        decide(&story.migration, &story.facts, &seen, story.now)
    };
    assert!(!is_held(&silent(9)));
    let plan = silent(11);
    assert!(is_held(&plan) && plan.blocked[0].message.contains("no heartbeat that the target sent since"), "{plan:#?}");
}

#[test]
fn a_dead_way_back_never_ends_the_observation_whatever_is_asked_for_and_however_late_it_is() {
    let mut story = failing(3);
    story.now = story.facts.entered[&Rung::Observing] + SignedDuration::from_hours(72);
    for phase in [Phase::Completed, Phase::RolledBack] {
        story.wish(phase);
        let plan = story.plan();
        assert!(is_held(&plan) && !plan.actions.iter().any(|action| matches!(action, Action::Record(_))), "{plan:#?}");
    }
}

#[test]
fn where_no_way_back_hangs_on_it_nothing_is_held() {
    let mut story = failing(3);
    story.facts.rung = Rung::RollbackOpen;
    assert!(!is_held(&story.plan()));
}
