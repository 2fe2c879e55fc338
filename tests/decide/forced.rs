//! A rollback that loses writes to legacy: never without a word, never where it need not be, never before every row is saved.

use bascule::controllers::fence::FenceAction;
use bascule::migration::approvals::cutover_digest;
use bascule::migration::decide::decide;
use bascule::migration::facts::{Fact, Latch};
use bascule::migration::gates::Gate;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::names::{Direction, Side};
use bascule::parity::exporter::{Export, ExportName, ExportStand};
use bascule::spec::Phase;
use jiff::SignedDuration;

use super::common::Story;
use super::common::snapshot::assert_kept;
use super::common::story::word;
use super::common::world::{Blind, Door, Status};
use super::moves::moves;

/// The rungs on which the target can simply take its writes again.
const BEFORE_LEGACY_OPENS: [Rung; 3] = [Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport];

/// Why a rollback is given up in this look, if it is.
fn given_up(story: &Story) -> Option<String> {
    match moves(&story.plan()).as_slice() {
        [Fact::RollbackAbandoned { why }, Fact::Entered { rung: Rung::Observing }] => Some(why.clone()),
        _ => None,
    }
}

fn begins(story: &Story) -> bool {
    moves(&story.plan()).contains(&Fact::Entered { rung: Rung::ForcedStop })
}

fn saves(plan: &Plan) -> Option<ExportName> {
    plan.actions.iter().find_map(|action| match action {
        Action::ExportRows { name } => Some(name.clone()),
        _ => None,
    })
}

fn opens_legacy(plan: &Plan) -> bool {
    let opens = |action: &Action| matches!(action, Action::Fence(FenceAction::Open { side: Side::Legacy, .. }));
    plan.actions.iter().any(opens)
}

/// A dead way back, and `RolledBack` asked for, without any word.
fn refused() -> Story {
    let mut story = Story::with_a_dead_way_back();
    story.wish(Phase::RolledBack);
    story
}

fn why_it_is_held(story: &Story) -> String {
    let plan = story.plan();
    let block = plan.blocked.iter().find(|block| block.reason.0 == "RollbackNotReady");
    block.unwrap_or_else(|| panic!("it is not held: {plan:#?}")).message.clone()
}

#[test]
fn without_a_word_a_dead_way_back_is_held_and_says_which_word_would_be_heard() {
    let mut story = refused();
    let why = why_it_is_held(&story);
    assert!(why.contains("spec.rollback.forced") && why.contains("exported before legacy opens"), "{why}");
    for _ in 0..50 {
        // It is resumed now and then, and fails each time.
        story.world.task_mut(Direction::Reverse).as_mut().expect("a task").status = Status::Failed;
        let plan = story.turn();
        assert!(moves(&plan).iter().all(|fact| !matches!(fact, Fact::Entered { .. })), "{plan:#?}");
    }
    assert_eq!(story.facts.rung, Rung::Observing);
}

#[test]
fn the_whole_forced_way_back_is_as_it_was_read() {
    let mut story = refused();
    story.migration.spec.rollback.forced = Some(word());
    let mut lines = String::new();
    while !story.facts.reached.contains_key(&Phase::RolledBack) {
        assert!(lines.len() < 20_000, "the story does not end: {lines}");
        let rung = story.facts.rung;
        let plan = story.turn();
        let said: Vec<String> = plan.actions.iter().map(Action::to_string).collect();
        let line = format!("{rung} | {}\n", said.join("; "));
        if !plan.is_idle() && !lines.ends_with(&line) {
            lines.push_str(&line);
        }
    }
    assert_kept("forced.txt", &lines);
    assert!(matches!(story.facts.latch, Latch::RolledBack { .. }), "the attempt is latched as after any rollback");
    assert_eq!((story.world.legacy.app, story.world.target.app), (Door::Open, Door::Shut));
    assert_eq!(story.world.public, Side::Legacy);
    assert!(!story.world.behind.contains(&Side::Legacy), "and gives no number that a row in quarantine has");
    for _ in 0..50 {
        let plan = story.turn();
        assert!(plan.is_idle(), "a second pass plans nothing: {plan:#?}");
    }
}

#[test]
fn a_word_for_another_attempt_or_past_its_end_counts_for_nothing_and_says_why() {
    let mut story = refused();
    let mut given = word();
    given.attempt = 2;
    story.migration.spec.rollback.forced = Some(given);
    assert!(!begins(&story));
    let why = why_it_is_held(&story);
    assert!(why.contains("spec.rollback.forced is for attempt 2, and attempt 1 is under way"), "{why}");
    let mut given = word();
    given.until = Some(story.now);
    story.migration.spec.rollback.forced = Some(given.clone());
    assert!(!begins(&story));
    let why = why_it_is_held(&story);
    assert!(why.contains("spec.rollback.forced of ada ended at"), "{why}");
    given.until = Some(story.now + SignedDuration::from_secs(1));
    story.migration.spec.rollback.forced = Some(given);
    assert!(begins(&story), "a second earlier it counts");
}

#[test]
fn a_word_without_the_wish_or_while_paused_begins_nothing() {
    let mut story = refused();
    story.migration.spec.rollback.forced = Some(word());
    assert!(begins(&story));
    story.migration.spec.paused = true;
    assert!(!begins(&story));
    story.migration.spec.paused = false;
    for phase in [Phase::CutOver, Phase::Completed] {
        story.wish(phase);
        assert!(!begins(&story), "{phase}");
    }
}

#[test]
fn nothing_is_forced_while_reverse_replication_may_still_bring_what_legacy_lacks() {
    let mut story = Story::resting(Phase::CutOver);
    story.wish(Phase::RolledBack);
    story.migration.spec.rollback.forced = Some(word());
    assert_eq!(moves(&story.plan()), [Fact::Entered { rung: Rung::RollbackFence }], "where it can, it loses nothing");
    story.world.lagging = true;
    assert!(moves(&story.plan()).is_empty(), "a stream that lags is waited for");
    story.world.lagging = false;
    story.world.task_mut(Direction::Reverse).as_mut().expect("a task").status = Status::Failed;
    assert!(moves(&story.plan()).is_empty(), "one that has failed once is resumed");
    story.world.blind.insert(Blind::Dms);
    assert!(moves(&story.plan()).is_empty(), "and one that nobody can see is not called lost");
}

#[test]
fn a_gate_of_the_fence_holds_a_forced_rollback_as_it_holds_any() {
    for blind in [Blind::Legacy, Blind::Target] {
        let mut story = refused();
        story.migration.spec.rollback.forced = Some(word());
        story.world.blind.insert(blind);
        assert!(!begins(&story), "{blind:?}");
    }
    let mut story = refused();
    story.migration.spec.rollback.forced = Some(word());
    story.world.legacy.app = Door::Open;
    assert!(!begins(&story), "legacy takes writes of its own");
}

#[test]
fn the_target_is_not_fenced_before_the_stream_has_stopped_and_no_word_is_needed_twice() {
    let mut story = Story::forced_to(Rung::ForcedStop);
    story.world.task_mut(Direction::Reverse).as_mut().expect("a task").status = Status::Running;
    let plan = story.plan();
    assert!(plan.actions.iter().all(|action| matches!(action, Action::Replication(_))), "it is stopped: {plan:#?}");
    assert_eq!(plan.actions.len(), 1);
    let _ = story.turn();
    assert_eq!((story.facts.rung, story.world.target.app), (Rung::ForcedStop, Door::Open), "customers are served meanwhile");
    story.until(|story| story.facts.rung == Rung::ForcedFence);
    assert!(!story.world.runs(Direction::Reverse));
}

#[test]
fn legacy_opens_only_once_the_rows_of_this_very_try_are_saved() {
    let story = Story::forced_to(Rung::ForcedExport);
    let name = saves(&story.plan()).expect("they are to be saved");
    let seeing = |name: &ExportName, stand: ExportStand| {
        let mut seen = story.seen();
        seen.export = Some(Export { name: name.clone(), stand });
        decide(&story.migration, &story.facts, &seen, story.now)
    };
    let failed = || ExportStand::Failed { why: "the disk is full".into(), at: story.now };
    let other = ExportName("payments-attempt-1-7".into());
    let saved = {
        let mut story = story.clone();
        story.carry_out(&Action::ExportRows { name: name.clone() });
        story.seen().export.expect("it is saved").stand
    };
    for (name, stand) in [(&name, ExportStand::UnderWay), (&name, failed()), (&other, saved.clone())] {
        let plan = seeing(name, stand.clone());
        assert!(moves(&plan).is_empty() && !opens_legacy(&plan), "{stand:?}: {plan:#?}");
    }
    assert_eq!(saves(&seeing(&name, ExportStand::UnderWay)), None, "it is begun once");
    assert_eq!(saves(&seeing(&other, saved.clone())), Some(name.clone()), "another try's rows are not this one's");
    let plan = seeing(&name, failed());
    let wait = plan.waiting.iter().find(|wait| wait.reason.0 == "ExportFailed").expect("it says so");
    assert!(wait.message.contains("the disk is full") && wait.message.contains("ask for CutOver"), "{}", wait.message);
    let plan = seeing(&name, saved);
    assert!(matches!(moves(&plan).as_slice(), [Fact::RowsQuarantined { .. }]), "{plan:#?}");
    assert!(!opens_legacy(&plan), "it is made durable first");
}

#[test]
fn an_export_that_failed_is_made_again_after_a_second() {
    let mut story = Story::forced_to(Rung::ForcedExport);
    let name = saves(&story.plan()).expect("they are to be saved");
    let mut seen = story.seen();
    let stand = ExportStand::Failed { why: "the disk is full".into(), at: story.now };
    seen.export = Some(Export { name: name.clone(), stand });
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    assert_eq!((saves(&plan), plan.look_again_at), (None, Some(story.now + SignedDuration::from_secs(1))));
    story.now += SignedDuration::from_secs(1);
    assert_eq!(saves(&decide(&story.migration, &story.facts, &seen, story.now)), Some(name));
}

#[test]
fn a_controller_that_dies_before_its_export_is_journalled_makes_the_same_again_and_a_second_try_another() {
    let mut story = Story::forced_to(Rung::ForcedExport);
    let name = saves(&story.plan()).expect("they are to be saved");
    story.carry_out(&Action::ExportRows { name: name.clone() });
    story.world.export = None;
    assert_eq!(saves(&story.plan()), Some(name.clone()), "what its successor does not know of is made again, in its place");
    story.wish(Phase::CutOver);
    story.until(|story| story.facts.rung == Rung::Observing && story.facts.rollback_abandoned.is_none());
    for _ in 0..3 {
        story.record(&Fact::ReverseResumed);
    }
    story.world.task_mut(Direction::Reverse).as_mut().expect("a task").status = Status::Failed;
    story.now += SignedDuration::from_secs(1);
    story.wish(Phase::RolledBack);
    story.until(|story| story.facts.rung == Rung::ForcedExport);
    let second = saves(&story.plan()).expect("they are to be saved");
    assert_ne!(second, name, "the target has taken writes since");
}

#[test]
fn rows_are_saved_only_while_nothing_moves() {
    for disturb in [
        (|story: &mut Story| story.world.task_mut(Direction::Reverse).as_mut().expect("a task").status = Status::Running)
            as fn(&mut Story),
        |story| story.world.legacy.app = Door::Held,
        |story| {
            story.world.blind.insert(Blind::Dms);
        },
        |story| {
            story.world.blind.insert(Blind::Legacy);
        },
        |story| {
            story.world.blind.insert(Blind::Target);
        },
    ] {
        let mut story = Story::forced_to(Rung::ForcedExport);
        disturb(&mut story);
        let plan = story.plan();
        assert!(saves(&plan).is_none() && moves(&plan).is_empty(), "{plan:#?}");
        // Nor is it noticed then that they had been saved.
        story.world.export = saves(&Story::forced_to(Rung::ForcedExport).plan()).map(|name| (name, 0));
        let plan = story.plan();
        assert!(moves(&plan).is_empty() && !opens_legacy(&plan), "{plan:#?}");
    }
}

#[test]
fn whoever_takes_the_wish_or_the_word_back_before_legacy_opens_has_the_target_open_again() {
    for rung in BEFORE_LEGACY_OPENS {
        for (take_back, expected) in [
            ((|story: &mut Story| story.wish(Phase::CutOver)) as fn(&mut Story), "the operator asks for CutOver"),
            (|story| story.migration.spec.rollback.forced = None, "spec.rollback.forced was taken back"),
        ] {
            let mut story = Story::forced_to(rung);
            take_back(&mut story);
            assert_eq!(given_up(&story).as_deref(), Some(expected), "{rung}");
            story.until(|story| story.facts.rung == Rung::Observing && story.world.target.app == Door::Open);
            assert_eq!(story.world.legacy.app, Door::Shut);
            assert!(story.facts.quarantine.is_none() && story.facts.forced.is_none(), "what was saved counts no more");
        }
    }
}

#[test]
fn the_end_of_a_word_keeps_a_fence_from_closing_and_opens_none() {
    for (rung, gives_up) in [(Rung::ForcedStop, true), (Rung::ForcedFence, false), (Rung::ForcedExport, false)] {
        let mut story = Story::forced_to(rung);
        let mut given = word();
        given.until = Some(story.now);
        story.migration.spec.rollback.forced = Some(given);
        assert_eq!(given_up(&story).is_some(), gives_up, "{rung}");
    }
}

#[test]
fn a_spent_budget_gives_a_forced_rollback_up_and_says_why_no_row_was_saved() {
    for rung in [Rung::ForcedFence, Rung::ForcedExport] {
        let mut story = Story::forced_to(rung);
        let began = story.facts.pause_began.expect("writes are paused");
        story.now = began + SignedDuration::from_secs(29);
        assert_eq!(given_up(&story), None, "{rung}");
        story.now = began + SignedDuration::from_secs(30);
        assert!(given_up(&story).is_some_and(|why| why.contains("the budget is 30s")), "{rung}");
        let mut longer = word();
        longer.write_pause_budget = Some("20m".parse().expect("a period"));
        story.migration.spec.rollback.forced = Some(longer);
        assert_eq!(given_up(&story), None, "an export of big tables has its own budget");
    }
    let mut story = Story::forced_to(Rung::ForcedExport);
    let mut seen = story.seen();
    let name = saves(&story.plan()).expect("they are to be saved");
    story.now += SignedDuration::from_secs(30);
    seen.export = Some(Export { name, stand: ExportStand::Failed { why: "the disk is full".into(), at: story.now } });
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    assert!(matches!(&moves(&plan)[0], Fact::RollbackAbandoned { why } if why.ends_with("; the disk is full")), "{plan:#?}");
    assert_eq!(Story::forced_to(Rung::ForcedStop).facts.pause_began, None, "and nobody waits while the stream stops");
}

#[test]
fn a_target_that_was_opened_by_hand_beside_its_export_is_not_given_up() {
    let mut story = Story::forced_to(Rung::ForcedExport);
    story.world.target.app = Door::Open;
    assert!(given_up(&story).is_some_and(|why| why.contains("lifted from outside")));
}

#[test]
fn the_gates_of_a_forced_rollback_say_what_they_stand_on() {
    let mut story = refused();
    assert!(!story.judge(Gate::LossAccepted).is_open() && story.judge(Gate::WayBackLost).is_open());
    story.migration.spec.rollback.forced = Some(word());
    assert!(story.judge(Gate::LossAccepted).text().contains("ada accepts the loss of every write that legacy lacks"));
    let mut ended = Story::forced_to(Rung::RollbackOpen);
    assert!(ended.judge(Gate::RowsSaved).text().starts_with("3 rows (3 of payments.payments) in state/quarantine/payments-"));
    ended.facts.quarantine = None;
    assert!(!opens_legacy(&ended.plan()), "and without it nothing opens, whatever the rung is");
}

#[test]
fn who_forces_a_rollback_voids_no_approval() {
    let mut migration = refused().migration;
    let before = cutover_digest(&migration);
    migration.spec.rollback.forced = Some(word());
    assert_eq!(cutover_digest(&migration), before);
}

#[test]
fn one_that_was_half_given_up_when_the_controller_died_is_given_up_whole_whatever_the_spec_says_by_then() {
    for rung in BEFORE_LEGACY_OPENS {
        let mut story = Story::forced_to(rung);
        // The first of the two facts was durable, and whoever had taken the word back has given it again.
        story.record(&Fact::RollbackAbandoned { why: "the word was taken back".into() });
        assert_eq!(given_up(&story).as_deref(), Some("the word was taken back"), "{rung}");
        assert!(!opens_legacy(&story.plan()));
    }
}
