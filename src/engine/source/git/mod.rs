//! A branch of a Git repository as the place where specs come from.
//!
//! It is fetched by the installed `git` into a directory below the state directory, and read from there commit by commit. The
//! controller never writes to the branch. A commit is taken when it descends from the one taken before, and carries an accepted
//! signature where one is demanded. **A branch whose history was rewritten is not followed:** a promotion is what was reviewed
//! on top of what is in force, and a forced push could bring back an old file, with old approvals, as if it were new. The last
//! good spec holds until the branch descends from its commit again, or until a person has looked and removed the copy.

pub mod address;
pub mod command;
pub mod repository;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use self::address::{Address, Branch, RepositoryPath};
use self::command::{Bounds, GitError};
use self::repository::{Blob, Found, Repository};
use super::{Content, News, SpecEvent};
use crate::clock::Clock;
use crate::journal::sha256;
use crate::migration::source::{Commit, SourceReport, SourceTrouble};

/// A server that does not answer is asked less and less often, down to this: the loss of it is no hurry, its return is.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// Which branch is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitSpecs {
    /// The repository.
    pub address: Address,
    /// Its branch.
    pub branch: Branch,
    /// A file or a directory of files in it.
    pub path: RepositoryPath,
    /// Whose signatures count, if one is demanded: a file in the form of `ssh-keygen`'s allowed signers.
    pub signers: Option<PathBuf>,
    /// How much a call of git may take.
    pub bounds: Bounds,
}

impl GitSpecs {
    /// What a file of the branch is called in journals and messages.
    fn called(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("{}#{}:{path}", self.address, self.branch.as_str()))
    }

    /// Whether `called` is the name of a file that is followed here.
    pub fn has(&self, called: &str) -> bool {
        let wanted = self.path.as_str();
        called.strip_prefix(&self.called("").display().to_string()).is_some_and(|path| {
            wanted.is_empty() || path == wanted || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// Where the copy is kept: another repository or branch is another copy.
    fn copy_in(&self, state: &Path) -> PathBuf {
        let name = sha256(format!("{} {}", self.address, self.branch.as_str()).as_bytes());
        state.join("git").join(&name[..16])
    }

    /// What is published of the file that is called `called`.
    pub fn report(
        &self,
        called: &Path,
        commit: Option<Commit>,
        head: Option<&Commit>,
        trouble: Option<SourceTrouble>,
    ) -> SourceReport {
        let called = called.display().to_string();
        let path = called.strip_prefix(&self.called("").display().to_string()).unwrap_or(&called).to_owned();
        SourceReport {
            repository: self.address.shown().to_owned(),
            branch: self.branch.as_str().to_owned(),
            path,
            commit,
            head: head.map(|head| head.id.clone()),
            trouble,
        }
    }
}

/// What a look at the branch came to.
struct Seen {
    head: Commit,
    files: BTreeMap<PathBuf, (Blob, Content)>,
}

/// How far the source has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What an earlier process took has yet to be read.
    AtStart,
    /// The branch is to be looked at now.
    Due,
    /// It was looked at.
    Resting,
}

/// A branch, and what was last said about it.
pub struct GitSource {
    specs: GitSpecs,
    repository: Repository,
    copy: PathBuf,
    poll: Duration,
    clock: Clock,
    wake: Arc<Notify>,
    stage: Stage,
    failures: u32,
    head: Option<Commit>,
    known: BTreeMap<PathBuf, (Blob, Content)>,
    trouble: Option<SourceTrouble>,
}

impl GitSource {
    /// Follows `specs` with a copy below `state`, looked at every `poll`, and at once when `wake` is notified.
    pub fn new(specs: GitSpecs, state: &Path, poll: Duration, clock: Clock, wake: Arc<Notify>) -> Self {
        let copy = specs.copy_in(state);
        let (address, branch, signers) = (specs.address.clone(), specs.branch.clone(), specs.signers.as_deref());
        let repository = Repository::new(copy.clone(), address, branch, signers, specs.bounds, clock.clone());
        let (head, known, trouble) = (None, BTreeMap::new(), None);
        Self { specs, repository, copy, poll, clock, wake, stage: Stage::AtStart, failures: 0, head, known, trouble }
    }

    /// Waits until something changed, and says what. Safe to cancel: a look that was cut short is made again.
    pub async fn changed(&mut self) -> News {
        loop {
            let looked = match self.stage {
                Stage::AtStart => self.recall().await,
                Stage::Due => self.look().await,
                Stage::Resting => {
                    let rest = self.rest();
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = self.clock.sleep(rest) => {}
                    }
                    self.stage = Stage::Due;
                    continue;
                }
            };
            // What was kept is only a beginning: the branch itself is looked at right after.
            let was_start = std::mem::replace(&mut self.stage, Stage::Resting) == Stage::AtStart;
            if was_start {
                self.stage = Stage::Due;
            }
            if let Some(news) = self.told(looked, was_start) {
                return news;
            }
        }
    }

    fn rest(&self) -> Duration {
        let longer = self.poll.saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
        longer.min(LONGEST_REST.max(self.poll))
    }

    /// What an earlier process took, so that a server that is away at the start takes nothing from anybody.
    async fn recall(&self) -> Result<Option<Seen>, SourceTrouble> {
        self.repository.prepare().await?;
        let Some(taken) = self.repository.taken().await? else { return Ok(None) };
        self.check_signature(&taken).await?;
        self.read(&taken).await.map(Some)
    }

    /// Looks at the branch; nothing if it is where it was.
    async fn look(&self) -> Result<Option<Seen>, SourceTrouble> {
        self.repository.prepare().await?;
        let taken = self.repository.taken().await?;
        let fetched = self.repository.fetch(taken.as_deref()).await?;
        if self.head.as_ref().is_some_and(|head| head.id == fetched) {
            return Ok(None);
        }
        if let Some(taken) = &taken
            && !self.repository.descends(&fetched, taken).await?
        {
            return Err(SourceTrouble::Refused(self.rewritten(&fetched, taken)));
        }
        self.check_signature(&fetched).await?;
        let seen = self.read(&fetched).await?;
        self.repository.take(&fetched).await?;
        Ok(Some(seen))
    }

    fn rewritten(&self, fetched: &str, taken: &str) -> String {
        format!(
            "branch {} was rewritten: {fetched} does not descend from {taken}, which was taken before. Push a commit that does \
             (`git merge -s ours {taken}` makes one), or, once a person has looked, stop bascule, remove {} and start again",
            self.specs.branch.as_str(),
            self.copy.display()
        )
    }

    async fn check_signature(&self, commit: &str) -> Result<(), SourceTrouble> {
        let Some(signers) = &self.specs.signers else { return Ok(()) };
        match self.repository.fault_of_signature(commit).await? {
            None => Ok(()),
            Some(why) => Err(SourceTrouble::Refused(format!(
                "{commit} carries no signature of anybody in {} ({why}); sign it (`git commit -S`) with such a key",
                signers.display()
            ))),
        }
    }

    /// Reads the files of a commit; those that are as they were are not read again.
    async fn read(&self, commit: &str) -> Result<Seen, SourceTrouble> {
        let head = self.repository.describe(commit).await?;
        let path = &self.specs.path;
        let blobs = match self.repository.files(commit, path).await? {
            Found::Files(blobs) => blobs,
            Found::TooMany(count) => {
                let why =
                    format!("{commit} has {count} spec files in `{}`; name a directory with fewer by --path", path.as_str());
                return Err(SourceTrouble::Refused(why));
            }
        };
        if blobs.is_empty() && self.known.is_empty() {
            let why = format!("{commit} has no spec file at `{}`; name a file or a directory of *.yaml by --path", path.as_str());
            return Err(SourceTrouble::Refused(why));
        }
        let mut files = BTreeMap::new();
        for blob in blobs {
            let called = self.specs.called(&blob.path);
            let content = match self.known.get(&called) {
                Some((known, content)) if *known == blob => content.clone(),
                Some(_) | None => self.repository.read(&blob).await?,
            };
            files.insert(called, (blob, content));
        }
        Ok(Seen { head, files })
    }

    /// What is new, if anything is. A file that is gone comes first, so that one that was moved is free when it arrives.
    fn told(&mut self, looked: Result<Option<Seen>, SourceTrouble>, was_start: bool) -> Option<News> {
        let trouble = looked.as_ref().err().cloned();
        let is_away = matches!(trouble, Some(SourceTrouble::Unread(_)));
        self.failures = if is_away { self.failures.saturating_add(1) } else { 0 };
        let mut files = Vec::new();
        let mut is_new = !was_start && trouble != self.trouble;
        if let Ok(Some(Seen { head, files: seen })) = looked {
            is_new |= self.head.as_ref() != Some(&head);
            for path in self.known.keys().filter(|path| !seen.contains_key(*path)) {
                files.push(SpecEvent { path: path.clone(), content: Content::Gone });
            }
            for (path, (_, content)) in &seen {
                if self.known.get(path).is_none_or(|(_, known)| known != content) {
                    files.push(SpecEvent { path: path.clone(), content: content.clone() });
                }
            }
            (self.head, self.known) = (Some(head), seen);
        }
        if !was_start {
            self.trouble.clone_from(&trouble);
        }
        (is_new || !files.is_empty()).then(|| News { files, head: self.head.clone(), trouble: self.trouble.clone() })
    }
}

impl From<GitError> for SourceTrouble {
    /// Whatever git could not do, the branch was not read.
    fn from(error: GitError) -> Self {
        Self::Unread(error.to_string())
    }
}
