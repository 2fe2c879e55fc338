//! One target behind the load balancer: how it is, what that means, and what a person does about it.
//!
//! Decided by state and reason code alone; ELBv2's description is prose, and may be written anew at any time.

use std::fmt;

use crate::names::AvailabilityZone;

/// One target of the declared group, as `DescribeTargetHealth` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id and port: `10.0.1.10:8080`.
    pub name: String,
    /// Where it stands. `None` where ELBv2 does not say: for instances, and for addresses of `all` zones.
    pub zone: Option<AvailabilityZone>,
    /// How it is.
    pub health: TargetHealth,
}

/// `TargetHealth.State` of one target, with the reason code where the state has more than one; a code that is not given is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetHealth {
    /// `healthy`
    Healthy,
    /// `initial`: registering, or its first checks run.
    Initial(String),
    /// `unhealthy` or `unhealthy.draining`.
    Unhealthy(String),
    /// `unused`: nothing is sent to it, not even checks, so nothing is known about its health.
    Unused(String),
    /// `draining`: deregistered, and finishing what it began.
    Draining,
    /// `unavailable`: ELBv2 itself does not know.
    Unavailable(String),
    /// No state, or one that this program does not know: what came instead.
    Untold(String),
}

impl TargetHealth {
    /// Whether ELBv2 told how the target is. Where it did not, the target may well be healthy.
    pub const fn is_told(&self) -> bool {
        !matches!(self, Self::Unavailable(_) | Self::Untold(_))
    }
}

impl fmt::Display for TargetHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, reason, words) = match self {
            Self::Healthy => return f.write_str("healthy"),
            Self::Untold(instead) => {
                return write!(f, "{instead}; look at the target in the console, and for a newer version of this program");
            }
            Self::Draining => ("draining", "Target.DeregistrationInProgress", DRAINING),
            Self::Initial(reason) => ("initial", reason.as_str(), initial(reason)),
            Self::Unhealthy(reason) => ("unhealthy", reason.as_str(), unhealthy(reason)),
            Self::Unused(reason) => ("unused", reason.as_str(), unused(reason)),
            Self::Unavailable(reason) => ("unavailable", reason.as_str(), unavailable(reason)),
        };
        let reason = if reason.is_empty() { "no reason given" } else { reason };
        write!(f, "{state} ({reason}), {words}")
    }
}

const DRAINING: &str = "it is being deregistered and gets no new requests; wait until the deregistration delay is over, \
                        or register it again";

fn initial(reason: &str) -> &'static str {
    match reason {
        "Elb.RegistrationInProgress" => "it is being registered; wait",
        "Elb.InitialHealthChecking" => "its first health checks are under way; wait",
        _ => "its registration or its first health checks are under way; wait",
    }
}

fn unhealthy(reason: &str) -> &'static str {
    match reason {
        "Target.ResponseCodeMismatch" => {
            "its health check answers with a status that the group does not accept; look at the application's log and at the \
             group's success codes"
        }
        "Target.Timeout" => "its health check does not answer in time; look at its load and at its security group",
        "Target.FailedHealthChecks" => {
            "its health check cannot connect, or the answer is not HTTP; see that the application listens on that port"
        }
        "Elb.InternalError" => "its health check failed inside ELBv2; wait, and ask AWS if it lasts",
        _ => "it fails its health checks; look at the application's log",
    }
}

fn unused(reason: &str) -> &'static str {
    match reason {
        "Target.NotInUse" => {
            "its group is not in use by this load balancer, or its zone is not enabled there; let a listener or a rule forward \
             to the group, or enable the zone"
        }
        "Target.NotRegistered" => "it is not registered with the group; register it",
        "Target.InvalidState" => "its instance is stopped or terminated; start it, or deregister it",
        "Target.IpUnusable" => "its address is reserved for a load balancer; register another one",
        _ => "nothing is sent to it; see which listener forwards to the group, and which zones are enabled",
    }
}

fn unavailable(reason: &str) -> &'static str {
    match reason {
        "Target.HealthCheckDisabled" => "health checks are switched off for the group; switch them on",
        "Elb.InternalError" => "ELBv2 cannot tell because of an error of its own; wait, and ask AWS if it lasts",
        _ => "ELBv2 cannot tell; look at the group in the console",
    }
}
