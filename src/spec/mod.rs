//! What the operator writes: one `Migration`, and nothing secret in it.
//!
//! Enums are externally tagged (`tls: VerifyIdentity`, `legacy: {a: {...}}`), because a tag inside the value makes serde
//! buffer it, and then every fault is reported at the wrong line. Unknown fields are refused everywhere.

pub mod change;
pub mod check;
pub mod code;
pub mod finding;
pub mod form;
pub mod load;
pub mod parity;
pub mod period;
pub mod phase;
pub mod schema;
mod shape;
pub mod window;
mod yaml;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::DeclaredWrites;
use crate::names::{
    Account, ClusterId, DomainName, EndpointArn, HostedZoneId, LoadBalancerArn, MigrationName, ParameterGroupName, PlanDigest,
    ReplicationInstanceArn, Side, TargetGroupArn, TaskIdentifier,
};

pub use parity::{Columns, Ledger, Normalised, Parity, Rule};
pub use period::Period;
pub use phase::Phase;
pub use window::MaintenanceWindow;

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
    /// The switch.
    pub cutover: Cutover,
    /// The time after it.
    pub observation: Observation,
    /// The way back.
    #[serde(default)]
    pub rollback: Rollback,
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

/// How one database is reached, and whose writes a fence there stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSpec {
    /// Host name; on Aurora the cluster endpoint, never an instance's or a reader's.
    pub host: String,
    /// TCP port.
    #[serde(default = "mysql_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// How far TLS is demanded.
    #[serde(default)]
    pub tls: Tls,
    /// A PEM file of the authorities that may have signed the server's certificate; left out, those that the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<String>,
    /// Where the controller's own user and password are found. Never the password itself.
    pub credentials_from: CredentialsFrom,
    /// The schemas that move, all their tables.
    #[schemars(length(min = 1, max = 64))]
    pub schemas: Vec<String>,
    /// Every account that the application writes with, as `user@host`: what a fence closes and opens.
    #[schemars(length(min = 1, max = 64))]
    pub application_accounts: Vec<Account>,
    /// Accounts of validation traffic, let in before the cutover and shut out during it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub validation_accounts: Vec<Account>,
    /// What a closed fence is tried with, for as long as it is to hold. Without one, no refused write is ever seen: the
    /// condition `FenceProven` says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub canaries: Vec<Canary>,
    /// Accounts that may write to these schemas or undo a fence, and are trusted not to while one is closed: the account that
    /// DMS writes with, an administrator's for emergencies. Anybody else who could write round the fence keeps it from closing.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub trusted_accounts: Vec<TrustedAccount>,
}

/// A login and a write that a closed fence must refuse. Where it is let in, the write changes no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// As whom: one of the declared accounts.
    pub account: Account,
    /// Where that account's user and password are found. A wrong password is refused by an open fence too, and proves nothing.
    pub credentials_from: CredentialsFrom,
    /// Where it is tried: every way that the application may take, such as a proxy or an old name. Left out, the database's own
    /// host and port. TLS is as for the database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub endpoints: Vec<CanaryEndpoint>,
}

/// One way to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryEndpoint {
    /// Host name.
    pub host: String,
    /// TCP port.
    #[serde(default = "mysql_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// An account that no fence shuts out, and the reason why that is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedAccount {
    /// `user@host`, as the server knows it.
    pub account: Account,
    /// Why it does not write while the fence is closed, for whoever approves the cutover.
    pub why: String,
}

const fn mysql_port() -> i32 {
    3306
}

impl DatabaseSpec {
    /// Application and validation accounts together: everyone whom the cutover shuts out.
    pub fn all_accounts(&self) -> Vec<Account> {
        self.application_accounts.iter().chain(&self.validation_accounts).cloned().collect()
    }
}

/// TLS towards a database, in MySQL's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Tls {
    /// Plain text. For a lab only.
    Disabled,
    /// Encrypted, certificate not checked.
    Required,
    /// Certificate chain checked.
    VerifyCa,
    /// Chain and host name checked.
    #[default]
    VerifyIdentity,
}

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialsFrom {
    /// The prefix of two environment variables, `PREFIX_USER` and `PREFIX_PASSWORD`.
    Env(String),
    /// A file of two lines, `user=...` and `password=...`.
    File(String),
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
    /// Plain HTTP is sent to HTTPS.
    pub redirect: Redirect,
}

/// One target is a single point of failure.
const fn two_targets() -> u32 {
    2
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

/// The names that the public uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dns {
    /// The hosted zone that holds both records.
    pub hosted_zone_id: HostedZoneId,
    /// The zone's own name, such as `example.com`: a guard against the zone of another environment.
    pub zone_name: DomainName,
    /// The TTL that the public record is lowered to, long before the switch.
    pub ttl: Period,
    /// The public name and where it points before and after.
    pub public: PublicRecord,
    /// The validation name, pointing at the target from `Prepared` on.
    pub shadow: ShadowRecord,
}

/// The public record's two lives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicRecord {
    /// The name customers use.
    pub name: DomainName,
    /// Where it points while legacy serves.
    pub legacy: Destination,
    /// Where it points once the target serves.
    pub target: Destination,
}

impl PublicRecord {
    /// Where the name points while `side` serves.
    pub const fn destination(&self, side: Side) -> &Destination {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }
}

/// The validation name. It points where the public name will point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShadowRecord {
    /// A name the public does not use.
    pub name: DomainName,
}

/// Where a record points: exactly one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Destination {
    /// An A record.
    A(ARecord),
    /// A CNAME record; not possible at the zone's apex.
    Cname(CnameRecord),
    /// An A alias to an AWS load balancer; it has no TTL of its own (Route 53 answers 60 seconds).
    Alias(AliasRecord),
}

/// The values of an A record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ARecord {
    /// IPv4 addresses.
    #[schemars(length(min = 1, max = 100))]
    pub addresses: Vec<std::net::Ipv4Addr>,
}

/// The value of a CNAME record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CnameRecord {
    /// The canonical name.
    pub host: DomainName,
}

/// The target of an alias record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AliasRecord {
    /// The load balancer's DNS name.
    pub dns_name: DomainName,
    /// The load balancer's `CanonicalHostedZoneId`, not the zone of the public name.
    pub hosted_zone_id: HostedZoneId,
    /// Whether Route 53 takes the record out when no target is healthy.
    #[serde(default)]
    pub evaluate_target_health: bool,
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

/// The way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollback {
    /// What to do when reverse replication dies while it is needed.
    #[serde(default)]
    pub on_reverse_failure: OnReverseFailure,
}

/// What to do when reverse replication dies in the observation window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum OnReverseFailure {
    /// Stay on the target, say that rollback is not ready, wait for a person. Never finalise.
    #[default]
    Hold,
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
