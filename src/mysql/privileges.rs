//! What the controller's own account may do, held against what it will need. Each lack is the GRANT that cures it.

use super::flavour::Dialect;
use super::session::Session;
use crate::fault::Problem;
use crate::names::Side;
use crate::spec::Migration;

/// One line of `SHOW GRANTS`.
#[derive(Debug, PartialEq, Eq)]
struct Grant {
    privileges: Vec<String>,
    /// `*` or a pattern of schemas.
    schema: String,
    /// `*` or a table.
    table: String,
}

/// Something that must be allowed, on `*.*`, `schema.*` or `schema.table`.
#[derive(Debug)]
struct Need {
    privilege: &'static str,
    schema: String,
    table: String,
}

/// The GRANT statements that are missing.
///
/// # Errors
/// What the server answered: then nothing is known, which is not the same as nothing missing.
pub async fn missing(session: &mut Session, migration: &Migration, side: Side) -> Result<Vec<String>, Problem> {
    let lines: Vec<String> = session.rows("SHOW GRANTS", ()).await?;
    let account: Vec<String> = session.rows("SELECT CURRENT_USER()", ()).await?;
    let account = account.first().cloned().unwrap_or_default();
    let grantee = account.rsplit_once('@').map_or_else(|| format!("'{account}'"), |(user, host)| format!("'{user}'@'{host}'"));
    Ok(lacking(&lines, &needs(session.dialect(), migration, side), &grantee))
}

fn needs(dialect: Dialect, migration: &Migration, side: Side) -> Vec<Need> {
    let need = |privilege, schema: &str, table: &str| Need { privilege, schema: schema.to_owned(), table: table.to_owned() };
    let global = ["PROCESS", "CREATE USER", dialect.kill_privilege, dialect.binlog_privilege, dialect.xa_privilege];
    let mut needs: Vec<Need> = global.into_iter().filter(|name| !name.is_empty()).map(|name| need(name, "*", "*")).collect();
    if let Some((schema, table)) = dialect.accounts_table.split_once('.') {
        needs.push(need("SELECT", schema, table));
    }
    let marker_schema = &migration.spec.replication.marker_schema;
    needs.extend(["CREATE", "SELECT", "INSERT", "UPDATE", "DELETE"].map(|name| need(name, marker_schema, "*")));
    needs.extend(migration.database(side).schemas.iter().map(|schema| need("SELECT", schema, "*")));
    needs
}

fn lacking(lines: &[String], needs: &[Need], grantee: &str) -> Vec<String> {
    let grants: Vec<Grant> = lines.iter().filter_map(|line| parse(line, "GRANT ", " TO ")).collect();
    let revoked: Vec<Grant> = lines.iter().filter_map(|line| parse(line, "REVOKE ", " FROM ")).collect();
    let has = |need: &Need| grants.iter().any(|grant| grant.gives(need)) && !revoked.iter().any(|grant| grant.gives(need));
    let lacking = needs.iter().filter(|need| !has(need));
    lacking.map(|need| format!("GRANT {} ON {} TO {grantee}", need.privilege, need.place())).collect()
}

impl Need {
    fn place(&self) -> String {
        let part = |name: &str| if name == "*" { "*".to_owned() } else { format!("`{name}`") };
        format!("{}.{}", part(&self.schema), part(&self.table))
    }
}

impl Grant {
    fn gives(&self, need: &Need) -> bool {
        let named = self.privileges.iter().any(|name| name == need.privilege || name == "ALL PRIVILEGES" || name == "ALL");
        let schema = self.schema == "*" || (need.schema != "*" && is_like(&need.schema, &self.schema));
        let table = self.table == "*" || self.table == need.table;
        named && schema && table
    }
}

/// `GRANT SELECT, INSERT (a, b) ON `payments`.* TO ...`; what grants a role or a routine is not of this form.
fn parse(line: &str, verb: &str, before_whom: &str) -> Option<Grant> {
    let rest = line.strip_prefix(verb)?;
    let (privileges, rest) = rest.split_once(" ON ")?;
    let place = rest.rsplit_once(before_whom)?.0;
    let (schema, table) = place.split_once('.')?;
    let bare = |name: &str| name.trim_matches('`').replace("``", "`");
    // A privilege on some columns only is none on the table.
    let privileges = privileges.split(", ").filter(|name| !name.contains(['(', ')'])).map(|name| name.trim().to_owned());
    Some(Grant { privileges: privileges.collect(), schema: bare(schema), table: bare(table) })
}

/// Whether `name` is like `pattern`, where `%` is any text, `_` any character, and a backslash takes that meaning away.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('%') => (0..=name.len()).filter(|&at| name.is_char_boundary(at)).any(|at| is_like(&name[at..], rest.as_str())),
        Some(first) => {
            let (wanted, rest) = match first {
                '\\' => (rest.next(), rest.as_str()),
                '_' => (None, rest.as_str()),
                other => (Some(other), rest.as_str()),
            };
            let mut name = name.chars();
            let found = name.next();
            found.is_some() && (wanted.is_none() || wanted == found) && is_like(name.as_str(), rest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(privilege: &'static str, schema: &str, table: &str) -> Need {
        Need { privilege, schema: schema.to_owned(), table: table.to_owned() }
    }

    fn lacks(lines: &[&str], need: Need) -> bool {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        !lacking(&lines, &[need], "'b'@'%'").is_empty()
    }

    #[test]
    fn grants_are_read_as_both_kinds_of_server_print_them() {
        let mariadb = "GRANT PROCESS, CONNECTION ADMIN ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD '*1'";
        assert!(!lacks(&[mariadb], need("CONNECTION ADMIN", "*", "*")));
        assert!(lacks(&[mariadb], need("CREATE USER", "*", "*")));
        assert!(!lacks(&["GRANT SELECT ON `mysql`.`user` TO `b`@`%`"], need("SELECT", "mysql", "user")));
        assert!(!lacks(&["GRANT ALL PRIVILEGES ON *.* TO `b`@`%` WITH GRANT OPTION"], need("PROCESS", "*", "*")));
    }

    #[test]
    fn a_privilege_on_one_schema_is_not_one_on_all_and_not_one_on_another() {
        let line = "GRANT SELECT ON `pay\\_ments`.* TO `b`@`%`";
        assert!(!lacks(&[line], need("SELECT", "pay_ments", "*")));
        assert!(lacks(&[line], need("SELECT", "payXments", "*")), "the underscore is not a wildcard here");
        assert!(lacks(&[line], need("SELECT", "*", "*")));
        assert!(lacks(&["GRANT SELECT (id) ON `payments`.`t` TO `b`@`%`"], need("SELECT", "payments", "t")));
        let revoked = "REVOKE SELECT ON `mysql`.* FROM `b`@`%`";
        assert!(lacks(&["GRANT SELECT ON *.* TO `b`@`%`", revoked], need("SELECT", "mysql", "user")));
    }

    #[test]
    fn what_is_missing_is_the_statement_that_cures_it() {
        let lacking = lacking(&[], &[need("SELECT", "mysql", "user"), need("PROCESS", "*", "*")], "'b'@'%'");
        assert_eq!(lacking, ["GRANT SELECT ON `mysql`.`user` TO 'b'@'%'", "GRANT PROCESS ON *.* TO 'b'@'%'"]);
    }
}
