//! One pass, and when to pass.

pub mod act;
pub mod cadence;
pub mod observe;
pub mod reconcile;
