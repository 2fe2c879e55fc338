//! The weekly maintenance window, in RDS's own notation.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::after;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_A_WEEK: u32 = 7 * 24 * 60;
/// RDS refuses a shorter one (ModifyDBCluster, `PreferredMaintenanceWindow`).
const SHORTEST_MINUTES: u32 = 30;
/// Clocks that are further apart than this are broken; AWS refuses signatures at five minutes.
const MARGIN_MINUTES: u32 = 2;

/// `ddd:hh24:mi-ddd:hh24:mi` in UTC; may wrap round the end of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaintenanceWindow {
    /// Minutes from Monday 00:00 UTC to the opening.
    opens: u32,
    /// How many minutes it stays open.
    minutes: u32,
}

impl MaintenanceWindow {
    /// Whether the window is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        (minute_of_week(now) + MINUTES_A_WEEK - self.opens) % MINUTES_A_WEEK < self.minutes
    }

    /// The window without its first and last two minutes: where this machine's clock and AWS's differ a little, both still
    /// agree that it is open.
    pub const fn within_margins(&self) -> Self {
        Self { opens: (self.opens + MARGIN_MINUTES) % MINUTES_A_WEEK, minutes: self.minutes - 2 * MARGIN_MINUTES }
    }

    /// When it opens next; `now` itself while it is open.
    pub fn next_opening(&self, now: Timestamp) -> Timestamp {
        if self.is_open(now) {
            return now;
        }
        let wait_minutes = (self.opens + MINUTES_A_WEEK - minute_of_week(now)) % MINUTES_A_WEEK;
        let civil = now.to_zoned(TimeZone::UTC);
        let nanoseconds = civil.subsec_nanosecond().unsigned_abs();
        let into_minute = Duration::new(u64::from(civil.second().unsigned_abs()), nanoseconds);
        after(now, Duration::from_secs(u64::from(wait_minutes) * 60).saturating_sub(into_minute))
    }
}

fn minute_of_week(now: Timestamp) -> u32 {
    let civil = now.to_zoned(TimeZone::UTC);
    let day = u32::from(civil.weekday().to_monday_zero_offset().unsigned_abs());
    (day * 24 + u32::from(civil.hour().unsigned_abs())) * 60 + u32::from(civil.minute().unsigned_abs())
}

impl fmt::Display for MaintenanceWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = |minute: u32| format!("{}:{:02}:{:02}", DAYS[minute as usize / 1440], minute / 60 % 24, minute % 60);
        write!(f, "{}-{}", moment(self.opens), moment((self.opens + self.minutes) % MINUTES_A_WEEK))
    }
}

impl FromStr for MaintenanceWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || format!("`{text}` is not a weekly window in UTC such as `sun:02:00-sun:04:00`");
        let (opening, closing) = text.split_once('-').ok_or_else(refusal)?;
        let opens = parse_moment(opening).ok_or_else(refusal)?;
        let closes = parse_moment(closing).ok_or_else(refusal)?;
        let minutes = (closes + MINUTES_A_WEEK - opens) % MINUTES_A_WEEK;
        if minutes < SHORTEST_MINUTES {
            return Err(format!("`{text}` is shorter than the {SHORTEST_MINUTES} minutes that RDS asks for"));
        }
        Ok(Self { opens, minutes })
    }
}

fn parse_moment(text: &str) -> Option<u32> {
    let [day, hour, minute] = <[&str; 3]>::try_from(text.split(':').collect::<Vec<_>>()).ok()?;
    let day = DAYS.iter().position(|name| day == *name)?;
    let two_digits = |part: &str, below: u32| part.parse::<u32>().ok().filter(|number| part.len() == 2 && *number < below);
    Some((u32::try_from(day).ok()? * 24 + two_digits(hour, 24)?) * 60 + two_digits(minute, 60)?)
}

impl Serialize for MaintenanceWindow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MaintenanceWindow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for MaintenanceWindow {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MaintenanceWindow".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A weekly window in UTC, as RDS writes it: sun:02:00-sun:04:00.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(text: &str) -> MaintenanceWindow {
        text.parse().expect("the window is well-formed")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("the moment is well-formed")
    }

    #[test]
    fn a_window_is_open_from_its_first_minute_to_before_its_last() {
        // 2026-11-22 is a Sunday.
        let sunday = window("sun:02:00-sun:04:00");
        assert!(!sunday.is_open(at("2026-11-22T01:59:59Z")));
        assert!(sunday.is_open(at("2026-11-22T02:00:00Z")));
        assert!(sunday.is_open(at("2026-11-22T03:59:59Z")));
        assert!(!sunday.is_open(at("2026-11-22T04:00:00Z")));
        assert!(!sunday.is_open(at("2026-11-23T03:00:00Z")), "not on a Monday");
    }

    #[test]
    fn a_window_may_wrap_round_the_end_of_the_week() {
        let night = window("sun:23:30-mon:00:30");
        assert!(night.is_open(at("2026-11-22T23:45:00Z")));
        assert!(night.is_open(at("2026-11-23T00:29:59Z")));
        assert!(!night.is_open(at("2026-11-23T00:30:00Z")));
        assert_eq!(night.to_string(), "sun:23:30-mon:00:30");
    }

    #[test]
    fn the_next_opening_is_now_while_it_is_open_and_otherwise_to_the_second() {
        let sunday = window("sun:02:00-sun:04:00");
        let inside = at("2026-11-22T03:00:07Z");
        assert_eq!(sunday.next_opening(inside), inside);
        assert_eq!(sunday.next_opening(at("2026-11-22T01:59:30Z")), at("2026-11-22T02:00:00Z"));
        assert_eq!(sunday.next_opening(at("2026-11-22T04:00:00Z")), at("2026-11-29T02:00:00Z"));
        assert_eq!(sunday.next_opening(at("2026-11-23T00:00:00.25Z")), at("2026-11-29T02:00:00Z"));
    }

    #[test]
    fn a_window_that_rds_would_refuse_is_refused() {
        for text in [
            "",
            "sun:02:00",
            "sun:02:00-sun:02:29",
            "sun:02:00-sun:02:00",
            "SUN:02:00-sun:04:00",
            "sun:2:00-sun:4:00",
            "sun:24:00-mon:01:00",
        ] {
            assert!(text.parse::<MaintenanceWindow>().is_err(), "{text}");
        }
        assert!("sun:02:00-sun:02:30".parse::<MaintenanceWindow>().is_ok());
    }

    proptest! {
        #[test]
        fn it_opens_at_the_next_opening_and_not_before(opens in 0..MINUTES_A_WEEK, minutes in SHORTEST_MINUTES..MINUTES_A_WEEK, millis in 0_i64..4 * 604_800_000) {
            let window = MaintenanceWindow { opens, minutes };
            let now = Timestamp::from_millisecond(1_790_000_000_000 + millis).expect("a moment of this century");
            let next = window.next_opening(now);
            prop_assert!(next >= now && window.is_open(next), "{window} {now} {next}");
            let before = Timestamp::from_nanosecond(next.as_nanosecond() - 1).expect("a moment of this century");
            prop_assert!(next == now || !window.is_open(before), "{window} {now} {next}");
            prop_assert_eq!(window.to_string().parse(), Ok(window));
        }
    }
}
