//! What a check is made with.

use std::fmt;

use super::network::Network;
use crate::clock::Clock;
use crate::database::Database;
use crate::names::Side;
use crate::spec::checks::SecretFrom;
use crate::spec::{CredentialsFrom, Migration};

/// What a check is made with: eyes, time, and where the migration stands.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// The wish.
    pub migration: &'a Migration,
    /// Names, pages, caches.
    pub network: &'a dyn Network,
    /// Where credentials are found.
    pub secrets: &'a dyn Secrets,
    /// The legacy database.
    pub legacy: &'a dyn Database,
    /// The target database.
    pub target: &'a dyn Database,
    /// Time.
    pub clock: &'a Clock,
    /// The side that the public name is to lead to.
    pub public_at: Side,
}

impl<'a> Probe<'a> {
    /// One side's database.
    pub const fn database(&self, side: Side) -> &'a dyn Database {
        match side {
            Side::Legacy => self.legacy,
            Side::Target => self.target,
        }
    }
}

/// Where secrets are found: in the process's environment and files, or in the simulated world. They are read each time they are
/// needed, and kept nowhere.
pub trait Secrets: Send + Sync + fmt::Debug {
    /// A user and a password.
    ///
    /// # Errors
    /// Where was looked, and what belongs there; never what stood there.
    fn credentials(&self, from: &CredentialsFrom) -> Result<(String, String), String>;

    /// One secret.
    ///
    /// # Errors
    /// As [`Self::credentials`].
    fn secret(&self, from: &SecretFrom) -> Result<String, String>;
}
