//! bascule: moves a live payment system between two databases, and brings it back.

pub mod aws;
pub mod checks;
pub mod cli;
pub mod clock;
pub mod controllers;
pub mod credentials;
pub mod database;
pub mod engine;
pub mod evidence;
pub mod fault;
pub mod http;
pub mod iam;
pub mod journal;
pub mod keyspace;
pub mod lab;
pub mod migration;
pub mod mysql;
pub mod names;
pub mod network;
pub mod parity;
pub mod rehearsal;
pub mod runbook;
pub mod sighting;
pub mod sim;
pub mod spec;

/// Here and not in the program, so that tests and benches measure what is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
