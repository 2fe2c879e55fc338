//! The HTTP face: everything can be read, nothing can be changed. The spec file is the only way in.
//!
//! ```text
//! engine ──► Board (objects, plans, journals, metrics) ──► answers ──► guard ──► server (limits, time-outs, shutdown)
//! ```

mod access;
mod answers;
mod board;
mod failure;
mod guard;
mod journey;
mod lag;
mod metrics;
mod objects;
mod openapi;
mod page;
mod peers;
mod server;
mod watch;

pub use access::{Access, Token, TokenError};
pub use answers::Endpoint;
pub use board::{Board, Posted};
pub use failure::{Failure, FailureBody, FailureReason};
pub use journey::{Expectation, Journey, Outlook, Step};
pub use lag::LagSample;
pub use metrics::Metrics;
pub use objects::{
    Bookmark, EventList, EventListMeta, ListKind, ListMeta, Look, MigrationList, MigrationObject, ObjectMeta, WatchEvent,
    WatchEventType,
};
pub use openapi::document;
pub use server::{Limits, serve};
