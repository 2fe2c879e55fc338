//! Which of the application's own migrations were run, as its framework notes it.

use std::collections::BTreeSet;

use super::session::{Session, quoted_name};
use crate::database::{Framework, MigrationsTable};
use crate::fault::Problem;

/// Reads their names.
///
/// # Errors
/// `NotFound` where there is no such table; `Invalid` where it is not the framework's; otherwise what the server answered.
pub async fn read(session: &mut Session, table: &MigrationsTable) -> Result<BTreeSet<String>, Problem> {
    let names: Vec<String> = session.rows(&statement(table), ()).await?;
    Ok(names.into_iter().collect())
}

fn statement(table: &MigrationsTable) -> String {
    let (name, which) = match table.framework {
        // A repeatable migration has no version. One that failed has been tried, and not run.
        Framework::Flyway => ("COALESCE(version, script)", " WHERE success = 1"),
        Framework::Laravel => ("migration", ""),
        Framework::Rails => ("version", ""),
        Framework::Django => ("CONCAT(app, '.', name)", ""),
    };
    format!("SELECT {name} FROM {}.{}{which}", quoted_name(&table.schema), quoted_name(table.table_name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_migration_of_flyway_was_not_run_and_a_table_may_have_another_name() {
        let table = |framework, table: Option<&str>| MigrationsTable {
            framework,
            schema: "payments".into(),
            table: table.map(str::to_owned),
        };
        assert_eq!(
            statement(&table(Framework::Flyway, None)),
            "SELECT COALESCE(version, script) FROM `payments`.`flyway_schema_history` WHERE success = 1"
        );
        assert_eq!(statement(&table(Framework::Laravel, Some("run`s"))), "SELECT migration FROM `payments`.`run``s`");
    }
}
