//! The program itself, as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bascule::mysql::connect::connect;
use bascule::parity::progress::{Saved, StateFile};
use bascule::parity::report::{Report, Verdict};
use mysql_async::prelude::Queryable;
use serde_json::Value;

use crate::fixture::{PAYMENTS, TWO_SERVERS, Two, payments};

/// The spec of the fixture with the ports on which the servers really listen.
fn spec(two: &Two) -> PathBuf {
    let port = |side: usize| two.servers[side].address.port.to_string();
    let path = two.directory.path().join("two_servers.yaml");
    let text = TWO_SERVERS.replace("33061", &port(0)).replace("33062", &port(1));
    std::fs::write(&path, text).expect("the spec can be written");
    path
}

fn command(spec: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command
        .args(["parity", &spec.display().to_string(), "--settle", "0"])
        .args(arguments)
        .current_dir(spec.parent().expect("a directory"))
        .env("TWO_SERVERS_USER", "root")
        .env("TWO_SERVERS_PASSWORD", "")
        .stdin(Stdio::null());
    command
}

fn bascule(spec: &Path, arguments: &[&str]) -> Output {
    command(spec, arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn the_exit_code_says_equal_different_or_not_found_out_and_the_plan_repairs() {
    let mut two = Two::start().await;
    two.both(PAYMENTS).await;
    two.both(&payments(3_000)).await;
    two.target("INSERT INTO payments.payments SELECT 9000, 'v', 'validation', 1, 'EUR', 1, '2026-01-01', '2026-01-01', NULL")
        .await;
    let spec = spec(&two);

    let equal = bascule(&spec, &[]);
    let told = text(&equal.stdout);
    assert_eq!(equal.status.code(), Some(0), "{told}{}", text(&equal.stderr));
    assert!(told.contains("expected drift: 0 declared rows on legacy, 1 on target"), "{told}");
    assert!(text(&equal.stderr).contains("payments.payments: equal"), "progress is told on stderr");

    two.target("UPDATE payments.payments SET note = 'it''s \\\\ wrong', amount = 1 WHERE id = 5").await;
    two.target("DELETE FROM payments.payments WHERE id = 10").await;
    two.target("INSERT INTO payments.payments SELECT 9001, 'w', 'c', 1, 'EUR', 1, '2026-01-01', '2026-01-01', NULL").await;
    let differs = bascule(&spec, &["--output", "json", "--table", "payments.payments"]);
    assert_eq!(differs.status.code(), Some(1), "{}", text(&differs.stderr));
    let report: Report = serde_json::from_slice(&differs.stdout).expect("a report in JSON and nothing else");
    assert_eq!((report.verdict, report.tables[0].differing), (Verdict::Differs, 3));
    let json: Value = serde_json::from_slice(&differs.stdout).expect("JSON");
    assert_eq!(json["tables"][0]["sample"][0]["how"]["columns"], serde_json::json!(["amount", "note"]));

    let planned = bascule(&spec, &["--repair-plan"]);
    let plan = text(&planned.stdout);
    let (_, plan) = plan.split_once("-- To be run on target").expect("a plan");
    let still = bascule(&spec, &[]);
    assert_eq!(still.status.code(), Some(1), "a plan is printed and not executed");
    let statements = plan.lines().skip(1).filter(|line| !line.starts_with("--"));
    let statements: Vec<String> = statements.map(|line| line.trim_end_matches(';').to_owned()).collect();
    assert_eq!(statements.len(), 4, "a time zone and three rows: {plan}");
    for statement in &statements {
        two.target(statement).await;
    }
    assert_eq!(bascule(&spec, &[]).status.code(), Some(0), "the plan repairs: {plan}");

    two.installed[1].kill();
    let unknown = bascule(&spec, &[]);
    assert_eq!(unknown.status.code(), Some(3), "{}", text(&unknown.stdout));
    assert!(text(&unknown.stderr).contains("connect to 127.0.0.1:"), "{}", text(&unknown.stderr));
    assert_eq!(text(&unknown.stdout), "");
}

/// Rows that the target has read along an index since it was started.
async fn rows_read(two: &Two) -> u64 {
    let server = &two.servers[1];
    let mut connection = connect(&server.address, &server.credentials).await.expect("a connection");
    let counter: Option<(String, u64)> =
        connection.query_first("SHOW GLOBAL STATUS LIKE 'Handler_read_next'").await.expect("a counter");
    counter.expect("every server counts").1
}

#[tokio::test]
async fn a_comparison_that_is_killed_goes_on_without_reading_again_and_ends_as_if_nothing_had_happened() {
    const ROWS: u64 = 20_000;
    const CHUNK: u64 = 200;
    let two = Two::start().await;
    two.both(PAYMENTS).await;
    two.both(&payments(ROWS)).await;
    two.target("UPDATE payments.payments SET amount = 1 WHERE id = 5").await;
    two.target("DELETE FROM payments.payments WHERE id = 19999").await;
    let path = spec(&two);
    let text_of_spec = std::fs::read_to_string(&path).expect("the spec");
    let (before, after) = text_of_spec.split_once("    ledger:\n").expect("the fixture has a ledger");
    let (_, after) = after.split_once("  cutover:\n").expect("the fixture has a cutover");
    // Nothing but the rows; slowly, so that there is a middle, and later as fast as the servers go.
    let rows_only = format!("{before}  cutover:\n{after}").replace("chunkRows: 20000", &format!("chunkRows: {CHUNK}"));
    let slow = rows_only.replace("    parity:\n", "    parity:\n      maxRowsPerSecond: 400\n");
    std::fs::write(&path, &rows_only).expect("the spec can be written");
    let undisturbed = bascule(&path, &["--output", "json", "--state", "another"]);

    std::fs::write(&path, slow).expect("the spec can be written");
    let mut killed = command(&path, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program runs");
    let state = StateFile(two.directory.path().join("state").join("two-servers.parity"));
    let saved = loop {
        let file = std::fs::read_to_string(&state.0).unwrap_or_default();
        let saved = file.split_once('\n').and_then(|(_, json)| serde_json::from_str::<Saved>(json).ok());
        match saved.filter(|saved| saved.current.is_some()) {
            Some(saved) => break saved,
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
        assert!(killed.try_wait().expect("it can be waited for").is_none(), "a minute's work does not end before it is seen");
    };
    killed.kill().expect("SIGKILL");
    killed.wait().expect("it is dead");
    let done = saved.current.expect("it was in the middle").walk.rows[1];
    assert!((CHUNK..ROWS).contains(&done), "{done} rows were read");

    std::fs::write(&path, rows_only).expect("the spec can be written");
    let before = rows_read(&two).await;
    let resumed = bascule(&path, &["--output", "json"]);
    let read = rows_read(&two).await - before;
    assert!(text(&resumed.stderr).contains("going on with the comparison that began at"), "{}", text(&resumed.stderr));
    // What is read twice at most: the chunk of each of two differing rows, by hash; and the dictionary of a dozen columns.
    assert!(read <= ROWS - done + 2 * CHUNK + 500, "{read} rows were read where {} were left", ROWS - done);

    let told = |output: &Output| {
        let report: Report = serde_json::from_slice(&output.stdout).expect("a report in JSON");
        let table = report.tables.first().expect("a table").clone();
        (output.status.code(), report.verdict, table.rows, table.differing, table.sample)
    };
    assert_eq!(told(&resumed), told(&undisturbed));
    assert_eq!(told(&resumed).3, 2);
    assert!(!state.0.exists(), "nothing is left to go on with");
}

#[tokio::test]
async fn quarantine_saves_exactly_the_rows_that_the_other_side_lacks_and_writes_over_nothing() {
    let two = Two::start().await;
    two.both(PAYMENTS).await;
    two.both(&payments(500)).await;
    two.target("UPDATE payments.payments SET amount = 7 WHERE id = 3").await;
    two.target("INSERT INTO payments.payments SELECT 900, 'late', 'c', 9.5, 'EUR', 2, '2026-01-01', '2026-01-01', NULL").await;
    two.legacy("INSERT INTO payments.payments SELECT 901, 'own', 'c', 9.5, 'EUR', 2, '2026-01-01', '2026-01-01', NULL").await;
    let spec = spec(&two);
    let directory = two.directory.path().join("quarantine");
    let saved = |directory: &Path| {
        let arguments = ["quarantine", &spec.display().to_string(), "-o", &directory.display().to_string()].map(str::to_owned);
        let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
        command.args(arguments).env("TWO_SERVERS_USER", "root").env("TWO_SERVERS_PASSWORD", "");
        command.output().expect("the program runs")
    };
    let first = saved(&directory);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(directory.join("manifest.json")).expect("a manifest")).expect("JSON");
    assert_eq!(manifest["files"].as_array().map(Vec::len), Some(1), "{manifest}");
    let file = manifest["files"][0]["file"].as_str().expect("a file");
    let rows = std::fs::read_to_string(directory.join(file)).expect("rows");
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2, "what only the other side has is not at risk: {rows:?}");
    assert_eq!((&rows[0]["key"][0], &rows[0]["how"]), (&Value::from("3"), &Value::from("otherValues")));
    assert_eq!((&rows[0]["givenUp"]["amount"], &rows[0]["stays"]["amount"]), (&Value::from("7.0000"), &Value::from("3.0300")));
    assert_eq!((&rows[1]["key"][0], &rows[1]["how"]), (&Value::from("900"), &Value::from("missing")));
    assert_eq!((&rows[1]["givenUp"]["note"], &rows[1]["stays"]), (&Value::Null, &Value::Null));

    let again = saved(&directory);
    assert_eq!(again.status.code(), Some(3), "what was saved once is not written over");
    assert!(text(&again.stderr).contains("nothing may be given up before the rows at risk are saved"), "{}", text(&again.stderr));
}

#[test]
fn a_bad_spec_missing_credentials_and_wrong_usage_are_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let spec = directory.path().join("two_servers.yaml");
    std::fs::write(&spec, TWO_SERVERS.replace("env: TWO_SERVERS", "env: NOT_THERE")).expect("written");
    let missing = bascule(&spec, &[]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(
        text(&missing.stderr).contains("legacy: the environment variable NOT_THERE_USER is not set"),
        "{}",
        text(&missing.stderr)
    );
    std::fs::write(&spec, "kind: Migration\n").expect("written");
    assert_eq!(bascule(&spec, &[]).status.code(), Some(2));
    assert_eq!(bascule(&spec, &["--no-such-option"]).status.code(), Some(64));
}
