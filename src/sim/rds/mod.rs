//! RDS as a cluster's control plane.

use crate::names::InstanceId;

/// What the binary log of a writer is, once it is up: the group's values at its last reboot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveBinlog {
    /// `OFF`, `ROW`, `STATEMENT` or `MIXED`.
    pub format: String,
    /// `FULL`: Aurora lets nobody change it at cluster level.
    pub row_image: String,
    /// `CRC32` or `NONE`.
    pub checksum: String,
}

/// What the world must do to its target database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdsEffect {
    /// The writer is going down: connections break, transactions in flight are rolled back.
    WriterRebooting {
        /// The instance that is, or was, the writer.
        instance: InstanceId,
    },
    /// A writer is up, after a reboot or a failover.
    WriterUp {
        /// The instance that is the writer now.
        instance: InstanceId,
        /// What its binary log is.
        binlog: EffectiveBinlog,
    },
}
