//! The real program as a child process over a stand-in world, and a client that reads what it answers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule::journal::{Entry, Journal};
use bascule::names::MigrationName;
use serde_json::Value;
use tempfile::TempDir;

/// The payment system of the examples, at Preflight.
pub const PAYMENTS: &str = include_str!("../../manifests/base/payments.yaml");

/// A Sunday: the sandbox's week does not depend on the day of the test, and the maintenance window of the example, here
/// wide enough for the slowest machine, is near.
const START: &str = "2026-03-01T01:00:00Z";

/// Looks at something this often ...
const GLANCE: Duration = Duration::from_millis(50);
/// ... and so many times, which is longer than anything may take on a busy machine.
const GLANCES: u32 = 2400;

/// The example with another line `spec.phase`.
pub fn at_phase(phase: &str) -> String {
    let window = ("sun:02:00-sun:04:00", "sun:02:00-sat:02:00");
    PAYMENTS.replace("\n  phase: Preflight\n", &format!("\n  phase: {phase}\n")).replace(window.0, window.1)
}

/// The example under another name, so that two files hold two migrations.
pub fn named(name: &str, phase: &str) -> String {
    at_phase(phase).replace("\n  name: payments\n", &format!("\n  name: {name}\n"))
}

/// Waits until `look` sees something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..GLANCES {
        match look() {
            Ok(seen) => return seen,
            Err(why) => last = why,
        }
        std::thread::sleep(GLANCE);
    }
    panic!("never came: {what}; last seen: {last}")
}

/// A directory with spec files and a state directory.
pub struct Home {
    directory: TempDir,
}

impl Home {
    /// With `payments.yaml` in it.
    pub fn with(text: &str) -> Self {
        let home = Self::empty();
        home.save("payments.yaml", text);
        home
    }

    /// Without any file.
    pub fn empty() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("specs")).expect("a directory for specs");
        fs::create_dir(directory.path().join("state")).expect("a state directory");
        Self { directory }
    }

    pub fn specs(&self) -> PathBuf {
        self.directory.path().join("specs")
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.specs().join(name)
    }

    /// Replaces a file as careful editors do: the new one is whole before it takes the name.
    pub fn save(&self, name: &str, text: &str) {
        let beside = self.directory.path().join("being-written");
        fs::write(&beside, text).expect("a written file");
        fs::rename(beside, self.file(name)).expect("the file in its place");
    }

    pub fn journal_path(&self, name: &str) -> PathBuf {
        self.state().join(format!("{name}.journal"))
    }

    /// The journal, while no daemon has it.
    pub fn journal(&self, name: &str) -> Journal {
        let now = "2026-03-02T09:00:00Z".parse().expect("a time");
        Journal::open(&self.journal_path(name), &MigrationName(name.to_owned()), now).expect("a journal")
    }

    /// All that the journal of a daemon that has ended holds.
    pub fn history(&self, name: &str) -> Vec<Entry> {
        self.journal(name).history(0, 1000).expect("a history")
    }

    /// A daemon over `payments.yaml`.
    pub fn run(&self) -> Daemon {
        self.run_on(&self.file("payments.yaml"), &[])
    }

    /// A daemon over a file or directory, with further arguments.
    pub fn run_on(&self, specs: &Path, arguments: &[&str]) -> Daemon {
        Daemon::start(self.command(specs, arguments))
    }

    /// The command line of [`Self::run_on`].
    pub fn command(&self, specs: &Path, arguments: &[&str]) -> Command {
        self.command_over(&[&specs.display().to_string()], arguments)
    }

    /// The same over specs from anywhere.
    pub fn command_over(&self, specs: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
        command.arg("run").args(specs).arg("--state").arg(self.state());
        command.args(["--sandbox", "--time-scale", "2000", "--start-at", START, "--listen", "127.0.0.1:0", "--poll", "1s"]);
        command.args(arguments);
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }
}

/// A running daemon; it is killed if the test does not stop it.
pub struct Daemon {
    child: Child,
    pub address: String,
    said: Arc<Mutex<String>>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Daemon {
    /// Starts it and waits for its address.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let said = Arc::new(Mutex::new(String::new()));
        let heard = said.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
                heard.lock().expect("a sound lock").push_str(&line);
                line.clear();
            }
        });
        let address = eventually("the address", || {
            let said = said.lock().expect("a sound lock").clone();
            let address = said.split_once("answers on http://").and_then(|(_, rest)| rest.split_once('\n'));
            address.map(|(address, _)| address.to_owned()).ok_or(said)
        });
        Self { child, address, said }
    }

    /// What it has said so far on stderr.
    pub fn said(&self) -> String {
        self.said.lock().expect("a sound lock").clone()
    }

    /// One request with its whole answer; further header lines end in `\r\n`.
    pub fn ask(&self, method: &str, path: &str, headers: &str) -> Reply {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("a sent request");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        Reply::parse(&String::from_utf8_lossy(&bytes))
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "")
    }

    /// The object of one migration, as soon as `is_so` holds of it.
    pub fn when(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || {
            let reply = self.get(&format!("/api/v1/migrations/{name}"));
            let object: Value = serde_json::from_str(&reply.body).map_err(|error| error.to_string())?;
            if reply.code == 200 && is_so(&object) { Ok(object) } else { Err(format!("{object:#}\n{}", self.said())) }
        })
    }

    /// The object of one migration once it reached `phase`.
    pub fn when_at(&self, name: &str, phase: &str) -> Value {
        self.when(name, phase, |object| object["status"]["phase"] == phase)
    }

    /// The object of one migration once its newest file was refused with `words`.
    pub fn when_refused(&self, name: &str, words: &str) -> Value {
        self.when(name, words, |object| {
            object["status"]["specError"].as_str().is_some_and(|why| why.contains(words))
                && condition(object, "SpecAccepted") == "False"
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Asks it to end as Kubernetes does, and waits until it has.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = eventually("the end", || {
            self.child.try_wait().expect("a child").ok_or_else(|| self.said.lock().expect("a sound lock").clone())
        });
        (status, self.said())
    }
}

/// The status word of one condition.
pub fn condition(object: &Value, wanted: &str) -> String {
    let conditions = object["status"]["conditions"].as_array().expect("conditions");
    let found = conditions.iter().find(|condition| condition["type"] == wanted).expect("all conditions are there");
    found["status"].as_str().expect("a word").to_owned()
}

/// A parsed answer.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Self { code, head: head.to_owned(), body: body.to_owned() }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}
