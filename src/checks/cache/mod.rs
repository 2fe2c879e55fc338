//! Redis or Valkey in cluster mode: whether the application's keys stay together there, first by arithmetic, then on the cluster
//! itself; and whether the cluster is whole, has memory left and makes it free as declared.
//!
//! Nothing of the application's is changed or read. What is written is one key of the check's own, which expires by itself.

mod errand;
mod live;
mod nodes;
mod proof;
mod report;
mod structure;
mod talk;
mod topology;

pub use live::run;
