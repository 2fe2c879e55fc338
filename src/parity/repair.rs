//! The SQL that would make one side like the other: printed for a person, never executed.

use std::fmt::Write;

use super::chunks::{KeyValue, SharedKey};
use super::expression::{Compared, Kind, kind};
use super::fold::Subject;
use super::report::Report;
use super::rows::{Values, values_by_key};
use super::run::{Request, pairs, subject};
use super::table::{Table, quoted, quoted_table};
use crate::fault::Fault;
use crate::names::Side;

/// One value as SQL, such that every server reads back exactly this value, whatever its `sql_mode`.
pub fn literal(table: &Table, column: &Compared, value: Option<&[u8]>) -> String {
    let Some(value) = value else { return "NULL".to_owned() };
    let text = std::str::from_utf8(value);
    let shown = text.is_ok_and(|text| !text.chars().any(|c| c.is_control() || c == '\\'));
    let hexadecimal = || value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match table.column(&column.name).map(kind) {
        Some(Kind::Number) => String::from_utf8_lossy(value).into_owned(),
        Some(Kind::Moment) => format!("'{}'", String::from_utf8_lossy(value)),
        Some(Kind::Text | Kind::LongText) if shown => format!("'{}'", text.unwrap_or_default().replace('\'', "''")),
        Some(Kind::Text | Kind::LongText) => format!("CONVERT(0x{} USING utf8mb4)", hexadecimal()),
        _ if value.is_empty() => "''".to_owned(),
        _ => format!("0x{}", hexadecimal()),
    }
}

/// An INSERT of one row.
pub fn insert(table: &Table, columns: &[Compared], values: &Values) -> String {
    let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let literals: Vec<String> =
        columns.iter().zip(values).map(|(column, value)| literal(table, column, value.as_deref())).collect();
    format!("INSERT INTO {} ({}) VALUES ({});", quoted_table(&table.name), names.join(", "), literals.join(", "))
}

fn update(table: &Table, key: &SharedKey, row: &KeyValue, columns: &[Compared], ours: &Values, theirs: &Values) -> String {
    let changed = columns.iter().zip(ours.iter().zip(theirs)).filter(|(_, (ours, theirs))| ours != theirs);
    let set =
        changed.map(|(column, (ours, _))| format!("{} = {}", quoted(&column.name), literal(table, column, ours.as_deref())));
    let set: Vec<String> = set.collect();
    if set.is_empty() {
        return "-- equal by now".to_owned();
    }
    format!("UPDATE {} SET {} WHERE {};", quoted_table(&table.name), set.join(", "), key.is_one_of(&[row]))
}

/// The statements that would make the side which is written to by replication like its source, for the rows that `report` shows.
///
/// # Errors
/// A fault, where a server does not answer.
pub async fn plan(request: &Request<'_>, report: &Report) -> Result<String, Fault> {
    let other = request.source.other();
    let mut plan = format!("-- To be run on {other}, by a person who has understood why these rows differ.\n");
    plan.push_str("-- A difference is the trace of a fault: repaired before the fault is found, it comes back.\n");
    plan.push_str("SET time_zone = '+00:00';\n");
    for (name, sides) in pairs(request).await? {
        let Some(told) = report.tables.iter().find(|told| told.table == name.to_string() && !told.sample.is_empty()) else {
            continue;
        };
        let [Some(legacy), Some(target)] = &sides else { continue };
        let subject = match subject(request.migration, legacy, target) {
            Ok(subject) => subject,
            Err(unlike) => {
                _ = writeln!(plan, "-- {name}: {unlike}");
                continue;
            }
        };
        match &subject.key {
            Err(why) => _ = writeln!(plan, "-- {name}: rows cannot be named, {why}; load the table again"),
            Ok(key) => {
                let rows: Vec<KeyValue> = told.sample.iter().map(|difference| KeyValue(difference.key.clone())).collect();
                for statement in statements(request, &subject, key, &rows).await? {
                    _ = writeln!(plan, "{statement}");
                }
            }
        }
        let shown = u64::try_from(told.sample.len()).unwrap_or(u64::MAX);
        if told.differing > shown {
            let more = told.differing - shown;
            _ = writeln!(plan, "-- {more} more rows of {name} differ: run these, compare again, or load the table again");
        }
    }
    Ok(plan)
}

async fn statements(request: &Request<'_>, subject: &Subject, key: &SharedKey, rows: &[KeyValue]) -> Result<Vec<String>, Fault> {
    let (from, to) = match request.source {
        Side::Legacy => (0, 1),
        Side::Target => (1, 0),
    };
    let rows: Vec<&KeyValue> = rows.iter().collect();
    let ours = values_by_key(&mut request.servers[from].open().await?, subject, key, &rows).await?;
    let theirs = values_by_key(&mut request.servers[to].open().await?, subject, key, &rows).await?;
    let (table, columns) = (&subject.tables[to], subject.rows.columns.as_slice());
    let statement = |row: &KeyValue| match (ours.get(row), theirs.get(row)) {
        (Some(ours), Some(theirs)) => update(table, key, row, columns, ours, theirs),
        (Some(ours), None) => insert(table, columns, ours),
        (None, Some(_)) => format!("DELETE FROM {} WHERE {};", quoted_table(&table.name), key.is_one_of(&[row])),
        (None, None) => "-- on neither side by now".to_owned(),
    };
    Ok(rows.into_iter().map(statement).collect())
}
