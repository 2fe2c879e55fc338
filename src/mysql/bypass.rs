//! Who could write round the fence: everybody whom it does not shut out and who may write, by themselves or as somebody else.
//!
//! The fence locks the declared users. Whatever else can put a row into a schema that moves is found here beforehand: other
//! accounts and their roles, routines, triggers and views that write as their definer, events, and replication appliers.
//! `READ_ONLY ADMIN` is not among the powers that are named: the fence does not rest on `read_only`.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Row;

use super::grants::{Grants, Need};
use super::people::{HostRow, everybody, users};
use super::privileges::own_account;
use super::session::{Session, quoted_text};
use crate::database::{Bypass, Lender};
use crate::fault::Problem;
use crate::names::Account;
use crate::spec::DatabaseSpec;

/// Users of the server and of RDS itself: nobody else logs in with them, and they do not touch the application's rows.
const SERVERS_OWN: [&str; 7] =
    ["mysql.sys", "mysql.session", "mysql.infoschema", "mariadb.sys", "rdsadmin", "rdsrepladmin", "rds_superuser_role"];

/// Privileges on a table or schema with which its rows change.
const WRITES: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "DROP", "ALTER", "DELETE HISTORY"];

/// Privileges on everything with which an account could unlock another, act as another, or end the controller's session.
const POWERS: [&str; 7] =
    ["SUPER", "CREATE USER", "CONNECTION ADMIN", "CONNECTION_ADMIN", "SET USER", "SET_USER_ID", "SET_ANY_DEFINER"];

/// An account with this one can only be disconnected by another that has it.
const CANNOT_BE_KILLED: &str = "SYSTEM_USER";

/// The server's own schemas: their routines and views come with it.
const SYSTEM_SCHEMAS: &str = "'mysql', 'sys', 'information_schema', 'performance_schema'";

/// Roles of roles are followed this deep; nobody builds deeper, and a circle must end.
const ROLES_DEEP: u32 = 8;

/// Everything that could write round a fence of `declared`'s accounts, in order.
///
/// # Errors
/// What the server answered: then nothing is known, which is not the same as nobody.
pub async fn find(session: &mut Session, declared: &DatabaseSpec) -> Result<Vec<Bypass>, Problem> {
    let people = People::read(session, declared).await?;
    let mut found: BTreeSet<Bypass> = people.all.iter().filter_map(|person| people.by_themselves(person)).collect();
    let direct: BTreeSet<Account> = found.iter().filter_map(account_of).cloned().collect();
    for loan in loans(session, declared).await? {
        let strangers = people.all.iter().filter(|person| people.is_stranger(person) && !direct.contains(&person.account));
        if people.writes_as(&loan.definer) {
            found.extend(strangers.filter(|person| loan.is_open_to(&person.grants)).map(|person| loan.taken_by(&person.account)));
        }
    }
    found.extend(events(session).await?.into_iter().filter(|event| people.is_dangerous(event)).map(Event::into_bypass));
    found.extend(appliers(session).await?);
    Ok(found.into_iter().collect())
}

fn account_of(bypass: &Bypass) -> Option<&Account> {
    match bypass {
        Bypass::Administrator { account, .. } | Bypass::Unfenceable { account, .. } | Bypass::Writer { account, .. } => {
            Some(account)
        }
        Bypass::Borrower { .. } | Bypass::Event { .. } | Bypass::Applier { .. } => None,
    }
}

/// One row of the account table with all that it may do.
struct Person {
    account: Account,
    user: String,
    is_locked: bool,
    grants: Grants,
}

/// Everybody, and who is who in the spec.
struct People<'a> {
    all: Vec<Person>,
    declared: &'a DatabaseSpec,
    declared_users: BTreeSet<String>,
    own: String,
}

impl<'a> People<'a> {
    async fn read(session: &mut Session, declared: &'a DatabaseSpec) -> Result<Self, Problem> {
        let own = own_account(session).await?;
        let mut roles = Roles::default();
        let shared: Vec<Option<String>> = session.rows(session.dialect().roles_of_everybody, ()).await?;
        let shared: Vec<String> =
            shared.into_iter().flatten().flat_map(|names| names.split(',').map(str::to_owned).collect::<Vec<_>>()).collect();
        let mut all = Vec::new();
        for HostRow { user, host, is_locked } in everybody(session).await? {
            let mut grants = roles.granted_to(session, &format!("{}@{}", quoted_text(&user), quoted_text(&host))).await?;
            grants.roles.extend(shared.iter().filter(|name| !name.is_empty()).cloned());
            let grants = roles.with_roles(session, grants).await?;
            all.push(Person { account: Account(format!("{user}@{host}")), user, is_locked, grants });
        }
        Ok(Self { all, declared, declared_users: users(&declared.all_accounts()), own })
    }

    /// A fence takes every host row of a declared user.
    fn is_declared(&self, person: &Person) -> bool {
        self.declared_users.contains(&person.user)
    }

    fn is_trusted(&self, account: &Account) -> bool {
        self.declared.trusted_accounts.iter().any(|trusted| trusted.account == *account)
    }

    /// Somebody who can log in, whom no fence shuts out, and for whom nobody vouches.
    fn is_stranger(&self, person: &Person) -> bool {
        let known = self.is_declared(person) || self.is_trusted(&person.account) || person.account.as_str() == self.own;
        !known && !person.is_locked && !is_servers_own(&person.user)
    }

    fn by_themselves(&self, person: &Person) -> Option<Bypass> {
        let account = person.account.clone();
        if self.is_declared(person) {
            let powers = [&POWERS[..], &[CANNOT_BE_KILLED]].concat();
            return power(&person.grants, &powers).map(|privilege| Bypass::Unfenceable { account, privilege });
        }
        if !self.is_stranger(person) {
            return None;
        }
        if let Some(privilege) = power(&person.grants, &POWERS) {
            return Some(Bypass::Administrator { account, privilege });
        }
        let (privilege, place) = self.writes(&person.grants)?;
        Some(Bypass::Writer { account, privilege: privilege.to_owned(), place })
    }

    fn writes(&self, grants: &Grants) -> Option<(&'static str, String)> {
        self.declared.schemas.iter().find_map(|schema| grants.inside(schema, &WRITES))
    }

    /// Whether what runs as `definer` could write rows that move. What runs as somebody who is gone fails.
    fn writes_as(&self, definer: &Account) -> bool {
        let person = self.all.iter().find(|person| person.account == *definer).filter(|person| !is_servers_own(&person.user));
        person.is_some_and(|person| power(&person.grants, &POWERS).is_some() || self.writes(&person.grants).is_some())
    }

    /// Who is trusted is trusted not to have events elsewhere write here; an event beside the rows is there to write them.
    fn is_dangerous(&self, event: &Event) -> bool {
        self.writes_as(&event.definer) && (self.declared.schemas.contains(&event.schema) || !self.is_trusted(&event.definer))
    }
}

fn is_servers_own(user: &str) -> bool {
    SERVERS_OWN.contains(&user)
}

/// The mightiest thing that an account may do.
fn power(grants: &Grants, powers: &[&'static str]) -> Option<String> {
    let everywhere = grants.everywhere(powers).map(str::to_owned);
    everywhere.or_else(|| grants.inside("mysql", &WRITES).map(|(privilege, place)| format!("{privilege} on {place}")))
}

/// What roles were granted, each asked for once.
#[derive(Default)]
struct Roles {
    known: BTreeMap<String, Grants>,
}

impl Roles {
    /// Denied without the right to read the system's tables, which never looks like an account without grants.
    async fn granted_to(&self, session: &mut Session, name: &str) -> Result<Grants, Problem> {
        match session.rows::<String>(&format!("SHOW GRANTS FOR {name}"), ()).await {
            Ok(lines) => Ok(Grants::of(&lines)),
            // 1141: gone since it was listed, or bound to a name on a server that resolves none, so that nobody gets in by it.
            Err(Problem::Invalid { code, .. }) if code == "1141" => Ok(Grants::default()),
            Err(problem) => Err(problem),
        }
    }

    /// Whoever may take a role on may do what it may, whether or not they have.
    async fn with_roles(&mut self, session: &mut Session, mut grants: Grants) -> Result<Grants, Problem> {
        let mut open = grants.roles.clone();
        let mut taken = BTreeSet::new();
        for _ in 0..ROLES_DEEP {
            let mut deeper = Vec::new();
            for name in open {
                if !taken.insert(name.clone()) {
                    continue;
                }
                if !self.known.contains_key(&name) {
                    let role = self.granted_to(session, &name).await?;
                    self.known.insert(name.clone(), role);
                }
                let role = &self.known[&name];
                grants.take_on(role);
                deeper.extend(role.roles.iter().cloned());
            }
            open = deeper;
        }
        Ok(grants)
    }
}

/// Something that runs with its definer's rights, and what it takes to set it off.
struct Loan {
    lender: Lender,
    name: String,
    definer: Account,
    /// Any one of these.
    keys: Vec<Need>,
}

impl Loan {
    fn is_open_to(&self, grants: &Grants) -> bool {
        self.keys.iter().any(|key| grants.gives(key))
    }

    fn taken_by(&self, account: &Account) -> Bypass {
        let (name, definer) = (self.name.clone(), self.definer.clone());
        Bypass::Borrower { account: account.clone(), lender: self.lender, name, definer }
    }
}

/// Routines anywhere; triggers and views outside the schemas that move, since inside them it takes the right to write there.
async fn loans(session: &mut Session, declared: &DatabaseSpec) -> Result<Vec<Loan>, Problem> {
    let inside: Vec<String> = declared.schemas.iter().map(|schema| quoted_text(schema)).collect();
    let inside = inside.join(", ");
    let routines = format!(
        "SELECT routine_schema, routine_name, definer FROM information_schema.routines \
         WHERE security_type = 'DEFINER' AND routine_schema NOT IN ({SYSTEM_SCHEMAS})"
    );
    let triggers = format!(
        "SELECT trigger_schema, trigger_name, definer, event_object_table, event_manipulation FROM information_schema.triggers \
         WHERE event_object_schema NOT IN ({SYSTEM_SCHEMAS}, {inside})"
    );
    let views = format!(
        "SELECT table_schema, table_name, definer FROM information_schema.views \
         WHERE security_type = 'DEFINER' AND is_updatable = 'YES' AND table_schema NOT IN ({SYSTEM_SCHEMAS}, {inside})"
    );
    let mut loans = Vec::new();
    for (schema, name, definer) in session.rows::<(String, String, String)>(&routines, ()).await? {
        let keys = vec![Need::to_call(&schema, &name)];
        loans.push(Loan { lender: Lender::Routine, name: format!("{schema}.{name}"), definer: Account(definer), keys });
    }
    for (schema, name, definer, table, change) in session.rows::<(String, String, String, String, String)>(&triggers, ()).await? {
        let change = WRITES.into_iter().find(|write| *write == change);
        let keys = change.into_iter().map(|change| Need::on(change, &schema, &table)).collect();
        loans.push(Loan { lender: Lender::Trigger, name: format!("{schema}.{name}"), definer: Account(definer), keys });
    }
    for (schema, name, definer) in session.rows::<(String, String, String)>(&views, ()).await? {
        let keys = ["INSERT", "UPDATE", "DELETE"].map(|change| Need::on(change, &schema, &name)).into();
        loans.push(Loan { lender: Lender::View, name: format!("{schema}.{name}"), definer: Account(definer), keys });
    }
    Ok(loans)
}

/// An enabled event.
struct Event {
    schema: String,
    name: String,
    definer: Account,
}

impl Event {
    fn into_bypass(self) -> Bypass {
        Bypass::Event { name: format!("{}.{}", self.schema, self.name), definer: self.definer }
    }
}

/// None runs while the scheduler is off, and whoever could switch it on is found above.
async fn events(session: &mut Session) -> Result<Vec<Event>, Problem> {
    let statement = "SELECT event_schema, event_name, definer FROM information_schema.events \
                     WHERE status = 'ENABLED' AND @@GLOBAL.event_scheduler = 'ON'";
    let rows: Vec<(String, String, String)> = session.rows(statement, ()).await?;
    Ok(rows.into_iter().map(|(schema, name, definer)| Event { schema, name, definer: Account(definer) }).collect())
}

/// This program and DMS move rows as clients: whatever replicates natively is none of theirs.
async fn appliers(session: &mut Session) -> Result<Vec<Bypass>, Problem> {
    let [channel, source, applies] = session.dialect().replica_columns;
    let rows: Vec<Row> = session.rows(session.dialect().replicas, ()).await?;
    let text = |row: &Row, column: &str| row.get_opt::<String, _>(column).and_then(Result::ok).unwrap_or_default();
    let applying = rows.iter().filter(|row| text(row, applies) != "No");
    Ok(applying.map(|row| Bypass::Applier { channel: text(row, channel), source: text(row, source) }).collect())
}
