//! Proof of the mind: what `decide` plans, moves and refuses, and what it publishes.

#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "each test program takes what it needs")]
mod common;

mod approvals;
mod forced;
mod gates;
mod hooks;
mod ladder;
mod moves;
mod promotion;
mod reverse;
mod safety;
mod status;
mod targets;
mod total;
