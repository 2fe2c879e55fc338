//! Secrets appear nowhere: not in logs at their most talkative, not in what is answered, not in the journal, not in errors.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixture::{Daemon, Home, PAYMENTS, at_phase, eventually};

/// Every secret here contains this, and nothing else does.
const CANARY: &str = "c4n4ry";

/// Secrets where operators put them: in the environment, and in the files that the spec names.
fn with_secrets(command: &mut Command, home: &Home) {
    let file = home.state().join("aws-credentials");
    fs::write(&file, format!("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = {CANARY}-file\n"))
        .expect("a written file");
    command
        .env("RUST_LOG", "trace")
        .env("PAYMENTS_LEGACY_USER", "bascule")
        .env("PAYMENTS_LEGACY_PASSWORD", format!("{CANARY}-legacy"))
        .env("PAYMENTS_TARGET_USER", "bascule")
        .env("PAYMENTS_TARGET_PASSWORD", format!("{CANARY}-target"))
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", format!("{CANARY}-key"))
        .env("AWS_SESSION_TOKEN", format!("{CANARY}-token"))
        .env("AWS_CONFIG_FILE", home.state().join("no-such-file"))
        .env("AWS_SHARED_CREDENTIALS_FILE", file);
}

fn assert_clean(what: &str, text: &str) {
    let leak = text.lines().find(|line| line.contains(CANARY));
    assert!(leak.is_none(), "{what} tells a secret: {leak:?}");
}

/// All that a daemon answers, says and writes down.
fn assert_silent(daemon: Daemon, home: &Home) {
    for path in ["", "/payments", "/payments/plan", "/payments/events", "/payments/journey"] {
        assert_clean(path, &daemon.get(&format!("/api/v1/migrations{path}")).body);
    }
    for path in ["/", "/metrics", "/openapi.json"] {
        assert_clean(path, &daemon.get(path).body);
    }
    let (status, said) = daemon.stop();
    assert!(status.success());
    assert!(said.lines().count() > 100, "the log was talkative indeed: {said}");
    assert_clean("the log", &said);
    for file in fs::read_dir(home.state()).expect("the state directory") {
        let path = file.expect("an entry").path();
        if path.file_name().is_some_and(|name| name != "aws-credentials") {
            assert_clean("the journal", &String::from_utf8_lossy(&fs::read(&path).expect("a readable file")));
        }
    }
}

#[test]
fn a_sandbox_run_tells_no_secret() {
    let credentials = tempfile::NamedTempFile::new().expect("a file");
    fs::write(credentials.path(), format!("user=bascule\npassword={CANARY}-in-a-file\n")).expect("a written file");
    let from_file = |text: String| text.replace("env: PAYMENTS_TARGET", &format!("file: {}", credentials.path().display()));
    let home = Home::with(&from_file(at_phase("Prepared")));
    let mut command = home.command(&home.file("payments.yaml"), &[]);
    with_secrets(&mut command, &home);
    let daemon = Daemon::start(command);
    daemon.when_at("payments", "Prepared");
    let folder = home.specs().join("evidence");
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.args(["evidence", "payments", "--state"]).arg(home.state()).arg("-o").arg(&folder);
    with_secrets(&mut command, &home);
    let written = command.output().expect("it runs");
    assert!(written.status.success(), "{written:?}");
    for file in ["evidence.json", "report.html", "specs/generation-1.yaml", "SHA256SUMS"] {
        assert_clean(file, &fs::read_to_string(folder.join(file)).expect("a written file"));
    }
    assert_silent(daemon, &home);
}

#[test]
fn the_token_of_the_face_is_told_nowhere_and_asked_of_everybody() {
    let home = Home::with(&at_phase("Prepared"));
    let token = format!("{CANARY}-0123456789abcdef");
    let mut command = home.command(&home.file("payments.yaml"), &["--token-env", "FACE_TOKEN"]);
    with_secrets(&mut command, &home);
    command.env("FACE_TOKEN", &token);
    let daemon = Daemon::start(command);
    let ask = |path: &str, header: &str| daemon.ask("GET", path, header);
    let shown = format!("Authorization: Bearer {token}\r\n");
    eventually("the first pass", || {
        let reply = ask("/api/v1/migrations/payments", &shown);
        if reply.code == 200 { Ok(()) } else { Err(reply.body) }
    });
    for path in ["/", "/metrics", "/openapi.json", "/api/v1/migrations", "/api/v1/migrations/payments/events"] {
        let (with, without) = (ask(path, &shown), ask(path, ""));
        assert_eq!((with.code, without.code), (200, 401), "{path}");
        assert_clean(path, &format!("{}{}{}{}", with.head, with.body, without.head, without.body));
    }
    let status = |file: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
        command.args(["status", "payments", "--server", &format!("http://{}", daemon.address), "--token-file"]).arg(file);
        command.output().expect("it runs")
    };
    let file = home.state().join("aws-credentials");
    fs::write(&file, format!("{token}\n")).expect("a written file");
    let answered = status(&file);
    assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
    fs::write(&file, format!("{CANARY}-wrong-wrong-wrong")).expect("a written file");
    let refused = status(&file);
    assert_eq!(refused.status.code(), Some(1));
    assert_clean("the refusal", &String::from_utf8_lossy(&refused.stderr));
    let (_, said) = daemon.stop();
    assert_clean("the log", &said);
}

#[test]
fn a_face_that_others_can_reach_is_not_opened_by_accident() {
    let home = Home::with(PAYMENTS);
    let start = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
        command.arg("run").arg(home.file("payments.yaml")).arg("--state").arg(home.state());
        command.args(["--sandbox", "--listen", "0.0.0.0:0"]).args(arguments).env("SHORT", format!("{CANARY}-1"));
        let output = command.output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = start(&[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("--token-file") && said.contains("--allow-anonymous"), "{said}");
    let (code, said) = start(&["--token-env", "SHORT"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("openssl rand -hex 32"), "{said}");
    assert_clean("the refusal", &said);
    assert_eq!(start(&["--token-env", "SHORT", "--allow-anonymous"]).0, Some(1), "it is one or the other");
    assert_eq!(start(&["--token-file", "/no/such/file"]).0, Some(1), "a token that cannot be read is not taken for none");
}

#[test]
fn a_spec_with_a_secret_in_the_wrong_place_is_refused_without_repeating_it() {
    let home = Home::with(PAYMENTS);
    let mut command = home.command(&home.file("payments.yaml"), &[]);
    with_secrets(&mut command, &home);
    let daemon = Daemon::start(command);
    daemon.when_at("payments", "Preflight");
    let mistakes = [
        ("        env: PAYMENTS_LEGACY\n", format!("        password: {CANARY}-1\n")),
        ("        env: PAYMENTS_LEGACY\n", format!("        env: {CANARY} 2\n")),
        ("      port: 3306\n", format!("      port: 3306\n      password: {CANARY}-3\n")),
    ];
    for (place, mistake) in mistakes {
        let text = PAYMENTS.replacen(place, &mistake, 1);
        assert_ne!(text, PAYMENTS);
        home.save("payments.yaml", &text);
        let object = daemon.when_refused("payments", "payments.yaml");
        assert_clean("the status", &object.to_string());
        let validated = Command::new(env!("CARGO_BIN_EXE_bascule")).arg("validate").arg(home.file("payments.yaml")).output();
        let validated = validated.expect("it runs");
        assert_eq!(validated.status.code(), Some(1));
        assert_clean("validate", &String::from_utf8_lossy(&[validated.stdout, validated.stderr].concat()));
        home.save("payments.yaml", PAYMENTS);
        daemon.when("payments", "good again", |object| object["status"].get("specError").is_none());
    }
    assert_silent(daemon, &home);
}

#[test]
fn a_rehearsal_tells_no_secret() {
    let home = Home::with(PAYMENTS);
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.arg("rehearse").arg(home.file("payments.yaml")).args(["--seed", "7"]);
    with_secrets(&mut command, &home);
    let output = command.env("RUST_LOG", "debug").output().expect("it runs");
    assert!(output.status.success());
    assert_clean("the rehearsal", &String::from_utf8_lossy(&output.stdout));
    assert_clean("its log", &String::from_utf8_lossy(&output.stderr));
}

#[test]
fn requests_signed_with_real_credentials_are_not_logged_with_them() {
    let home = Home::with(PAYMENTS);
    let mut stand_in = Command::new(env!("CARGO_BIN_EXE_bascule"))
        .args(["simulate", "--listen", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(stand_in.stderr.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let url = line.trim().rsplit(' ').next().expect("its address");
    let planned = plan(&home, &home.file("payments.yaml"), url);
    _ = stand_in.kill();
    _ = stand_in.wait();
    let planned = planned.expect("it runs");
    let (said, planned_text) = (String::from_utf8_lossy(&planned.stderr), String::from_utf8_lossy(&planned.stdout));
    assert!(planned.status.success(), "{said}");
    assert!(planned_text.contains("PublicAtLegacy         pay.example.com points exactly at legacy"), "it was answered");
    assert!(said.contains("AKIDEXAMPLE"), "the SDK's own events are in this log, so the test looks at the right place");
    assert_clean("the log", &said);
    assert_clean("the plan", &planned_text);
}

fn plan(home: &Home, file: &Path, url: &str) -> std::io::Result<std::process::Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.arg("plan").arg(file).arg("--state").arg(home.state());
    with_secrets(&mut command, home);
    command.env("AWS_ENDPOINT_URL", url).output()
}
