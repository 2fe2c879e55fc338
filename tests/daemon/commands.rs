//! `bascule plan` and `bascule status`: what they print, and how they exit.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bascule::migration::facts::Fact;
use bascule::migration::ladder::Rung;

use crate::fixture::{Daemon, Home, PAYMENTS, at_phase, named};

fn bascule(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bascule")).args(arguments).env_remove("BASCULE_SERVER").output().expect("it runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// `plan --sandbox` of a spec, with further arguments.
fn plan(text: &str, more: &[&str]) -> Output {
    let home = Home::with(text);
    let (file, state) = (home.file("payments.yaml"), home.state());
    let file = file.to_str().expect("a plain path");
    let state_text = state.to_str().expect("a plain path");
    let output = bascule(&[&["plan", file, "--sandbox", "--state", state_text], more].concat());
    assert_eq!(fs::read_dir(&state).expect("a directory").count(), 0, "planning leaves no trace");
    output
}

fn url(daemon: &Daemon) -> String {
    format!("http://{}", daemon.address)
}

/// An address at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}", listener.local_addr().expect("its address"))
}

#[test]
fn plan_says_what_the_next_pass_would_do_which_gates_hold_and_what_approvals_have_to_name() {
    let output = plan(PAYMENTS, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("payments at Preflight; Preflight is asked for\n"), "{text}");
    for part in
        ["the next pass would\n  1. begin attempt 1\n", "\ngates\n  open     ", "approvals have to name\n  attempt 1, plan "]
    {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
}

#[test]
fn warnings_and_mistakes_of_a_spec_end_their_last_line() {
    for (file, summary) in [("warnings", "0 errors, 8 warnings in "), ("timing", " in ")] {
        let file = format!("tests/spec_mistakes/{file}.yaml");
        let said = stderr(&bascule(&["plan", &file, "--sandbox"]));
        assert!(said.contains(summary) && said.ends_with(&format!("{file}\n")), "{said}");
    }
}

#[test]
fn plan_looks_through_the_facts_that_the_next_pass_would_record_to_its_calls() {
    let text = stdout(&plan(&at_phase("Prepared"), &[]));
    let lines: Vec<_> = text.lines().skip_while(|line| *line != "the next pass would").skip(1).take(5).collect();
    assert_eq!(lines[..3], ["  1. begin attempt 1", "  2. Preflight is reached", "  3. enter Prepared"]);
    assert!(text.contains(". lower the TTL of pay.example.com to 60 s\n"), "{text}");
}

#[test]
fn plan_as_json_holds_the_same() {
    let output = plan(PAYMENTS, &["--output", "json"]);
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!((&value["migration"], &value["sentences"][0]), (&"payments".into(), &"begin attempt 1".into()));
    assert_eq!(value["plan"]["rung"], "Preflight");
    assert_eq!(stderr(&output), "");
}

#[test]
fn plan_exits_with_0_whatever_there_is_to_do_unless_it_is_asked_for_details() {
    assert_eq!(plan(PAYMENTS, &[]).status.code(), Some(0));
    assert_eq!(plan(PAYMENTS, &["--detailed-exitcode"]).status.code(), Some(2), "something to do");
    let output = plan(&at_phase("RolledBack"), &["--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(3), "nothing to roll back, so a person has to look: {}", stdout(&output));
    assert!(stdout(&output).contains("held until a person has looked\n  NothingToRollBack: "), "{}", stdout(&output));
}

#[test]
fn plan_exits_with_1_when_it_cannot_plan_and_with_64_when_it_is_used_wrongly() {
    let output = plan(&at_phase("Preparde"), &["--detailed-exitcode"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("Preparde"), "{}", stderr(&output));
    assert_eq!(plan(PAYMENTS, &["--no-such-flag"]).status.code(), Some(64));
    let output = bascule(&["plan", "no-such-file.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no-such-file.yaml cannot be read"), "{}", stderr(&output));
}

/// Every file of the state directory with what is in it.
fn state_of(home: &Home) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(home.state()).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files.map(|file| (file.clone(), fs::read(&file).expect("a readable file"))).collect();
    files.sort();
    files
}

/// `plan` of the real thing, in an account and with databases that nobody answers for.
fn plan_for_real(home: &Home) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.arg("plan").arg(home.file("payments.yaml")).arg("--state").arg(home.state());
    command.env("AWS_ENDPOINT_URL", nobody()).env("AWS_ACCESS_KEY_ID", "nobody").env("AWS_SECRET_ACCESS_KEY", "nothing");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env_remove("PAYMENTS_LEGACY_USER").env_remove("PAYMENTS_TARGET_USER");
    command.env_remove("BASCULE_SERVER").output().expect("it runs")
}

#[test]
fn plan_reads_a_real_journal_and_leaves_no_trace_in_it() {
    let home = Home::with(&at_phase("Replicating"));
    let journal = home.journal("payments");
    let now = "2026-03-02T09:00:00Z".parse().expect("a time");
    let rungs = [Rung::Preflight, Rung::Prepared, Rung::Replicating].map(|rung| Fact::Entered { rung });
    for fact in [Fact::AttemptBegun { attempt: 1 }].into_iter().chain(rungs) {
        journal.record(now, 1, fact).expect("a fact");
    }
    drop(journal);
    let before = state_of(&home);
    let output = plan_for_real(&home);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("payments at Replicating; Replicating is asked for\n"), "{}", stdout(&output));
    assert!(stdout(&output).contains("  unknown  "), "nobody answered: {}", stdout(&output));
    assert_eq!(state_of(&home), before);
}

#[test]
fn plan_beside_a_running_daemon_names_the_one_to_ask_and_not_the_one_to_stop() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let output = plan_for_real(&home);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    let said = stderr(&output);
    assert!(said.contains("--server") && said.contains("bascule plan") && !said.contains("stop"), "{said}");
}

#[test]
fn plan_can_be_asked_of_the_running_daemon() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let (file, server) = (home.file("payments.yaml"), url(&daemon));
    let file = file.to_str().expect("a plain path");
    let output = bascule(&["plan", file, "--server", &server, "--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("the next pass would\n  do nothing\n"), "{}", stdout(&output));

    home.save("other.yaml", &named("invoices", "Preflight"));
    let other = home.file("other.yaml");
    let output = bascule(&["plan", other.to_str().expect("a plain path"), "--server", &server]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("404"), "{}", stderr(&output));
    let output = bascule(&["plan", file, "--server", &nobody()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is `bascule run` running there?"), "{}", stderr(&output));
}

#[test]
fn status_says_what_is_true_in_words_and_as_json() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let server = url(&daemon);
    let output = bascule(&["status", "payments", "--server", &server]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    for part in [
        "payments: Preflight reached",
        "\nnext  ",
        "\nwrites        legacy open",
        "\ncondition     Ready True AwaitingPromotion\n",
    ] {
        assert!(text.contains(part), "{part:?} is missing in: {text}");
    }
    let output = bascule(&["status", "payments", "--server", &server, "--output", "json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(object["kind"], "Migration");

    let output = bascule(&["status", "--server", &server]);
    let text = stdout(&output);
    assert!(text.starts_with("NAME ") && text.contains("\npayments "), "{text}");
    let output = bascule(&["status", "--server", &server, "-o", "json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(list["kind"], "MigrationList");
}

#[test]
fn status_of_a_name_that_nobody_knows_or_without_a_server_fails_with_a_sentence() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let output = bascule(&["status", "invoices", "--server", &url(&daemon)]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("invoices"), "{}", stderr(&output));
    let output = bascule(&["status", "no name", "--server", &url(&daemon)]);
    assert_eq!(output.status.code(), Some(1));
    let output = bascule(&["status", "--server", &nobody()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is `bascule run` running there?"), "{}", stderr(&output));
    let output = bascule(&["status", "--server", "127.0.0.1:8080"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not an address such as http://127.0.0.1:8080"), "{}", stderr(&output));
}

#[test]
fn plan_holds_a_promotion_against_the_running_migration() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("proposed.yaml.txt", &at_phase("RollbackArmed"));
    let (proposed, server) = (home.file("proposed.yaml.txt"), url(&daemon));
    let proposed = proposed.to_str().expect("a plain path");
    let plan = |more: &[&str]| bascule(&[&["plan", proposed, "--server", &server], more].concat());
    let output = plan(&["--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(2), "{}{}", stdout(&output), stderr(&output));
    let text = stdout(&output);
    let way = "1. Prepared\n  2. Replicating\n  3. Validated\n  4. RollbackArmed\n";
    assert!(text.contains("spec.phase: Preflight -> RollbackArmed\n") && text.contains(way), "{text}");
    assert!(!text.contains("the next pass would"), "the next pass goes by another spec: {text}");
    let value: serde_json::Value = serde_json::from_slice(&plan(&["-o", "json"]).stdout).expect("JSON on stdout");
    assert_eq!(value["proposal"]["rungs"][3], "RollbackArmed");
    assert_eq!(value["plan"]["rung"], "Preflight");
    let comment = stdout(&plan(&["-o", "markdown"]));
    assert!(comment.starts_with("<!-- bascule-plan: payments -->\n"), "{comment}");

    // What is not allowed is nothing to do for anybody but a person.
    home.save("proposed.yaml.txt", &at_phase("RolledBack"));
    let output = plan(&["--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(3), "{}", stdout(&output));
    assert!(stdout(&output).contains("not allowed\n  NothingToRollBack: "), "{}", stdout(&output));
}

#[test]
fn what_status_has_saved_is_planned_against_like_the_server() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let saved = home.state().join("status.json");
    fs::write(&saved, bascule(&["status", "payments", "-o", "json", "--server", &url(&daemon)]).stdout).expect("a file");
    let (file, saved) = (home.file("payments.yaml"), saved.to_str().expect("a plain path").to_owned());
    let output = bascule(&["plan", file.to_str().expect("a plain path"), "--against", &saved, "--detailed-exitcode"]);
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).starts_with("payments: as it is in force; it stands at Preflight"), "{}", stdout(&output));
}

#[test]
fn wait_ends_when_it_is_so_when_it_cannot_be_any_more_and_when_the_time_is_over() {
    let home = Home::with(&at_phase("Prepared"));
    let daemon = home.run();
    let server = url(&daemon);
    let wait = |arguments: &[&str]| bascule(&[&["wait", "payments", "--server", &server], arguments].concat());
    daemon.when("payments", "a first look", |_| true);
    let output = wait(&["--for=phase=Prepared", "--timeout", "5m"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""), "{}", stderr(&output));
    daemon.when_at("payments", "Prepared");
    assert_eq!(wait(&["--for=phase=Preflight"]).status.code(), Some(0), "a later phase is more");
    assert_eq!(wait(&["--for=condition=Ready", "--timeout", "1m"]).status.code(), Some(0));
    let output = wait(&["--for=phase=CutOver", "--timeout", "1s"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("waiting: Prepared reached") && stderr(&output).contains("not within 1s"),
        "{}",
        stderr(&output)
    );
    assert_eq!(wait(&["--for=phase=Cutting"]).status.code(), Some(64));
    let output = bascule(&["wait", "invoices", "--for=condition=Ready", "--server", &server]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let output = bascule(&["wait", "payments", "--for=condition=Ready", "--server", &nobody()]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn events_prints_the_history_and_follows_what_is_added() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let server = url(&daemon);
    let output = bascule(&["events", "payments", "--server", &server]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("  a controller started as epoch 1\n") && text.contains("Preflight is reached"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let output = bascule(&["events", "payments", "--server", &server, "-o", "json", "--after", "1"]);
    let entries: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON, one event a line")).collect();
    assert_eq!(entries[0]["seq"], 2);

    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.args(["events", "payments", "--follow", "--server", &server]).stdout(Stdio::piped());
    let mut follower = command.spawn().expect("it runs");
    let mut lines = BufReader::new(follower.stdout.take().expect("a pipe")).lines();
    let mut until = |what: &str| lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(what))).is_some();
    assert!(until("Preflight is reached"));
    home.save("payments.yaml", &at_phase("Prepared"));
    assert!(until("enter Prepared"), "what was added later was not followed");
    follower.kill().and_then(|()| follower.wait()).expect("it was running");
}

#[test]
fn a_status_that_is_watched_into_a_file_adds_only_what_is_new() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.args(["status", "payments", "--watch", "--server", &url(&daemon)]).stdout(Stdio::piped());
    let mut watcher = command.spawn().expect("it runs");
    let mut lines = BufReader::new(watcher.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let headline = |text: &str| text.starts_with("payments: ");
    assert!(lines.next().is_some_and(|line| headline(&line) && !line.contains('\x1b')));
    home.save("payments.yaml", &at_phase("Prepared"));
    let mut wished = Vec::new();
    for line in lines.by_ref().filter(|line| headline(line)) {
        wished.push(line.clone());
        if line.contains("Prepared reached") {
            break;
        }
    }
    assert!(wished.windows(2).all(|pair| pair[0] != pair[1] || !pair[0].contains("as wished")), "nothing new: {wished:#?}");
    watcher.kill().and_then(|()| watcher.wait()).expect("it was running");
}

#[test]
fn no_command_reads_more_of_a_file_than_a_spec_can_have() {
    let home = Home::empty();
    let huge = home.file("huge.yaml");
    fs::File::create(&huge).and_then(|file| file.set_len(120 << 20)).expect("a sparse file");
    for file in [huge.as_path(), Path::new("/dev/zero")] {
        for command in ["validate", "rehearse", "plan", "parity", "quarantine -o saved", "simulate --world"] {
            // Whoever read on would come to the end of this address space, and not to that of the machine's memory.
            let limited = format!("ulimit -v 4000000; exec \"$0\" {command} \"$1\"");
            let output = Command::new("sh").args(["-c", &limited, env!("CARGO_BIN_EXE_bascule")]).arg(file).output();
            let output = output.expect("it runs");
            let said = stdout(&output) + &stderr(&output);
            assert!(said.contains("more than 262144 bytes"), "{command} {}: {said}", file.display());
            assert!(matches!(output.status.code(), Some(1 | 2)), "{command} {}: {:?}", file.display(), output.status);
        }
    }
}
