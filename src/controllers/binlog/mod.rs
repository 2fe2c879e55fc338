//! Aurora's binary log: the hidden prerequisite of the way back.
//!
//! A cluster parameter group only wishes; the log is written once the writer has been rebooted with it, and that is believed
//! only when both the API (`in-sync`) and SQL (`@@binlog_format`) say so.

pub mod aws;
mod plan;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::BinlogView;
use crate::names::{ClusterId, InstanceId, ParameterGroupName};
use crate::sighting::Sighting;
use crate::spec::MaintenanceWindow;

pub use plan::{plan, standing};

/// One member of a cluster, as DescribeDBClusters shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its instance.
    pub instance: InstanceId,
    /// Whether it is the writer.
    pub role: MemberRole,
    /// `DBClusterParameterGroupStatus`: `in-sync`, `pending-reboot`, ...
    pub parameter_group_status: String,
}

/// `IsClusterWriter`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MemberRole {
    /// Takes writes, and writes the binary log.
    Writer,
    /// Only reads.
    Reader,
}

/// The target cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// `Status` of the cluster: `available`, `modifying`, ...
    pub status: String,
    /// The attached cluster parameter group.
    pub parameter_group: ParameterGroupName,
    /// Its members.
    pub members: Vec<Member>,
    /// `DBInstanceStatus` of the writer: `available`, `rebooting`, ...; `Unknown` when it was not read.
    pub writer_status: Sighting<String>,
}

impl Cluster {
    /// The writer, if exactly one member says that it is.
    pub fn writer(&self) -> Option<&Member> {
        let mut writers = self.members.iter().filter(|member| member.role == MemberRole::Writer);
        writers.next().filter(|_| writers.next().is_none())
    }
}

/// Everything this room looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogSighting {
    /// The target cluster.
    pub cluster: Sighting<Cluster>,
    /// Values of the declared group's parameters by name; an unset one is missing. `Absent`: there is no such group.
    pub parameters: Sighting<BTreeMap<String, String>>,
    /// Other clusters attached to the declared group. Its parameters are theirs too.
    pub shared_with: Sighting<Vec<ClusterId>>,
    /// What is in effect, by SQL on the writer.
    pub in_effect: Sighting<BinlogView>,
}

/// What the binary log should be at one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BinlogWish {
    /// Not needed yet. What is there is left alone.
    NotYet,
    /// In effect, and kept for the declared retention. A reboot only inside the window.
    InEffect,
    /// As it is: no reboot, no change of parameters, whatever drifted is only reported (a fence stands, or the way back
    /// depends on the log as it is).
    Guarded,
}

/// What the plan needs to know of the spec and of now.
#[derive(Debug, Clone, Copy)]
pub struct BinlogTerms<'a> {
    /// The declared group.
    pub group: &'a ParameterGroupName,
    /// The declared cluster.
    pub cluster: &'a ClusterId,
    /// Hours that binary logs are to be kept.
    pub retention_hours: u32,
    /// When the writer may be rebooted.
    pub window: MaintenanceWindow,
    /// Now.
    pub now: Timestamp,
}

/// The closed list of this room's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BinlogAction {
    /// `CreateDBClusterParameterGroup`
    CreateGroup,
    /// `ModifyDBClusterParameterGroup`, all with `pending-reboot`, which is legal for static and dynamic ones.
    SetParameters {
        /// Name and value, at most twenty.
        parameters: BTreeMap<String, String>,
    },
    /// `ModifyDBCluster` with the group's name; takes effect on the writer's next reboot.
    AttachGroup,
    /// `RebootDBInstance` on the writer.
    RebootWriter {
        /// The writer found.
        instance: InstanceId,
    },
    /// `mysql.rds_set_configuration('binlog retention hours', hours)`
    SetRetention {
        /// Hours.
        hours: u32,
    },
}

impl fmt::Display for BinlogAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateGroup => f.write_str("create the target's cluster parameter group"),
            Self::SetParameters { parameters } => {
                let pairs: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                write!(f, "set {} in the target's cluster parameter group", pairs.join(", "))
            }
            Self::AttachGroup => f.write_str("attach the parameter group to the target cluster"),
            Self::RebootWriter { instance } => write!(f, "reboot the writer {instance} inside the maintenance window"),
            Self::SetRetention { hours } => write!(f, "keep the target's binary logs for {hours} hours"),
        }
    }
}

impl BinlogSighting {
    /// Nothing is known, and this is why.
    pub fn unknown(why: impl fmt::Display) -> Self {
        Self {
            cluster: Sighting::unknown(&why),
            parameters: Sighting::unknown(&why),
            shared_with: Sighting::unknown(&why),
            in_effect: Sighting::unknown(&why),
        }
    }
}
