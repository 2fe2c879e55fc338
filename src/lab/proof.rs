//! What is true at the end, read from the servers themselves.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::mover::Trouble;
use super::mover::table::{Column, Kind, Shape, full_name, quoted};
use crate::names::TableName;

/// One table's rows, counted and folded into a checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RowsOf {
    /// The table.
    pub table: TableName,
    /// Rows counted.
    pub rows: u64,
    /// Their checksum, whatever their order: not linear, so that no two differences cancel each other out.
    pub checksum: String,
}

/// Folds every row of `tables`, each with all its columns.
pub async fn rows_of(connection: &mut Conn, tables: &[TableName]) -> Result<Vec<RowsOf>, Trouble> {
    let mut folded = Vec::with_capacity(tables.len());
    for table in tables {
        folded.push(fold(connection, table).await?);
    }
    Ok(folded)
}

async fn fold(connection: &mut Conn, table: &TableName) -> Result<RowsOf, Trouble> {
    let shape = Shape::of(connection, table).await?;
    // A NULL is no empty text, and a separator inside a value is in hexadecimal like the rest of it.
    let columns: Vec<String> = shape.columns.iter().map(|column| format!("IFNULL(HEX({}), 'N')", as_bytes(column))).collect();
    let row = format!("CONV(LEFT(SHA2(CONCAT_WS('.', {}), 256), 16), 16, 10)", columns.join(", "));
    let question = format!("SELECT COUNT(*), BIT_XOR(CAST({row} AS UNSIGNED)) FROM {}", full_name(table));
    let (rows, checksum): (u64, u64) = connection.query_first(question).await?.unwrap_or_default();
    Ok(RowsOf { table: table.clone(), rows, checksum: format!("{checksum:016x}") })
}

fn as_bytes(column: &Column) -> String {
    match column.kind {
        Kind::Bit => format!("CAST({} + 0 AS BINARY)", quoted(&column.name)),
        Kind::Signed(_) | Kind::Unsigned(_) | Kind::Binary(_) | Kind::Set | Kind::Timestamp | Kind::Year | Kind::Plain => {
            format!("CAST({} AS BINARY)", quoted(&column.name))
        }
    }
}
