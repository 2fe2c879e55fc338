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

    /// When it opens next; `now` itself while it is open.
    pub fn next_opening(&self, now: Timestamp) -> Timestamp {
        if self.is_open(now) {
            return now;
        }
        let wait_minutes = (self.opens + MINUTES_A_WEEK - minute_of_week(now)) % MINUTES_A_WEEK;
        let into_minute = Duration::from_secs(u64::from(now.to_zoned(TimeZone::UTC).second().unsigned_abs()));
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
