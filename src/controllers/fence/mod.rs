//! Write fences: refused *at the database*, for the application's accounts, and proven, never assumed.

mod plan;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::database::{BinlogPosition, DatabaseView};
use crate::names::{Account, Side};
use crate::sighting::Sighting;
use crate::spec::DatabaseSpec;

pub use plan::{judge, locked_by_others, plan, shortfall};

/// Who may write at one side, at one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Writes {
    /// Not ours to say yet. What is there is left alone.
    NotYet,
    /// The application may.
    Open,
    /// Only declared validation traffic may.
    ValidationOnly,
    /// Nobody may.
    Closed,
}

/// How much of a [receipt](crate::database::Receipt) is asked of a closed side, beside locks, connections and transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// No canary was let in. What else is missing is reported and holds nothing up: the fence was proven in full before.
    NobodyLetIn,
    /// Every canary was answered as well; rows may still arrive by replication.
    Answered,
    /// And the binary log rests: nobody at all writes here.
    AtRest,
}

/// What a look at a database proves about its fence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FenceState {
    /// Every given account can write.
    Open,
    /// No given account can write, none holds a connection, none has a transaction open: no commit can follow.
    Closed {
        /// The end of the binary log, read after the proof; `None` where no binary log is written.
        position: Option<BinlogPosition>,
    },
    /// Neither: some accounts, or a connection that outlived its lock.
    Between(String),
}

/// The closed list of this room's calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FenceAction {
    /// Lock, kill, and wait until none is left.
    Close {
        /// At which side.
        side: Side,
        /// Whom.
        accounts: Vec<Account>,
    },
    /// Unlock.
    Open {
        /// At which side.
        side: Side,
        /// Whom.
        accounts: Vec<Account>,
    },
}

impl fmt::Display for FenceAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |accounts: &[Account]| accounts.iter().map(Account::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Close { side, accounts } => write!(f, "close the {side} database to {}", list(accounts)),
            Self::Open { side, accounts } => write!(f, "open the {side} database to {}", list(accounts)),
        }
    }
}

/// What the fence room plans with.
#[derive(Debug, Clone, Copy)]
pub struct FenceTerms<'a> {
    /// Which side.
    pub side: Side,
    /// Its declared accounts.
    pub database: &'a DatabaseSpec,
    /// The look at it.
    pub view: &'a Sighting<DatabaseView>,
}
