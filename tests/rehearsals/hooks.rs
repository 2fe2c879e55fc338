//! Whole migrations whose operator has systems of their own: what those were told, how often, and under which key.

use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Kill, Rehearsed, Request};
use bascule::sim::profile::FaultProfile;
use bascule::spec::{Checks, Migration};

use super::ended::end_state;
use super::{brisk, calm, play};

#[path = "../common/hooks.rs"]
mod everywhere;

/// A short migration with hooks at every point, and nothing to be checked: that is another story.
fn hooked() -> Migration {
    let mut migration = brisk();
    migration.spec.checks = Checks::default();
    migration.spec.hooks = everywhere::hooks();
    migration
}

/// What an attempt that goes through tells, without the name of the migration.
const THERE: [&str; 8] = [
    "AfterFence/metrics",
    "AfterFence/queues-held",
    "AfterFlip/banner-off",
    "AfterFlip/cron-on",
    "BeforeFence/banner-on",
    "BeforeFence/cron-off",
    "BeforeFence/go",
    "BeforeFlip/webhooks",
];

/// What one that stalls behind its fence tells.
const ABORTED: [&str; 6] = [
    "AfterAbort/all-clear",
    "AfterFence/metrics",
    "AfterFence/queues-held",
    "BeforeFence/banner-on",
    "BeforeFence/cron-off",
    "BeforeFence/go",
];

/// Keys of one attempt, sorted.
fn keys(attempt: u32, told: &[&str]) -> Vec<String> {
    let mut keys: Vec<String> = told.iter().map(|told| format!("payments/{attempt}/{told}")).collect();
    keys.sort();
    keys
}

fn told(rehearsed: &Rehearsed) -> Vec<String> {
    rehearsed.verdict.hook_calls.keys().cloned().collect()
}

/// What has to be told in every weather.
fn is_demanded(key: &str) -> bool {
    ["go", "cron-off", "queues-held", "cron-on", "all-clear", "back-again"].iter().any(|hook| key.ends_with(&format!("/{hook}")))
}

#[test]
fn in_calm_weather_each_hook_is_called_once_at_its_point() {
    let back = [THERE.as_slice(), &["AfterRollback/back-again"]].concat();
    let twice = [keys(1, &ABORTED), keys(2, &THERE)].concat();
    for (scenario, expected) in
        [(Scenario::Forward, keys(1, &THERE)), (Scenario::Rollback, keys(1, &back)), (Scenario::Abort, twice)]
    {
        let rehearsed = play(&hooked(), &calm(scenario, 1));
        assert!(rehearsed.verdict.is_good(), "{scenario:?}: {:?}", rehearsed.verdict.violations);
        assert_eq!(told(&rehearsed), expected, "{scenario:?}");
        assert!(rehearsed.verdict.hook_calls.values().all(|calls| *calls == 1), "{:?}", rehearsed.verdict.hook_calls);
    }
}

#[test]
fn in_a_storm_what_is_demanded_is_told_again_under_the_same_key_and_nothing_is_told_that_is_not_so() {
    let (mut injected, mut again) = (0, 0);
    for scenario in [Scenario::Forward, Scenario::Rollback, Scenario::Abort] {
        for (name, profile, seeds) in [("rough", FaultProfile::rough(), 1..=2), ("storm", FaultProfile::storm(), 100..=101)] {
            for seed in seeds {
                let rehearsed = play(&hooked(), &Request::new(scenario, name, profile.clone(), seed));
                let verdict = &rehearsed.verdict;
                assert!(verdict.is_good(), "{scenario:?} {name} {seed}: {} {:?}", verdict.outcome, verdict.violations);
                injected += verdict.faults_injected.get("hook_error").copied().unwrap_or(0);
                again += verdict.hook_calls.values().filter(|calls| **calls > 1).count();
                let last = verdict.attempts.last().map_or(1, |attempt| attempt.attempt);
                let demanded = keys(last, &THERE).into_iter().filter(|key| is_demanded(key));
                for key in demanded {
                    assert!(verdict.hook_calls.contains_key(&key), "{scenario:?} {name} {seed}: {key} was never taken");
                }
            }
        }
    }
    assert!(injected > 10 && again > 2, "{injected} faults, {again} keys more than once: nothing was proven");
}

/// On each rung so many kills: enough that some fall between a call and its answer.
const KILLS_A_RUNG: usize = 4;

#[test]
fn a_controller_killed_around_a_call_makes_it_again_under_the_same_key() {
    let migration = hooked();
    let mut again = 0;
    for scenario in [Scenario::Forward, Scenario::Rollback, Scenario::Abort] {
        let reference = play(&migration, &calm(scenario, 1));
        for seed in 1..=4 {
            let kill = Kill::OnEveryRung { times: KILLS_A_RUNG };
            let killed = play(&migration, &Request { kill, ..calm(scenario, seed) });
            let verdict = &killed.verdict;
            assert!(verdict.is_good(), "{scenario:?} {seed}: {} {:?}", verdict.outcome, verdict.violations);
            assert_eq!(end_state(&killed), end_state(&reference), "{scenario:?} {seed}");
            let last = verdict.attempts.last().map_or(1, |attempt| attempt.attempt);
            for key in keys(last, &THERE).into_iter().filter(|key| is_demanded(key)) {
                assert!(verdict.hook_calls.contains_key(&key), "{scenario:?} {seed}: {key} was never taken");
            }
            again += verdict.hook_calls.values().filter(|calls| **calls > 1).count();
        }
    }
    assert!(again > 0, "no kill fell between a call and its answer, so nothing was proven");
}
