//! What is seen on a terminal, and what a shell and `man` are told.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn bascule() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.env_remove("BASCULE_SERVER").env_remove("NO_COLOR").env("TERM", "xterm").stdin(Stdio::null());
    command
}

/// A server that answers every question with the saved status.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    let body = include_str!("fixtures/live.json");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = std::io::Write::write_all(&mut stream, format!("{head}{body}").as_bytes());
        }
    });
    address
}

/// A terminal: what the program writes comes out of the first, the second is handed to it.
fn terminal() -> (File, OwnedFd) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
    grantpt(&ours).and_then(|()| unlockpt(&ours)).expect("a pseudo terminal of our own");
    let name = ptsname(&ours, Vec::new()).expect("its name");
    let theirs = File::options().read(true).write(true).open(name.to_str().expect("a plain path")).expect("its other end");
    (File::from(ours), OwnedFd::from(theirs))
}

/// What a command shows on a terminal until it has shown `last` so many times.
fn shown(mut command: Command, last: &'static str, times: usize) -> String {
    let (mut ours, theirs) = terminal();
    let mut child = command.stdout(Stdio::from(theirs)).spawn().expect("it runs");
    let (sender, heard) = channel();
    std::thread::spawn(move || {
        let (mut text, mut some) = (String::new(), [0; 4096]);
        while let Ok(length @ 1..) = ours.read(&mut some) {
            text.push_str(&String::from_utf8_lossy(&some[..length]));
            if text.matches(last).count() >= times {
                break;
            }
        }
        let _ = sender.send(text);
    });
    let text = heard.recv_timeout(PATIENCE);
    // A status that is not watched has ended by itself.
    let _ = child.kill();
    child.wait().expect("it was running");
    text.expect("nothing was shown in time")
}

#[test]
fn a_watched_status_is_redrawn_in_place_and_never_blanked() {
    let mut command = bascule();
    command.args(["status", "payments", "--watch", "--server", &server()]);
    let text = shown(command, "\x1b[J", 2);
    assert!(text.starts_with("\x1b[H"), "{text:?}");
    assert!(!text.contains("\x1b[2J"), "a cleared screen flickers: {text:?}");
    assert_eq!(text.matches("\x1b[H").count(), 2);
    let frame = text.split("\x1b[H").nth(1).expect("a frame");
    assert!(frame.contains("next          set spec.phase to CutOver when you are ready\x1b[K"), "{frame:?}");
    assert!(frame.lines().count() <= 24, "it would scroll: {frame:?}");
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let server = server();
    let status = || {
        let mut command = bascule();
        command.args(["status", "payments", "--server", &server]);
        command
    };
    let last = "waiting ";
    assert!(shown(status(), last, 1).contains("\x1b[32mTrue\x1b[0m"));
    let mut plain = status();
    plain.env("NO_COLOR", "1");
    assert!(!shown(plain, last, 1).contains('\x1b'));
    let piped = status().output().expect("it runs");
    assert!(piped.status.success() && !piped.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let list = format!("{} explain env | head -n 1", env!("CARGO_BIN_EXE_bascule"));
    let output = Command::new("bash").args(["-o", "pipefail", "-c", &list]).output().expect("bash runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn bash_understands_its_completions_and_completes_a_verb() {
    let output = bascule().args(["completions", "bash"]).output().expect("it runs");
    assert!(output.status.success());
    let script = String::from_utf8(output.stdout).expect("text");
    let asked = "\nCOMP_WORDS=(bascule val); COMP_CWORD=1; _bascule bascule val bascule; printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let output = Command::new("bash").args(["-c", &format!("{script}{asked}")]).output().expect("bash runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "validate\n", "{}", String::from_utf8_lossy(&output.stderr));
    for (shell, sign) in [
        ("zsh", "#compdef bascule"),
        ("fish", "complete -c bascule"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let output = bascule().args(["completions", shell]).output().expect("it runs");
        assert!(String::from_utf8_lossy(&output.stdout).contains(sign), "{shell}");
    }
    assert_eq!(bascule().args(["completions", "cmd"]).output().expect("it runs").status.code(), Some(64));
}

#[test]
fn every_verb_has_a_manual_page_that_says_how_it_exits() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = bascule().arg("man").arg(folder.path()).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let help = bascule().arg("--help").output().expect("it runs").stdout;
    let help = String::from_utf8(help).expect("text");
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help").collect();
    assert!(verbs.len() >= 17, "{help}");
    for verb in verbs {
        let page = fs::read_to_string(folder.path().join(format!("bascule-{verb}.1"))).expect("a page");
        let title = format!(".TH bascule-{verb} 1");
        assert!(page.contains(&title), "{verb}: {}", page.lines().take(6).collect::<Vec<_>>().join("\n"));
        let is_silent = !page.contains("Exit codes:");
        assert!(!is_silent || ["validate", "schema", "simulate", "check", "parity", "quarantine"].contains(&verb), "{verb}");
    }
    assert!(folder.path().join("bascule.1").exists());
    let output = bascule().args(["man", "/no/such/folder"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
}
