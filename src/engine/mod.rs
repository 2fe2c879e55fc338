//! One pass, when to pass, and where specs come from.

pub mod source;
