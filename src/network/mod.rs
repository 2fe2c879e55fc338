//! What a check meets on a real machine: pages over real sockets, and secrets in the process's environment and files.
//!
//! Everything here is one question and one answer, bounded in bytes and in time. What an answer means is the checks' business.

pub mod http;
pub mod secrets;
