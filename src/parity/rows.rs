//! Single rows: their keys, their hashes, and their values.

use std::collections::BTreeMap;

use mysql_async::Row;

use super::chunks::{KeyValue, Range, SharedKey};
use super::fold::Subject;
use super::server::{Hand, texts};
use crate::fault::Fault;

/// So many keys stand in one condition: enough that the round trip does not matter, few enough for any optimiser.
const KEYS_AT_ONCE: usize = 200;

/// Rows by key, each with the SHA-256 of its text.
pub type Hashes = BTreeMap<KeyValue, String>;

/// A row's values as text, in the order of the subject's columns; `None` is NULL.
pub type Values = Vec<Option<Vec<u8>>>;

/// The keys and hashes of a range's rows.
///
/// # Errors
/// A fault, where the server does not answer.
pub async fn hashes_of(hand: &mut Hand, subject: &Subject, key: &SharedKey, range: &Range) -> Result<Hashes, Fault> {
    hashes_where(hand, subject, key, &key.condition(range)).await
}

/// The hashes of those of `keys` that are there.
///
/// # Errors
/// As [`hashes_of`].
pub async fn hashes_by_key(hand: &mut Hand, subject: &Subject, key: &SharedKey, keys: &[&KeyValue]) -> Result<Hashes, Fault> {
    let mut found = Hashes::new();
    for some in keys.chunks(KEYS_AT_ONCE) {
        found.extend(hashes_where(hand, subject, key, &key.is_one_of(some)).await?);
    }
    // Under its collation a key may find another that is written otherwise, which was not asked for.
    found.retain(|key, _| keys.binary_search(&key).is_ok());
    Ok(found)
}

async fn hashes_where(hand: &mut Hand, subject: &Subject, key: &SharedKey, condition: &str) -> Result<Hashes, Fault> {
    let statement = format!(
        "SELECT {}, {} FROM {} WHERE {condition}{}",
        subject.rows.hash(),
        key.values(),
        subject.source(hand.index()),
        subject.and_counts()
    );
    let rows: Vec<Row> = hand.rows(&format!("read rows of {}", subject.tables[0].name), &statement).await?;
    Ok(rows.into_iter().map(|row| split(key, row, 1)).map(|(key, values)| (key, text(values))).collect())
}

/// The values of those of `keys` that are there.
///
/// # Errors
/// As [`hashes_of`].
pub async fn values_by_key(
    hand: &mut Hand,
    subject: &Subject,
    key: &SharedKey,
    keys: &[&KeyValue],
) -> Result<BTreeMap<KeyValue, Values>, Fault> {
    let columns: Vec<&str> = subject.rows.columns.iter().map(|column| column.value.as_str()).collect();
    let mut found = BTreeMap::new();
    for some in keys.chunks(KEYS_AT_ONCE) {
        let statement = format!(
            "SELECT {}, {} FROM {} WHERE {}",
            columns.join(", "),
            key.values(),
            subject.source(hand.index()),
            key.is_one_of(some)
        );
        let rows: Vec<Row> = hand.rows(&format!("read rows of {}", subject.tables[0].name), &statement).await?;
        found.extend(rows.into_iter().map(|row| split(key, row, columns.len())));
    }
    found.retain(|key, _| keys.contains(&key));
    Ok(found)
}

/// The key of the row after a key, for a chunk of `rows` rows.
///
/// # Errors
/// As [`hashes_of`].
pub async fn next_bound(
    hand: &mut Hand,
    subject: &Subject,
    key: &SharedKey,
    within: &Range,
    rows: u32,
) -> Result<Option<KeyValue>, Fault> {
    let source = subject.source(hand.index());
    let statement = key.next_bound(&source, within.after.as_ref(), within.through.as_ref(), rows);
    let row: Option<Row> = hand.first(&format!("find a chunk of {}", subject.tables[0].name), &statement).await?;
    Ok(row.map(|row| split(key, row, 0).0))
}

/// Parts a row into its key, which stands last, and the `before` values before it.
fn split(key: &SharedKey, row: Row, before: usize) -> (KeyValue, Values) {
    let mut values = texts(row);
    let key_values = values.split_off(before);
    let literals = key.columns.iter().zip(key_values).map(|(column, value)| column.form.literal(&value.unwrap_or_default()));
    (KeyValue(literals.collect()), values)
}

fn text(values: Values) -> String {
    let value = values.into_iter().next().flatten().unwrap_or_default();
    String::from_utf8_lossy(&value).into_owned()
}
