//! The controller over a branch: promoted by commits, honest about what it follows, and with nothing but reading in its hands.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use bascule::journal::Event;
use bascule::spec::Phase;

use crate::fixture::{Daemon, Home, PAYMENTS, at_phase, condition, eventually};
use crate::journey::unhurried;
use crate::upstream::{AUTHOR, Upstream};

/// Its path in the repository.
const FILE: &str = "migrations/payments.yaml";

fn command(home: &Home, url: &str, arguments: &[&str]) -> Command {
    let arguments = [&["--branch", "main", "--path", "migrations/"], arguments].concat();
    home.command_over(&["--git", url], &arguments)
}

fn follow(home: &Home, upstream: &Upstream) -> Daemon {
    Daemon::start(command(home, &upstream.url(), &[]))
}

#[test]
fn a_commit_promotes_and_is_named_in_status_history_and_journal() {
    let upstream = Upstream::with(&[(FILE, PAYMENTS)]);
    let first = upstream.git(&["rev-parse", "HEAD"]);
    let home = Home::empty();
    let daemon = follow(&home, &upstream);
    let object = daemon.when_at("payments", "Preflight");
    let source = &object["status"]["source"];
    assert_eq!(source["repository"], upstream.url());
    assert_eq!((&source["branch"], &source["path"]), (&"main".into(), &FILE.into()));
    assert_eq!(source["commit"]["id"], first);

    let second = upstream.commit(&[(FILE, &at_phase("Prepared"))], "Promote payments to Prepared");
    let object = daemon.when_at("payments", "Prepared");
    assert_eq!(object["metadata"]["generation"], 2);
    let commit = &object["status"]["source"]["commit"];
    assert_eq!((&commit["id"], &commit["author"]), (&second.as_str().into(), &AUTHOR.into()));
    assert_eq!(commit["subject"], "Promote payments to Prepared");

    let third = upstream.commit(&[("README.md", "words\n")], "Words");
    let object = daemon.when("payments", "the head", |object| object["status"]["source"]["head"] == third);
    assert_eq!(object["metadata"]["generation"], 2, "no spec changed");
    assert_eq!(object["status"]["source"]["commit"]["id"], second, "so that its commit is the one that brought it");

    let events = daemon.get("/api/v1/migrations/payments/events").json();
    let accepted: Vec<_> =
        events["items"].as_array().expect("a list").iter().filter(|entry| entry["kind"] == "SpecAccepted").collect();
    let commits: Vec<_> = accepted.iter().map(|entry| entry["body"]["commit"]["id"].as_str().expect("a commit")).collect();
    assert_eq!(commits, [&first, &second], "each generation has its commit");
    let told = bascule(&["status", "payments", "--server", &format!("http://{}", daemon.address)]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("spec from branch main of file://"), "{told}");
    assert!(told.contains(&format!("by commit {} of {AUTHOR} (Promote payments to Prepared)", &second[..12])), "{told}");

    let names = upstream.names();
    assert!(daemon.stop().0.success());
    assert_eq!(upstream.names(), names, "the repository was only read");
    let history = home.history("payments");
    let in_journal = history.iter().filter_map(|entry| match &entry.event {
        Event::SpecAccepted { commit, .. } => Some((entry.generation, commit.as_ref()?.id.clone())),
        _ => None,
    });
    assert_eq!(in_journal.collect::<Vec<_>>(), [(1, first), (2, second)]);
}

#[test]
fn what_cannot_be_followed_is_said_and_the_last_good_spec_holds() {
    let upstream = Upstream::with(&[(FILE, &at_phase("Prepared"))]);
    let home = Home::empty();
    let daemon = follow(&home, &upstream);
    daemon.when_at("payments", "Prepared");
    let good = upstream.git(&["rev-parse", "HEAD"]);

    upstream.commit(&[(FILE, &at_phase("Preparde"))], "A slip");
    let object = daemon.when_refused("payments", "Preparde");
    assert_eq!(object["spec"]["phase"], "Prepared");
    assert!(object["status"]["specError"].as_str().expect("a text").contains(&format!("#main:{FILE}:")), "it says where");
    upstream.git(&["rm", "--quiet", FILE]);
    upstream.push_all("A greater slip", &[]);
    daemon.when_refused("payments", "is gone");

    upstream.git(&["reset", "--quiet", "--hard", &good]);
    upstream.commit(&[(FILE, &at_phase("Replicating"))], "Another history");
    let rewritten = |object: &serde_json::Value| object["status"]["source"]["trouble"]["refused"].is_string();
    let object = daemon.when("payments", "the rewritten branch is told", rewritten);
    assert_eq!(object["spec"]["phase"], "Prepared");

    fs::rename(upstream.bare(), upstream.beside("away.git")).expect("a moved repository");
    let away = |object: &serde_json::Value| object["status"]["source"]["trouble"]["unread"].is_string();
    let object = daemon.when("payments", "the server is away", away);
    assert_eq!(object["spec"]["phase"], "Prepared");
    assert!(daemon.stop().0.success());

    // A new process knows the last good spec, though the file is gone and the server away.
    let daemon = follow(&home, &upstream);
    let object = daemon.when("payments", "it is kept", away);
    assert_eq!((&object["spec"]["phase"], &object["metadata"]["generation"]), (&"Prepared".into(), &1.into()));
    assert_eq!(object["status"]["source"]["commit"]["id"], good);
    assert_eq!(daemon.get("/readyz").code, 200);
    assert!(daemon.stop().0.success());

    // And so does one whose copy was removed.
    fs::remove_dir_all(home.state().join("git")).expect("the copy");
    let daemon = follow(&home, &upstream);
    let object = daemon.when("payments", "it is kept", away);
    assert_eq!(object["spec"]["phase"], "Prepared");
    assert_eq!(condition(&object, "SpecAccepted"), "Unknown", "whether there is a newer one is not known");
    fs::rename(upstream.beside("away.git"), upstream.bare()).expect("a moved repository");
    let object = daemon.when("payments", "followed again", |object| object["spec"]["phase"] == "Replicating");
    assert!(object["status"]["source"].get("trouble").is_none(), "{object:#}");
}

#[test]
fn a_hang_up_has_the_branch_looked_at_now_and_files_too() {
    let upstream = Upstream::with(&[(FILE, PAYMENTS)]);
    let home = Home::empty();
    let mut command = home.command_over(&["--git", &upstream.url(), "--path", FILE], &[]);
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    // The fixture polls every second; here nothing comes of itself.
    let at = arguments.iter().position(|argument| argument == "--poll").expect("it polls");
    command = Command::new(command.get_program());
    let seldom = arguments.iter().enumerate().map(|(n, argument)| if n == at + 1 { "24h".into() } else { argument.clone() });
    command.args(seldom).env_remove("RUST_LOG").stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let daemon = Daemon::start(command);
    daemon.when_at("payments", "Preflight");
    upstream.commit(&[(FILE, &at_phase("Prepared"))], "Promote");
    daemon.signal("HUP");
    daemon.when_at("payments", "Prepared");
    assert!(daemon.said().contains("SIGHUP: specs are read again"));
    assert!(daemon.stop().0.success(), "and it still ends when it is asked to");
}

#[test]
fn the_secret_of_an_address_is_told_nowhere() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let upstream = Upstream::with(&[(FILE, &at_phase("Prepared"))]);
    let home = Home::empty();
    let daemon = follow(&home, &upstream);
    daemon.when_at("payments", "Prepared");
    assert!(daemon.stop().0.success());
    let url = format!("https://deploy:c4n4ry@{nobody}/payments.git");
    let mut command = command(&home, &url, &[]);
    command.env("RUST_LOG", "trace");
    let daemon = Daemon::start(command);
    eventually("the trouble is told", || {
        let said = daemon.said();
        if said.contains("the last good spec holds") { Ok(()) } else { Err(said) }
    });
    for path in ["/", "/metrics", "/api/v1/migrations"] {
        assert!(!daemon.get(path).body.contains("c4n4ry"), "{path}");
    }
    let (status, said) = daemon.stop();
    assert!(status.success());
    assert!(said.contains(&format!("https://{nobody}/payments.git")) && !said.contains("c4n4ry"), "{said}");
    assert!(!holds(&home.state(), b"c4n4ry"), "the state directory");
    let bad = bascule(&["run", "--git", "http://deploy:c4n4ry@git.example.com/payments.git"]);
    let told = String::from_utf8_lossy(&bad.stderr).into_owned();
    assert!(bad.status.code() == Some(1) && told.contains("accepted: https://HOST/PATH") && !told.contains("c4n4ry"), "{told}");
}

/// Whether a file below `folder` holds `word`.
fn holds(folder: &std::path::Path, word: &[u8]) -> bool {
    fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            holds(&path, word)
        } else {
            fs::read(&path).expect("a file").windows(word.len()).any(|part| part == word)
        }
    })
}

#[test]
fn no_setting_of_the_machine_and_no_hook_has_a_say_in_what_git_does() {
    let upstream = Upstream::with(&[(FILE, PAYMENTS)]);
    let home = Home::empty();
    let (traps, sprung) = (home.specs().join("hooks"), home.specs().join("sprung"));
    fs::create_dir(&traps).expect("a folder");
    let trap = traps.join("reference-transaction");
    fs::write(&trap, format!("#!/bin/sh\ntouch '{}'\n", sprung.display())).expect("a written file");
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).expect("a mode");
    let settings = home.specs().join("gitconfig");
    let elsewhere = upstream.beside("elsewhere.git");
    let hostile = format!(
        "[core]\n\thooksPath = {}\n[url \"file://{}\"]\n\tinsteadOf = {}\n",
        traps.display(),
        elsewhere.display(),
        upstream.url()
    );
    fs::write(&settings, &hostile).expect("a written file");
    fs::write(home.specs().join(".gitconfig"), &hostile).expect("a written file");
    let mut command = command(&home, &upstream.url(), &[]);
    command.env("HOME", home.specs()).env("GIT_CONFIG_GLOBAL", &settings).env("GIT_DIR", &elsewhere);
    command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "core.hooksPath").env("GIT_CONFIG_VALUE_0", &traps);
    command.env("GIT_SSH_COMMAND", "false").env("GIT_EXEC_PATH", &traps).env("GIT_TEMPLATE_DIR", home.specs());
    let daemon = Daemon::start(command);
    daemon.when_at("payments", "Preflight");
    upstream.commit(&[(FILE, &at_phase("Prepared"))], "Promote");
    daemon.when_at("payments", "Prepared");
    assert!(!sprung.exists(), "a hook has run");
}

#[test]
fn a_switch_is_promoted_and_approved_by_commits_alone() {
    let upstream = Upstream::with(&[(FILE, &unhurried(Phase::Preflight))]);
    let home = Home::empty();
    let daemon = follow(&home, &upstream);
    daemon.when_at("payments", "Preflight");
    let server = format!("http://{}", daemon.address);
    let file = upstream.work().join(FILE).display().to_string();
    let promote = |to: &str| bascule(&["promote", &file, "--to", to, "--server", &server]);
    let approve = |person: &str| bascule(&["approve", &file, "--as", person, "--server", &server]);

    assert_eq!(promote("RolledBack").status.code(), Some(1), "there is nothing to roll back");
    done(&promote("RollbackArmed"));
    upstream.push_all("Arm", &[]);
    daemon.when_at("payments", "RollbackArmed");
    done(&promote("CutOver"));
    for person in ["ada@example.com", "bob@example.com"] {
        done(&approve(person));
        assert_eq!(approve(person).status.code(), Some(1), "once is enough");
    }
    upstream.push_all("Cut over, approved by two", &[]);
    let over = daemon.when_at("payments", "CutOver");
    assert_eq!(over["status"]["source"]["commit"]["subject"], "Cut over, approved by two");
    let refused = promote("Prepared");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && told.contains("(accepted: CutOver, Completed, RolledBack)"), "{told}");

    // The same, from what was saved before.
    let saved = upstream.beside("status.json");
    fs::write(&saved, daemon.get("/api/v1/migrations/payments").body).expect("a written file");
    let saved = saved.display().to_string();
    let refused = bascule(&["promote", &file, "--to", "Preflight", "--status", &saved]);
    assert_eq!(refused.status.code(), Some(1));
    fs::write(&file, fs::read_to_string(&file).expect("a file").replace("maxLag: 5s", "maxLag: 6s")).expect("a file");
    let refused = bascule(&["approve", &file, "--as", "eve", "--status", &saved]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && told.contains("says something else than what is in force"), "{told}");
    upstream.git(&["checkout", "--quiet", "."]);

    done(&promote("RolledBack"));
    upstream.push_all("Back", &[]);
    daemon.when_at("payments", "RolledBack");
    let refused = promote("CutOver");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("attempt 1 was rolled back and is never tried again; raise spec.attempt first"), "{told}");
}

fn bascule(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bascule")).args(arguments).env_remove("RUST_LOG").output().expect("the program runs")
}

fn done(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
