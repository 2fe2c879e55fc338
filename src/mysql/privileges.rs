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
    let grantee = account.rsplit_once('@').map_or_else(|| format!("'{account}'"), |(user, host)| format!("'{user}'@'{host}'"));
    Ok(lacking(&Grants::of(&lines), &needs(session.dialect(), migration, side), &grantee))
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
    }
    needs
}

fn lacking(grants: &Grants, needs: &[Need], grantee: &str) -> Vec<String> {
    let lacking = needs.iter().filter(|need| !grants.gives(need));
    lacking.map(|need| format!("GRANT {} ON {} TO {grantee}", need.privilege, need.place())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mysql::flavour::Family;
    use crate::spec::load::load;

    fn needed(family: Family, side: Side) -> Vec<String> {
        let payments = load("payments.yaml", include_bytes!("../../manifests/payments.yaml")).expect("the example is valid");
        lacking(&Grants::default(), &needs(family.dialect(), &payments.migration, side), "'b'@'%'")
    }

    #[test]
    fn what_is_missing_is_the_statement_that_cures_it() {
        let lacking =
            lacking(&Grants::default(), &[Need::on("SELECT", "mysql", "user"), Need::on("PROCESS", "*", "*")], "'b'@'%'");
        assert_eq!(lacking, ["GRANT SELECT ON `mysql`.`user` TO 'b'@'%'", "GRANT PROCESS ON *.* TO 'b'@'%'"]);
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
