//! What interferes with AWS calls: the services' own token buckets, and the faults of a profile.
//!
//! The buckets belong to the services and stay when the faults are switched off. Not modelled: per-action buckets (their
//! sizes are not published), Route 53's change throughput, credentials that expire.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::profile::FaultProfile;
use super::wire::{ServiceError, WireAnswer};
use crate::clock::elapsed;

/// The four services of the stand-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Database Migration Service.
    Dms,
    /// RDS.
    Rds,
    /// Route 53.
    Route53,
    /// Elastic Load Balancing v2.
    Elb,
}

impl Service {
    /// Its name in a SigV4 credential scope.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dms => "dms",
            Self::Rds => "rds",
            Self::Route53 => "route53",
            Self::Elb => "elasticloadbalancing",
        }
    }
}

/// What happens to one call beside its own answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interference {
    /// How long the answer takes.
    pub latency: Duration,
    /// What goes wrong, if anything does.
    pub fault: Option<CallFault>,
}

/// The closed list of what can go wrong with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallFault {
    /// Not applied; answered with this refusal (throttling, 500, 503).
    Refused(ServiceError),
    /// Applied, and answered with this 500 or 503 all the same.
    BrokenAfter(ServiceError),
    /// Never received, never answered.
    TimeoutBefore,
    /// Applied, and the answer is lost.
    TimeoutAfter,
    /// Applied; the answer's body is cut short while its Content-Length is not.
    TruncatedBody,
    /// A read is answered as it was some seconds ago.
    StaleRead,
}

/// One mutating call that reached its service.
pub type LoggedCall = (Timestamp, Service, String);

/// A read older than this is not shown again: AWS's stale reads last seconds, not minutes.
const STALE_AT_MOST: Duration = Duration::from_secs(10);
/// Remembered answers are swept at this number, so that a long run does not keep them all.
const REMEMBERED_AT_MOST: usize = 64;

/// A token bucket: so many calls at once, and so many more a second.
#[derive(Debug, Clone)]
struct Bucket {
    tokens: f64,
    burst: f64,
    refill_per_second: f64,
    filled_at: Option<Timestamp>,
}

impl Bucket {
    const fn new(burst: f64, refill_per_second: f64) -> Self {
        Self { tokens: burst, burst, refill_per_second, filled_at: None }
    }

    /// Takes a token, if there is one.
    fn take(&mut self, now: Timestamp) -> bool {
        if let Some(filled_at) = self.filled_at {
            let refilled = elapsed(filled_at, now).as_secs_f64() * self.refill_per_second;
            self.tokens = (self.tokens + refilled).min(self.burst);
        }
        self.filled_at = Some(now);
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}

/// The account's buckets, the smaller number where sources disagree.
#[derive(Debug, Clone)]
struct Buckets {
    dms: Bucket,
    rds: Bucket,
    route53: Bucket,
    elb_reads: Bucket,
    elb_writes: Bucket,
}

impl Buckets {
    const fn new() -> Self {
        Self {
            dms: Bucket::new(100.0, 4.0),
            // No number is published; the smallest of the others.
            rds: Bucket::new(40.0, 4.0),
            route53: Bucket::new(50.0, 10.0),
            elb_reads: Bucket::new(40.0, 10.0),
            // Writes have a bucket of their own, of unpublished size; smaller than that of reads.
            elb_writes: Bucket::new(20.0, 3.0),
        }
    }

    const fn of(&mut self, service: Service, is_read: bool) -> &mut Bucket {
        match service {
            Service::Dms => &mut self.dms,
            Service::Rds => &mut self.rds,
            Service::Route53 => &mut self.route53,
            Service::Elb if is_read => &mut self.elb_reads,
            Service::Elb => &mut self.elb_writes,
        }
    }
}

/// Which request an answer belongs to: a hash of everything that was asked.
pub type RequestKey = (Service, u64);

/// The interference of one run: seeded, counted, and switched off for the end of it.
#[derive(Debug)]
pub struct Faults {
    /// The chances.
    pub profile: FaultProfile,
    /// How often each fault struck, by its name in the profile; the world counts its own faults here too.
    pub injected: BTreeMap<String, u64>,
    /// Calls received, by service name.
    pub calls: BTreeMap<String, u64>,
    /// Every mutating call that reached its service, in order.
    pub mutations: Vec<LoggedCall>,
    rng: fastrand::Rng,
    buckets: Buckets,
    remembered: BTreeMap<RequestKey, (Timestamp, WireAnswer)>,
    requests: u64,
    quiet: bool,
}

impl Faults {
    /// The faults of `profile`, drawn from `rng`.
    pub const fn new(profile: FaultProfile, rng: fastrand::Rng) -> Self {
        Self {
            profile,
            injected: BTreeMap::new(),
            calls: BTreeMap::new(),
            mutations: Vec::new(),
            rng,
            buckets: Buckets::new(),
            remembered: BTreeMap::new(),
            requests: 0,
            quiet: false,
        }
    }

    /// Stops all injection from now on: a run must end once the world is kind again.
    pub const fn quiet(&mut self) {
        self.quiet = true;
    }

    /// Whether injection has been stopped.
    pub const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Counts one fault that struck, whoever injected it.
    pub fn count(&mut self, fault: &str) {
        bump(&mut self.injected, fault);
    }

    /// Whether something with `chance` strikes now; draws nothing when quiet or when it never can.
    pub fn strikes(&mut self, chance: f64) -> bool {
        !self.quiet && chance > 0.0 && self.rng.f64() < chance
    }

    /// Decides what happens to one call, and counts it.
    pub fn on_call(&mut self, now: Timestamp, service: Service, operation: &str, is_read: bool) -> Interference {
        bump(&mut self.calls, service.name());
        let latency = self.latency();
        let fault = if self.buckets.of(service, is_read).take(now) {
            self.drawn(service, operation, is_read)
        } else {
            self.count("tokenBucket");
            Some(CallFault::Refused(throttling(service)))
        };
        Interference { latency, fault }
    }

    fn latency(&mut self) -> Duration {
        let (shortest, longest) = (self.profile.latency_min_ms, self.profile.latency_max_ms);
        Duration::from_millis(if shortest < longest { self.rng.u64(shortest..=longest) } else { shortest })
    }

    /// At most one fault a call. The order is fixed, so that the same seed gives the same run.
    fn drawn(&mut self, service: Service, operation: &str, is_read: bool) -> Option<CallFault> {
        let profile = &self.profile;
        let (throttle, server_error) = (profile.throttle, profile.server_error);
        let (before, after) = (profile.timeout_before, profile.timeout_after);
        let (truncated, stale) = (profile.truncated_body, profile.stale_read);
        if self.strikes(throttle) {
            self.count("throttle");
            // Route 53 has a second way of saying "not now": another change of the same zone is in progress.
            let prior = service == Service::Route53 && !is_read && self.rng.bool();
            return Some(CallFault::Refused(if prior { prior_request() } else { throttling(service) }));
        }
        if self.strikes(server_error) {
            self.count("serverError");
            let broken = self.broken(operation);
            // A server error says nothing about whether the call was applied.
            return Some(if self.rng.bool() { CallFault::BrokenAfter(broken) } else { CallFault::Refused(broken) });
        }
        if self.strikes(before) {
            self.count("timeoutBefore");
            return Some(CallFault::TimeoutBefore);
        }
        if self.strikes(after) {
            self.count("timeoutAfter");
            return Some(CallFault::TimeoutAfter);
        }
        if self.strikes(truncated) {
            self.count("truncatedBody");
            return Some(CallFault::TruncatedBody);
        }
        // Counted when an old answer is really there to be shown.
        (is_read && self.strikes(stale)).then_some(CallFault::StaleRead)
    }

    fn broken(&mut self, operation: &str) -> ServiceError {
        if operation == "DescribeTargetHealth" {
            return ServiceError::with_status(500, "HealthUnavailable", "the health of the targets could not be retrieved");
        }
        if self.rng.bool() {
            ServiceError::with_status(500, "InternalFailure", "the request processing has failed because of an unknown error")
        } else {
            ServiceError::with_status(
                503,
                "ServiceUnavailable",
                "the request has failed due to a temporary failure of the server",
            )
        }
    }

    /// Where a cut body ends: anywhere before its end.
    pub fn cut(&mut self, length: usize) -> usize {
        self.rng.usize(0..length.max(1))
    }

    /// A request id, unique in this run and the same in the next run of the same seed.
    pub fn request_id(&mut self) -> String {
        self.requests += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.requests)
    }

    /// Keeps a read's true answer, to be shown again when a stale read strikes.
    pub fn remember(&mut self, now: Timestamp, key: RequestKey, answer: &WireAnswer) {
        if self.profile.stale_read <= 0.0 {
            return;
        }
        if self.remembered.len() >= REMEMBERED_AT_MOST {
            self.remembered.retain(|_, (at, _)| elapsed(*at, now) <= STALE_AT_MOST);
        }
        self.remembered.insert(key, (now, answer.clone()));
    }

    /// What the same request was answered some seconds ago, if anything.
    pub fn stale(&mut self, now: Timestamp, key: RequestKey) -> Option<WireAnswer> {
        let (at, answer) = self.remembered.get(&key)?;
        if elapsed(*at, now) > STALE_AT_MOST {
            return None;
        }
        let answer = answer.clone();
        self.count("staleRead");
        Some(answer)
    }
}

/// Adds one to a count, without allocating when the name is known.
fn bump(counts: &mut BTreeMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}

/// The service's own word for "fewer calls, please".
fn throttling(service: Service) -> ServiceError {
    let code = match service {
        Service::Dms => "ThrottlingException",
        Service::Rds | Service::Route53 | Service::Elb => "Throttling",
    };
    ServiceError::refused(code, "Rate exceeded")
}

fn prior_request() -> ServiceError {
    ServiceError::refused(
        "PriorRequestNotComplete",
        "The request was rejected because Route 53 was still processing a prior request.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a second near the epoch")
    }

    fn faults(profile: FaultProfile) -> Faults {
        Faults::new(profile, fastrand::Rng::with_seed(7))
    }

    fn is_throttled(interference: &Interference) -> bool {
        matches!(&interference.fault, Some(CallFault::Refused(refusal)) if refusal.message == "Rate exceeded")
    }

    #[test]
    fn a_calm_world_throttles_only_who_asks_too_fast() {
        let mut faults = faults(FaultProfile::calm());
        let first: Vec<bool> =
            (0..101).map(|_| is_throttled(&faults.on_call(at(0), Service::Dms, "DescribeEndpoints", true))).collect();
        assert_eq!(first.iter().filter(|throttled| **throttled).count(), 1, "the burst is 100");
        assert!(first[100]);
        let refilled = (0..5).map(|_| faults.on_call(at(1), Service::Dms, "DescribeEndpoints", true));
        assert_eq!(refilled.filter(is_throttled).count(), 1, "four more come back each second");
        assert!(!is_throttled(&faults.on_call(at(1), Service::Route53, "GetChange", true)), "each service has its own bucket");
        assert_eq!(faults.calls.get("dms"), Some(&106));
    }

    #[test]
    fn a_storm_injects_every_fault_and_counts_it() {
        let mut faults = faults(FaultProfile::storm());
        for second in 0..2_000 {
            faults.on_call(at(second), Service::Route53, "ChangeResourceRecordSets", false);
        }
        for fault in ["throttle", "serverError", "timeoutBefore", "timeoutAfter", "truncatedBody"] {
            assert!(faults.injected.get(fault).is_some_and(|count| *count > 10), "{fault}: {:?}", faults.injected);
        }
        assert!(!faults.injected.contains_key("staleRead"), "a write is never answered with an old answer");
    }

    #[test]
    fn a_quiet_world_injects_nothing_more() {
        let mut faults = faults(FaultProfile::storm());
        faults.quiet();
        assert!((0..500).all(|second| faults.on_call(at(second), Service::Elb, "DescribeListeners", true).fault.is_none()));
        assert!(faults.injected.is_empty());
    }

    #[test]
    fn the_same_seed_draws_the_same_faults() {
        let draw = || {
            let mut faults = faults(FaultProfile::storm());
            (0..300).map(|second| faults.on_call(at(second), Service::Rds, "DescribeDBClusters", true)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
    }

    #[test]
    fn an_old_answer_is_shown_for_ten_seconds_and_not_longer() {
        let mut faults = faults(FaultProfile::rough());
        let answer = WireAnswer::empty();
        faults.remember(at(0), (Service::Dms, 1), &answer);
        assert_eq!(faults.stale(at(10), (Service::Dms, 1)), Some(answer));
        assert_eq!(faults.stale(at(11), (Service::Dms, 1)), None);
        assert_eq!(faults.stale(at(1), (Service::Dms, 2)), None, "another request has another answer");
    }
}
