//! What is forbidden, and what is promised. The letters are those of the invariants.

use bascule::controllers::dns::{DnsAction, DnsPurpose};
use bascule::controllers::fence::FenceAction;
use bascule::controllers::hooks::HookAction;
use bascule::controllers::replication::{ReplicationAction, StartType};
use bascule::migration::facts::Fact;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::names::{Direction, Side};
use bascule::spec::{HookPoint, Phase};

use super::common::world::{Blind, Door, replaces_rows};
use super::state::{Kind, State};

/// A plan records or acts, and does not act on what it did not see.
pub fn plan(state: &State, plan: &Plan) -> Result<(), String> {
    let records = plan.actions.iter().filter(|action| matches!(action, Action::Record(_))).count();
    if records != 0 && records != plan.actions.len() {
        return Err(format!("one plan records and acts: {:?}", plan.actions));
    }
    match plan.actions.iter().find(|action| needs(action).is_some_and(|blind| state.world.blind.contains(&blind))) {
        Some(action) => Err(format!("S10: acts on what nobody could see: {action}")),
        None => Ok(()),
    }
}

/// Whose answer an action is based on.
fn needs(action: &Action) -> Option<Blind> {
    match action {
        Action::Replication(_) => Some(Blind::Dms),
        Action::Dns(_) => Some(Blind::Route53),
        Action::Fence(FenceAction::Close { side, .. } | FenceAction::Open { side, .. }) => Some(match side {
            Side::Legacy => Blind::Legacy,
            Side::Target => Blind::Target,
        }),
        Action::Binlog(_) => Some(Blind::Rds),
        Action::Redirect(_) => Some(Blind::Elb),
        // Both sides' numbers are compared; the one that is raised is named.
        Action::RaiseIds { side: Side::Legacy, .. } => Some(Blind::Legacy),
        Action::RaiseIds { side: Side::Target, .. } => Some(Blind::Target),
        Action::Hook(HookAction::Call { point, .. }) => Some(match point {
            HookPoint::BeforeFlip | HookPoint::AfterFlip => Blind::Target,
            HookPoint::BeforeFence | HookPoint::AfterFence | HookPoint::AfterAbort | HookPoint::AfterRollback => Blind::Legacy,
        }),
        Action::ExportRows { .. } => Some(Blind::Target),
        Action::Record(_) | Action::WriteMarker { .. } | Action::CompareTables => None,
    }
}

/// What may not be true, however it came to be: unless a person did it.
pub fn state(state: &State) -> Option<String> {
    let both = state.world.legacy.app.may_commit() && state.world.target.app.may_commit();
    (both && !state.bounds.meddled).then(|| "S1: both sides can be written to".into())
}

/// What may not be done, in the world as it truly is just before. A person who opens a door by hand is no excuse for opening the
/// other one.
pub fn action(state: &State, action: &Action) -> Option<String> {
    let world = &state.world;
    let lets_in = |wanted: Side| {
        let application = &state.migration().database(wanted).application_accounts.clone();
        matches!(action, Action::Fence(FenceAction::Open { side, accounts })
            if *side == wanted && accounts.iter().any(|account| application.contains(account)))
    };
    let opened = [Side::Legacy, Side::Target].into_iter().find(|side| lets_in(*side));
    if opened.is_some_and(|side| world.behind.contains(&side)) && !state.bounds.meddled {
        return Some("Numbers: a side opens that would give a row a number which the other side has given".into());
    }
    if lets_in(Side::Target) {
        return opens_target(state);
    }
    if lets_in(Side::Legacy) {
        // Nobody but a person has opened the target then, and an abort does not wait for a target that does not answer.
        let unseeable = state.bounds.meddled && world.blind.contains(&Blind::Target);
        if world.target.app.may_commit() && !unseeable {
            return Some("S1: opens legacy while the target can be written to".into());
        }
        let is_saved = world.export.as_ref().is_some_and(|(_, end)| *end == world.target.offset);
        if world.target.is_ahead && !(state.bounds.accepted && is_saved) && !state.bounds.meddled {
            return Some("S7: opens legacy while it lacks a write of the target that is not saved either".into());
        }
        return None;
    }
    match action {
        Action::Dns(DnsAction::Change { purpose: DnsPurpose::FlipToTarget, .. })
            if world.legacy.app.may_commit() || world.target.app != Door::Open =>
        {
            Some("S4: flips to a target that is not the only one open".into())
        }
        Action::Dns(DnsAction::Change { purpose: DnsPurpose::FlipToLegacy, .. }) if world.target.app.may_commit() => {
            Some("S4: flips to legacy while the target can be written to".into())
        }
        Action::Record(Fact::PointOfNoReturn) => no_return(state),
        Action::Hook(HookAction::Call { point, .. }) if !state.bounds.meddled => says_what_is_so(state, *point),
        Action::ExportRows { .. } if world.legacy.app.may_commit() || world.target.app.may_commit() => {
            Some("S7: saves the rows of a side that can be written to".into())
        }
        Action::ExportRows { .. } if world.runs(Direction::Reverse) => {
            Some("S7: saves rows that a stream may still bring to legacy".into())
        }
        action if replaces_rows(action) && state.facts.target_opened.is_some() => {
            Some("S6: replaces rows of a target that took writes".into())
        }
        Action::Replication(ReplicationAction::StartTask { direction: Direction::Reverse, how, .. }) => reverse(state, how),
        _ => None,
    }
}

fn opens_target(state: &State) -> Option<String> {
    let world = &state.world;
    if world.legacy.app.may_commit() {
        return Some("S1: opens the target while legacy can be written to".into());
    }
    if world.legacy.is_ahead && !state.bounds.meddled {
        return Some("S3: opens the target while it lacks a write of legacy".into());
    }
    let is_first = !state.facts.entered.contains_key(&Rung::Flip);
    match &state.facts.reverse_start {
        None => Some("S3: opens the target without a way back".into()),
        Some(start) if is_first && start.offset != world.target.offset && !state.bounds.meddled && !world.target.is_ahead => {
            Some(format!("S5: the way back starts at {start}, the target's log ends at {}", world.target.offset))
        }
        Some(_) => None,
    }
}

/// Whoever is told that a point has come acts on it.
fn says_what_is_so(state: &State, point: HookPoint) -> Option<String> {
    let (legacy, target, public) = (state.world.legacy.app, state.world.target.app, state.world.public);
    let is_so = match point {
        HookPoint::BeforeFence => legacy == Door::Open,
        HookPoint::AfterFence => legacy == Door::Shut && target == Door::Shut,
        HookPoint::BeforeFlip => legacy == Door::Shut && target == Door::Open && public == Side::Legacy,
        HookPoint::AfterFlip => legacy == Door::Shut && target == Door::Open && public == Side::Target,
        HookPoint::AfterAbort => legacy == Door::Open,
        HookPoint::AfterRollback => legacy == Door::Open && target == Door::Shut && public == Side::Legacy,
    };
    (!is_so).then(|| format!("Hooks: says {point} while legacy is {legacy:?}, the target {target:?}, the name at {public}"))
}

fn no_return(state: &State) -> Option<String> {
    let world = &state.world;
    let shut = !world.legacy.app.may_commit() && !world.target.app.may_commit();
    let drained = !world.legacy.is_ahead && !world.runs(Direction::Forward);
    let proven = shut && drained || state.bounds.meddled;
    (!proven).then(|| "S3: passes the point of no return undrained".into())
}

fn reverse(state: &State, how: &StartType) -> Option<String> {
    let has_run = state.world.reverse.as_ref().is_some_and(|task| task.started_before);
    match how {
        StartType::First => Some("S5: starts the way back from now".into()),
        StartType::FromPosition(position) if has_run || state.facts.reverse_start.as_ref() != Some(position) => {
            Some("S5: starts the way back from elsewhere".into())
        }
        StartType::Resume if !has_run => Some("S5: resumes what never ran".into()),
        StartType::FromPosition(_) | StartType::Resume => None,
    }
}

/// What holds in a state, for the promises.
#[derive(Debug, Clone, Copy)]
pub struct Good {
    /// The rung stood on.
    pub rung: Rung,
    past_no_return: bool,
    legacy_open: bool,
    somebody_writes: bool,
    nothing_missing: bool,
    meddled: bool,
    asked_for: bool,
    reached: bool,
}

impl Good {
    /// Read off the truth.
    pub fn of(state: &State) -> Self {
        let world = &state.world;
        Self {
            rung: state.facts.rung,
            past_no_return: state.facts.is_past_no_return(),
            legacy_open: world.legacy.app == Door::Open,
            somebody_writes: world.legacy.app == Door::Open || world.target.app == Door::Open,
            nothing_missing: !world.target.is_ahead,
            meddled: state.bounds.meddled,
            asked_for: state.wish.phase == Phase::RolledBack && !state.wish.paused && state.facts.rollback_abandoned.is_none(),
            reached: state.facts.reached.contains_key(&Phase::CutOver),
        }
    }
}

/// Something that must stay possible.
pub struct Promise {
    /// Its name.
    pub name: &'static str,
    /// In which states it is owed.
    pub owed: fn(&Good) -> bool,
    /// In which it is kept.
    pub kept: fn(&Good) -> bool,
    /// Which steps may be relied on.
    pub may_use: fn(Kind) -> bool,
}

const fn undisturbed(kind: Kind) -> bool {
    matches!(kind, Kind::Pass | Kind::World | Kind::AwsAnswers | Kind::DatabaseAnswers)
}

/// L3
pub const SOMEBODY_WRITES: Promise = Promise {
    name: "L3: closed on both sides, one opens again without anybody's help",
    owed: |good| !good.somebody_writes,
    kept: |good| good.somebody_writes,
    may_use: undisturbed,
};

/// L6
pub const ABORT: Promise = Promise {
    name: "L6: before the point of no return the abort needs neither DMS nor Route 53",
    owed: |good| matches!(good.rung, Rung::Fence | Rung::Drain | Rung::Arm) && !good.past_no_return && !good.meddled,
    kept: |good| good.rung == Rung::Aborted && good.legacy_open,
    may_use: |kind| matches!(kind, Kind::Pass | Kind::World | Kind::DatabaseAnswers),
};

/// What waits for a hook waits for nothing else: nobody has to restart anything or change the file.
pub const CUTOVER_ENDS: Promise = Promise {
    name: "L7: a cutover that is asked for ends, by reaching the target or by an abort",
    owed: |good| good.rung >= Rung::RollbackArmed && good.rung < Rung::Observing && !good.meddled,
    kept: |good| matches!(good.rung, Rung::Observing | Rung::Aborted),
    may_use: |kind| undisturbed(kind) || matches!(kind, Kind::HooksAnswer),
};

/// L4, where the way back is dead and somebody accepts what legacy lacks.
pub const FORCED_BACK: Promise = Promise {
    name: "L4: a forced rollback that has begun ends, with legacy open or with the target open again",
    owed: |good| {
        matches!(good.rung, Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport) && good.asked_for && !good.meddled
    },
    kept: |good| (good.rung == Rung::RollbackOpen && good.legacy_open) || good.rung == Rung::Observing,
    may_use: undisturbed,
};

/// L4. A console can take away what only a console can give back.
pub const WAY_BACK: Promise = Promise {
    name: "L4: while the way back is kept, legacy can write again and lacks nothing",
    owed: |good| {
        let is_kept = matches!(good.rung, Rung::Flip | Rung::Observing) && good.reached;
        is_kept && good.asked_for && !good.meddled
    },
    kept: |good| good.rung == Rung::RollbackOpen && good.legacy_open && good.nothing_missing,
    may_use: undisturbed,
};
