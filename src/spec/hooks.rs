//! Calls to the operator's own systems at named points of a switch: what only their side can do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Period;
use super::checks::SecretFrom;
use crate::names::HookName;

/// A call to something of the operator's own at a point of a switch: a maintenance banner, the owner of a queue, a payment
/// provider's webhooks, a person who says go.
///
/// It is signed, and comes at least once, with the same key each time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    /// Its name.
    pub name: HookName,
    /// When it is called.
    pub at: HookPoint,
    /// What waits for it.
    #[serde(default)]
    pub demand: Demand,
    /// What is called, with POST.
    pub url: String,
    /// A PEM file of the authorities that may have signed the certificate; left out, those that the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<String>,
    /// Where the key is found that every call is signed with, by HMAC-SHA256.
    pub secret_from: SecretFrom,
    /// The longest that one call may take. Who needs longer answers 202 and works on, or refuses until it is done.
    #[serde(default = "two_seconds")]
    pub timeout: Period,
}

/// Longer than any answer that only says "taken" needs, short enough to stand in a write pause.
const fn two_seconds() -> Period {
    Period::from_secs(2)
}

/// The points of a switch at which hooks are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HookPoint {
    /// The cutover could begin: everything else that it waits for holds.
    BeforeFence,
    /// Nobody can write on either side, proven; customers wait.
    AfterFence,
    /// The target takes writes, and the public name still leads to legacy; customers wait.
    BeforeFlip,
    /// All authoritative servers answer the target.
    AfterFlip,
    /// A cutover was given up, and legacy takes writes again.
    AfterAbort,
    /// A rollback has ended: legacy takes writes, and the public name leads there.
    AfterRollback,
}

impl HookPoint {
    /// Every point, in the order of a migration.
    pub const ALL: [Self; 6] =
        [Self::BeforeFence, Self::AfterFence, Self::BeforeFlip, Self::AfterFlip, Self::AfterAbort, Self::AfterRollback];

    /// The point's word, as in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeFence => "BeforeFence",
            Self::AfterFence => "AfterFence",
            Self::BeforeFlip => "BeforeFlip",
            Self::AfterFlip => "AfterFlip",
            Self::AfterAbort => "AfterAbort",
            Self::AfterRollback => "AfterRollback",
        }
    }

    /// Whether customers wait for what comes next.
    pub const fn customers_wait(self) -> bool {
        match self {
            Self::AfterFence | Self::BeforeFlip => true,
            Self::BeforeFence | Self::AfterFlip | Self::AfterAbort | Self::AfterRollback => false,
        }
    }
}

impl std::fmt::Display for HookPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is demanded of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
pub enum Demand {
    /// It is told. After a few calls that it did not take it is given up, and nothing waits for it any longer.
    #[default]
    Told,
    /// It has to take the call, with a 2xx: what comes next waits until it does.
    Required,
    /// It is a question: asked again and again until the answer is a 2xx, and anew when that answer is old.
    Confirmed,
}
