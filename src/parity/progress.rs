//! How far a comparison is: for the person who waits, and for the next process if this one dies.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::compare::Walk;
use super::report::TableReport;
use crate::clock::elapsed;

/// How far one table is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// `schema.table`
    pub table: String,
    /// Rows read on each side, the fuller of the two.
    pub rows: u64,
    /// The server's guess at all rows.
    pub estimated_rows: u64,
    /// Rows a second on each side, since this process began the table.
    pub rows_per_second: u64,
    /// The time left, if the guess is right.
    pub left: Option<Duration>,
}

impl Progress {
    /// From rows read since `began`, of which `rows_before` were read by an earlier process. Pure.
    pub fn new(table: &str, rows: u64, rows_before: u64, estimated_rows: u64, began: Timestamp, now: Timestamp) -> Self {
        let seconds = elapsed(began, now).as_secs_f64();
        let rate = if seconds > 0.0 { rows.saturating_sub(rows_before) as f64 / seconds } else { 0.0 };
        let left = (rate >= 1.0).then(|| Duration::from_secs_f64(estimated_rows.saturating_sub(rows) as f64 / rate));
        Self { table: table.to_owned(), rows, estimated_rows, rows_per_second: rate as u64, left }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of about {} rows, {} rows/s", self.table, self.rows, self.estimated_rows, self.rows_per_second)?;
        match self.left {
            Some(left) => write!(f, ", {} s left", left.as_secs()),
            None => Ok(()),
        }
    }
}

/// What a process leaves to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// Of which databases and rules this is the comparison.
    pub spec_digest: String,
    /// When it began.
    pub began: Timestamp,
    /// When this was saved. A comparison may take hours; what makes it stale is the time in which nobody went on with it.
    pub saved: Timestamp,
    /// Tables that are done.
    pub done: Vec<TableReport>,
    /// The table in the middle of which it stands.
    pub current: Option<Current>,
}

/// A table in the middle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// `schema.table`
    pub table: String,
    /// What the table looked like: a walk over another shape is worth nothing.
    pub shape_digest: String,
    /// How far it is.
    pub walk: Walk,
}

/// SHA-256, in hexadecimal, of a value's JSON.
pub fn digest(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    hexadecimal(&json)
}

fn hexadecimal(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file in which progress is kept: a line with the SHA-256 of what follows, then JSON.
#[derive(Debug, Clone)]
pub struct StateFile(pub PathBuf);

impl StateFile {
    /// What an earlier process left, if it is whole, of the same spec, and no older than `not_before`.
    pub fn load(&self, spec_digest: &str, not_before: Timestamp) -> Option<Saved> {
        let text = fs::read_to_string(&self.0).ok()?;
        let (checksum, json) = text.split_once('\n')?;
        let saved: Saved = serde_json::from_str(json).ok().filter(|_| checksum == hexadecimal(json.as_bytes()))?;
        (saved.spec_digest == spec_digest && saved.saved >= not_before).then_some(saved)
    }

    /// Leaves `saved` to the next process. The file is whole or the one before at every moment.
    ///
    /// # Errors
    /// What the file system says.
    pub fn save(&self, saved: &Saved) -> io::Result<()> {
        let json = serde_json::to_string(saved).map_err(io::Error::other)?;
        if let Some(directory) = self.0.parent().filter(|directory| *directory != Path::new("")) {
            fs::create_dir_all(directory)?;
        }
        let mut beside = self.0.clone().into_os_string();
        beside.push(".new");
        fs::write(&beside, format!("{}\n{json}", hexadecimal(json.as_bytes())))?;
        fs::rename(&beside, &self.0)
    }

    /// Nothing is left to go on with.
    pub fn remove(&self) {
        // It may never have been written.
        _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn the_rate_is_of_this_process_and_the_time_left_follows_from_it() {
        let (began, now) = (at("2026-03-02T09:00:00Z"), at("2026-03-02T09:00:10Z"));
        let progress = Progress::new("payments.payments", 3000, 1000, 5000, began, now);
        assert_eq!((progress.rows_per_second, progress.left), (200, Some(Duration::from_secs(10))));
        assert_eq!(progress.to_string(), "payments.payments: 3000 of about 5000 rows, 200 rows/s, 10 s left");
        assert_eq!(Progress::new("t", 0, 0, 5, now, now).left, None, "nobody knows yet");
    }

    #[test]
    fn a_state_file_is_used_only_if_it_is_whole_recent_and_of_the_same_spec() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = StateFile(directory.path().join("deep").join("payments.parity"));
        let began = at("2026-03-02T09:00:00Z");
        let saved = Saved { spec_digest: "a".into(), began, saved: began, done: Vec::new(), current: None };
        assert_eq!(file.load("a", began), None);
        file.save(&saved).expect("saved");
        assert_eq!(file.load("a", began), Some(saved));
        assert_eq!(file.load("b", began), None, "another spec");
        assert_eq!(file.load("a", at("2026-03-02T09:00:01Z")), None, "too old");
        let text = fs::read_to_string(&file.0).expect("a file");
        fs::write(&file.0, text.replace("2026-03-02", "2026-03-03")).expect("written");
        assert_eq!(file.load("a", began), None, "tampered with");
        file.remove();
        assert!(!file.0.exists());
    }
}
