//! The two doors of the stand-in AWS, and the protocols spoken at both.
//!
//! The connector is inside the process and follows virtual time; the listener is a TCP socket for any AWS client. Both hand the
//! same requests to the same [`Cloud`]. Not modelled: signatures are read for the service's name only, never verified; no
//! HTTP/2, no compression, no regional endpoints.

pub mod close;
pub mod connector;
pub mod exchange;
pub mod listener;
pub mod open;
pub mod query;
#[cfg(test)]
pub(crate) mod stub;
#[cfg(test)]
mod tests;
pub mod xml;

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;

use super::faults::Faults;

/// A service's refusal, before it takes its protocol's shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code} ({status}): {message}")]
pub struct ServiceError {
    /// HTTP status.
    pub status: u16,
    /// The code on the wire: `InvalidResourceStateFault`, `DuplicateListener`, ...
    pub code: String,
    /// The service's message, for people.
    pub message: String,
    /// Further fields of the refusal (`resourceArn`).
    pub fields: Vec<(String, String)>,
}

impl ServiceError {
    /// A refusal with status 400, which is what nearly all of them have.
    pub fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    /// A refusal with another status: RDS answers 404 for what it does not find, ELBv2 does not.
    pub fn with_status(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }
}

/// Query parameters or form fields, by name; a name that is sent twice keeps its last value.
pub type Parameters = BTreeMap<String, String>;

/// A REST-XML request (Route 53), after its envelope is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path without the query: `/2013-04-01/hostedzone/Z1/rrset`.
    pub path: String,
    /// The query, percent-decoded.
    pub query: Parameters,
    /// The body, XML or empty.
    pub body: String,
}

/// A REST-XML answer: a whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestAnswer {
    /// HTTP status.
    pub status: u16,
    /// The XML document, without its declaration.
    pub body: String,
}

/// An answer in its protocol's shape, as it leaves by either door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: &'static str,
    /// `x-amzn-RequestId`
    pub request_id: String,
    /// The whole body.
    pub body: Bytes,
    /// How much of the body is really sent; `Content-Length` says the whole of it all the same.
    pub sent: usize,
}

impl WireAnswer {
    /// Nothing, successfully.
    pub const fn empty() -> Self {
        Self { status: 200, content_type: "text/plain", request_id: String::new(), body: Bytes::new(), sent: 0 }
    }
}

/// What the wire needs of a world. The world is locked for the time of one call only.
pub trait Cloud: Send + 'static {
    /// Lets everything happen that is due up to `to`.
    fn advance(&mut self, to: Timestamp);
    /// One DMS operation (`DescribeReplicationTasks`), JSON in and out.
    fn dms(&mut self, operation: &str, input: &serde_json::Value) -> Result<serde_json::Value, ServiceError>;
    /// One RDS action; the answer is the inner XML of its `Result` element.
    fn rds(&mut self, action: &str, parameters: &Parameters) -> Result<String, ServiceError>;
    /// One Route 53 request.
    fn route53(&mut self, request: &RestRequest) -> Result<RestAnswer, ServiceError>;
    /// One ELBv2 action; the answer is the inner XML of its `Result` element.
    fn elb(&mut self, action: &str, parameters: &Parameters) -> Result<String, ServiceError>;
    /// What interferes with calls.
    fn faults(&mut self) -> &mut Faults;
}
