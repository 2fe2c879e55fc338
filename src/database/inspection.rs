//! What must be known of a database before anything is fenced there: who could write round the fence, which privileges the
//! controller lacks, whether the canaries' logins are right, and which numbers each side has given to its rows.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::receipt::Knock;
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
    /// Every declared canary at each of its endpoints, by its login alone. While its account is open it is let in; while it is
    /// locked, only the lock may refuse it, which is asked about after the password.
    pub canaries: Vec<Knock>,
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

/// The numbers that one side gives to its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdSpace {
    /// Which numbers it gives at all.
    pub stride: Stride,
    /// Every table with an AUTO_INCREMENT column.
    pub counters: BTreeMap<TableName, Counter>,
}

/// How far apart a server's numbers are, and where they begin: it gives `offset`, `offset + increment`, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stride {
    /// `@@auto_increment_increment`, at least 1.
    pub increment: u64,
    /// `@@auto_increment_offset`
    pub offset: u64,
}

impl Default for Stride {
    /// What a server does that nobody told otherwise: every number from 1 on.
    fn default() -> Self {
        Self { increment: 1, offset: 1 }
    }
}

impl Stride {
    /// The first number from `number` on that this server would give; `None` where there is none.
    pub fn at_or_after(self, number: u64) -> Option<u64> {
        number.checked_add(self.gap_behind(number))
    }

    const fn gap_behind(self, number: u64) -> u64 {
        let increment = if self.increment == 0 { 1 } else { self.increment };
        let (wanted, found) = (self.offset % increment, number % increment);
        if wanted >= found { wanted - found } else { increment - found + wanted }
    }

    /// Whether both servers could give the same number.
    pub const fn meets(self, other: Self) -> bool {
        let common = greatest_common_divisor(self.increment, other.increment);
        common == 0 || self.offset % common == other.offset % common
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl fmt::Display for Stride {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "auto_increment_increment {}, auto_increment_offset {}", self.increment, self.offset)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Stride = Stride { increment: 1, offset: 1 };
    const ODD: Stride = Stride { increment: 2, offset: 1 };
    const EVEN: Stride = Stride { increment: 2, offset: 2 };

    #[test]
    fn the_next_number_is_one_that_the_server_would_give() {
        assert_eq!([100, 101].map(|number| EVERY.at_or_after(number)), [Some(100), Some(101)]);
        assert_eq!([100, 101].map(|number| ODD.at_or_after(number)), [Some(101), Some(101)]);
        assert_eq!([100, 101].map(|number| EVEN.at_or_after(number)), [Some(100), Some(102)]);
        let tens = Stride { increment: 10, offset: 3 };
        assert_eq!([1, 3, 4, 13].map(|number| tens.at_or_after(number)), [Some(3), Some(3), Some(13), Some(13)]);
        assert_eq!(EVEN.at_or_after(u64::MAX), None, "the last number of all is odd");
    }

    #[test]
    fn two_servers_meet_unless_their_numbers_are_apart_for_ever() {
        assert!(EVERY.meets(EVERY) && EVERY.meets(ODD) && ODD.meets(EVERY));
        assert!(!ODD.meets(EVEN));
        assert!(ODD.meets(Stride { increment: 3, offset: 2 }), "5 is odd, and so is 11");
        assert!(!ODD.meets(Stride { increment: 4, offset: 2 }));
    }
}
