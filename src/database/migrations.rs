//! Where the application keeps it which of its own migrations were run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the application keeps it which of its migrations were run.
///
/// The table is one of those that move: replication brings its rows, and not what these migrations did. That both sides name
/// the same migrations is therefore less than that their structures are alike, and both are checked.
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

impl MigrationsTable {
    /// The table's name.
    pub fn table_name(&self) -> &str {
        self.table.as_deref().unwrap_or(match self.framework {
            Framework::Flyway => "flyway_schema_history",
            Framework::Laravel => "migrations",
            Framework::Rails => "schema_migrations",
            Framework::Django => "django_migrations",
        })
    }
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
