//! Both databases' structure: what DMS does not carry, what a migration forgot to run, what is dangerous where rows arrive.

mod columns;
mod compare;
#[cfg(test)]
mod compare_tests;
mod ddl;
mod difference;
mod environment;
mod expression;
mod keys;
mod pair;
mod programs;
mod types;

use std::collections::BTreeSet;

use futures_util::future::{join, try_join};

use super::outcome::{Code, Evidence, Outcome};
use super::probe::Probe;
use crate::clock::elapsed;
use crate::database::{Answer, MigrationsTable, Structure};
use crate::fault::{Fault, Problem};
use crate::names::Side;
use crate::spec::checks::SchemaCheck;

pub use compare::compare;
pub use difference::{Difference, Severity};

/// So many differences are evidence; the rest is counted, and [`differences`] has all.
const SHOWN: usize = 20;
/// So many names are in the sentence itself.
const NAMED: usize = 4;

/// Everything in which the target differs from legacy, but for what the spec says is meant.
///
/// # Errors
/// A fault, where one side's structure cannot be read whole.
pub async fn differences(check: &SchemaCheck, probe: &Probe<'_>) -> Result<Vec<Difference>, Fault> {
    let (legacy, target) = try_join(probe.legacy.structure(), probe.target.structure()).await?;
    Ok(compare(&legacy, &target, &check.ignore))
}

/// Compares both sides' structures, and which of the application's migrations were run.
pub async fn run(check: &SchemaCheck, probe: &Probe<'_>) -> Outcome {
    let (structures, migrations) = join(both_structures(probe), both_migrations(check, probe)).await;
    let (structures, migrations) = match (structures, migrations) {
        (Ok(structures), Ok(migrations)) => (structures, migrations),
        (Err(fault), _) | (_, Err(fault)) => return unreadable(&fault),
    };
    let Read { value: [legacy, target], mut evidence } = structures;
    if legacy.table_count() == 0 {
        let message =
            "legacy has no tables in the declared schemas: see that `spec.legacy.database.schemas` names the right ones";
        return Outcome::unknown(Code::NotAsked, message, evidence);
    }
    let mut found = compare(&legacy, &target, &check.ignore);
    // Sorting is stable: among those that matter alike, the order of their cures stays.
    found.sort_by_key(|difference| difference.severity);
    let (now, no_time) = (probe.clock.now(), std::time::Duration::ZERO);
    evidence.extend(found.iter().take(SHOWN).map(|difference| {
        let asked = format!("{} ({})", difference.what, difference.severity.word());
        let cure = difference.cure.iter().map(|cure| format!("; on the target: {cure}")).collect::<String>();
        Evidence::new(&asked, &format!("{}{cure}", difference.sentence), now, no_time)
    }));
    let blocking: Vec<&Difference> = found.iter().filter(|difference| difference.severity == Severity::Blocks).collect();
    let unlike = migrations.as_ref().and_then(|read| unlike(&read.value));
    evidence.extend(migrations.into_iter().flat_map(|read| read.evidence));
    let rest = found.len() - blocking.len();
    match (blocking.is_empty(), unlike) {
        (false, unlike) => {
            let names: Vec<&str> = blocking.iter().map(|difference| difference.what.as_str()).collect();
            let migrations = unlike.map(|sentence| format!("; {sentence}")).unwrap_or_default();
            let message = format!("the structures differ in {} places that matter: {}{migrations}", names.len(), listed(&names));
            Outcome::fail(Code::SchemaDiffers, message, evidence)
        }
        (true, Some(sentence)) => Outcome::fail(Code::MigrationsDiffer, sentence, evidence),
        (true, None) => {
            let tables = legacy.table_count();
            let message =
                format!("{tables} tables are alike on both sides, {rest} differences to look at do not stand in the way");
            Outcome::pass(message, evidence)
        }
    }
}

/// What both sides answered, and the evidence of it.
struct Read<T> {
    value: [T; 2],
    evidence: Vec<Evidence>,
}

async fn both_structures(probe: &Probe<'_>) -> Result<Read<Structure>, Fault> {
    let told = |structure: &Structure| format!("{}: {} tables", structure.environment.version, structure.table_count());
    both(probe, "the structure", told, |side| probe.database(side).structure()).await
}

async fn both_migrations(check: &SchemaCheck, probe: &Probe<'_>) -> Result<Option<Read<BTreeSet<String>>>, Fault> {
    let Some(table) = &check.migrations else { return Ok(None) };
    let asked = format!("the migrations in {}.{}", table.schema, table.table_name());
    let told = |run: &BTreeSet<String>| {
        format!("{} were run, the last of them {}", run.len(), run.last().map_or("none", String::as_str))
    };
    both(probe, &asked, told, |side| migrations(probe, side, table)).await.map(Some)
}

/// A side that has no table of migrations has run none; that neither has is told by the one that is legacy's.
fn migrations<'a>(probe: &Probe<'a>, side: Side, table: &'a MigrationsTable) -> Answer<'a, BTreeSet<String>> {
    let database = probe.database(side);
    Box::pin(async move {
        match (side, database.migrations(table).await) {
            (Side::Target, Err(Fault { problem: Problem::NotFound { .. }, .. })) => Ok(BTreeSet::new()),
            (_, answer) => answer,
        }
    })
}

/// Asks both sides at once.
async fn both<'a, T>(
    probe: &Probe<'a>,
    what: &str,
    told: impl Fn(&T) -> String,
    ask: impl Fn(Side) -> Answer<'a, T>,
) -> Result<Read<T>, Fault> {
    let timed = async |side: Side| {
        let at = probe.clock.now();
        let value = ask(side).await?;
        let evidence = Evidence::new(&format!("{what} of {side}"), &told(&value), at, elapsed(at, probe.clock.now()));
        Ok::<_, Fault>((value, evidence))
    };
    let ((legacy, of_legacy), (target, of_target)) = try_join(timed(Side::Legacy), timed(Side::Target)).await?;
    Ok(Read { value: [legacy, target], evidence: vec![of_legacy, of_target] })
}

/// Which migrations were run on one side only; `None` where there are none.
fn unlike([legacy, target]: &[BTreeSet<String>; 2]) -> Option<String> {
    let only = |these: &BTreeSet<String>, those: &BTreeSet<String>, lacking: Side| {
        let names: Vec<&str> = these.difference(those).map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{lacking} has not run {}", listed(&names)))
    };
    let sentences: Vec<String> =
        [only(legacy, target, Side::Target), only(target, legacy, Side::Legacy)].into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| format!("of the application's migrations, {}", sentences.join(", and ")))
}

fn listed(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What could not be read whole was not compared, and proves nothing either way.
fn unreadable(fault: &Fault) -> Outcome {
    let code = match &fault.problem {
        Problem::Denied { code, .. } if code == "CredentialsMissing" => Code::SecretNotFound,
        Problem::Denied { code, .. } if ["1045", "1698", "3118", "4151"].contains(&code.as_str()) => Code::CredentialsRefused,
        Problem::Denied { code, .. } if code == "TLS" => Code::TlsRefused,
        Problem::Ambiguous { .. } | Problem::Throttled { .. } => Code::Unreachable,
        _ => Code::NotAsked,
    };
    Outcome::unknown(code, fault.to_string(), Vec::new())
}
