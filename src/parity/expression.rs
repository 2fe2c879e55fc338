//! A row as text: the expression that both servers compute, so that equal texts mean equal rows and nothing else does.
//!
//! The text of a row is its columns joined by `#`, then the length of each column in which a `#` could stand, then one digit
//! for each column that is NULL. Read from its end it can be taken apart in one way only. The join is binary, so that no
//! collation has a say. Numbers are written exactly, moments in UTC, text as UTF-8; values that may be large are represented
//! by their SHA-256, so that a row's text stays far below `max_allowed_packet`, above which a server would answer NULL.

use super::table::{Column, Table, quoted};
use crate::names::TableName;
use crate::spec::{Parity, Rule};

/// One column of both sides, and how its value becomes text on each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The column's name, as legacy writes it.
    pub name: String,
    /// The value as text, exact enough to write it again.
    pub value: String,
    /// What stands in for the value in the row's text.
    piece: Piece,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A text in which no `#` can stand.
    Plain(String),
    /// A text in which anything can stand.
    Measured(String),
}

/// Both sides' columns of one table, brought together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The columns that are compared, in legacy's order.
    pub columns: Vec<Compared>,
}

/// Why two tables cannot be compared row by row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// A column is on one side only.
    #[error("columns {missing:?} are on one side only; add them to the other side, or to `validation.parity.exclude`")]
    Columns {
        /// Their names.
        missing: Vec<String>,
    },
    /// A rule names a column that is not there.
    #[error("`validation.parity` names column {column}, which {table} does not have")]
    Unknown {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
}

/// Brings the columns of a table's two sides together.
///
/// # Errors
/// Columns that are on one side only, or that a rule names in vain.
pub fn rows(legacy: &Table, target: &Table, rules: &Parity) -> Result<Rows, Unlike> {
    let table = legacy.name.to_string();
    let excluded: Vec<&String> = rules.exclude.iter().filter(|rule| rule.table == table).flat_map(|rule| &rule.columns).collect();
    let normalised: Vec<(&String, Rule)> = rules
        .normalise
        .iter()
        .filter(|rule| rule.table == table)
        .flat_map(|rule| rule.columns.iter().map(|column| (column, rule.rule)))
        .collect();
    let named = excluded.iter().copied().chain(normalised.iter().map(|(column, _)| *column));
    for column in named {
        if legacy.column(column).is_none() && target.column(column).is_none() {
            return Err(Unlike::Unknown { table: legacy.name.clone(), column: column.clone() });
        }
    }
    let counts = |column: &&Column| !excluded.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
    let one_sided = |these: &Table, those: &Table| -> Vec<String> {
        let lonely = these.columns.iter().filter(counts).filter(|column| those.column(&column.name).is_none());
        lonely.map(|column| column.name.clone()).collect()
    };
    let missing = [one_sided(legacy, target), one_sided(target, legacy)].concat();
    if !missing.is_empty() {
        return Err(Unlike::Columns { missing });
    }
    let both = legacy.columns.iter().filter(counts).filter_map(|column| Some((column, target.column(&column.name)?)));
    let columns = both.map(|(ours, theirs)| {
        let own: Vec<Rule> =
            normalised.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&ours.name)).map(|(_, rule)| *rule).collect();
        compared(ours, theirs, &own)
    });
    Ok(Rows { columns: columns.collect() })
}

fn compared(ours: &Column, theirs: &Column, rules: &[Rule]) -> Compared {
    let mut value = exact(ours, theirs);
    for rule in rules {
        value = normalised(&value, *rule);
    }
    let piece = match kind(ours).max(kind(theirs)) {
        Kind::Moment | Kind::Number => Piece::Plain(value.clone()),
        Kind::Text | Kind::Bytes => Piece::Measured(value.clone()),
        Kind::LongText | Kind::LongBytes => Piece::Plain(format!("SHA2({value},256)")),
    };
    Compared { name: ours.name.clone(), value, piece }
}

/// What a type is to a row's text. Ordered: of two sides' kinds, the more demanding one rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Digits, signs, a point, an exponent.
    Number,
    /// Digits, hyphens, colons, spaces.
    Moment,
    /// At most a row long.
    Text,
    /// At most a row long.
    Bytes,
    /// Possibly longer than a packet.
    LongText,
    /// Possibly longer than a packet.
    LongBytes,
}

pub(super) fn kind(column: &Column) -> Kind {
    match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "bit" | "year" => Kind::Number,
        "date" | "datetime" | "timestamp" | "time" => Kind::Moment,
        "char" | "varchar" | "enum" | "set" => Kind::Text,
        "binary" | "varbinary" => Kind::Bytes,
        "tinytext" | "text" | "mediumtext" | "longtext" | "json" => Kind::LongText,
        // BLOBs, geometries and vectors; a type that is not known yet is safe as bytes.
        _ => Kind::LongBytes,
    }
}

/// The value as exact text, the same on both sides wherever the values are the same, although the types may differ.
fn exact(ours: &Column, theirs: &Column) -> String {
    let name = quoted(&ours.name);
    let same_type = ours.column_type == theirs.column_type;
    let either = |types: &[&str]| types.contains(&ours.data_type.as_str()) || types.contains(&theirs.data_type.as_str());
    match kind(ours).max(kind(theirs)) {
        // In text a FLOAT has six digits; as a DOUBLE it has as many as tell it from its neighbours. Adding 0 makes -0 a 0.
        Kind::Number if either(&["float", "double"]) => format!("({name}+0e0)"),
        Kind::Number if either(&["decimal"]) && !same_type => {
            let scale = ours.scale.max(theirs.scale).unwrap_or(0);
            format!("CAST({name} AS DECIMAL(65,{scale}))")
        }
        // A BIT would be bytes, and ZEROFILL would be digits of form only.
        Kind::Number if either(&["bit"]) || ours.column_type.contains("zerofill") || theirs.column_type.contains("zerofill") => {
            format!("({name}+0)")
        }
        Kind::Moment if !same_type && either(&["datetime", "timestamp"]) => format!("CAST({name} AS DATETIME(6))"),
        Kind::Moment if !same_type && either(&["time"]) => format!("CAST({name} AS TIME(6))"),
        Kind::Text | Kind::LongText => {
            let unicode = |column: &Column| matches!(column.charset.as_deref(), Some("utf8mb4" | "utf8mb3" | "utf8" | "ascii"));
            if unicode(ours) && unicode(theirs) { name } else { format!("CONVERT({name} USING utf8mb4)") }
        }
        Kind::Number | Kind::Moment | Kind::Bytes | Kind::LongBytes => name,
    }
}

fn normalised(value: &str, rule: Rule) -> String {
    match rule {
        // A cast to JSON sorts members and drops white space on MySQL, JSON_NORMALIZE does on MariaDB; each server reads its own
        // comment only. What is no JSON stays as it is.
        Rule::Json => {
            format!("COALESCE(/*M!100700 JSON_NORMALIZE({value}),*/ /*!80000 CAST(CAST({value} AS JSON) AS CHAR),*/ {value})")
        }
        Rule::TrailingSpaces => format!("TRIM(TRAILING ' ' FROM {value})"),
        Rule::Case => format!("LOWER(CONVERT({value} USING utf8mb4))"),
        // MySQL's cast would round and MariaDB's would cut: cutting the text is the same everywhere.
        Rule::FractionalSeconds => format!("SUBSTRING_INDEX({value},'.',1)"),
        Rule::SixDecimals => format!("ROUND({value},6)"),
    }
}

impl Rows {
    /// SHA-256 of the row's text, in hexadecimal.
    pub fn hash(&self) -> String {
        format!("SHA2({},256)", self.text())
    }

    /// The first 64 bits of that hash, as a number.
    pub fn cut_hash(&self) -> String {
        format!("CAST(CONV(LEFT({},16),16,10) AS UNSIGNED)", self.hash())
    }

    /// The row's text.
    pub fn text(&self) -> String {
        let mut pieces = vec!["_binary'#'".to_owned()];
        pieces.extend(self.columns.iter().map(|column| match &column.piece {
            Piece::Plain(text) | Piece::Measured(text) => text.clone(),
        }));
        pieces.extend(self.columns.iter().filter_map(|column| match &column.piece {
            Piece::Plain(_) => None,
            Piece::Measured(text) => Some(format!("LENGTH({text})")),
        }));
        let nulls: Vec<String> = self.columns.iter().map(|column| format!("ISNULL({})", quoted(&column.name))).collect();
        pieces.push(format!("CONCAT({})", nulls.join(",")));
        format!("CONCAT_WS({})", pieces.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Columns, Normalised};

    fn column(name: &str, column_type: &str) -> Column {
        let data_type = column_type.split(['(', ' ']).next().unwrap_or_default().to_owned();
        let is_text = matches!(data_type.as_str(), "char" | "varchar" | "text");
        Column {
            name: name.to_owned(),
            data_type,
            column_type: column_type.to_owned(),
            charset: is_text.then(|| "utf8mb4".to_owned()),
            collation: is_text.then(|| "utf8mb4_general_ci".to_owned()),
            scale: None,
        }
    }

    fn table(columns: Vec<Column>) -> Table {
        Table { name: TableName::new("payments", "t"), columns, key: None, estimated_rows: 0 }
    }

    #[test]
    fn the_text_of_a_row_can_be_taken_apart_in_one_way_only() {
        let both = table(vec![column("id", "bigint(20)"), column("a`b", "varchar(9)"), column("note", "text")]);
        let text = rows(&both, &both, &Parity::default()).expect("alike").text();
        let expected = "CONCAT_WS(_binary'#',`id`,`a``b`,SHA2(`note`,256),LENGTH(`a``b`),\
                        CONCAT(ISNULL(`id`),ISNULL(`a``b`),ISNULL(`note`)))";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_column_on_one_side_only_is_named_unless_it_is_excluded() {
        let legacy = table(vec![column("id", "int(11)"), column("old", "int(11)")]);
        let target = table(vec![column("id", "int(11)"), column("new", "int(11)")]);
        let missing = vec!["old".to_owned(), "new".to_owned()];
        assert_eq!(rows(&legacy, &target, &Parity::default()), Err(Unlike::Columns { missing: missing.clone() }));
        let exclude = vec![Columns { table: "payments.t".into(), columns: missing }];
        let compared = rows(&legacy, &target, &Parity { exclude, ..Parity::default() }).expect("alike but for these");
        assert_eq!(compared.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn a_rule_for_a_column_that_is_nowhere_is_refused() {
        let both = table(vec![column("id", "int(11)")]);
        let rule = Normalised { table: "payments.t".into(), columns: vec!["nme".into()], rule: Rule::Case };
        let refused = rows(&both, &both, &Parity { normalise: vec![rule], ..Parity::default() });
        assert!(matches!(refused, Err(Unlike::Unknown { column, .. }) if column == "nme"));
    }

    #[test]
    fn types_that_differ_in_form_meet_in_one_form() {
        let value = |ours: &str, theirs: &str| {
            let (ours, theirs) = (table(vec![column("c", ours)]), table(vec![column("c", theirs)]));
            rows(&ours, &theirs, &Parity::default()).expect("alike").columns[0].value.clone()
        };
        assert_eq!(value("datetime", "datetime(6)"), "CAST(`c` AS DATETIME(6))");
        assert_eq!(value("datetime(6)", "datetime(6)"), "`c`");
        assert_eq!(value("float", "double"), "(`c`+0e0)");
        assert_eq!(value("int(5) unsigned zerofill", "int(10) unsigned"), "(`c`+0)");
        assert_eq!(value("bit(64)", "bit(64)"), "(`c`+0)");
    }
}
