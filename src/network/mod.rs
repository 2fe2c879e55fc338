//! What a check meets on a real machine: pages over real sockets, DNS servers, caches, and secrets in the process's environment
//! and files.
//!
//! Everything here is one question and one answer, bounded in bytes and in time. What an answer means is the checks' business.

pub mod cache;
mod connect;
mod deadline;
pub mod dns;
pub mod http;
mod obstacle;
pub mod secrets;
mod tls;

use crate::checks::messenger::{Message, Messenger};
use crate::checks::network::{CacheAnswer, CacheBatch, DnsAnswer, HttpAnswer, HttpRequest, Network, Question, Reply};
use crate::clock::Clock;

/// The operating system's network.
#[derive(Debug, Clone)]
pub struct OperatingSystem {
    clock: Clock,
}

impl OperatingSystem {
    /// The network, whose time is `clock`.
    pub fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone() }
    }
}

impl Network for OperatingSystem {
    fn exchange<'a>(&'a self, request: &'a HttpRequest) -> Reply<'a, HttpAnswer> {
        Box::pin(http::exchange(&self.clock, request))
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Reply<'a, DnsAnswer> {
        Box::pin(dns::ask(question))
    }

    fn command<'a>(&'a self, batch: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>> {
        Box::pin(cache::command(&self.clock, batch))
    }
}

impl Messenger for OperatingSystem {
    fn post<'a>(&'a self, message: &'a Message) -> Reply<'a, u16> {
        Box::pin(http::post(&self.clock, message))
    }
}
