//! Secrets of the stand-in world: whatever is named is found, and each name has another one.

use crate::checks::probe::Secrets;
use crate::spec::CredentialsFrom;
use crate::spec::checks::SecretFrom;

/// Finds every secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedSecrets;

impl Secrets for SimulatedSecrets {
    fn credentials(&self, from: &CredentialsFrom) -> Result<(String, String), String> {
        let (CredentialsFrom::Env(name) | CredentialsFrom::File(name)) = from;
        Ok((format!("user of {name}"), format!("password of {name}")))
    }

    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        let (SecretFrom::Env(name) | SecretFrom::File(name)) = from;
        Ok(format!("secret of {name}"))
    }
}
