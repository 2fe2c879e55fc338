//! Everything that needs real servers: they are started by the tests themselves, in a directory that goes with them.

mod fixture;
mod journey;
mod mover;
