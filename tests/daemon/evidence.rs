//! Evidence as an auditor gets it: from the journal of a running controller, which is neither asked nor disturbed.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::fixture::{Home, PAYMENTS, at_phase};

fn bascule(arguments: &[&str], home: &Home) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.arg("evidence").args(arguments).current_dir(home.specs().parent().expect("a home")).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = ["evidence.json", "report.html", "SHA256SUMS", "specs/generation-1.yaml"]
        .map(|name| (name.to_owned(), fs::read(folder.join(name)).expect("a written file")))
        .into();
    files.sort();
    files
}

#[test]
fn evidence_is_taken_beside_a_running_controller_which_goes_on() {
    let home = Home::with(&at_phase("Prepared"));
    let daemon = home.run();
    daemon.when_at("payments", "Prepared");
    let output = bascule(&["payments", "-o", "evidence"], &home);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));

    home.save("payments.yaml", &at_phase("Preflight"));
    daemon.when("payments", "the next spec", |object| object["metadata"]["generation"] == 2);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("in use by another process"), "it was in nobody's way: {log}");

    let folder = home.specs().with_file_name("evidence");
    let verified = bascule(&["verify", "evidence"], &home);
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let record: Value = serde_json::from_slice(&fs::read(folder.join("evidence.json")).expect("a record")).expect("JSON");
    assert_eq!(record["specs"].as_array().map(Vec::len), Some(1), "what came later is not in it");
    assert_eq!(fs::read_to_string(folder.join("specs/generation-1.yaml")).expect("a spec"), at_phase("Prepared"));
    let gates = record["chapters"][1]["exhibits"].to_string();
    assert!(gates.contains("PublicAtLegacy: pay.example.com points exactly at legacy"), "{gates}");
    let actions = record["actions"].to_string();
    assert!(actions.contains("shadow-pay.example.com"), "{actions}");
}

#[test]
fn the_same_journal_gives_the_same_folder_and_none_is_written_over() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    assert!(daemon.stop().0.success());
    let before = fs::read(home.journal_path("payments")).expect("a journal");
    let [first, second] = ["one", "two"].map(|folder| bascule(&["payments", "-o", folder], &home));
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let seal = |output: &Output| said(output).lines().find(|line| line.starts_with("seal ")).map(str::to_owned);
    assert!(seal(&first).is_some() && seal(&first) == seal(&second));
    let folder = |name: &str| home.specs().with_file_name(name);
    assert_eq!(files(&folder("one")), files(&folder("two")));
    assert_eq!(fs::read(home.journal_path("payments")).expect("a journal"), before, "the journal is only read");

    let again = bascule(&["payments", "-o", "one"], &home);
    assert_eq!(again.status.code(), Some(1));
    assert!(said(&again).contains("never written over"), "{}", said(&again));
    assert_eq!(files(&folder("one")), files(&folder("two")));
}

#[test]
fn a_migration_without_a_journal_and_a_folder_that_is_none_are_no_verdict() {
    let home = Home::with(PAYMENTS);
    let nobody = bascule(&["nobody", "-o", "evidence"], &home);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(said(&nobody).contains("nobody.journal"), "{}", said(&nobody));
    assert!(!home.specs().with_file_name("evidence").exists(), "nothing is left of it");
    let missing = bascule(&["verify", "evidence"], &home);
    assert_eq!(missing.status.code(), Some(3), "{}", said(&missing));
    assert_eq!(bascule(&["payments"], &home).status.code(), Some(64));
}
