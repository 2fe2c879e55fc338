//! The structure of both databases, as far as the application and DMS depend on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::database::{Framework, MigrationsTable};
use crate::names::CheckName;

/// Both databases' structure, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SchemaCheck {
    /// Its name.
    pub name: CheckName,
    /// Where the application keeps it which of its migrations were run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub migrations: Option<MigrationsTable>,
    /// Differences that are meant.
    #[schemars(length(max = 64))]
    pub ignore: Vec<IgnoredDifference>,
}

impl Default for SchemaCheck {
    fn default() -> Self {
        Self { name: CheckName("schema".to_owned()), migrations: None, ignore: Vec::new() }
    }
}

/// A difference that is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IgnoredDifference {
    /// What differs, as the check names it: `payments.payments.ix_created`, `payments.payments`, `sql_mode`.
    pub what: String,
    /// Why that is right.
    pub why: String,
}
