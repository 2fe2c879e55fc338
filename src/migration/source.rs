//! Where a spec came from, where that is a branch of a Git repository.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A commit, as its author would be asked about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// Its whole name, in hexadecimal.
    pub id: String,
    /// Who wrote it: a name and an address.
    pub author: String,
    /// The first line of its message.
    pub subject: String,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.id.get(..12).unwrap_or(&self.id);
        write!(f, "{short} of {} ({})", self.author, self.subject)
    }
}

/// The branch that is followed, and how far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// The repository, without credentials.
    pub repository: String,
    /// Its branch.
    pub branch: String,
    /// The file in it.
    pub path: String,
    /// The commit that brought the spec in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The newest commit that was taken; it may have changed other files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Why the branch is not followed now. The last good spec holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<SourceTrouble>,
}

/// Why a branch is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceTrouble {
    /// It could not be read: nobody knows whether it holds something newer.
    Unread(String),
    /// It was read, and what it holds is not taken.
    Refused(String),
}

impl SourceTrouble {
    /// Why, in words.
    pub fn why(&self) -> &str {
        match self {
            Self::Unread(why) | Self::Refused(why) => why,
        }
    }
}
