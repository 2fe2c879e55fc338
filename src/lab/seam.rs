//! A lab's database, as the controller reaches it: the real seam, whose caller may be killed on either side of every verb.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::clock::Clock;
use crate::database::{Answer, Database, DatabaseView, DigestScope, Epoch, IdFloor, IdSpace, Inspection, TableDigest};
use crate::names::{Account, MarkerId, Side};
use crate::sim::crash::{CrashSwitch, Place};

/// A row that changed this short a time before it is compared may still be on its way: movers need milliseconds.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// A real database behind a switch.
#[derive(Debug)]
pub struct LabDatabase {
    inner: Arc<dyn Database>,
    crash: CrashSwitch,
    /// Rows carry the servers' time, which the lab's own runs away from.
    server_time: Clock,
}

impl LabDatabase {
    /// `inner`, whose caller `crash` may kill.
    pub fn new(inner: Arc<dyn Database>, crash: CrashSwitch) -> Self {
        Self { inner, crash, server_time: Clock::system() }
    }

    fn verb<'a, T: Send + 'a>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        Box::pin(async move {
            self.crash.place(Place::BeforeVerb);
            let answered = answer.await;
            self.crash.place(Place::AfterVerb);
            answered
        })
    }
}

impl Database for LabDatabase {
    fn side(&self) -> Side {
        self.inner.side()
    }

    fn look(&self) -> Answer<'_, DatabaseView> {
        self.verb(self.inner.look())
    }

    fn inspect(&self) -> Answer<'_, Inspection> {
        self.verb(self.inner.inspect())
    }

    fn id_space(&self) -> Answer<'_, IdSpace> {
        self.verb(self.inner.id_space())
    }

    fn raise_ids<'a>(&'a self, epoch: Epoch, floors: &'a [IdFloor]) -> Answer<'a, ()> {
        self.verb(self.inner.raise_ids(epoch, floors))
    }

    fn beat(&self, epoch: Epoch) -> Answer<'_, ()> {
        self.verb(self.inner.beat(epoch))
    }

    fn close_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        self.verb(self.inner.close_fence(epoch, accounts))
    }

    fn open_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        self.verb(self.inner.open_fence(epoch, accounts))
    }

    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()> {
        self.verb(self.inner.write_marker(epoch, marker))
    }

    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()> {
        self.verb(self.inner.set_binlog_retention(epoch, hours))
    }

    fn digest_tables<'a>(&'a self, scope: DigestScope<'a>) -> Answer<'a, Vec<TableDigest>> {
        let now = self.server_time.now();
        let settled_before = now.checked_sub(SETTLED_AFTER).unwrap_or(now);
        self.verb(self.inner.digest_tables(DigestScope { settled_before, ..scope }))
    }
}
