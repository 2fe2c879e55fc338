//! The structure of both databases, as far as the application and DMS depend on it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// Where the application keeps it which of its migrations were run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MigrationsTable {
    /// By whose convention.
    pub framework: Framework,
    /// The schema that holds the table.
    pub schema: String,
    /// The table; left out, the framework's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

/// Whose convention a table of migrations follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Framework {
    /// `flyway_schema_history`
    Flyway,
    /// `migrations`
    Laravel,
    /// `schema_migrations`
    Rails,
    /// `django_migrations`
    Django,
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
