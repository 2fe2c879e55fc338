//! The spec that a lab runs: the operator's, with what only a lab can have.

use std::path::{Path, PathBuf};

use super::server::Server;
use crate::mysql::people::user_of;
use crate::names::{Account, Side};
use crate::spec::{CredentialsFrom, Migration, Period, Tls};

/// The spec of a lab, and what it replaces in the operator's, for people to read.
#[derive(Debug, Clone)]
pub struct LabSpec {
    /// The spec.
    pub migration: Migration,
    /// What was replaced, one sentence each.
    pub replaced: Vec<String>,
}

/// The file of an account's credentials, beside the controller's.
pub fn account_file(credentials: &Path, account: &Account) -> PathBuf {
    credentials.with_file_name(format!("{}.credentials", user_of(account)))
}

/// A week of waiting is half a minute in a lab, and a comparison takes a second of it: with this, there is one in three days,
/// and always a new one before the switch.
const COMPARISONS_LAST: Period = Period::from_secs(24 * 3600);

/// Replaces hosts, ports, TLS and credentials; and the write pause's budget where a story has to outlast it.
pub fn derive(migration: &Migration, legacy: &Server, target: &Server, credentials: &Path, budget: Option<Period>) -> LabSpec {
    let mut lab = migration.clone();
    let mut replaced = Vec::new();
    for (side, server) in [(Side::Legacy, legacy), (Side::Target, target)] {
        let database = match side {
            Side::Legacy => &mut lab.spec.legacy.database,
            Side::Target => &mut lab.spec.target.database,
        };
        let address = server.address();
        replaced.push(format!("{side}.database {}:{} is {address}, without TLS", database.host, database.port));
        database.host = address.host;
        database.port = i32::from(address.port);
        database.tls = Tls::Disabled;
        database.tls_ca_file = None;
        database.credentials_from = CredentialsFrom::File(credentials.display().to_string());
        for canary in &mut database.canaries {
            let file = account_file(credentials, &canary.account);
            canary.credentials_from = CredentialsFrom::File(file.display().to_string());
            canary.endpoints.clear();
        }
    }
    let before = std::mem::replace(&mut lab.spec.validation.max_age, COMPARISONS_LAST);
    replaced
        .push(format!("validation.maxAge {before} is {COMPARISONS_LAST}: rows are compared in real time, a dozen times less"));
    replaced.push("credentials are the lab's own".to_owned());
    if lab.spec.checks.schema.as_mut().is_some_and(|check| check.migrations.take().is_some()) {
        replaced.push("checks.schema.migrations is left out: the lab's application has no table of its migrations".to_owned());
    }
    if let Some(budget) = budget {
        let before = std::mem::replace(&mut lab.spec.cutover.write_pause_budget, budget);
        replaced.push(format!("cutover.writePauseBudget {before} is {budget}, so that nobody waits for it"));
    }
    LabSpec { migration: lab, replaced }
}
