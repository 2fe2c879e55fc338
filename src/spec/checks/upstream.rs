//! What the new system depends on, asked directly or through the application's own report.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Expectation;
use crate::names::CheckName;
use crate::spec::CredentialsFrom;

/// Something that the application needs: a service, or the application's own page about it.
///
/// A probe from the controller's network says whether the upstream answers; a page of the application that asks the upstream
/// itself says whether it answers *there*. Declare both where it matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamCheck {
    /// Its name.
    pub name: CheckName,
    /// What is asked for, with GET.
    pub url: String,
    /// Where the connection goes instead of where the URL's host resolves to, as `host` or `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_to: Option<String>,
    /// A PEM file of the authorities that may have signed the certificate; left out, those that the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<String>,
    /// As whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<HttpCredentials>,
    /// What the answer has to be.
    #[serde(default)]
    pub expect: Expectation,
    /// The same upstream under another hostname, which has to answer the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub twin: Option<Twin>,
}

/// The same upstream under another hostname.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Twin {
    /// What is asked for there.
    pub url: String,
    /// Where the connection goes instead of where the URL's host resolves to, as `host` or `host:port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_to: Option<String>,
    /// JSON pointers (RFC 6901) whose values have to be equal; left out, status and whole body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub same: Vec<String>,
}

/// As whom an HTTP request is made: exactly one of these. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HttpCredentials {
    /// `Authorization: Basic`, from a user and a password.
    Basic(CredentialsFrom),
    /// `Authorization: Bearer`, from one secret.
    Bearer(SecretFrom),
    /// A header of the upstream's own, such as `x-api-key`.
    Header(HeaderCredentials),
}

/// A secret in a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderCredentials {
    /// The header.
    pub name: String,
    /// Where its value is found.
    pub value_from: SecretFrom,
}

/// Where one secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecretFrom {
    /// An environment variable.
    Env(String),
    /// A file whose whole content, without the end of its last line, is the secret.
    File(String),
}
