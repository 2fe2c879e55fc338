//! Settings of the servers that change what statements do.

use std::collections::BTreeSet;

use super::columns::knows_the_time;
use super::compare::Sides;
use super::difference::{Difference, Severity};
use crate::database::structure::{Environment, Maker, Setting, TimeZone};
use crate::mysql::session::quoted_text;

/// A mode that MySQL 8 does not know any more, and that changes nothing but `GRANT`.
const WITHOUT_MEANING: &str = "NO_AUTO_CREATE_USER";

/// Everything in which the servers differ.
pub(super) fn environment(sides: Sides<'_>) -> Vec<Difference> {
    let (legacy, target) = (&sides.legacy.environment, &sides.target.environment);
    let mut found: Vec<Difference> = Vec::new();
    if legacy.version != target.version {
        let sentence = format!("{} on the target, {} on legacy", target.version, legacy.version);
        found.push(Difference::new(Severity::Harmless, "version", sentence));
    }
    found.extend(sql_mode(legacy, target));
    found.extend(time_zone(sides));
    let both = legacy.settings.iter().filter_map(|(setting, ours)| Some((*setting, ours, target.settings.get(setting)?)));
    found.extend(both.filter(|(_, ours, theirs)| ours != theirs).map(|(setting, ours, theirs)| {
        let (severity, why) = meaning(setting);
        let sentence = format!("{theirs} on the target, {ours} on legacy: {why}");
        let difference = Difference::new(severity, setting.name(), sentence);
        match setting {
            // It is chosen when a server is made.
            Setting::LowerCaseTableNames => difference,
            _ => curable(difference, target.maker, variable(setting, target.maker), &quoted_text(ours)),
        }
    }));
    found
}

/// MariaDB before 11.1 calls the isolation by an older name, and later ones know that too.
const fn variable(setting: Setting, maker: Maker) -> &'static str {
    match (setting, maker) {
        (Setting::TransactionIsolation, Maker::MariaDb) => "tx_isolation",
        _ => setting.name(),
    }
}

const fn meaning(setting: Setting) -> (Severity, &'static str) {
    match setting {
        Setting::CharacterSet | Setting::Collation => {
            (Severity::Matters, "schemas that are created later, and sessions that name none, get another one")
        }
        Setting::LowerCaseTableNames => (Severity::Blocks, "a table may not be found by the name that the application gives it"),
        Setting::ExplicitDefaultsForTimestamp | Setting::InnodbStrictMode => {
            (Severity::Matters, "the application's next migrations may make other tables")
        }
        Setting::TransactionIsolation => {
            (Severity::Matters, "a session that names none sees other rows, and waits for other locks")
        }
    }
}

fn sql_mode(legacy: &Environment, target: &Environment) -> Option<Difference> {
    let meant = |environment: &Environment| -> BTreeSet<String> {
        environment.sql_mode.iter().filter(|mode| *mode != WITHOUT_MEANING).cloned().collect()
    };
    let (ours, theirs) = (meant(legacy), meant(target));
    let list = |modes: BTreeSet<&String>| modes.into_iter().cloned().collect::<Vec<_>>().join(", ");
    let (lacking, more) = (list(ours.difference(&theirs).collect()), list(theirs.difference(&ours).collect()));
    let told = match (lacking.is_empty(), more.is_empty()) {
        (true, true) => return None,
        (false, true) => format!("the target lacks {lacking}"),
        (true, false) => format!("only the target has {more}"),
        (false, false) => format!("the target lacks {lacking}, and has {more}"),
    };
    let sentence = format!("{told}: statements of sessions that set no mode of their own are refused, or change other values");
    let modes = ours.into_iter().collect::<Vec<_>>().join(",");
    Some(curable(Difference::new(Severity::Blocks, "sql_mode", sentence), target.maker, "sql_mode", &quoted_text(&modes)))
}

/// It shows in `TIMESTAMP` columns, and in whatever is the current time by itself.
fn time_zone(sides: Sides<'_>) -> Option<Difference> {
    let (ours, theirs) = (&sides.legacy.environment.time_zone, &sides.target.environment.time_zone);
    if ours == theirs {
        return None;
    }
    let shows = sides.legacy.tables().find(|(_, _, table)| knows_the_time(table));
    let (severity, where_) = match shows {
        Some((schema, table, _)) => (Severity::Blocks, format!("moments shift, in {schema}.{table} for one")),
        None => (Severity::Matters, "NOW() is another time".to_owned()),
    };
    let sentence = format!("{} on the target, {} on legacy: {where_}", told(theirs), told(ours));
    let difference = Difference::new(severity, "time_zone", sentence);
    let value = match ours.name.starts_with("SYSTEM") {
        false => ours.name.clone(),
        true if ours.january_minutes == ours.july_minutes => offset(ours.january_minutes),
        // What the system of legacy calls its zone need not be known to the target.
        true => return Some(difference),
    };
    Some(curable(difference, sides.target.environment.maker, "time_zone", &quoted_text(&value)))
}

fn told(zone: &TimeZone) -> String {
    let TimeZone { name, january_minutes, july_minutes } = zone;
    let (january, july) = (offset(*january_minutes), offset(*july_minutes));
    if january == july { format!("{name} ({january})") } else { format!("{name} ({january} in January, {july} in July)") }
}

fn offset(minutes: i64) -> String {
    let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.abs());
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A global variable is set by SQL, but on Aurora, where it belongs to a parameter group.
fn curable(difference: Difference, maker: Maker, variable: &str, value: &str) -> Difference {
    match maker {
        Maker::MySql => difference.cured_by(format!("SET PERSIST {variable} = {value}")),
        Maker::MariaDb => difference.cured_by(format!("SET GLOBAL {variable} = {value}")),
        Maker::Aurora => {
            let sentence = format!("{}; set {variable} = {value} in the cluster's parameter group", difference.sentence);
            Difference { sentence, ..difference }
        }
    }
}
