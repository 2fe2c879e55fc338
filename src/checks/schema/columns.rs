//! Columns that differ.

use std::collections::BTreeSet;

use super::compare::Sides;
use super::ddl::{alter, behind, column, is_now};
use super::difference::{Clauses, Difference, Severity};
use super::expression::same;
use super::types::{Fit, fit};
use crate::database::structure::{Column, DefaultValue, Filling, IndexKind, IndexedValue, Kept, Table};
use crate::mysql::session::quoted_name;

/// One table on both sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tables<'a> {
    pub(super) schema: &'a str,
    pub(super) name: &'a str,
    pub(super) legacy: &'a Table,
    pub(super) target: &'a Table,
}

impl Tables<'_> {
    /// A name inside the table.
    pub(super) fn inside(&self, name: &str) -> String {
        format!("{}.{}.{name}", self.schema, self.name)
    }

    /// A statement that changes the table.
    pub(super) fn alter(&self, changes: &[String]) -> String {
        alter(self.schema, self.name, changes)
    }
}

/// Columns that are on one side only: they come before indexes, which may need them.
pub(super) fn one_sided(tables: Tables<'_>) -> Vec<Difference> {
    let missing = tables.legacy.columns.iter().enumerate().filter(|(_, column)| tables.target.column(&column.name).is_none());
    let missing = missing.map(|(at, lacking)| {
        let previous = at.checked_sub(1).and_then(|at| tables.legacy.columns.get(at));
        let sentence = format!("the target lacks this column: its values ({}) have nowhere to go", lacking.column_type);
        let difference = Difference::new(Severity::Blocks, tables.inside(&lacking.name), sentence);
        match lacking.filling {
            // It cannot be added before it has an index, nor be indexed before it is there: the table is better made anew.
            Filling::Numbered => difference,
            Filling::Given { .. } | Filling::Generated { .. } => {
                difference.cured_by(tables.alter(&[format!("ADD COLUMN {} {}", column(lacking), behind(previous))]))
            }
        }
    });
    let more = tables.target.columns.iter().filter(|column| tables.legacy.column(&column.name).is_none());
    let more = more.map(|column| {
        let is_wanted = !column.nullable && column.filling == Filling::Given { default: None, on_update: None };
        let (severity, sentence) = if is_wanted {
            (Severity::Blocks, "only the target has this column, and it must be given: rows from legacy are refused")
        } else {
            (Severity::Matters, "only the target has this column: its values have nowhere to go on the way back")
        };
        Difference::new(severity, tables.inside(&column.name), sentence)
    });
    missing.chain(more).collect()
}

/// Columns that both sides have, each as one difference.
pub(super) fn changed(sides: Sides<'_>, tables: Tables<'_>) -> Vec<Difference> {
    let unique = in_unique_indexes(tables);
    let both = tables.legacy.columns.iter().filter_map(|ours| Some((ours, tables.target.column(&ours.name)?)));
    let changed = both.filter_map(|(ours, theirs)| {
        let mut clauses = Clauses::default();
        type_clause(&mut clauses, ours, theirs);
        collation_clause(&mut clauses, ours, theirs, unique.contains(&ours.name.to_lowercase()));
        null_clause(&mut clauses, ours, theirs);
        filling_clause(&mut clauses, sides, ours, theirs);
        Some(clauses.of(tables.inside(&ours.name))?.cured_by(tables.alter(&cure(tables, ours, theirs))))
    });
    changed.chain(order(tables)).collect()
}

/// Names, in lower case, of the columns whose values may not repeat.
fn in_unique_indexes(tables: Tables<'_>) -> BTreeSet<String> {
    let indexes = tables.legacy.indexes.values().chain(tables.target.indexes.values());
    let parts = indexes.filter(|index| index.kind == IndexKind::Unique).flat_map(|index| &index.parts);
    let names = parts.filter_map(|part| match &part.of {
        IndexedValue::Column { name, .. } => Some(name.to_lowercase()),
        IndexedValue::Expression(_) => None,
    });
    names.collect()
}

fn type_clause(clauses: &mut Clauses, ours: &Column, theirs: &Column) {
    let (legacy, target) = (&ours.column_type, &theirs.column_type);
    let (severity, what) = match fit(legacy, target) {
        Fit::Wider => (Severity::Matters, "values that fit there may not fit on the way back"),
        Fit::Narrower => (Severity::Blocks, "values are refused or cut"),
        Fit::Other => (Severity::Blocks, "values are changed or refused"),
    };
    clauses.when(legacy != target, severity, || format!("{target} on the target, {legacy} on legacy: {what}"));
}

fn collation_clause(clauses: &mut Clauses, ours: &Column, theirs: &Column, is_unique: bool) {
    // Where only one is text, the types differ, and say so.
    let (Some(legacy), Some(target)) = (&ours.collation, &theirs.collation) else { return };
    let charset = |collation: &str| collation.split('_').next().unwrap_or_default().to_owned();
    let holds_all = charset(legacy) == charset(target) || charset(target) == "utf8mb4";
    let (severity, what) = match (holds_all, is_unique) {
        (false, _) => (Severity::Blocks, "characters are refused or lost"),
        (true, true) => (Severity::Blocks, "a unique index takes other texts for equal, and refuses or accepts other rows"),
        (true, false) => (Severity::Matters, "other texts are equal, and sorted in another way"),
    };
    clauses.when(legacy != target, severity, || format!("{target} on the target, {legacy} on legacy: {what}"));
}

fn null_clause(clauses: &mut Clauses, ours: &Column, theirs: &Column) {
    clauses.when(ours.nullable && !theirs.nullable, Severity::Blocks, || {
        "NOT NULL on the target: rows without a value are refused".to_owned()
    });
    clauses.when(!ours.nullable && theirs.nullable, Severity::Matters, || {
        "may be NULL on the target: rows are accepted that legacy refuses".to_owned()
    });
}

fn filling_clause(clauses: &mut Clauses, sides: Sides<'_>, ours: &Column, theirs: &Column) {
    let told = |filling: &Filling| told(filling);
    let differ = |severity, what: &str| {
        let clause = format!("{} on the target, {} on legacy: {what}", told(&theirs.filling), told(&ours.filling));
        (severity, clause)
    };
    let (severity, clause) = match (&ours.filling, &theirs.filling) {
        (Filling::Numbered, Filling::Numbered) => return,
        (Filling::Numbered, _) => differ(Severity::Blocks, "new rows get no number"),
        (Filling::Given { .. }, Filling::Numbered) => differ(Severity::Matters, "rows without a number are accepted"),
        (Filling::Given { default, on_update }, Filling::Given { default: other_default, on_update: other_update }) => {
            if same_default(default.as_ref(), other_default.as_ref()) && same_option(on_update, other_update) {
                return;
            }
            differ(Severity::Blocks, "the application's rows get other values, or are refused")
        }
        (Filling::Generated { expression, kept }, Filling::Generated { expression: other, kept: other_kept }) => {
            match (same(expression, other), kept == other_kept) {
                (true, true) => return,
                (true, false) => differ(Severity::Matters, "they are kept in another way"),
                (false, _) => differ(sides.severity_of_text(), "other values are computed"),
            }
        }
        (_, Filling::Generated { .. }) => differ(Severity::Blocks, "replication cannot write what the server computes"),
        (Filling::Generated { .. }, _) => differ(Severity::Blocks, "the application's rows get no value"),
    };
    clauses.when(true, severity, || clause);
}

fn told(filling: &Filling) -> String {
    match filling {
        Filling::Numbered => "AUTO_INCREMENT".to_owned(),
        Filling::Generated { expression, kept: Kept::Stored } => format!("stored as {expression}"),
        Filling::Generated { expression, kept: Kept::Virtual } => format!("computed as {expression}"),
        Filling::Given { default, on_update } => {
            let default = match default {
                None => "no default".to_owned(),
                Some(DefaultValue::Literal(text)) => format!("default '{text}'"),
                Some(DefaultValue::Expression(text)) => format!("default {text}"),
            };
            on_update.as_ref().map_or_else(|| default.clone(), |what| format!("{default} on update {what}"))
        }
    }
}

fn same_default(ours: Option<&DefaultValue>, theirs: Option<&DefaultValue>) -> bool {
    match (ours, theirs) {
        (Some(DefaultValue::Expression(ours)), Some(DefaultValue::Expression(theirs))) => same(ours, theirs),
        (ours, theirs) => ours == theirs,
    }
}

fn same_option(ours: &Option<String>, theirs: &Option<String>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => same(ours, theirs),
        (ours, theirs) => ours == theirs,
    }
}

/// Servers turn a column into one that is computed, or back, only by making it anew.
fn cure(tables: Tables<'_>, ours: &Column, theirs: &Column) -> Vec<String> {
    let kept = |column: &Column| match column.filling {
        Filling::Generated { kept, .. } => Some(kept),
        Filling::Given { .. } | Filling::Numbered => None,
    };
    if kept(ours) == kept(theirs) {
        return vec![format!("MODIFY COLUMN {}", column(ours))];
    }
    let previous = tables.legacy.columns.iter().take_while(|column| column.name != ours.name).last();
    let previous = previous.filter(|previous| tables.target.column(&previous.name).is_some());
    vec![
        format!("DROP COLUMN {}", quoted_name(&theirs.name)),
        format!("ADD COLUMN {} {}", column(ours), previous.map_or_else(String::new, |_| behind(previous))).trim_end().to_owned(),
    ]
}

/// Columns that both have, in another order: from the first on that is out of place.
fn order(tables: Tables<'_>) -> Option<Difference> {
    let lower = |column: &Column| column.name.to_lowercase();
    let common = |these: &'_ Table, those: &'_ Table| -> Vec<String> {
        these.columns.iter().filter(|column| those.column(&column.name).is_some()).map(lower).collect()
    };
    let (legacy, target) = (common(tables.legacy, tables.target), common(tables.target, tables.legacy));
    let at = legacy.iter().zip(&target).position(|(ours, theirs)| ours != theirs)?;
    let ours: Vec<&Column> = legacy.iter().filter_map(|name| tables.legacy.column(name)).collect();
    let moved = (at..ours.len()).map(|at| {
        let previous = at.checked_sub(1).map(|at| ours[at]);
        format!("MODIFY COLUMN {} {}", column(ours[at]), behind(previous))
    });
    let sentence = "the columns from here on are in another order: what names no columns puts values into the wrong ones";
    let what = format!("{}.{} (order of columns)", tables.schema, tables.name);
    Some(Difference::new(Severity::Matters, what, sentence).cured_by(tables.alter(&moved.collect::<Vec<_>>())))
}

/// Whether the server's time zone shows in what a table holds.
pub(super) fn knows_the_time(table: &Table) -> bool {
    table.columns.iter().any(|column| {
        let is_now_by_itself = match &column.filling {
            Filling::Given { default, on_update } => {
                on_update.is_some() || matches!(default, Some(DefaultValue::Expression(text)) if is_now(text))
            }
            Filling::Numbered | Filling::Generated { .. } => false,
        };
        column.column_type.starts_with("timestamp") || is_now_by_itself
    })
}
