//! Rules about the two databases, their schemas and their accounts.

use std::collections::BTreeSet;

use super::credentials::credentials_finding;
use super::same_cluster::{Front, RdsName};
use super::{Rule, repeated, when};
use crate::names::{Account, Side};
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};
use crate::spec::form::is_host;
use crate::spec::{DatabaseSpec, Migration, Tls};

pub(super) const RULES: &[Rule] = &[
    hosts_are_hosts,
    the_targets_writer,
    schemas_are_the_applications,
    both_sides_move_the_same,
    a_marker_schema_of_its_own,
    everything_once,
    an_account_in_one_list,
    trust_is_explained_and_for_others,
    no_system_account,
    credentials_are_named,
    canaries_are_of_declared_accounts,
    closed_fences_are_tried,
    encrypted,
    declared_writes_are_inside,
    compared_tables_are_inside,
];

/// Both databases with their paths.
fn databases(migration: &Migration) -> [(&'static str, &DatabaseSpec); 2] {
    [("spec.legacy.database", migration.database(Side::Legacy)), ("spec.target.database", migration.database(Side::Target))]
}

fn hosts_are_hosts(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        host_finding(&format!("{path}.host"), &database.host, findings);
        for (index, canary) in database.canaries.iter().enumerate() {
            for (number, endpoint) in canary.endpoints.iter().enumerate() {
                host_finding(&format!("{path}.canaries[{index}].endpoints[{number}].host"), &endpoint.host, findings);
            }
        }
    }
}

pub(super) fn host_finding(path: &str, host: &str, findings: &mut Vec<Finding>) {
    findings.extend(when(!is_host(host), || {
        let found = format!("{} is not a host name", quoted(host));
        let accepted = "a host name in lower-case, or an IPv4 address, without port or scheme";
        Finding::new(Code::WrongHostName, path, found, accepted, "write the name alone; the port has a field")
    }));
}

/// A canary is held against its account's lock.
fn canaries_are_of_declared_accounts(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        let declared = database.all_accounts();
        for (index, canary) in database.canaries.iter().enumerate() {
            findings.extend(when(!declared.contains(&canary.account), || {
                let found = format!("`{}` is not declared on this side", canary.account);
                let accepted = "an account of `applicationAccounts` or `validationAccounts`";
                let advice = "write one of these, or declare the account: only then does the fence close it";
                let path = format!("{path}.canaries[{index}].account");
                Finding::new(Code::UndeclaredCanary, &path, found, accepted, advice)
            }));
        }
    }
}

fn closed_fences_are_tried(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        findings.extend(when(database.canaries.is_empty(), || {
            let found = "nobody tries the fence of this side once it is closed".to_owned();
            let accepted = "the login of at least one of `applicationAccounts`";
            let advice = "name the account, and where its user and password are found: only so is a refused write ever seen";
            Finding::new(Code::NoCanary, &format!("{path}.canaries"), found, accepted, advice)
        }));
    }
}

/// `NAME.cluster-HASH.REGION.rds.amazonaws.com` is the writer endpoint; `cluster-ro-` reads, `cluster-custom-` may do either,
/// and an instance's own name stays with the instance when another becomes the writer.
fn the_targets_writer(migration: &Migration, findings: &mut Vec<Finding>) {
    let target = &migration.spec.target;
    let host = &target.database.host;
    let path = "spec.target.database.host";
    let Some(RdsName { name, front, .. }) = RdsName::of(host) else { return };
    let writer = front == Front::Writer;
    findings.extend(when(!writer, || {
        let accepted = format!("the cluster endpoint, `{}.cluster-....rds.amazonaws.com`", target.cluster);
        let advice = "an instance's name does not follow a failover, and a reader refuses writes";
        Finding::new(Code::NotTheWriter, path, format!("{} is not a writer endpoint", quoted(host)), &accepted, advice)
    }));
    findings.extend(when(writer && name != target.cluster.as_str(), || {
        let found = format!("the endpoint of the cluster {}", quoted(name));
        let accepted = format!("an endpoint of `{}`, the value of `spec.target.cluster`", target.cluster);
        Finding::new(Code::OtherCluster, path, found, &accepted, "correct one of the two")
    }));
}

/// Schemas that belong to the server (MySQL 8, Aurora, RDS).
const SYSTEM_SCHEMAS: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

/// What MySQL accepts as an unquoted name: quoting is left to nobody.
fn is_schema_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_$-".contains(c))
}

fn schema_findings(path: &str, name: &str, findings: &mut Vec<Finding>) {
    if SYSTEM_SCHEMAS.iter().any(|system| name.eq_ignore_ascii_case(system)) {
        let found = format!("`{name}` belongs to the server");
        findings.push(Finding::new(Code::SystemSchema, path, found, "a schema of the application", "remove it"));
    } else if !is_schema_name(name) {
        let found = format!("{} is not the name of a schema", quoted(name));
        let accepted = "1 to 64 letters, digits, `_`, `$` and `-`";
        findings.push(Finding::new(Code::WrongSchemaName, path, found, accepted, "write one schema's name"));
    }
}

fn schemas_are_the_applications(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        for (index, schema) in database.schemas.iter().enumerate() {
            schema_findings(&format!("{path}.schemas[{index}]"), schema, findings);
        }
    }
    schema_findings("spec.replication.markerSchema", &migration.spec.replication.marker_schema, findings);
}

fn both_sides_move_the_same(migration: &Migration, findings: &mut Vec<Finding>) {
    let [legacy, target] = databases(migration).map(|(_, database)| database.schemas.iter().collect::<BTreeSet<_>>());
    let differing: Vec<String> = legacy.symmetric_difference(&target).map(|schema| quoted(schema)).collect();
    findings.extend(when(!differing.is_empty(), || {
        let found = format!("{} on one side only", differing.join(", "));
        let advice = "replication keeps schema names: declare the same on both sides";
        Finding::new(
            Code::SchemasDiffer,
            "spec.target.database.schemas",
            found,
            "the same schemas as `spec.legacy.database.schemas`",
            advice,
        )
    }));
}

fn a_marker_schema_of_its_own(migration: &Migration, findings: &mut Vec<Finding>) {
    let marker = &migration.spec.replication.marker_schema;
    let taken = databases(migration).iter().any(|(_, database)| database.schemas.contains(marker));
    findings.extend(when(taken, || {
        let found = format!("{} is one of the schemas that move", quoted(marker));
        let advice = "leave the field out (`bascule`), or choose another name";
        Finding::new(Code::MarkerSchemaTaken, "spec.replication.markerSchema", found, "a schema of the controller's own", advice)
    }));
}

fn everything_once(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        repeated(&format!("{path}.schemas"), &database.schemas, findings);
        repeated(&format!("{path}.applicationAccounts"), &database.application_accounts, findings);
        repeated(&format!("{path}.validationAccounts"), &database.validation_accounts, findings);
        let trusted: Vec<_> = database.trusted_accounts.iter().map(|trusted| trusted.account.clone()).collect();
        repeated(&format!("{path}.trustedAccounts"), &trusted, findings);
    }
}

fn an_account_in_one_list(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        for (index, account) in database.validation_accounts.iter().enumerate() {
            findings.extend(when(database.application_accounts.contains(account), || {
                let found = format!("`{account}` is an application account too");
                let accepted = "an account that only validation traffic uses";
                let advice =
                    "give validation an account of its own: the application would write to the target before the cutover";
                Finding::new(Code::AccountInBothLists, &format!("{path}.validationAccounts[{index}]"), found, accepted, advice)
            }));
        }
    }
}

/// A fence takes every host row of a declared user, so that trust in one of them would mean nothing.
fn trust_is_explained_and_for_others(migration: &Migration, findings: &mut Vec<Finding>) {
    let user = |account: &Account| account.as_str().rsplit_once('@').map_or(account.as_str(), |(user, _)| user).to_owned();
    for (path, database) in databases(migration) {
        let declared: BTreeSet<String> = database.all_accounts().iter().map(user).collect();
        for (index, trusted) in database.trusted_accounts.iter().enumerate() {
            findings.extend(when(declared.contains(&user(&trusted.account)), || {
                let found = format!("`{}` has the user of a declared account", trusted.account);
                let accepted = "an account that the fence is not meant to shut out";
                let advice = "remove it from one of the lists: a fence shuts out a declared user, from wherever it comes";
                Finding::new(
                    Code::TrustedAndDeclared,
                    &format!("{path}.trustedAccounts[{index}].account"),
                    found,
                    accepted,
                    advice,
                )
            }));
            findings.extend(when(trusted.why.trim().is_empty(), || {
                let advice = "say why this account does not write while the fence is closed, or remove it";
                let path = format!("{path}.trustedAccounts[{index}].why");
                Finding::new(Code::EmptyText, &path, "an empty reason".to_owned(), "a sentence for whoever approves", advice)
            }));
        }
    }
}

/// Accounts of the server and of RDS itself: locking one of these locks the house from inside.
const SYSTEM_USERS: [&str; 6] = ["rdsadmin", "root", "mysql.sys", "mysql.session", "mysql.infoschema", "rdsrepladmin"];

fn no_system_account(migration: &Migration, findings: &mut Vec<Finding>) {
    let is_system = |account: &Account| account.as_str().split('@').next().is_some_and(|user| SYSTEM_USERS.contains(&user));
    for (path, database) in databases(migration) {
        let lists =
            [("applicationAccounts", &database.application_accounts), ("validationAccounts", &database.validation_accounts)];
        for (list, accounts) in lists {
            for (index, account) in accounts.iter().enumerate().filter(|(_, account)| is_system(account)) {
                let found = format!("`{account}` belongs to the server");
                let advice = "remove it: a fence locks these accounts, and the server or its administrators would be shut out";
                let path = format!("{path}.{list}[{index}]");
                findings.push(Finding::new(Code::SystemAccount, &path, found, "an account of the application", advice));
            }
        }
    }
}

fn credentials_are_named(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        credentials_finding(&format!("{path}.credentialsFrom"), &database.credentials_from, findings);
        for (index, canary) in database.canaries.iter().enumerate() {
            credentials_finding(&format!("{path}.canaries[{index}].credentialsFrom"), &canary.credentials_from, findings);
        }
    }
}

fn encrypted(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, database) in databases(migration) {
        findings.extend(when(database.tls == Tls::Disabled, || {
            let found = "payments would cross the network in plain text".to_owned();
            Finding::new(
                Code::PlainText,
                &format!("{path}.tls"),
                found,
                "`VerifyIdentity`",
                "leave the field out, except in a lab",
            )
        }));
    }
}

/// A table's name that is none of the schemas that move.
fn outside(migration: &Migration, path: &str, table: &str) -> Option<Finding> {
    let schemas = &migration.spec.target.database.schemas;
    let inside =
        table.split_once('.').is_some_and(|(schema, table)| schemas.iter().any(|known| known == schema) && is_schema_name(table));
    when(!inside, || {
        let found = format!("{} is not a table of a schema that moves", quoted(table));
        let accepted = "`schema.table`, with a schema of `spec.target.database.schemas`";
        Finding::new(Code::UndeclaredSchema, &format!("{path}.table"), found, accepted, "write both names, with a dot between")
    })
}

fn compared_tables_are_inside(migration: &Migration, findings: &mut Vec<Finding>) {
    let validation = &migration.spec.validation;
    let ledger = validation.ledger.iter().map(|ledger| &ledger.table).enumerate().map(|at| ("ledger", at));
    let unique = validation.unique.iter().map(|unique| &unique.table).enumerate().map(|at| ("unique", at));
    let exclude = validation.parity.exclude.iter().map(|columns| &columns.table).enumerate().map(|at| ("parity.exclude", at));
    let normalise = validation.parity.normalise.iter().map(|rule| &rule.table).enumerate().map(|at| ("parity.normalise", at));
    for (list, (index, table)) in ledger.chain(unique).chain(exclude).chain(normalise) {
        findings.extend(outside(migration, &format!("spec.validation.{list}[{index}]"), table));
    }
}

fn declared_writes_are_inside(migration: &Migration, findings: &mut Vec<Finding>) {
    for (index, declared) in migration.spec.validation.declared_writes.iter().enumerate() {
        let path = format!("spec.validation.declaredWrites[{index}]");
        findings.extend(outside(migration, &path, &declared.table));
        // The condition becomes part of a statement; these have no business in one.
        let ends_statement = [";", "--", "#", "/*"].iter().find(|mark| declared.predicate.contains(**mark));
        if let Some(mark) = ends_statement {
            let found = format!("`{mark}` in {}", quoted(&declared.predicate));
            let advice = "write one condition on columns of this table";
            let path = format!("{path}.where");
            findings.push(Finding::new(Code::UnsafeCondition, &path, found, "a SQL condition without `;` or comments", advice));
        }
        findings.extend(when(declared.predicate.trim().is_empty(), || {
            let advice = "say which rows are expected, or remove the entry: an empty condition would excuse the whole table";
            Finding::new(Code::EmptyText, &format!("{path}.where"), "an empty condition".to_owned(), "a SQL condition", advice)
        }));
    }
}
