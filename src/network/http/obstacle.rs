//! What got in the way of an answer over HTTP, judged by the types of errors and never by their text.

use std::error::Error;
use std::io::{self, ErrorKind};

use crate::checks::outcome::Code;
use crate::network::obstacle::{Obstacle, tls_error};
use crate::network::tls;

impl Obstacle {
    /// An answer that is larger than anybody should read.
    pub fn too_large(what: &str) -> Self {
        Self::new(Code::AnswerTooLarge, format!("{what}; no more of it was read"))
    }

    /// What hyper met before the head of an answer was there.
    pub fn in_head(error: &hyper::Error) -> Self {
        let cause = innermost(error);
        if let Some(broken) = io_error(error) {
            Self::in_stream(broken, "before the head of an answer had come")
        } else if cause.is_parse_too_large() {
            Self::too_large("the head of the answer does not end")
        } else if cause.is_incomplete_message() || cause.is_canceled() || cause.is_closed() {
            Self::lost("before the head of an answer had come", "it was closed")
        } else {
            Self::not_http(&cause.to_string())
        }
    }

    /// What hyper met after the head of an answer was there.
    pub fn in_body(error: &hyper::Error) -> Self {
        let within = "in the middle of the answer's body";
        match io_error(error) {
            Some(broken) => Self::in_stream(broken, within),
            None => Self::lost(within, &innermost(error).to_string()),
        }
    }

    /// What a connection that stood met while it was written to or read from.
    fn in_stream(error: &io::Error, when: &str) -> Self {
        if let Some(refusal) = tls_error(error) {
            return tls::refused(refusal);
        }
        match error.kind() {
            // hyper's words for chunks that are none, and for trailers without an end.
            ErrorKind::InvalidData | ErrorKind::InvalidInput => Self::not_http(&error.to_string()),
            ErrorKind::UnexpectedEof => Self::lost(when, "what was announced did not all come"),
            _ => Self::lost(when, &error.to_string()),
        }
    }

    fn lost(when: &str, why: &str) -> Self {
        Self::new(Code::ConnectionLost, format!("the connection broke off {when} ({why})"))
    }

    fn not_http(why: &str) -> Self {
        let detail = format!("what came is not HTTP/1 ({why}); check the port, and whether TLS is spoken there");
        Self::new(Code::NotHttp, detail)
    }
}

/// The error and its causes, one below the other.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn io_error(error: &hyper::Error) -> Option<&io::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// The lowest of hyper's own errors: one that is cancelled carries the one that cancelled it.
fn innermost(error: &hyper::Error) -> &hyper::Error {
    causes(error).filter_map(|cause| cause.downcast_ref()).last().unwrap_or(error)
}
