//! Where specs come from, as the daemon sees it: files on a disk, or a branch of a repository.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::git::{GitSource, GitSpecs};
use super::{Source, SpecEvent};
use crate::clock::Clock;
use crate::migration::source::{Commit, SourceTrouble};
use crate::spec::load::load;

/// Where specs are.
#[derive(Debug, Clone)]
pub enum Specs {
    /// A file, or a directory of them.
    Files(PathBuf),
    /// A branch.
    Git(Box<GitSpecs>),
}

/// What a look brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Files that changed.
    pub files: Vec<SpecEvent>,
    /// The commit that they are of.
    pub head: Option<Commit>,
    /// Why the source as a whole is not followed now.
    pub trouble: Option<SourceTrouble>,
}

/// Whether bytes are a spec.
type Judge = fn(&[u8]) -> bool;

/// A source of specs that is followed.
pub enum Feed {
    /// Files.
    Files(Box<Source<Judge>>),
    /// A branch.
    Git(Box<GitSource>),
}

impl Feed {
    /// Follows `specs`, looked at every `poll`, and at once when `wake` is notified. What git keeps is kept below `state`.
    pub fn new(specs: &Specs, state: &Path, poll: Duration, wake: Arc<Notify>) -> Self {
        match specs {
            Specs::Files(path) => {
                let parses = (|bytes| load("", bytes).is_ok()) as Judge;
                Self::Files(Box::new(Source::woken_by(wake, path, poll, Clock::system(), parses)))
            }
            Specs::Git(specs) => Self::Git(Box::new(GitSource::new(GitSpecs::clone(specs), state, poll, Clock::system(), wake))),
        }
    }

    /// Waits until something changed, and says what. The first call says what is there. Safe to cancel.
    pub async fn changed(&mut self) -> News {
        match self {
            Self::Files(source) => News { files: source.changed().await, head: None, trouble: None },
            Self::Git(source) => source.changed().await,
        }
    }
}
