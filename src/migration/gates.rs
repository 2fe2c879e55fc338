//! Gates: what must hold, *now*, before the next rung. Each is one pure judgement with a stable name and its evidence.
//!
//! Unknown is not open: a gate that cannot be judged lets nothing through.

use std::time::Duration;

use jiff::Timestamp;

use super::approvals;
use super::facts::{Facts, Latch, MarkerPurpose};
use super::ladder::Rung;
use super::observation::Observation;
use super::plan::{GateReport, Standing};
use crate::clock::{after, elapsed};
use crate::controllers::dns::{DnsPurpose, Pointing, RecordSet, pointing};
use crate::controllers::fence::{FenceState, judge};
use crate::controllers::redirect::{self, RedirectWish, TargetHealth};
use crate::controllers::replication::{Connection, TableState, Task, TaskStatus, ValidationState};
use crate::controllers::{Steps, binlog};
use crate::database::DatabaseView;
use crate::names::{Account, Direction, Side};
use crate::sighting::Sighting;
use crate::spec::period::spoken;
use crate::spec::{Destination, Migration};

/// Everything a judgement may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The wish.
    pub migration: &'a Migration,
    /// What is durable.
    pub facts: &'a Facts,
    /// What was seen.
    pub seen: &'a Observation,
    /// Now.
    pub now: Timestamp,
}

/// The closed list of gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gate {
    /// Both databases answer.
    DatabasesReachable,
    /// The four AWS services answer, and the cluster exists.
    ServicesReadable,
    /// The public name points exactly at legacy.
    PublicAtLegacy,
    /// No other cluster uses the parameter group.
    ParameterGroupOwn,
    /// Every table of legacy is on the target.
    SchemaPresent,
    /// Plain HTTP is redirected to HTTPS.
    RedirectInPlace,
    /// The shadow name points at the target.
    ShadowAtTarget,
    /// Enough targets, all healthy.
    TargetsHealthy,
    /// The public TTL is low, and the old one has run out of every cache.
    LowTtlInForce,
    /// The application cannot write to the target.
    TargetQuiet,
    /// The forward task runs, its full load is done.
    FullLoadDone,
    /// No table of the forward task is in error.
    ForwardTablesHealthy,
    /// A fresh heartbeat crossed from legacy to the target.
    ForwardLag,
    /// Enough clean comparisons in a row.
    ParityClean,
    /// The newest comparison is clean and young.
    ParityFresh,
    /// DMS's own validation found no mismatch.
    DmsValidation,
    /// The binary log is in effect on the writer.
    BinlogInEffect,
    /// Binary logs are kept for the whole observation window.
    RetentionCoversWindow,
    /// The reverse task exists, its endpoints are tested.
    ReverseCreated,
    /// Enough people agreed to this attempt and plan.
    Approved,
    /// The attempt has not been aborted or rolled back before.
    AttemptFree,
    /// The application can write to legacy.
    LegacyOpen,
    /// Nobody can write to legacy, proven.
    LegacyFenced,
    /// Nobody can write to the target, proven.
    TargetFenced,
    /// The drain marker arrived on the target.
    Drained,
    /// The forward task is stopped.
    ForwardStopped,
    /// The reverse start position is durable.
    ReverseStartKnown,
    /// The point of no return is durable.
    NoReturnPassed,
    /// The application can write to the target.
    TargetOpen,
    /// All authoritative servers point the public name at the target.
    PublicAtTarget,
    /// The reverse marker arrived on legacy.
    ReverseProven,
    /// The reverse task runs without errors.
    ReverseHealthy,
    /// A fresh heartbeat crossed from the target to legacy.
    ReverseLag,
    /// The observation window has passed.
    WindowPassed,
    /// The rollback marker arrived on legacy.
    RollbackDrained,
    /// All authoritative servers point the public name back at legacy.
    PublicBackAtLegacy,
    /// The reverse task is stopped.
    ReverseStopped,
    /// Both tasks are gone.
    TasksRetired,
}

use Gate::*;

/// What Route 53 answers for an alias to a load balancer; it cannot be lowered.
const ALIAS_TTL_SECONDS: u64 = 60;

/// What must hold before a rung counts as reached.
pub const fn arrival(rung: Rung) -> &'static [Gate] {
    match rung {
        Rung::Preflight => &[DatabasesReachable, ServicesReadable, PublicAtLegacy, ParameterGroupOwn, SchemaPresent],
        Rung::Prepared => &[RedirectInPlace, ShadowAtTarget, TargetsHealthy, LowTtlInForce, TargetQuiet, SchemaPresent],
        Rung::Replicating => &[FullLoadDone, ForwardTablesHealthy, ForwardLag],
        Rung::Validated => &[ParityClean, DmsValidation, TargetsHealthy, ForwardTablesHealthy],
        Rung::RollbackArmed => &[BinlogInEffect, RetentionCoversWindow, ReverseCreated],
        Rung::Fence => &[TargetFenced, LegacyFenced],
        Rung::Drain => &[LegacyFenced, TargetFenced, Drained, ForwardTablesHealthy],
        Rung::Arm => &[LegacyFenced, TargetFenced, ForwardStopped, ReverseStartKnown, NoReturnPassed],
        Rung::Open => &[LegacyFenced, TargetOpen],
        Rung::Flip => &[LegacyFenced, TargetOpen, PublicAtTarget, ReverseProven, ReverseHealthy],
        Rung::Observing => &[],
        Rung::Completed => &[TasksRetired],
        Rung::Aborted => &[LegacyOpen],
        Rung::RollbackFence => &[LegacyFenced, TargetFenced],
        Rung::RollbackFlip => &[LegacyFenced, TargetFenced, RollbackDrained],
        Rung::RollbackOpen => &[LegacyOpen, PublicBackAtLegacy, ReverseStopped],
    }
}

/// What must hold, beside [`arrival`], before the first fence of a cutover closes.
pub const CUTOVER: &[Gate] = &[
    AttemptFree,
    Approved,
    LegacyOpen,
    TargetQuiet,
    PublicAtLegacy,
    LowTtlInForce,
    TargetsHealthy,
    RedirectInPlace,
    FullLoadDone,
    ForwardTablesHealthy,
    ParityFresh,
    ForwardLag,
];

/// What must hold before the way back is given up.
pub const COMPLETION: &[Gate] = &[WindowPassed, PublicAtTarget, LegacyFenced, TargetOpen, ReverseHealthy, ReverseLag];

/// What must hold before the first fence of a rollback closes: a rollback that cannot end must not begin.
pub const ROLLBACK: &[Gate] = &[LegacyFenced, ReverseHealthy, ReverseLag];

/// Judgements as they are published.
pub fn report(judged: &[(Gate, Standing)]) -> Vec<GateReport> {
    judged.iter().map(|(gate, standing)| GateReport { name: gate.name(), standing: standing.clone() }).collect()
}

impl Gate {
    /// The stable name, as in status, API and metrics.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The judgement.
    pub fn judge(self, scene: &Scene<'_>) -> Standing {
        let spec = &scene.migration.spec;
        match self {
            DatabasesReachable => databases_reachable(scene),
            ServicesReadable => services_readable(scene),
            PublicAtLegacy => public_at(scene, Side::Legacy),
            ParameterGroupOwn => parameter_group_own(scene),
            SchemaPresent => schema_present(scene),
            RedirectInPlace => {
                let steps = redirect::plan(RedirectWish::InPlace, &scene.seen.redirect, &spec.load_balancer.redirect);
                if scene.seen.redirect.listener.is_unknown() {
                    return unknown_of("the listener", &scene.seen.redirect.listener);
                }
                open_if(steps.is_settled(), "plain HTTP is redirected to HTTPS", "the redirect listener is not in place")
            }
            ShadowAtTarget => shadow_at_target(scene),
            TargetsHealthy => targets_healthy(scene),
            LowTtlInForce => low_ttl_in_force(scene),
            TargetQuiet => fenced(scene, Side::Target, &spec.target.database.application_accounts),
            FullLoadDone => full_load_done(scene),
            ForwardTablesHealthy => tables_healthy(scene, Direction::Forward),
            ForwardLag => lag(scene, Direction::Forward),
            ParityClean => parity_clean(scene),
            ParityFresh => parity_fresh(scene),
            DmsValidation => dms_validation(scene),
            BinlogInEffect => binlog_in_effect(scene),
            RetentionCoversWindow => retention_covers_window(scene),
            ReverseCreated => reverse_created(scene),
            Approved => approvals::standing(scene.migration, scene.now),
            AttemptFree => attempt_free(scene),
            LegacyOpen => open_to_application(scene, Side::Legacy),
            LegacyFenced => fenced(scene, Side::Legacy, &spec.legacy.database.all_accounts()),
            TargetFenced => fenced(scene, Side::Target, &spec.target.database.all_accounts()),
            Drained => marker_arrived(scene, MarkerPurpose::Drain),
            ForwardStopped => stopped(scene, Direction::Forward),
            ReverseStartKnown => match &scene.facts.reverse_start {
                Some(position) => Standing::Open(format!("reverse replication starts at {position}")),
                None => Standing::Closed("the reverse start position is not recorded yet".into()),
            },
            NoReturnPassed => open_if(
                scene.facts.is_past_no_return(),
                "the point of no return is journalled",
                "the point of no return is not journalled yet",
            ),
            TargetOpen => open_to_application(scene, Side::Target),
            PublicAtTarget => flipped(scene, Side::Target, DnsPurpose::FlipToTarget),
            ReverseProven => marker_arrived(scene, MarkerPurpose::ReverseProof),
            ReverseHealthy => reverse_healthy(scene),
            ReverseLag => lag(scene, Direction::Reverse),
            WindowPassed => window_passed(scene),
            RollbackDrained => marker_arrived(scene, MarkerPurpose::RollbackDrain),
            PublicBackAtLegacy => flipped(scene, Side::Legacy, DnsPurpose::FlipToLegacy),
            ReverseStopped => stopped(scene, Direction::Reverse),
            TasksRetired => tasks_retired(scene),
        }
    }
}

fn open_if(holds: bool, open: &str, closed: &str) -> Standing {
    if holds { Standing::Open(open.to_owned()) } else { Standing::Closed(closed.to_owned()) }
}

fn unknown_of<T>(what: &str, sighting: &Sighting<T>) -> Standing {
    match sighting {
        Sighting::Unknown { why } => Standing::Unknown(format!("{what} could not be read: {why}")),
        Sighting::Absent | Sighting::Present(_) => Standing::Closed(format!("{what} does not exist")),
    }
}

fn databases_reachable(scene: &Scene<'_>) -> Standing {
    for side in [Side::Legacy, Side::Target] {
        let sighting = scene.seen.database(side);
        if sighting.present().is_none() {
            return unknown_of(&format!("the {side} database"), sighting);
        }
    }
    Standing::Open("both databases answer".into())
}

fn services_readable(scene: &Scene<'_>) -> Standing {
    let seen = scene.seen;
    if seen.binlog.cluster.present().is_none() {
        return unknown_of("the target cluster", &seen.binlog.cluster);
    }
    if seen.replication.forward.is_unknown() {
        return unknown_of("the forward task", &seen.replication.forward);
    }
    if seen.dns.public.is_unknown() {
        return unknown_of("the public record", &seen.dns.public);
    }
    if seen.redirect.listener.is_unknown() {
        return unknown_of("the redirect listener", &seen.redirect.listener);
    }
    Standing::Open("DMS, RDS, Route 53 and ELBv2 answer".into())
}

fn public_at(scene: &Scene<'_>, side: Side) -> Standing {
    let dns = &scene.migration.spec.dns;
    match pointing(&scene.seen.dns.public, dns) {
        Sighting::Present(Pointing::At { side: found, .. }) if found == side => {
            Standing::Open(format!("{} points exactly at {side}", dns.public.name))
        }
        Sighting::Present(Pointing::At { side: found, .. }) => Standing::Closed(format!("{} points at {found}", dns.public.name)),
        Sighting::Present(Pointing::Foreign(why)) => Standing::Closed(why),
        sighting => unknown_of("the public record", &sighting),
    }
}

fn flipped(scene: &Scene<'_>, side: Side, purpose: DnsPurpose) -> Standing {
    let here = public_at(scene, side);
    if !here.is_open() {
        return here;
    }
    match scene.facts.changes.get(&purpose) {
        Some(change) if change.in_sync_at.is_some() => Standing::Open(format!("all authoritative servers point at {side}")),
        Some(_) => Standing::Closed("Route 53 has not brought all its servers in sync yet".into()),
        None if scene.facts.last_flip.is_none() => Standing::Open(format!("the public name never left {side}")),
        None => Standing::Closed("the change is not journalled yet".into()),
    }
}

fn parameter_group_own(scene: &Scene<'_>) -> Standing {
    let group = &scene.migration.spec.binlog.parameter_group;
    match &scene.seen.binlog.shared_with {
        Sighting::Present(others) if !others.is_empty() => {
            let names: Vec<&str> = others.iter().map(|cluster| cluster.as_str()).collect();
            Standing::Closed(format!("{group} is also attached to {}; name a group of its own", names.join(", ")))
        }
        Sighting::Present(_) | Sighting::Absent => Standing::Open(format!("{group} is this cluster's alone")),
        sighting @ Sighting::Unknown { .. } => unknown_of("the clusters that share the parameter group", sighting),
    }
}

fn schema_present(scene: &Scene<'_>) -> Standing {
    let (Some(legacy), Some(target)) = (scene.seen.legacy.present(), scene.seen.target.present()) else {
        return databases_reachable(scene);
    };
    let missing: Vec<String> = legacy.tables.difference(&target.tables).map(ToString::to_string).collect();
    if legacy.tables.is_empty() {
        return Standing::Closed("legacy has no tables in the declared schemas".into());
    }
    if missing.is_empty() {
        return Standing::Open(format!("all {} tables of legacy exist on the target", legacy.tables.len()));
    }
    Standing::Closed(format!("the target lacks {}; run the application's schema migrations there", missing.join(", ")))
}

fn shadow_at_target(scene: &Scene<'_>) -> Standing {
    let dns = &scene.migration.spec.dns;
    let wished = RecordSet::pointing(&dns.shadow.name, &dns.public.target, dns.ttl.duration().as_secs());
    match &scene.seen.dns.shadow {
        Sighting::Present(found) if found.iter().all(|record| record.answer == wished.answer) => {
            Standing::Open(format!("{} points at the target", dns.shadow.name))
        }
        Sighting::Present(_) => Standing::Closed(format!("{} points elsewhere", dns.shadow.name)),
        sighting => unknown_of("the shadow record", sighting),
    }
}

fn targets_healthy(scene: &Scene<'_>) -> Standing {
    let wanted = scene.migration.spec.load_balancer.min_healthy_targets as usize;
    let Some(targets) = scene.seen.redirect.targets.present() else {
        return unknown_of("the target group's health", &scene.seen.redirect.targets);
    };
    let healthy = targets.iter().filter(|health| **health == TargetHealth::Healthy).count();
    if healthy == targets.len() && healthy >= wanted {
        Standing::Open(format!("{healthy} targets, all healthy"))
    } else {
        Standing::Closed(format!("{healthy} of {} targets healthy, {wanted} needed", targets.len()))
    }
}

fn low_ttl_in_force(scene: &Scene<'_>) -> Standing {
    let dns = &scene.migration.spec.dns;
    let low = match dns.public.legacy {
        Destination::Alias(_) => dns.ttl.duration().as_secs().max(ALIAS_TTL_SECONDS),
        Destination::A(_) | Destination::Cname(_) => dns.ttl.duration().as_secs(),
    };
    match pointing(&scene.seen.dns.public, dns) {
        Sighting::Present(Pointing::At { ttl_seconds, .. }) if ttl_seconds > low => {
            Standing::Closed(format!("{} still has a TTL of {ttl_seconds} s", dns.public.name))
        }
        Sighting::Present(Pointing::At { ttl_seconds, .. }) => old_ttl_ran_out(scene, ttl_seconds),
        Sighting::Present(Pointing::Foreign(why)) => Standing::Closed(why),
        sighting => unknown_of("the public record", &sighting),
    }
}

fn old_ttl_ran_out(scene: &Scene<'_>, ttl_seconds: u64) -> Standing {
    let Some(change) = scene.facts.changes.get(&DnsPurpose::LowerTtl) else {
        return Standing::Open(format!("the TTL was {ttl_seconds} s when first seen"));
    };
    let Some(in_sync_at) = change.in_sync_at else {
        return Standing::Closed("the lowered TTL is not in sync on all authoritative servers yet".into());
    };
    let run_out = after(in_sync_at, Duration::from_secs(change.old_ttl_seconds));
    if scene.now >= run_out {
        Standing::Open(format!("a TTL of {ttl_seconds} s is in force since {run_out:.0}"))
    } else {
        Standing::Closed(format!("caches may hold the old TTL of {} s until {run_out:.0}", change.old_ttl_seconds))
    }
}

fn fence_state(scene: &Scene<'_>, side: Side, accounts: &[Account]) -> Sighting<FenceState> {
    scene.seen.database(side).as_ref().map(|view| judge(view, accounts))
}

fn fenced(scene: &Scene<'_>, side: Side, accounts: &[Account]) -> Standing {
    match fence_state(scene, side, accounts) {
        Sighting::Present(FenceState::Closed { .. }) => Standing::Open(format!("no commit can follow on {side}")),
        Sighting::Present(FenceState::Open) => Standing::Closed(format!("{side} is open")),
        Sighting::Present(FenceState::Between(why)) => Standing::Closed(why),
        sighting => unknown_of(&format!("the {side} database"), &sighting),
    }
}

fn open_to_application(scene: &Scene<'_>, side: Side) -> Standing {
    match fence_state(scene, side, &scene.migration.database(side).application_accounts) {
        Sighting::Present(FenceState::Open) => Standing::Open(format!("the application can write to {side}")),
        Sighting::Present(FenceState::Closed { .. }) => Standing::Closed(format!("{side} is closed")),
        Sighting::Present(FenceState::Between(why)) => Standing::Closed(why),
        sighting => unknown_of(&format!("the {side} database"), &sighting),
    }
}

fn task<'a>(scene: &Scene<'a>, direction: Direction) -> Result<&'a Task, Standing> {
    let sighting = scene.seen.replication.task(direction);
    sighting.present().ok_or_else(|| unknown_of(&format!("the {direction} task"), sighting))
}

fn full_load_done(scene: &Scene<'_>) -> Standing {
    let task = match task(scene, Direction::Forward) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
    match &task.status {
        TaskStatus::Running if task.full_load_percent == 100 && task.tables_loading == 0 => {
            Standing::Open("the full load is done, changes flow".into())
        }
        TaskStatus::Running => Standing::Closed(format!("full load at {} %", task.full_load_percent)),
        status => Standing::Closed(format!("the forward task is {status}")),
    }
}

fn tables_healthy(scene: &Scene<'_>, direction: Direction) -> Standing {
    let sighting = scene.seen.replication.tables(direction);
    let Some(tables) = sighting.present() else {
        return unknown_of(&format!("the list of the {direction} task's tables"), sighting);
    };
    if tables.is_empty() {
        return Standing::Closed(format!("the {direction} task lists no table"));
    }
    let troubled: Vec<String> = tables
        .iter()
        .filter(|statistic| statistic.state != TableState::Completed)
        .map(|statistic| format!("{} ({:?})", statistic.table, statistic.state))
        .collect();
    if troubled.is_empty() {
        Standing::Open(format!("{} tables, none in error", tables.len()))
    } else {
        Standing::Closed(troubled.join(", "))
    }
}

/// How old the newest heartbeat is that has crossed in `direction`: an upper bound of the lag. Both times are the source
/// server's own, so that no two clocks are ever compared.
pub fn heartbeat_age(scene: &Scene<'_>, direction: Direction) -> Option<Duration> {
    let source = scene.seen.database(direction.source()).present()?;
    let arrived = scene.seen.database(direction.source().other()).present()?;
    arrived.heartbeats.get(&direction.source()).map(|sent| elapsed(*sent, source.at))
}

/// The lag as heartbeats show it: zero while the newest one has arrived, else the age of the newest that has.
pub fn lag_now(scene: &Scene<'_>, direction: Direction) -> Option<Duration> {
    let newest = |view: &DatabaseView| view.heartbeats.get(&direction.source()).copied();
    let sent = scene.seen.database(direction.source()).present().and_then(newest)?;
    let arrived = scene.seen.database(direction.source().other()).present().and_then(newest)?;
    Some(if arrived >= sent { Duration::ZERO } else { elapsed(arrived, sent) })
}

fn lag(scene: &Scene<'_>, direction: Direction) -> Standing {
    let most = max_lag(scene.migration, direction);
    match heartbeat_age(scene, direction) {
        Some(age) if age <= most => Standing::Open(format!("a heartbeat of {} ago has crossed", spoken(age))),
        Some(age) => Standing::Closed(format!("the newest heartbeat across is {} old, {} allowed", spoken(age), spoken(most))),
        None => Standing::Unknown("no heartbeat has crossed yet".into()),
    }
}

/// The lag that the spec accepts in one direction.
pub const fn max_lag(migration: &Migration, direction: Direction) -> Duration {
    match direction {
        Direction::Forward => migration.spec.replication.forward.max_lag.duration(),
        Direction::Reverse => migration.spec.replication.reverse.max_lag.duration(),
    }
}

fn parity_clean(scene: &Scene<'_>) -> Standing {
    let wanted = scene.migration.spec.validation.consecutive_passes;
    match &scene.facts.parity {
        Some(parity) if !parity.differing.is_empty() => {
            let tables: Vec<String> = parity.differing.iter().map(ToString::to_string).collect();
            Standing::Closed(format!("{} differ", tables.join(", ")))
        }
        Some(parity) if parity.clean_in_a_row >= wanted => {
            Standing::Open(format!("{} clean comparisons in a row, {} rows", parity.clean_in_a_row, parity.rows))
        }
        Some(parity) => Standing::Closed(format!("{} of {wanted} clean comparisons in a row", parity.clean_in_a_row)),
        None => Standing::Closed("rows have not been compared yet".into()),
    }
}

fn parity_fresh(scene: &Scene<'_>) -> Standing {
    let max_age = scene.migration.spec.validation.max_age.duration();
    let clean = parity_clean(scene);
    match &scene.facts.parity {
        Some(parity) if clean.is_open() && elapsed(parity.at, scene.now) > max_age => {
            Standing::Closed(format!("the newest comparison is {} old", spoken(elapsed(parity.at, scene.now))))
        }
        _ => clean,
    }
}

fn dms_validation(scene: &Scene<'_>) -> Standing {
    let sighting = &scene.seen.replication.forward_tables;
    let Some(tables) = sighting.present() else {
        return unknown_of("the list of the forward task's tables", sighting);
    };
    let failed: Vec<String> = tables
        .iter()
        .filter_map(|statistic| match &statistic.validation {
            ValidationState::Failed(word) => Some(format!("{}: {word}", statistic.table)),
            ValidationState::Validated | ValidationState::Pending(_) | ValidationState::NotValidated(_) => None,
        })
        .collect();
    if failed.is_empty() { Standing::Open("DMS reports no mismatch".into()) } else { Standing::Closed(failed.join(", ")) }
}

fn binlog_in_effect(scene: &Scene<'_>) -> Standing {
    match binlog::standing(&scene.seen.binlog, &binlog_terms(scene)) {
        Ok(evidence) => Standing::Open(evidence),
        Err(steps) if scene.seen.binlog.cluster.is_unknown() || scene.seen.binlog.parameters.is_unknown() => {
            Standing::Unknown(steps.waiting.first().map_or_else(String::new, |wait| wait.message.clone()))
        }
        Err(steps) => Standing::Closed(why_not_in_effect(&steps)),
    }
}

/// What is still to be done about the binary log, in words.
fn why_not_in_effect(steps: &Steps<binlog::BinlogAction>) -> String {
    let blocks = steps.blocked.iter().map(|block| block.message.clone());
    let waits = steps.waiting.iter().map(|wait| wait.message.clone());
    let actions = steps.actions.iter().map(|action| format!("next: {action}"));
    blocks.chain(waits).chain(actions).next().unwrap_or_else(|| "not in effect yet".into())
}

/// What the binlog room needs of the spec and of now.
pub fn binlog_terms<'a>(scene: &Scene<'a>) -> binlog::BinlogTerms<'a> {
    let spec = &scene.migration.spec;
    binlog::BinlogTerms {
        group: &spec.binlog.parameter_group,
        cluster: &spec.target.cluster,
        retention_hours: spec.binlog.retention.hours_rounded_up(),
        window: spec.binlog.maintenance_window.within_margins(),
        now: scene.now,
    }
}

fn retention_covers_window(scene: &Scene<'_>) -> Standing {
    let spec = &scene.migration.spec;
    let Some(target) = scene.seen.target.present() else {
        return unknown_of("the target database", &scene.seen.target);
    };
    let wanted = spec.observation.window.hours_rounded_up().max(spec.binlog.retention.hours_rounded_up());
    match target.binlog.retention_hours {
        Some(hours) if hours >= wanted => Standing::Open(format!("binary logs are kept for {hours} h")),
        Some(hours) => Standing::Closed(format!("binary logs are kept for {hours} h, {wanted} h needed")),
        None => Standing::Closed("binary logs are purged whenever Aurora likes".into()),
    }
}

fn reverse_created(scene: &Scene<'_>) -> Standing {
    let spec = &scene.migration.spec;
    let task = match task(scene, Direction::Reverse) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
    // A task that has run keeps its old position; only one that never ran starts where this attempt says.
    if task.status != TaskStatus::Ready || task.started_before {
        return Standing::Closed(format!("the reverse task is {}", task.status));
    }
    for endpoint in [&spec.target.reverse_endpoint_arn, &spec.legacy.reverse_endpoint_arn] {
        match scene.seen.replication.connections.get(endpoint) {
            Some(Sighting::Present(Connection::Successful)) => {}
            Some(Sighting::Present(other)) => return Standing::Closed(format!("the connection to {endpoint} is {other:?}")),
            Some(sighting) => return unknown_of(&format!("the connection test of {endpoint}"), sighting),
            None => return Standing::Unknown(format!("the connection test of {endpoint} was not read")),
        }
    }
    Standing::Open("the reverse task is created, both its endpoints tested".into())
}

fn attempt_free(scene: &Scene<'_>) -> Standing {
    let attempt = scene.facts.attempt;
    match &scene.facts.latch {
        Latch::Free => Standing::Open(format!("attempt {attempt} has not been tried")),
        Latch::Aborted { why, .. } => {
            Standing::Closed(format!("attempt {attempt} was aborted ({why}); raise spec.attempt to try again"))
        }
        Latch::RolledBack { .. } => {
            Standing::Closed(format!("attempt {attempt} was rolled back; raise spec.attempt to try again"))
        }
    }
}

fn marker_arrived(scene: &Scene<'_>, purpose: MarkerPurpose) -> Standing {
    match scene.facts.markers.get(&purpose) {
        Some(marker) if marker.seen_at.is_some() => Standing::Open(format!("marker {} arrived", marker.marker)),
        Some(marker) => Standing::Closed(format!("marker {} has not arrived yet", marker.marker)),
        None => Standing::Closed(format!("the {} marker is not written yet", purpose.word())),
    }
}

fn stopped(scene: &Scene<'_>, direction: Direction) -> Standing {
    match scene.seen.replication.task(direction) {
        // A failed task applies nothing either, and nothing would ever stop it.
        Sighting::Present(task) if matches!(task.status, TaskStatus::Stopped | TaskStatus::Ready | TaskStatus::Failed) => {
            Standing::Open(format!("the {direction} task is stopped"))
        }
        Sighting::Present(task) => Standing::Closed(format!("the {direction} task is {}", task.status)),
        Sighting::Absent => Standing::Open(format!("there is no {direction} task")),
        sighting @ Sighting::Unknown { .. } => unknown_of(&format!("the {direction} task"), sighting),
    }
}

fn reverse_healthy(scene: &Scene<'_>) -> Standing {
    let task = match task(scene, Direction::Reverse) {
        Ok(task) => task,
        Err(standing) => return standing,
    };
    if task.status != TaskStatus::Running {
        let why = task.last_failure.as_deref().map_or(String::new(), |why| format!(": {why}"));
        return Standing::Closed(format!("the reverse task is {}{why}", task.status));
    }
    tables_healthy(scene, Direction::Reverse)
}

fn window_passed(scene: &Scene<'_>) -> Standing {
    let Some(began) = scene.facts.entered.get(&Rung::Observing) else {
        return Standing::Closed("the observation window has not begun".into());
    };
    let ends = after(*began, scene.migration.spec.observation.window.duration());
    if scene.now >= ends {
        Standing::Open(format!("the observation window ended at {ends:.0}"))
    } else {
        Standing::Closed(format!("the observation window ends at {ends:.0}"))
    }
}

fn tasks_retired(scene: &Scene<'_>) -> Standing {
    for direction in [Direction::Forward, Direction::Reverse] {
        match scene.seen.replication.task(direction) {
            Sighting::Absent => {}
            Sighting::Present(task) => return Standing::Closed(format!("the {direction} task is still {}", task.status)),
            sighting @ Sighting::Unknown { .. } => return unknown_of(&format!("the {direction} task"), sighting),
        }
    }
    Standing::Open("both tasks are retired; all data stays where it is".into())
}
