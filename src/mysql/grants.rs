//! `SHOW GRANTS`, understood: what an account may do, on which schemas and tables, and through which roles.

/// Something that must be allowed, on `*.*`, `schema.*`, `schema.table` or a routine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// `SELECT`, `CREATE USER`, ...
    pub privilege: &'static str,
    /// Of what.
    pub object: Object,
    /// `*` or a schema.
    pub schema: String,
    /// `*`, or a table or routine.
    pub name: String,
}

/// What a privilege is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// The server, a schema or a table.
    Table,
    /// A stored routine.
    Routine,
}

impl Need {
    /// A need on `*.*`, `schema.*` or `schema.table`.
    pub fn on(privilege: &'static str, schema: &str, table: &str) -> Self {
        Self { privilege, object: Object::Table, schema: schema.to_owned(), name: table.to_owned() }
    }

    /// The right to call a routine.
    pub fn to_call(schema: &str, routine: &str) -> Self {
        Self { privilege: "EXECUTE", object: Object::Routine, schema: schema.to_owned(), name: routine.to_owned() }
    }

    /// Where, as GRANT writes it.
    pub fn place(&self) -> String {
        let part = |name: &str| if name == "*" { "*".to_owned() } else { format!("`{name}`") };
        let object = if self.object == Object::Routine { "PROCEDURE " } else { "" };
        format!("{object}{}.{}", part(&self.schema), part(&self.name))
    }
}

/// Everything that one account or role was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    given: Vec<Grant>,
    revoked: Vec<Grant>,
    /// The roles it may take on, as `SHOW GRANTS FOR` wants them.
    pub roles: Vec<String>,
}

/// One line of `SHOW GRANTS`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Grant {
    /// On the whole place.
    privileges: Vec<String>,
    /// On some of its columns.
    on_columns: Vec<String>,
    object: Object,
    /// `*` or a pattern of schemas.
    schema: String,
    /// `*`, or a table or routine.
    name: String,
}

impl Grants {
    /// Understands what `SHOW GRANTS` prints.
    pub fn of(lines: &[String]) -> Self {
        Self {
            given: lines.iter().filter_map(|line| parse(line, "GRANT ", " TO ")).collect(),
            // Partial revokes: taken back on one schema from a privilege on all.
            revoked: lines.iter().filter_map(|line| parse(line, "REVOKE ", " FROM ")).collect(),
            roles: lines.iter().flat_map(|line| roles(line)).collect(),
        }
    }

    /// The grants of a role that it may take on are its own.
    pub fn take_on(&mut self, role: &Self) {
        self.given.extend(role.given.iter().cloned());
    }

    /// Whether all of `need` is granted.
    pub fn gives(&self, need: &Need) -> bool {
        self.given.iter().any(|grant| grant.gives(need)) && !self.revoked.iter().any(|grant| grant.gives(need))
    }

    /// The first of `privileges` that is granted on everything, or that everything is granted.
    pub fn everywhere(&self, privileges: &[&'static str]) -> Option<&'static str> {
        let all = self.given.iter().any(|grant| grant.is_everywhere() && grant.names("ALL PRIVILEGES"));
        let named = |name: &&&str| self.given.iter().any(|grant| grant.is_everywhere() && grant.names(name));
        if all { Some("ALL PRIVILEGES") } else { privileges.iter().find(named).copied() }
    }

    /// The first of `privileges` that is granted on anything inside `schema`, be it one column, and where.
    pub fn inside(&self, schema: &str, privileges: &[&'static str]) -> Option<(&'static str, String)> {
        privileges.iter().find_map(|privilege| {
            let taken_back = self.revoked.iter().any(|grant| grant.gives(&Need::on(privilege, schema, "*")));
            let reaches = |grant: &&Grant| grant.object == Object::Table && grant.reaches(schema) && grant.names(privilege);
            let grant = self.given.iter().find(reaches).filter(|grant| !(taken_back && grant.schema == "*"))?;
            Some((*privilege, format!("{}.{}", grant.schema, grant.name)))
        })
    }
}

impl Grant {
    fn names(&self, privilege: &str) -> bool {
        let all = |name: &String| name == privilege || name == "ALL PRIVILEGES" || name == "ALL";
        self.privileges.iter().any(all) || self.on_columns.iter().any(|name| name == privilege)
    }

    fn is_everywhere(&self) -> bool {
        self.object == Object::Table && self.schema == "*" && self.name == "*"
    }

    fn reaches(&self, schema: &str) -> bool {
        self.schema == "*" || (schema != "*" && is_like(schema, &self.schema))
    }

    fn gives(&self, need: &Need) -> bool {
        let whole = self.privileges.iter().any(|name| name == need.privilege || name == "ALL PRIVILEGES" || name == "ALL");
        // A privilege on a schema is one on its routines; one on a routine is on nothing else.
        let same = self.object == need.object && self.name == need.name;
        whole && self.reaches(&need.schema) && (self.name == "*" || same)
    }
}

/// `GRANT SELECT, INSERT (a, b) ON `payments`.* TO ...`; what grants a role or a proxy is not of this form.
fn parse(line: &str, verb: &str, before_whom: &str) -> Option<Grant> {
    let rest = line.strip_prefix(verb)?;
    let (privileges, rest) = rest.split_once(" ON ")?;
    let place = rest.rsplit_once(before_whom)?.0;
    let routine = ["PROCEDURE ", "FUNCTION ", "PACKAGE BODY ", "PACKAGE "].iter().find_map(|word| place.strip_prefix(word));
    let object = if routine.is_some() { Object::Routine } else { Object::Table };
    let (schema, name) = routine.unwrap_or(place).split_once('.')?;
    let bare = |name: &str| name.trim_matches('`').replace("``", "`");
    let (mut whole, mut on_columns) = (Vec::new(), Vec::new());
    let mut depth = 0_i32;
    // MySQL puts no space between the privileges that its components bring.
    let pieces = privileges.split(|character| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        character == ',' && depth == 0
    });
    for piece in pieces {
        match piece.split_once('(') {
            Some((name, _)) => on_columns.push(name.trim().to_owned()),
            None => whole.push(piece.trim().to_owned()),
        }
    }
    Some(Grant { privileges: whole, on_columns, object, schema: bare(schema), name: bare(name) })
}

/// `GRANT `reader`@`%`,`writer`@`%` TO ...`: MariaDB's roles have no host.
fn roles(line: &str) -> Vec<String> {
    let is_role = |line: &&str| !line.contains(" ON ");
    let names = line.strip_prefix("GRANT ").filter(is_role).and_then(|rest| rest.rsplit_once(" TO "));
    names.map_or_else(Vec::new, |(names, _)| names.split(',').map(|name| name.trim().to_owned()).collect())
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

    fn grants(lines: &[&str]) -> Grants {
        Grants::of(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn grants_are_read_as_both_kinds_of_server_print_them() {
        let mariadb = grants(&["GRANT PROCESS, CONNECTION ADMIN ON *.* TO `b`@`%` IDENTIFIED BY PASSWORD '*1'"]);
        assert!(mariadb.gives(&Need::on("CONNECTION ADMIN", "*", "*")));
        assert!(!mariadb.gives(&Need::on("CREATE USER", "*", "*")));
        assert!(grants(&["GRANT SELECT ON `mysql`.`user` TO `b`@`%`"]).gives(&Need::on("SELECT", "mysql", "user")));
        let all = grants(&["GRANT ALL PRIVILEGES ON *.* TO `b`@`%` WITH GRANT OPTION"]);
        assert!(all.gives(&Need::on("PROCESS", "*", "*")) && all.everywhere(&["SUPER"]) == Some("ALL PRIVILEGES"));
        let mysql = grants(&["GRANT CONNECTION_ADMIN,SHOW_ROUTINE,XA_RECOVER_ADMIN ON *.* TO `b`@`%`"]);
        assert!(mysql.gives(&Need::on("SHOW_ROUTINE", "*", "*")) && mysql.everywhere(&["CONNECTION_ADMIN"]).is_some());
    }

    #[test]
    fn a_privilege_on_one_schema_is_not_one_on_all_and_not_one_on_another() {
        let one = grants(&["GRANT SELECT ON `pay\\_ments`.* TO `b`@`%`"]);
        assert!(one.gives(&Need::on("SELECT", "pay_ments", "*")));
        assert!(!one.gives(&Need::on("SELECT", "payXments", "*")), "the underscore is not a wildcard here");
        assert!(!one.gives(&Need::on("SELECT", "*", "*")));
        let revoked = grants(&["GRANT SELECT ON *.* TO `b`@`%`", "REVOKE SELECT ON `mysql`.* FROM `b`@`%`"]);
        assert!(!revoked.gives(&Need::on("SELECT", "mysql", "user")));
    }

    #[test]
    fn one_column_is_too_little_for_a_need_and_enough_to_write() {
        let columns = grants(&["GRANT SELECT (id), UPDATE (status, INSERT, note) ON `payments`.`t` TO `b`@`%`"]);
        assert!(!columns.gives(&Need::on("SELECT", "payments", "t")));
        assert_eq!(columns.inside("payments", &["INSERT", "UPDATE"]), Some(("UPDATE", "payments.t".to_owned())));
        assert_eq!(columns.inside("orders", &["INSERT", "UPDATE"]), None);
    }

    #[test]
    fn a_privilege_that_was_taken_back_on_a_schema_does_not_write_there() {
        let partial = grants(&["GRANT INSERT ON *.* TO `b`@`%`", "REVOKE INSERT ON `payments`.* FROM `b`@`%`"]);
        assert_eq!(partial.inside("payments", &["INSERT"]), None);
        assert_eq!(partial.inside("orders", &["INSERT"]), Some(("INSERT", "*.*".to_owned())));
    }

    #[test]
    fn roles_are_followed_by_name_and_a_right_to_call_is_one_routines() {
        let roles = grants(&["GRANT `reader`@`%`,`writer`@`%` TO `b`@`%`", "GRANT USAGE ON *.* TO `b`@`%`"]);
        assert_eq!(roles.roles, ["`reader`@`%`", "`writer`@`%`"]);
        let routine = grants(&["GRANT EXECUTE ON PROCEDURE `mysql`.`rds_kill` TO `b`@`%`"]);
        assert!(routine.gives(&Need::to_call("mysql", "rds_kill")));
        assert!(!routine.gives(&Need::to_call("mysql", "rds_set_configuration")));
        assert!(grants(&["GRANT EXECUTE ON `mysql`.* TO `b`@`%`"]).gives(&Need::to_call("mysql", "rds_kill")));
        assert_eq!(Need::to_call("mysql", "rds_kill").place(), "PROCEDURE `mysql`.`rds_kill`");
    }
}
