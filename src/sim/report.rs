//! What a rehearsal's world has to say at the end, from its own truth.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::monitor::Violation;

/// What became of the payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentCounts {
    /// Customers were told yes.
    pub acknowledged: u64,
    /// Tries that were refused or left in doubt; each was tried again.
    pub refused: u64,
    /// Acknowledged and not on the authoritative side, or there with another amount.
    pub lost: u64,
    /// Stored under one key and two row ids.
    pub duplicated: u64,
    /// Acknowledged, and left behind by a forced rollback: in the export, and not on the authoritative side.
    #[serde(default)]
    pub quarantined: u64,
    /// In the export as well, though the customer was told yes by legacy: the answer to the first try was lost. Whoever brings
    /// the export in leaves these out, by their idempotency keys.
    #[serde(default)]
    pub paid_again: u64,
}

impl fmt::Display for PaymentCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, refused, lost, duplicated, quarantined, paid_again } = self;
        write!(f, "{acknowledged} acknowledged, {refused} refused and tried again, {lost} lost, {duplicated} duplicated")?;
        if (*quarantined, *paid_again) == (0, 0) {
            return Ok(());
        }
        write!(f, ", {quarantined} in quarantine, {paid_again} there and paid again")
    }
}

/// The end of a rehearsal, as the world saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorldReport {
    /// What became of the payments.
    pub payments: PaymentCounts,
    /// From the last payment acknowledged on legacy to the first on the target, in seconds.
    pub write_pause_seconds: Option<f64>,
    /// From the last payment acknowledged on the target to the first on legacy, in seconds.
    pub rollback_write_pause_seconds: Option<f64>,
    /// Calls received, by service.
    pub aws_calls: BTreeMap<String, u64>,
    /// Faults that struck, by name.
    pub faults_injected: BTreeMap<String, u64>,
    /// Calls that hooks took, by `migration/attempt/point/hook`.
    pub hook_calls: BTreeMap<String, u64>,
    /// Safety properties that were broken.
    pub violations: Vec<Violation>,
}
