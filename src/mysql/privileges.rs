//! What the controller's own account may do, held against what it will need. Each lack is the GRANT that cures it.

use super::flavour::Dialect;
use super::grants::{Grants, Need};
use super::session::Session;
use crate::fault::Problem;
use crate::names::Side;
use crate::spec::Migration;

/// The GRANT statements that are missing.
///
/// # Errors
/// What the server answered: then nothing is known, which is not the same as nothing missing.
pub async fn missing(session: &mut Session, migration: &Migration, side: Side) -> Result<Vec<String>, Problem> {
    let lines: Vec<String> = session.rows("SHOW GRANTS", ()).await?;
    let account = own_account(session).await?;
    Ok(lacking(&lines, &account, &needs(session.dialect(), migration, side)))
}

/// What it takes to see all of a structure. Triggers and events show themselves only to who may make some, the texts of views
/// and routines only to who may read them: without these privileges there seem to be none.
pub fn to_read_structure(dialect: Dialect, schemas: &[String]) -> Vec<Need> {
    let on_schema = |schema: &String| ["SELECT", "TRIGGER", "EVENT", "SHOW VIEW"].map(|name| Need::on(name, schema, "*"));
    let mut needs: Vec<Need> = schemas.iter().flat_map(on_schema).collect();
    needs.push(match dialect.routine_privilege {
        "" => Need::on("SELECT", "mysql", "proc"),
        name => Need::on(name, "*", "*"),
    });
    needs
}

/// Denied for want of these GRANTs.
pub fn denied(lacking: &[String]) -> Problem {
    Problem::Denied { code: "PrivilegesMissing".to_owned(), message: format!("run there: {};", lacking.join("; ")) }
}

/// The GRANTs without which what `SHOW GRANTS` printed for `account` is too little.
pub fn lacking(lines: &[String], account: &str, needs: &[Need]) -> Vec<String> {
    let grants = Grants::of(lines);
    let grantee = account.rsplit_once('@').map_or_else(|| format!("'{account}'"), |(user, host)| format!("'{user}'@'{host}'"));
    let lacking = needs.iter().filter(|need| !grants.gives(need));
    lacking.map(|need| format!("GRANT {} ON {} TO {grantee}", need.privilege, need.place())).collect()
}

/// The row of the account table that this session was let in by.
///
/// # Errors
/// What the server answered.
pub async fn own_account(session: &mut Session) -> Result<String, Problem> {
    let account: Vec<String> = session.rows("SELECT CURRENT_USER()", ()).await?;
    Ok(account.into_iter().next().unwrap_or_default())
}

fn needs(dialect: Dialect, migration: &Migration, side: Side) -> Vec<Need> {
    // Triggers and events show themselves only to who may make some: without these two privileges there seem to be none.
    let global = ["PROCESS", "CREATE USER", "TRIGGER", "EVENT", dialect.kill_privilege, dialect.binlog_privilege];
    let mut global = [&global[..], &[dialect.replica_privilege, dialect.xa_privilege, dialect.routine_privilege]].concat();
    let mut routines = dialect.fence_routines.to_vec();
    if side == Side::Target {
        global.push(dialect.retention_privilege);
        routines.extend(dialect.retention_routines);
    }
    let mut needs: Vec<Need> = Vec::new();
    for name in global.into_iter().filter(|name| !name.is_empty()) {
        let need = Need::on(name, "*", "*");
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs.extend(routines.into_iter().map(|routine| Need::to_call("mysql", routine)));
    // Whoever reads these tables may see what everybody else was granted.
    needs.push(Need::on("SELECT", "mysql", "*"));
    let marker_schema = &migration.spec.replication.marker_schema;
    needs.extend(["CREATE", "SELECT", "INSERT", "UPDATE", "DELETE"].map(|name| Need::on(name, marker_schema, "*")));
    for schema in &migration.database(side).schemas {
        // The last three are what ALTER TABLE asks for, which raises a counter.
        needs.extend(["SELECT", "ALTER", "CREATE", "INSERT"].map(|name| Need::on(name, schema, "*")));
        // What else it takes to compare structures is needed on everything, to find ways round the fence.
        needs.extend(migration.spec.checks.schema.iter().map(|_| Need::on("SHOW VIEW", schema, "*")));
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::flavour::Family;
    use crate::spec::load::load;

    fn needed(family: Family, side: Side) -> Vec<String> {
        let payments = load("payments.yaml", include_bytes!("../../manifests/payments.yaml")).expect("the example is valid");
        lacking(&[], "b@%", &needs(family.dialect(), &payments.migration, side))
    }

    #[test]
    fn what_is_missing_is_the_statement_that_cures_it() {
        let lacking = lacking(&[], "b@%", &[Need::on("SELECT", "mysql", "user"), Need::on("PROCESS", "*", "*")]);
        assert_eq!(lacking, ["GRANT SELECT ON `mysql`.`user` TO 'b'@'%'", "GRANT PROCESS ON *.* TO 'b'@'%'"]);
    }

    #[test]
    fn whoever_compares_structures_has_to_see_the_texts_of_views() {
        let payments = load("payments.yaml", include_bytes!("../../manifests/payments.yaml")).expect("the example is valid");
        let mut migration = payments.migration.into_inner();
        let asks = |migration: &Migration| {
            let lacking = lacking(&[], "b@%", &needs(Family::MariaDb.dialect(), migration, Side::Legacy));
            lacking.iter().any(|grant| grant.starts_with("GRANT SHOW VIEW ON `payments`.*"))
        };
        migration.spec.checks.schema = None;
        assert!(!asks(&migration), "nobody else needs it");
        migration.spec.checks.schema = Some(crate::spec::checks::SchemaCheck::default());
        assert!(asks(&migration));
    }

    #[test]
    fn each_kind_of_server_asks_for_its_own_privileges_and_for_none_twice() {
        let mysql = needed(Family::MySql84, Side::Target);
        for name in ["CONNECTION_ADMIN", "SYSTEM_VARIABLES_ADMIN", "REPLICATION CLIENT", "SHOW_ROUTINE"] {
            assert_eq!(mysql.iter().filter(|grant| **grant == format!("GRANT {name} ON *.* TO 'b'@'%'")).count(), 1, "{name}");
        }
        let aurora = needed(Family::Aurora3, Side::Target);
        assert!(aurora.contains(&"GRANT EXECUTE ON PROCEDURE `mysql`.`rds_kill` TO 'b'@'%'".to_owned()), "{aurora:?}");
        assert!(!aurora.iter().any(|grant| grant.contains("CONNECTION_ADMIN")), "`rds_kill` does what it is for: {aurora:?}");
        let mariadb = needed(Family::MariaDb, Side::Target);
        assert!(mariadb.contains(&"GRANT BINLOG ADMIN ON *.* TO 'b'@'%'".to_owned()), "{mariadb:?}");
        let legacy = needed(Family::MariaDb, Side::Legacy);
        assert!(!legacy.iter().any(|grant| grant.contains("BINLOG ADMIN")), "only the target's retention is set: {legacy:?}");
    }
}
