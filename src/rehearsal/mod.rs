//! The embedded default and the proof: the real engine, over the real SDK, against the stand-in world, in virtual time.
//!
//! The same seed gives the same run, byte for byte.

pub mod campaign;
pub mod kills;
pub mod operator;
pub mod pause;
pub mod picture;
pub mod stage;
pub mod story;
pub mod timeline;
pub mod verdict;
