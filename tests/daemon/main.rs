//! The real program, run as an operator runs it, over a stand-in world in fast time. Every wait is bounded generously and
//! every assertion is about content, so that a slow machine changes nothing.

mod commands;
mod evidence;
mod faces;
mod files;
mod fixture;
mod flood;
mod git;
mod journals;
mod journey;
mod many;
mod secrets;
#[path = "../common/upstream.rs"]
#[allow(dead_code, reason = "the tests of the source itself use the rest")]
mod upstream;
