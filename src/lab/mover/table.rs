//! What a mover has to know of a table to read its rows from a binary log and to write them elsewhere.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use super::Trouble;
use crate::names::TableName;

/// How a column's value in the binary log differs from the value that a statement takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer of so many bytes. The log has its bits; the sign is known from the table only.
    Signed(u32),
    /// The same without a sign.
    Unsigned(u32),
    /// `BINARY(n)`: the log leaves trailing zeros out.
    Binary(usize),
    /// `BIT`: big-endian bytes.
    Bit,
    /// `SET`: a mask, little-endian.
    Set,
    /// `TIMESTAMP`: seconds since 1970, as text.
    Timestamp,
    /// `YEAR`: 0000 comes as 1900, which is no YEAR.
    Year,
    /// Everything else means the same in both places.
    Plain,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What has to be done to its values.
    pub kind: Kind,
    /// The character set that its text is stored in, where that is not what a session in utf8mb4 sends.
    pub charset: Option<String>,
    /// Whether the server computes it.
    pub origin: Origin,
}

/// Where a column's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A statement gives it.
    Given,
    /// The server computes it from the others.
    Generated,
}

/// A table, as its source has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Its name.
    pub name: TableName,
    /// All columns, in the order of the binary log.
    pub columns: Vec<Column>,
    /// Numbers of the columns of the primary key; all columns, where there is none.
    pub key: Vec<usize>,
}

/// Name, data type, column type, character set, bytes, extra and key of a column, as `information_schema` has them.
type ColumnRow = (String, String, String, Option<String>, Option<u64>, String, String);

/// Character sets whose bytes a session in utf8mb4 sends as they are.
const AS_SENT: [&str; 4] = ["utf8mb4", "utf8mb3", "utf8", "ascii"];

fn column((name, data_type, column_type, charset, octets, extra, _): ColumnRow) -> Column {
    Column {
        name,
        kind: kind(&data_type, &column_type, octets),
        charset: charset.filter(|charset| !AS_SENT.contains(&charset.as_str())),
        origin: if extra.to_uppercase().contains("GENERATED") { Origin::Generated } else { Origin::Given },
    }
}

/// `` `name` ``, with backticks inside doubled.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `` `schema`.`table` ``
pub fn full_name(name: &TableName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.table))
}

impl Shape {
    /// Asks `connection` for the shape of a table.
    pub async fn of(connection: &mut Conn, name: &TableName) -> Result<Self, Trouble> {
        let rows: Vec<ColumnRow> = connection
            .exec(
                "SELECT column_name, data_type, column_type, character_set_name, character_octet_length, extra, column_key \
                 FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
                (&name.schema, &name.table),
            )
            .await?;
        let mut key: Vec<usize> = (0..rows.len()).filter(|number| rows[*number].6 == "PRI").collect();
        if key.is_empty() {
            key = (0..rows.len()).collect();
        }
        Ok(Self { name: name.clone(), columns: rows.into_iter().map(column).collect(), key })
    }

    /// The columns that a statement gives, with their numbers.
    pub fn given(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.origin == Origin::Given)
    }

    /// `INSERT` or `REPLACE` of `rows` rows.
    pub fn insert(&self, verb: &str, rows: usize) -> String {
        let names: Vec<String> = self.given().map(|(_, column)| quoted(&column.name)).collect();
        let places: Vec<String> = self.given().map(|(_, column)| column.place()).collect();
        let row = format!("({})", places.join(", "));
        format!("{verb} INTO {} ({}) VALUES {}", full_name(&self.name), names.join(", "), vec![row; rows].join(", "))
    }

    /// `UPDATE` of one row, found by the key that it had.
    pub fn update(&self) -> String {
        let sets: Vec<String> =
            self.given().map(|(_, column)| format!("{} = {}", quoted(&column.name), column.place())).collect();
        format!("UPDATE {} SET {} WHERE {} LIMIT 1", full_name(&self.name), sets.join(", "), self.condition())
    }

    /// `DELETE` of one row, found by its key.
    pub fn delete(&self) -> String {
        format!("DELETE FROM {} WHERE {} LIMIT 1", full_name(&self.name), self.condition())
    }

    /// `SELECT` of one row, found by its key.
    pub fn find(&self) -> String {
        format!("SELECT 1 FROM {} WHERE {} LIMIT 1", full_name(&self.name), self.condition())
    }

    /// `SELECT` of all rows with all columns.
    pub fn read(&self) -> String {
        let read = |column: &Column| match &column.charset {
            Some(_) => format!("HEX({})", quoted(&column.name)),
            None => quoted(&column.name),
        };
        let names: Vec<String> = self.columns.iter().map(read).collect();
        format!("SELECT {} FROM {}", names.join(", "), full_name(&self.name))
    }

    fn condition(&self) -> String {
        let equal = |number: &usize| format!("{} <=> {}", quoted(&self.columns[*number].name), self.columns[*number].place());
        self.key.iter().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    /// The values that a statement gives, out of a whole row.
    pub fn given_of(&self, row: &[Value]) -> Vec<Value> {
        self.given().map(|(number, _)| row[number].clone()).collect()
    }

    /// The values of the key, out of a whole row.
    pub fn key_of(&self, row: &[Value]) -> Vec<Value> {
        self.key.iter().map(|number| row[*number].clone()).collect()
    }
}

impl Column {
    /// Where its value goes in a statement. Text in another character set goes as hexadecimal digits: its bytes are no
    /// text to this session.
    fn place(&self) -> String {
        match &self.charset {
            Some(charset) => format!("CONVERT(UNHEX(?) USING {charset})"),
            None => "?".to_owned(),
        }
    }
}

fn kind(data_type: &str, column_type: &str, octets: Option<u64>) -> Kind {
    let bytes = match data_type.to_lowercase().as_str() {
        "tinyint" => 1,
        "smallint" => 2,
        "mediumint" => 3,
        "int" => 4,
        "bigint" => 8,
        "binary" => return Kind::Binary(octets.and_then(|octets| usize::try_from(octets).ok()).unwrap_or(0)),
        "bit" => return Kind::Bit,
        "set" => return Kind::Set,
        "timestamp" => return Kind::Timestamp,
        "year" => return Kind::Year,
        _ => return Kind::Plain,
    };
    if column_type.to_lowercase().contains("unsigned") { Kind::Unsigned(bytes) } else { Kind::Signed(bytes) }
}
