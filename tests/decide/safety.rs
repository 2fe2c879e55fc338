//! The last filter, each rule provoked directly: whatever the ladder might say one day, these are never let through.

use bascule::controllers::Steps;
use bascule::controllers::binlog::BinlogAction;
use bascule::controllers::dns::{DnsAction, DnsPurpose};
use bascule::controllers::fence::FenceAction;
use bascule::controllers::hooks::HookAction;
use bascule::controllers::replication::{ReplicationAction, StartType};
use bascule::database::BinlogPosition;
use bascule::migration::gates::Scene;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::Action;
use bascule::migration::safety::filter;
use bascule::names::{Account, Direction, Side};
use bascule::parity::exporter::ExportName;
use bascule::spec::{HookPoint, Phase};
use jiff::SignedDuration;

use super::common::Story;
use super::common::world::{Blind, Door};

/// Under which word an action is forbidden here; `None` when it is let through.
fn forbidden(story: &Story, action: &Action) -> Option<String> {
    let seen = story.seen();
    let scene = Scene { migration: &story.migration, facts: &story.facts, seen: &seen, now: story.now };
    let steps = filter(Steps::act(action.clone()), &scene);
    assert_eq!(steps.actions.len() + steps.blocked.len(), 1, "either done or told");
    steps.blocked.first().map(|block| block.reason.to_string())
}

fn open(side: Side, account: &str) -> Action {
    Action::Fence(FenceAction::Open { side, accounts: vec![Account::from(account)] })
}

fn change(purpose: DnsPurpose) -> Action {
    Action::Dns(DnsAction::Change { purpose, old: Vec::new(), new: Vec::new() })
}

fn start(direction: Direction, how: StartType) -> Action {
    Action::Replication(ReplicationAction::StartTask { direction, task: "task".into(), how })
}

fn delete(direction: Direction) -> Action {
    Action::Replication(ReplicationAction::DeleteTask { direction, task: "task".into() })
}

fn call(point: HookPoint) -> Action {
    Action::Hook(HookAction::Call { point, attempt: 1, hooks: vec!["banner".into()] })
}

fn says(story: &Story, action: &Action, word: &str) {
    assert_eq!(forbidden(story, action).as_deref(), Some(word), "{action} at {}", story.facts.rung);
}

fn lets_through(story: &Story, action: &Action) {
    assert_eq!(forbidden(story, action), None, "{action} at {}", story.facts.rung);
}

/// Stories that stand on every rung of the way there and of the way back.
fn stories() -> Vec<Story> {
    let there = Rung::ALL.into_iter().filter(|rung| *rung <= Rung::Completed).map(|rung| (rung, Phase::Completed));
    let back = [Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen].map(|rung| (rung, Phase::RolledBack));
    let forced = [Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport, Rung::RollbackOpen].map(Story::forced_to);
    there.chain(back).map(|(rung, phase)| Story::entering(rung, phase)).chain(forced).chain([Story::aborted()]).collect()
}

#[test]
fn legacy_never_opens_while_the_application_can_write_to_the_target() {
    for mut story in stories() {
        for door in [Door::Open, Door::Held] {
            story.world.target.app = door;
            says(&story, &open(Side::Legacy, "app@%"), "LegacyOpensOnlyWhenTargetIsClosed");
        }
    }
}

#[test]
fn an_unseen_target_keeps_legacy_closed_once_it_may_have_taken_writes_and_not_before() {
    let mut after = Story::entering(Rung::RollbackOpen, Phase::RolledBack);
    after.world.blind.insert(Blind::Target);
    says(&after, &open(Side::Legacy, "app@%"), "LegacyOpensOnlyWhenTargetIsClosed");
    let mut before = Story::entering(Rung::Drain, Phase::CutOver);
    before.world.blind.insert(Blind::Target);
    lets_through(&before, &open(Side::Legacy, "app@%"));
}

#[test]
fn legacy_never_opens_without_proof_of_every_write_of_the_target() {
    let mut story = Story::entering(Rung::RollbackOpen, Phase::RolledBack);
    lets_through(&story, &open(Side::Legacy, "app@%"));
    story.facts.markers.clear();
    says(&story, &open(Side::Legacy, "app@%"), "LegacyOpensOnlyWithEveryWriteOfTheTarget");
}

#[test]
fn the_target_opens_only_past_no_return_with_a_way_back_and_legacy_proven_closed() {
    let action = open(Side::Target, "app@%");
    for rung in [Rung::Prepared, Rung::RollbackArmed, Rung::Fence, Rung::Drain, Rung::Arm] {
        says(&Story::entering(rung, Phase::CutOver), &action, "TargetOpensOnlyPastNoReturn");
    }
    let story = Story::entering(Rung::Open, Phase::CutOver);
    lets_through(&story, &action);
    for door in [Door::Open, Door::Held] {
        let mut story = story.clone();
        story.world.legacy.app = door;
        says(&story, &action, "TargetOpensOnlyPastNoReturn");
    }
    let mut unseen = story.clone();
    unseen.world.blind.insert(Blind::Legacy);
    says(&unseen, &action, "TargetOpensOnlyPastNoReturn");
    let mut lost = story;
    lost.facts.reverse_start = None;
    says(&lost, &action, "TargetOpensOnlyPastNoReturn");
    says(&Story::resting(Phase::RolledBack), &action, "TargetOpensOnlyPastNoReturn");
}

#[test]
fn validation_traffic_is_let_into_the_target_at_any_time_before() {
    lets_through(&Story::resting(Phase::Prepared), &open(Side::Target, "validation@%"));
}

#[test]
fn the_name_never_goes_where_nobody_or_everybody_can_write() {
    let there = change(DnsPurpose::FlipToTarget);
    let story = Story::entering(Rung::Flip, Phase::CutOver);
    lets_through(&story, &there);
    for spoil in [
        (|story: &mut Story| story.world.legacy.app = Door::Open) as fn(&mut Story),
        |story| story.world.target.app = Door::Shut,
        |story| {
            story.world.blind.insert(Blind::Legacy);
        },
        |story| {
            story.world.blind.insert(Blind::Target);
        },
    ] {
        let mut story = story.clone();
        spoil(&mut story);
        says(&story, &there, "NamesFollowTheFence");
    }
    let back = change(DnsPurpose::FlipToLegacy);
    for story in stories() {
        if !matches!(story.facts.rung, Rung::RollbackFlip | Rung::RollbackOpen) {
            says(&story, &back, "NamesFollowTheFence");
        }
    }
    let mut story = Story::entering(Rung::RollbackFlip, Phase::RolledBack);
    lets_through(&story, &back);
    story.world.target.app = Door::Open;
    says(&story, &back, "NamesFollowTheFence");
}

#[test]
fn rows_are_saved_where_nothing_moves_and_legacy_opens_without_them_only_on_a_word_and_once_they_are() {
    let saves = Action::ExportRows { name: ExportName("payments-attempt-1-7".into()) };
    let opens = open(Side::Legacy, "payments_app@%");
    let mut story = Story::forced_to(Rung::ForcedExport);
    lets_through(&story, &saves);
    says(&story, &opens, "LegacyOpensOnlyWithEveryWriteOfTheTarget");
    story.world.target.app = Door::Open;
    says(&story, &saves, "RowsAreSavedOnlyWhereNothingMoves");
    let mut story = Story::forced_to(Rung::RollbackOpen);
    lets_through(&story, &opens);
    story.facts.forced = None;
    says(&story, &opens, "LegacyOpensOnlyWithEveryWriteOfTheTarget");
    let mut story = Story::forced_to(Rung::RollbackOpen);
    story.facts.quarantine = None;
    says(&story, &opens, "LegacyOpensOnlyWithEveryWriteOfTheTarget");
}

#[test]
fn rows_of_the_target_are_never_replaced_once_a_fence_was_asked_for() {
    let reload = Action::Replication(ReplicationAction::ReloadTables { task: "task".into(), tables: Vec::new() });
    let first = start(Direction::Forward, StartType::First);
    for story in stories() {
        for action in [&reload, &first] {
            if story.facts.rung < Rung::Fence {
                lets_through(&story, action);
            } else {
                says(&story, action, "NoReloadAfterTheFirstFence");
            }
        }
    }
    let mut again = Story::resting(Phase::RolledBack);
    again.wish(Phase::CutOver);
    again.migration.spec.attempt = 2;
    let _ = again.turn();
    says(&again, &reload, "NoReloadAfterTheFirstFence");
    lets_through(&again, &start(Direction::Forward, StartType::Resume));
}

#[test]
fn the_way_back_starts_from_its_recorded_position_once_and_is_resumed_after() {
    let word = "ReverseStartsOnlyFromItsRecordedPosition";
    let story = Story::entering(Rung::Open, Phase::CutOver);
    let recorded = story.facts.reverse_start.clone().expect("it is recorded");
    let elsewhere = BinlogPosition { offset: recorded.offset + 1, ..recorded.clone() };
    lets_through(&story, &start(Direction::Reverse, StartType::FromPosition(recorded.clone())));
    says(&story, &start(Direction::Reverse, StartType::FromPosition(elsewhere)), word);
    says(&story, &start(Direction::Reverse, StartType::First), word);
    let running = Story::resting(Phase::CutOver);
    says(&running, &start(Direction::Reverse, StartType::FromPosition(recorded.clone())), word);
    lets_through(&running, &start(Direction::Reverse, StartType::Resume));
    let early = Story::resting(Phase::RollbackArmed);
    for how in [StartType::First, StartType::Resume, StartType::FromPosition(recorded)] {
        says(&early, &start(Direction::Reverse, how), word);
    }
}

#[test]
fn the_writer_is_rebooted_only_while_arming_and_in_the_window() {
    let word = "RebootOnlyBeforeTheCutoverInTheWindow";
    let reboot = Action::Binlog(BinlogAction::RebootWriter { instance: "payments-1".into() });
    let window: jiff::Timestamp = "2026-03-08T02:02:00Z".parse().expect("a Sunday at two, past the margin for clocks");
    for mut story in stories() {
        story.now = window;
        if story.facts.rung == Rung::RollbackArmed {
            lets_through(&story, &reboot);
            story.now -= SignedDuration::from_secs(1);
        }
        says(&story, &reboot, word);
    }
}

#[test]
fn a_task_is_deleted_only_when_nobody_needs_it() {
    for story in stories() {
        let rung = story.facts.rung;
        let forward = forbidden(&story, &delete(Direction::Forward));
        assert_eq!(forward.is_none(), rung == Rung::Completed, "{rung}");
        let reverse = forbidden(&story, &delete(Direction::Reverse));
        assert_eq!(reverse.is_none(), matches!(rung, Rung::Completed | Rung::RollbackArmed), "{rung}");
    }
}

#[test]
fn nobody_is_told_what_is_not_so() {
    for story in stories() {
        let rung = story.facts.rung;
        for point in HookPoint::ALL {
            let says = forbidden(&story, &call(point)).is_none();
            let may_be_said = match point {
                HookPoint::BeforeFence => rung < Rung::Fence,
                HookPoint::AfterFence => matches!(rung, Rung::Drain | Rung::Arm),
                // A story that has only just entered a rung sees what the one before has proven.
                HookPoint::BeforeFlip | HookPoint::AfterFlip => {
                    matches!(rung, Rung::Flip | Rung::Observing | Rung::Completed | Rung::RollbackFence)
                        || matches!(rung, Rung::ForcedStop | Rung::ForcedFence)
                }
                HookPoint::AfterAbort => rung == Rung::Aborted,
                HookPoint::AfterRollback => false,
            };
            assert_eq!(says, may_be_said, "{point} at {rung}");
        }
    }
    lets_through(&Story::resting(Phase::RolledBack), &call(HookPoint::AfterRollback));
}

#[test]
fn nobody_is_told_anything_while_the_migration_is_paused_or_a_fence_is_not_seen() {
    for (point, mut story) in [
        (HookPoint::BeforeFence, Story::resting(Phase::RollbackArmed)),
        (HookPoint::AfterFence, Story::entering(Rung::Drain, Phase::CutOver)),
        (HookPoint::BeforeFlip, Story::entering(Rung::Flip, Phase::CutOver)),
        (HookPoint::AfterFlip, Story::resting(Phase::CutOver)),
        (HookPoint::AfterAbort, Story::aborted()),
        (HookPoint::AfterRollback, Story::resting(Phase::RolledBack)),
    ] {
        lets_through(&story, &call(point));
        if point != HookPoint::BeforeFence {
            let mut unseen = story.clone();
            unseen.world.blind.insert(Blind::Legacy);
            says(&unseen, &call(point), "HooksSayOnlyWhatIsSo");
        }
        story.migration.spec.paused = true;
        says(&story, &call(point), "HooksSayOnlyWhatIsSo");
    }
}
