//! What a read said. Ignorance and absence are different answers, and neither is an error.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One observed value.
///
/// `Absent` is claimed only after a complete answer that did not hold the thing; whatever was denied, truncated,
/// stale or not understood is `Unknown`, and disables every step that needs it (invariant S10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Sighting<T> {
    /// It was read, and this is it.
    Present(T),
    /// A complete answer did not hold it.
    Absent,
    /// No trustworthy answer.
    Unknown {
        /// What was attempted and what came instead of an answer.
        why: String,
    },
}

impl<T> Sighting<T> {
    /// An `Unknown` with its reason.
    pub fn unknown(why: impl fmt::Display) -> Self {
        Self::Unknown { why: why.to_string() }
    }

    /// The value, where there is one.
    pub const fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unknown { .. } => None,
        }
    }

    /// Whether nothing is known.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The same sighting of a part or a view of the value.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Sighting<U> {
        match self {
            Self::Present(value) => Sighting::Present(view(value)),
            Self::Absent => Sighting::Absent,
            Self::Unknown { why } => Sighting::Unknown { why },
        }
    }

    /// A sighting that borrows.
    pub fn as_ref(&self) -> Sighting<&T> {
        match self {
            Self::Present(value) => Sighting::Present(value),
            Self::Absent => Sighting::Absent,
            Self::Unknown { why } => Sighting::Unknown { why: why.clone() },
        }
    }
}
