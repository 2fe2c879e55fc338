//! Who compares both sides' rows for a controller, and how far that is.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::database::{Answer, Epoch};
use crate::parity::report::Report;
use crate::spec::Migration;

/// How the comparisons of one migration stand: a look at memory, never at a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How far the one is that is under way, in words.
    pub under_way: Option<String>,
    /// The newest that has ended in this process.
    pub ended: Option<Report>,
}

/// Compares rows in its own time: nobody who asks it anything ever waits for a comparison.
///
/// The simulated databases are an exception, because they are read in no time.
pub trait Comparer: Send + Sync + fmt::Debug {
    /// Begins a comparison, unless one is under way. Writes flow from legacy; heartbeats are written with `epoch`.
    fn begin<'a>(&'a self, migration: &'a Migration, epoch: Epoch) -> Answer<'a, ()>;

    /// Gives up the comparison that is under way: nothing of it reaches a database any more. What it has found is kept for
    /// the next one.
    fn stop(&self);

    /// How things stand.
    fn comparison(&self) -> Comparison;

    /// Comes to its end when the comparison does that is under way, and never where none is.
    fn ending(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}
