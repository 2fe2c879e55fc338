//! Durations as an operator writes them: `30s`, `5m`, `48h`, `1h30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in whole milliseconds, never negative, at most 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(Duration);

/// Nothing in a migration takes a year; a longer one is a typing mistake.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl Period {
    /// A period of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The period as the standard library's duration.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whole hours, rounded up: what `binlog retention hours` wants.
    pub fn hours_rounded_up(self) -> u32 {
        u32::try_from(self.0.as_secs().div_ceil(3600)).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&spoken(self.0))
    }
}

/// A duration in the file's own form: `90s` is `1m30s`, zero is `0s`.
pub fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest, millis) = (seconds / 3600, seconds / 60 % 60, seconds % 60, duration.subsec_millis());
    let mut text = String::new();
    for (amount, unit) in [(hours, "h"), (minutes, "m"), (rest, "s")] {
        if amount > 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    if millis > 0 {
        text.push_str(&format!("{millis}ms"));
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "a duration such as `30s`, `5m` or `48h`";
        let friendly = text.len() <= 32 && text.chars().all(|c| c.is_ascii_digit() || "hms".contains(c));
        if !friendly {
            return Err(format!("`{text}` is not {wanted}"));
        }
        let parsed: SignedDuration = text.parse().map_err(|_| format!("`{text}` is not {wanted}"))?;
        let duration = Duration::try_from(parsed).map_err(|_| format!("`{text}` is negative; write {wanted}"))?;
        if duration > LONGEST {
            return Err(format!("`{text}` is longer than a year; write {wanted}"));
        }
        Ok(Self(duration))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A duration such as 30s, 5m, 48h or 1h30m.",
            "minLength": 2,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_period_is_read_as_people_write_it() {
        for (text, seconds) in
            [("0s", 0), ("30s", 30), ("5m", 300), ("48h", 172_800), ("1h30m", 5400), ("90m", 5400), ("8784h", 31_622_400)]
        {
            assert_eq!(text.parse(), Ok(Period::from_secs(seconds)), "{text}");
        }
        assert_eq!("1s500ms".parse::<Period>().map(Period::duration), Ok(Duration::from_millis(1500)));
    }

    #[test]
    fn a_period_without_a_unit_below_zero_or_beyond_a_year_is_none() {
        for text in [
            "",
            "30",
            "-30s",
            "30 s",
            "5 seconds",
            "1d",
            "PT5M",
            "1.5h",
            "s",
            "5S",
            "8785h",
            "99999999999999999999h",
            "5m1h",
            "\u{665}s",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn retention_is_rounded_up_never_down() {
        assert_eq!(Period::from_secs(72 * 3600).hours_rounded_up(), 72);
        assert_eq!(Period::from_secs(72 * 3600 + 1).hours_rounded_up(), 73);
    }

    proptest! {
        #[test]
        fn a_period_is_printed_as_it_would_be_read(millis in 0_u64..=366 * 24 * 3_600_000) {
            let period = Period(Duration::from_millis(millis));
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }
    }
}
