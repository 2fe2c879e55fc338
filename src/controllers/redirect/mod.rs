//! The load balancer: the listener that redirects plain HTTP to HTTPS, and the health of the targets behind it.

pub mod aws;
mod plan;
mod target;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::ListenerArn;
use crate::sighting::Sighting;
use crate::spec::{Redirect, RedirectStatus};

pub use plan::plan;
pub use target::{Target, TargetHealth};

/// The listener on the plain port, its default action compared after AWS's own defaults are filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its ARN.
    pub arn: ListenerArn,
    /// `HTTP`, `HTTPS`, ...
    pub protocol: String,
    /// What it does by default.
    pub default_action: DefaultAction,
}

/// A listener's default action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DefaultAction {
    /// A redirect that keeps host, path and query.
    ToHttps(RedirectStatus),
    /// A redirect to elsewhere.
    OtherRedirect(String),
    /// Forward, fixed response, authentication: described.
    Other(String),
}

/// Everything this room looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectSighting {
    /// The listener on the plain port.
    pub listener: Sighting<Listener>,
    /// Every target of the declared group; `Absent` when the group is empty.
    pub targets: Sighting<Vec<Target>>,
}

/// What the listener should be at one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RedirectWish {
    /// Not needed yet. What is there is left alone.
    NotYet,
    /// In place.
    InPlace,
}

/// The spec's part that this room needs.
pub type RedirectTerms = Redirect;

/// The closed list of this room's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RedirectAction {
    /// `CreateListener` on the plain port.
    CreateListener,
    /// `ModifyListener`: the whole list of default actions is replaced.
    ModifyListener {
        /// The listener found.
        listener: ListenerArn,
    },
}

impl fmt::Display for RedirectAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateListener => f.write_str("create the listener that redirects plain HTTP to HTTPS"),
            Self::ModifyListener { .. } => f.write_str("correct the listener so that it redirects plain HTTP to HTTPS"),
        }
    }
}

impl RedirectSighting {
    /// Nothing is known, and this is why.
    pub fn unknown(why: impl fmt::Display) -> Self {
        Self { listener: Sighting::unknown(&why), targets: Sighting::unknown(&why) }
    }
}
