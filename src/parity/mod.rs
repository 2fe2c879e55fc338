//! Parity: whether two real databases hold the same rows, and if not, exactly which differ.
//!
//! Each table is read in chunks of its key. Both servers fold a chunk into a count and a checksum at the same time; a chunk
//! whose folds differ is read row by row; a row that differs is looked at again, after everything that its source had
//! committed has arrived, before it counts. Nothing is ever written to either database.

pub mod background;
pub mod chunks;
pub mod compare;
pub mod comparer;
pub mod exporter;
pub mod expression;
pub mod fold;
pub mod ledger;
pub mod passage;
pub mod progress;
pub mod quarantine;
pub mod recheck;
pub mod repair;
pub mod report;
pub mod rescue;
pub mod rows;
pub mod run;
pub mod server;
pub mod table;
pub mod throttle;
