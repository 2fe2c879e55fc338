//! What the proofs of the mind share: one migration, a small world in plain values, and a story that walks through both.

mod checked;
pub mod good;
mod heartbeats;
pub mod hooks;
pub mod snapshot;
mod spec;
pub mod story;
pub mod world;

pub use spec::migration;
pub use story::Story;
