//! A real Git repository as a team has it: a bare one that everybody pushes to, and somebody's clone.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Who commits.
pub const AUTHOR: &str = "Ann Example <ann@example.com>";

pub struct Upstream {
    directory: TempDir,
}

impl Upstream {
    /// An empty one.
    pub fn new() -> Self {
        let upstream = Self { directory: tempfile::tempdir().expect("a directory") };
        fs::create_dir(upstream.work()).expect("a directory");
        upstream.git(&["init", "--quiet", "--initial-branch=main"]);
        upstream.git(&["init", "--quiet", "--bare", "--initial-branch=main", &upstream.bare().display().to_string()]);
        upstream.git(&["remote", "add", "origin", &upstream.url()]);
        upstream
    }

    /// One with these files in its first commit.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let upstream = Self::new();
        upstream.commit(files, "The first version");
        upstream
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    pub fn bare(&self) -> PathBuf {
        self.directory.path().join("payments.git")
    }

    pub fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// A place beside the repositories.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, path: &str, text: &[u8]) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        // A link of that name is not to be written through.
        _ = fs::remove_file(&path);
        fs::write(path, text).expect("a written file");
    }

    /// Commits and pushes; the commit's name.
    pub fn commit(&self, files: &[(&str, &str)], subject: &str) -> String {
        for (path, text) in files {
            self.write(path, text.as_bytes());
        }
        self.push_all(subject, &[])
    }

    /// Commits and pushes whatever lies in the clone, with further options of `git commit`.
    pub fn push_all(&self, subject: &str, options: &[&str]) -> String {
        self.git(&["add", "--all"]);
        self.git(&[&["commit", "--quiet", "--allow-empty", "-m", subject], options].concat());
        self.push()
    }

    pub fn push(&self) -> String {
        self.git(&["push", "--quiet", "--force", "origin", "HEAD:main"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Every name in the bare repository and what it points to.
    pub fn names(&self) -> String {
        let bare = self.bare().display().to_string();
        self.git(&["--git-dir", &bare, "for-each-ref"])
    }

    /// A call of git in the clone, with nothing of this machine's settings.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_fed("", arguments)
    }

    /// The same with something to read.
    pub fn git_fed(&self, input: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.work()).args(arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").expect("a PATH")).env("HOME", self.directory.path());
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann Example").env(format!("GIT_{who}_EMAIL"), "ann@example.com");
        }
        let file = self.directory.path().join("input");
        fs::write(&file, input).expect("a written file");
        command.stdin(Stdio::from(fs::File::open(&file).expect("a file")));
        let output = command.output().expect("git is installed");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// A new key to sign with: the private one, and its line in a file of allowed signers.
    pub fn key(&self, name: &str) -> (PathBuf, String) {
        let key = self.beside(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&key).status();
        assert!(made.expect("ssh-keygen is installed").success());
        let public = fs::read_to_string(key.with_extension("pub")).expect("a public key");
        (key, format!("{name}@example.com {public}"))
    }
}
