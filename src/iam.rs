//! What AWS has to allow this program: two policy documents from the spec, one to look and one to act.
//!
//! Resources are named by ARN, and narrowed by condition where the service knows one. Where neither can be said beforehand the
//! statement says why. Which calls take which resources is from AWS's Service Authorization Reference.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::names::{InstanceId, account_of, region_of};
use crate::spec::{Destination, Migration};

/// The only version of the policy language that there is today.
const LANGUAGE: &str = "2012-10-17";

/// A policy document as IAM takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Document {
    /// Of the policy language.
    pub version: String,
    /// What is allowed.
    pub statement: Vec<Statement>,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// Its name: letters and digits only, as IAM wants it.
    pub sid: String,
    /// Always `Allow`.
    pub effect: String,
    /// Which calls.
    pub action: Vec<String>,
    /// On which resources.
    pub resource: Vec<String>,
    /// Under which conditions.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub condition: Value,
    /// Why a wildcard stands in its resources. IAM knows no such field, so that it is told beside the document.
    #[serde(skip)]
    pub wildcard_because: Option<String>,
}

impl Statement {
    fn new<const N: usize>(sid: &str, action: [&str; N], resource: Vec<String>) -> Self {
        Self {
            sid: sid.to_owned(),
            effect: "Allow".to_owned(),
            action: action.map(str::to_owned).into(),
            resource,
            condition: Value::Null,
            wildcard_because: None,
        }
    }

    fn on_condition(self, condition: Value) -> Self {
        Self { condition, ..self }
    }

    fn because(self, why: &str) -> Self {
        Self { wildcard_because: Some(why.to_owned()), ..self }
    }
}

/// Both documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policies {
    /// To look: all that `plan` and a paused migration need.
    pub observe: Document,
    /// To act, besides.
    pub act: Document,
}

impl Policies {
    /// Those of one migration. The cluster's instances are not in the spec; named here, no other may be rebooted.
    pub fn of(migration: &Migration, instances: &[InstanceId]) -> Self {
        let places = Places::of(migration, instances);
        let document = |statement| Document { version: LANGUAGE.to_owned(), statement };
        Self { observe: document(observe(&places)), act: document(act(migration, &places)) }
    }
}

/// ARNs that the spec's names stand for.
struct Places {
    region: String,
    endpoints: Vec<String>,
    instance: String,
    tasks: Vec<String>,
    cluster: String,
    every_cluster: String,
    group: String,
    database_instances: Vec<String>,
    zone: String,
    changes: String,
    listeners: String,
}

impl Places {
    fn of(migration: &Migration, instances: &[InstanceId]) -> Self {
        let spec = &migration.spec;
        let arn = spec.replication.instance_arn.as_str();
        // The spec is checked: an ARN of DMS has all of its parts.
        let partition = arn.split(':').nth(1).unwrap_or("aws");
        let (region, account) = (region_of(arn).unwrap_or_default(), account_of(arn).unwrap_or_default());
        let of = |service: &str, resource: &str| format!("arn:{partition}:{service}:{region}:{account}:{resource}");
        let [legacy, target] = [
            [&spec.legacy.endpoint_arn, &spec.legacy.reverse_endpoint_arn],
            [&spec.target.endpoint_arn, &spec.target.reverse_endpoint_arn],
        ];
        let database_instances = if instances.is_empty() {
            vec![of("rds", "db:*")]
        } else {
            instances.iter().map(|instance| of("rds", &format!("db:{instance}"))).collect()
        };
        Self {
            region: region.to_owned(),
            endpoints: legacy.into_iter().chain(target).map(ToString::to_string).collect(),
            instance: arn.to_owned(),
            tasks: vec![of("dms", "task:*")],
            cluster: of("rds", &format!("cluster:{}", spec.target.cluster)),
            every_cluster: of("rds", "cluster:*"),
            group: of("rds", &format!("cluster-pg:{}", spec.binlog.parameter_group)),
            database_instances,
            zone: format!("arn:{partition}:route53:::hostedzone/{}", spec.dns.hosted_zone_id),
            changes: format!("arn:{partition}:route53:::change/*"),
            listeners: format!("{}/*", spec.load_balancer.arn.as_str().replacen(":loadbalancer/", ":listener/", 1)),
        }
    }

    /// For calls that name no resource: at least nothing outside of the region.
    fn in_region(&self) -> Value {
        json!({ "StringEquals": { "aws:RequestedRegion": self.region } })
    }
}

fn observe(places: &Places) -> Vec<Statement> {
    vec![
        Statement::new("DmsListsTakeNoResource", ["dms:DescribeConnections", "dms:DescribeReplicationTasks"], vec!["*".into()])
            .on_condition(places.in_region())
            .because("DMS has no resource-level permission for these lists"),
        Statement::new("DmsTablesOfTasksToCome", ["dms:DescribeTableStatistics"], places.tasks.clone())
            .because("DMS makes up the ARN of a task when it is created, and a task made anew has another"),
        Statement::new("RdsGroupMustBeAlone", ["rds:DescribeDBClusters"], vec![places.every_cluster.clone()])
            .because("that no other cluster uses the parameter group is known from all of them"),
        instances_of(
            Statement::new("RdsWriterIsUpAgain", ["rds:DescribeDBInstances"], places.database_instances.clone()),
            "which instance is the writer changes, and instances are not in the spec; --instance names them",
        ),
        Statement::new("RdsParameters", ["rds:DescribeDBClusterParameters"], vec![places.group.clone()]),
        Statement::new("Route53Records", ["route53:ListResourceRecordSets"], vec![places.zone.clone()]),
        Statement::new("Route53ChangesToCome", ["route53:GetChange"], vec![places.changes.clone()])
            .because("Route 53 makes up the id of a change when it is sent"),
        Statement::new(
            "ElbDescribeTakesNoResource",
            ["elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeTargetHealth"],
            vec!["*".into()],
        )
        .on_condition(places.in_region())
        .because("Elastic Load Balancing has no resource-level permission for these calls"),
    ]
}

fn act(migration: &Migration, places: &Places) -> Vec<Statement> {
    let balancer = migration.spec.load_balancer.arn.to_string();
    let wired = [&places.endpoints[..], std::slice::from_ref(&places.instance)].concat();
    vec![
        Statement::new("DmsTestAndCreate", ["dms:CreateReplicationTask", "dms:TestConnection"], wired),
        Statement::new(
            "DmsTasksToCome",
            ["dms:DeleteReplicationTask", "dms:ReloadTables", "dms:StartReplicationTask", "dms:StopReplicationTask"],
            places.tasks.clone(),
        )
        .because("DMS makes up the ARN of a task when it is created, and a task made anew has another"),
        Statement::new(
            "RdsParameterGroup",
            ["rds:CreateDBClusterParameterGroup", "rds:ModifyDBClusterParameterGroup"],
            vec![places.group.clone()],
        ),
        Statement::new("RdsAttach", ["rds:ModifyDBCluster"], vec![places.cluster.clone(), places.group.clone()]),
        instances_of(
            Statement::new("RdsRebootWriter", ["rds:RebootDBInstance"], places.database_instances.clone()),
            "which instance is the writer changes, and instances are not in the spec; --instance names them",
        ),
        Statement::new("Route53TheseNamesOnly", ["route53:ChangeResourceRecordSets"], vec![places.zone.clone()])
            .on_condition(these_names_only(migration)),
        Statement::new("ElbPlainListener", ["elasticloadbalancing:CreateListener"], vec![balancer])
            .on_condition(json!({ "StringEquals": { "elasticloadbalancing:ListenerProtocol": "HTTP" } })),
        Statement::new("ElbListenersOfThisBalancer", ["elasticloadbalancing:ModifyListener"], vec![places.listeners.clone()])
            .because("ELB makes up the last part of a listener's ARN when it is created; it is this balancer's in any case"),
    ]
}

/// With its reason only where a wildcard stands.
fn instances_of(statement: Statement, why: &str) -> Statement {
    if statement.resource.iter().any(|resource| resource.contains('*')) { statement.because(why) } else { statement }
}

/// The records that are written, and how: a batch deletes what was there and creates what is to be there. A batch without any of
/// these words would pass a condition on all of its values, so that there has to be one.
fn these_names_only(migration: &Migration) -> Value {
    let dns = &migration.spec.dns;
    let types: BTreeSet<&str> = [&dns.public.legacy, &dns.public.target].map(record_type).into();
    let names = [&dns.public.name, &dns.shadow.name].map(|name| normalised(name.as_str()));
    json!({
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": names,
            "route53:ChangeResourceRecordSetsRecordTypes": types,
        },
        "Null": { "route53:ChangeResourceRecordSetsNormalizedRecordNames": "false" },
    })
}

const fn record_type(destination: &Destination) -> &'static str {
    match destination {
        Destination::A(_) | Destination::Alias(_) => "A",
        Destination::Cname(_) => "CNAME",
    }
}

/// A name as Route 53 compares it in a condition: lower-case, no dot at its end, other characters as three octal digits.
fn normalised(name: &str) -> String {
    let mut normalised = String::new();
    for byte in name.trim_end_matches('.').to_ascii_lowercase().bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => normalised.push(char::from(byte)),
            other => normalised.push_str(&format!("\\{other:03o}")),
        }
    }
    normalised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_condition_is_spelt_as_route_53_compares_it() {
        assert_eq!(normalised("Pay.Example.com."), "pay.example.com");
        assert_eq!(normalised("*.pay_1.example.com"), "\\052.pay_1.example.com");
    }
}
