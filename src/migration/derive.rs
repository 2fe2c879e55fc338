//! Status, derived last: `derive(spec, facts, observation, plan, previous, now)`. Pure, and nothing reads it back.

use std::time::Duration;

use jiff::Timestamp;

use super::approvals;
use super::crossing::Lag;
use super::decide::wants_more;
use super::facts::Latch;
use super::forced;
use super::gates::{Gate, ROLLBACK, Scene, lacking, lag_now};
use super::hooks;
use super::ladder::{Posture, Rung};
use super::moves::flow;
use super::plan::{GateReport, Pace, Plan, Standing};
use super::purge;
use super::reverse;
use super::source::{SourceReport, SourceTrouble};
use super::status::{Condition, ConditionStatus, ConditionType, ForcedStanding, MigrationStatus, RollbackStatus, TaskReport};
use crate::checks::outcome::Verdict as Found;
use crate::checks::report::{CheckReport, report};
use crate::controllers::Reason;
use crate::controllers::dns::{DnsWish, Pointing, pointing};
use crate::controllers::fence::{self, FenceState, FenceTerms, Writes, judge};
use crate::controllers::replication::TableState;
use crate::names::{Direction, PlanDigest, Side};
use crate::sighting::Sighting;
use crate::spec::Phase;
use crate::spec::period::spoken;

/// What the engine knows beside the scene.
#[derive(Debug, Clone)]
pub struct Backstage<'a> {
    /// The generation of the spec in force.
    pub generation: u64,
    /// The digest of its cutover.
    pub cutover_digest: PlanDigest,
    /// Where it came from, if that is a branch of a repository.
    pub source: Option<&'a SourceReport>,
    /// Why the newest spec is not in force, if it is not.
    pub spec_error: Option<&'a str>,
    /// Why the journal cannot be written, if it cannot.
    pub journal_error: Option<&'a str>,
    /// What was just done, in sentences.
    pub last_actions: Vec<String>,
    /// The status before, for transition times.
    pub previous: Option<&'a MigrationStatus>,
}

/// The status.
pub fn derive(scene: &Scene<'_>, plan: &Plan, backstage: &Backstage<'_>) -> MigrationStatus {
    let facts = scene.facts;
    let rollback = RollbackStatus { forced: forced::report(scene), ..rollback(scene) };
    let mut status = MigrationStatus {
        observed_generation: backstage.generation,
        observed_at: scene.now,
        phase: reached_phase(scene),
        wished_phase: scene.migration.spec.phase,
        rung: facts.rung,
        attempt: facts.attempt,
        summary: String::new(),
        next_step: next_step(scene, plan, &backstage.cutover_digest),
        conditions: Vec::new(),
        legacy_writes: writes(scene, Side::Legacy),
        target_writes: writes(scene, Side::Target),
        public_dns: public_dns(scene),
        forward: task_report(scene, Direction::Forward),
        reverse: task_report(scene, Direction::Reverse),
        gates: plan.gates.clone(),
        checks: report(&scene.migration.spec.checks, &scene.seen.checks, scene.now),
        waiting: plan.waiting.clone(),
        blocked: plan.blocked.clone(),
        last_actions: backstage.last_actions.clone(),
        rollback,
        approvals: approvals::report(scene.migration, backstage.cutover_digest.clone(), scene.now),
        source: backstage.source.cloned(),
        spec_error: backstage.spec_error.map(str::to_owned),
        write_pause_began: facts.pause_began,
        parity: facts.parity.as_ref().and_then(|parity| parity.report.clone()),
        comparison_under_way: scene.seen.comparison.under_way.clone(),
        hooks: hooks::report(scene),
    };
    status.conditions = conditions(scene, plan, backstage, &status);
    status.summary = summary(&status, plan);
    status
}

/// The furthest phase reached in this attempt. A rollback or an abort is further along than what it undid.
pub fn reached_phase(scene: &Scene<'_>) -> Option<Phase> {
    let reached = &scene.facts.reached;
    if scene.facts.rung == Rung::Aborted {
        return Some(Phase::RollbackArmed).filter(|phase| reached.contains_key(phase));
    }
    reached.keys().max().copied()
}

fn writes(scene: &Scene<'_>, side: Side) -> String {
    let database = scene.migration.database(side);
    let Some(view) = scene.seen.database(side).present() else { return "unknown".into() };
    let word = match (judge(view, &database.application_accounts), judge(view, &database.all_accounts())) {
        (FenceState::Open, _) => "open",
        (FenceState::Closed { .. }, FenceState::Closed { .. }) => "closed",
        (FenceState::Closed { .. }, FenceState::Open | FenceState::Between(_)) => "validationOnly",
        (FenceState::Between(_), _) => "between",
    };
    word.into()
}

fn public_dns(scene: &Scene<'_>) -> String {
    match pointing(&scene.seen.dns.public, &scene.migration.spec.dns) {
        Sighting::Present(Pointing::At { side, .. }) => side.to_string(),
        Sighting::Present(Pointing::Foreign(_)) => "foreign".into(),
        Sighting::Absent => "absent".into(),
        Sighting::Unknown { .. } => "unknown".into(),
    }
}

fn task_report(scene: &Scene<'_>, direction: Direction) -> TaskReport {
    let task = match scene.seen.replication.task(direction) {
        Sighting::Present(task) => format!("{:?}", task.status).to_lowercase(),
        Sighting::Absent => "absent".into(),
        Sighting::Unknown { .. } => "unknown".into(),
    };
    let errored_tables = scene.seen.replication.tables(direction).present().into_iter().flatten();
    TaskReport {
        task,
        lag_seconds: lag_seconds(scene, direction),
        errored_tables: errored_tables
            .filter(|statistic| statistic.state == TableState::Error)
            .map(|statistic| statistic.table.to_string())
            .collect(),
    }
}

fn lag_seconds(scene: &Scene<'_>, direction: Direction) -> Option<f64> {
    if flow(scene.facts.rung) != Some(direction) {
        return None;
    }
    match lag_now(scene, direction) {
        Lag::Within { at_most, .. } => Some(at_most.as_secs_f64()),
        Lag::Behind { by } => Some(by.as_secs_f64()),
        Lag::Unproven => None,
    }
}

/// What a rollback would mean now.
fn rollback(scene: &Scene<'_>) -> RollbackStatus {
    let facts = scene.facts;
    match facts.rung {
        Rung::Open | Rung::Flip | Rung::Observing => {}
        Rung::RollbackFence | Rung::RollbackFlip => {
            return no_rollback("a rollback is under way", "nothing: legacy opens only once every write has arrived");
        }
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => {
            return no_rollback(
                "a forced rollback is under way",
                "every write that has not reached legacy; their rows are exported before legacy opens",
            );
        }
        Rung::RollbackOpen if facts.forced.is_some() => {
            let rows = facts.quarantine.as_ref().map_or_else(|| "unknown".into(), ToString::to_string);
            let lost = format!("legacy lacks what a person has yet to bring in from quarantine: {rows}");
            return no_rollback("the rollback was forced", &lost);
        }
        Rung::RollbackOpen if !facts.reached.contains_key(&Phase::RolledBack) => {
            return no_rollback("a rollback is under way: legacy has every write and is being opened", "nothing");
        }
        Rung::RollbackOpen => {
            return no_rollback("the migration is rolled back", "nothing: every write of the target arrived on legacy");
        }
        Rung::Completed => {
            return no_rollback("the migration is completed and its way back is retired", "every write since the cutover");
        }
        Rung::Fence | Rung::Drain | Rung::Arm => {
            let reason = if facts.is_past_no_return() {
                "the target is about to open; ask for RolledBack once it has"
            } else {
                "the point of no return is not passed: an abort is enough"
            };
            return no_rollback(reason, "nothing");
        }
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed | Rung::Aborted => {
            return no_rollback("the target has taken no write: there is nothing to roll back", "nothing");
        }
    }
    let judged: Vec<(Gate, Standing)> =
        ROLLBACK.iter().filter(|gate| **gate != Gate::ReverseLag).map(|gate| (*gate, gate.judge(scene))).collect();
    let mut closed: Vec<String> = judged
        .iter()
        .filter(|(_, standing)| !standing.is_open())
        .map(|(gate, standing)| format!("{}: {}", gate.name(), standing.text()))
        .collect();
    match lag_now(scene, Direction::Reverse) {
        Lag::Within { .. } => {}
        Lag::Behind { by } => closed.push(format!("ReverseLag: legacy is {} behind or more", spoken(whole_seconds(by)))),
        Lag::Unproven => closed.push("ReverseLag: no fresh heartbeat has crossed yet".into()),
    }
    closed.extend(reverse::dead(scene).map(|why| format!("{}: {why}", reverse::DEAD)));
    if let Some(why) = &facts.rollback_abandoned {
        closed.push(format!("the last rollback was given up: {why}"));
    }
    let ready = closed.is_empty();
    let limit = purge::possible_until(scene);
    let since = facts.entered.get(&Rung::Open).map_or_else(String::new, |at| format!(" since {at:.0}"));
    RollbackStatus {
        ready,
        reasons: if ready { vec!["reverse replication runs, is proven and keeps up".into()] } else { closed },
        data_at_risk: if ready {
            "nothing: a rollback waits until legacy has every write".into()
        } else {
            format!("nothing while it is held; forced, every write that has not reached legacy{since}")
        },
        possible_until: limit.map(|(at, _)| at),
        limited_by: limit.map(|(_, what)| what),
        forced: None,
    }
}

fn no_rollback(reason: &str, data_at_risk: &str) -> RollbackStatus {
    RollbackStatus {
        ready: false,
        reasons: vec![reason.into()],
        data_at_risk: data_at_risk.into(),
        possible_until: None,
        limited_by: None,
        forced: None,
    }
}

/// What an operator would do next.
fn next_step(scene: &Scene<'_>, plan: &Plan, digest: &PlanDigest) -> String {
    let spec = &scene.migration.spec;
    if let Some(block) = plan.blocked.first() {
        return format!("a person has to look: {}", block.message);
    }
    if spec.paused {
        return "set spec.paused to false to go on".into();
    }
    if wants_more(scene) {
        return match (&scene.facts.latch, scene.facts.rung) {
            (Latch::Free, Rung::RollbackArmed) if !Gate::Approved.judge(scene).is_open() => {
                format!(
                    "add approvals dated {:.0} or a little earlier that name attempt {} and plan {digest}",
                    scene.now, scene.facts.attempt
                )
            }
            _ => format!("nothing: {} is on its way", spec.phase),
        };
    }
    match spec.phase.next() {
        Some(Phase::Completed) => {
            "watch; set spec.phase to Completed when the observation window has passed, or RolledBack to go back".into()
        }
        Some(next) => format!("set spec.phase to {next} when you are ready"),
        None => "nothing: the migration is over".into(),
    }
}

fn summary(status: &MigrationStatus, plan: &Plan) -> String {
    let phase = status.phase.map_or_else(|| "nothing yet".to_owned(), |phase| phase.to_string());
    let rest = if let Some(block) = plan.blocked.first() {
        format!("held: {}", block.message)
    } else if let Some(action) = plan.actions.first() {
        action.to_string()
    } else if let Some(wait) = plan.waiting.first() {
        format!("waiting: {}", wait.message)
    } else if let (true, Some(closed)) = (status.phase != Some(status.wished_phase), closed_gate(plan)) {
        format!("waiting for {}: {}", closed.name, closed.standing.text())
    } else {
        "as wished".into()
    };
    format!("{phase} reached, {} asked for; {rest}", status.wished_phase)
}

/// The gate that explains best why nothing moves: one that is closed for a reason before one that is merely unknown.
fn closed_gate(plan: &Plan) -> Option<&GateReport> {
    let closed = |gate: &&GateReport| matches!(gate.standing, Standing::Closed(_));
    plan.gates.iter().find(closed).or_else(|| plan.gates.iter().find(|gate| !gate.standing.is_open()))
}

/// A condition before its times are known.
struct Verdict {
    kind: ConditionType,
    status: ConditionStatus,
    reason: &'static str,
    message: String,
}

fn verdict(kind: ConditionType, status: ConditionStatus, reason: &'static str, message: impl Into<String>) -> Verdict {
    Verdict { kind, status, reason, message: message.into() }
}

/// A branch that cannot be read may hold something newer, or not: that is unknown, and not refused.
fn spec_accepted(backstage: &Backstage<'_>) -> Verdict {
    let said = |status, reason, why: &str| verdict(ConditionType::SpecAccepted, status, reason, why);
    match (backstage.spec_error, backstage.source.and_then(|source| source.trouble.as_ref())) {
        (Some(why), _) => said(ConditionStatus::False, "Refused", why),
        (None, Some(SourceTrouble::Refused(why))) => said(ConditionStatus::False, "CommitRefused", why),
        (None, Some(SourceTrouble::Unread(why))) => said(ConditionStatus::Unknown, "SourceUnread", why),
        (None, None) => said(ConditionStatus::True, "Accepted", "the newest spec is in force"),
    }
}

fn conditions(scene: &Scene<'_>, plan: &Plan, backstage: &Backstage<'_>, status: &MigrationStatus) -> Vec<Condition> {
    let mut verdicts = headline(scene, plan, backstage);
    verdicts.push(spec_accepted(backstage));
    verdicts.push(match backstage.journal_error {
        None => verdict(ConditionType::JournalWritable, ConditionStatus::True, "Writable", "facts are durable"),
        Some(why) => verdict(ConditionType::JournalWritable, ConditionStatus::False, "ObserveOnly", why),
    });
    verdicts.push(replicated(scene));
    verdicts.push(consistent(scene));
    verdicts.push(checked(&status.checks));
    verdicts.push(routed(scene));
    verdicts.push(fenced(scene));
    verdicts.push(fence_proven(scene));
    let ready = &status.rollback;
    let holds = if ready.ready { ConditionStatus::True } else { ConditionStatus::False };
    verdicts.push(verdict(
        ConditionType::RollbackReady,
        holds,
        match (ready.ready, ready.forced.as_ref().map(|forced| forced.standing)) {
            (true, _) => "Ready",
            (false, None | Some(ForcedStanding::NotReady)) => "NotReady",
            (false, Some(ForcedStanding::Ready)) => "ForcedReady",
            (false, Some(ForcedStanding::UnderWay | ForcedStanding::Forced)) => "Forced",
        },
        ready.reasons.join("; "),
    ));
    verdicts.into_iter().map(|verdict| dated(verdict, scene.now, backstage)).collect()
}

/// The transition time moves only when the status does.
fn dated(verdict: Verdict, now: Timestamp, backstage: &Backstage<'_>) -> Condition {
    let before =
        backstage.previous.and_then(|status| status.conditions.iter().find(|before| before.condition_type == verdict.kind));
    Condition {
        condition_type: verdict.kind,
        status: verdict.status,
        reason: Reason(verdict.reason.to_owned()),
        message: verdict.message,
        last_transition_time: before
            .filter(|before| before.status == verdict.status)
            .map_or(now, |before| before.last_transition_time),
        observed_generation: backstage.generation,
    }
}

/// Ready, Reconciling, Stalled and AwaitingPromotion, by kstatus's rules: stalled only when no amount of waiting helps, ready
/// when what was asked for is reached, even though a later promotion is awaited.
fn headline(scene: &Scene<'_>, plan: &Plan, backstage: &Backstage<'_>) -> Vec<Verdict> {
    use ConditionStatus::{False, True};
    let wished = scene.migration.spec.phase;
    let moving = plan.pace != Pace::Settled || !plan.actions.is_empty();
    let held = backstage.journal_error.map(str::to_owned).or_else(|| plan.blocked.first().map(|block| block.message.clone()));
    let reached = !wants_more(scene) && reached_phase(scene) == Some(wished);
    let promotion = wished.next();
    let stalled = match &held {
        Some(why) => verdict(ConditionType::Stalled, True, "NeedsOperator", why.clone()),
        None => verdict(ConditionType::Stalled, False, "Progressing", "nothing needs a person"),
    };
    let reconciling = match (held.is_some(), reached && !moving) {
        (true, _) => verdict(ConditionType::Reconciling, False, "Stalled", "held until a person has looked"),
        (false, true) => verdict(ConditionType::Reconciling, False, "Settled", "everything is as wished"),
        (false, false) => verdict(ConditionType::Reconciling, True, "Progressing", format!("on the way to {wished}")),
    };
    let ready = match (reached, &held, promotion) {
        (true, None, Some(next)) => {
            verdict(ConditionType::Ready, True, "AwaitingPromotion", format!("{wished} is reached; {next} may be asked for"))
        }
        (true, None, None) => {
            verdict(ConditionType::Ready, True, "Finished", format!("{wished} is reached; the migration is over"))
        }
        (true, Some(_), _) => {
            verdict(ConditionType::Ready, False, "Held", format!("{wished} is reached, and held until a person has looked"))
        }
        (false, _, _) => verdict(ConditionType::Ready, False, "NotReached", format!("{wished} is not reached yet")),
    };
    let awaiting = match (reached, promotion) {
        (true, Some(next)) => {
            verdict(ConditionType::AwaitingPromotion, True, "PhaseReached", format!("set spec.phase to {next} to go on"))
        }
        (true, None) => verdict(ConditionType::AwaitingPromotion, False, "Finished", "there is no later phase"),
        (false, _) => verdict(ConditionType::AwaitingPromotion, False, "OnTheWay", format!("{wished} is not reached yet")),
    };
    vec![ready, reconciling, stalled, awaiting]
}

fn replicated(scene: &Scene<'_>) -> Verdict {
    let kind = ConditionType::Replicated;
    let Some(direction) = flow(scene.facts.rung) else {
        return verdict(kind, ConditionStatus::False, "NoStream", "no rows are meant to flow at this rung");
    };
    match lag_now(scene, direction) {
        Lag::Within { at_most, proven_at } => verdict(
            kind,
            ConditionStatus::True,
            "WithinMaxLag",
            format!("{direction} replication was at most {} behind at {proven_at:.0}, nothing is overdue since", spoken(at_most)),
        ),
        Lag::Behind { by } => {
            let message = format!("{direction} replication is {} behind or more", spoken(whole_seconds(by)));
            verdict(kind, ConditionStatus::False, "Lagging", message)
        }
        Lag::Unproven => {
            verdict(kind, ConditionStatus::Unknown, "NoHeartbeat", format!("no fresh heartbeat has crossed {direction} yet"))
        }
    }
}

/// What was measured with the pace of looks is not known to the millisecond.
const fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn consistent(scene: &Scene<'_>) -> Verdict {
    let kind = ConditionType::Consistent;
    let Some(parity) = &scene.facts.parity else {
        return verdict(kind, ConditionStatus::Unknown, "NotCompared", "rows have not been compared yet");
    };
    let complaints = parity.complaints();
    match (complaints.is_empty(), parity.differs()) {
        (true, _) => {
            verdict(kind, ConditionStatus::True, "Equal", format!("{} rows compared at {:.0}, equal", parity.rows, parity.at))
        }
        (false, true) => verdict(kind, ConditionStatus::False, "Differs", complaints.join("; ")),
        (false, false) => verdict(kind, ConditionStatus::Unknown, "NotAllCompared", complaints.join("; ")),
    }
}

fn checked(checks: &[CheckReport]) -> Verdict {
    let kind = ConditionType::Checked;
    let found = |verdict: Found| {
        let these = checks.iter().filter(|check| check.verdict == verdict && check.waiver.is_none());
        these.map(|check| format!("{}: {}", check.name, check.message)).collect::<Vec<_>>()
    };
    let (failed, unknown) = (found(Found::Fail), found(Found::Unknown));
    let waived: Vec<&str> = checks.iter().filter(|check| check.waiver.is_some()).map(|check| check.name.as_str()).collect();
    match (failed.is_empty(), unknown.is_empty(), waived.is_empty()) {
        (false, _, _) => verdict(kind, ConditionStatus::False, "Failing", failed.join("; ")),
        (true, false, _) => verdict(kind, ConditionStatus::Unknown, "NotAllKnown", unknown.join("; ")),
        (true, true, false) => verdict(kind, ConditionStatus::True, "PassingOrWaived", format!("waived: {}", waived.join(", "))),
        (true, true, true) if checks.is_empty() => verdict(kind, ConditionStatus::True, "NoneDeclared", "no check is declared"),
        (true, true, true) => {
            verdict(kind, ConditionStatus::True, "Passing", format!("{} checks passed their newest run", checks.len()))
        }
    }
}

fn routed(scene: &Scene<'_>) -> Verdict {
    let kind = ConditionType::Routed;
    let Posture { public_dns: wish, .. } = scene.facts.rung.posture();
    let wished = match wish {
        DnsWish::NotYet | DnsWish::Legacy => Side::Legacy,
        DnsWish::Target => Side::Target,
    };
    match pointing(&scene.seen.dns.public, &scene.migration.spec.dns) {
        Sighting::Present(Pointing::At { side, .. }) if side == wished => {
            verdict(kind, ConditionStatus::True, "AsWished", format!("the public name points at {side}"))
        }
        Sighting::Present(Pointing::At { side, .. }) => {
            verdict(kind, ConditionStatus::False, "Elsewhere", format!("the public name points at {side}, not {wished}"))
        }
        Sighting::Present(Pointing::Foreign(why)) => verdict(kind, ConditionStatus::False, "ForeignRecord", why),
        Sighting::Absent => verdict(kind, ConditionStatus::False, "RecordAbsent", "the public name has no record"),
        Sighting::Unknown { why } => verdict(kind, ConditionStatus::Unknown, "Unreadable", why),
    }
}

fn fenced(scene: &Scene<'_>) -> Verdict {
    let kind = ConditionType::Fenced;
    let posture = scene.facts.rung.posture();
    let mut open = Vec::new();
    for (side, wished) in [(Side::Legacy, posture.legacy_writes), (Side::Target, posture.target_writes)] {
        let view = scene.seen.database(side);
        if view.present().is_none() {
            return verdict(kind, ConditionStatus::Unknown, "Unreadable", format!("the {side} database could not be read"));
        }
        let terms = FenceTerms { side, database: scene.migration.database(side), view };
        if !fence::plan(wished, &terms).is_settled() {
            open.push(format!("{side} is to be {wished:?}"));
        }
    }
    if open.is_empty() {
        verdict(kind, ConditionStatus::True, "AsWished", "both databases admit exactly whom this rung allows")
    } else {
        verdict(kind, ConditionStatus::False, "Moving", open.join("; "))
    }
}

/// Which parts of the receipts were not seen, of the fences that this rung asks for.
fn fence_proven(scene: &Scene<'_>) -> Verdict {
    let kind = ConditionType::FenceProven;
    let posture = scene.facts.rung.posture();
    let (mut held, mut gaps) = (Vec::new(), Vec::new());
    for (side, wished) in [(Side::Legacy, posture.legacy_writes), (Side::Target, posture.target_writes)] {
        let database = scene.migration.database(side);
        let accounts = match wished {
            Writes::NotYet | Writes::Open => continue,
            Writes::ValidationOnly => database.application_accounts.clone(),
            Writes::Closed => database.all_accounts(),
        };
        let Some(view) = scene.seen.database(side).present() else {
            return verdict(kind, ConditionStatus::Unknown, "Unreadable", format!("the {side} database could not be read"));
        };
        match judge(view, &accounts) {
            FenceState::Closed { .. } => held.push(side.to_string()),
            FenceState::Open => return verdict(kind, ConditionStatus::False, "NotClosed", format!("{side} is open")),
            FenceState::Between(why) => return verdict(kind, ConditionStatus::False, "NotClosed", format!("{side}: {why}")),
        }
        let unseen = view.receipt.as_ref().map_or_else(Vec::new, |receipt| receipt.gaps(&accounts));
        let missing = lacking(scene, side, &accounts).filter(|why| !unseen.contains(why));
        gaps.extend(unseen.into_iter().chain(missing).map(|gap| format!("{side}: {gap}")));
    }
    match (held.is_empty(), gaps.is_empty()) {
        (true, _) => verdict(kind, ConditionStatus::False, "NoFence", "no fence is to hold at this rung"),
        (false, true) => {
            let sides = held.join(" and ");
            verdict(kind, ConditionStatus::True, "Proven", format!("every part of the receipt was seen at {sides}"))
        }
        (false, false) => verdict(kind, ConditionStatus::False, "ProvenInPart", gaps.join("; ")),
    }
}
