//! A fence's receipt: what was tried at a side whose accounts are all shut, beside reading that they are.
//!
//! Four things are told apart. A knock that was refused by the lock proves the fence at one endpoint; one that was let in
//! disproves it; one that was refused for another reason, or not answered, proves nothing either way, and says so.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BinlogPosition;
use crate::names::Account;

/// How long the end of the binary log must stay where it is. The latest that anything already under way was measured to land
/// after its connection had been killed is 25 ms; this is a little more, and little beside a pause of writes.
pub const REST: Duration = Duration::from_millis(30);

/// What was tried at a closed side, in one look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Every declared canary of an account that is shut, at each of its endpoints.
    pub knocks: Vec<Knock>,
    /// Accounts that are shut and for which no canary is declared.
    pub untried: Vec<Account>,
    /// Users whom the spec does not declare, with a transaction open that has changed rows: it may still commit.
    pub undeclared_writers: Vec<String>,
    /// Whether the binary log rests.
    pub rest: Rest,
}

/// One canary at one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Knock {
    /// As whom.
    pub account: Account,
    /// `host:port`
    pub endpoint: String,
    /// What came of it.
    pub answer: KnockAnswer,
}

/// What came of a login and a write that a closed fence must refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KnockAnswer {
    /// Refused because of the fence: the account is locked (3118, 4151) or the server is read-only (1290, 1792, 1836).
    Refused {
        /// The server's error number.
        code: String,
    },
    /// Let in: whoever comes this way can write.
    LetIn,
    /// Refused, but an open fence would have refused it too: a wrong password, TLS, credentials that are not found.
    Inconclusive {
        /// Why, and what to do.
        why: String,
    },
    /// No answer, which is no refusal.
    Unanswered {
        /// What came instead.
        why: String,
    },
}

/// Whether the end of the binary log stayed where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rest {
    /// It did.
    Still {
        /// For so long, in milliseconds; at least [`REST`].
        milliseconds: u64,
    },
    /// It moved within [`REST`], by no write of this controller.
    Moved {
        /// To there.
        to: BinlogPosition,
    },
    /// No binary log is written, and no counter of a server tells one's own reads from others' commits: nothing was measured.
    NoBinlog,
    /// Some declared accounts may write here, so that it was not asked.
    NotAsked,
}

impl fmt::Display for Knock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, endpoint, answer } = self;
        match answer {
            KnockAnswer::Refused { code } => write!(f, "{account} was refused at {endpoint} (error {code})"),
            KnockAnswer::LetIn => write!(f, "{account} was let in at {endpoint}"),
            KnockAnswer::Inconclusive { why } => write!(f, "the canary of {account} at {endpoint} proves nothing: {why}"),
            KnockAnswer::Unanswered { why } => {
                write!(f, "the canary of {account} was not answered at {endpoint}, which is no refusal: {why}")
            }
        }
    }
}

impl Receipt {
    /// The knocks of these accounts.
    pub fn knocks_of<'a>(&'a self, accounts: &'a [Account]) -> impl Iterator<Item = &'a Knock> {
        self.knocks.iter().filter(|knock| accounts.contains(&knock.account))
    }

    /// Why a commit may still follow though everybody declared is shut; `None` while the side rests.
    pub fn unrest(&self) -> Option<String> {
        if !self.undeclared_writers.is_empty() {
            let who = self.undeclared_writers.join(", ");
            return Some(format!("{who} has a transaction open that has changed rows; end it, or declare the account"));
        }
        match &self.rest {
            Rest::Moved { to } => Some(format!(
                "the binary log still moves (to {to}) though every declared account is shut; find who writes, and declare the account"
            )),
            Rest::Still { .. } | Rest::NoBinlog | Rest::NotAsked => None,
        }
    }

    /// What this receipt does not prove about these accounts, one sentence each.
    pub fn gaps(&self, accounts: &[Account]) -> Vec<String> {
        let untried = self.untried.iter().filter(|account| accounts.contains(account));
        let mut gaps: Vec<String> =
            untried.map(|account| format!("no canary is declared for {account}, so that no refused write was seen")).collect();
        gaps.extend(
            self.knocks_of(accounts).filter(|knock| !matches!(knock.answer, KnockAnswer::Refused { .. })).map(Knock::to_string),
        );
        if self.rest == Rest::NoBinlog {
            gaps.push("no binary log is written, so that its rest was not seen".to_owned());
        }
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(answer: KnockAnswer, rest: Rest) -> Receipt {
        let knock = Knock { account: "app@%".into(), endpoint: "db:3306".into(), answer };
        Receipt { knocks: vec![knock], untried: vec!["jobs@%".into()], undeclared_writers: Vec::new(), rest }
    }

    #[test]
    fn only_a_refusal_by_the_fence_leaves_no_gap() {
        let app: [Account; 1] = ["app@%".into()];
        let gaps = |answer| receipt(answer, Rest::Still { milliseconds: 30 }).gaps(&app);
        assert_eq!(gaps(KnockAnswer::Refused { code: "4151".into() }), Vec::<String>::new());
        for answer in [
            KnockAnswer::LetIn,
            KnockAnswer::Inconclusive { why: "error 1045".into() },
            KnockAnswer::Unanswered { why: "no answer".into() },
        ] {
            assert_eq!(gaps(answer).len(), 1);
        }
    }

    #[test]
    fn what_was_not_tried_is_said_in_words() {
        let both: [Account; 2] = ["app@%".into(), "jobs@%".into()];
        let gaps = receipt(KnockAnswer::Refused { code: "4151".into() }, Rest::NoBinlog).gaps(&both);
        assert!(gaps[0].contains("no canary is declared for jobs@%") && gaps[1].contains("no binary log"), "{gaps:?}");
    }

    #[test]
    fn a_moving_log_and_a_stranger_s_transaction_are_unrest_and_a_missing_log_is_not() {
        let to = BinlogPosition { file: "b.000001".into(), offset: 7 };
        let moving = receipt(KnockAnswer::LetIn, Rest::Moved { to });
        assert!(moving.unrest().is_some_and(|why| why.contains("b.000001:7")));
        let mut quiet = receipt(KnockAnswer::LetIn, Rest::NoBinlog);
        assert_eq!(quiet.unrest(), None);
        quiet.undeclared_writers.push("admin".into());
        assert!(quiet.unrest().is_some_and(|why| why.contains("admin")));
    }
}
