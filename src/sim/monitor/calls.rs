//! What mutating calls give away: S6, S11 and S13 are about what is asked of AWS, not about what becomes of it.

use jiff::Timestamp;
use serde_json::Value;

use super::Monitor;
use crate::names::{Direction, Side};
use crate::sim::setting::Setting;
use crate::sim::wire::{Parameters, RestRequest};

/// What a DMS call's task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskInCall {
    /// Which way it goes.
    pub direction: Direction,
    /// Whether it loads whole tables.
    pub loads_tables: bool,
}

impl Monitor {
    /// A DMS call was accepted.
    pub fn dms_called(&mut self, now: Timestamp, setting: &Setting, operation: &str, input: &Value, task: Option<TaskInCall>) {
        if operation == "CreateReplicationTask" {
            let identifier = input["ReplicationTaskIdentifier"].as_str().unwrap_or_default();
            let ours = [Direction::Forward, Direction::Reverse].map(|direction| setting.task_identifier(direction).as_str());
            if !ours.iter().any(|known| known.eq_ignore_ascii_case(identifier)) {
                self.report("S11", now, format!("task {identifier} was created, which the spec does not name"));
            }
        }
        let Some(task) = task else { return };
        let reloads = match operation {
            "ReloadTables" => input["ReloadOption"] != "validate-only",
            "StartReplicationTask" => {
                let how = input["StartReplicationTaskType"].as_str().unwrap_or_default();
                how == "reload-target" || how == "start-replication" && task.loads_tables
            }
            _ => false,
        };
        let side = task.direction.source().other();
        if reloads && side == self.authoritative() {
            self.report("S6", now, format!("{operation} would replace rows on {side}, where the payments live"));
        }
    }

    /// An RDS call was accepted.
    pub fn rds_called(&mut self, now: Timestamp, setting: &Setting, action: &str, parameters: &Parameters) {
        if is_read(action) {
            return;
        }
        let spec = &setting.migration.spec;
        let named = [
            ("DBClusterIdentifier", spec.target.cluster.as_str()),
            ("DBClusterParameterGroupName", spec.binlog.parameter_group.as_str()),
        ];
        self.check_names(now, action, parameters, &named);
    }

    /// An ELBv2 call was accepted.
    pub fn elb_called(&mut self, now: Timestamp, setting: &Setting, action: &str, parameters: &Parameters) {
        if !is_read(action) {
            let named = [("LoadBalancerArn", setting.migration.spec.load_balancer.arn.as_str())];
            self.check_names(now, action, parameters, &named);
        }
    }

    /// S11: only resources named in the spec are touched, and nothing but tasks is ever deleted.
    fn check_names(&mut self, now: Timestamp, action: &str, parameters: &Parameters, named: &[(&str, &str)]) {
        if action.starts_with("Delete") {
            self.report("S11", now, format!("{action} was called"));
        }
        for (parameter, ours) in named {
            let theirs = parameters.get(*parameter).filter(|value| !value.eq_ignore_ascii_case(ours));
            if let Some(theirs) = theirs {
                self.report("S11", now, format!("{action} was called on {theirs}, which the spec does not name"));
            }
        }
    }

    /// A Route 53 request was accepted.
    pub fn route53_called(&mut self, now: Timestamp, setting: &Setting, request: &RestRequest) {
        if request.method != "POST" {
            return;
        }
        let dns = &setting.migration.spec.dns;
        let (public, shadow) = (dns.public.name.as_str(), dns.shadow.name.as_str());
        for name in names_in(&request.body) {
            if !name.eq_ignore_ascii_case(public) && !name.eq_ignore_ascii_case(shadow) {
                self.report("S11", now, format!("the record {name} was changed, which the spec does not name"));
            }
            // S13: a person's edit stands there.
            if name.eq_ignore_ascii_case(shadow) && self.shadow_edited {
                self.shadow_edited = false;
                self.report("S13", now, format!("a person's edit of {name} was overwritten"));
            }
        }
    }

    /// S2 at the end: a payment is not where it was promised.
    pub fn payment_lost(&mut self, now: Timestamp, key: u64, side: Side) {
        self.report("S2", now, format!("payment {key} was acknowledged and is not on {side} as it was"));
    }
}

fn is_read(action: &str) -> bool {
    action.starts_with("Describe") || action.starts_with("List") || action.starts_with("Get")
}

/// The names of all record sets in a batch, without trailing dots.
fn names_in(body: &str) -> impl Iterator<Item = &str> {
    let texts = body.split("<Name>").skip(1).filter_map(|rest| rest.split_once("</Name>"));
    texts.map(|(name, _)| name.strip_suffix('.').unwrap_or(name))
}
