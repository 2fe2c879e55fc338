//! Which numbers a side has given to its rows, and how its counters are raised above the other side's.
//!
//! A counter knows more than its table: the number of a row that was rolled back or deleted is given out all the same, and
//! somebody may have seen it. Replicated rows raise the other side's counter only to the highest row that arrived.

use std::collections::BTreeMap;

use super::markers::Home;
use super::session::{Session, quoted_name, quoted_text};
use crate::database::{Counter, Epoch, IdFloor, IdSpace, Stride};
use crate::fault::Problem;
use crate::names::TableName;

/// So many tables are asked for their highest number in one statement: far below what a server's parser accepts.
const TABLES_A_STATEMENT: usize = 100;

/// One row of the catalogue: schema, table, column, its type, the counter.
type Numbered = (String, String, String, String, Option<u64>);

/// Reads every counter of `schemas`.
///
/// # Errors
/// What the server answered.
pub async fn read(session: &mut Session, schemas: &[String]) -> Result<IdSpace, Problem> {
    let schemas: Vec<String> = schemas.iter().map(|schema| quoted_text(schema)).collect();
    let numbered = numbered(session, &format!("c.table_schema IN ({})", schemas.join(", "))).await?;
    let mut counters = BTreeMap::new();
    for some in numbered.chunks(TABLES_A_STATEMENT) {
        let highest = some.iter().enumerate().map(|(number, (schema, table, column, ..))| {
            let (column, place) = (quoted_name(column), place(schema, table));
            format!(
                "SELECT {number} AS number, CAST(GREATEST(COALESCE(MAX({column}), 0), 0) AS UNSIGNED) AS highest FROM {place}"
            )
        });
        let highest = highest.collect::<Vec<_>>().join(" UNION ALL ");
        let highest: BTreeMap<usize, u64> = session.rows::<(usize, u64)>(&highest, ()).await?.into_iter().collect();
        for (number, (schema, table, _, column_type, next)) in some.iter().enumerate() {
            let highest = highest.get(&number).copied().unwrap_or(0);
            // Before the first row some servers show no counter.
            let next = next.unwrap_or(1);
            counters.insert(TableName::new(schema, table), Counter { next, highest, maximum: maximum(column_type) });
        }
    }
    Ok(IdSpace { stride: stride(session).await?, counters })
}

/// What the application's sessions begin with; one that sets its own is nobody's to know.
async fn stride(session: &mut Session) -> Result<Stride, Problem> {
    let settings = "SELECT @@GLOBAL.auto_increment_increment, @@GLOBAL.auto_increment_offset";
    let rows: Vec<(u64, u64)> = session.rows(settings, ()).await?;
    let [(increment, offset)] = rows[..] else {
        return Err(Problem::Ambiguous { detail: "the distance of the server's numbers is empty".to_owned() });
    };
    Ok(Stride { increment, offset })
}

/// Raises the counters that are below their floors. None is ever lowered: ALTER TABLE would lower one as far as the rows allow.
///
/// # Errors
/// `Superseded`, or what the server answered; what was raised before stays raised, and the next try goes on from there.
pub async fn raise(session: &mut Session, home: &Home, epoch: Epoch, floors: &[IdFloor]) -> Result<(), Problem> {
    home.step_forward(session, epoch).await?;
    for IdFloor { table: TableName { schema, table }, next } in floors {
        let this = format!("c.table_schema = {} AND c.table_name = {}", quoted_text(schema), quoted_text(table));
        let now = numbered(session, &this).await?;
        if now.iter().any(|(.., counter)| counter.unwrap_or(1) < *next) {
            // In place, whatever the table's size; a storage engine that would copy it refuses.
            let raise = format!("ALTER TABLE {} AUTO_INCREMENT = {next}, ALGORITHM = INPLACE", place(schema, table));
            session.run(&raise, ()).await?;
        }
    }
    home.step_back(session).await
}

async fn numbered(session: &mut Session, which: &str) -> Result<Vec<Numbered>, Problem> {
    let live = session.dialect().live_counters;
    if !live.is_empty() {
        session.run(live, ()).await?;
    }
    let statement = format!(
        "SELECT c.table_schema, c.table_name, c.column_name, c.column_type, t.auto_increment FROM information_schema.columns c \
         JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.extra LIKE '%auto_increment%' AND {which}"
    );
    session.rows(&statement, ()).await
}

fn place(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted_name(schema), quoted_name(table))
}

/// The highest number that a column of this type holds: `int(10) unsigned`, `bigint`, ...
fn maximum(column_type: &str) -> u64 {
    let bits = match column_type.split(['(', ' ']).next().unwrap_or_default() {
        "tinyint" => 8,
        "smallint" => 16,
        // Whole numbers that a mantissa of 24 and 53 bits holds; both have a sign bit beside it.
        "mediumint" | "float" => 24,
        "int" => 32,
        "double" => 53,
        _ => 64,
    };
    let is_integer = !matches!(bits, 53) && !column_type.starts_with("float");
    let bits = if is_integer && !column_type.contains("unsigned") { bits - 1 } else { bits };
    u64::MAX >> (64 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_can_number_rows_has_its_end() {
        let ends = [
            ("tinyint(4)", 127),
            ("smallint(5) unsigned", 65_535),
            ("mediumint", 8_388_607),
            ("int(11)", 2_147_483_647),
            ("int unsigned", 4_294_967_295),
            ("bigint(20)", 9_223_372_036_854_775_807),
            ("bigint unsigned", u64::MAX),
            ("float", 16_777_215),
            ("double", 9_007_199_254_740_991),
        ];
        for (column_type, end) in ends {
            assert_eq!(maximum(column_type), end, "{column_type}");
        }
    }
}
