//! The line an operator edits.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator wants, in the order in which a migration walks. Setting a later phase walks through those between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Every check has run; nothing was changed.
    Preflight,
    /// Redirect in place, shadow record at the load balancer, targets healthy, public TTL lowered and the old one run out.
    Prepared,
    /// Full load done, changes flowing within `maxLag`, no errored tables.
    Replicating,
    /// Parity clean apart from declared validation writes, targets healthy.
    Validated,
    /// Binary log in effect on the writer, retention set, reverse endpoints tested, reverse task created.
    RollbackArmed,
    /// Traffic and writes on the target, reverse replication proven by a marker.
    CutOver,
    /// The observation window passed in health; rollback given up; tasks retired.
    Completed,
    /// Writes and traffic back on legacy, every write that the target took present there.
    RolledBack,
}

impl Phase {
    /// Every phase, in walking order.
    pub const ALL: [Self; 8] = [
        Self::Preflight,
        Self::Prepared,
        Self::Replicating,
        Self::Validated,
        Self::RollbackArmed,
        Self::CutOver,
        Self::Completed,
        Self::RolledBack,
    ];

    /// The phase's name as it stands in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "Preflight",
            Self::Prepared => "Prepared",
            Self::Replicating => "Replicating",
            Self::Validated => "Validated",
            Self::RollbackArmed => "RollbackArmed",
            Self::CutOver => "CutOver",
            Self::Completed => "Completed",
            Self::RolledBack => "RolledBack",
        }
    }

    /// The phase an operator would promote to next, if the migration goes forward.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Preflight => Some(Self::Prepared),
            Self::Prepared => Some(Self::Replicating),
            Self::Replicating => Some(Self::Validated),
            Self::Validated => Some(Self::RollbackArmed),
            Self::RollbackArmed => Some(Self::CutOver),
            Self::CutOver => Some(Self::Completed),
            Self::Completed | Self::RolledBack => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
