//! The lab: real database servers in a directory that goes with them.

pub mod server;
