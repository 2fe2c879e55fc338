//! What the tables of one side look like, as its information_schema says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::server::Hand;
use crate::fault::Fault;
use crate::mysql::errors::classify;
use crate::names::TableName;

/// One column that is stored; generated columns follow from the others and are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `DATA_TYPE`, lower-case: `bigint`, `varchar`.
    pub data_type: String,
    /// `COLUMN_TYPE`, lower-case: `bigint(20) unsigned`.
    pub column_type: String,
    /// `CHARACTER_SET_NAME`; `None` for what is not text.
    pub charset: Option<String>,
    /// `COLLATION_NAME`; `None` for what is not text.
    pub collation: Option<String>,
    /// `NUMERIC_SCALE`; `None` for what is no number.
    pub scale: Option<u64>,
}

/// An index by which every row can be found: its columns are unique together and never NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `INDEX_NAME`; `PRIMARY` where there is a primary key.
    pub index: String,
    /// Its columns, in its order.
    pub columns: Vec<String>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    /// Its name.
    pub name: TableName,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// The key by which it is read, if it has one.
    pub key: Option<Key>,
    /// The server's own guess at its rows: for progress only.
    pub estimated_rows: u64,
}

impl Table {
    /// The column of this name; MySQL does not tell names of columns apart by case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

/// A name in backticks, whatever stands in it.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A table's name in backticks.
pub fn quoted_table(name: &TableName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.table))
}

/// Says what was attempted when a statement fails.
pub fn fault(attempted: impl Into<String>) -> impl FnOnce(mysql_async::Error) -> Fault {
    let attempted = attempted.into();
    move |error| Fault { problem: classify(&error), attempted }
}

const COLUMNS: &str = "\
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, COALESCE(t.TABLE_ROWS, 0) AS estimate, c.COLUMN_NAME, LOWER(c.DATA_TYPE), \
LOWER(c.COLUMN_TYPE), c.CHARACTER_SET_NAME, c.COLLATION_NAME, c.NUMERIC_SCALE, COALESCE(c.GENERATION_EXPRESSION, '') <> '' \
FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
WHERE t.TABLE_TYPE = 'BASE TABLE' AND c.TABLE_SCHEMA = ? ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION";

/// Unique indexes whose every part is a whole column that is never NULL. A part of an expression has no column name.
const KEYS: &str = "\
SELECT s.TABLE_SCHEMA, s.TABLE_NAME, s.INDEX_NAME, COALESCE(s.COLUMN_NAME, ''), \
s.COLUMN_NAME IS NOT NULL AND s.SUB_PART IS NULL AND s.NULLABLE <> 'YES' \
FROM information_schema.STATISTICS s WHERE s.NON_UNIQUE = 0 AND s.TABLE_SCHEMA = ? \
ORDER BY s.TABLE_NAME, s.INDEX_NAME <> 'PRIMARY', s.INDEX_NAME, s.SEQ_IN_INDEX";

type ColumnRow = (String, String, u64, String, String, String, Option<String>, Option<String>, Option<u64>, bool);

/// All tables of `schemas`, by name.
///
/// # Errors
/// A fault, where the server does not answer.
pub async fn tables(hand: &mut Hand, schemas: &[String]) -> Result<BTreeMap<TableName, Table>, Fault> {
    let mut tables = BTreeMap::new();
    for schema in schemas {
        let attempted = format!("read the tables of {schema}");
        let columns: Vec<ColumnRow> = hand.rows_for(&attempted, COLUMNS, (schema,)).await?;
        let keys: Vec<(String, String, String, String, bool)> = hand.rows_for(&attempted, KEYS, (schema,)).await?;
        for (schema, table, estimated_rows, name, data_type, column_type, charset, collation, scale, generated) in columns {
            let name_of_table = TableName { schema, table };
            let table = tables.entry(name_of_table.clone()).or_insert_with(|| Table {
                name: name_of_table,
                columns: Vec::new(),
                key: None,
                estimated_rows,
            });
            if !generated {
                table.columns.push(Column { name, data_type, column_type, charset, collation, scale });
            }
        }
        add_keys(&mut tables, keys);
    }
    Ok(tables)
}

/// Gives each table its primary key, or else its first fit unique index.
fn add_keys(tables: &mut BTreeMap<TableName, Table>, parts: Vec<(String, String, String, String, bool)>) {
    let mut indexes: Vec<(TableName, Key, bool)> = Vec::new();
    for (schema, table, index, column, fit) in parts {
        let name = TableName { schema, table };
        match indexes.last_mut() {
            Some((last, key, all_fit)) if *last == name && key.index == index => {
                key.columns.push(column);
                *all_fit &= fit;
            }
            _ => indexes.push((name, Key { index, columns: vec![column] }, fit)),
        }
    }
    for (name, key, fit) in indexes {
        if let Some(table) = tables.get_mut(&name)
            && table.key.is_none()
            && fit
            // A key over a generated column could not be compared by its columns.
            && key.columns.iter().all(|column| table.column(column).is_some())
        {
            table.key = Some(key);
        }
    }
}
