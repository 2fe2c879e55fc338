//! One pass, when to pass, and where specs come from.

pub mod act;
pub mod beats;
pub mod cadence;
pub mod daemon;
pub mod inspect;
pub mod keeper;
pub mod observe;
pub mod reconcile;
pub mod source;
pub mod surroundings;

#[cfg(test)]
mod shared_tests;
