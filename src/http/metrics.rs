//! What Prometheus reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::checks::outcome::Verdict;
use crate::clock::elapsed;
use crate::migration::status::{ConditionStatus, ConditionType, MigrationStatus};
use crate::names::{Direction, MigrationName};

type Seconds = Gauge<f64, AtomicU64>;

/// From one millisecond, a pass over a simulated world, to half a minute, one in which AWS throttled every call.
const PASS_BUCKETS_SECONDS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByMigration {
    migration: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByService {
    service: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ByGate {
    migration: String,
    gate: String,
}

/// A check, and a word of its own for each kind of end: what cannot be told apart from a failure hides it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ByCheck {
    migration: String,
    check: String,
    verdict: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    migration: String,
    direction: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    name: String,
    phase: String,
    rung: String,
}

/// The labels that one migration shows now and that have to go when it no longer does.
#[derive(Default)]
struct Shown {
    standing: Option<Standing>,
    gates: BTreeSet<ByGate>,
    checks: BTreeSet<ByCheck>,
}

/// All metrics of this process. What a status says is taken from it when it is published; the rest is told by whoever does it.
pub struct Metrics {
    registry: Registry,
    standing: Family<Standing, Gauge>,
    gate_open: Family<ByGate, Gauge>,
    check_verdict: Family<ByCheck, Gauge>,
    checks_waived: Family<ByMigration, Gauge>,
    lag: Family<ByDirection, Seconds>,
    write_pause: Family<ByMigration, Seconds>,
    rollback_ready: Family<ByMigration, Gauge>,
    journal_writable: Family<ByMigration, Gauge>,
    passes: Family<ByMigration, Counter>,
    pass_seconds: Family<ByMigration, Histogram>,
    last_success: Family<ByMigration, Seconds>,
    aws_calls: Family<ByService, Counter>,
    spec_errors: Counter,
    shown: Mutex<BTreeMap<MigrationName, Shown>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::default(),
            standing: Family::default(),
            gate_open: Family::default(),
            check_verdict: Family::default(),
            checks_waived: Family::default(),
            lag: Family::default(),
            write_pause: Family::default(),
            rollback_ready: Family::default(),
            journal_writable: Family::default(),
            passes: Family::default(),
            pass_seconds: Family::new_with_constructor(|| Histogram::new(PASS_BUCKETS_SECONDS)),
            last_success: Family::default(),
            aws_calls: Family::default(),
            spec_errors: Counter::default(),
            shown: Mutex::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("bascule_build", "This program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        registry.register("bascule_migration_info", "Phase reached and rung stood on", self.standing.clone());
        registry.register("bascule_gate_open", "1 if the gate is open, 0 if not or unknown", self.gate_open.clone());
        let help = "1 for the verdict (pass, fail, unknown) that the newest run of a check ended with, 0 for the others";
        registry.register("bascule_check_verdict", help, self.check_verdict.clone());
        registry.register("bascule_checks_waived", "Checks that need not pass for a while", self.checks_waived.clone());
        registry.register(
            "bascule_replication_lag_seconds",
            "Seconds that rows took at most, as proven last, or the age of an overdue heartbeat",
            self.lag.clone(),
        );
        registry.register(
            "bascule_write_pause_seconds",
            "Length of the present write pause, 0 without",
            self.write_pause.clone(),
        );
        registry.register("bascule_rollback_ready", "1 if a rollback now would lose nothing", self.rollback_ready.clone());
        registry.register("bascule_journal_writable", "1 if the journal can be written", self.journal_writable.clone());
        registry.register("bascule_reconcile_passes", "Passes made", self.passes.clone());
        registry.register("bascule_reconcile_duration_seconds", "How long passes took", self.pass_seconds.clone());
        registry.register(
            "bascule_last_successful_reconcile_timestamp_seconds",
            "Unix time of the end of the last pass without a failure",
            self.last_success.clone(),
        );
        registry.register("bascule_aws_calls", "Calls sent to AWS, retries included", self.aws_calls.clone());
        registry.register("bascule_spec_errors", "Specs refused", self.spec_errors.clone());
    }

    /// A pass ended after `took`; `succeeded_at` is its end if nothing in it failed.
    pub fn pass_ended(&self, migration: &MigrationName, took: Duration, succeeded_at: Option<Timestamp>) {
        let label = ByMigration { migration: migration.to_string() };
        self.passes.get_or_create(&label).inc();
        self.pass_seconds.get_or_create(&label).observe(took.as_secs_f64());
        if let Some(at) = succeeded_at {
            self.last_success.get_or_create(&label).set(Duration::try_from(at.as_duration()).unwrap_or_default().as_secs_f64());
        }
    }

    /// A call was sent to `service` (`dms`, `rds`, `route53`, `elasticloadbalancing`).
    pub fn aws_called(&self, service: &str) {
        self.aws_calls.get_or_create(&ByService { service: service.to_owned() }).inc();
    }

    /// A spec was refused.
    pub fn spec_refused(&self) {
        self.spec_errors.inc();
    }

    /// Takes over what a newly published status says.
    pub fn take(&self, name: &MigrationName, status: &MigrationStatus) {
        let migration = name.to_string();
        let mut all_shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = all_shown.entry(name.clone()).or_default();
        self.show_standing(shown, &migration, status);
        self.show_gates(shown, &migration, status);
        self.show_checks(shown, &migration, status);
        for (direction, report) in [(Direction::Forward, &status.forward), (Direction::Reverse, &status.reverse)] {
            let label = ByDirection { migration: migration.clone(), direction: direction.to_string() };
            match report.lag_seconds {
                Some(lag) => _ = self.lag.get_or_create(&label).set(lag),
                // A lag that is not measured is no lag of 0.
                None => _ = self.lag.remove(&label),
            }
        }
        let label = ByMigration { migration };
        let pause = status.write_pause_began.map_or(Duration::ZERO, |began| elapsed(began, status.observed_at));
        self.write_pause.get_or_create(&label).set(pause.as_secs_f64());
        self.rollback_ready.get_or_create(&label).set(i64::from(status.rollback.ready));
        let writable = status.conditions.iter().any(|condition| {
            condition.condition_type == ConditionType::JournalWritable && condition.status == ConditionStatus::True
        });
        self.journal_writable.get_or_create(&label).set(i64::from(writable));
    }

    fn show_standing(&self, shown: &mut Shown, migration: &str, status: &MigrationStatus) {
        let phase = status.phase.map_or("None", crate::spec::Phase::name);
        let now = Standing { name: migration.to_owned(), phase: phase.to_owned(), rung: status.rung.to_string() };
        if let Some(before) = shown.standing.take().filter(|before| *before != now) {
            self.standing.remove(&before);
        }
        self.standing.get_or_create(&now).set(1);
        shown.standing = Some(now);
    }

    fn show_gates(&self, shown: &mut Shown, migration: &str, status: &MigrationStatus) {
        let mut gates = BTreeSet::new();
        for gate in &status.gates {
            let label = ByGate { migration: migration.to_owned(), gate: gate.name.clone() };
            self.gate_open.get_or_create(&label).set(i64::from(gate.standing.is_open()));
            gates.insert(label);
        }
        for gone in shown.gates.difference(&gates) {
            self.gate_open.remove(gone);
        }
        shown.gates = gates;
    }

    fn show_checks(&self, shown: &mut Shown, migration: &str, status: &MigrationStatus) {
        let mut checks = BTreeSet::new();
        for check in &status.checks {
            for verdict in Verdict::ALL {
                let label = ByCheck {
                    migration: migration.to_owned(),
                    check: check.name.to_string(),
                    verdict: verdict.word().to_owned(),
                };
                self.check_verdict.get_or_create(&label).set(i64::from(check.verdict == verdict));
                checks.insert(label);
            }
        }
        for gone in shown.checks.difference(&checks) {
            self.check_verdict.remove(gone);
        }
        shown.checks = checks;
        let waived = status.checks.iter().filter(|check| check.waiver.is_some()).count();
        let label = ByMigration { migration: migration.to_owned() };
        self.checks_waived.get_or_create(&label).set(i64::try_from(waived).unwrap_or(i64::MAX));
    }

    /// Everything, in the OpenMetrics text format that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail; half a text would be refused by its missing end.
        _ = text::encode(&mut text, &self.registry);
        text
    }
}
