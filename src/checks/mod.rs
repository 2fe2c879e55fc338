//! Probes that change nothing where they look, and what they prove: pages through the public path, upstreams, caches in cluster
//! mode, both schemas, the public name, traffic that should have ended.
//!
//! A check is declared in the spec, runs by itself with a time limit of its own, and ends as `Pass`, `Fail` or `Unknown` with
//! evidence. What cannot run is `Unknown`, and an unknown check opens no gate.

pub mod board;
pub mod checker;
pub mod network;
pub mod outcome;
pub mod probe;
pub mod schema;
