//! How one side's database is reached, who uses it, and whom a fence shuts out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::Account;

/// How one database is reached, and whose writes a fence there stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSpec {
    /// Host name; on Aurora the cluster endpoint, never an instance's or a reader's.
    pub host: String,
    /// TCP port.
    #[serde(default = "mysql_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// How far TLS is demanded.
    #[serde(default)]
    pub tls: Tls,
    /// A PEM file of the authorities that may have signed the server's certificate; left out, those that the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<String>,
    /// Where the controller's own user and password are found. Never the password itself.
    pub credentials_from: CredentialsFrom,
    /// The schemas that move, all their tables.
    #[schemars(length(min = 1, max = 64))]
    pub schemas: Vec<String>,
    /// Every account that the application writes with, as `user@host`: what a fence closes and opens.
    #[schemars(length(min = 1, max = 64))]
    pub application_accounts: Vec<Account>,
    /// Accounts of validation traffic, let in before the cutover and shut out during it.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub validation_accounts: Vec<Account>,
    /// What a closed fence is tried with, for as long as it is to hold. Without one, no refused write is ever seen: the
    /// condition `FenceProven` says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub canaries: Vec<Canary>,
    /// Accounts that may write to these schemas or undo a fence, and are trusted not to while one is closed: the account that
    /// DMS writes with, an administrator's for emergencies. Anybody else who could write round the fence keeps it from closing.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub trusted_accounts: Vec<TrustedAccount>,
}

/// A login and a write that a closed fence must refuse. Where it is let in, the write changes no row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Canary {
    /// As whom: one of the declared accounts.
    pub account: Account,
    /// Where that account's user and password are found. A wrong password is refused by an open fence too, and proves nothing.
    pub credentials_from: CredentialsFrom,
    /// Where it is tried: every way that the application may take, such as a proxy or an old name. Left out, the database's own
    /// host and port. TLS is as for the database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub endpoints: Vec<CanaryEndpoint>,
}

/// One way to a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryEndpoint {
    /// Host name.
    pub host: String,
    /// TCP port.
    #[serde(default = "mysql_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// An account that no fence shuts out, and the reason why that is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedAccount {
    /// `user@host`, as the server knows it.
    pub account: Account,
    /// Why it does not write while the fence is closed, for whoever approves the cutover.
    pub why: String,
}

const fn mysql_port() -> i32 {
    3306
}

impl DatabaseSpec {
    /// Application and validation accounts together: everyone whom the cutover shuts out.
    pub fn all_accounts(&self) -> Vec<Account> {
        self.application_accounts.iter().chain(&self.validation_accounts).cloned().collect()
    }
}

/// TLS towards a database, in MySQL's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum Tls {
    /// Plain text. For a lab only.
    Disabled,
    /// Encrypted, certificate not checked.
    Required,
    /// Certificate chain checked.
    VerifyCa,
    /// Chain and host name checked.
    #[default]
    VerifyIdentity,
}

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CredentialsFrom {
    /// The prefix of two environment variables, `PREFIX_USER` and `PREFIX_PASSWORD`.
    Env(String),
    /// A file of two lines, `user=...` and `password=...`.
    File(String),
}
