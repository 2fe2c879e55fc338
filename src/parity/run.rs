//! A whole comparison: which tables there are, one after the other, then the books.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::chunks::shared_key;
use super::compare::{Course, Step, Walk, compare};
use super::expression::{Unlike, rows};
use super::fold::Subject;
use super::ledger;
use super::passage::Passage;
use super::progress::{Current, Progress, Saved, StateFile, digest};
use super::recheck::LOOKS;
use super::report::{BookReport, Report, TableReport, Verdict};
use super::server::Server;
use super::table::{Table, tables};
use crate::clock::{Clock, elapsed};
use crate::fault::{Fault, Problem};
use crate::names::{Side, TableName};
use crate::spec::{Migration, Parity, Validation};

/// Progress is told, and kept for the next process, this often: a crash repeats a second of work.
const EVERY: Duration = Duration::from_secs(1);

/// What a comparison is asked.
#[derive(Debug)]
pub struct Request<'a> {
    /// Whose databases.
    pub migration: &'a Migration,
    /// Both servers, legacy first.
    pub servers: &'a [Server; 2],
    /// Only this table, `schema.table`.
    pub only: Option<&'a str>,
    /// The side that writes flow from: legacy before the cutover, target after it.
    pub source: Side,
    /// How it is known that rows have arrived.
    pub passage: &'a dyn Passage,
    /// Where progress is kept.
    pub state: Option<&'a StateFile>,
    /// The only time there is.
    pub clock: &'a Clock,
}

impl Request<'_> {
    /// The lag that the spec accepts of the replication that writes flow through.
    fn max_lag(&self) -> Duration {
        let replication = &self.migration.spec.replication;
        match self.source {
            Side::Legacy => replication.forward.max_lag.duration(),
            Side::Target => replication.reverse.max_lag.duration(),
        }
    }
}

/// Both sides of one table, as they were found.
pub type Pair = (TableName, [Option<Table>; 2]);

/// The tables of both sides, by name.
///
/// # Errors
/// A fault, where a server does not answer.
pub async fn pairs(request: &Request<'_>) -> Result<Vec<Pair>, Fault> {
    let mut found: BTreeMap<TableName, [Option<Table>; 2]> = BTreeMap::new();
    for (side, server) in request.servers.iter().enumerate() {
        let schemas = &request.migration.database(server.side).schemas;
        let mut hand = server.open().await?;
        for (name, table) in tables(&mut hand, schemas).await? {
            found.entry(name).or_default()[side] = Some(table);
        }
    }
    found.retain(|name, _| request.only.is_none_or(|only| only == name.to_string()));
    Ok(found.into_iter().collect())
}

/// What is compared of a table, from both sides of it.
///
/// # Errors
/// Why its rows cannot be compared.
pub fn subject(migration: &Migration, legacy: &Table, target: &Table) -> Result<Subject, Unlike> {
    let validation = &migration.spec.validation;
    let name = legacy.name.to_string();
    let declared = validation.declared_writes.iter().filter(|declared| declared.table == name);
    Ok(Subject {
        rows: rows(legacy, target, &validation.parity)?,
        key: shared_key(legacy, target),
        declared: declared.map(|declared| declared.predicate.clone()).collect(),
        tables: [legacy.clone(), target.clone()],
    })
}

/// Compares both databases. `tell` is told lines for a person, about once a second.
///
/// # Errors
/// A fault, where the tables themselves cannot be listed. What goes wrong with one table stands in its report.
pub async fn run(request: &Request<'_>, tell: &mut (dyn FnMut(&str) + Send)) -> Result<Report, Fault> {
    let migration = request.migration;
    let pairs = pairs(request).await?;
    let spec_digest = spec_digest(request);
    let max_age = migration.spec.validation.max_age.duration();
    let fresh = request.clock.now().checked_sub(max_age).unwrap_or(Timestamp::MIN);
    let resumed = request.state.and_then(|state| state.load(&spec_digest, fresh));
    let now = request.clock.now();
    let fresh = || Saved { spec_digest, began: now, saved: now, done: Vec::new(), current: None };
    let mut saved = resumed.unwrap_or_else(fresh);
    if saved.current.is_some() || !saved.done.is_empty() {
        tell(&format!("going on with the comparison that began at {:.0}", saved.began));
    }
    for (name, sides) in pairs {
        if saved.done.iter().any(|done| done.table == name.to_string() && done.verdict != Verdict::Unknown) {
            continue;
        }
        let report = one(request, &name, &sides, &mut saved, tell).await;
        tell(&format!("{}: {}", report.table, report.verdict));
        saved.current = None;
        saved.done.retain(|done| done.table != report.table);
        saved.done.push(report);
        keep(request, &mut saved, tell);
    }
    let Saved { began, done: mut tables, .. } = saved;
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    let (ledger, unique) = books(request, &proven(migration, &tables), tell).await;
    if let Some(state) = request.state {
        state.remove();
    }
    let books: Vec<&BookReport> = ledger.iter().chain(&unique).collect();
    Ok(Report {
        migration: migration.name().to_string(),
        verdict: Report::overall(&tables, &books),
        proof: request.passage.proof(),
        began,
        finished: request.clock.now(),
        notes: Vec::new(),
        tables,
        ledger,
        unique,
    })
}

/// Of which databases, tables and rules this is the comparison. Its pace may change on the way.
fn spec_digest(request: &Request<'_>) -> String {
    let addresses = request.servers.each_ref().map(|server| server.address.to_string());
    let spec = &request.migration.spec;
    let schemas = [&spec.legacy.database.schemas, &spec.target.database.schemas];
    let Validation { declared_writes, parity: Parity { exclude, normalise, .. }, ledger, unique, .. } = &spec.validation;
    digest(&(addresses, schemas, declared_writes, exclude, normalise, ledger, unique, request.only, request.source))
}

fn keep(request: &Request<'_>, saved: &mut Saved, tell: &mut (dyn FnMut(&str) + Send)) {
    saved.saved = request.clock.now();
    if let Some(Err(error)) = request.state.map(|state| state.save(saved)) {
        tell(&format!("progress cannot be kept, so that a crash would begin again: {error}"));
    }
}

async fn one(
    request: &Request<'_>,
    name: &TableName,
    sides: &[Option<Table>; 2],
    saved: &mut Saved,
    tell: &mut (dyn FnMut(&str) + Send),
) -> TableReport {
    let now = request.clock.now();
    let (legacy, target) = match sides {
        [Some(legacy), Some(target)] => (legacy, target),
        [Some(_), None] => return TableReport::unread(name, Verdict::Differs, "the table is on legacy only", now),
        [None, _] => return TableReport::unread(name, Verdict::Differs, "the table is on target only", now),
    };
    let subject = match subject(request.migration, legacy, target) {
        Ok(subject) => subject,
        Err(unlike @ Unlike::Columns { .. }) => return TableReport::unread(name, Verdict::Differs, &unlike.to_string(), now),
        Err(unlike @ Unlike::Unknown { .. }) => return TableReport::unread(name, Verdict::Unknown, &unlike.to_string(), now),
    };
    let shape_digest = digest(&(&legacy.columns, &legacy.key, &target.columns, &target.key));
    let resumed =
        saved.current.take().filter(|current| current.table == name.to_string() && current.shape_digest == shape_digest);
    let walk = resumed.map_or_else(|| Walk::new(now), |current| current.walk);
    let rows_before = walk.rows[0];
    let mut told = now;
    let mut step = |step: Step<'_>| match step {
        Step::Strained(strain) => tell(&strain.to_string()),
        Step::InOnePiece => tell(&in_one_piece(name, request.clock)),
        Step::Walked(walk) => {
            let at = request.clock.now();
            if elapsed(told, at) >= EVERY {
                told = at;
                let progress = Progress::new(&name.to_string(), walk.rows[0], rows_before, legacy.estimated_rows, now, at);
                tell(&progress.to_string());
                let (table, shape_digest) = (name.to_string(), shape_digest.clone());
                saved.current = Some(Current { table, shape_digest, walk: walk.clone() });
                keep(request, saved, tell);
            }
        }
    };
    let rules = &request.migration.spec.validation.parity;
    let (servers, source, passage, clock) = (request.servers, request.source, request.passage, request.clock);
    let max_lag = request.max_lag();
    match compare(&Course { servers, rules, source, passage, max_lag, clock }, &subject, walk, &mut step).await {
        Ok(report) => report,
        Err(Fault { problem: Problem::NotFound { code }, attempted }) => {
            let why = format!("{attempted}: the table is gone ({code}); it was there when the comparison began");
            TableReport::unread(name, Verdict::Unknown, &why, request.clock.now())
        }
        Err(fault) => TableReport::unread(name, Verdict::Unknown, &fault.to_string(), request.clock.now()),
    }
}

/// Tables whose rows are equal as they are, one by one: what is summed over them is equal too.
fn proven(migration: &Migration, tables: &[TableReport]) -> BTreeSet<String> {
    let parity = &migration.spec.validation.parity;
    let (excluded, normalised) = (parity.exclude.iter().map(|c| &c.table), parity.normalise.iter().map(|rule| &rule.table));
    let inexact: BTreeSet<&String> = excluded.chain(normalised).collect();
    let equal = tables.iter().filter(|report| report.verdict == Verdict::Equal).map(|report| &report.table);
    equal.filter(|table| !inexact.contains(table)).cloned().collect()
}

/// A statement of which nothing is heard until it ends: whoever waits is told since when.
fn in_one_piece(what: &impl fmt::Display, clock: &Clock) -> String {
    format!("{what}: read in one piece since {:.0}, which takes minutes where it is big", clock.now())
}

async fn books(
    request: &Request<'_>,
    proven: &BTreeSet<String>,
    tell: &mut (dyn FnMut(&str) + Send),
) -> (Vec<BookReport>, Vec<BookReport>) {
    let validation = &request.migration.spec.validation;
    let asked = |table: &String| request.only.is_none_or(|only| only == table);
    let declared = |table: &String| -> Vec<String> {
        let own = validation.declared_writes.iter().filter(|declared| declared.table == *table);
        own.map(|declared| declared.predicate.clone()).collect()
    };
    let (mut ledgers, mut uniques) = (Vec::new(), Vec::new());
    for book in validation.ledger.iter().filter(|book| asked(&book.table)) {
        tell(&in_one_piece(&format_args!("the ledger {:?}", book.name), request.clock));
        let declared = declared(&book.table);
        let is_proven = proven.contains(&book.table);
        let looks = if is_proven { 1 } else { LOOKS };
        let mut report = ledger::balance(request.servers, request.source, request.passage, book, &declared, looks).await;
        if is_proven && report.verdict == Verdict::Unknown {
            // Groups that never stand still cannot be read on both sides at the same moment.
            report.verdict = Verdict::Equal;
            report.notes.push(format!("equal because every row of {} is", book.table));
        }
        ledgers.push(report);
    }
    let mut seen = BTreeSet::new();
    for columns in validation.unique.iter().filter(|columns| asked(&columns.table)) {
        if seen.insert((&columns.table, &columns.columns)) {
            tell(&in_one_piece(&format_args!("{} ({})", columns.table, columns.columns.join(", ")), request.clock));
            uniques.push(ledger::unique(request.servers, columns).await);
        }
    }
    (ledgers, uniques)
}
