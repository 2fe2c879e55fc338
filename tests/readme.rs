//! The README is held to what the program does: its commands are run, its links followed, its tables compared with the code.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bascule::controllers::dns::DnsWish;
use bascule::controllers::fence::Writes;
use bascule::http::Endpoint;
use bascule::migration::ladder::{Rung, TaskPosture};
use bascule::spec::Phase;

/// Commands that are shown and not run here, each with its reason. Every other one is run, or fails the test.
const NOT_RUN: [(&str, &str); 3] = [
    (".ci/run", "it runs this test, among others"),
    ("cargo test --release", "it is what runs this test; .ci/run runs it and counts"),
    ("docker build -t bascule .", "Docker is not there; tests/packaging.rs judges the Dockerfile"),
];

/// A controller has to start and to look once before it can be asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// One command of the README, and the lines of output that it shows.
#[derive(Debug)]
struct Shown {
    command: String,
    output: Vec<String>,
}

/// Every command in a block fenced as `console`.
fn commands(document: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match (line.strip_prefix("$ "), shown.last_mut()) {
                (Some(command), _) => shown.push(Shown { command: command.to_owned(), output: Vec::new() }),
                (None, Some(last)) => last.output.push(line.to_owned()),
                (None, None) => panic!("a console block begins with output: {line}"),
            },
            (false, _) => {}
        }
    }
    shown
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test that runs real processes waits in real time")]
fn every_command_in_the_readme_works() {
    let mut session = Session::begin();
    let shown = commands(&read("README.md"));
    assert!(shown.len() >= 10, "the README's commands were not understood: {shown:?}");
    for Shown { command, output } in &shown {
        println!("$ {command}");
        let said = session.run(command);
        let mut rest = said.as_str();
        for line in output.iter().filter(|line| *line != "...") {
            let at = rest.find(line.as_str()).unwrap_or_else(|| panic!("`{command}` does not print `{line}`, but:\n{said}"));
            rest = &rest[at + line.len()..];
        }
    }
    session.end();
}

/// A reader's terminals: a copy of the files they have, and at most one program that keeps running.
struct Session {
    copy: tempfile::TempDir,
    running: Option<Running>,
}

/// A program that goes on until it is told to stop.
struct Running {
    command: String,
    child: Child,
    messages: Receiver<String>,
    /// The address that the README names, and the one that was free.
    named: String,
    actual: String,
}

impl Session {
    fn begin() -> Self {
        let copy = tempfile::tempdir().expect("a temporary directory");
        for folder in ["manifests", "schemas", "docs", "tests/fixtures"] {
            copy_folder(&root().join(folder), &copy.path().join(folder));
        }
        Self { copy, running: None }
    }

    fn run(&mut self, command: &str) -> String {
        if NOT_RUN.iter().any(|(known, _)| *known == command) {
            return String::new();
        }
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["cargo", "run", "--", verb @ ("run" | "simulate"), arguments @ ..] => {
                self.end();
                self.start(command, verb, arguments);
                String::new()
            }
            ["cargo", "run", "--", arguments @ ..] => self.ask(command, arguments),
            ["curl", "-s", url] => self.get(url),
            ["perl", "-pi", "-e", ..] => self.substitute(command),
            _ => panic!("`{command}` is of no kind that this test can run; teach it, or list the command with a reason"),
        }
    }

    /// Runs a command that ends, and asks again for a while where it asks a controller that has only just been started.
    #[allow(clippy::disallowed_methods, reason = "a test that runs real processes waits in real time")]
    fn ask(&self, command: &str, arguments: &[&str]) -> String {
        let began = Instant::now();
        loop {
            let arguments: Vec<String> = arguments.iter().map(|argument| self.addressed(argument.trim_matches('\''))).collect();
            let mut program = program(self.copy.path());
            if let Some(running) = &self.running {
                program.env("BASCULE_SERVER", format!("http://{}", running.actual));
            }
            let output = program.args(&arguments).output().expect("the program runs");
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).into_owned();
            }
            let may_come = self.running.is_some() && began.elapsed() < PATIENCE;
            assert!(may_come, "`{command}` failed: {output:?}");
            sleep(Duration::from_millis(200));
        }
    }

    /// Starts a program on a free port, and waits until it says where.
    fn start(&mut self, command: &str, verb: &str, arguments: &[&str]) {
        let listen = arguments.iter().position(|argument| *argument == "--listen").map(|at| at + 1);
        let named = listen.map_or("127.0.0.1:8080", |at| arguments[at]).to_owned();
        let mut arguments: Vec<&str> = arguments.to_vec();
        match listen {
            Some(at) => arguments[at] = "127.0.0.1:0",
            None => arguments.extend(["--listen", "127.0.0.1:0"]),
        }
        let mut child = program(self.copy.path()).arg(verb).args(&arguments).stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("it was piped"));
        let (sender, messages) = channel();
        // The pipe is read to its end, so that the program never waits for a reader.
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let address = loop {
            let line = messages.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("`{command}` never said where it listens"));
            if let Some((_, address)) = line.split_once("http://") {
                break address.trim().to_owned();
            }
        };
        self.running = Some(Running { command: command.to_owned(), child, messages, named, actual: address });
    }

    /// What the README says, with the port that was free.
    fn addressed(&self, text: &str) -> String {
        self.running.as_ref().map_or_else(|| text.to_owned(), |running| text.replace(&running.named, &running.actual))
    }

    /// What `curl -s` would print, without needing curl.
    #[allow(clippy::disallowed_methods, reason = "a test that runs real processes waits in real time")]
    fn get(&self, url: &str) -> String {
        let began = Instant::now();
        loop {
            let url = self.addressed(url);
            let (authority, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an HTTP address");
            let mut stream = TcpStream::connect(authority).expect("somebody listens");
            let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it listens");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers text");
            if answer.starts_with("HTTP/1.1 200 ") {
                return answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
            }
            assert!(began.elapsed() < PATIENCE, "{url} answered {answer}");
            sleep(Duration::from_millis(200));
        }
    }

    /// What `perl -pi -e 's/A/B/' FILE` does, without needing Perl.
    fn substitute(&self, command: &str) -> String {
        let (script, file) =
            command.strip_prefix("perl -pi -e 's/").and_then(|rest| rest.split_once("/' ")).expect("a plain s/A/B/ on one file");
        let (from, to) = script.split_once('/').expect("a plain s/A/B/");
        let path = self.copy.path().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(from), "{file} has no `{from}`");
        fs::write(&path, text.replace(from, to)).expect("the copy can be written");
        String::new()
    }

    /// Stops what is running, as a service manager would, and expects a clean end.
    #[allow(clippy::disallowed_methods, reason = "a test that runs real processes waits in real time")]
    fn end(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let stopped = Command::new("kill").arg("-TERM").arg(running.child.id().to_string()).status().expect("kill runs");
        assert!(stopped.success());
        let began = Instant::now();
        let status = loop {
            match running.child.try_wait().expect("it can be waited for") {
                Some(status) => break status,
                None if began.elapsed() < PATIENCE => sleep(Duration::from_millis(50)),
                None => panic!("`{}` does not stop on SIGTERM", running.command),
            }
        };
        let said: Vec<String> = running.messages.try_iter().collect();
        assert!(status.success(), "`{}` ended with {status}:\n{}", running.command, said.join("\n"));
    }
}

/// Nothing is left running when a test fails.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}

fn program(folder: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bascule"));
    program.current_dir(folder).stdin(Stdio::null()).env_remove("RUST_LOG");
    program
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("the folder can be read");
        let (source, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("a file has a type");
        if kind.is_dir() {
            copy_folder(&source, &copy);
        } else if kind.is_symlink() {
            // manifests/payments.yaml is a link, and editing what it points to must be seen through it.
            let pointed = fs::read_link(&source).expect("a link can be read");
            std::os::unix::fs::symlink(pointed, &copy).expect("a link can be made");
        } else {
            fs::copy(&source, &copy).expect("a file can be copied");
        }
    }
}

#[test]
fn a_command_of_an_unknown_kind_is_not_skipped() {
    let attempt = std::panic::catch_unwind(|| Session::begin().run("make everything"));
    assert!(attempt.is_err(), "an unknown command went through in silence");
}

#[test]
fn the_ladder_in_the_readme_is_the_one_in_the_code() {
    let table = table("README.md", "| rung |");
    let mut expected = Vec::new();
    for rung in Rung::ALL {
        let posture = rung.posture();
        let row = [
            rung.to_string(),
            writes(posture.legacy_writes).to_owned(),
            writes(posture.target_writes).to_owned(),
            name(posture.public_dns).to_owned(),
            task(posture.forward).to_owned(),
            task(posture.reverse).to_owned(),
        ];
        expected.push(row.to_vec());
    }
    assert_eq!(table, expected);
}

const fn writes(writes: Writes) -> &'static str {
    match writes {
        Writes::NotYet => "as found",
        Writes::Open => "open",
        Writes::ValidationOnly => "validation only",
        Writes::Closed => "**closed**",
    }
}

const fn name(name: DnsWish) -> &'static str {
    match name {
        DnsWish::NotYet => "as found",
        DnsWish::Legacy => "legacy",
        DnsWish::Target => "target",
    }
}

const fn task(task: TaskPosture) -> &'static str {
    match task {
        TaskPosture::NotYet => "as found",
        TaskPosture::Created => "created",
        TaskPosture::Running => "running",
        TaskPosture::UntilMarker => "until marker",
        TaskPosture::Stopped => "stopped",
        TaskPosture::Retired => "retired",
    }
}

#[test]
fn the_readme_lists_every_phase_in_its_order() {
    let named: Vec<String> = table("README.md", "| phase |").into_iter().map(|row| row[0].clone()).collect();
    let expected: Vec<String> = Phase::ALL.iter().map(|phase| phase.name().to_owned()).collect();
    assert_eq!(named, expected);
}

#[test]
fn the_readme_lists_every_endpoint_and_no_other() {
    let mut named: Vec<String> = Vec::new();
    for row in table("README.md", "| path |") {
        named.extend(row[0].split(", ").map(|path| path.trim_matches('`').to_owned()));
    }
    named.sort();
    let mut expected: Vec<String> = Endpoint::ALL.iter().map(|endpoint| endpoint.path().to_owned()).collect();
    expected.sort();
    assert_eq!(named, expected);
}

#[test]
fn the_readme_names_every_verb_of_the_program() {
    let help = program(root()).arg("--help").output().expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("help is text");
    let verbs = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let readme = read("README.md");
    for verb in verbs.filter_map(|line| line.split_whitespace().next()).filter(|verb| *verb != "help") {
        assert!(
            readme.contains(&format!("-- {verb} ")) || readme.contains(&format!("-- {verb}\n")),
            "`bascule {verb}` is not shown"
        );
    }
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let mut broken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for document in ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        let text = read(document);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let leads = match link.split_once('#') {
                _ if link.starts_with("https://") => true,
                Some(("", heading)) => text.lines().any(|line| anchor(line).as_deref() == Some(heading)),
                _ => root().join(link).exists(),
            };
            if !leads {
                broken.entry(document.to_owned()).or_default().push(link.to_owned());
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_test_that_the_readme_names_exists() {
    let text = read("README.md");
    let named: Vec<(&str, &str)> = text
        .split("[`")
        .skip(1)
        .filter_map(|rest| rest.split_once("`](").and_then(|(name, rest)| Some((name, rest.split(')').next()?))))
        .collect();
    assert!(named.len() >= 5, "the README's tests were not understood: {named:?}");
    for (name, file) in named {
        let source = read(file);
        let (test, _) = source.split_once(&format!("fn {name}()")).unwrap_or_else(|| panic!("{file} has no test {name}"));
        let attributes = test.rsplit("\n\n").next().unwrap_or_default();
        assert!(attributes.contains("test]") && !attributes.contains("#[ignore"), "{name} in {file} is not run");
    }
}

/// The anchor that a heading gets.
fn anchor(line: &str) -> Option<String> {
    let heading = line.strip_prefix('#')?.trim_start_matches('#').trim();
    Some(heading.to_lowercase().replace(' ', "-"))
}

/// The rows of the first table in `document` whose heading begins with `heading`.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(document);
    let rows = text.lines().skip_while(|line| !line.starts_with(heading)).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    let path: PathBuf = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
