//! Moves: when the migration leaves one rung for another, and which facts become durable on the way.
//!
//! A move is made of facts alone. It is journalled first; the posture that it leads to is asked for afterwards, so that a
//! crash between the two changes nothing.

use std::time::Duration;

use super::decide::may_compare;
use super::facts::{Fact, MarkerPurpose, ParityFact};
use super::forced;
use super::gates::{self, Gate, Scene};
use super::hooks;
use super::ladder::Rung;
use super::reverse;
use crate::clock::elapsed;
use crate::controllers::dns::{ChangeStatus, DnsPurpose, Pointing, pointing};
use crate::controllers::fence::{FenceAction, FenceState, judge};
use crate::controllers::replication::TaskStatus;
use crate::database::BinlogPosition;
use crate::names::{Direction, Side};
use crate::parity::ledger::table_name;
use crate::parity::report::Verdict;
use crate::sighting::Sighting;
use crate::spec::Phase;
use crate::spec::change::identity_digest;
use crate::spec::period::spoken;

/// How much of the budget must be left when the point of no return is passed: opening the target takes one call to its
/// database, which may take one call timeout (five seconds) at worst.
const RESERVE_AT_NO_RETURN: Duration = Duration::from_secs(5);

/// When a change whose id was lost counts as in sync: Route 53 says "generally within 60 seconds"; five times that.
const LOST_CHANGE_SETTLES: Duration = Duration::from_secs(300);

/// The facts that this look makes true, in order; empty when there is nothing to record.
pub fn next(scene: &Scene<'_>) -> Vec<Fact> {
    if let Some(facts) = begin_attempt(scene) {
        return facts;
    }
    if let Some(why) = reason_to_abort(scene) {
        return vec![Fact::Aborted { why }, Fact::Entered { rung: Rung::Aborted }];
    }
    if let Some(why) = reason_to_abandon_rollback(scene) {
        return vec![Fact::RollbackAbandoned { why }, Fact::Entered { rung: Rung::Observing }];
    }
    let noticed = noticed(scene);
    if !noticed.is_empty() {
        return noticed;
    }
    if rollback_may_begin(scene) {
        return vec![Fact::Entered { rung: Rung::RollbackFence }];
    }
    // Only where that one may not: it would lose nothing.
    if let Some(facts) = forced::begun(scene) {
        return facts;
    }
    climb(scene)
}

/// A first attempt begins by itself; a later one only where the last has come to rest.
fn begin_attempt(scene: &Scene<'_>) -> Option<Vec<Fact>> {
    let attempt = scene.migration.spec.attempt;
    let first = scene.facts.rung_since.is_none();
    let again = attempt > scene.facts.attempt && at_rest(scene);
    (first || again).then(|| vec![Fact::AttemptBegun { attempt }])
}

/// Whether the attempt under way can be given up for the next without moving anybody's writes.
pub fn at_rest(scene: &Scene<'_>) -> bool {
    match scene.facts.rung {
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated => true,
        Rung::RollbackArmed => !hooks::is_announced(scene),
        Rung::Aborted => all_open(gates::arrival(Rung::Aborted), scene),
        Rung::RollbackOpen => scene.facts.reached.contains_key(&Phase::RolledBack),
        Rung::Fence | Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip => false,
        Rung::Observing | Rung::Completed | Rung::RollbackFence | Rung::RollbackFlip => false,
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => false,
    }
}

/// Why a cutover must be given up now. Needs neither DNS nor DMS, only the journal, the clock and the legacy fence.
fn reason_to_abort(scene: &Scene<'_>) -> Option<String> {
    if scene.facts.rung == Rung::RollbackArmed {
        return hooks::withdrawn(scene);
    }
    let cutting_over = matches!(scene.facts.rung, Rung::Fence | Rung::Drain | Rung::Arm);
    if !cutting_over || scene.facts.is_past_no_return() {
        return None;
    }
    let spec = &scene.migration.spec;
    if let Some(why) = over_budget(scene) {
        return Some(why);
    }
    if spec.paused {
        return Some("the migration was paused while both sides were closed".into());
    }
    match spec.phase {
        Phase::CutOver | Phase::Completed => {}
        other => return Some(format!("the operator asks for {other}")),
    }
    let drained = matches!(scene.facts.rung, Rung::Drain | Rung::Arm);
    let accounts = spec.legacy.database.all_accounts();
    match scene.seen.legacy.present().map(|view| judge(view, &accounts)) {
        Some(FenceState::Open | FenceState::Between(_)) if drained => {
            Some("the legacy fence was lifted from outside after it had been proven".into())
        }
        _ => None,
    }
}

/// The one thing to do when nothing can be made durable: before the point of no return, let legacy write again.
///
/// It needs no intent of its own. Whoever reads this journal later finds a cutover past its budget, and aborts it.
pub fn way_out_without_a_journal(scene: &Scene<'_>) -> Option<FenceAction> {
    let cutting_over = matches!(scene.facts.rung, Rung::Fence | Rung::Drain | Rung::Arm);
    if !cutting_over || scene.facts.is_past_no_return() || Gate::LegacyOpen.judge(scene).is_open() {
        return None;
    }
    let target = scene.seen.target.present().map(|view| judge(view, &scene.migration.spec.target.database.application_accounts));
    if matches!(target, Some(FenceState::Open | FenceState::Between(_))) {
        return None;
    }
    Some(FenceAction::Open { side: Side::Legacy, accounts: scene.migration.spec.legacy.database.application_accounts.clone() })
}

fn over_budget(scene: &Scene<'_>) -> Option<String> {
    let budget = forced::pause_budget(scene);
    let paused_for = elapsed(scene.facts.pause_began?, scene.now);
    (paused_for >= budget).then(|| format!("writes have paused for {}, the budget is {}", spoken(paused_for), spoken(budget)))
}

/// Why a rollback must be given up now: legacy has not opened, so the target may simply take writes again.
fn reason_to_abandon_rollback(scene: &Scene<'_>) -> Option<String> {
    let rung = scene.facts.rung;
    if !matches!(rung, Rung::RollbackFence | Rung::RollbackFlip) && !forced::is_under_way(rung) {
        return None;
    }
    // A predecessor died between the two facts of giving it up; what it had found out may be gone by now.
    if let Some(why) = &scene.facts.rollback_abandoned {
        return Some(why.clone());
    }
    if let Some(why) = over_budget(scene) {
        return Some(forced::failure(scene).map_or(why.clone(), |failure| format!("{why}; {failure}")));
    }
    if let Some(why) = forced::withdrawn(scene) {
        return Some(why);
    }
    if scene.migration.spec.phase != Phase::RolledBack {
        return Some(format!("the operator asks for {}", scene.migration.spec.phase));
    }
    // What was written meanwhile may come after the marker, or after the export, so that neither proves anything any more.
    let accounts = scene.migration.spec.target.database.all_accounts();
    let state = scene.seen.target.present().map(|view| judge(view, &accounts));
    let was_proven = matches!(rung, Rung::RollbackFlip | Rung::ForcedExport);
    let lifted = was_proven && matches!(state, Some(FenceState::Open | FenceState::Between(_)));
    lifted.then(|| "the target fence was lifted from outside after it had been proven".into())
}

/// What this look shows for the first time.
fn noticed(scene: &Scene<'_>) -> Vec<Fact> {
    let mut facts = Vec::new();
    notice_opening(scene, &mut facts);
    notice_change(scene, &mut facts);
    notice_withdrawal(scene, &mut facts);
    notice_comparison(scene, &mut facts);
    notice_waivers(scene, &mut facts);
    match scene.facts.rung {
        Rung::Fence => {
            notice_fence(scene, Side::Target, &mut facts);
            notice_fence(scene, Side::Legacy, &mut facts);
        }
        Rung::Drain => notice_marker(scene, MarkerPurpose::Drain, &mut facts),
        Rung::Arm => notice_reverse_start(scene, &mut facts),
        Rung::Open => notice_reverse(scene, &mut facts),
        Rung::Flip | Rung::Observing => {
            notice_reverse(scene, &mut facts);
            notice_marker(scene, MarkerPurpose::ReverseProof, &mut facts);
        }
        Rung::RollbackFence | Rung::ForcedFence => notice_fence(scene, Side::Target, &mut facts),
        Rung::RollbackFlip => notice_marker(scene, MarkerPurpose::RollbackDrain, &mut facts),
        Rung::ForcedExport => forced::notice(scene, &mut facts),
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => {}
        Rung::Completed | Rung::Aborted | Rung::ForcedStop | Rung::RollbackOpen => {}
    }
    facts
}

fn notice_opening(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    let Some(side) = scene.facts.rung.writer_side().filter(|_| scene.facts.writes_are_paused()) else { return };
    let gate = match side {
        Side::Legacy => Gate::LegacyOpen,
        Side::Target => Gate::TargetOpen,
    };
    if gate.judge(scene).is_open() {
        facts.push(Fact::WritesOpened { side });
    }
}

/// A batch that came in sync, and a flip that was applied though its answer was lost.
fn notice_change(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    for (purpose, old_ttl_seconds) in &scene.facts.intended {
        if was_applied(scene, *purpose) {
            facts.push(Fact::ChangeSubmitted { purpose: *purpose, change: None, old_ttl_seconds: *old_ttl_seconds });
        }
    }
    for (purpose, change) in &scene.facts.changes {
        let in_sync = match (&change.id, &scene.seen.dns.change) {
            (Some(ours), Sighting::Present(ChangeStatus::InSync(id))) => ours == id,
            (None, _) => elapsed(change.submitted_at, scene.now) >= LOST_CHANGE_SETTLES,
            (Some(_), _) => false,
        };
        if change.in_sync_at.is_none() && in_sync {
            facts.push(Fact::ChangeInSync { purpose: *purpose });
        }
    }
}

/// Whether the records show what a batch without an answer was to bring about.
fn was_applied(scene: &Scene<'_>, purpose: DnsPurpose) -> bool {
    let dns = &scene.migration.spec.dns;
    let Sighting::Present(Pointing::At { side, ttl_seconds }) = pointing(&scene.seen.dns.public, dns) else {
        return false;
    };
    match purpose {
        DnsPurpose::FlipToTarget => side == Side::Target,
        DnsPurpose::FlipToLegacy => side == Side::Legacy,
        DnsPurpose::LowerTtl => side == Side::Legacy && ttl_seconds <= dns.ttl.duration().as_secs(),
        // Nothing waits for the shadow name's caches.
        DnsPurpose::Shadow => false,
    }
}

fn notice_withdrawal(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    if scene.facts.rollback_abandoned.is_some() && scene.migration.spec.phase != Phase::RolledBack {
        facts.push(Fact::RollbackWithdrawn);
    }
}

/// A comparison that has ended, unless it is known, or of another attempt.
fn notice_comparison(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    let Some(report) = scene.seen.comparison.ended.as_ref().filter(|_| may_compare(scene.migration, scene.facts)) else { return };
    let is_known = match &scene.facts.parity {
        Some(ParityFact { report: Some(known), .. }) => known.finished >= report.finished,
        Some(_) | None => false,
    };
    let of_this_attempt = scene.facts.entered.get(&Rung::Preflight).is_none_or(|attempt_began| report.began >= *attempt_began);
    if of_this_attempt && !is_known {
        let differing = report.tables.iter().filter(|table| table.verdict == Verdict::Differs);
        facts.push(Fact::ParityCompared {
            rows: report.rows(),
            differing: differing.map(|table| table_name(&table.table)).collect(),
            report: Some(Box::new(report.clone())),
        });
    }
}

/// Who vouches for checks that need not pass. Nobody's writes wait for this to be written down.
fn notice_waivers(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    let in_force = || scene.migration.spec.checks.waivers_in_force(scene.now);
    if !scene.facts.writes_are_paused() && !in_force().eq(&scene.facts.waivers) {
        facts.push(Fact::WaiversInForce { waivers: in_force().cloned().collect() });
    }
}

/// The position of a fence, if it is closed in this very look.
fn closed_at(scene: &Scene<'_>, side: Side) -> Option<Option<BinlogPosition>> {
    let accounts = scene.migration.database(side).all_accounts();
    match judge(scene.seen.database(side).present()?, &accounts) {
        FenceState::Closed { position } if gates::lacking(scene, side, &accounts).is_none() => Some(position),
        FenceState::Closed { .. } | FenceState::Open | FenceState::Between(_) => None,
    }
}

fn notice_fence(scene: &Scene<'_>, side: Side, facts: &mut Vec<Fact>) {
    if let Some(position) = closed_at(scene, side).filter(|_| !scene.facts.fences.contains_key(&side)) {
        facts.push(Fact::FenceProven { side, position });
    }
}

fn notice_marker(scene: &Scene<'_>, purpose: MarkerPurpose, facts: &mut Vec<Fact>) {
    let Some(awaited) = scene.facts.markers.get(&purpose).filter(|marker| marker.seen_at.is_none()) else { return };
    let arrived = scene.seen.database(purpose.written_on().other()).present();
    if arrived.is_some_and(|view| view.markers.contains(&awaited.marker)) {
        facts.push(Fact::MarkerSeen { purpose });
    }
}

/// The start of reverse replication is read while both fences hold, after the drain, before anybody may write; the point of
/// no return follows only while enough of the budget is left to open the target in time.
fn notice_reverse_start(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    // Numbers are raised before the position is recorded, so that reverse replication does not read of it.
    if ![Gate::LegacyFenced, Gate::ForwardStopped, Gate::IdSpaceClear].iter().all(|gate| gate.judge(scene).is_open()) {
        return;
    }
    let Some(Some(position)) = closed_at(scene, Side::Target) else { return };
    if scene.facts.reverse_start.is_none() {
        facts.push(Fact::ReverseStartRecorded { position });
        return;
    }
    let budget = scene.migration.spec.cutover.write_pause_budget.duration();
    let paused_for = scene.facts.pause_began.map_or(Duration::MAX, |began| elapsed(began, scene.now));
    if !scene.facts.is_past_no_return() && paused_for.saturating_add(RESERVE_AT_NO_RETURN) <= budget {
        facts.push(Fact::PointOfNoReturn);
    }
}

fn notice_reverse(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    let running = scene.seen.replication.reverse.present().is_some_and(|task| task.status == TaskStatus::Running);
    if running && scene.facts.reverse_started.is_none() {
        facts.push(Fact::ReverseStarted);
    }
    reverse::notice(scene, facts);
}

fn rollback_may_begin(scene: &Scene<'_>) -> bool {
    scene.migration.spec.phase == Phase::RolledBack
        && matches!(scene.facts.rung, Rung::Flip | Rung::Observing)
        && scene.facts.rollback_abandoned.is_none()
        && !scene.migration.spec.paused
        && gates::ROLLBACK.iter().all(|gate| gate.judge(scene).is_open())
}

/// One rung up, if everything on this one has arrived and the spec asks for more.
fn climb(scene: &Scene<'_>) -> Vec<Fact> {
    let here = scene.facts.rung;
    if !gates::arrival(here).iter().all(|gate| gate.judge(scene).is_open()) {
        return Vec::new();
    }
    let mut facts = Vec::new();
    if let Some(phase) = here.reaches().filter(|phase| !scene.facts.reached.contains_key(phase)) {
        facts.push(Fact::Reached { phase });
    }
    if let Some(above) = here.above().filter(|above| may_enter(scene, *above)) {
        if above == Rung::Fence && scene.facts.identity.is_none() {
            facts.push(Fact::IdentityFrozen { digest: identity_digest(scene.migration) });
        }
        facts.push(Fact::Entered { rung: above });
    }
    facts
}

/// Whether nothing but this gate keeps the first fence of a cutover from closing.
pub fn may_fence_but_for(scene: &Scene<'_>, left_out: Gate) -> bool {
    let is_asked_for = wishes(scene, Phase::CutOver) && scene.migration.spec.attempt == scene.facts.attempt;
    is_asked_for && gates::CUTOVER.iter().filter(|gate| **gate != left_out).all(|gate| gate.judge(scene).is_open())
}

fn wishes(scene: &Scene<'_>, phase: Phase) -> bool {
    let spec = &scene.migration.spec;
    spec.phase != Phase::RolledBack && spec.phase >= phase && !spec.paused
}

fn may_enter(scene: &Scene<'_>, rung: Rung) -> bool {
    let wishes = |phase: Phase| wishes(scene, phase);
    match rung {
        Rung::Prepared => wishes(Phase::Prepared),
        Rung::Replicating => wishes(Phase::Replicating),
        Rung::Validated => wishes(Phase::Validated),
        Rung::RollbackArmed => wishes(Phase::RollbackArmed),
        Rung::Fence => {
            let gate = Gate::HooksBeforeFence;
            may_fence_but_for(scene, gate) && gate.judge(scene).is_open()
        }
        // Once the first fence has closed, the way on is not asked again: standing still is what costs.
        Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip | Rung::Observing => true,
        Rung::ForcedFence => !scene.migration.spec.paused,
        Rung::RollbackFlip | Rung::ForcedExport | Rung::RollbackOpen => true,
        Rung::Completed => wishes(Phase::Completed) && all_open(gates::COMPLETION, scene),
        Rung::Preflight | Rung::Aborted | Rung::RollbackFence | Rung::ForcedStop => false,
    }
}

fn all_open(list: &[Gate], scene: &Scene<'_>) -> bool {
    list.iter().all(|gate| gate.judge(scene).is_open())
}

/// Whether the reverse task still has to be started from its recorded position, in this attempt.
pub const fn reverse_starts_from<'a>(scene: &Scene<'a>) -> Option<&'a BinlogPosition> {
    match scene.facts.reverse_started {
        None => scene.facts.reverse_start.as_ref(),
        Some(_) => None,
    }
}

/// The direction that rows flow in at a rung, if they flow.
pub const fn flow(rung: Rung) -> Option<Direction> {
    match rung {
        Rung::Replicating | Rung::Validated | Rung::RollbackArmed | Rung::Fence | Rung::Drain | Rung::Aborted => {
            Some(Direction::Forward)
        }
        Rung::Open | Rung::Flip | Rung::Observing | Rung::RollbackFence | Rung::RollbackFlip => Some(Direction::Reverse),
        Rung::Preflight | Rung::Prepared | Rung::Arm | Rung::Completed | Rung::RollbackOpen => None,
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => None,
    }
}
