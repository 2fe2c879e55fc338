//! What has to be proven through the public path: pages, upstreams, caches, schemas, names, traffic. Each check has a name of its
//! own, and changes nothing where it looks.

mod cache;
mod names;
mod page;
mod schema;
pub mod text;
mod upstream;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Period;
use crate::names::{CheckName, DomainName, Side};

pub use cache::{CacheCheck, CacheOperation, EvictionPolicy};
pub use names::NamesCheck;
pub use page::{BodyRule, Expectation, HeaderRule, JsonRule, PageCheck, RedirectStep};
pub use schema::{Framework, IgnoredDifference, MigrationsTable, SchemaCheck};
pub use upstream::{HeaderCredentials, HttpCredentials, SecretFrom, Twin, UpstreamCheck};

/// Everything that has to be proven by looking, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Checks {
    /// How many times in a row a check must pass before its gate opens.
    #[schemars(range(min = 1, max = 100))]
    pub consecutive_passes: u32,
    /// The time between two runs of one check while a gate waits for it.
    pub interval: Period,
    /// A pass that is older counts no more.
    pub max_age: Period,
    /// The longest that one run may take; what has not answered by then is unknown.
    pub timeout: Period,
    /// Hosts of the old system, such as `old-pay.example.net`: no answer of the new one may lead there.
    #[schemars(length(max = 64))]
    pub legacy_hosts: Vec<DomainName>,
    /// Hosts whose addresses may be private. A redirect into a private range is followed nowhere else.
    #[schemars(length(max = 64))]
    pub private_hosts: Vec<String>,
    /// Pages of the new system, over HTTP and HTTPS.
    #[schemars(length(max = 64))]
    pub pages: Vec<PageCheck>,
    /// What the new system depends on.
    #[schemars(length(max = 64))]
    pub upstreams: Vec<UpstreamCheck>,
    /// Redis or Valkey, which behave differently in cluster mode.
    #[schemars(length(max = 16))]
    pub caches: Vec<CacheCheck>,
    /// The structure of both databases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaCheck>,
    /// The public name as resolvers answer it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<NamesCheck>,
    /// Traffic that still arrives where it should end.
    #[schemars(length(max = 16))]
    pub traffic: Vec<TrafficCheck>,
    /// Checks that need not pass for a while, and who says so.
    #[schemars(length(max = 32))]
    pub waivers: Vec<Waiver>,
}

impl Default for Checks {
    /// Three passes a minute apart see a deployment that restarts; ten minutes are fresh where a check takes seconds. Ten seconds
    /// are what a customer would not wait for.
    fn default() -> Self {
        Self {
            consecutive_passes: 3,
            interval: Period::from_secs(60),
            max_age: Period::from_secs(600),
            timeout: Period::from_secs(10),
            legacy_hosts: Vec::new(),
            private_hosts: Vec::new(),
            pages: Vec::new(),
            upstreams: Vec::new(),
            caches: Vec::new(),
            schema: None,
            names: None,
            traffic: Vec::new(),
            waivers: Vec::new(),
        }
    }
}

/// A count of what still arrives at a side, which has to end before the switch is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrafficCheck {
    /// Its name.
    pub name: CheckName,
    /// The most that may still arrive between two runs.
    #[serde(default)]
    pub at_most: u64,
    /// Where the count is read.
    pub signal: TrafficSignal,
}

/// Where a count is read: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TrafficSignal {
    /// A number in a JSON answer.
    Http(HttpSignal),
    /// The one number that a query answers.
    Sql(SqlSignal),
}

/// A number in a JSON answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpSignal {
    /// Where it is asked for.
    pub url: String,
    /// As whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<HttpCredentials>,
    /// Where the number stands in the answer, as a JSON pointer (RFC 6901): `/requests/lastMinute`.
    pub pointer: String,
}

/// The one number that a query answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SqlSignal {
    /// The side that is asked.
    pub side: Side,
    /// A `SELECT` of one row with one number. It runs in a session that cannot write.
    pub query: String,
}

/// A check that need not pass for a while. It is shown wherever the check is, and journalled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Waiver {
    /// Which check.
    pub check: CheckName,
    /// Who says so.
    pub by: String,
    /// Why that is safe.
    pub why: String,
    /// Until when.
    pub until: Timestamp,
}

impl fmt::Display for Waiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is waived by {} until {:.0}: {}", self.check, self.by, self.until, self.why)
    }
}

impl Checks {
    /// The waivers that are in force at `now`, in the order of the file.
    pub fn waivers_in_force(&self, now: Timestamp) -> impl Iterator<Item = &Waiver> {
        self.waivers.iter().filter(move |waiver| now < waiver.until)
    }

    /// The waiver of a check that is in force at `now`.
    pub fn waiver(&self, check: &CheckName, now: Timestamp) -> Option<&Waiver> {
        self.waivers_in_force(now).find(|waiver| waiver.check == *check)
    }

    /// Every declared check's name, with its path in the file.
    pub fn names_with_paths(&self) -> Vec<(String, &CheckName)> {
        let numbered = |list: &str, index: usize| format!("spec.checks.{list}[{index}].name");
        let pages = self.pages.iter().enumerate().map(|(index, check)| (numbered("pages", index), &check.name));
        let upstreams = self.upstreams.iter().enumerate().map(|(index, check)| (numbered("upstreams", index), &check.name));
        let caches = self.caches.iter().enumerate().map(|(index, check)| (numbered("caches", index), &check.name));
        let traffic = self.traffic.iter().enumerate().map(|(index, check)| (numbered("traffic", index), &check.name));
        let schema = self.schema.iter().map(|check| ("spec.checks.schema.name".to_owned(), &check.name));
        let names = self.names.iter().map(|check| ("spec.checks.names.name".to_owned(), &check.name));
        pages.chain(upstreams).chain(caches).chain(schema).chain(names).chain(traffic).collect()
    }
}
