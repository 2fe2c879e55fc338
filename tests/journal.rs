//! The journal on a real file: crashes, damage, full disks, other people's files.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use bascule::controllers::fence::FenceAction;
use bascule::database::{BinlogPosition, Epoch};
use bascule::journal::{DiskFault, Event, EventKind, Journal, JournalError, JournalPlace, Outcome, sha256};
use bascule::migration::facts::{Fact, Facts, MarkerPurpose};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::Action;
use bascule::names::{MigrationName, Side, TableName};
use bascule::spec::Phase;
use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

fn payments() -> MigrationName {
    "payments".into()
}

/// `second` seconds into the story.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time of this century")
}

/// The facts of a whole cutover, with something of every shape.
fn story() -> Vec<Fact> {
    let position = BinlogPosition { file: "mysql-bin-changelog.000024".to_owned(), offset: 4711 };
    let mut facts = vec![Fact::AttemptBegun { attempt: 1 }, Fact::Reached { phase: Phase::Preflight }];
    for rung in [Rung::Prepared, Rung::Replicating, Rung::Validated, Rung::RollbackArmed, Rung::Fence, Rung::Drain, Rung::Arm] {
        facts.push(Fact::Entered { rung });
        facts.push(Fact::TablesReloaded { tables: vec![TableName::new("pay", rung.to_string())] });
        facts.push(Fact::ParityCompared { rows: 1_000_000, differing: vec![TableName::new("pay", "ledger")], report: None });
    }
    facts.extend([
        Fact::IdentityFrozen { digest: sha256(b"identity") },
        Fact::FenceProven { side: Side::Legacy, position: Some(position.clone()) },
        Fact::MarkerWritten { purpose: MarkerPurpose::Drain, marker: "payments-1-drain".into() },
        Fact::MarkerSeen { purpose: MarkerPurpose::Drain },
        Fact::ReverseStartRecorded { position },
        Fact::PointOfNoReturn,
        Fact::Entered { rung: Rung::Open },
        Fact::Entered { rung: Rung::Flip },
    ]);
    facts
}

/// Writes the story and returns what the facts were at first and after each of its entries.
fn tell(journal: &Journal) -> Vec<Facts> {
    let mut seen = vec![journal.facts().as_ref().clone()];
    for (second, fact) in (1..).zip(story()) {
        journal.record(at(second), 1, fact).expect("the disk is well");
        seen.push(journal.facts().as_ref().clone());
    }
    seen
}

fn open(path: &Path) -> Result<Journal, JournalError> {
    Journal::open(path, &payments(), at(0))
}

fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("payments.journal")
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("journal-wal")
}

/// What a crash at this moment would leave on the disk, in a directory of its own.
fn remains(path: &Path) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory for the remains");
    let copy = file_in(&directory);
    fs::copy(path, &copy).expect("the journal's file");
    if wal(path).exists() {
        fs::copy(wal(path), wal(&copy)).expect("the journal's log");
    }
    (directory, copy)
}

#[test]
fn what_was_recorded_is_there_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let before = tell(&open(&path).expect("a new journal"));
    let after = open(&path).expect("the same journal");
    assert_eq!(Some(after.facts().as_ref()), before.last());
    assert_eq!(after.history(0, 1000).expect("a readable history").len(), story().len());
}

#[test]
fn a_crash_before_or_after_any_write_loses_nothing_durable_and_invents_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = Arc::new(open(&path).expect("a new journal"));
    let crashes = Arc::new(Mutex::new(0));
    let (observed, counted, file) = (Arc::downgrade(&journal), Arc::clone(&crashes), path);
    journal.set_crash_hook(Box::new(move |_| {
        let (_kept, copy) = remains(&file);
        let restarted = open(&copy).expect("what a crash leaves can be opened");
        let living = observed.upgrade().expect("the journal lives as long as the test");
        assert_eq!(restarted.facts(), living.facts());
        assert_eq!(restarted.generation(), living.generation());
        *counted.lock().expect("a counter") += 1;
    }));
    journal.next_epoch(at(0)).expect("an epoch");
    journal.accept_spec(at(0), "payments.yaml", "phase: CutOver").expect("a spec");
    tell(&journal);
    assert_eq!(*crashes.lock().expect("a counter"), 2 * (story().len() + 2));
}

#[test]
fn a_hook_that_unwinds_leaves_the_journal_usable_and_the_write_either_done_or_not() {
    let journal = Journal::in_memory(&payments()).expect("a journal");
    for (place, durable) in [(JournalPlace::Before(EventKind::Fact), false), (JournalPlace::After(EventKind::Fact), true)] {
        let facts = journal.facts();
        journal.set_crash_hook(Box::new(move |here| assert!(here != place, "crash")));
        let crash = catch_unwind(AssertUnwindSafe(|| journal.record(at(1), 1, Fact::Entered { rung: Rung::Prepared })));
        assert!(crash.is_err(), "the hook unwound");
        assert_eq!(journal.facts() != facts, durable);
        journal.clear_crash_hook();
        journal.record(at(2), 1, Fact::Entered { rung: Rung::Preflight }).expect("the next controller writes on");
    }
    assert_eq!(journal.history(0, 10).expect("a history").len(), 3);
}

#[test]
fn a_file_torn_anywhere_is_refused_or_holds_a_beginning_of_the_story() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let beginnings = tell(&open(&path).expect("a new journal"));
    let whole = fs::read(&path).expect("the closed file");
    for length in (0..whole.len()).step_by(211).chain((0..whole.len()).step_by(4096)) {
        let torn = tempfile::tempdir().expect("a directory");
        fs::write(file_in(&torn), &whole[..length]).expect("a torn copy");
        match open(&file_in(&torn)) {
            Ok(journal) => assert!(beginnings.contains(journal.facts().as_ref()), "torn at {length}"),
            Err(error) => assert!(matches!(error, JournalError::Corrupt { .. }), "torn at {length}: {error}"),
        }
    }
}

#[test]
fn a_log_torn_anywhere_holds_a_beginning_of_the_story() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = open(&path).expect("a new journal");
    let beginnings = tell(&journal);
    let log = fs::read(wal(&path)).expect("the log of the open journal");
    let mut furthest = 0;
    for length in (0..=log.len()).step_by(1237) {
        let (_kept, copy) = remains(&path);
        fs::write(wal(&copy), &log[..length]).expect("a torn log");
        let facts = open(&copy).expect("a torn log is an unfinished write").facts();
        let place = beginnings.iter().position(|known| known == facts.as_ref()).expect("a beginning of the story");
        assert!(place >= furthest, "a longer log never says less");
        furthest = place;
    }
    assert!(furthest > story().len() / 2, "most of the log tells most of the story");
}

#[test]
fn a_rotten_bit_anywhere_is_refused_or_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let beginnings = tell(&open(&path).expect("a new journal"));
    let sound = fs::read(&path).expect("the closed file");
    let mut refused = 0;
    for place in (0..sound.len()).step_by(83) {
        let mut rotten = sound.clone();
        rotten[place] ^= 1 << (place % 8);
        let other = tempfile::tempdir().expect("a directory");
        fs::write(file_in(&other), rotten).expect("a rotten copy");
        match open(&file_in(&other)) {
            Ok(journal) => assert_eq!(Some(journal.facts().as_ref()), beginnings.last(), "bit at {place}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "some bits matter");
}

#[test]
fn an_entry_edited_or_removed_by_hand_is_noticed() {
    for meddling in [
        "UPDATE entries SET body = '{\"attempt\":2}' WHERE seq = 1",
        "UPDATE entries SET at = '2020-01-01T00:00:00Z' WHERE seq = 5",
        "UPDATE entries SET kind = 'Intent' WHERE seq = 5",
        "DELETE FROM entries WHERE seq = 7",
        "DELETE FROM entries WHERE seq = 1",
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = file_in(&directory);
        tell(&open(&path).expect("a new journal"));
        Connection::open(&path).expect("a shell").execute(meddling, []).expect("a change by hand");
        let refusal = open(&path).expect_err(meddling);
        assert!(matches!(refusal, JournalError::Corrupt { .. }), "{refusal}");
    }
}

#[test]
fn a_full_disk_stops_writing_and_heals_when_there_is_room() {
    let journal = Journal::in_memory(&payments()).expect("a journal");
    tell(&journal);
    journal.inject(DiskFault::Full).expect("a fault");
    let long = "x".repeat(100_000);
    let facts = journal.facts();
    let refusal = journal.record(at(90), 1, Fact::Aborted { why: long.clone() }).expect_err("no room");
    assert!(matches!(refusal, JournalError::Full { .. }), "{refusal}");
    assert_eq!(journal.facts(), facts, "what is not durable is not a fact");
    journal.inject(DiskFault::None).expect("no fault");
    assert_eq!(journal.standing(at(91)), Ok(()));
    journal.record(at(92), 1, Fact::Aborted { why: long }).expect("room again");
}

#[test]
fn a_full_disk_under_a_real_file_loses_nothing_that_was_durable() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = open(&path).expect("a new journal");
    tell(&journal);
    journal.inject(DiskFault::Full).expect("a fault");
    let durable = (100..).find_map(|second| {
        let facts = journal.facts();
        journal.record(at(second), 1, Fact::Entered { rung: Rung::Flip }).err().map(|error| (facts, error))
    });
    let (facts, refusal) = durable.expect("the disk fills");
    assert!(matches!(refusal, JournalError::Full { .. }), "{refusal}");
    drop(journal);
    assert_eq!(open(&path).expect("the same journal").facts(), facts);
}

#[test]
fn a_read_only_disk_is_reported_and_can_still_be_read() {
    let journal = Journal::in_memory(&payments()).expect("a journal");
    tell(&journal);
    journal.inject(DiskFault::ReadOnly).expect("a fault");
    let refusal = journal.record(at(90), 1, Fact::PointOfNoReturn).expect_err("read only");
    assert!(matches!(refusal, JournalError::ReadOnly { .. }), "{refusal}");
    assert!(matches!(journal.standing(at(91)), Err(JournalError::ReadOnly { .. })), "it does not claim to be well");
    assert_eq!(journal.history(0, 1000).expect("reading goes on").len(), story().len());
    journal.inject(DiskFault::None).expect("no fault");
    assert_eq!(journal.standing(at(92)), Ok(()));
}

#[test]
fn a_directory_that_refuses_files_is_reported_and_nothing_is_left_behind() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).expect("a mode");
    if fs::write(directory.path().join("probe"), "").is_ok() {
        return; // The superuser is not held back by modes; there is nothing to see.
    }
    let refusal = open(&file_in(&directory)).expect_err("no write permission");
    assert!(matches!(refusal, JournalError::ReadOnly { .. }), "{refusal}");
}

#[test]
fn a_file_that_refuses_writes_is_reported_from_the_start_and_its_facts_are_known() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let before = tell(&open(&path).expect("a new journal"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("a mode");
    if fs::OpenOptions::new().append(true).open(&path).is_ok() {
        return; // The superuser is not held back by modes; there is nothing to see.
    }
    let journal = open(&path).expect("it can be read");
    assert_eq!(Some(journal.facts().as_ref()), before.last());
    assert!(matches!(journal.standing(at(99)), Err(JournalError::ReadOnly { .. })));
}

#[test]
fn a_directory_that_cannot_be_is_an_error_with_a_way_out() {
    let refusal = open(Path::new("/dev/null/payments.journal")).expect_err("no directory");
    assert!(matches!(refusal, JournalError::Io { .. }), "{refusal}");
    assert!(refusal.to_string().contains("check it"), "{refusal}");
}

/// Every file in a directory with what is in it.
fn everything_in(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.map(|file| (file.clone(), fs::read(&file).expect("a readable file"))).collect();
    files.sort();
    files
}

#[test]
fn whoever_only_asks_sees_all_that_is_durable_and_leaves_no_trace() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = open(&path).expect("a new journal");
    journal.accept_spec(at(0), "payments.yaml", "phase: CutOver").expect("a spec");
    let facts = tell(&journal).pop();
    // What a killed process leaves has its newest facts in the log beside it.
    let (killed, remains) = remains(&path);
    drop(journal);
    for (directory, path) in [(&killed, &remains), (&directory, &path)] {
        let before = everything_in(directory.path());
        let asked = Journal::read(path, &payments()).expect("it can be read");
        assert_eq!(Some(asked.facts().as_ref()), facts.as_ref());
        assert_eq!(asked.generation(), 1);
        let refusal = asked.record(at(99), 1, Fact::PointOfNoReturn).expect_err("it was only to be read");
        assert!(matches!(refusal, JournalError::ReadOnly { .. }), "{refusal}");
        assert!(asked.next_epoch(at(99)).is_err() && asked.standing(at(99)).is_err());
        drop(asked);
        assert_eq!(everything_in(directory.path()), before);
    }
}

#[test]
fn whoever_only_asks_is_told_what_is_wrong_with_a_journal_as_whoever_writes_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let first = open(&path).expect("a new journal");
    let refusal = Journal::read(&path, &payments()).expect_err("somebody writes it");
    assert!(matches!(refusal, JournalError::Locked { .. }), "{refusal}");
    drop(first);
    let refusal = Journal::read(&path, &"invoices".into()).expect_err("it is another's");
    assert!(matches!(refusal, JournalError::AnotherMigration { .. }), "{refusal}");
    fs::write(&path, "somebody's shopping list").expect("a written file");
    let refusal = Journal::read(&path, &payments()).expect_err("it is no journal");
    assert!(matches!(refusal, JournalError::Corrupt { .. }), "{refusal}");
    assert!(refusal.to_string().contains(&path.display().to_string()), "it is named, not its copy: {refusal}");
}

#[test]
fn a_second_handle_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let first = open(&path).expect("a new journal");
    let refusal = open(&path).expect_err("one at a time");
    assert!(matches!(refusal, JournalError::Locked { .. }), "{refusal}");
    first.record(at(1), 1, Fact::PointOfNoReturn).expect("the first is not disturbed");
    drop(first);
    open(&path).expect("now it is free");
}

/// The variable that tells the child process which file to try.
const CHILD: &str = "BASCULE_TEST_JOURNAL";

#[test]
fn a_second_process_is_refused() {
    if let Some(path) = std::env::var_os(CHILD) {
        let refusal = open(Path::new(&path)).expect_err("the parent has it");
        assert!(matches!(refusal, JournalError::Locked { .. }), "{refusal}");
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let _held = open(&file_in(&directory)).expect("a new journal");
    let child = Command::new(std::env::current_exe().expect("this test's program"))
        .args(["--exact", "a_second_process_is_refused"])
        .env(CHILD, file_in(&directory))
        .output()
        .expect("a child");
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
}

#[test]
fn another_migrations_journal_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    drop(Journal::open(&path, &"ledger".into(), at(0)).expect("a new journal"));
    let refusal = open(&path).expect_err("not ours");
    assert!(matches!(&refusal, JournalError::AnotherMigration { found, .. } if found == "ledger"), "{refusal}");
}

#[test]
fn a_journal_renamed_by_hand_is_refused_because_its_chain_began_with_the_other_name() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    tell(&Journal::open(&path, &"ledger".into(), at(0)).expect("a new journal"));
    let shell = Connection::open(&path).expect("a shell");
    shell.execute("UPDATE meta SET value = 'payments' WHERE key = 'migration'", []).expect("a change by hand");
    drop(shell);
    assert!(matches!(open(&path), Err(JournalError::Corrupt { .. })));
}

#[test]
fn a_newer_schema_is_left_to_the_newer_program() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    drop(open(&path).expect("a new journal"));
    let shell = Connection::open(&path).expect("a shell");
    shell.execute("UPDATE meta SET value = '2' WHERE key = 'schema_version'", []).expect("a newer version");
    drop(shell);
    assert!(matches!(open(&path), Err(JournalError::NewerVersion { found: 2, known: 1, .. })));
}

#[test]
fn what_is_no_journal_is_refused_and_left_as_it_was() {
    for other in ["", "apiVersion: bascule.dev/v1alpha1\n", &"x".repeat(10_000)] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = file_in(&directory);
        fs::write(&path, other).expect("some other file");
        let refusal = open(&path).expect_err("not a journal");
        assert!(matches!(refusal, JournalError::Corrupt { .. }), "{refusal}");
        assert_eq!(fs::read_to_string(&path).expect("the same file"), other);
    }
}

#[test]
fn a_lost_file_is_not_replaced_while_its_log_is_still_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = open(&path).expect("a new journal");
    tell(&journal);
    let (_kept, copy) = remains(&path);
    fs::remove_file(&copy).expect("the file is lost");
    assert!(matches!(open(&copy), Err(JournalError::Corrupt { .. })));
}

#[test]
fn an_ordinary_tool_reads_along_while_the_journal_is_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = open(&path).expect("a new journal");
    let action = Action::Fence(FenceAction::Close { side: Side::Legacy, accounts: vec!["app@%".into()] });
    let intent = journal.intend(at(1), 1, &action).expect("an intent");
    journal.conclude(at(2), intent, Outcome::Done("closed".to_owned())).expect("its end");
    let shell = Connection::open(&path).expect("a shell");
    let mut query = shell.prepare("SELECT kind, sentence, json_extract(body, '$.intent') FROM entries").expect("its tables");
    let rows: Vec<(String, String, Option<u64>)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?.map(i64::unsigned_abs))))
        .and_then(Iterator::collect)
        .expect("rows");
    assert_eq!(rows[0], ("Intent".to_owned(), "about to close the legacy database to app@%".to_owned(), None));
    assert_eq!(rows[1], ("Outcome".to_owned(), "1 is done: closed".to_owned(), Some(1)));
    journal.record(at(3), 1, Fact::PointOfNoReturn).expect("the reader does not disturb");
}

#[test]
fn every_start_takes_the_next_epoch() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    for start in 1..=3 {
        let journal = open(&path).expect("the journal");
        assert_eq!(journal.next_epoch(at(start)), Ok(Epoch(start.unsigned_abs())));
    }
}

#[test]
fn generations_count_texts_and_survive_restarts() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = file_in(&directory);
    let journal = open(&path).expect("a new journal");
    assert_eq!((journal.generation(), journal.last_good_spec()), (0, Ok(None)));
    assert_eq!(journal.accept_spec(at(1), "a.yaml", "phase: Preflight"), Ok(1));
    assert_eq!(journal.accept_spec(at(2), "a.yaml", "phase: Preflight"), Ok(1));
    assert_eq!(journal.accept_spec(at(3), "a.yaml", "phase: CutOver"), Ok(2));
    journal.refuse_spec(at(4), "a.yaml", &sha256(b"phase: Nowhere"), "no such phase").expect("a refusal");
    drop(journal);
    let journal = open(&path).expect("the journal");
    let kept = journal.last_good_spec().expect("readable").expect("there is one");
    assert_eq!((kept.generation, kept.text.as_str(), kept.source.as_str()), (2, "phase: CutOver", "a.yaml"));
    assert_eq!(journal.accept_spec(at(5), "a.yaml", "phase: CutOver"), Ok(2), "a restart is not a change");
    assert_eq!(journal.accept_spec(at(6), "a.yaml", "phase: Preflight"), Ok(3), "an old text put back is a change");
    assert_eq!(journal.history(0, 100).expect("a history").len(), 4, "what did not change is not written");
}

#[test]
fn history_comes_in_pages_and_reads_back_what_was_said() {
    let journal = Journal::in_memory(&payments()).expect("a journal");
    tell(&journal);
    journal.status_changed(at(99), 1, Some(Phase::CutOver), Rung::Flip, "on the target").expect("a status");
    let mut after = 0;
    let mut told = Vec::new();
    loop {
        let page = journal.history(after, 7).expect("a page");
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        after = last.seq.0;
        told.extend(page);
    }
    let facts: Vec<Fact> = told
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Fact(fact) => Some(fact.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(facts, story());
    assert_eq!(told.last().map(|entry| entry.sentence.as_str()), Some("on the target"));
}
