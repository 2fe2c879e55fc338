//! The one number that somebody's query answers.

use mysql_async::{Row, Value};

use super::flavour::Family;
use super::session::Session;
use crate::fault::Problem;

/// A count that takes longer costs the server more than it is worth, once a minute.
const LONGEST_SECONDS: u32 = 5;

/// Asks, in a session that cannot write.
///
/// The query is prepared, of which a server accepts one statement only, and stands in the place of a table, where it accepts
/// nothing but what reads: no `CALL`, no `INTO OUTFILE`. A function that writes is refused by the session.
///
/// # Errors
/// `Invalid` where it is no SELECT of one number; otherwise what the server answered.
pub async fn ask(session: &mut Session, query: &str) -> Result<i64, Problem> {
    // Giving up waiting does not end a statement; this does.
    let ended = match session.flavour().family {
        Family::MariaDb => format!("SET SESSION max_statement_time = {LONGEST_SECONDS}"),
        Family::MySql80 | Family::MySql84 | Family::Aurora3 => {
            format!("SET SESSION max_execution_time = {}", LONGEST_SECONDS * 1000)
        }
    };
    session.run(&ended, ()).await?;
    // On a line of its own, so that a comment at the query's end ends there. Two rows are enough to see that it is not one.
    let rows: Vec<Row> = session.prepared_rows(&format!("SELECT * FROM (\n{query}\n) AS asked LIMIT 2")).await?;
    let found = match <[Row; 1]>::try_from(rows) {
        Ok([row]) => row.unwrap(),
        Err(rows) if rows.is_empty() => return Err(not_one("no row")),
        Err(_) => return Err(not_one("more than one row")),
    };
    match <[Value; 1]>::try_from(found) {
        Ok([value]) => whole(&value),
        Err(values) => Err(not_one(&format!("{} columns", values.len()))),
    }
}

fn whole(value: &Value) -> Result<i64, Problem> {
    let number = match value {
        Value::NULL => return Err(not_one("NULL; COALESCE makes a number of it")),
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        // Sums are decimals, and come as text.
        Value::Bytes(text) => std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()),
        Value::Float(_) | Value::Double(_) | Value::Date(..) | Value::Time(..) => None,
    };
    number.ok_or_else(|| not_one("something that is no whole number"))
}

fn not_one(what: &str) -> Problem {
    let message = format!("the query answered {what}; write a SELECT of one row with one whole number, such as a COUNT(*)");
    Problem::Invalid { code: "NotANumber".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_number_is_one() {
        let good = [Value::Int(-1), Value::UInt(7), Value::Bytes(b"12".to_vec())];
        assert_eq!(good.map(|value| whole(&value).ok()), [Some(-1), Some(7), Some(12)]);
        for wrong in
            [Value::NULL, Value::UInt(u64::MAX), Value::Double(1.5), Value::Bytes(b"1.5".to_vec()), Value::Bytes(vec![255])]
        {
            let problem = whole(&wrong).expect_err("it is no whole number");
            assert!(problem.to_string().contains("COUNT(*)"), "{problem}");
        }
    }
}
