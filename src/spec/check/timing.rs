//! Rules about lengths of time that depend on each other.

use std::time::Duration;

use super::{Rule, when};
use crate::spec::code::Code;
use crate::spec::finding::Finding;
use crate::spec::{Migration, Period};

pub(super) const RULES: &[Rule] = &[
    nothing_is_zero,
    retention_covers_the_observation,
    retention_is_possible,
    the_pause_ends_before_the_ttl,
    the_pause_leaves_time,
    every_lag_can_drain,
    the_observation_is_long_enough,
    validation_can_be_fresh,
];

const fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

/// Aurora MySQL 3 keeps binary logs for at most 90 days (`mysql.rds_set_configuration`).
const LONGEST_RETENTION: Duration = hours(2160);
/// Locking accounts, killing connections, one drain and one DMS stop take about this long on an idle system.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
/// A way back that is open for less is none.
const SHORTEST_OBSERVATION: Duration = hours(1);
/// One of each: the morning's peak, the settlement run at night, the quiet in between.
const WHOLE_DAY: Duration = hours(24);

fn nothing_is_zero(migration: &Migration, findings: &mut Vec<Finding>) {
    let spec = &migration.spec;
    let periods: [(&str, Period); 12] = [
        ("spec.dns.ttl", spec.dns.ttl),
        ("spec.replication.forward.maxLag", spec.replication.forward.max_lag),
        ("spec.replication.reverse.maxLag", spec.replication.reverse.max_lag),
        ("spec.binlog.retention", spec.binlog.retention),
        ("spec.validation.interval", spec.validation.interval),
        ("spec.validation.maxAge", spec.validation.max_age),
        ("spec.cutover.writePauseBudget", spec.cutover.write_pause_budget),
        ("spec.cutover.approvals.expireAfter", spec.cutover.approvals.expire_after),
        ("spec.observation.window", spec.observation.window),
        ("spec.checks.interval", spec.checks.interval),
        ("spec.checks.maxAge", spec.checks.max_age),
        ("spec.checks.timeout", spec.checks.timeout),
    ];
    for (path, period) in periods {
        findings.extend(when(period.duration().is_zero(), || {
            Finding::new(Code::ZeroPeriod, path, "no time at all".to_owned(), "a duration above zero", "write how long")
        }));
    }
}

fn retention_covers_the_observation(migration: &Migration, findings: &mut Vec<Finding>) {
    let (retention, window) = (migration.spec.binlog.retention, migration.spec.observation.window);
    findings.extend(when(retention < window, || {
        let found = format!("binary logs are kept for `{retention}`, the way back for `{window}`");
        let accepted = format!("at least `{window}`, the whole of `spec.observation.window`");
        let advice = "raise it well beyond the window: reverse replication that stops must be able to resume";
        Finding::new(Code::RetentionTooShort, "spec.binlog.retention", found, &accepted, advice)
    }));
}

fn retention_is_possible(migration: &Migration, findings: &mut Vec<Finding>) {
    let retention = migration.spec.binlog.retention;
    findings.extend(when(retention.duration() > LONGEST_RETENTION, || {
        let found = format!("a retention of `{retention}`");
        Finding::new(Code::RetentionTooLong, "spec.binlog.retention", found, "at most `2160h`: Aurora keeps 90 days", "lower it")
    }));
}

/// In a pause longer than the TTL every cache asks again while nobody can take its customers' writes.
fn the_pause_ends_before_the_ttl(migration: &Migration, findings: &mut Vec<Finding>) {
    let (budget, ttl) = (migration.spec.cutover.write_pause_budget, migration.spec.dns.ttl);
    findings.extend(when(budget > ttl && !ttl.duration().is_zero(), || {
        let accepted = format!("at most `{ttl}`, the value of `spec.dns.ttl`");
        let found = format!("a write pause of up to `{budget}`");
        let advice = "lower the budget: every cache would ask again while nobody can answer";
        Finding::new(Code::PauseOutlivesTtl, "spec.cutover.writePauseBudget", found, &accepted, advice)
    }));
}

fn the_pause_leaves_time(migration: &Migration, findings: &mut Vec<Finding>) {
    let budget = migration.spec.cutover.write_pause_budget;
    findings.extend(when(!budget.duration().is_zero() && budget.duration() < SHORTEST_PAUSE, || {
        let found = format!("a write pause of at most `{budget}`");
        let advice = "raise it, or expect the cutover to be aborted by itself";
        Finding::new(Code::ShortPause, "spec.cutover.writePauseBudget", found, "`5s` or more; `30s` is usual", advice)
    }));
}

fn every_lag_can_drain(migration: &Migration, findings: &mut Vec<Finding>) {
    let (replication, budget) = (&migration.spec.replication, migration.spec.cutover.write_pause_budget);
    let lags = [("forward", replication.forward.max_lag), ("reverse", replication.reverse.max_lag)];
    for (direction, lag) in lags {
        findings.extend(when(lag > budget, || {
            let accepted = format!("at most `{budget}`, the value of `spec.cutover.writePauseBudget`");
            let found = format!("a lag of `{lag}` is accepted");
            let advice = "lower it: what lags by more than the pause cannot drain within the pause";
            Finding::new(Code::LagNeverDrains, &format!("spec.replication.{direction}.maxLag"), found, &accepted, advice)
        }));
    }
}

fn the_observation_is_long_enough(migration: &Migration, findings: &mut Vec<Finding>) {
    let window = migration.spec.observation.window;
    let code = match window.duration() {
        Duration::ZERO => return,
        length if length < SHORTEST_OBSERVATION => Code::ObservationTooShort,
        length if length < WHOLE_DAY => Code::ShortObservation,
        _ => return,
    };
    let found = format!("the way back is given up after `{window}`");
    let advice = "wait until every daily job has run once on the target";
    findings.push(Finding::new(
        code,
        "spec.observation.window",
        found,
        "`1h` at the very least; `24h` to `48h` is usual",
        advice,
    ));
}

fn validation_can_be_fresh(migration: &Migration, findings: &mut Vec<Finding>) {
    let validation = &migration.spec.validation;
    let took = validation.interval.duration().saturating_mul(validation.consecutive_passes.saturating_sub(1));
    findings.extend(when(!validation.max_age.duration().is_zero() && took > validation.max_age.duration(), || {
        let took = crate::spec::period::spoken(took);
        let found = format!(
            "a result counts for `{}`, and {} comparisons take `{took}`",
            validation.max_age, validation.consecutive_passes
        );
        let accepted = format!("at least `{took}`");
        Finding::new(
            Code::ValidationNeverFresh,
            "spec.validation.maxAge",
            found,
            &accepted,
            "raise it, or shorten `spec.validation.interval`",
        )
    }));
}
