//! The operating system's network, behind the seam of the checks.

pub mod dns;
