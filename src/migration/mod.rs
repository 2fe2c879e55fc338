//! The mind, pure: posture ladder, gates, `decide`, safety, status. No I/O, no async, no clock.

pub mod approvals;
pub mod awaited;
pub mod crossing;
pub mod decide;
pub mod derive;
pub mod facts;
pub mod forced;
pub mod gates;
pub mod hooks;
pub mod ids;
pub mod ladder;
pub mod moves;
pub mod observation;
pub mod passed;
pub mod plan;
pub mod promotion;
pub mod proposal;
pub mod purge;
pub mod reverse;
pub mod route;
pub mod safety;
pub mod source;
pub mod status;
pub mod wish;
