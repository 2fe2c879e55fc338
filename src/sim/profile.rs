//! How unkind the world is: fault profiles, by name or from a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Chances and counts of every fault that the world can inject. All chances are per opportunity, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FaultProfile {
    /// An AWS call is answered with the service's throttling error.
    pub throttle: f64,
    /// An AWS call is answered with 500 or 503.
    pub server_error: f64,
    /// An AWS call is never received and never answered.
    pub timeout_before: f64,
    /// An AWS call is applied, and its answer is lost.
    pub timeout_after: f64,
    /// An AWS call is applied, and its answer is cut short.
    pub truncated_body: f64,
    /// A read shows the world of some seconds ago.
    pub stale_read: f64,
    /// Shortest answer time of an AWS call, in milliseconds.
    pub latency_min_ms: u64,
    /// Longest ordinary answer time of an AWS call, in milliseconds.
    pub latency_max_ms: u64,
    /// A database verb fails as if the connection broke, before or after it was applied.
    pub database_error: f64,
    /// A call to a hook gets no answer, before or after the hook took it, or is refused.
    pub hook_error: f64,
    /// A DMS transition takes several times as long.
    pub slow_task: f64,
    /// A DMS task that starts fails instead of running; it can be resumed.
    pub failed_task: f64,
    /// A connection test fails the first time.
    pub failed_connection: f64,
    /// A table that is busy during its full load ends in `Table error` with duplicate keys.
    pub table_error: f64,
    /// A transaction stays open across a fence.
    pub long_transaction: f64,
    /// How many edits a human makes behind the controller's back, spread over the migration.
    pub human_edits: u32,
    /// How many times the controller's clock steps by up to a minute either way.
    pub clock_steps: u32,
    /// A question of a check is lost on the network.
    pub network_error: f64,
    /// The controller is killed at an AWS call, a database verb or a journal write.
    pub controller_crash: f64,
}

impl Default for FaultProfile {
    fn default() -> Self {
        Self::calm()
    }
}

impl FaultProfile {
    /// Nothing fails, except what always happens: tables that are busy during a full load get duplicate keys.
    pub fn calm() -> Self {
        Self {
            throttle: 0.0,
            server_error: 0.0,
            timeout_before: 0.0,
            timeout_after: 0.0,
            truncated_body: 0.0,
            stale_read: 0.0,
            latency_min_ms: 20,
            latency_max_ms: 120,
            database_error: 0.0,
            hook_error: 0.0,
            slow_task: 0.0,
            failed_task: 0.0,
            failed_connection: 0.0,
            table_error: 1.0,
            long_transaction: 0.0,
            human_edits: 0,
            clock_steps: 0,
            network_error: 0.0,
            controller_crash: 0.0,
        }
    }

    /// A bad day: some of everything.
    pub fn rough() -> Self {
        Self {
            throttle: 0.02,
            server_error: 0.01,
            timeout_before: 0.005,
            timeout_after: 0.005,
            truncated_body: 0.005,
            stale_read: 0.02,
            latency_max_ms: 400,
            database_error: 0.005,
            hook_error: 0.1,
            slow_task: 0.1,
            failed_task: 0.05,
            failed_connection: 0.2,
            long_transaction: 0.3,
            human_edits: 1,
            clock_steps: 1,
            network_error: 0.01,
            controller_crash: 0.0005,
            ..Self::calm()
        }
    }

    /// The worst week of the year.
    pub fn storm() -> Self {
        Self {
            throttle: 0.1,
            server_error: 0.05,
            timeout_before: 0.02,
            timeout_after: 0.02,
            truncated_body: 0.02,
            stale_read: 0.05,
            latency_max_ms: 900,
            database_error: 0.02,
            hook_error: 0.4,
            slow_task: 0.3,
            failed_task: 0.15,
            failed_connection: 0.5,
            long_transaction: 0.7,
            human_edits: 3,
            clock_steps: 2,
            network_error: 0.05,
            controller_crash: 0.001,
            ..Self::calm()
        }
    }
}
