//! Hooks on the way there and on the way back: who is told what and when, what waits for it, and what never does.

use bascule::controllers::dns::{DnsAction, DnsPurpose};
use bascule::controllers::fence::FenceAction;
use bascule::controllers::hooks::HookAction;
use bascule::migration::facts::{Fact, Latch};
use bascule::migration::gates::Gate;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Pace, Plan};
use bascule::names::Side;
use bascule::spec::{Demand, HookPoint, Phase};
use jiff::SignedDuration;

use super::common::Story;
use super::common::hooks::hooks;
use super::common::world::Door;

/// Armed, with hooks at every point, and the cutover asked for.
fn about_to_cut_over() -> Story {
    let mut story = Story::resting(Phase::RollbackArmed);
    story.migration.spec.hooks = hooks();
    story.wish(Phase::CutOver);
    story
}

/// The same with some of the hooks.
fn about_to_cut_over_with(wanted: &[&str]) -> Story {
    let mut story = about_to_cut_over();
    story.migration.spec.hooks.retain(|hook| wanted.contains(&hook.name.as_str()));
    assert_eq!(story.migration.spec.hooks.len(), wanted.len(), "{wanted:?}");
    story
}

/// Whom a plan calls: `point: names`.
fn calls(plan: &Plan) -> Vec<String> {
    let call = |action: &Action| match action {
        Action::Hook(HookAction::Call { point, hooks, .. }) => {
            let names: Vec<&str> = hooks.iter().map(|hook| hook.as_str()).collect();
            Some(format!("{point}: {}", names.join(", ")))
        }
        _ => None,
    };
    plan.actions.iter().filter_map(call).collect()
}

/// Every call on the way to where something holds, with the rung that it was made on.
fn told(story: &mut Story, holds: impl Fn(&Story) -> bool) -> Vec<String> {
    let mut told = Vec::new();
    for _ in 0..600 {
        if holds(story) {
            return told;
        }
        let rung = story.facts.rung;
        told.extend(calls(&story.turn()).into_iter().map(|call| format!("{rung} {call}")));
    }
    panic!("it never came to pass: {told:?}; the story stands at {}: {:#?}", story.facts.rung, story.plan());
}

fn words(plan: &Plan) -> Vec<String> {
    let waits = plan.waiting.iter().map(|wait| wait.reason.to_string());
    waits.chain(plan.blocked.iter().map(|block| block.reason.to_string())).collect()
}

#[test]
fn on_the_way_there_each_hook_is_called_once_and_at_its_point() {
    let mut story = about_to_cut_over();
    let told = told(&mut story, |story| story.facts.reached.contains_key(&Phase::CutOver));
    assert_eq!(
        told,
        [
            "RollbackArmed BeforeFence: go",
            "RollbackArmed BeforeFence: banner-on, cron-off",
            "Drain AfterFence: metrics, queues-held",
            "Open BeforeFlip: webhooks",
            "Flip AfterFlip: banner-off, cron-on",
        ]
    );
}

#[test]
fn on_the_way_back_and_after_an_abort_they_are_called_once_legacy_takes_writes() {
    let mut back = Story::resting(Phase::CutOver);
    back.migration.spec.hooks = hooks();
    back.wish(Phase::RolledBack);
    let there = told(&mut back, |story| story.facts.reached.contains_key(&Phase::RolledBack));
    assert_eq!(there, ["RollbackOpen AfterRollback: back-again"]);
    assert_eq!((back.world.legacy.app, back.world.public), (Door::Open, Side::Legacy));

    let mut aborted = about_to_cut_over();
    aborted.until(|story| story.facts.rung == Rung::Drain);
    aborted.now += SignedDuration::from_secs(31);
    let called = told(&mut aborted, |story| story.judge(Gate::HooksAfterAbort).is_open());
    assert_eq!(called, ["Aborted AfterAbort: all-clear"]);
    assert_eq!(aborted.world.legacy.app, Door::Open);
}

#[test]
fn nobody_is_called_until_everything_else_that_the_fence_waits_for_holds() {
    let mut story = about_to_cut_over();
    story.migration.spec.cutover.approvals.required = 2;
    for _ in 0..20 {
        assert_eq!(calls(&story.turn()), [""; 0]);
    }
    story.migration.spec.cutover.approvals.required = 0;
    story.until(|story| story.judge(Gate::HooksBeforeFence).is_open());
    assert!(story.facts.rung <= Rung::Fence);
}

#[test]
fn a_no_holds_the_fence_is_asked_again_and_the_wish_can_be_taken_back_at_no_cost() {
    let mut story = about_to_cut_over();
    story.world.hooks_answer = 409;
    let mut asked = 0;
    for _ in 0..60 {
        let plan = story.turn();
        asked += calls(&plan).len();
        assert!(calls(&plan).iter().all(|call| call == "BeforeFence: go"), "nothing else is called before a yes");
        assert!(plan.blocked.is_empty(), "a no is an answer: {:?}", plan.blocked);
        assert_eq!((story.facts.rung, story.world.legacy.app), (Rung::RollbackArmed, Door::Open));
    }
    assert!(asked > 5, "asked {asked} times");
    let held = story.plan();
    assert!(words(&held).contains(&"HookNotConfirmed".to_owned()), "{held:#?}");
    assert!(held.look_again_at.is_some_and(|at| at <= story.now + SignedDuration::from_secs(30)));
    story.wish(Phase::RollbackArmed);
    for _ in 0..5 {
        let _ = story.turn();
        assert_eq!((story.facts.rung, &story.facts.latch), (Rung::RollbackArmed, &Latch::Free));
    }
    story.wish(Phase::CutOver);
    story.world.hooks_answer = 200;
    story.until(|story| story.facts.rung == Rung::Fence);
}

#[test]
fn a_yes_that_grew_old_is_asked_for_anew() {
    let mut story = about_to_cut_over_with(&["go"]);
    let _ = story.turn();
    story.world.lagging = true;
    story.now += SignedDuration::from_mins(6);
    for _ in 0..5 {
        let _ = story.turn();
        assert_eq!(story.facts.rung, Rung::RollbackArmed);
    }
    story.world.lagging = false;
    assert_eq!(calls(&story.plan()), ["BeforeFence: go"], "the fence does not close on a yes of six minutes ago");
}

#[test]
fn a_demand_before_the_fence_that_is_never_met_is_held_and_told() {
    let mut story = about_to_cut_over_with(&["cron-off"]);
    story.world.hooks_answer = 503;
    for _ in 0..60 {
        let _ = story.turn();
        assert_eq!((story.facts.rung, story.world.legacy.app), (Rung::RollbackArmed, Door::Open));
    }
    story.until(|story| story.plan().is_idle());
    let plan = story.plan();
    assert_eq!(words(&plan), ["NextComparison", "HookNotTaken", "HookFails"]);
    assert_eq!(plan.pace, Pace::Settled, "looking more often mends nothing");
}

#[test]
fn a_cutover_that_others_were_told_of_is_taken_back_by_an_abort_that_they_are_told_of_too() {
    let mut story = about_to_cut_over_with(&["banner-on", "cron-off", "all-clear"]);
    story.world.hooks_answer = 503;
    story.until(|story| story.facts.hooks.0.len() == 2);
    story.world.hooks_answer = 204;
    story.wish(Phase::RollbackArmed);
    let plan = story.turn();
    let [Action::Record(Fact::Aborted { why }), Action::Record(Fact::Entered { rung: Rung::Aborted })] = plan.actions.as_slice()
    else {
        panic!("{plan:#?}")
    };
    assert_eq!(why, "the operator asks for RollbackArmed, and hooks had been called");
    let called = told(&mut story, |story| story.judge(Gate::HooksAfterAbort).is_open());
    assert_eq!(called, ["Aborted AfterAbort: all-clear"]);
    assert!(!story.facts.entered.contains_key(&Rung::Fence), "no fence was ever closed");
    assert_eq!(story.world.legacy.app, Door::Open);
}

#[test]
fn an_attempt_raised_after_others_were_told_of_the_last_waits_until_they_know_that_it_is_over() {
    let mut story = about_to_cut_over_with(&["cron-off", "all-clear"]);
    story.world.hooks_answer = 503;
    story.until(|story| !story.facts.hooks.0.is_empty());
    story.migration.spec.attempt = 2;
    for _ in 0..40 {
        let _ = story.turn();
        assert_eq!((story.facts.rung, story.facts.attempt), (Rung::Aborted, 1));
    }
    assert!(words(&story.plan()).contains(&"HookFails".to_owned()));
    story.world.hooks_answer = 204;
    story.until(|story| story.facts.attempt == 2);
    assert!(story.facts.hooks.0.is_empty(), "the next attempt calls everybody anew");
}

#[test]
fn who_is_only_told_delays_the_fence_by_three_calls_at_most() {
    let mut story = about_to_cut_over_with(&["banner-on"]);
    story.world.hooks_answer = 503;
    let began = story.now;
    let called = told(&mut story, |story| story.facts.rung == Rung::Fence);
    assert_eq!(called.len(), 3, "{called:?}");
    let took = story.now.duration_since(began);
    assert!(took < SignedDuration::from_secs(30), "{took:?}");
    let called = told(&mut story, |story| story.facts.reached.contains_key(&Phase::CutOver));
    assert_eq!(called, [""; 0], "what comes too late is not said any more");
}

#[test]
fn a_demand_in_the_pause_lasts_until_its_budget_is_spent_and_the_abort_does_not_wait_for_it() {
    let mut story = about_to_cut_over_with(&["queues-held", "all-clear"]);
    story.until(|story| story.facts.rung == Rung::Drain);
    story.world.hooks_answer = 503;
    story.until(|story| story.judge(Gate::Drained).is_open());
    for _ in 0..5 {
        let _ = story.turn();
        assert_eq!(story.facts.rung, Rung::Drain, "it is drained, and waits for the hook");
    }
    story.now = story.facts.pause_began.expect("writes are paused") + SignedDuration::from_secs(30);
    let _ = story.turn();
    assert_eq!(story.facts.rung, Rung::Aborted);
    let plan = story.turn();
    assert!(matches!(plan.actions.first(), Some(Action::Fence(FenceAction::Open { side: Side::Legacy, .. }))), "{plan:#?}");
    assert_eq!(calls(&plan), [""; 0], "nobody is called in the pass that opens legacy");
    assert_eq!(story.world.legacy.app, Door::Open, "legacy opens while every hook refuses");
    assert!(matches!(story.facts.latch, Latch::Aborted { .. }));
}

#[test]
fn while_nobody_can_write_a_hook_has_a_pass_of_its_own_and_who_is_told_is_told_once() {
    let mut story = about_to_cut_over_with(&["metrics"]);
    story.world.hooks_answer = 503;
    story.until(|story| story.facts.rung == Rung::Drain);
    let mut called = 0;
    while story.facts.rung == Rung::Drain {
        let plan = story.turn();
        if !calls(&plan).is_empty() {
            assert_eq!(plan.actions.len(), 1, "{:?}", plan.actions);
            assert_eq!(plan.pace, Pace::WritesPaused);
            called += 1;
        }
    }
    assert_eq!((called, story.facts.rung), (1, Rung::Arm));
}

#[test]
fn the_name_is_flipped_after_the_hooks_before_it_were_called_whatever_they_answer() {
    for answer in [204, 503] {
        let mut story = about_to_cut_over_with(&["webhooks"]);
        story.world.hooks_answer = answer;
        let mut order = Vec::new();
        while !story.facts.reached.contains_key(&Phase::CutOver) {
            let plan = story.turn();
            order.extend(calls(&plan));
            let is_flip =
                |action: &Action| matches!(action, Action::Dns(DnsAction::Change { purpose: DnsPurpose::FlipToTarget, .. }));
            order.extend(plan.actions.iter().any(is_flip).then(|| "flip".to_owned()));
        }
        assert_eq!(order, ["BeforeFlip: webhooks", "flip"], "{answer}");
    }
}

#[test]
fn a_demand_before_the_flip_that_got_past_the_check_of_the_file_holds_nothing_up() {
    let mut story = about_to_cut_over_with(&["webhooks"]);
    for hook in &mut story.migration.spec.hooks {
        hook.demand = Demand::Required;
    }
    story.world.hooks_answer = 503;
    story.until(|story| story.facts.reached.contains_key(&Phase::CutOver));
}

#[test]
fn a_demand_after_the_flip_keeps_the_cutover_from_being_called_done_and_not_the_way_back() {
    let mut story = about_to_cut_over_with(&["cron-on"]);
    story.world.hooks_answer = 503;
    story.until(|story| story.facts.rung == Rung::Flip);
    for _ in 0..100 {
        let _ = story.turn();
    }
    assert_eq!((story.facts.rung, story.world.public), (Rung::Flip, Side::Target));
    assert!(!story.facts.reached.contains_key(&Phase::CutOver));
    story.wish(Phase::RolledBack);
    story.until(|story| story.facts.reached.contains_key(&Phase::RolledBack));
    assert_eq!(story.world.legacy.app, Door::Open);
}

#[test]
fn demands_after_the_end_hold_up_what_follows_and_nobodys_writes() {
    let mut back = Story::resting(Phase::CutOver);
    back.migration.spec.hooks = hooks();
    back.world.hooks_answer = 503;
    back.wish(Phase::RolledBack);
    back.until(|story| story.facts.rung == Rung::RollbackOpen && story.judge(Gate::PublicBackAtLegacy).is_open());
    for _ in 0..60 {
        let _ = back.turn();
        assert_eq!((back.world.legacy.app, back.world.public), (Door::Open, Side::Legacy));
        assert!(!back.facts.reached.contains_key(&Phase::RolledBack));
    }
    assert!(words(&back.plan()).contains(&"HookFails".to_owned()));
    back.world.hooks_answer = 204;
    back.until(|story| story.facts.reached.contains_key(&Phase::RolledBack));
}

#[test]
fn nobody_is_called_while_the_migration_is_paused() {
    for rung in [Rung::RollbackArmed, Rung::Open, Rung::Flip] {
        let mut story = about_to_cut_over();
        story.until(|story| story.facts.rung == rung);
        story.migration.spec.paused = true;
        for _ in 0..20 {
            assert_eq!(calls(&story.turn()), [""; 0], "{rung}");
        }
    }
}

#[test]
fn a_heartbeat_that_is_all_else_that_is_missing_is_waited_for_at_once() {
    let mut story = about_to_cut_over();
    story.record(&Fact::ParityCompared { rows: 100, differing: Vec::new(), report: None });
    story.world.lagging = true;
    let plan = story.plan();
    let closed: Vec<&str> = plan.gates.iter().filter(|gate| !gate.standing.is_open()).map(|gate| gate.name.as_str()).collect();
    assert_eq!(closed, ["ForwardLag", "HooksBeforeFence"]);
    assert!(plan.look_again_at.is_some_and(|at| at <= story.now + SignedDuration::from_secs(10)), "{:?}", plan.look_again_at);
}

#[test]
fn a_hook_of_another_point_with_the_same_name_is_another_hook() {
    let mut story = about_to_cut_over_with(&["banner-on"]);
    story.until(|story| story.facts.rung == Rung::Drain);
    story.migration.spec.hooks[0].at = HookPoint::AfterFlip;
    let called = told(&mut story, |story| story.facts.reached.contains_key(&Phase::CutOver));
    assert_eq!(called, ["Flip AfterFlip: banner-on"]);
}
