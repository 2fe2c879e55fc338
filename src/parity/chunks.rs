//! A table in chunks of its key: conditions that cover every key exactly once, and that a server answers by its index.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::expression::{Kind, kind};
use super::table::{Table, quoted, quoted_table};

/// One column of the key that both sides are read by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: String,
    /// How its values are written in SQL.
    pub form: Form,
}

/// How a value of a key is written in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Digits as they are.
    Number,
    /// A moment between quotes.
    Moment,
    /// UTF-8 in hexadecimal, which no setting of a session can read otherwise; the column's collation decides.
    Text,
    /// Bytes in hexadecimal.
    Bytes,
}

impl Form {
    /// A value as the server sent it, written for a statement.
    pub fn literal(self, value: &[u8]) -> String {
        let hexadecimal = || value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Number => String::from_utf8_lossy(value).into_owned(),
            Self::Moment => format!("'{}'", String::from_utf8_lossy(value)),
            Self::Text if value.is_empty() => "_utf8mb4''".to_owned(),
            Self::Bytes if value.is_empty() => "_binary''".to_owned(),
            Self::Text => format!("_utf8mb4 0x{}", hexadecimal()),
            Self::Bytes => format!("_binary 0x{}", hexadecimal()),
        }
    }
}

/// The key by which both sides of a table are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedKey {
    /// Its columns, in the index's order.
    pub columns: Vec<KeyColumn>,
    /// The index on legacy and on target.
    indexes: [String; 2],
}

/// One value of a key: an SQL literal for each of its columns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyValue(pub Vec<String>);

/// For lists that people read, where 9 stands before 10. What comes first in a table only its server knows.
impl Ord for KeyValue {
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = self.0.iter().map(|literal| (literal.len(), literal));
        ours.cmp(other.0.iter().map(|literal| (literal.len(), literal)))
    }
}

impl PartialOrd for KeyValue {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The keys behind `after`, up to and with `through`; without a bound it is open on that side.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Range {
    /// The last key before it.
    pub after: Option<KeyValue>,
    /// Its last key.
    pub through: Option<KeyValue>,
}

/// The key that orders both sides alike, or why there is none.
///
/// # Errors
/// A sentence for the report.
pub fn shared_key(legacy: &Table, target: &Table) -> Result<SharedKey, String> {
    let ours = legacy.key.as_ref().ok_or("legacy has no primary key and no unique key without NULL")?;
    let theirs = target.key.as_ref().ok_or("target has no primary key and no unique key without NULL")?;
    let same = ours.columns.len() == theirs.columns.len()
        && ours.columns.iter().zip(&theirs.columns).all(|(a, b)| a.eq_ignore_ascii_case(b));
    if !same {
        return Err(format!("the keys differ: {:?} on legacy, {:?} on target", ours.columns, theirs.columns));
    }
    let columns = ours.columns.iter().map(|name| {
        let (Some(a), Some(b)) = (legacy.column(name), target.column(name)) else {
            return Err(format!("key column {name} is not stored"));
        };
        if a.collation != b.collation {
            return Err(format!("key column {name} is sorted by {:?} on legacy and {:?} on target", a.collation, b.collation));
        }
        let form = match (a.data_type.as_str(), kind(a)) {
            // The index sorts these by position in their definition, a comparison with text by the text.
            ("enum" | "set", _) => return Err(format!("key column {name} is an {}", a.data_type.to_uppercase())),
            (_, Kind::Number) => Form::Number,
            (_, Kind::Moment) => Form::Moment,
            (_, Kind::Text | Kind::LongText) => Form::Text,
            (_, Kind::Bytes) => Form::Bytes,
            (_, Kind::LongBytes) => return Err(format!("key column {name} is of the type {}", a.data_type)),
        };
        if kind(a) != kind(b) {
            return Err(format!("key column {name} is {} on legacy and {} on target", a.column_type, b.column_type));
        }
        Ok(KeyColumn { name: name.clone(), form })
    });
    Ok(SharedKey { columns: columns.collect::<Result<_, _>>()?, indexes: [ours.index.clone(), theirs.index.clone()] })
}

impl SharedKey {
    /// The columns as a list for SELECT and ORDER BY.
    pub fn list(&self) -> String {
        self.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
    }

    /// The columns' values, exactly, as a list for SELECT.
    pub fn values(&self) -> String {
        let value = |column: &KeyColumn| match column.form {
            // A BIT would come as bytes, and a FLOAT with six digits only.
            Form::Number => format!("{}+0", quoted(&column.name)),
            Form::Moment | Form::Text | Form::Bytes => quoted(&column.name),
        };
        self.columns.iter().map(value).collect::<Vec<_>>().join(", ")
    }

    /// The table, read by this key on legacy (0) or target (1): left to itself, an optimiser may prefer another index.
    pub fn source(&self, table: &Table, side: usize) -> String {
        format!("{} FORCE INDEX ({})", quoted_table(&table.name), quoted(&self.indexes[side]))
    }

    /// The condition that holds for the keys of `range`.
    pub fn condition(&self, range: &Range) -> String {
        let mut conditions = Vec::new();
        if let Some(after) = &range.after {
            conditions.extend(self.beyond(after, ">", false));
        }
        if let Some(through) = &range.through {
            conditions.extend(self.beyond(through, "<", true));
        }
        if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") }
    }

    /// `(a, b) > (1, 2)` in the form that the range optimiser understands: `a >= 1 AND (a > 1 OR (a = 1 AND b > 2))`.
    fn beyond(&self, key: &KeyValue, direction: &str, with_key: bool) -> Vec<String> {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.name)).collect();
        let last = names.len().saturating_sub(1);
        let alternatives: Vec<String> = (0..names.len())
            .map(|at| {
                let equal = (0..at).map(|before| format!("{} = {}", names[before], key.0[before]));
                let or_equal = if with_key && at == last { "=" } else { "" };
                let beyond = format!("{} {direction}{or_equal} {}", names[at], key.0[at]);
                equal.chain([beyond]).collect::<Vec<_>>().join(" AND ")
            })
            .collect();
        match alternatives.as_slice() {
            [only] => vec![only.clone()],
            several => {
                vec![format!("{} {direction}= {}", names[0], key.0[0]), format!("(({}))", several.join(") OR ("))]
            }
        }
    }

    /// The condition that holds for exactly these keys (as far as their collation tells keys apart).
    pub fn is_one_of(&self, keys: &[&KeyValue]) -> String {
        let one = |key: &&KeyValue| {
            let equal = self.columns.iter().zip(&key.0).map(|(column, value)| format!("{} = {value}", quoted(&column.name)));
            format!("({})", equal.collect::<Vec<_>>().join(" AND "))
        };
        format!("({})", keys.iter().map(one).collect::<Vec<_>>().join(" OR "))
    }

    /// Selects the last key of the chunk of `rows` rows behind `after`; no row means that fewer are left.
    pub fn next_bound(&self, source: &str, after: Option<&KeyValue>, through: Option<&KeyValue>, rows: u32) -> String {
        let range = Range { after: after.cloned(), through: through.cloned() };
        format!(
            "SELECT {} FROM {source} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
            self.values(),
            self.condition(&range),
            self.list(),
            rows.saturating_sub(1)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn key(columns: usize) -> SharedKey {
        let columns = (0..columns).map(|at| KeyColumn { name: format!("k{at}"), form: Form::Number });
        SharedKey { columns: columns.collect(), indexes: ["PRIMARY".into(), "PRIMARY".into()] }
    }

    /// A table of these keys in a database that speaks enough of the same SQL.
    fn table(keys: &BTreeSet<Vec<i64>>, columns: usize) -> rusqlite::Connection {
        let db = rusqlite::Connection::open_in_memory().expect("a database");
        let names: Vec<String> = (0..columns).map(|at| format!("k{at} INTEGER")).collect();
        db.execute(&format!("CREATE TABLE t ({})", names.join(", ")), []).expect("a table");
        for key in keys {
            let values: Vec<String> = key.iter().map(i64::to_string).collect();
            db.execute(&format!("INSERT INTO t VALUES ({})", values.join(", ")), []).expect("a row");
        }
        db
    }

    fn rows(db: &rusqlite::Connection, sql: &str, columns: usize) -> Vec<Vec<i64>> {
        let mut statement = db.prepare(sql).expect("SQL");
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| row.get(at)).collect::<Result<Vec<i64>, _>>();
        statement.query_map([], row).expect("rows").collect::<Result<_, _>>().expect("numbers")
    }

    /// Every range that a comparison would read.
    fn ranges(db: &rusqlite::Connection, key: &SharedKey, chunk: u32) -> Vec<Range> {
        let mut ranges = Vec::new();
        let mut after: Option<KeyValue> = None;
        loop {
            let found = rows(db, &key.next_bound("t", after.as_ref(), None, chunk), key.columns.len());
            let through = found.first().map(|values| KeyValue(values.iter().map(i64::to_string).collect()));
            ranges.push(Range { after, through: through.clone() });
            match through {
                Some(bound) => after = Some(bound),
                None => return ranges,
            }
        }
    }

    proptest! {
        #[test]
        fn chunks_cover_every_key_of_either_side_exactly_once(
            (columns, ours, theirs) in (1_usize..4).prop_flat_map(|columns| {
                let keys = || prop::collection::btree_set(prop::collection::vec(-3_i64..4, columns), 0..40);
                (Just(columns), keys(), keys())
            }),
            chunk in 1_u32..9,
        ) {
            let key = key(columns);
            let legacy = table(&ours, columns);
            let ranges = ranges(&legacy, &key, chunk);
            for (side, keys) in [(&legacy, &ours), (&table(&theirs, columns), &theirs)] {
                let mut seen = Vec::new();
                for range in &ranges {
                    seen.extend(rows(side, &format!("SELECT * FROM t WHERE {}", key.condition(range)), columns));
                }
                seen.sort();
                prop_assert_eq!(&seen, &keys.iter().cloned().collect::<Vec<_>>());
            }
        }

        #[test]
        fn exactly_the_keys_that_are_asked_for_are_found(
            keys in prop::collection::btree_set(prop::collection::vec(-3_i64..4, 2), 1..20), every in 1_usize..4
        ) {
            let wanted: Vec<Vec<i64>> = keys.iter().step_by(every).cloned().collect();
            let values: Vec<KeyValue> = wanted.iter().map(|key| KeyValue(key.iter().map(i64::to_string).collect())).collect();
            let condition = key(2).is_one_of(&values.iter().collect::<Vec<_>>());
            let mut found = rows(&table(&keys, 2), &format!("SELECT * FROM t WHERE {condition}"), 2);
            found.sort();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_value_of_a_key_cannot_leave_its_literal() {
        assert_eq!(Form::Text.literal(b"a' OR '1"), "_utf8mb4 0x6127204f52202731");
        assert_eq!(Form::Bytes.literal(&[0, 255]), "_binary 0x00ff");
        assert_eq!(Form::Number.literal(b"18446744073709551615"), "18446744073709551615");
        assert_eq!(Form::Text.literal(b""), "_utf8mb4''");
    }
}
