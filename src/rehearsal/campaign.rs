//! Many seeds: one summary, the worst of them, and every one that failed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operator::Scenario;
use super::stage::{Request, rehearse};
use super::verdict::Verdict;
use crate::sim::monitor::Violation;
use crate::sim::report::PaymentCounts;
use crate::spec::Migration;

/// What a main thread has. A pass is one deep future, and an unoptimised one overflows the two megabytes of other threads.
const STACK_BYTES: usize = 8 << 20;

/// A seed that broke something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailedSeed {
    /// Give it to `--seed` to see the same run again.
    pub seed: u64,
    /// How it ended.
    pub outcome: String,
    /// What was broken.
    pub violations: Vec<Violation>,
}

/// The summary of a campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    /// The migration's name.
    pub migration: String,
    /// Which story.
    pub scenario: Scenario,
    /// The name of the fault profile.
    pub faults: String,
    /// How many seeds ran.
    pub runs: u64,
    /// How the runs ended, counted.
    pub outcomes: BTreeMap<String, u64>,
    /// PaymentCounts of all runs.
    pub payments: PaymentCounts,
    /// The seed with the longest pause of writes, and that pause.
    pub worst_write_pause: Option<WorstPause>,
    /// The longest pause of writes on the way back.
    pub worst_rollback_write_pause: Option<WorstPause>,
    /// Virtual time of all runs.
    pub simulated_seconds: u64,
    /// Calls that AWS received in all runs.
    pub aws_calls: BTreeMap<String, u64>,
    /// Faults injected in all runs.
    pub faults_injected: BTreeMap<String, u64>,
    /// Every seed that failed.
    pub failed_seeds: Vec<FailedSeed>,
    /// Every invariant broken, in seed order.
    pub violations: Vec<Violation>,
}

/// The longest of many pauses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorstPause {
    /// Whose.
    pub seed: u64,
    /// How long.
    pub seconds: f64,
}

impl Campaign {
    /// Whether every seed came to its end with nothing broken.
    pub const fn is_good(&self) -> bool {
        self.failed_seeds.is_empty() && self.violations.is_empty()
    }
}

/// Runs every seed on `threads` threads. The summary does not depend on how many there are.
pub fn campaign(
    migration: &Migration,
    request: &Request,
    seeds: RangeInclusive<u64>,
    threads: usize,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Campaign {
    let total = seeds.end().saturating_sub(*seeds.start()).saturating_add(1);
    let next = AtomicU64::new(*seeds.start());
    let done = AtomicU64::new(0);
    let verdicts: Mutex<BTreeMap<u64, Verdict>> = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if !seeds.contains(&seed) {
                return;
            }
            let verdict = rehearse(migration, &Request { seed, ..request.clone() }, &mut |_| {}).verdict;
            verdicts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(seed, verdict);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let started = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            started.unwrap_or_else(|error| panic!("the operating system refuses a thread: {error}"));
        }
    });
    let verdicts = verdicts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summary(migration, request, &verdicts)
}

fn summary(migration: &Migration, request: &Request, verdicts: &BTreeMap<u64, Verdict>) -> Campaign {
    let mut campaign = Campaign {
        migration: migration.name().to_string(),
        scenario: request.scenario,
        faults: request.faults.clone(),
        runs: verdicts.len() as u64,
        outcomes: BTreeMap::new(),
        payments: PaymentCounts::default(),
        worst_write_pause: None,
        worst_rollback_write_pause: None,
        simulated_seconds: 0,
        aws_calls: BTreeMap::new(),
        faults_injected: BTreeMap::new(),
        failed_seeds: Vec::new(),
        violations: Vec::new(),
    };
    for (seed, verdict) in verdicts {
        campaign.add(*seed, verdict);
    }
    campaign
}

impl Campaign {
    fn add(&mut self, seed: u64, verdict: &Verdict) {
        *self.outcomes.entry(verdict.outcome.clone()).or_default() += 1;
        self.payments.acknowledged += verdict.payments.acknowledged;
        self.payments.refused += verdict.payments.refused;
        self.payments.lost += verdict.payments.lost;
        self.payments.duplicated += verdict.payments.duplicated;
        self.payments.quarantined += verdict.payments.quarantined;
        self.payments.paid_again += verdict.payments.paid_again;
        self.simulated_seconds += verdict.simulated_seconds;
        for (service, calls) in &verdict.aws_calls {
            *self.aws_calls.entry(service.clone()).or_default() += calls;
        }
        for (kind, count) in &verdict.faults_injected {
            *self.faults_injected.entry(kind.clone()).or_default() += count;
        }
        worst(&mut self.worst_write_pause, seed, verdict.write_pause_seconds);
        worst(&mut self.worst_rollback_write_pause, seed, verdict.rollback_write_pause_seconds);
        self.violations.extend(verdict.violations.iter().cloned());
        if !verdict.is_good() {
            let (outcome, violations) = (verdict.outcome.clone(), verdict.violations.clone());
            self.failed_seeds.push(FailedSeed { seed, outcome, violations });
        }
    }
}

fn worst(longest: &mut Option<WorstPause>, seed: u64, seconds: Option<f64>) {
    let Some(seconds) = seconds else { return };
    if longest.is_none_or(|longest| seconds > longest.seconds) {
        *longest = Some(WorstPause { seed, seconds });
    }
}
