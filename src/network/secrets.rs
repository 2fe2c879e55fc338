//! Secrets as the process finds them: in its environment, and in files.

use crate::checks::probe::Secrets;
use crate::credentials;
use crate::spec::CredentialsFrom;
use crate::spec::checks::SecretFrom;

/// Finds secrets in the process's own environment and file system.
#[derive(Debug, Clone, Copy)]
pub struct FromEnvironment;

impl Secrets for FromEnvironment {
    fn credentials(&self, from: &CredentialsFrom) -> Result<(String, String), String> {
        let found = credentials::find(from).map_err(|error| error.to_string())?;
        Ok((found.user, found.password))
    }

    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        credentials::find_secret(from).map_err(|error| error.to_string())
    }
}
