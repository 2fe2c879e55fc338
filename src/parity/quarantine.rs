//! Quarantine: before a rollback that would leave rows behind, exactly those rows, saved where a person can find them.
//!
//! One file a table, one row a line, in JSON: its key, how it differs, and its values on the side that is given up and on the
//! side that stays, each as the text that the database would write (`null` is NULL; what is no UTF-8 is in hexadecimal behind
//! `0x`): every column, those too that the comparison leaves out. Beside it `manifest.json` says what is in the
//! directory, with the SHA-256 of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::chunks::{KeyValue, Range, SharedKey, shared_key};
use super::expression::rows;
use super::fold::{Subject, fold};
use super::rows::{Values, hashes_by_key, hashes_of, next_bound, values_by_key};
use super::run::{Request, pairs};
use super::server::Hand;
use super::table::Table;
use crate::fault::Fault;
use crate::names::Side;
use crate::spec::Parity;

/// Values of so many rows are held in memory at once.
const ROWS_AT_ONCE: usize = 100;

/// What was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The migration's name.
    pub migration: String,
    /// The side that is given up: the one whose rows would be left behind.
    pub given_up: Side,
    /// When the first row was read.
    pub began: Timestamp,
    /// One file a table with rows at risk.
    pub files: Vec<Saved>,
    /// Tables whose rows could not be told apart, and why: they have to be saved by other means before the flip.
    pub not_saved: BTreeMap<String, String>,
}

/// One file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// `schema.table`
    pub table: String,
    /// Its name in the directory.
    pub file: String,
    /// Its rows.
    pub rows: u64,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
}

/// Why rows were not saved.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// A server does not answer.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// A file could not be written.
    #[error("{path} cannot be written: {source}; nothing may be given up before the rows at risk are saved")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A table cannot be read as it is.
    #[error("the rows of {table} cannot be read: {why}")]
    Table {
        /// Which.
        table: String,
        /// Why.
        why: String,
    },
}

/// A file under way.
struct Sheet {
    path: PathBuf,
    writer: BufWriter<File>,
    digest: Sha256,
    rows: u64,
}

impl Sheet {
    fn create(path: PathBuf) -> Result<Self, QuarantineError> {
        match private_file(&path) {
            Ok(file) => Ok(Self { path, writer: BufWriter::new(file), digest: Sha256::new(), rows: 0 }),
            Err(source) => Err(QuarantineError::Io { path, source }),
        }
    }

    fn write(&mut self, row: &Value) -> Result<(), QuarantineError> {
        let line = format!("{row}\n");
        self.digest.update(line.as_bytes());
        self.rows += 1;
        self.writer.write_all(line.as_bytes()).map_err(|source| QuarantineError::Io { path: self.path.clone(), source })
    }

    /// On the disk, not only in its cache.
    fn finish(mut self, table: String, file: String) -> Result<Saved, QuarantineError> {
        let synced = self.writer.flush().and_then(|()| self.writer.get_ref().sync_all());
        synced.map_err(|source| QuarantineError::Io { path: self.path, source })?;
        let sha256 = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Saved { table, file, rows: self.rows, sha256 })
    }
}

/// Saves into `directory` every row of `request.source`, the side that is given up, that the other side lacks or holds with
/// other values. Both sides are to be fenced: rows on their way would be saved as well, which does no harm.
///
/// # Errors
/// What stood in the way; the directory then holds no manifest, and nothing may be given up.
pub async fn quarantine(request: &Request<'_>, directory: &Path) -> Result<Manifest, QuarantineError> {
    private_directory(directory).map_err(|source| QuarantineError::Io { path: directory.to_owned(), source })?;
    let began = request.clock.now();
    let (mut files, mut not_saved) = (Vec::new(), BTreeMap::new());
    for (number, (name, sides)) in pairs(request).await?.into_iter().enumerate() {
        match told_apart(request, &sides) {
            Ok(Some((subject, key))) => {
                files.extend(save_table(request, &subject, &key, directory, &sheet_name(number, &name.to_string())).await?);
            }
            Ok(None) => {}
            Err(why) => drop(not_saved.insert(name.to_string(), why)),
        }
    }
    let manifest =
        Manifest { migration: request.migration.name().to_string(), given_up: request.source, began, files, not_saved };
    let path = directory.join("manifest.json");
    let written = private_file(&path).and_then(|mut file| {
        file.write_all(format!("{:#}\n", json!(manifest)).as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| QuarantineError::Io { path, source })?;
    Ok(manifest)
}

/// A directory that nobody but its owner can look into: rows of payments are in it.
///
/// # Errors
/// Why it cannot be made.
pub fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A file that does not exist yet, and that nobody but its owner can read: what was saved once is never written over.
fn private_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Names of tables may hold what names of files may not.
fn sheet_name(number: usize, table: &str) -> String {
    let plain: String = table.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    format!("{number:03}-{plain}.ndjson")
}

/// How the rows of a table can be told apart; nothing where the side that is given up has no such table, and so no row at risk.
fn told_apart(request: &Request<'_>, sides: &[Option<Table>; 2]) -> Result<Option<(Subject, SharedKey)>, String> {
    let given_up = place(request.source);
    let (legacy, target) = match sides {
        [Some(legacy), Some(target)] => (legacy, target),
        sides if sides[given_up].is_none() => return Ok(None),
        _ => {
            let other = request.source.other();
            return Err(format!(
                "it is on {} only: create it on {other} as well, empty, so that its rows can be saved",
                request.source
            ));
        }
    };
    let rows = rows(legacy, target, &exactly(&request.migration.spec.validation.parity, legacy, target));
    let rows = rows.map_err(|unlike| unlike.to_string())?;
    let key = shared_key(legacy, target)?;
    let tables = [legacy.clone(), target.clone()];
    Ok(Some((Subject { rows, key: Ok(key.clone()), declared: Vec::new(), tables }, key)))
}

/// The rules under which no row at risk is overlooked: what a comparison smooths, leaves out or expects to differ is lost like
/// everything else. Only what the other side has no place for cannot be compared.
fn exactly(rules: &Parity, legacy: &Table, target: &Table) -> Parity {
    let on_both = |column: &String| legacy.column(column).is_some() && target.column(column).is_some();
    let mut exact = Parity { normalise: Vec::new(), ..rules.clone() };
    for rule in &mut exact.exclude {
        rule.columns.retain(|column| !on_both(column));
    }
    exact
}

/// 0 for legacy, 1 for target: the place in pairs.
const fn place(side: Side) -> usize {
    match side {
        Side::Legacy => 0,
        Side::Target => 1,
    }
}

/// Every column of one side's table as it is, whatever the comparison leaves out or smooths: what is saved is the whole row.
fn whole(subject: &Subject, side: Side) -> Result<Subject, QuarantineError> {
    let table = &subject.tables[place(side)];
    let all = rows(table, table, &Parity::default());
    let rows = all.map_err(|unlike| QuarantineError::Table { table: table.name.to_string(), why: unlike.to_string() })?;
    Ok(Subject { rows, ..subject.clone() })
}

/// Walks the chunks of the side that is given up, and saves the rows of those that differ; nothing where none does.
async fn save_table(
    request: &Request<'_>,
    subject: &Subject,
    key: &SharedKey,
    directory: &Path,
    file: &str,
) -> Result<Option<Saved>, QuarantineError> {
    let mut from = request.servers[place(request.source)].open().await?;
    let mut to = request.servers[place(request.source.other())].open().await?;
    let (ours, theirs) = (whole(subject, request.source)?, whole(subject, request.source.other())?);
    let mut writer = Writer { key, ours, theirs, sheet: None };
    let path = directory.join(file);
    let chunk_rows = request.migration.spec.validation.parity.chunk_rows;
    let mut range = Range::default();
    loop {
        range.through =
            next_bound(&mut from, subject, key, &Range { after: range.after.clone(), through: None }, chunk_rows).await?;
        let (ours, theirs) = tokio::join!(fold(&mut from, subject, &range), fold(&mut to, subject, &range));
        let (ours, theirs) = (ours?, theirs?);
        if ours.rows > 0 && !ours.same_rows(&theirs) {
            // Only rows that this side has can be lost, and of these there is one chunk: the other side's are looked up.
            let hashes = hashes_of(&mut from, subject, key, &range).await?;
            let keys: Vec<&KeyValue> = hashes.keys().collect();
            let others = hashes_by_key(&mut to, subject, key, &keys).await?;
            let at_risk: BTreeSet<&KeyValue> = keys.into_iter().filter(|key| hashes.get(key) != others.get(key)).collect();
            writer.save(&mut from, &mut to, &at_risk, &path).await?;
        }
        match range.through.take() {
            Some(bound) => range.after = Some(bound),
            None => break,
        }
    }
    let table = subject.tables[0].name.to_string();
    writer.sheet.map(|sheet| sheet.finish(table, file.to_owned())).transpose()
}

/// Writes the rows of one table, and makes its file with the first.
struct Writer<'a> {
    key: &'a SharedKey,
    /// The table of the side that is given up.
    ours: Subject,
    /// That of the side that stays.
    theirs: Subject,
    sheet: Option<Sheet>,
}

impl Writer<'_> {
    async fn save(
        &mut self,
        from: &mut Hand,
        to: &mut Hand,
        at_risk: &BTreeSet<&KeyValue>,
        path: &Path,
    ) -> Result<(), QuarantineError> {
        let keys: Vec<&KeyValue> = at_risk.iter().copied().collect();
        for some in keys.chunks(ROWS_AT_ONCE) {
            let ours = values_by_key(from, &self.ours, self.key, some).await?;
            let theirs = values_by_key(to, &self.theirs, self.key, some).await?;
            for row in some {
                let Some(values) = ours.get(row) else { continue };
                let stays = theirs.get(row).map(|values| named(&self.theirs, values));
                let line = json!({
                    "table": self.ours.tables[0].name.to_string(),
                    "key": row.0,
                    "how": if stays.is_some() { "otherValues" } else { "missing" },
                    "givenUp": named(&self.ours, values),
                    "stays": stays,
                });
                let sheet = match self.sheet.take() {
                    Some(sheet) => sheet,
                    None => Sheet::create(path.to_owned())?,
                };
                self.sheet.insert(sheet).write(&line)?;
            }
        }
        Ok(())
    }
}

/// Values under the names of their columns.
fn named(subject: &Subject, values: &Values) -> BTreeMap<String, Value> {
    let text = |value: &Option<Vec<u8>>| match value {
        None => Value::Null,
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => json!(text),
            Err(_) => json!(format!("0x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())),
        },
    };
    subject.rows.columns.iter().zip(values).map(|(column, value)| (column.name.clone(), text(value))).collect()
}
