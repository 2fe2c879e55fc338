//! What a check meets on a real machine.
//!
//! Everything here is one question and one answer, bounded in bytes and in time. What an answer means is the checks' business.

pub mod cache;
mod way;
