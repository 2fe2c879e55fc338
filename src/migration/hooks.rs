//! Hooks on the ladder: when their points come, and what having called them binds to.

use super::facts::Latch;
use super::gates::{Gate, Scene, arrival};
use super::ladder::Rung;
use super::moves;
use super::status::HookReport;
use crate::controllers::Steps;
use crate::controllers::hooks::{self, HookAction, HookTerms};
use crate::spec::{Demand, Hook, HookPoint, Phase};

/// The hooks that are to be called now, and what is awaited of them.
pub fn plan(scene: &Scene<'_>) -> Steps<HookAction> {
    let spec = &scene.migration.spec;
    let Some(point) = point_at(scene.facts.rung).filter(|point| spec.hooks.iter().any(|hook| hook.at == *point)) else {
        return Steps::settled();
    };
    if !has_come(scene, point) {
        return Steps::settled();
    }
    let (attempt, records) = (scene.facts.attempt, &scene.facts.hooks);
    hooks::plan(&HookTerms { point, declared: &spec.hooks, attempt, records, now: scene.now })
}

/// The point that comes on a rung, if one does.
const fn point_at(rung: Rung) -> Option<HookPoint> {
    match rung {
        Rung::RollbackArmed => Some(HookPoint::BeforeFence),
        Rung::Drain => Some(HookPoint::AfterFence),
        Rung::Open => Some(HookPoint::BeforeFlip),
        Rung::Flip => Some(HookPoint::AfterFlip),
        Rung::Aborted => Some(HookPoint::AfterAbort),
        Rung::RollbackOpen => Some(HookPoint::AfterRollback),
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::Fence | Rung::Arm => None,
        Rung::Observing | Rung::Completed | Rung::RollbackFence | Rung::RollbackFlip => None,
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => None,
    }
}

/// Whether the point has come, on its rung. What a hook says has happened is seen to hold in this very look.
fn has_come(scene: &Scene<'_>, point: HookPoint) -> bool {
    let all_open = |gates: &[Gate]| gates.iter().all(|gate| gate.judge(scene).is_open());
    match point {
        HookPoint::BeforeFence => {
            all_open(arrival(Rung::RollbackArmed)) && moves::may_fence_but_for(scene, Gate::HooksBeforeFence)
        }
        HookPoint::AfterFence => all_open(&[Gate::LegacyFenced, Gate::TargetFenced]),
        HookPoint::BeforeFlip => all_open(&[Gate::LegacyFenced, Gate::TargetOpen]),
        HookPoint::AfterFlip => all_open(&[Gate::TargetOpen, Gate::PublicAtTarget]),
        HookPoint::AfterAbort => all_open(&[Gate::LegacyOpen]),
        HookPoint::AfterRollback => all_open(&[Gate::LegacyOpen, Gate::PublicBackAtLegacy]),
    }
}

/// Why a call at this point must not be made, whatever the ladder says.
pub fn forbidden(scene: &Scene<'_>, point: HookPoint) -> Option<&'static str> {
    let facts = scene.facts;
    let is_open = |gate: Gate| gate.judge(scene).is_open();
    if scene.migration.spec.paused {
        return Some("the migration is paused");
    }
    let holds = match point {
        HookPoint::BeforeFence => !facts.entered.contains_key(&Rung::Fence) && facts.latch == Latch::Free,
        HookPoint::AfterFence => {
            let is_in_the_pause = facts.writes_are_paused() && !facts.is_past_no_return();
            is_in_the_pause && facts.fences.len() == 2 && is_open(Gate::LegacyFenced)
        }
        HookPoint::BeforeFlip | HookPoint::AfterFlip => {
            facts.is_past_no_return() && is_open(Gate::LegacyFenced) && is_open(Gate::TargetOpen)
        }
        HookPoint::AfterAbort => matches!(facts.latch, Latch::Aborted { .. }) && is_open(Gate::LegacyOpen),
        HookPoint::AfterRollback => matches!(facts.latch, Latch::RolledBack { .. }) && is_open(Gate::LegacyOpen),
    };
    (!holds).then_some("what it would say is not so")
}

/// Whether the operator's own systems were told, before any fence, that this attempt's cutover begins.
pub fn is_announced(scene: &Scene<'_>) -> bool {
    let told = |hook: &&Hook| hook.at == HookPoint::BeforeFence && hook.demand != Demand::Confirmed;
    scene.migration.spec.hooks.iter().filter(told).any(|hook| scene.facts.hooks.of(hook).is_some())
}

/// Why a cutover that was announced is over before its fence: others have acted on it, so that it is aborted like one that was
/// begun, and they are told.
pub fn withdrawn(scene: &Scene<'_>) -> Option<String> {
    let spec = &scene.migration.spec;
    let why = match spec.phase {
        Phase::CutOver | Phase::Completed if spec.attempt > scene.facts.attempt => {
            format!("the operator asks for attempt {}", spec.attempt)
        }
        Phase::CutOver | Phase::Completed => return None,
        other => format!("the operator asks for {other}"),
    };
    is_announced(scene).then(|| format!("{why}, and hooks had been called"))
}

/// Every declared hook that was called in this attempt.
pub fn report(scene: &Scene<'_>) -> Vec<HookReport> {
    let called = scene.migration.spec.hooks.iter().filter_map(|hook| Some((hook, scene.facts.hooks.of(hook)?)));
    called
        .map(|(hook, record)| HookReport {
            name: hook.name.clone(),
            at: hook.at,
            demand: hook.demand,
            calls: record.calls,
            called_at: record.called_at,
            taken_at: record.taken_at,
            newest: record.newest.as_ref().map(ToString::to_string),
        })
        .collect()
}
