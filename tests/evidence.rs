//! Evidence of whole rehearsals: what is in it, and that no edit goes unnoticed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use bascule::evidence::{Finding, RECORD, REPORT, Record, SUMS, Subject, files, gather, seal, verify, write};
use bascule::journal::{Event, HISTORY_PAGE, Journal, sha256};
use bascule::migration::approvals::cutover_digest;
use bascule::migration::source::Commit;
use bascule::names::{MigrationName, Side};
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Request, rehearse};
use bascule::sim::profile::FaultProfile;
use bascule::spec::Migration;
use bascule::spec::load::load;
use tempfile::TempDir;

const PAYMENTS: &str = include_str!("../manifests/base/payments.yaml");

/// A subject line as somebody might write who wants the report to do something.
const HOSTILE: &str = "<script>alert('approved')</script>";

fn payments() -> Migration {
    load("payments.yaml", PAYMENTS.as_bytes()).expect("the example is valid").migration.into_inner()
}

/// The example, approved by one who counts and by one who agreed to something else.
fn approved() -> String {
    let digest = cutover_digest(&payments());
    let approval = |by: &str, digest: &str| {
        format!("    - {{ by: {by}@example.com, at: 2025-12-31T23:00:00Z, attempt: 1, planDigest: {digest} }}\n")
    };
    let approvals = [approval("ada", digest.as_str()), approval("eve", &sha256(b"another plan"))].concat();
    PAYMENTS.replace("\n  approvals: []\n", &format!("\n  approvals:\n{approvals}"))
}

/// A journal with specs of a repository and everything that a rehearsal made durable.
fn journal_of(scenario: Scenario) -> Journal {
    let rehearsed = rehearse(&payments(), &Request::new(scenario, "calm", FaultProfile::calm(), 1), &mut |_| {});
    assert!(rehearsed.verdict.is_good(), "{:?}", rehearsed.verdict.violations);
    let journal = Journal::in_memory(&MigrationName::from("payments")).expect("a journal");
    let commit =
        |id: &str, subject: &str| Commit { id: id.repeat(40), author: "Ada <ada@example.com>".into(), subject: subject.into() };
    let began = "2026-01-01T00:00:00Z".parse().expect("a time");
    journal.accept_spec_of(Some(&commit("a", "Begin")), began, "git", PAYMENTS).expect("a spec");
    journal.accept_spec_of(Some(&commit("b", HOSTILE)), began, "git", &approved()).expect("a spec");
    let mut intents = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = rehearsed.journal.history(after, HISTORY_PAGE).expect("a history");
        let Some(last) = page.last() else { return journal };
        after = last.seq.0;
        for entry in page {
            match entry.event {
                Event::Started { .. } => _ = journal.next_epoch(entry.at).expect("an epoch"),
                Event::Fact(fact) => _ = journal.record(entry.at, 2, fact).expect("a fact"),
                Event::Intent(action) => {
                    let intent = journal.intend(entry.at, 2, &action).expect("an intent");
                    intents.insert(entry.seq, intent);
                }
                Event::Outcome { intent, outcome } => {
                    journal.conclude(entry.at, intents[&intent], outcome).expect("an outcome");
                }
                Event::StatusChanged { phase, rung, summary } => {
                    journal.status_changed(entry.at, 2, phase, rung, &summary).expect("a status");
                }
                Event::SpecAccepted { .. } | Event::SpecRefused { .. } => {}
            }
        }
    }
}

fn rollback() -> &'static Record {
    static RECORD: OnceLock<Record> = OnceLock::new();
    RECORD.get_or_init(|| gather(&"payments".into(), &journal_of(Scenario::Rollback)).expect("evidence"))
}

fn folder_of(record: &Record) -> TempDir {
    let home = tempfile::tempdir().expect("a directory");
    write(record, &home.path().join("evidence")).expect("a folder");
    home
}

fn judged(home: &TempDir) -> BTreeSet<Finding> {
    verify(&home.path().join("evidence"), None).expect("it can be read").findings
}

fn about(record: &Record, subject: Subject) -> String {
    let chapter = record.chapters.iter().find(|chapter| chapter.subject == subject).expect("every subject is there");
    chapter.exhibits.iter().map(|exhibit| format!("{}\n{}\n", exhibit.sentence, exhibit.details.join("\n"))).collect()
}

/// Puts the sums right after an edit, as a careful forger would.
fn sum_up(folder: &Path) {
    let listed = fs::read_to_string(folder.join(SUMS)).expect("sums");
    let names = listed.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name);
    let sums: String = names.map(|name| format!("{}  {name}\n", sha256(&fs::read(folder.join(name)).expect("a file")))).collect();
    fs::write(folder.join(SUMS), sums).expect("a written file");
}

fn edit(home: &TempDir, file: &str, from: &str, to: &str) {
    let path = home.path().join("evidence").join(file);
    let text = fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replacen(from, to, 1)).expect("a written file");
}

#[test]
fn a_rollback_leaves_evidence_of_every_step() {
    let record = rollback();
    let opened: Vec<Option<Side>> = record.write_pauses.iter().map(|pause| pause.ended.as_ref().map(|end| end.opened)).collect();
    assert_eq!(opened, [Some(Side::Target), Some(Side::Legacy)], "one pause there, one back");
    for (subject, said) in [
        (Subject::Progress, "CutOver is reached"),
        (Subject::Gates, "Approved: 2 approvals of 2"),
        (Subject::FencesAndPositions, "the legacy fence is proven closed at "),
        (Subject::FencesAndPositions, "pass the point of no return"),
        (Subject::Markers, "the drain marker arrived on the target side"),
        (Subject::Comparisons, "payments.payments"),
        (Subject::DnsChanges, "Route 53 accepted FlipToLegacy as "),
    ] {
        let about = about(record, subject);
        assert!(about.contains(said), "{subject} does not say `{said}` but\n{about}");
    }
    assert_eq!(about(record, Subject::ForcedRollback), "", "none was forced");
    let gates = record.chapters.iter().find(|chapter| chapter.subject == Subject::Gates).expect("a chapter");
    for pause in &record.write_pauses {
        let ended = pause.ended.as_ref().expect("it ended").entry;
        let within = gates.exhibits.iter().any(|exhibit| pause.entry < exhibit.entry && exhibit.entry < ended);
        assert!(!within, "nothing more is written in a pause than it takes");
    }
    assert!(record.actions.iter().all(|deed| deed.answered.is_some()), "no controller died, so every answer is known");
    assert!(record.actions.len() > 30);
    let spec = record.specs.last().expect("two specs");
    assert_eq!(spec.counted, ["ada@example.com"]);
    assert_eq!(spec.refused, ["eve@example.com: names another plan; the spec has changed since"]);
    assert_eq!(spec.plan_digest, Some(cutover_digest(&payments())));
}

#[test]
fn a_forced_rollback_leaves_evidence_of_whose_word_it_was_and_where_the_rows_are() {
    let record = gather(&"payments".into(), &journal_of(Scenario::Forced)).expect("evidence");
    let about = about(&record, Subject::ForcedRollback);
    assert!(about.contains("accepts the loss of every write that legacy lacks"), "{about}");
    assert!(about.contains("every row that legacy lacks is saved"), "{about}");
    assert!(about.contains("SHA-256 "), "{about}");
}

#[test]
fn the_report_shows_everything_and_runs_nothing() {
    let report = String::from_utf8(files(rollback()).expect("files")[REPORT].clone()).expect("text");
    assert!(!report.contains("<script") && !report.contains("http-equiv=\"refresh\"") && !report.contains("src="));
    assert!(report.contains("&lt;script&gt;alert(&#39;approved&#39;)&lt;/script&gt;"), "the commit's subject is text");
    for row in &rollback().entries {
        assert!(report.contains(&format!("<tr id=\"entry-{}\">", row.seq)), "entry {} is in it", row.seq);
    }
}

#[test]
fn a_folder_as_it_was_written_is_intact_and_has_its_seal() {
    let home = tempfile::tempdir().expect("a directory");
    let folder = home.path().join("deep").join("evidence");
    let sealed = write(rollback(), &folder).expect("a folder");
    let verified = verify(&folder, Some(&sealed)).expect("it can be read");
    assert_eq!(verified.findings, BTreeSet::new());
    assert_eq!((verified.entries, &verified.seal), (rollback().chain.entries, &sealed));
    assert!(verified.notes.is_empty());
}

#[test]
fn every_flipped_bit_is_noticed_and_blamed_on_its_file() {
    let home = folder_of(rollback());
    for file in [RECORD, REPORT, SUMS, "specs/generation-1.yaml"] {
        let path = home.path().join("evidence").join(file);
        let good = fs::read(&path).expect("a file");
        // A prime number of places, so that they fall on names, values and blanks alike.
        for (number, at) in (0..good.len()).step_by((good.len() / 41).max(1)).enumerate() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (number % 8);
            fs::write(&path, &bad).expect("a written file");
            let findings = judged(&home);
            let blamed = findings.iter().any(|finding| {
                // A changed name in the sums reads as one file gone and another there.
                matches!(finding, Finding::Changed { file: changed, .. } if changed == file) || file == SUMS
            });
            assert!(!findings.is_empty() && blamed, "byte {at} of {file}: {findings:?}");
        }
        fs::write(&path, &good).expect("a written file");
    }
    assert_eq!(judged(&home), BTreeSet::new());
}

#[test]
fn files_that_are_added_or_taken_away_are_named() {
    let home = folder_of(rollback());
    let folder = home.path().join("evidence");
    fs::write(folder.join("specs/generation-9.yaml"), "phase: Completed").expect("a written file");
    fs::remove_file(folder.join("specs/generation-1.yaml")).expect("a removed file");
    std::os::unix::fs::symlink("/dev/null", folder.join("notes")).expect("a link");
    let named: Vec<String> = judged(&home).iter().map(ToString::to_string).collect();
    assert_eq!(named, ["notes was added", "specs/generation-9.yaml was added", "specs/generation-1.yaml was taken away"]);
    sum_up_without(&folder, "specs/generation-1.yaml");
    assert!(judged(&home).contains(&Finding::TakenAway { file: "specs/generation-1.yaml".into() }), "the entries name it still");
    fs::remove_file(folder.join(SUMS)).expect("a removed file");
    assert!(judged(&home).contains(&Finding::TakenAway { file: SUMS.into() }));
}

fn sum_up_without(folder: &Path, name: &str) {
    let listed = fs::read_to_string(folder.join(SUMS)).expect("sums");
    let kept: String = listed.lines().filter(|line| !line.ends_with(name)).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join(SUMS), kept).expect("a written file");
}

#[test]
fn a_report_that_says_something_else_than_the_entries_is_found_though_its_sums_were_put_right() {
    let home = folder_of(rollback());
    edit(&home, REPORT, "2 approvals of 2", "3 approvals of 2");
    sum_up(&home.path().join("evidence"));
    let named: Vec<String> = judged(&home).iter().map(ToString::to_string).collect();
    assert_eq!(named[0], "report.html was changed: it does not follow from the entries of evidence.json", "{named:?}");

    let summary = forged(|record| record.write_pauses.clear());
    assert_eq!(summary[0], "evidence.json was changed: it does not follow from the entries of evidence.json", "{summary:?}");
}

/// What `verify` says of a record that was edited and written anew with every sum right.
fn forged(forge: impl FnOnce(&mut Record)) -> Vec<String> {
    let mut record = rollback().clone();
    forge(&mut record);
    judged(&folder_of(&record)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_forged_row_is_found_by_its_number() {
    assert!(forged(|_| ()).is_empty(), "what was not forged is intact");
    let changed = forged(|record| record.entries[16].sentence = "nothing of note".into());
    assert_eq!(changed.first().map(String::as_str), Some("entry 17 of evidence.json was changed"), "{changed:?}");
    let gone = forged(|record| _ = record.entries.remove(16));
    assert_eq!(gone.first().map(String::as_str), Some("entry 17 of evidence.json was taken away"), "{gone:?}");
    let doubled = forged(|record| record.entries.insert(16, record.entries[15].clone()));
    assert_eq!(
        doubled.first().map(String::as_str),
        Some("entry 16 of evidence.json is there twice, or was added"),
        "{doubled:?}"
    );
    let cut = forged(|record| record.entries.truncate(100));
    assert_eq!(cut.first().map(String::as_str), Some("entry 101 of evidence.json and all after it were taken away"), "{cut:?}");
    let spec = forged(|record| record.specs[0].text.push_str("# and more\n"));
    assert!(spec.iter().any(|finding| finding.contains("the text of generation 1 is not the one")), "{spec:?}");
}

#[test]
fn a_forger_who_chains_everything_anew_is_told_by_the_seal_alone() {
    let honest = files(rollback()).expect("files");
    let mut record = rollback().clone();
    record.entries.truncate(100);
    let forged = Record::derive(&record.migration, record.entries.clone(), &texts(&record)).expect("a record");
    let home = folder_of(&forged);
    assert_eq!(judged(&home), BTreeSet::new(), "it is whole");
    let verified = verify(&home.path().join("evidence"), Some(&seal(&honest[SUMS]))).expect("it can be read");
    assert!(matches!(verified.findings.first(), Some(Finding::Seal { .. })), "but it is another: {:?}", verified.findings);
}

fn texts(record: &Record) -> BTreeMap<String, String> {
    record.specs.iter().map(|spec| (spec.digest.clone(), spec.text.clone())).collect()
}
