//! What interferes with AWS calls: the services' own token buckets, and the faults of a profile.
//!
//! Not modelled: per-action buckets (their sizes are not published), change throughput of Route 53.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::profile::FaultProfile;
use super::wire::ServiceError;

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
    /// Never received, never answered.
    TimeoutBefore,
    /// Applied, and the answer is lost.
    TimeoutAfter,
    /// Applied; the answer's body is cut short while its Content-Length is not.
    TruncatedBody,
    /// A read is answered as it was some seconds ago.
    StaleRead,
}

/// One mutating call that was applied.
pub type LoggedCall = (Timestamp, Service, String);

/// The interference of one run: seeded, counted, and switched off for the end of it.
#[derive(Debug)]
pub struct Faults {
    /// The chances.
    pub profile: FaultProfile,
    /// How often each fault struck, by its name in the profile; the world counts its own faults here too.
    pub injected: BTreeMap<String, u64>,
    /// Calls received, by service name.
    pub calls: BTreeMap<String, u64>,
    /// Every mutating call that reached a service, in order.
    pub mutations: Vec<LoggedCall>,
    rng: fastrand::Rng,
    quiet: bool,
}

impl Faults {
    /// The faults of `profile`, drawn from `rng`.
    pub fn new(profile: FaultProfile, rng: fastrand::Rng) -> Self {
        Self { profile, injected: BTreeMap::new(), calls: BTreeMap::new(), mutations: Vec::new(), rng, quiet: false }
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
        *self.injected.entry(fault.to_owned()).or_default() += 1;
    }

    /// Whether something with `chance` strikes now; draws nothing when quiet or when it never can.
    pub fn strikes(&mut self, chance: f64) -> bool {
        !self.quiet && chance > 0.0 && self.rng.f64() < chance
    }
}
