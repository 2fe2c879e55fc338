//! Rules about references to secrets, wherever one stands.

use super::when;
use crate::spec::CredentialsFrom;
use crate::spec::checks::SecretFrom;
use crate::spec::code::Code;
use crate::spec::finding::Finding;

const PREFIX: &str = "the prefix of two environment variables: upper-case letters, digits and `_`, such as `PAYMENTS_LEGACY`";
const VARIABLE: &str = "an environment variable: upper-case letters, digits and `_`, such as `BOOKING_TOKEN`";
const FILE: &str = "an absolute path, such as `/etc/bascule/legacy.credentials`";

/// A user and a password that are found by the reference at `path`.
pub(super) fn credentials_finding(path: &str, credentials: &CredentialsFrom, findings: &mut Vec<Finding>) {
    match credentials {
        CredentialsFrom::Env(prefix) => in_environment(path, prefix, PREFIX, findings),
        CredentialsFrom::File(file) => in_file(path, file, findings),
    }
}

/// One secret that is found by the reference at `path`.
pub(super) fn secret_finding(path: &str, secret: &SecretFrom, findings: &mut Vec<Finding>) {
    match secret {
        SecretFrom::Env(variable) => in_environment(path, variable, VARIABLE, findings),
        SecretFrom::File(file) => in_file(path, file, findings),
    }
}

fn in_environment(path: &str, name: &str, accepted: &str, findings: &mut Vec<Finding>) {
    findings.extend(when(!is_variable(name), || wrong(&format!("{path}.env"), name, accepted)));
}

fn in_file(path: &str, file: &str, findings: &mut Vec<Finding>) {
    let is_path = file.starts_with('/') && !file.ends_with('/');
    findings.extend(when(!is_path, || wrong(&format!("{path}.file"), file, FILE)));
}

/// A name that a shell lets an operator export.
fn is_variable(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Whatever stands there may be the secret itself, so that it is never repeated.
fn wrong(path: &str, text: &str, accepted: &str) -> Finding {
    if looks_literal(text) {
        let advice = "name where it is found, and change it if it was a secret: it has been written down";
        Finding::new(Code::LiteralSecret, path, "this looks like a secret itself".to_owned(), accepted, advice)
    } else {
        let found = "not a name under which credentials can be found".to_owned();
        Finding::new(Code::WrongCredentialsName, path, found, accepted, "write it in that form")
    }
}

/// Whether a name of credentials has characters that a name would not have, and a secret or a URL well might.
fn looks_literal(text: &str) -> bool {
    let mixed = text.chars().any(|c| c.is_ascii_digit()) && text.chars().any(|c| c.is_ascii_lowercase());
    text.chars().any(|c| !c.is_ascii_alphanumeric() && !"_-./".contains(c)) || (mixed && !text.contains('/') && text.len() >= 8)
}
