//! The check of a cache, held against real clusters of `redis-server`, and against servers that misbehave.

mod bad_days;
mod fake;
mod house;
mod keys;
mod nodes;
mod server;
#[path = "../common/spec.rs"]
mod spec;
mod trust;
