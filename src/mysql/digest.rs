//! The controller's quick look at the rows: each table folded by the server into a count and a checksum.
//!
//! XOR of a linear checksum would miss two values exchanged between rows (`reference/database.md` §4), so that each row goes
//! through SHA-256. A NULL and the length of each value are part of it, so that no two rows read alike.

use std::collections::BTreeSet;

use super::session::{Session, quoted_name, quoted_text};
use crate::database::{DigestScope, TableDigest};
use crate::fault::Problem;
use crate::names::TableName;

/// The column that says when a row was last changed, where a table has it.
const LAST_CHANGE: &str = "updated_at";

/// Digests one table.
///
/// # Errors
/// What the server answered.
pub async fn digest(session: &mut Session, table: &TableName, scope: DigestScope<'_>) -> Result<TableDigest, Problem> {
    let place = format!("{}.{}", quoted_name(&table.schema), quoted_name(&table.table));
    let columns = columns(session, table).await?;
    let key: Vec<&str> = columns.iter().filter(|column| column.is_key).map(|column| column.name.as_str()).collect();
    let recent = columns.iter().any(|column| column.name == LAST_CHANGE).then(|| {
        let before = scope.settled_before.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
        format!("{} >= {}", quoted_name(LAST_CHANGE), quoted_text(&before))
    });
    let declared = declared(table, scope);
    let unsettled: BTreeSet<String> = match &recent {
        Some(recent) if !key.is_empty() => {
            let rows = session.rows(&format!("SELECT {} FROM {place} WHERE {recent}", folded_key(&key)), ()).await?;
            rows.into_iter().collect()
        }
        _ => BTreeSet::new(),
    };
    let mut conditions: Vec<String> = recent.into_iter().map(|recent| format!("COALESCE({recent}, FALSE) = FALSE")).collect();
    if let Some(left_out) = scope.leave_out.get(table).filter(|keys| !keys.is_empty() && !key.is_empty()) {
        let keys: Vec<String> = left_out.iter().map(|key| quoted_text(key)).collect();
        conditions.push(format!("{} NOT IN ({})", folded_key(&key), keys.join(", ")));
    }
    let whole = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let row: Vec<String> = columns.iter().map(Column::folded).collect();
    let hash = format!("CAST(CONV(LEFT(SHA2(CONCAT({}), 256), 16), 16, 10) AS UNSIGNED)", row.join(", "));
    // A predicate that is NULL for a row does not declare it.
    let statement = format!(
        "SELECT COALESCE(SUM(expected = FALSE), 0), COALESCE(BIT_XOR(IF(expected, 0, hash)), 0), COALESCE(SUM(expected), 0) \
         FROM (SELECT COALESCE({declared}, FALSE) AS expected, {hash} AS hash FROM {place} WHERE {whole}) AS folded"
    );
    let answer: Vec<(u64, u64, u64)> = session.rows(&statement, ()).await?;
    let (rows, checksum, declared_rows) = answer.into_iter().next().unwrap_or_default();
    Ok(TableDigest { table: table.clone(), rows, checksum: format!("{checksum:016x}"), declared_rows, unsettled })
}

fn declared(table: &TableName, scope: DigestScope<'_>) -> String {
    let full_name = table.to_string();
    let ours = scope.declared.iter().filter(|writes| writes.table == full_name);
    let predicates: Vec<String> = ours.map(|writes| format!("({})", writes.predicate)).collect();
    if predicates.is_empty() { "FALSE".to_owned() } else { format!("({})", predicates.join(" OR ")) }
}

/// One column, as a digest needs it.
#[derive(Debug)]
struct Column {
    name: String,
    is_key: bool,
    is_bytes: bool,
}

impl Column {
    /// Its text with its length, or a word of its own for NULL. Text is compared in one character set; bytes as they are.
    fn folded(&self) -> String {
        let name = quoted_name(&self.name);
        let text = if self.is_bytes { format!("HEX({name})") } else { format!("CONVERT({name} USING utf8mb4)") };
        format!("COALESCE(CONCAT(LENGTH({text}), ':', {text}), 'NULL')")
    }
}

fn folded_key(key: &[&str]) -> String {
    let parts: Vec<String> = key.iter().map(|name| format!("CONVERT({} USING utf8mb4)", quoted_name(name))).collect();
    if let [only] = parts.as_slice() { only.clone() } else { format!("CONCAT_WS('/', {})", parts.join(", ")) }
}

async fn columns(session: &mut Session, table: &TableName) -> Result<Vec<Column>, Problem> {
    let statement = "SELECT column_name, column_key = 'PRI', \
                     data_type IN ('binary', 'varbinary', 'bit', 'tinyblob', 'blob', 'mediumblob', 'longblob') \
                     FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position";
    let rows: Vec<(String, u8, u8)> = session.rows(statement, (&table.schema, &table.table)).await?;
    if rows.is_empty() {
        return Err(Problem::NotFound { code: format!("1146, {table}") });
    }
    Ok(rows.into_iter().map(|(name, is_key, is_bytes)| Column { name, is_key: is_key == 1, is_bytes: is_bytes == 1 }).collect())
}
