//! A world for tests of the wire: real RDS, Route 53 and ELBv2 stand-ins, and a DMS that echoes.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::connector::transport_that_crashes;
use super::{Cloud, Parameters, RestAnswer, RestRequest, ServiceError};
use crate::aws::Aws;
use crate::clock::Clock;
use crate::names::{ClusterId, DomainName, HostedZoneId, InstanceId, LoadBalancerArn, TargetGroupArn};
use crate::sim::crash::CrashSwitch;
use crate::sim::elb::Elb;
use crate::sim::faults::Faults;
use crate::sim::profile::FaultProfile;
use crate::sim::rds::{Rds, RdsEffect};
use crate::sim::route53::{Record, Route53};

pub(crate) const ZONE: &str = "Z0PAYMENTS";
pub(crate) const LOAD_BALANCER: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/payments/50dc6c495c0c9188";
pub(crate) const TARGET_GROUP: &str = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/payments/73e2d6bc24d8a067";

/// The world behind the wire.
pub(crate) struct Stub {
    pub(crate) rds: Rds,
    pub(crate) route53: Route53,
    pub(crate) elb: Elb,
    pub(crate) faults: Faults,
    pub(crate) effects: Vec<RdsEffect>,
    pub(crate) now: Timestamp,
}

impl Stub {
    pub(crate) fn new(profile: FaultProfile, seed: u64, start: Timestamp) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let public = Record::of_values("pay.example.com", "A", 3600, &["192.0.2.10"]);
        Self {
            rds: Rds::new(
                ClusterId::from("payments"),
                InstanceId::from("payments-1"),
                InstanceId::from("payments-2"),
                rng.fork(),
            ),
            route53: Route53::new(HostedZoneId::from(ZONE), &DomainName::from("example.com"), vec![public], rng.fork()),
            elb: Elb::new(LoadBalancerArn::from(LOAD_BALANCER), TargetGroupArn::from(TARGET_GROUP), 3, start, rng.fork()),
            faults: Faults::new(profile, rng.fork()),
            effects: Vec::new(),
            now: start,
        }
    }
}

impl Cloud for Stub {
    fn advance(&mut self, to: Timestamp) {
        self.now = to;
        self.route53.step(to);
        self.effects.extend(self.rds.step(to));
    }

    fn dms(&mut self, operation: &str, input: &Value) -> Result<Value, ServiceError> {
        match operation {
            // The arguments come back in the place where the real answer has them.
            "StopReplicationTask" | "StartReplicationTask" => Ok(
                json!({"ReplicationTask": {"ReplicationTaskArn": input["ReplicationTaskArn"], "ReplicationTaskCreationDate": 1_590_524_772.505}}),
            ),
            "CreateReplicationTask" => Err(ServiceError {
                fields: vec![("resourceArn".to_owned(), "arn:aws:dms:eu-west-1:111122223333:task:OLD".to_owned())],
                ..ServiceError::refused("ResourceAlreadyExistsFault", "it exists")
            }),
            "ModifyReplicationTask" => Err(ServiceError::refused("InvalidParameterCombinationException", "not together")),
            "DescribeReplicationTasks" => Ok(json!({"ReplicationTasks": [], "Marker": input["Marker"]})),
            _ => Err(ServiceError::refused("UnknownOperationException", "unknown")),
        }
    }

    fn rds(&mut self, action: &str, parameters: &Parameters) -> Result<String, ServiceError> {
        let answer = self.rds.call(self.now, action, parameters);
        self.effects.extend(self.rds.step(self.now));
        answer
    }

    fn route53(&mut self, request: &RestRequest) -> Result<RestAnswer, ServiceError> {
        self.route53.call(self.now, request)
    }

    fn elb(&mut self, action: &str, parameters: &Parameters) -> Result<String, ServiceError> {
        self.elb.call(self.now, action, parameters)
    }

    fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }
}

/// A world, its clock and real SDK clients that talk to it. Use it under tokio's paused clock.
pub(crate) struct Bench {
    pub(crate) world: Arc<Mutex<Stub>>,
    pub(crate) clock: Clock,
    pub(crate) aws: Aws,
}

impl Bench {
    pub(crate) fn calm() -> Self {
        Self::with(FaultProfile::calm(), 1, CrashSwitch::never())
    }

    pub(crate) fn with(profile: FaultProfile, seed: u64, crash: CrashSwitch) -> Self {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a timestamp");
        let clock = Clock::starting_at(start);
        let world = Arc::new(Mutex::new(Stub::new(profile, seed, start)));
        let aws = clients(&Arc::clone(&world), &clock, crash);
        Self { world, clock, aws }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, Stub> {
        self.world.lock().expect("nobody panics while holding the world")
    }

    /// Lets time pass, and the world with it.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
        self.world().advance(self.clock.now());
    }
}

fn clients(world: &Arc<Mutex<Stub>>, clock: &Clock, crash: CrashSwitch) -> Aws {
    let http = transport_that_crashes(Arc::clone(world), clock.clone(), crash);
    Aws::from_transport("eu-west-1", &http, clock)
}

/// What the refusals of these clients are compared by: the code, as the SDK read it off the wire.
pub(crate) fn code_of<E, R>(error: &aws_smithy_runtime_api::client::result::SdkError<E, R>) -> &str
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata,
{
    error.as_service_error().and_then(|error| error.code()).unwrap_or("no code")
}
