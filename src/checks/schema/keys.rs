//! Indexes, foreign keys and conditions that differ.

use super::columns::Tables;
use super::compare::Sides;
use super::ddl::{check, drop_index, foreign_key, index};
use super::difference::{Difference, Severity};
use super::expression::same;
use super::pair::{Pair, pairs};
use crate::database::structure::{ForeignKey, Index, IndexKind, IndexedValue};
use crate::mysql::session::quoted_name;

/// Indexes: DMS creates none but the primary key.
pub(super) fn indexes(sides: Sides<'_>, tables: Tables<'_>) -> Vec<Difference> {
    let maker = sides.target.environment.maker;
    let namesake = |name: &str| tables.legacy.column(name).is_some() || tables.target.column(name).is_some();
    // MySQL names an index without a name after its first column.
    let what = |name: &str| tables.inside(&if namesake(name) { format!("{name} (index)") } else { name.to_owned() });
    let found = pairs(&tables.legacy.indexes, &tables.target.indexes).filter_map(|(name, pair)| match pair {
        Pair::Both(legacy, target) if alike(legacy, target) => None,
        Pair::Both(legacy, target) => {
            let sentence = format!(
                "{} on the target, {} on legacy: {}",
                index(name, target, maker),
                index(name, legacy, maker),
                if is_unique(legacy) || is_unique(target) {
                    "other rows are refused as duplicates"
                } else {
                    "what legacy looks up may be searched for row by row"
                }
            );
            let cure = tables.alter(&[drop_index(name), format!("ADD {}", index(name, legacy, maker))]);
            Some(Difference::new(Severity::Blocks, what(name), sentence).cured_by(cure))
        }
        Pair::Legacy(lacking) => Some(match twin(tables, lacking) {
            Some(other) => {
                let sentence = format!("on the target this index is called {other}");
                let rename = format!("RENAME KEY {} TO {}", quoted_name(other), quoted_name(name));
                Difference::new(Severity::Harmless, what(name), sentence).cured_by(tables.alter(&[rename]))
            }
            None => {
                let sentence = if is_unique(lacking) {
                    "the target lacks this unique index: duplicates that legacy refuses are accepted"
                } else {
                    "the target lacks this index: what legacy looks up is searched for row by row"
                };
                let cure = tables.alter(&[format!("ADD {}", index(name, lacking, maker))]);
                Difference::new(Severity::Blocks, what(name), sentence).cured_by(cure)
            }
        }),
        // Its twin has been told.
        Pair::Target(more)
            if tables.legacy.indexes.iter().any(|(name, known)| alike(known, more) && is_missing(tables, name)) =>
        {
            None
        }
        Pair::Target(more) => {
            let (severity, sentence) = if is_unique(more) {
                (Severity::Blocks, "only the target has this unique index: rows that legacy accepts are refused")
            } else {
                (Severity::Harmless, "only the target has this index: each write costs a little more")
            };
            Some(Difference::new(severity, what(name), sentence).cured_by(tables.alter(&[drop_index(name)])))
        }
    });
    found.collect()
}

fn is_unique(index: &Index) -> bool {
    index.kind == IndexKind::Unique
}

fn is_missing(tables: Tables<'_>, name: &str) -> bool {
    !tables.target.indexes.contains_key(name)
}

/// The same index under a name that legacy does not have.
fn twin<'a>(tables: Tables<'a>, lacking: &Index) -> Option<&'a String> {
    let twin = |(name, index): &(&String, &Index)| alike(lacking, index) && !tables.legacy.indexes.contains_key(*name);
    tables.target.indexes.iter().find(twin).map(|(name, _)| name)
}

fn alike(legacy: &Index, target: &Index) -> bool {
    let same_parts = legacy.parts.len() == target.parts.len()
        && legacy
            .parts
            .iter()
            .zip(&target.parts)
            .all(|(ours, theirs)| ours.order == theirs.order && same_value(&ours.of, &theirs.of));
    legacy.kind == target.kind && legacy.visibility == target.visibility && same_parts
}

fn same_value(ours: &IndexedValue, theirs: &IndexedValue) -> bool {
    match (ours, theirs) {
        (IndexedValue::Expression(ours), IndexedValue::Expression(theirs)) => same(ours, theirs),
        (IndexedValue::Column { name, prefix }, IndexedValue::Column { name: other, prefix: other_prefix }) => {
            name.eq_ignore_ascii_case(other) && prefix == other_prefix
        }
        _ => false,
    }
}

/// Foreign keys: they come after all tables, so that what they lead to is there.
pub(super) fn foreign_keys(tables: Tables<'_>) -> Vec<Difference> {
    let what = |name: &str| tables.inside(&format!("{name} (foreign key)"));
    let removed = |name: &str| format!("DROP FOREIGN KEY {}", quoted_name(name));
    let found = pairs(&tables.legacy.foreign_keys, &tables.target.foreign_keys).filter_map(|(name, pair)| match pair {
        Pair::Both(legacy, target) if legacy == target => None,
        Pair::Both(legacy, target) => {
            let sentence = format!("{} on the target, {} on legacy", foreign_key(name, target), foreign_key(name, legacy));
            let cures = [removed(name), format!("ADD {}", foreign_key(name, legacy))].map(|change| tables.alter(&[change]));
            Some(Difference::new(Severity::Blocks, what(name), sentence).cured_by(cures.join("; ")))
        }
        Pair::Legacy(lacking) => {
            let (severity, sentence) = if changes_rows(lacking) {
                let sentence = "the target lacks this foreign key, whose cascades are in no binary log: \
                                rows that legacy changes by it stay there as they were";
                (Severity::Blocks, sentence)
            } else {
                (Severity::Matters, "the target lacks this foreign key: rows that lead nowhere are accepted")
            };
            let cure = tables.alter(&[format!("ADD {}", foreign_key(name, lacking))]);
            Some(Difference::new(severity, what(name), sentence).cured_by(cure))
        }
        Pair::Target(_) => {
            let sentence = "only the target has this foreign key: rows that legacy accepts are refused";
            Some(Difference::new(Severity::Blocks, what(name), sentence).cured_by(tables.alter(&[removed(name)])))
        }
    });
    found.collect()
}

/// Whether the server itself changes or deletes rows by it.
fn changes_rows(key: &ForeignKey) -> bool {
    [&key.on_delete, &key.on_update].into_iter().any(|rule| rule != "RESTRICT")
}

/// Conditions on rows.
pub(super) fn checks(sides: Sides<'_>, tables: Tables<'_>) -> Vec<Difference> {
    let what = |name: &str| tables.inside(&format!("{name} (check)"));
    let removed = |name: &str| format!("DROP CONSTRAINT {}", quoted_name(name));
    let found = pairs(&tables.legacy.checks, &tables.target.checks).filter_map(|(name, pair)| match pair {
        Pair::Both(legacy, target) if same(legacy, target) => None,
        Pair::Both(legacy, target) => {
            let sentence = format!("{target} on the target, {legacy} on legacy: other rows are refused");
            let cure = tables.alter(&[removed(name), format!("ADD {}", check(name, legacy))]);
            Some(Difference::new(sides.severity_of_text(), what(name), sentence).cured_by(cure))
        }
        Pair::Legacy(lacking) => {
            let sentence = "the target lacks this condition: rows that legacy refuses are accepted";
            let cure = tables.alter(&[format!("ADD {}", check(name, lacking))]);
            Some(Difference::new(Severity::Matters, what(name), sentence).cured_by(cure))
        }
        Pair::Target(_) => {
            let sentence = "only the target has this condition: rows that legacy accepts are refused";
            Some(Difference::new(Severity::Blocks, what(name), sentence).cured_by(tables.alter(&[removed(name)])))
        }
    });
    found.collect()
}
