//! Checked names: every identifier that crosses a module boundary has a type of its own.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares a name that is text on the wire and a type in the program.
macro_rules! text_names {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self { Self(text.to_owned()) }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self { Self(text) }
        }
    )*};
}

text_names! {
    /// `metadata.name` of a Migration: a DNS label.
    MigrationName;
    /// `arn:aws:dms:...:task:...`, with a random suffix that DMS gives; a recreated task has another one.
    TaskArn;
    /// The identifier an operator chooses for a DMS task; DMS stores it lower-cased.
    TaskIdentifier;
    /// `arn:aws:dms:...:endpoint:...`
    EndpointArn;
    /// `arn:aws:dms:...:rep:...`
    ReplicationInstanceArn;
    /// `DBClusterIdentifier` of an Aurora cluster.
    ClusterId;
    /// `DBInstanceIdentifier` of one member of an Aurora cluster.
    InstanceId;
    /// `DBClusterParameterGroupName`, lower-cased by RDS.
    ParameterGroupName;
    /// Route 53 hosted zone id without the `/hostedzone/` prefix.
    HostedZoneId;
    /// Route 53 change id without the `/change/` prefix.
    ChangeId;
    /// A domain name without the trailing dot, lower-cased.
    DomainName;
    /// `arn:aws:elasticloadbalancing:...:loadbalancer/...`
    LoadBalancerArn;
    /// `arn:aws:elasticloadbalancing:...:targetgroup/...`
    TargetGroupArn;
    /// `arn:aws:elasticloadbalancing:...:listener/...`
    ListenerArn;
    /// `eu-west-1a`: the name of an availability zone, which means different buildings in different accounts.
    AvailabilityZone;
    /// A database account, `user@host` in MySQL's sense (`payments_app@%`).
    Account;
    /// The id of one marker row, unique for migration, attempt and purpose.
    MarkerId;
    /// The name of a check, as the spec gives it: a DNS label.
    CheckName;
    /// The name of a hook, as the spec gives it: a DNS label.
    HookName;
    /// SHA-256 of the cutover plan that an approver saw, in hexadecimal.
    PlanDigest;
}

/// The `number`th component of an ARN, counted from 0 (`arn:partition:service:region:account:resource`).
fn arn_part(arn: &str, number: usize) -> Option<&str> {
    arn.splitn(6, ':').nth(number).filter(|part| !part.is_empty())
}

/// The region an ARN names, if it names one.
pub fn region_of(arn: &str) -> Option<&str> {
    arn_part(arn, 3)
}

/// The twelve-digit account an ARN names, if it names one.
pub fn account_of(arn: &str) -> Option<&str> {
    arn_part(arn, 4)
}

/// The service an ARN names (`dms`, `rds`, `elasticloadbalancing`).
pub fn service_of(arn: &str) -> Option<&str> {
    arn_part(arn, 2)
}

/// A table in a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct TableName {
    /// The schema (database, in MySQL's words).
    pub schema: String,
    /// The table.
    pub table: String,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// One of the two sides of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Side {
    /// The MySQL that the payments leave.
    Legacy,
    /// The Aurora MySQL cluster that they move to.
    Target,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Legacy => Self::Target,
            Self::Target => Self::Legacy,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Legacy => "legacy",
            Self::Target => "target",
        })
    }
}

/// Which way rows flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From legacy to target: full load, then change data capture.
    Forward,
    /// From target to legacy: change data capture only, from a recorded position.
    Reverse,
}

impl Direction {
    /// The side that rows leave.
    pub const fn source(self) -> Side {
        match self {
            Self::Forward => Side::Legacy,
            Self::Reverse => Side::Target,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        })
    }
}
