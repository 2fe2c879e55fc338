//! One call of the installed `git`: with an environment of our own, bounded in time and in bytes, and never left behind.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::clock::{Clock, elapsed};
use crate::spec::finding::is_hidden;

/// How often a call that goes on is looked at: often enough that a repository cannot outgrow its bound by much.
const GLANCE: Duration = Duration::from_millis(100);

/// A list of five hundred files has a tenth of this; what is longer is not read further.
const LARGEST_OUTPUT_BYTES: usize = 4 << 20;

/// What of the caller's environment git and the programs that it starts may see: where programs, keys and proxies are.
const HANDED_ON: [&str; 12] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Settings that stand above every file: no hook, no filter, no helper and no prompt has a say.
const SETTINGS: [(&str, &str); 13] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("credential.helper", ""),
    ("protocol.allow", "never"),
    ("http.followRedirects", "false"),
    ("transfer.fsckObjects", "true"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("init.defaultBranch", "none"),
    ("log.mailmap", "false"),
    ("advice.detachedHead", "false"),
];

/// How much a call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How long it may go on.
    pub patience: Duration,
    /// How large the repository may grow by it.
    pub largest_repository_bytes: u64,
}

impl Bounds {
    /// A minute is long for a branch of text files, and short for somebody who waits for a promotion; a repository of specs
    /// has some megabytes, and one that they share with a program is still far below a quarter of a gigabyte.
    pub const USUAL: Self = Self { patience: Duration::from_secs(60), largest_repository_bytes: 256 << 20 };
}

/// Why git did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is none.
    #[error("the program `git` cannot be started ({0}); install it, or put it into PATH")]
    NotThere(String),
    /// It never ended.
    #[error("`git {verb}` had not ended after {seconds} s and was stopped; see whether the server answers")]
    Hung {
        /// What it was to do.
        verb: String,
        /// How long it had.
        seconds: u64,
    },
    /// It brought more than it may.
    #[error("`git {verb}` brought more than {bytes} bytes and was stopped; keep the specs in a repository of their own")]
    TooLarge {
        /// What it was to do.
        verb: String,
        /// How many are allowed.
        bytes: u64,
    },
    /// It said no.
    #[error("`git {verb}` failed: {said}")]
    Failed {
        /// What it was to do.
        verb: String,
        /// What it said, of bounded length.
        said: String,
        /// Its exit code; `None` if a signal ended it.
        code: Option<i32>,
    },
    /// Its own files are in the way.
    #[error("the copy of the repository in {path} cannot be used ({why}); stop bascule, remove that directory and start again")]
    Copy {
        /// Where.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Everything that a call of git has in common with the next. It is never printed: its environment may hold a secret.
#[derive(Clone)]
pub(super) struct Git {
    pub directory: PathBuf,
    pub environment: Vec<(OsString, OsString)>,
    pub bounds: Bounds,
    pub clock: Clock,
}

impl Git {
    /// A git that may speak `protocol` alone, with `settings` beside those that always hold.
    pub fn new(directory: PathBuf, protocol: &str, settings: &[(String, String)], bounds: Bounds, clock: Clock) -> Self {
        let own = [(format!("protocol.{protocol}.allow"), "always".to_owned())];
        let always = SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = always.chain(own).chain(settings.iter().cloned()).collect();
        let handed_on = HANDED_ON.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?)));
        let mut environment: Vec<(OsString, OsString)> = handed_on.collect();
        let mut set = |name: String, value: &str| environment.push((name.into(), value.into()));
        for (name, value) in [
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_ALLOW_PROTOCOL", protocol),
            ("GIT_PROTOCOL_FROM_USER", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oConnectTimeout=20"),
        ] {
            set(name.to_owned(), value);
        }
        set("GIT_CONFIG_COUNT".to_owned(), &settings.len().to_string());
        for (number, (key, value)) in settings.iter().enumerate() {
            set(format!("GIT_CONFIG_KEY_{number}"), key);
            set(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        Self { directory, environment, bounds, clock }
    }

    /// Calls git and returns what it printed.
    pub async fn call(&self, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let verb = arguments.first().copied().unwrap_or_default();
        let (status, out, said) = self.run(verb, arguments).await?;
        if status.success() {
            return Ok(out);
        }
        Err(GitError::Failed { verb: verb.to_owned(), said: gist(&said), code: status.code() })
    }

    async fn run(&self, verb: &str, arguments: &[&str]) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), GitError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(&self.directory).args(arguments);
        command.env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own, so that what git starts ends with it.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| GitError::NotThere(error.to_string()))?;
        let mut group = Group::of(&child);
        let (out, said) = (child.stdout.take(), child.stderr.take());
        let work = async { tokio::join!(beginning(out), beginning(said), child.wait()) };
        let (out, said, status) = tokio::select! {
            ended = work => {
                // Its number may be another's from now on.
                group.0 = None;
                ended
            }
            error = self.out_of_bounds(verb) => return Err(error),
        };
        let too_large = |bytes: &[u8]| bytes.len() > LARGEST_OUTPUT_BYTES;
        if too_large(&out) {
            return Err(GitError::TooLarge { verb: verb.to_owned(), bytes: LARGEST_OUTPUT_BYTES as u64 });
        }
        let status = status.map_err(|error| GitError::NotThere(error.to_string()))?;
        Ok((status, out, said))
    }

    /// Ends when the call has taken more than it may.
    async fn out_of_bounds(&self, verb: &str) -> GitError {
        let began = self.clock.now();
        loop {
            self.clock.sleep(GLANCE).await;
            if elapsed(began, self.clock.now()) >= self.bounds.patience {
                return GitError::Hung { verb: verb.to_owned(), seconds: self.bounds.patience.as_secs() };
            }
            let directory = self.directory.clone();
            let size = tokio::task::spawn_blocking(move || size(&directory)).await.unwrap_or(0);
            if size > self.bounds.largest_repository_bytes {
                return GitError::TooLarge { verb: verb.to_owned(), bytes: self.bounds.largest_repository_bytes };
            }
        }
    }
}

/// The processes of one call. A call that is given up, for whatever reason, ends with all that it started.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Mostly there is nobody left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// What a program prints, up to one byte more than is taken; the rest is read and dropped, so that it never waits for a reader.
async fn beginning(source: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut source) = source {
        // A pipe that breaks ends like one that closes; the exit code says what it means.
        let _ = (&mut source).take(LARGEST_OUTPUT_BYTES as u64 + 1).read_to_end(&mut bytes).await;
        let _ = tokio::io::copy(&mut source, &mut tokio::io::sink()).await;
    }
    bytes
}

/// What says why, as it may be shown: two lines, because SSH's reason stands before git's. Part of it was written by a server.
fn gist(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.take(2).collect::<Vec<_>>().join("; ");
    if told.is_empty() { "without a word".to_owned() } else { tame(&told) }
}

fn size(directory: &Path) -> u64 {
    let mut sum = 0;
    // A file that vanishes meanwhile has no size.
    let _ = walk(directory, &mut |_, bytes| sum += bytes);
    sum
}

/// Removes what a call that was stopped left behind: locks, and packs that are half there. Nobody else works here.
pub(super) fn sweep(directory: &Path) -> io::Result<()> {
    walk(directory, &mut |path, _| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".lock") || name.starts_with("tmp_") {
            let _ = fs::remove_file(path);
        }
    })
}

fn walk(directory: &Path, visit: &mut dyn FnMut(&Path, u64)) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            let _ = walk(&entry.path(), visit);
        } else {
            visit(&entry.path(), found.len());
        }
    }
    Ok(())
}

/// A text that somebody else wrote, on one line and of bounded length.
pub(super) fn tame(text: &str) -> String {
    /// A message with an address and a reason.
    const SHOWN_CHARACTERS: usize = 240;
    visible(text.chars().take(SHOWN_CHARACTERS))
}

/// A text in which what cannot be seen is written as an escape.
pub(super) fn visible(text: impl Iterator<Item = char>) -> String {
    let mut shown = String::new();
    for c in text {
        if is_hidden(c) || matches!(c, '\n' | '\t') { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}
