//! Two structures, compared: everything that the application or replication would notice.
//!
//! Differences come in an order in which their cures can be run: settings, schemas and tables, what is in them, and what leads
//! from one table to another.

use super::columns::{self, Tables};
use super::ddl::{alter, create_table};
use super::difference::{Clauses, Difference, Severity};
use super::environment::environment;
use super::pair::{Pair, pairs};
use super::{keys, programs};
use crate::database::Structure;
use crate::database::structure::{Layout, Maker, Schema, Table};
use crate::mysql::session::quoted_name;
use crate::spec::checks::IgnoredDifference;

/// Both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides<'a> {
    pub(super) legacy: &'a Structure,
    pub(super) target: &'a Structure,
}

impl Sides<'_> {
    /// How much it matters that two texts differ which the servers print: two kinds of server print one text in two ways.
    pub(super) fn severity_of_text(self) -> Severity {
        let is_mariadb = |side: &Structure| side.environment.maker == Maker::MariaDb;
        if is_mariadb(self.legacy) == is_mariadb(self.target) { Severity::Blocks } else { Severity::Matters }
    }
}

/// What differs, but for what is meant to.
pub fn compare(legacy: &Structure, target: &Structure, ignore: &[IgnoredDifference]) -> Vec<Difference> {
    let mut found = all(Sides { legacy, target });
    found.retain(|difference| !ignore.iter().any(|meant| meant.what == difference.what));
    found
}

fn all(sides: Sides<'_>) -> Vec<Difference> {
    let mut found = environment(sides);
    let nothing = Schema::default();
    let schemas: Vec<(&str, &Schema, &Schema)> = pairs(&sides.legacy.schemas, &sides.target.schemas)
        .map(|(name, pair)| match pair {
            Pair::Both(legacy, target) => (name, legacy, target),
            Pair::Legacy(legacy) => (name, legacy, &nothing),
            Pair::Target(target) => (name, &nothing, target),
        })
        .collect();
    for &(name, legacy, target) in &schemas {
        found.extend(schema(sides, name, legacy));
        found.extend(pairs(&legacy.tables, &target.tables).flat_map(|(table, pair)| table_of(sides, name, table, &pair)));
    }
    for &(name, legacy, target) in &schemas {
        found.extend(shared_tables(name, legacy, target).flat_map(keys::foreign_keys));
        found.extend(shared_tables(name, legacy, target).flat_map(programs::triggers));
        found.extend(programs::events(name, legacy, target));
        found.extend(programs::routines(name, legacy, target));
        found.extend(programs::views(sides, name, legacy, target));
    }
    found.extend(order_of_loading(sides.target));
    found
}

/// A schema itself.
fn schema(sides: Sides<'_>, name: &str, legacy: &Schema) -> Option<Difference> {
    let Some(target) = sides.target.schemas.get(name) else {
        let cure = format!("CREATE DATABASE {} COLLATE {}", quoted_name(name), legacy.collation);
        return Some(Difference::new(Severity::Blocks, name, "the target lacks this schema").cured_by(cure));
    };
    let differs = sides.legacy.schemas.contains_key(name) && legacy.collation != target.collation;
    differs.then(|| {
        let sentence = format!(
            "{} on the target, {} on legacy: tables that are created later and name none get another one",
            target.collation, legacy.collation
        );
        let cure = format!("ALTER DATABASE {} COLLATE {}", quoted_name(name), legacy.collation);
        Difference::new(Severity::Matters, name, sentence).cured_by(cure)
    })
}

/// Tables that both sides have.
fn shared_tables<'a>(schema: &'a str, legacy: &'a Schema, target: &'a Schema) -> impl Iterator<Item = Tables<'a>> {
    pairs(&legacy.tables, &target.tables).filter_map(move |(name, pair)| match pair {
        Pair::Both(legacy, target) => Some(Tables { schema, name, legacy, target }),
        Pair::Legacy(_) | Pair::Target(_) => None,
    })
}

fn table_of(sides: Sides<'_>, schema: &str, name: &str, pair: &Pair<'_, Table>) -> Vec<Difference> {
    let what = format!("{schema}.{name}");
    match *pair {
        Pair::Legacy(table) => vec![missing_table(sides, schema, name, table)],
        Pair::Target(_) => {
            let sentence = "only the target has this table: its rows have nowhere to go on the way back";
            vec![Difference::new(Severity::Matters, what, sentence)]
        }
        Pair::Both(legacy, target) if legacy.kind != target.kind => {
            let sentence = format!("a {} on the target, a {} on legacy", target.kind.to_lowercase(), legacy.kind.to_lowercase());
            vec![Difference::new(Severity::Blocks, what, sentence)]
        }
        Pair::Both(legacy, target) => {
            let tables = Tables { schema, name, legacy, target };
            let parts = [columns::one_sided(tables), keys::indexes(sides, tables), columns::changed(sides, tables)];
            options(tables).into_iter().chain(parts.concat()).chain(keys::checks(sides, tables)).collect()
        }
    }
}

fn missing_table(sides: Sides<'_>, schema: &str, name: &str, table: &Table) -> Difference {
    let what = format!("{schema}.{name}");
    let sentence =
        format!("the target lacks this table of {} columns: run the application's migrations there", table.columns.len());
    let difference = Difference::new(Severity::Blocks, what, sentence);
    // What a sequence is, and where partitions begin, is not in its columns.
    if table.kind == "BASE TABLE" && table.layout == Layout::Whole {
        difference.cured_by(create_table(schema, name, table, sides.target.environment.maker))
    } else {
        difference
    }
}

/// What holds for a table as a whole.
fn options(tables: Tables<'_>) -> Option<Difference> {
    let Tables { schema, name, legacy, target } = tables;
    let mut clauses = Clauses::default();
    let mut changes = Vec::new();
    let severity = if target.engine == "InnoDB" { Severity::Matters } else { Severity::Blocks };
    clauses.when(legacy.engine != target.engine, severity, || {
        format!("engine {} on the target, {} on legacy: transactions and locks are others", target.engine, legacy.engine)
    });
    changes.extend((legacy.engine != target.engine).then(|| format!("ENGINE = {}", legacy.engine)));
    clauses.when(legacy.row_format != target.row_format, Severity::Matters, || {
        format!(
            "row format {} on the target, {} on legacy: the longest row and the longest index are others",
            target.row_format, legacy.row_format
        )
    });
    changes.extend((legacy.row_format != target.row_format).then(|| format!("ROW_FORMAT = {}", legacy.row_format)));
    clauses.when(legacy.collation != target.collation, Severity::Matters, || {
        format!(
            "{} on the target, {} on legacy: columns that are added later get another one",
            target.collation, legacy.collation
        )
    });
    changes.extend((legacy.collation != target.collation).then(|| format!("COLLATE = {}", legacy.collation)));
    clauses.when(legacy.layout != target.layout, Severity::Matters, || {
        "partitioned on one side only: partitions do not come by replication".to_owned()
    });
    let difference = clauses.of(format!("{schema}.{name}"))?;
    Some(if changes.is_empty() { difference } else { difference.cured_by(alter(schema, name, &changes)) })
}

/// A full load brings tables in any order, and so does a reload of one.
fn order_of_loading(target: &Structure) -> Option<Difference> {
    let keys: usize = target.tables().map(|(_, _, table)| table.foreign_keys.len()).sum();
    (keys > 0).then(|| {
        let sentence = format!(
            "the target has {keys} foreign keys, which refuse rows in the order of a full load: see that its endpoint says \
             Initstmt=SET FOREIGN_KEY_CHECKS=0, and ignore this with that reason"
        );
        Difference::new(Severity::Matters, "foreign_key_checks", sentence)
    })
}
