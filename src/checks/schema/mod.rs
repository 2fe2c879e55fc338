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
mod verdict;

use std::collections::BTreeSet;

use futures_util::future::{join, try_join};

use super::outcome::{Code, Evidence, Outcome};
use super::probe::Probe;
use crate::clock::elapsed;
use crate::database::{Answer, MigrationsTable, Structure};
use crate::fault::{Fault, Problem};
use crate::names::Side;
use crate::spec::checks::SchemaCheck;

use verdict::{Found, unlike, unreadable};

pub use compare::compare;
pub use difference::{Difference, Severity};

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
    let Read { value: [legacy, target], mut evidence } = match structures {
        Ok(structures) => structures,
        Err(fault) => return unreadable(&fault, Vec::new()),
    };
    if legacy.table_count() == 0 {
        let message = "legacy has no tables in the declared schemas: see that `spec.legacy.database.schemas` is right";
        return Outcome::unknown(Code::NotAsked, message, evidence);
    }
    let found = Found::among(compare(&legacy, &target, &[]), &check.ignore);
    evidence.extend(found.evidence(probe.clock.now()));
    if let Some(sentence) = found.blocking() {
        return Outcome::fail(Code::SchemaDiffers, sentence, evidence);
    }
    let unlike = match migrations {
        Err(fault) => return unreadable(&fault, evidence),
        Ok(None) => None,
        Ok(Some(Read { value, evidence: read })) => {
            evidence.extend(read);
            unlike(&value)
        }
    };
    match unlike {
        Some(sentence) => Outcome::fail(Code::MigrationsDiffer, sentence, evidence),
        None => Outcome::pass(found.harmless(legacy.table_count()), evidence),
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
