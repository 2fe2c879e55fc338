//! The copy of one branch in the state directory. It has no work tree: files are read from commits as they are, so that no hook,
//! filter or link of the repository is ever followed.

use std::fs;
use std::path::{Path, PathBuf};

use super::address::{Address, Branch, RepositoryPath};
use super::command::{Bounds, Git, GitError, sweep, tame, visible};
use crate::clock::Clock;
use crate::engine::source::read::{Content, LARGEST_BYTES, is_spec};
use crate::migration::source::Commit;

/// Where the branch is put as it was fetched, taken or not.
const FETCHED: &str = "refs/bascule/fetched";

/// The newest commit that was taken: what the next one has to descend from, and what a restart begins with.
const TAKEN: &str = "refs/bascule/taken";

/// Nobody migrates five hundred systems from one directory; whoever has more files there gave another path than he meant.
const MOST_FILES: usize = 500;

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its path in the repository.
    pub path: String,
    /// The name of its content.
    pub id: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File { bytes: u64 },
    Link,
}

/// What stands at a path of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// These files.
    Files(Vec<Blob>),
    /// Too many of them.
    TooMany(usize),
}

/// A copy of one branch.
#[derive(Clone)]
pub struct Repository {
    git: Git,
    address: Address,
    branch: Branch,
}

impl Repository {
    /// A copy at `directory`, which need not exist yet.
    pub fn new(
        directory: PathBuf,
        address: Address,
        branch: Branch,
        signers: Option<&Path>,
        bounds: Bounds,
        clock: Clock,
    ) -> Self {
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut set = |key: String, value: String| settings.push((key, value));
        if let Some(header) = address.authorization() {
            set(format!("http.{}.extraHeader", address.shown()), header);
        }
        if let Some(signers) = signers {
            set("gpg.ssh.allowedSignersFile".to_owned(), signers.display().to_string());
            // Only keys of that file count: not those of somebody's keyring, nor of nobody's.
            set("gpg.minTrustLevel".to_owned(), "fully".to_owned());
            set("gpg.openpgp.program".to_owned(), "/dev/null".to_owned());
            set("gpg.x509.program".to_owned(), "/dev/null".to_owned());
        }
        let git = Git::new(directory, address.protocol(), &settings, bounds, clock);
        Self { git, address, branch }
    }

    /// Makes the copy ready: an empty one where there is none, and none of the rests of a call that was stopped.
    pub async fn prepare(&self) -> Result<(), GitError> {
        let directory = &self.git.directory;
        let unusable = |error: std::io::Error| GitError::Copy { path: directory.clone(), why: error.to_string() };
        if directory.join("HEAD").exists() {
            return sweep(directory).map_err(unusable);
        }
        fs::create_dir_all(directory).map_err(unusable)?;
        let shown = directory.display().to_string();
        self.git.call(&["init", "--quiet", "--bare", "--template=", &shown]).await.map(drop)
    }

    /// Fetches the branch and names its newest commit. The first time one commit is enough; later all that came since is
    /// fetched, so that git itself can tell whether it descends from the one that was taken.
    pub async fn fetch(&self, taken: Option<&str>) -> Result<String, GitError> {
        let branch = format!("+refs/heads/{}:{FETCHED}", self.branch.as_str());
        let mut arguments =
            vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"];
        if taken.is_none() {
            arguments.push("--depth=1");
        }
        arguments.extend(["--", self.address.shown(), &branch]);
        self.git.call(&arguments).await?;
        self.commit_at(FETCHED).await.and_then(|found| {
            let why = "what was fetched is not there".to_owned();
            found.ok_or_else(|| GitError::Copy { path: self.git.directory.clone(), why })
        })
    }

    /// The commit that was taken last, perhaps by an earlier process.
    pub async fn taken(&self) -> Result<Option<String>, GitError> {
        self.commit_at(TAKEN).await
    }

    /// Remembers that `commit` was taken.
    pub async fn take(&self, commit: &str) -> Result<(), GitError> {
        self.git.call(&["update-ref", TAKEN, commit]).await.map(drop)
    }

    async fn commit_at(&self, name: &str) -> Result<Option<String>, GitError> {
        match self.git.call(&["rev-parse", "--quiet", "--verify", &format!("{name}^{{commit}}")]).await {
            Ok(said) => Ok(Some(text(&said).trim().to_owned())),
            Err(GitError::Failed { code: Some(1), .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether `newer` has `older` among its ancestors.
    pub async fn descends(&self, newer: &str, older: &str) -> Result<bool, GitError> {
        match self.git.call(&["merge-base", "--is-ancestor", older, newer]).await {
            Ok(_) => Ok(true),
            Err(GitError::Failed { code: Some(1), .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Why the signature of `commit` does not count, if it does not.
    pub async fn fault_of_signature(&self, commit: &str) -> Result<Option<String>, GitError> {
        match self.git.call(&["verify-commit", commit]).await {
            Ok(_) => Ok(None),
            Err(GitError::Failed { said, code: Some(_), .. }) => Ok(Some(said)),
            Err(error) => Err(error),
        }
    }

    /// Who wrote `commit`, and why.
    pub async fn describe(&self, commit: &str) -> Result<Commit, GitError> {
        let format = "--format=%an <%ae>%x00%s";
        let said = self.git.call(&["log", "-1", "--no-show-signature", "--encoding=UTF-8", format, commit]).await?;
        let said = text(&said);
        let (author, subject) = said.trim_end().split_once('\0').unwrap_or((said.trim_end(), ""));
        Ok(Commit { id: commit.to_owned(), author: tame(author), subject: tame(subject) })
    }

    /// The file at `path` of `commit`, or the spec files of the directory there.
    pub async fn files(&self, commit: &str, path: &RepositoryPath) -> Result<Found, GitError> {
        let path = path.as_str();
        if !path.is_empty() {
            let there = self.list(commit, path).await?;
            match there.first() {
                None => return Ok(Found::Files(Vec::new())),
                Some(Listed::Blob(blob)) => return Ok(Found::Files(vec![blob.clone()])),
                Some(Listed::Other) => {}
            }
        }
        let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
        let listed = self.list(commit, &inside).await?.into_iter();
        let is_wanted = |blob: &Blob| is_spec(Path::new(&blob.path));
        let blobs = listed.filter_map(|listed| match listed {
            Listed::Blob(blob) => Some(blob),
            Listed::Other => None,
        });
        let blobs: Vec<Blob> = blobs.filter(is_wanted).collect();
        Ok(if blobs.len() > MOST_FILES { Found::TooMany(blobs.len()) } else { Found::Files(blobs) })
    }

    async fn list(&self, commit: &str, path: &str) -> Result<Vec<Listed>, GitError> {
        let mut arguments = vec!["ls-tree", "-z", "-l", "--full-tree", commit];
        if !path.is_empty() {
            arguments.extend(["--", path]);
        }
        let said = self.git.call(&arguments).await?;
        Ok(text(&said).split('\0').filter_map(Listed::parse).collect())
    }

    /// What a file holds. A link is not followed, wherever it leads: it is said instead what to name.
    pub async fn read(&self, blob: &Blob) -> Result<Content, GitError> {
        match blob.kind {
            Kind::Link => {
                let target = self.git.call(&["cat-file", "blob", &blob.id]).await?;
                let target = tame(&text(&target));
                let why = format!("it is a link to `{target}`, and links in a repository are not followed; name the file itself");
                Ok(Content::Unreadable(why))
            }
            Kind::File { bytes } if bytes > LARGEST_BYTES => {
                Ok(Content::Unreadable(format!("it has {bytes} bytes, more than {LARGEST_BYTES}")))
            }
            Kind::File { .. } => Ok(Content::of(self.git.call(&["cat-file", "blob", &blob.id]).await?)),
        }
    }
}

/// One line of a tree.
enum Listed {
    Blob(Blob),
    /// A directory, or a repository in this one.
    Other,
}

impl Listed {
    /// `100644 blob 7898... 2\tpath`.
    fn parse(line: &str) -> Option<Self> {
        let (head, path) = line.split_once('\t')?;
        let mut words = head.split_whitespace();
        let (mode, kind, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
        if kind != "blob" {
            return Some(Self::Other);
        }
        let kind = if mode == "120000" { Kind::Link } else { Kind::File { bytes: size.parse().ok()? } };
        // It is read by its id, so that its name may be shown as it can be seen.
        Some(Self::Blob(Blob { path: visible(path.chars()), id: id.to_owned(), kind }))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
