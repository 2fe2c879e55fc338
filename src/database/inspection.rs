//! What must be known of a database before anything is fenced there: who could write round the fence, which privileges the
//! controller lacks, and which numbers each side has given to its rows.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{Account, TableName};

/// Facts that change only by somebody's hand, read now and then, and anew when a gate waits for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// When they were read, by the server's clock.
    pub at: Timestamp,
    /// What the controller's account lacks, each as the GRANT that cures it.
    pub missing_privileges: Vec<String>,
    /// Every way to write round the fence.
    pub bypasses: Vec<Bypass>,
}

/// One way to write round the fence, which shuts out the declared accounts and nobody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bypass {
    /// An account that is neither declared nor trusted may undo the fence or end the controller's session.
    Administrator {
        /// Who.
        account: Account,
        /// `SUPER`, `CREATE USER`, ...
        privilege: String,
    },
    /// A declared account may undo the fence, or cannot be disconnected.
    Unfenceable {
        /// Who.
        account: Account,
        /// `SUPER`, `SYSTEM_USER`, ...
        privilege: String,
    },
    /// An account that is neither declared nor trusted may write rows that move.
    Writer {
        /// Who.
        account: Account,
        /// `INSERT`, ...
        privilege: String,
        /// `payments.*`
        place: String,
    },
    /// Such an account may set something off that writes as somebody else.
    Borrower {
        /// Who.
        account: Account,
        /// What it sets off.
        lender: Lender,
        /// `schema.name`
        name: String,
        /// As whom that writes.
        definer: Account,
    },
    /// An enabled event writes by itself.
    Event {
        /// `schema.name`
        name: String,
        /// As whom; locking that account does not stop it.
        definer: Account,
    },
    /// The server applies the rows of another one.
    Applier {
        /// The channel's name; empty for the unnamed one.
        channel: String,
        /// The host that rows come from.
        source: String,
    },
}

/// What runs with the rights of its definer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lender {
    /// A procedure or function, by being called.
    Routine,
    /// A trigger on a table outside the schemas that move, by a write there.
    Trigger,
    /// A view outside those schemas, by a write to it.
    View,
}

impl fmt::Display for Lender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Routine => "call the routine",
            Self::Trigger => "fire the trigger",
            Self::View => "write through the view",
        })
    }
}

impl fmt::Display for Bypass {
    /// How it could write, and what to do about it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator { account, privilege } => {
                write!(f, "{account} has {privilege} and could undo the fence: revoke that, or name it in trustedAccounts")
            }
            Self::Unfenceable { account, privilege } => {
                write!(f, "{account} is declared and has {privilege}, with which it could undo the fence: revoke that")
            }
            Self::Writer { account, privilege, place } => {
                write!(f, "{account} has {privilege} on {place}: revoke that, declare it, or name it in trustedAccounts")
            }
            Self::Borrower { account, lender, name, definer } => write!(
                f,
                "{account} may {lender} {name}, which writes as {definer}: revoke that right, or name it in trustedAccounts"
            ),
            Self::Event { name, definer } => {
                write!(f, "the event {name} writes as {definer}: ALTER EVENT {name} DISABLE until the migration is over")
            }
            Self::Applier { channel, source } => {
                let channel = if channel.is_empty() { "the unnamed channel" } else { channel };
                write!(f, "replication applies rows of {source} ({channel}): stop that replica before the cutover")
            }
        }
    }
}

/// The numbers that one side gives to its rows: every table with an AUTO_INCREMENT column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdSpace {
    /// By table.
    pub counters: BTreeMap<TableName, Counter>,
}

/// One AUTO_INCREMENT column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counter {
    /// What the next row is given at least.
    pub next: u64,
    /// The highest number in the table, 0 where it is empty. A rolled-back row's number is in `next` alone.
    pub highest: u64,
    /// The highest number that the column's type holds.
    pub maximum: u64,
}

impl Counter {
    /// The highest number that was ever given out here, as far as this side knows.
    pub fn high_water(&self) -> u64 {
        self.highest.max(self.next.saturating_sub(1))
    }
}

/// What a table's next number must be at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IdFloor {
    /// The table.
    pub table: TableName,
    /// `AUTO_INCREMENT`
    pub next: u64,
}
