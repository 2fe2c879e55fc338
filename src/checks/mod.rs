//! Probes that change nothing where they look, and what they prove: pages through the public path, upstreams, caches in cluster
//! mode, both schemas, the public name, traffic that should have ended.
//!
//! A check is declared in the spec, runs by itself with a time limit of its own, and ends as `Pass`, `Fail` or `Unknown` with
//! evidence. What cannot run is `Unknown`, and an unknown check opens no gate.

pub mod board;
pub mod cache;
pub mod checker;
pub mod credentials;
pub mod declared;
pub mod expect;
pub mod failing;
pub mod fetch;
pub mod messenger;
pub mod names;
pub mod network;
pub mod outcome;
pub mod page;
pub mod probe;
pub mod redirects;
pub mod report;
pub mod rounds;
pub mod run;
pub mod schema;
#[cfg(test)]
mod scripted_web;
pub mod traffic;
pub mod trouble;
pub mod upstream;
