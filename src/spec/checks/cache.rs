//! Redis or Valkey: what the application does there with several keys at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::CheckName;
use crate::spec::CredentialsFrom;

/// A cache that the application uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CacheCheck {
    /// Its name.
    pub name: CheckName,
    /// Host name; in cluster mode the configuration endpoint.
    pub host: String,
    /// TCP port.
    #[serde(default = "redis_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// Whether TLS is used.
    #[serde(default)]
    pub tls: bool,
    /// A PEM file of the authorities that may have signed the certificate; left out, those that the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<String>,
    /// As whom; left out, without `AUTH`. The user needs `+info +cluster|info +cluster|slots +cluster|keyslot +exists +set +del`
    /// on keys of the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_from: Option<CredentialsFrom>,
    /// What the application writes before each of its keys, such as `payments:`.
    #[serde(default)]
    pub prefix: String,
    /// What the application does with several keys at once.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub operations: Vec<CacheOperation>,
    /// What the server does when its memory is full. A queue must not lose its jobs.
    #[serde(default)]
    pub eviction: EvictionPolicy,
    /// The most of `maxmemory` that may be in use, in percent.
    #[serde(default = "four_fifths")]
    #[schemars(range(min = 1, max = 100))]
    pub max_memory_percent: u32,
}

const fn redis_port() -> i32 {
    6379
}

/// A fifth is what a failover and a rush need.
const fn four_fifths() -> u32 {
    80
}

/// Keys that the application uses in one command, transaction or script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CacheOperation {
    /// What the application calls it.
    pub name: String,
    /// The keys, behind the prefix. `<word>` stands for something that differs from call to call, and is the same wherever the
    /// word is: `queues:<queue>:reserved`. Braces are Redis's own hash tags.
    #[schemars(length(min = 1, max = 32))]
    pub keys: Vec<String>,
}

/// `maxmemory-policy`, as far as it matters to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum EvictionPolicy {
    /// Nothing is ever thrown away: queues, locks, sessions.
    #[default]
    NoEviction,
    /// Only keys with an expiry are thrown away.
    Volatile,
    /// Anything may be thrown away: a cache and nothing else.
    Any,
}
