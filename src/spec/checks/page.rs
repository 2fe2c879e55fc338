//! A page of the new system, and what has to be true of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::HttpCredentials;
use crate::names::CheckName;

/// A page that is fetched as a customer's browser would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PageCheck {
    /// Its name.
    pub name: CheckName,
    /// What is asked for, with `http://` or `https://`.
    pub url: String,
    /// Where the connection goes instead of where the URL's host resolves to, as `host` or `host:port`: the new load balancer
    /// answers the public name with exactly the page that the public will get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_to: Option<String>,
    /// A PEM file of the authorities that may have signed the certificate; left out, those that the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<String>,
    /// As whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<HttpCredentials>,
    /// The certificate must be valid for so many days more.
    #[serde(default = "two_weeks")]
    #[schemars(range(min = 0, max = 365))]
    pub certificate_days: u32,
    /// What the answer has to be.
    pub expect: Expectation,
}

/// The observation window, and time to renew.
const fn two_weeks() -> u32 {
    14
}

/// What an answer has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Expectation {
    /// Redirects on the way, in this order and no others. Left out, there must be none.
    #[schemars(length(max = 10))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub redirects: Vec<RedirectStep>,
    /// The status of the last answer; left out, 200.
    #[schemars(range(min = 100, max = 599))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers of the last answer.
    #[schemars(length(max = 32))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderRule>,
    /// What its body holds.
    #[schemars(length(max = 32))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<BodyRule>,
}

/// One redirect on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedirectStep {
    /// Its status, such as 301 or 302.
    #[schemars(range(min = 300, max = 399))]
    pub status: u16,
    /// Where it leads, as an absolute URL.
    pub location: String,
}

/// A header that has to be there, or must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderRule {
    /// The header, in any case.
    pub name: String,
    /// A regular expression that some value of it has; left out, any value will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// Whether it must not be there at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub absent: bool,
}

/// What a body holds: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BodyRule {
    /// This text, letter by letter.
    Contains(String),
    /// Not this text.
    Lacks(String),
    /// Something that this regular expression finds.
    Matches(String),
    /// A value in a JSON document.
    Json(JsonRule),
}

/// A value in a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JsonRule {
    /// Where, as a JSON pointer (RFC 6901): `/checks/database`.
    pub pointer: String,
    /// What stands there: a text as it is, a number or a boolean as JSON writes it. Left out, anything but null will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
}
