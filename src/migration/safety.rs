//! The last filter: it can only forbid. Each rule is one function with a name, and holds whatever the ladder says.

use super::facts::MarkerPurpose;
use super::forced;
use super::gates::{Gate, Scene};
use super::hooks;
use super::ladder::Rung;
use super::plan::{Action, Standing};
use crate::controllers::binlog::BinlogAction;
use crate::controllers::dns::{DnsAction, DnsPurpose};
use crate::controllers::fence::{FenceAction, FenceState, judge};
use crate::controllers::hooks::HookAction;
use crate::controllers::replication::{ReplicationAction, StartType};
use crate::controllers::{Block, Steps};
use crate::names::{Account, Direction, Side};

/// One rule: a reason to forbid, or nothing to say.
type Rule = fn(&Action, &Scene<'_>) -> Option<&'static str>;

/// Every rule, with the word under which it is reported and the invariant it serves.
const RULES: &[(&str, Rule)] = &[
    ("LegacyOpensOnlyWhenTargetIsClosed", legacy_opens_only_when_target_is_closed),
    ("LegacyOpensOnlyWithEveryWriteOfTheTarget", legacy_opens_only_with_every_write_of_the_target),
    ("RowsAreSavedOnlyWhereNothingMoves", rows_are_saved_only_where_nothing_moves),
    ("TargetOpensOnlyPastNoReturn", target_opens_only_past_no_return),
    ("NamesFollowTheFence", names_follow_the_fence),
    ("NoReloadAfterTheFirstFence", no_reload_after_the_first_fence),
    ("ReverseStartsOnlyFromItsRecordedPosition", reverse_starts_only_from_its_recorded_position),
    ("RebootOnlyBeforeTheCutoverInTheWindow", reboot_only_before_the_cutover_in_the_window),
    ("TasksAreDeletedOnlyWhenNobodyNeedsThem", tasks_are_deleted_only_when_nobody_needs_them),
    ("HooksSayOnlyWhatIsSo", hooks_say_only_what_is_so),
];

/// Turns forbidden actions into blocks. Never adds an action.
pub fn filter(wanted: Steps<Action>, scene: &Scene<'_>) -> Steps<Action> {
    let mut kept = Steps { actions: Vec::new(), waiting: wanted.waiting, blocked: wanted.blocked };
    for action in wanted.actions {
        match RULES.iter().find_map(|(name, rule)| rule(&action, scene).map(|why| (name, why))) {
            Some((name, why)) => kept.blocked.push(Block::new(name, format!("will not {action}: {why}"))),
            None => kept.actions.push(action),
        }
    }
    kept
}

fn opens(action: &Action, wanted: Side) -> bool {
    matches!(action, Action::Fence(FenceAction::Open { side, .. }) if *side == wanted)
}

/// Whether opening lets the application in, rather than validation traffic only.
fn lets_application_in(action: &Action, scene: &Scene<'_>, side: Side) -> bool {
    let application: &[Account] = &scene.migration.database(side).application_accounts;
    matches!(action, Action::Fence(FenceAction::Open { accounts, .. }) if accounts.iter().any(|account| application.contains(account)))
}

fn state(scene: &Scene<'_>, side: Side, accounts: &[Account]) -> Option<FenceState> {
    scene.seen.database(side).present().map(|view| judge(view, accounts))
}

/// S1: never two writable sides. Before the point of no return the target was never opened by us, so that an abort need not
/// wait for a target that does not answer.
fn legacy_opens_only_when_target_is_closed(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    if !opens(action, Side::Legacy) {
        return None;
    }
    match state(scene, Side::Target, &scene.migration.spec.target.database.application_accounts) {
        Some(FenceState::Closed { .. }) => None,
        Some(FenceState::Open | FenceState::Between(_)) => Some("the application can write to the target"),
        None if scene.facts.is_past_no_return() => Some("the target cannot be seen, and it has taken writes"),
        None => None,
    }
}

/// S7: legacy reopens only if the target took no write in this attempt, or every one of them has arrived; where somebody has
/// accepted that they do not, every one of them is saved.
fn legacy_opens_only_with_every_write_of_the_target(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let took_writes = scene.facts.entered.contains_key(&Rung::Open);
    let drained = scene.facts.markers.get(&MarkerPurpose::RollbackDrain).is_some_and(|marker| marker.seen_at.is_some());
    let saved = scene.facts.forced.is_some() && scene.facts.quarantine.is_some();
    let lacks = opens(action, Side::Legacy) && took_writes && !drained && !saved;
    lacks.then_some("not every write of the target has been proven on legacy")
}

/// What is saved of a target that still moves, or beside a stream that still runs, is not what legacy lacks in the end.
fn rows_are_saved_only_where_nothing_moves(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let saves = matches!(action, Action::ExportRows { .. });
    (saves && !forced::stands_still(scene)).then_some("both sides are not closed, or reverse replication is not stopped")
}

/// S3: the target opens only after fence, drain and a recorded way back, all seen to hold in this look.
fn target_opens_only_past_no_return(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    if !opens(action, Side::Target) || !lets_application_in(action, scene, Side::Target) {
        return None;
    }
    if !scene.facts.is_past_no_return() || scene.facts.reverse_start.is_none() {
        return Some("the point of no return is not passed");
    }
    if matches!(scene.facts.rung, Rung::RollbackOpen) {
        return Some("legacy has taken over again");
    }
    (!Gate::LegacyFenced.judge(scene).is_open()).then_some("legacy is not proven closed in this look")
}

/// S4: the public name moves only to a side that is open while the other is closed; on the way back, to the side that is
/// about to open once nobody writes.
fn names_follow_the_fence(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let Action::Dns(DnsAction::Change { purpose, .. }) = action else { return None };
    let holds = match purpose {
        DnsPurpose::Shadow | DnsPurpose::LowerTtl => return None,
        DnsPurpose::FlipToTarget => Gate::LegacyFenced.judge(scene).is_open() && Gate::TargetOpen.judge(scene).is_open(),
        DnsPurpose::FlipToLegacy => match scene.facts.rung {
            Rung::RollbackFlip => Gate::TargetFenced.judge(scene).is_open(),
            // Legacy has every write by now: a target that cannot be seen need not keep the customers from it.
            Rung::RollbackOpen => !matches!(Gate::TargetFenced.judge(scene), Standing::Closed(_)),
            _ => false,
        },
    };
    (!holds).then_some("the fences are not as this change needs them")
}

/// S6: no reload and no first start once a fence has closed for a cutover, or the target has taken a write.
fn no_reload_after_the_first_fence(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let replaces_rows = matches!(
        action,
        Action::Replication(
            ReplicationAction::ReloadTables { .. }
                | ReplicationAction::StartTask { direction: Direction::Forward, how: StartType::First, .. }
        )
    );
    let too_late = scene.facts.target_opened.is_some() || scene.facts.entered.contains_key(&Rung::Fence);
    (replaces_rows && too_late).then_some("rows on the target can no longer be replaced")
}

/// S5: reverse replication starts from the position recorded before the target opened, or resumes; nothing else.
fn reverse_starts_only_from_its_recorded_position(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let Action::Replication(ReplicationAction::StartTask { direction: Direction::Reverse, how, .. }) = action else {
        return None;
    };
    let legal = match how {
        StartType::First => false,
        StartType::FromPosition(position) => {
            scene.facts.reverse_start.as_ref() == Some(position) && scene.facts.reverse_started.is_none()
        }
        StartType::Resume => scene.facts.reverse_start.is_some(),
    };
    (!legal).then_some("the start position is not the recorded one")
}

fn reboot_only_before_the_cutover_in_the_window(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    if !matches!(action, Action::Binlog(BinlogAction::RebootWriter { .. })) {
        return None;
    }
    if scene.facts.rung != Rung::RollbackArmed {
        return Some("the writer is rebooted only while the rollback is being armed");
    }
    (!scene.migration.spec.binlog.maintenance_window.within_margins().is_open(scene.now))
        .then_some("the maintenance window is closed")
}

/// A reverse task left over from an earlier attempt is replaced while the way back is armed; every other one is kept.
fn tasks_are_deleted_only_when_nobody_needs_them(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let Action::Replication(ReplicationAction::DeleteTask { direction, .. }) = action else { return None };
    let useless = match direction {
        Direction::Forward => scene.facts.rung == Rung::Completed,
        Direction::Reverse => matches!(scene.facts.rung, Rung::Completed | Rung::RollbackArmed),
    };
    (!useless).then_some("it is still needed")
}

/// Whoever is told that a point has come acts on it: the fence is proven, legacy is open, the target takes writes.
fn hooks_say_only_what_is_so(action: &Action, scene: &Scene<'_>) -> Option<&'static str> {
    let Action::Hook(HookAction::Call { point, .. }) = action else { return None };
    hooks::forbidden(scene, *point)
}
