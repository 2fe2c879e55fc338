//! A database that this build cannot speak to: every verb says so, every gate that needs it stays closed.
//!
//! It stands in the seam until real connections exist, so that the controller can be pointed at a real account and observe
//! it: AWS is read and reported, and nothing is ever fenced, opened or promoted on a guess.

use std::future::ready;

use super::{Answer, Database, DatabaseView, DigestScope, Epoch, TableDigest};
use crate::fault::{Fault, Problem};
use crate::names::{Account, MarkerId, Side};

/// One side's database, out of reach.
#[derive(Debug, Clone)]
pub struct Unconnected {
    side: Side,
    host: String,
}

impl Unconnected {
    /// The database at `host`.
    pub fn new(side: Side, host: impl Into<String>) -> Self {
        Self { side, host: host.into() }
    }

    fn refuse<T: Send + 'static>(&self, verb: &str) -> Answer<'_, T> {
        let problem = Problem::Denied {
            code: "NoDatabaseDriver".into(),
            message: "this version of bascule does not connect to MySQL yet; rehearse it, or run it with --sandbox".into(),
        };
        Box::pin(ready(Err(Fault { attempted: format!("{verb} on the {} database {}", self.side, self.host), problem })))
    }
}

impl Database for Unconnected {
    fn side(&self) -> Side {
        self.side
    }

    fn look(&self) -> Answer<'_, DatabaseView> {
        self.refuse("look")
    }

    fn beat(&self, _: Epoch) -> Answer<'_, ()> {
        self.refuse("heartbeat")
    }

    fn close_fence<'a>(&'a self, _: Epoch, _: &'a [Account]) -> Answer<'a, ()> {
        self.refuse("close the fence")
    }

    fn open_fence<'a>(&'a self, _: Epoch, _: &'a [Account]) -> Answer<'a, ()> {
        self.refuse("open the fence")
    }

    fn write_marker<'a>(&'a self, _: Epoch, _: &'a MarkerId) -> Answer<'a, ()> {
        self.refuse("write a marker")
    }

    fn set_binlog_retention(&self, _: Epoch, _: u32) -> Answer<'_, ()> {
        self.refuse("set the binary log retention")
    }

    fn digest_tables<'a>(&'a self, _: DigestScope<'a>) -> Answer<'a, Vec<TableDigest>> {
        self.refuse("digest the tables")
    }
}
