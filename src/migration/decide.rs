//! One pass of thought: `decide(spec, facts, observation, now) -> Plan`. Pure, synchronous, total.
//!
//! # Flow
//! Facts that this look makes true are recorded before anything else, alone; the caller makes them durable and asks again.
//! Then every room plans towards the rung's posture, the rung adds its own chores, and the safety filter may forbid.
//!
//! # Guarantees
//! The same arguments give the same plan. Nothing planned here relies on an `Unknown`. No plan both records facts and acts.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::{Facts, MarkerPurpose};
use super::forced;
use super::gates::{self, Gate, Scene};
use super::hooks;
use super::ids;
use super::ladder::{Rung, TaskPosture};
use super::moves;
use super::observation::Observation;
use super::plan::{Action, Pace, Plan, Standing};
use super::reverse;
use super::safety;
use super::wish;
use crate::clock::after;
use crate::controllers::binlog;
use crate::controllers::dns;
use crate::controllers::fence::{self, FenceAction, FenceTerms};
use crate::controllers::redirect;
use crate::controllers::replication::{self, Reloads, ReplicationWish, TaskWish};
use crate::controllers::{Block, Steps, Wait};
use crate::names::{Direction, MarkerId, Side};
use crate::spec::{Migration, Phase};

/// A gate and how it stands.
type Judged = (Gate, Standing);

/// Decides what to do now.
pub fn decide(migration: &Migration, facts: &Facts, seen: &Observation, now: Timestamp) -> Plan {
    let scene = Scene { migration, facts, seen, now };
    let moves = moves::next(&scene);
    let judged = judge_gates(&scene);
    let gates = gates::report(&judged);
    let rung = facts.rung;
    if !moves.is_empty() {
        let actions = moves.into_iter().map(Action::Record).collect();
        let (waiting, blocked) = (Vec::new(), Vec::new());
        return Plan { rung, actions, waiting, blocked, gates, pace: Pace::Urgent, look_again_at: None };
    }
    let steps = safety::filter(wanted(&scene), &scene);
    let look_again_at = look_again_at(&scene, &steps, &judged);
    let pace = pace(&scene, &steps, &judged);
    let Steps { actions, waiting, blocked } = steps;
    Plan { rung, actions, waiting, blocked, gates, pace, look_again_at }
}

/// Everything that every room would do towards the posture, and the rung's own chores.
fn wanted(scene: &Scene<'_>) -> Steps<Action> {
    let fences = fences(scene);
    if is_opening(scene) && !fences.actions.is_empty() {
        return fences;
    }
    if holds_still(scene) {
        let paused = Steps::wait(Wait::new("Paused", "spec.paused is true: observing only, nothing is changed"));
        return if is_opening(scene) { fences.and(paused) } else { paused };
    }
    // Fences come first: where both ask for something, closing a fence is what cannot wait.
    let steps = fences
        .and(replication(scene))
        .and(chores(scene))
        .and(names(scene))
        .and(front(scene))
        .and(binary_log(scene))
        .and(advice(scene))
        .and(failing_checks(scene));
    // In a pause of writes one action is what its budget may be overrun by, so that hooks have a pass of their own.
    if scene.facts.writes_are_paused() && !steps.actions.is_empty() {
        return steps;
    }
    steps.and(hooks::plan(scene).widen(Action::Hook))
}

/// A pause changes nothing, except what keeps it from holding both sides closed.
fn holds_still(scene: &Scene<'_>) -> bool {
    let both_are_to_be_closed = scene.facts.writes_are_paused() && scene.facts.rung.writer_side().is_none();
    scene.migration.spec.paused && !both_are_to_be_closed
}

/// Whether the side that ends the pause of writes has yet to be seen open. Nothing else is worth a call until then.
const fn is_opening(scene: &Scene<'_>) -> bool {
    scene.facts.writes_are_paused() && scene.facts.rung.writer_side().is_some()
}

fn fences(scene: &Scene<'_>) -> Steps<Action> {
    let posture = scene.facts.rung.posture();
    let plan = |side: Side, writes| {
        let terms = FenceTerms { side, database: scene.migration.database(side), view: scene.seen.database(side) };
        fence::plan(writes, &terms).widen(Action::Fence)
    };
    let mut steps = plan(Side::Legacy, posture.legacy_writes).and(plan(Side::Target, posture.target_writes));
    // What closes goes before what opens, and the application before validation traffic.
    steps.actions.sort_by_key(|action| match action {
        Action::Fence(FenceAction::Open { side, .. }) if scene.facts.rung.writer_side() == Some(*side) => 1,
        Action::Fence(FenceAction::Open { .. }) => 2,
        _ => 0,
    });
    steps
}

fn replication(scene: &Scene<'_>) -> Steps<Action> {
    let posture = scene.facts.rung.posture();
    let wish = ReplicationWish {
        forward: task_wish(scene, posture.forward, Direction::Forward),
        reverse: task_wish(scene, posture.reverse, Direction::Reverse),
        reloads: reloads(scene),
    };
    reverse::hold(replication::plan(&wish, &scene.seen.replication, scene.migration).widen(Action::Replication), scene)
}

fn task_wish(scene: &Scene<'_>, posture: TaskPosture, direction: Direction) -> TaskWish {
    let running = || TaskWish::Running {
        from: match direction {
            Direction::Forward => None,
            Direction::Reverse => moves::reverse_starts_from(scene).cloned(),
        },
    };
    match posture {
        TaskPosture::NotYet => TaskWish::NotYet,
        TaskPosture::Created => TaskWish::Created,
        TaskPosture::Running => running(),
        TaskPosture::UntilMarker => {
            let purpose = match direction {
                Direction::Forward => MarkerPurpose::Drain,
                Direction::Reverse => MarkerPurpose::RollbackDrain,
            };
            let arrived = scene.facts.markers.get(&purpose).is_some_and(|marker| marker.seen_at.is_some());
            if arrived { TaskWish::Stopped } else { running() }
        }
        TaskPosture::Stopped => TaskWish::Stopped,
        TaskPosture::Retired => TaskWish::Retired,
    }
}

fn reloads(scene: &Scene<'_>) -> Reloads {
    let before_any_fence = matches!(scene.facts.rung, Rung::Replicating | Rung::Validated | Rung::RollbackArmed);
    if before_any_fence && scene.facts.target_opened.is_none() {
        Reloads::Allowed {
            per_table: scene.migration.spec.replication.forward.max_reloads_per_table,
            done: scene.facts.reloads.clone(),
        }
    } else {
        Reloads::Forbidden
    }
}

fn names(scene: &Scene<'_>) -> Steps<Action> {
    // A rollback may begin before the name ever went to the target; it need not go there any more.
    if scene.facts.rung == Rung::RollbackFence || forced::is_under_way(scene.facts.rung) {
        return Steps::settled();
    }
    let wish = scene.facts.rung.posture().public_dns;
    let steps = dns::plan(wish, &scene.seen.dns, &scene.migration.spec.dns, scene.facts.last_flip).widen(Action::Dns);
    let on_its_way = scene.facts.changes.iter().find(|(_, change)| change.in_sync_at.is_none());
    match on_its_way {
        Some((purpose, _)) => {
            steps.and(Steps::wait(Wait::new("ChangePending", format!("Route 53 brings {purpose:?} to all its servers"))))
        }
        None => steps,
    }
}

fn front(scene: &Scene<'_>) -> Steps<Action> {
    let wish = scene.facts.rung.posture().redirect;
    redirect::plan(wish, &scene.seen.redirect, &scene.migration.spec.load_balancer.redirect).widen(Action::Redirect)
}

fn binary_log(scene: &Scene<'_>) -> Steps<Action> {
    let wish = scene.facts.rung.posture().binlog;
    binlog::plan(wish, &scene.seen.binlog, &gates::binlog_terms(scene)).widen(Action::Binlog)
}

/// What a rung does beside its posture: markers, comparisons, numbers, the export.
fn chores(scene: &Scene<'_>) -> Steps<Action> {
    match scene.facts.rung {
        Rung::Replicating | Rung::Validated | Rung::RollbackArmed if may_compare(scene.migration, scene.facts) => compare(scene),
        Rung::Drain if scene.facts.fences.len() == 2 => mark(scene, MarkerPurpose::Drain),
        Rung::Flip | Rung::Observing => mark(scene, MarkerPurpose::ReverseProof),
        Rung::Arm => number(scene, Side::Target),
        Rung::RollbackFlip => mark(scene, MarkerPurpose::RollbackDrain).and(number(scene, Side::Legacy)),
        Rung::ForcedExport => forced::export(scene).and(number(scene, Side::Legacy)),
        _ => Steps::settled(),
    }
}

fn mark(scene: &Scene<'_>, purpose: MarkerPurpose) -> Steps<Action> {
    match scene.facts.markers.get(&purpose) {
        None => Steps::act(Action::WriteMarker { purpose, marker: marker_id(scene, purpose) }),
        Some(marker) if marker.seen_at.is_none() => {
            Steps::wait(Wait::new("MarkerTravelling", format!("marker {} has not arrived yet", marker.marker)))
        }
        Some(_) => Steps::settled(),
    }
}

/// The side that is about to open gives its rows numbers above everything that the other side has given, which is final once
/// that one is fenced.
fn number(scene: &Scene<'_>, opening: Side) -> Steps<Action> {
    let fenced = [Gate::LegacyFenced, Gate::TargetFenced].iter().all(|gate| gate.judge(scene).is_open());
    let Some((here, there)) = ids::both(scene, opening).filter(|_| fenced) else {
        return Steps::wait(Wait::new(
            "NumbersUnknown",
            "the numbers of rows are compared once both sides are closed and answer",
        ));
    };
    let floors = ids::floors(here, there);
    if floors.is_empty() || !ids::obstacles(here, there).is_empty() {
        return Steps::settled();
    }
    Steps::act(Action::RaiseIds { side: opening, floors })
}

/// One id for one purpose of one try: a second rollback of the same attempt must not see the first one's marker.
fn marker_id(scene: &Scene<'_>, purpose: MarkerPurpose) -> MarkerId {
    let try_began = match purpose {
        MarkerPurpose::Drain => scene.facts.entered.get(&Rung::Fence),
        MarkerPurpose::ReverseProof => scene.facts.entered.get(&Rung::Open),
        MarkerPurpose::RollbackDrain => scene.facts.entered.get(&Rung::RollbackFence),
    };
    let stamp = try_began.map_or(0, |at| at.as_millisecond());
    MarkerId(format!("{}/{}/{}/{stamp}", scene.migration.name(), scene.facts.attempt, purpose.word()))
}

/// Whether rows may be compared: from the end of the full load until the first fence, while everything flows from legacy.
///
/// A comparison sends heartbeats, so that none may go on beside a fence, nor while the migration is paused.
pub fn may_compare(migration: &Migration, facts: &Facts) -> bool {
    let flows = match facts.rung {
        Rung::Replicating => facts.reached.contains_key(&Phase::Replicating),
        Rung::Validated | Rung::RollbackArmed => true,
        Rung::Preflight | Rung::Prepared | Rung::Fence | Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip => false,
        Rung::Observing | Rung::Completed | Rung::Aborted => false,
        Rung::RollbackFence | Rung::RollbackFlip | Rung::RollbackOpen => false,
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => false,
    };
    flows && !migration.spec.paused
}

/// Comparisons go on while the cutover is awaited: often once it is asked for, so that the newest is always young enough,
/// and now and then before, so that drift is noticed early. Never while rows lag.
fn compare(scene: &Scene<'_>) -> Steps<Action> {
    if let Some(progress) = &scene.seen.comparison.under_way {
        return Steps::wait(Wait::new(COMPARISON_UNDER_WAY, progress.clone()));
    }
    let validation = &scene.migration.spec.validation;
    let interval = match (Gate::ParityClean.judge(scene).is_open(), scene.migration.spec.phase) {
        (false, _) => validation.interval.duration(),
        (true, Phase::CutOver | Phase::Completed) => validation.max_age.duration() / 2,
        (true, _) => validation.max_age.duration() * 3,
    };
    let due = scene.facts.parity.as_ref().map_or(scene.now, |parity| after(parity.at, interval));
    if scene.now < due {
        return Steps::wait(Wait::until(NEXT_COMPARISON, "the next comparison of both sides' rows is due", due));
    }
    if !Gate::ForwardTablesHealthy.judge(scene).is_open() || !Gate::FullLoadDone.judge(scene).is_open() {
        return Steps::wait(Wait::new("ComparisonWaitsForReplication", "rows are compared once replication is healthy"));
    }
    if !Gate::ForwardLag.judge(scene).is_open() {
        return Steps::wait(Wait::new("ComparisonWaitsForLag", "rows are compared once a fresh heartbeat has crossed"));
    }
    Steps::act(Action::CompareTables)
}

/// What only a person can help with, at this rung, that no room knows about.
fn advice(scene: &Scene<'_>) -> Steps<Action> {
    let spec = &scene.migration.spec;
    let attempt = scene.facts.attempt;
    let rung = scene.facts.rung;
    if let Some(block) = wish::against_attempt(spec.attempt, attempt, rung, || moves::at_rest(scene)) {
        return Steps::block(block);
    }
    if let Some(why) = &scene.facts.rollback_abandoned {
        return Steps::block(Block::new(
            "RollbackAbandoned",
            format!("the rollback was given up: {why}. Ask for CutOver, mend what held it up, then ask for RolledBack again"),
        ));
    }
    if spec.phase == Phase::RolledBack && matches!(rung, Rung::Flip | Rung::Observing) {
        return rollback_blocked(scene);
    }
    let spent = || (spec.attempt == attempt).then(|| Gate::AttemptFree.judge(scene).text().to_owned());
    wish::against_phase(spec.phase, rung, scene.facts.is_past_no_return(), spent).map_or_else(Steps::settled, Steps::block)
}

/// A check that keeps failing is for a person, where a gate waits for it.
fn failing_checks(scene: &Scene<'_>) -> Steps<Action> {
    if !wants_more(scene) {
        return Steps::settled();
    }
    let judged = judge_gates(scene);
    let closed: Vec<Gate> = closed(&judged).collect();
    let blocked = gates::failing(scene, &closed).into_iter().map(|why| Block::new("CheckFails", why)).collect();
    Steps { actions: Vec::new(), waiting: Vec::new(), blocked }
}

/// A rollback that may not begin is held and told, gate by gate.
fn rollback_blocked(scene: &Scene<'_>) -> Steps<Action> {
    let closed: Vec<String> = gates::ROLLBACK
        .iter()
        .filter_map(|gate| match gate.judge(scene) {
            Standing::Open(_) => None,
            Standing::Closed(why) | Standing::Unknown(why) => Some(format!("{}: {why}", gate.name())),
        })
        .collect();
    // Lag is proven by the next look or two; the rest is for a person.
    if closed.iter().all(|line| line.starts_with("ReverseLag")) {
        return Steps::wait(Wait::new("RollbackWaitsForHeartbeat", closed.join("; ")));
    }
    Steps::block(Block::new(
        "RollbackNotReady",
        format!("the rollback would lose writes, so it does not begin: {}{}", closed.join("; "), forced::hint(scene)),
    ))
}

/// The gates an operator wants to see at this rung: those of its arrival, and those of the step that is wished next.
fn judge_gates(scene: &Scene<'_>) -> Vec<Judged> {
    let rung = scene.facts.rung;
    let mut list = gates::arrival(rung).to_vec();
    match rung {
        Rung::Preflight => list.extend(gates::FOREWARNED),
        Rung::RollbackArmed => list.extend(gates::CUTOVER),
        Rung::Observing => {
            list.extend(gates::COMPLETION);
            list.extend(gates::ROLLBACK);
            if scene.migration.spec.rollback.forced.is_some() {
                list.extend(gates::FORCED);
            }
        }
        _ => {}
    }
    let mut judged: Vec<Judged> = Vec::new();
    for gate in list {
        if judged.iter().all(|(known, _)| *known != gate) {
            judged.push((gate, gate.judge(scene)));
        }
    }
    judged
}

fn closed(judged: &[Judged]) -> impl Iterator<Item = Gate> {
    judged.iter().filter(|(_, standing)| !standing.is_open()).map(|(gate, _)| *gate)
}

/// Whether the spec asks for more than has been reached.
pub fn wants_more(scene: &Scene<'_>) -> bool {
    !scene.facts.reached.contains_key(&scene.migration.spec.phase)
}

fn pace(scene: &Scene<'_>, steps: &Steps<Action>, judged: &[Judged]) -> Pace {
    let in_a_hurry = match scene.facts.rung {
        Rung::Open => true,
        Rung::Flip | Rung::Aborted | Rung::RollbackOpen => closed(judged).any(|gate| !takes_its_time(gate)),
        _ => false,
    };
    if scene.facts.writes_are_paused() {
        return Pace::WritesPaused;
    }
    if in_a_hurry || !steps.actions.is_empty() {
        return Pace::Urgent;
    }
    if steps.waiting.iter().any(|wait| wait.until.is_none() && !goes_on_beside(wait)) {
        return Pace::Moving;
    }
    // A wait that is known to end explains the gates that are closed until then; so does a gate that only time or a person
    // opens, and a heartbeat need not be young before that. What is closed for another reason may open any moment.
    let explained = steps.waiting.iter().any(|wait| !goes_on_beside(wait));
    let unhurried = closed(judged).any(takes_its_time);
    let is_explained = |gate: Gate| takes_its_time(gate) || (unhurried && is_lag(gate));
    let arriving = closed(judged).any(|gate| !is_explained(gate));
    let held = !steps.blocked.is_empty();
    if wants_more(scene) && arriving && !explained && !held { Pace::Moving } else { Pace::Settled }
}

/// Whether only time or a person opens a gate: looking at it more often opens it no sooner. Checks have an interval of
/// their own, and so have hooks.
const fn takes_its_time(gate: Gate) -> bool {
    matches!(gate, Gate::WindowPassed | Gate::LowTtlInForce | Gate::Approved) || is_checked(gate) || is_hook(gate)
}

const fn is_checked(gate: Gate) -> bool {
    matches!(
        gate,
        Gate::PagesProven
            | Gate::UpstreamsProven
            | Gate::CachesProven
            | Gate::SchemasAlike
            | Gate::NamesAnswered
            | Gate::TrafficEnded
    )
}

const fn is_hook(gate: Gate) -> bool {
    matches!(
        gate,
        Gate::HooksBeforeFence
            | Gate::HooksAfterFence
            | Gate::HooksBeforeFlip
            | Gate::HooksAfterFlip
            | Gate::HooksAfterAbort
            | Gate::HooksAfterRollback
    )
}

const fn is_lag(gate: Gate) -> bool {
    matches!(gate, Gate::ForwardLag | Gate::ReverseLag)
}

/// A comparison is due later.
const NEXT_COMPARISON: &str = "NextComparison";
/// A comparison has begun; its end wakes whoever rests.
const COMPARISON_UNDER_WAY: &str = "ComparisonUnderWay";

/// Whether a wait goes on beside everything else, and explains nothing.
fn goes_on_beside(wait: &Wait) -> bool {
    matches!(wait.reason.0.as_str(), NEXT_COMPARISON | COMPARISON_UNDER_WAY)
}

/// The earliest time at which something is known to change by itself: a wait, a TTL or the window ends, this look's own heartbeat
/// has had time to cross, or a resumed stream has stayed up.
fn look_again_at(scene: &Scene<'_>, steps: &Steps<Action>, judged: &[Judged]) -> Option<Timestamp> {
    let mut times: Vec<Timestamp> = steps.waiting.iter().filter_map(|wait| wait.until).collect();
    if heartbeat_is_awaited(scene, steps, judged) {
        let most = gates::max_lag(scene.migration, moves::flow(scene.facts.rung).unwrap_or(Direction::Forward));
        times.push(after(scene.now, (most / 4).clamp(Duration::from_secs(1), Duration::from_secs(10))));
    }
    times.extend(reverse::stays_up_at(scene));
    if let Some(change) = scene.facts.changes.get(&dns::DnsPurpose::LowerTtl) {
        times.extend(change.in_sync_at.map(|at| after(at, Duration::from_secs(change.old_ttl_seconds))));
    }
    if wants_more(scene) {
        times.extend(gates::next_run(scene, &closed(judged).collect::<Vec<_>>()));
    }
    if let Some(began) = scene.facts.entered.get(&Rung::Observing) {
        times.push(after(*began, scene.migration.spec.observation.window.duration()));
    }
    times.into_iter().filter(|at| *at > scene.now).min()
}

/// Whether a fresh heartbeat is all that is missing. A heartbeat proves little lag only if the look that finds it comes soon
/// after the look that sent it, so a slow pace would never prove anything.
fn heartbeat_is_awaited(scene: &Scene<'_>, steps: &Steps<Action>, judged: &[Judged]) -> bool {
    let for_later = |gate: Gate| matches!(gate, Gate::Approved | Gate::WindowPassed | Gate::ParityClean | Gate::ParityFresh);
    let asked =
        steps.waiting.iter().any(|wait| matches!(wait.reason.0.as_str(), "ComparisonWaitsForLag" | "RollbackWaitsForHeartbeat"));
    let missing = wants_more(scene)
        && closed(judged).any(is_lag)
        && closed(judged).filter(|gate| !is_lag(*gate) && !is_hook(*gate)).all(|gate| for_later(gate) && asked);
    asked || missing || may_still_prove(scene)
}

/// Whether a heartbeat is under way that may still prove how little the stream lags, where nothing young enough does. Once it is
/// overdue, the stream is behind, and hurrying proves nothing.
fn may_still_prove(scene: &Scene<'_>) -> bool {
    moves::flow(scene.facts.rung).is_some_and(|direction| {
        let gate = match direction {
            Direction::Forward => Gate::ForwardLag,
            Direction::Reverse => Gate::ReverseLag,
        };
        !gate.judge(scene).is_open() && scene.seen.crossing.is_undecided(gates::max_lag(scene.migration, direction))
    })
}
