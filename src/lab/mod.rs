//! The lab: real database servers in a directory that goes with them, and everything that happens on them.

pub mod customers;
pub mod mover;
pub mod proof;
pub mod schema;
pub mod server;
