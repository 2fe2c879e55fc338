//! Rules about the comparison of both structures.

use std::collections::BTreeSet;

use super::{Rule, repeated, when};
use crate::names::Side;
use crate::spec::Migration;
use crate::spec::checks::SchemaCheck;
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};

pub(super) const RULES: &[Rule] = &[migrations_move_too, what_is_ignored_is_compared, ignored_once, ignored_for_a_reason];

fn declared(migration: &Migration) -> Option<&SchemaCheck> {
    migration.spec.checks.schema.as_ref()
}

/// A name in a schema that neither side declares.
fn elsewhere(migration: &Migration, schema: &str, path: &str) -> Option<Finding> {
    let schemas: BTreeSet<&String> =
        [Side::Legacy, Side::Target].into_iter().flat_map(|side| &migration.database(side).schemas).collect();
    when(!schemas.iter().any(|known| *known == schema), || {
        let found = format!("{} is not a schema that moves", quoted(schema));
        let accepted = "a schema of `spec.legacy.database.schemas`";
        Finding::new(Code::NotCompared, path, found, accepted, "write one of these, or declare the schema on both sides")
    })
}

fn migrations_move_too(migration: &Migration, findings: &mut Vec<Finding>) {
    let table = declared(migration).and_then(|check| check.migrations.as_ref());
    findings.extend(table.and_then(|table| elsewhere(migration, &table.schema, "spec.checks.schema.migrations.schema")));
}

/// A setting's name has no dot; everything else begins with its schema.
fn what_is_ignored_is_compared(migration: &Migration, findings: &mut Vec<Finding>) {
    for (index, meant) in declared(migration).iter().flat_map(|check| &check.ignore).enumerate() {
        let path = format!("spec.checks.schema.ignore[{index}].what");
        findings.extend(meant.what.split_once('.').and_then(|(schema, _)| elsewhere(migration, schema, &path)));
        findings.extend(when(meant.what.trim().is_empty(), || {
            let accepted = "what the check names, such as `payments.payments.ix_created` or `sql_mode`";
            Finding::new(
                Code::EmptyText,
                &path,
                "nothing is named".to_owned(),
                accepted,
                "copy it from the output of `bascule check`",
            )
        }));
    }
}

fn ignored_once(migration: &Migration, findings: &mut Vec<Finding>) {
    let names: Vec<&str> = declared(migration).iter().flat_map(|check| &check.ignore).map(|meant| meant.what.as_str()).collect();
    repeated("spec.checks.schema.ignore", &names, findings);
}

fn ignored_for_a_reason(migration: &Migration, findings: &mut Vec<Finding>) {
    for (index, meant) in declared(migration).iter().flat_map(|check| &check.ignore).enumerate() {
        findings.extend(when(meant.why.trim().is_empty(), || {
            let path = format!("spec.checks.schema.ignore[{index}].why");
            let advice = "say why the target is right to differ there, or remove the entry";
            Finding::new(Code::EmptyText, &path, "an empty reason".to_owned(), "a sentence for whoever approves", advice)
        }));
    }
}
