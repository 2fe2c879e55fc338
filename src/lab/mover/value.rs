//! From the binary log's values to values that a statement takes, without a bit lost.

use jiff::Timestamp;
use mysql_async::Value;
use mysql_async::binlog::value::BinlogValue;

use super::table::{Column, Kind};

/// A value that this reader does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of column {column} cannot be read: {why}")]
pub struct Unreadable {
    /// Whose value.
    pub column: String,
    /// Why not.
    pub why: String,
}

/// The value of a column in a row of the binary log, as a statement takes it.
pub fn from_log(column: &Column, value: &BinlogValue<'_>) -> Result<Value, Unreadable> {
    let unreadable = |why: &str| Unreadable { column: column.name.clone(), why: why.to_owned() };
    let value = match value {
        BinlogValue::Value(value) => value.clone(),
        BinlogValue::Jsonb(_) | BinlogValue::JsonDiff(_) => return Err(unreadable("MySQL's binary JSON is not read here")),
    };
    Ok(match (column.kind, value) {
        (_, Value::NULL) => Value::NULL,
        (Kind::Plain, Value::Bytes(bytes)) if column.charset.is_some() => Value::Bytes(hexadecimal(&bytes)),
        (Kind::Signed(bytes), value) => Value::Int(signed(bits(&value).ok_or_else(|| unreadable("no integer"))?, bytes)),
        (Kind::Unsigned(bytes), value) => Value::UInt(unsigned(bits(&value).ok_or_else(|| unreadable("no integer"))?, bytes)),
        (Kind::Timestamp, Value::Bytes(text)) => timestamp(&text).ok_or_else(|| unreadable("no time"))?,
        (Kind::Binary(length), Value::Bytes(mut bytes)) => {
            bytes.resize(length.max(bytes.len()), 0);
            Value::Bytes(bytes)
        }
        (Kind::Year, Value::Bytes(text)) if text == b"1900" => Value::Int(0),
        (Kind::Bit, value) => bit(value),
        (Kind::Set, Value::Bytes(bytes)) => Value::UInt(folded(bytes.iter().rev())),
        (_, value) => value,
    })
}

/// The value of a column in a row of a `SELECT`, as a statement takes it.
pub fn from_select(column: &Column, value: Value) -> Value {
    match column.kind {
        Kind::Bit => bit(value),
        Kind::Signed(_) | Kind::Unsigned(_) | Kind::Binary(_) | Kind::Set | Kind::Timestamp | Kind::Year | Kind::Plain => value,
    }
}

/// The 64 bits of an integer, whatever sign the reader gave them.
fn bits(value: &Value) -> Option<u64> {
    match value {
        Value::Int(int) => Some(u64::from_ne_bytes(int.to_ne_bytes())),
        Value::UInt(int) => Some(*int),
        _ => None,
    }
}

fn unsigned(bits: u64, bytes: u32) -> u64 {
    let unused = 64 - 8 * bytes;
    bits << unused >> unused
}

/// The lowest `bytes` bytes with their own sign: the reader gives a negative MEDIUMINT as 2^24 too many.
fn signed(bits: u64, bytes: u32) -> i64 {
    let unused = 64 - 8 * bytes;
    i64::from_ne_bytes((bits << unused).to_ne_bytes()) >> unused
}

/// As a number, which compares and assigns alike; as bytes, a comparison would take it for text.
fn bit(value: Value) -> Value {
    match value {
        Value::Bytes(bytes) => Value::UInt(folded(bytes.iter())),
        other => other,
    }
}

fn hexadecimal(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>().into_bytes()
}

/// Bytes, the highest first, as a number.
fn folded<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// `1700000000.123456` as a date in UTC, which is the session's time zone. Zero is the zero date.
fn timestamp(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, micros) = text.split_once('.').unwrap_or((text, "0"));
    let (seconds, micros): (i64, u32) = (seconds.parse().ok()?, micros.parse().ok()?);
    if seconds == 0 && micros == 0 {
        return Some(Value::Date(0, 0, 0, 0, 0, 0, 0));
    }
    let at = Timestamp::from_second(seconds).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).ok();
    let (year, date, time) = (u16::try_from(at.year()).ok()?, at.date(), at.time());
    Some(Value::Date(
        year,
        part(date.month())?,
        part(date.day())?,
        part(time.hour())?,
        part(time.minute())?,
        part(time.second())?,
        micros,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_has_the_sign_of_its_column_and_not_of_its_reader() {
        assert_eq!(signed((1 << 24) - 1, 3), -1, "a MEDIUMINT that came 2^24 too large");
        assert_eq!(signed(bits(&Value::Int(-1)).expect("bits"), 3), -1);
        assert_eq!(unsigned(bits(&Value::Int(-1)).expect("bits"), 8), u64::MAX, "a BIGINT UNSIGNED that came as -1");
        assert_eq!(unsigned(bits(&Value::Int(-1)).expect("bits"), 3), (1 << 24) - 1);
        assert_eq!(signed(1 << 23, 3), -(1 << 23));
    }

    #[test]
    fn a_time_is_read_to_the_microsecond() {
        let read = timestamp(b"2147483647.999999").expect("a time");
        assert_eq!(read, Value::Date(2038, 1, 19, 3, 14, 7, 999_999));
        assert_eq!(timestamp(b"x"), None);
    }
}
