//! Everything that needs real servers: they are started by the tests themselves, in a directory that goes with them.

#[path = "../common/ended.rs"]
mod ended;
mod fixture;
mod journey;
mod mover;
