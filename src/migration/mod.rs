//! The mind, pure: posture ladder, gates, `decide`, safety, status. No I/O, no async, no clock.

pub mod facts;
pub mod ladder;
pub mod observation;
pub mod plan;
pub mod status;
