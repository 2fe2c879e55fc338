//! One room for each kind of resource: its words and its pure `plan(wish, sighting)` in `mod.rs`, and beside it the file
//! that talks to AWS, to the database or to the operator's own systems.

pub mod binlog;
pub mod dns;
pub mod fence;
pub mod hooks;
pub mod redirect;
pub mod replication;

#[cfg(test)]
pub(crate) mod fixture;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::sighting::Sighting;

/// A finished read as a sighting: a fault is ignorance, never absence.
fn sighted<T>(read: Result<Option<T>, Fault>) -> Sighting<T> {
    match read {
        Ok(Some(found)) => Sighting::Present(found),
        Ok(None) => Sighting::Absent,
        Err(fault) => Sighting::unknown(fault),
    }
}

/// What one controller would do next, and what keeps it from doing more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an unread plan is not actionable"]
pub struct Steps<A> {
    /// Calls to make now, in this order.
    pub actions: Vec<A>,
    /// What is under way or awaited; time will help.
    pub waiting: Vec<Wait>,
    /// What only a person, or another spec, can help.
    pub blocked: Vec<Block>,
}

impl<A> Default for Steps<A> {
    fn default() -> Self {
        Self { actions: Vec::new(), waiting: Vec::new(), blocked: Vec::new() }
    }
}

impl<A> Steps<A> {
    /// Nothing to do: the resource is as wished.
    pub fn settled() -> Self {
        Self::default()
    }

    /// One action.
    pub fn act(action: A) -> Self {
        Self { actions: vec![action], ..Self::default() }
    }

    /// One wait.
    pub fn wait(wait: Wait) -> Self {
        Self { waiting: vec![wait], ..Self::default() }
    }

    /// One block.
    pub fn block(block: Block) -> Self {
        Self { blocked: vec![block], ..Self::default() }
    }

    /// Whether the resource is as wished.
    pub const fn is_settled(&self) -> bool {
        self.actions.is_empty() && self.waiting.is_empty() && self.blocked.is_empty()
    }

    /// These steps, then those.
    pub fn and(mut self, more: Self) -> Self {
        self.actions.extend(more.actions);
        self.waiting.extend(more.waiting);
        self.blocked.extend(more.blocked);
        self
    }

    /// The same steps with each action put into a wider list.
    pub fn widen<B>(self, into: impl FnMut(A) -> B) -> Steps<B> {
        Steps { actions: self.actions.into_iter().map(into).collect(), waiting: self.waiting, blocked: self.blocked }
    }
}

/// Something that time will bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// A stable CamelCase word, such as `TaskStarting`.
    pub reason: Reason,
    /// A sentence for the operator.
    pub message: String,
    /// When it is known to end, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Wait {
    /// A wait without a known end.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason: Reason(reason.to_owned()), message: message.into(), until: None }
    }

    /// A wait that ends at `until`.
    pub fn until(reason: &'static str, message: impl Into<String>, until: Timestamp) -> Self {
        Self { until: Some(until), ..Self::new(reason, message) }
    }
}

/// Something that only a person can help.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// A stable CamelCase word, such as `ForeignRecord`.
    pub reason: Reason,
    /// What was found, and what the operator can do.
    pub message: String,
}

impl Block {
    /// A block.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason: Reason(reason.to_owned()), message: message.into() }
    }
}

/// A stable CamelCase word for machines, as in a Kubernetes condition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Reason(pub String);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
