//! Who makes the checks for a controller, and how they stand.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::board::Board;
use crate::names::Side;
use crate::spec::Migration;

/// What a round of checks has to know of where the migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// The side that the public name is to lead to.
    pub public_at: Side,
    /// A check that ran longer ago than this runs again.
    pub interval: Duration,
}

/// Makes checks in its own time: nobody who asks it anything ever waits for a server.
///
/// The simulated world is an exception, because it answers in no time.
pub trait Checker: Send + Sync + fmt::Debug {
    /// Begins every declared check that is due and not under way.
    fn begin<'a>(&'a self, migration: &'a Migration, round: Round) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

    /// How they stand.
    fn board(&self) -> Board;

    /// Comes to its end when a check does that is under way, and never where none is.
    fn ending(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
