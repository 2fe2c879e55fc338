//! The engine's export before a forced rollback, from two real servers: exactly the rows that legacy lacks, whole, once, and only
//! where all of them are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bascule::clock::Clock;
use bascule::parity::exporter::{ExportName, ExportStand, Exporter, Quarantined};
use bascule::parity::rescue::Rescue;
use bascule::spec::{Columns, Migration};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::background::migration;
use crate::fixture::{PAYMENTS, Two, payments};

fn name() -> ExportName {
    ExportName("two-servers-attempt-1-1772442000000".into())
}

/// Begins an export, and waits for its end.
async fn saved(rescue: &Rescue, migration: &Migration) -> ExportStand {
    rescue.begin(migration, &name()).await.expect("it begins");
    loop {
        let export = rescue.export().expect("one has begun");
        assert_eq!(export.name, name());
        match export.stand {
            ExportStand::UnderWay => tokio::time::sleep(Duration::from_millis(20)).await,
            ended => return ended,
        }
    }
}

fn whole(stand: ExportStand) -> Quarantined {
    match stand {
        ExportStand::Saved(quarantined) => quarantined,
        other => panic!("not saved: {other:?}"),
    }
}

fn failure(stand: ExportStand) -> String {
    match stand {
        ExportStand::Failed { why, .. } => why,
        other => panic!("it did not fail: {other:?}"),
    }
}

/// The rows of one table, line by line.
fn rows(place: &Path, table: &str) -> Vec<Value> {
    let manifest: Value = serde_json::from_slice(&fs::read(place.join("manifest.json")).expect("a manifest")).expect("JSON");
    let files = manifest["files"].as_array().expect("files");
    let file = files.iter().find(|file| file["table"] == table).expect("the table is there")["file"].as_str().expect("a name");
    let text = fs::read_to_string(place.join(file)).expect("rows");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Five hundred payments on both sides; then the target goes on alone, and legacy has something of its own.
async fn two_that_have_parted() -> Two {
    let two = Two::start().await;
    two.both(PAYMENTS).await;
    two.both(&payments(500)).await;
    two.both("CREATE TABLE payments.quiet (id INT PRIMARY KEY)").await;
    two.target("UPDATE payments.payments SET status = 'failed', note = 'late' WHERE id = 3").await;
    two.target("INSERT INTO payments.payments SELECT 900, 'late', 'c', 9.5, 'EUR', 2, '2026-01-01', '2026-01-01', NULL").await;
    two.target("INSERT INTO payments.payments SELECT 902, 'later', 'c', 8, 'EUR', 2, '2026-01-01', '2026-01-01', 'x'").await;
    two.legacy("INSERT INTO payments.payments SELECT 901, 'own', 'c', 9.5, 'EUR', 2, '2026-01-01', '2026-01-01', NULL").await;
    two.legacy("CREATE TABLE payments.only_here (id INT PRIMARY KEY)").await;
    two
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_export_has_exactly_the_rows_that_legacy_lacks_every_column_of_them_and_for_no_other_eyes() {
    let two = two_that_have_parted().await;
    let mut migration = migration(&two);
    // The comparison leaves the note out; the row that is saved has it.
    migration.spec.validation.parity.exclude =
        vec![Columns { table: "payments.payments".into(), columns: vec!["note".into(), "updated_at".into()] }];
    let state = two.directory.path().join("state");
    let quarantined = whole(saved(&Rescue::new(&Clock::system(), Some(state.clone())), &migration).await);
    assert_eq!(quarantined.rows(), 3);
    assert_eq!(quarantined.tables.keys().collect::<Vec<_>>(), ["payments.payments"], "what is alike needs no file");
    let place = PathBuf::from(&quarantined.place);
    assert_eq!(place, state.join("quarantine").join(name().0));

    let rows = rows(&place, "payments.payments");
    let keys: Vec<&Value> = rows.iter().map(|row| &row["key"][0]).collect();
    assert_eq!(keys, ["3", "900", "902"], "what only legacy has is not at risk");
    assert_eq!(rows.iter().map(|row| row["how"].clone()).collect::<Vec<_>>(), ["otherValues", "missing", "missing"]);
    assert_eq!((&rows[0]["givenUp"]["status"], &rows[0]["stays"]["status"]), (&json!("failed"), &json!("pending")));
    assert_eq!((&rows[0]["givenUp"]["note"], &rows[2]["givenUp"]["note"]), (&json!("late"), &json!("x")));
    assert_eq!((&rows[1]["givenUp"]["idempotency_key"], &rows[1]["stays"]), (&json!("late"), &Value::Null));
    assert_eq!(rows[1]["givenUp"].as_object().expect("values").len(), 9, "every column");

    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&state.join("quarantine")), mode(&place)), (0o700, 0o700));
    let files = names(&place);
    assert!(files.iter().all(|file| mode(&place.join(file)) == 0o600), "{files:?}");
    let sheet = files.iter().find(|file| file.ends_with(".ndjson")).expect("a file of rows");
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let list = format!("{}  {sheet}\n", hex(&fs::read(place.join(sheet)).expect("rows")));
    assert_eq!(quarantined.sha256, hex(list.as_bytes()), "as `sha256sum *.ndjson | sha256sum` says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_differs_only_where_the_comparison_does_not_look_is_at_risk_as_well() {
    let two = two_that_have_parted().await;
    two.target("UPDATE payments.payments SET note = 'only this' WHERE id = 7").await;
    let mut migration = migration(&two);
    migration.spec.validation.parity.exclude =
        vec![Columns { table: "payments.payments".into(), columns: vec!["note".into(), "updated_at".into()] }];
    let state = two.directory.path().join("state");
    let quarantined = whole(saved(&Rescue::new(&Clock::system(), Some(state)), &migration).await);
    let rows = rows(Path::new(&quarantined.place), "payments.payments");
    let saved = rows.iter().find(|row| row["key"][0] == "7").expect("the row is saved");
    assert_eq!(saved["givenUp"]["note"], json!("only this"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_made_again_after_a_crash_is_in_the_same_place_and_the_same() {
    let two = two_that_have_parted().await;
    let (migration, state) = (migration(&two), two.directory.path().join("state"));
    let first = whole(saved(&Rescue::new(&Clock::system(), Some(state.clone())), &migration).await);
    // A predecessor has died in the middle of another one.
    let partial = state.join("quarantine").join(format!("{}.partial", name()));
    fs::create_dir(&partial).expect("a directory");
    fs::write(partial.join("000-payments.payments.ndjson"), "{").expect("half a row");
    let again = whole(saved(&Rescue::new(&Clock::system(), Some(state.clone())), &migration).await);
    assert_eq!(again, first);
    assert_eq!(names(&state.join("quarantine")), [name().0], "nothing is left of any other");
    assert_eq!(rows(Path::new(&again.place), "payments.payments").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_all_be_saved_are_no_export_at_all() {
    let two = two_that_have_parted().await;
    let (migration, state) = (migration(&two), two.directory.path().join("state"));
    let rescue = Rescue::new(&Clock::system(), Some(state.clone()));
    let is_not_there = || assert!(!state.join("quarantine").join(name().0).exists(), "nothing has the name of a whole export");

    two.both("CREATE TABLE payments.keyless (what INT)").await;
    let why = failure(saved(&rescue, &migration).await);
    assert!(why.starts_with("not every row could be saved: payments.keyless: "), "{why}");
    is_not_there();
    two.both("DROP TABLE payments.keyless").await;

    two.target("CREATE TABLE payments.new_here (id INT PRIMARY KEY)").await;
    let why = failure(saved(&rescue, &migration).await);
    assert!(why.contains("payments.new_here: it is on target only: create it on legacy as well, empty"), "{why}");
    is_not_there();
    two.target("DROP TABLE payments.new_here").await;

    let why = failure(saved(&Rescue::new(&Clock::system(), None), &migration).await);
    assert!(why.contains("give one with --state"), "{why}");

    fs::remove_dir_all(state.join("quarantine")).expect("it was made");
    fs::write(state.join("quarantine"), "a file").expect("in its place");
    let why = failure(saved(&rescue, &migration).await);
    assert!(why.contains("cannot be put in its place") && why.contains("nothing may be given up"), "{why}");
    fs::remove_file(state.join("quarantine")).expect("gone");

    let mut silent = migration.clone();
    silent.spec.legacy.database.port = 1;
    let why = failure(saved(&rescue, &silent).await);
    assert!(!why.is_empty());
    is_not_there();

    assert_eq!(whole(saved(&rescue, &migration).await).rows(), 3, "once nothing stands in the way");
}
