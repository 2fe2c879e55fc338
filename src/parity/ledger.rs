//! The books: counts and sums, group by group, equal on both sides; and values that must not stand twice.
//!
//! Rows may be equal one by one and still not be what the business counts; and a book that does not balance says in one line
//! what a thousand differing rows would not.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Row;

use super::passage::{Passage, Passed};
use super::recheck::{Both, Doubts, Finding, judge};
use super::report::{BookReport, Verdict};
use super::server::{Hand, Server, texts};
use super::table::{quoted, quoted_table};
use crate::fault::Fault;
use crate::names::{Side, TableName};
use crate::spec::{Columns, Ledger};

/// Groups or values that a report shows.
const SHOWN: usize = 20;

/// The name of a spec's `schema.table`.
pub fn table_name(text: &str) -> TableName {
    let (schema, table) = text.split_once('.').unwrap_or(("", text));
    TableName::new(schema, table)
}

/// The statement that sums a ledger: for each group its name, its count and its sums.
fn sums_statement(book: &Ledger, declared: &[String]) -> String {
    // Grouped by its bytes: a collation would put `eur` and `EUR` into one group, on one side perhaps.
    let plain = book.group_by.iter().map(|column| format!("CAST({} AS BINARY)", quoted(column)));
    let days = book.group_by_day.iter().map(|column| format!("DATE({})", quoted(column)));
    let groups: Vec<String> = plain.chain(days).collect();
    let sums = book.sums.iter().map(|column| format!("SUM({})", quoted(column)));
    let selected: Vec<String> = groups.iter().cloned().chain(["COUNT(*)".to_owned()]).chain(sums).collect();
    let conditions: Vec<String> = declared.iter().map(|condition| format!("NOT COALESCE(({condition}), FALSE)")).collect();
    let condition = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let grouping = if groups.is_empty() { String::new() } else { format!(" GROUP BY {}", groups.join(", ")) };
    format!("SELECT {} FROM {}{condition}{grouping}", selected.join(", "), quoted_table(&table_name(&book.table)))
}

/// The groups of a ledger on one side, each with its count and sums as one text.
async fn sums(hand: &mut Hand, book: &Ledger, declared: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let rows: Vec<Row> = hand.rows_of_whole(&format!("sum the ledger {:?}", book.name), &sums_statement(book, declared)).await?;
    let word = |value: Option<Vec<u8>>| {
        value.map_or("NULL".to_owned(), |value| String::from_utf8_lossy(&value).escape_debug().to_string())
    };
    let groups = book.group_by.len() + book.group_by_day.len();
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut words: Vec<String> = texts(row).into_iter().map(word).collect();
            let numbers = words.split_off(groups);
            let names = ["count".to_owned()].into_iter().chain(book.sums.iter().map(|column| format!("sum of {column}")));
            let told: Vec<String> = names.zip(numbers).map(|(name, number)| format!("{name} {number}")).collect();
            (if words.is_empty() { "all rows".to_owned() } else { words.join(" | ") }, told.join(", "))
        })
        .collect())
}

/// Whether a ledger balances. Groups that differ are looked at again after everything has arrived, as rows are, as often as
/// `looks` says.
pub async fn balance(
    servers: &[Server; 2],
    source: Side,
    passage: &dyn Passage,
    book: &Ledger,
    declared: &[String],
    looks: u32,
) -> BookReport {
    match try_balance(servers, source, passage, book, declared, looks).await {
        Ok(report) => report,
        Err(fault) => unknown(&book.name, &fault),
    }
}

fn unknown(name: &str, fault: &Fault) -> BookReport {
    BookReport { name: name.to_owned(), verdict: Verdict::Unknown, groups: 0, sample: Vec::new(), notes: vec![fault.to_string()] }
}

async fn try_balance(
    servers: &[Server; 2],
    source: Side,
    passage: &dyn Passage,
    book: &Ledger,
    declared: &[String],
    looks: u32,
) -> Result<BookReport, Fault> {
    let mut hands = [servers[0].open().await?, servers[1].open().await?];
    let [legacy, target] = &mut hands;
    let (ours, theirs) = tokio::join!(sums(legacy, book, declared), sums(target, book, declared));
    let (ours, theirs) = (ours?, theirs?);
    let groups: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let count = groups.len();
    let differing = groups.into_iter().filter(|group| ours.get(*group) != theirs.get(*group));
    let mut doubts: Doubts<String> = differing.map(|group| (group.clone(), None)).collect();
    let mut certain: BTreeMap<String, Both> = BTreeMap::new();
    let (from, to) = match source {
        Side::Legacy => (0, 1),
        Side::Target => (1, 0),
    };
    for _ in 0..looks {
        if doubts.is_empty() {
            break;
        }
        let before = sums(&mut hands[from], book, declared).await?;
        let passed = passage.pass(source).await?;
        let other = sums(&mut hands[to], book, declared).await?;
        let after = sums(&mut hands[from], book, declared).await?;
        for (group, last) in std::mem::take(&mut doubts) {
            match judge(source, before.get(&group), other.get(&group), after.get(&group), last.as_ref()) {
                Finding::Equal => {}
                _ if passed == Passed::NotYet => drop(doubts.insert(group, None)),
                Finding::Certain(both) => drop(certain.insert(group, both)),
                Finding::Open(seen) => drop(doubts.insert(group, seen)),
            }
        }
    }
    let absent = || "nothing".to_owned();
    let line = |(group, [legacy, target]): (&String, &Both)| {
        format!(
            "{group}: {} on legacy, {} on target",
            legacy.clone().unwrap_or_else(absent),
            target.clone().unwrap_or_else(absent)
        )
    };
    let notes = match doubts.len() {
        0 => Vec::new(),
        some => vec![format!("{some} groups kept changing while they were compared: {}", first(doubts.keys()))],
    };
    let verdict = match (certain.is_empty(), doubts.is_empty()) {
        (false, _) => Verdict::Differs,
        (true, false) => Verdict::Unknown,
        (true, true) => Verdict::Equal,
    };
    Ok(BookReport {
        name: book.name.clone(),
        verdict,
        groups: u64::try_from(count).unwrap_or(u64::MAX),
        sample: certain.iter().take(SHOWN).map(line).collect(),
        notes,
    })
}

fn first<'a>(groups: impl Iterator<Item = &'a String>) -> String {
    groups.take(SHOWN).cloned().collect::<Vec<_>>().join("; ")
}

/// Whether columns hold no value twice, byte for byte, on either side. Values with a NULL are not held against each other.
pub async fn unique(servers: &[Server; 2], columns: &Columns) -> BookReport {
    let name = format!("{} ({})", columns.table, columns.columns.join(", "));
    match twice(servers, columns).await {
        Ok(sample) => {
            let verdict = if sample.is_empty() { Verdict::Equal } else { Verdict::Differs };
            BookReport { name, verdict, groups: 0, sample, notes: Vec::new() }
        }
        Err(fault) => unknown(&name, &fault),
    }
}

async fn twice(servers: &[Server; 2], columns: &Columns) -> Result<Vec<String>, Fault> {
    let names: Vec<String> = columns.columns.iter().map(|column| quoted(column)).collect();
    let bytes: Vec<String> = names.iter().map(|name| format!("CAST({name} AS BINARY)")).collect();
    let present: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    let statement = format!(
        "SELECT {bytes}, COUNT(*) FROM {} WHERE {} GROUP BY {bytes} HAVING COUNT(*) > 1 LIMIT {SHOWN}",
        quoted_table(&table_name(&columns.table)),
        present.join(" AND "),
        bytes = bytes.join(", ")
    );
    let mut sample = Vec::new();
    for server in servers {
        let attempted = format!("count values of {}", columns.table);
        let rows: Vec<Row> = server.open().await?.rows_of_whole(&attempted, &statement).await?;
        sample.extend(rows.into_iter().map(|row| {
            let words: Vec<String> = texts(row)
                .into_iter()
                .flatten()
                .map(|value| String::from_utf8_lossy(&value).escape_debug().to_string())
                .collect();
            let (count, value) =
                words.split_last().map_or((String::new(), String::new()), |(last, rest)| (last.clone(), rest.join(", ")));
            format!("({value}) stands {count} times on {}", server.side)
        }));
    }
    Ok(sample)
}
