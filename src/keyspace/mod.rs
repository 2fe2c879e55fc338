//! Where Redis and Valkey put keys in cluster mode: the slot of a key, patterns of keys that an application uses together, and
//! the hash tag that keeps them together.
//!
//! All of it is arithmetic on texts. It stands on the ground floor because three rooms need it: the spec, to warn before
//! anything runs; the checks, to prove it; the simulated cache, to refuse what a real one refuses.

mod cure;
mod patterns;
mod slots;

pub use cure::{Cure, Spread};
pub use patterns::{OpenPlaceholder, Operation, Pattern, Placement, PrefixTag, prefix_tag};
pub use slots::{SLOTS, hashed_part, slot};
