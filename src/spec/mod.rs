//! What the operator writes: one `Migration`, and nothing secret in it.
//!
//! Enums are externally tagged (`tls: VerifyIdentity`, `legacy: {a: {...}}`), because a tag inside the value makes serde
//! buffer it, and then every fault is reported at the wrong line. Unknown fields are refused everywhere.

pub mod change;
pub mod check;
pub mod checks;
pub mod code;
mod database;
pub mod difference;
mod dns;
pub mod edit;
pub mod finding;
pub mod form;
pub mod hooks;
pub mod load;
pub mod parity;
pub mod period;
pub mod phase;
mod rollback;
pub mod schema;
mod shape;
pub mod window;
mod yaml;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::DeclaredWrites;
use crate::names::{
    ClusterId, EndpointArn, LoadBalancerArn, MigrationName, ParameterGroupName, PlanDigest, ReplicationInstanceArn, Side,
    TargetGroupArn, TaskIdentifier,
};

pub use checks::Checks;
pub use database::{Canary, CanaryEndpoint, CredentialsFrom, DatabaseSpec, Tls, TrustedAccount};
pub use dns::{ARecord, AliasRecord, CnameRecord, Destination, Dns, PublicRecord, ShadowRecord};
pub use hooks::{Demand, Hook, HookPoint};
pub use parity::{Columns, Ledger, Normalised, Parity, Rule};
pub use period::Period;
pub use phase::Phase;
pub use rollback::{AcceptedLoss, Forced, OnReverseFailure, Rollback};
pub use window::MaintenanceWindow;

pub(crate) use shape::edits;

/// One migration of one payment system, as an operator declares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Migration {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// Always `Migration`.
    pub kind: Kind,
    /// What it is called.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: Spec,
}

/// The versions of the format that this program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "bascule.dev/v1alpha1")]
    V1Alpha1,
}

/// The kinds of object that this program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// The only one.
    Migration,
}

/// `metadata` in Kubernetes's sense, as much as is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// A DNS label: lower-case letters, digits and hyphens, at most 63.
    pub name: MigrationName,
}

/// The wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    /// How far to go; the line that is edited, by pull request.
    pub phase: Phase,
    /// Numbered try at a cutover, raised by hand after an abort or a rollback, before trying again.
    #[serde(default = "first_attempt")]
    #[schemars(range(min = 1, max = 1000))]
    pub attempt: u32,
    /// Observe and report, change nothing.
    #[serde(default)]
    pub paused: bool,
    /// The side that the payments leave.
    pub legacy: Legacy,
    /// The side that they move to.
    pub target: Target,
    /// Both DMS tasks.
    pub replication: Replication,
    /// The target's binary log, which the way back depends on.
    pub binlog: Binlog,
    /// The target's load balancer.
    pub load_balancer: LoadBalancer,
    /// The names that the public uses.
    pub dns: Dns,
    /// What has to be proven before the rollback is armed.
    #[serde(default)]
    pub validation: Validation,
    /// What has to be proven by looking: pages, upstreams, caches, schemas, names, traffic.
    #[serde(default)]
    pub checks: Checks,
    /// The switch.
    pub cutover: Cutover,
    /// The time after it.
    pub observation: Observation,
    /// The way back.
    #[serde(default)]
    pub rollback: Rollback,
    /// What only the operator's own systems can do, and when they are called.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub hooks: Vec<Hook>,
    /// Who agreed to which attempt and plan; added by pull request.
    #[serde(default)]
    #[schemars(length(max = 32))]
    pub approvals: Vec<Approval>,
}

const fn first_attempt() -> u32 {
    1
}

/// The legacy side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Legacy {
    /// Its database.
    pub database: DatabaseSpec,
    /// The DMS endpoint that reads it, for the forward task.
    pub endpoint_arn: EndpointArn,
    /// The DMS endpoint that writes to it, for the reverse task.
    pub reverse_endpoint_arn: EndpointArn,
}

/// The target side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// `DBClusterIdentifier` of the Aurora cluster.
    pub cluster: ClusterId,
    /// Its database, reached at the cluster (writer) endpoint.
    pub database: DatabaseSpec,
    /// The DMS endpoint that writes to it, for the forward task.
    pub endpoint_arn: EndpointArn,
    /// The DMS endpoint that reads it, for the reverse task.
    pub reverse_endpoint_arn: EndpointArn,
}

/// Both DMS tasks and the instance that runs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replication {
    /// The replication instance; its ARN also says which region and account everything is in.
    pub instance_arn: ReplicationInstanceArn,
    /// The schema of the controller's marker and heartbeat rows, replicated both ways.
    #[serde(default = "marker_schema")]
    pub marker_schema: String,
    /// Legacy to target.
    pub forward: ForwardTask,
    /// Target to legacy.
    pub reverse: ReverseTask,
}

fn marker_schema() -> String {
    "bascule".to_owned()
}

/// The task that fills the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForwardTask {
    /// Its identifier, lower-case.
    pub identifier: TaskIdentifier,
    /// The lag that gates accept, measured by heartbeat.
    pub max_lag: Period,
    /// How often one table with duplicate keys may be reloaded before a person has to look.
    #[serde(default = "three_reloads")]
    #[schemars(range(min = 0, max = 20))]
    pub max_reloads_per_table: u32,
}

/// Twice for bad luck on a busy table, once more for a reload that hit the same rush; after that it is not luck.
const fn three_reloads() -> u32 {
    3
}

/// The task that keeps the way back open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReverseTask {
    /// Its identifier, lower-case.
    pub identifier: TaskIdentifier,
    /// The lag that a rollback accepts, measured by heartbeat.
    pub max_lag: Period,
}

/// The target's binary log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binlog {
    /// The cluster parameter group, created when it is missing; must be this cluster's alone.
    pub parameter_group: ParameterGroupName,
    /// `DBParameterGroupFamily` for its creation.
    #[serde(default = "aurora_mysql_8")]
    pub family: String,
    /// How long the target keeps its binary logs; at least the observation window.
    pub retention: Period,
    /// When the writer may be rebooted, UTC, as RDS writes it: `sun:02:00-sun:04:00`.
    pub maintenance_window: MaintenanceWindow,
}

fn aurora_mysql_8() -> String {
    "aurora-mysql8.0".to_owned()
}

/// The target's application load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancer {
    /// The load balancer.
    pub arn: LoadBalancerArn,
    /// The group whose targets must all be healthy.
    pub target_group_arn: TargetGroupArn,
    /// The fewest healthy targets that count as a running stack.
    #[serde(default = "two_targets")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_healthy_targets: u32,
    /// The fewest availability zones that they stand in; no region has more than six. 1 asks nothing of where they are. ELBv2
    /// tells the zone of a target registered by IP address, of an instance it tells none: more than 1 then stays unknown, and
    /// the gate closed.
    #[serde(default = "one_zone")]
    #[schemars(range(min = 1, max = 6))]
    pub min_zones: u32,
    /// Plain HTTP is sent to HTTPS.
    pub redirect: Redirect,
}

/// One target is a single point of failure.
const fn two_targets() -> u32 {
    2
}

/// Files from before this field declared nothing about zones.
const fn one_zone() -> u32 {
    1
}

/// The listener that redirects plain HTTP to HTTPS on port 443.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Redirect {
    /// The plain port.
    #[serde(default = "http_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub from_port: i32,
    /// Browsers remember a 301 for good, so 302 until the migration is final.
    #[serde(default)]
    pub status_code: RedirectStatus,
}

const fn http_port() -> i32 {
    80
}

/// ELBv2's two redirect codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum RedirectStatus {
    /// Permanent, cached by browsers.
    #[serde(rename = "HTTP_301")]
    Http301,
    /// Temporary.
    #[default]
    #[serde(rename = "HTTP_302")]
    Http302,
}

impl RedirectStatus {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http301 => "HTTP_301",
            Self::Http302 => "HTTP_302",
        }
    }
}

/// What has to be proven before the rollback is armed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Validation {
    /// How many comparisons in a row must be clean.
    #[schemars(range(min = 1, max = 100))]
    pub consecutive_passes: u32,
    /// How long to wait between two comparisons.
    pub interval: Period,
    /// How old the newest clean comparison may be when the cutover begins.
    pub max_age: Period,
    /// Rows on the target that validation traffic made: expected drift.
    #[schemars(length(max = 64))]
    pub declared_writes: Vec<DeclaredWrites>,
    /// How rows are compared.
    pub parity: Parity,
    /// Books that have to balance: sums and counts, group by group.
    #[schemars(length(max = 32))]
    pub ledger: Vec<Ledger>,
    /// Columns that together hold no value twice, such as idempotency keys.
    #[schemars(length(max = 64))]
    pub unique: Vec<Columns>,
}

impl Default for Validation {
    /// Three comparisons a quarter of an hour apart see a busy and a quiet minute; two hours is fresh for a night's work.
    fn default() -> Self {
        Self {
            consecutive_passes: 3,
            interval: Period::from_secs(15 * 60),
            max_age: Period::from_secs(2 * 3600),
            declared_writes: Vec::new(),
            parity: Parity::default(),
            ledger: Vec::new(),
            unique: Vec::new(),
        }
    }
}

/// The switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cutover {
    /// The longest time both sides may refuse writes before the cutover is aborted by itself.
    pub write_pause_budget: Period,
    /// Who has to agree.
    pub approvals: ApprovalRule,
}

/// How many people have to agree, and for how long their word holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalRule {
    /// Distinct people; 0 means that the pull request itself is the approval.
    #[schemars(range(min = 0, max = 16))]
    pub required: u32,
    /// How long an approval holds.
    pub expire_after: Period,
}

/// The time after the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observation {
    /// How long the way back is kept open.
    pub window: Period,
}

/// One person's agreement to one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// For which attempt.
    #[schemars(range(min = 1, max = 1000))]
    pub attempt: u32,
    /// For which plan: what `bascule plan` printed.
    pub plan_digest: PlanDigest,
}

impl Approval {
    /// Who that is, however the name is written: capitals and blanks around it make nobody a second person.
    pub fn person(&self) -> String {
        self.by.trim().to_lowercase()
    }
}

impl Migration {
    /// The migration's name.
    pub const fn name(&self) -> &MigrationName {
        &self.metadata.name
    }

    /// The database of one side, as declared.
    pub const fn database(&self, side: Side) -> &DatabaseSpec {
        match side {
            Side::Legacy => &self.spec.legacy.database,
            Side::Target => &self.spec.target.database,
        }
    }
}
