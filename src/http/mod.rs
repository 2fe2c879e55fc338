//! The HTTP face: everything can be read, nothing can be changed. The spec file is the only way in.
//!
//! ```text
//! engine ──► Board (objects, plans, journals, metrics) ──► answers ──► guard ──► server (limits, time-outs, shutdown)
//! ```

mod answers;
mod board;
mod failure;
mod guard;
mod metrics;
mod objects;
mod openapi;
mod page;
mod server;
mod watch;

pub use answers::Endpoint;
pub use board::{Board, Posted};
pub use failure::{Failure, FailureBody, FailureReason};
pub use metrics::Metrics;
pub use objects::{
    EventList, EventListMeta, ListKind, ListMeta, MigrationList, MigrationObject, ObjectMeta, WatchEvent, WatchEventType,
};
pub use openapi::document;
pub use server::{Limits, serve};
