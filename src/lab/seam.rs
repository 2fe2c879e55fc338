//! A lab's database, as the controller reaches it: the real seam, whose caller may be killed on either side of every verb, and
//! with a witness of what both sides hold when a way back ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::witness::Witness;
use crate::database::{Answer, Database, DatabaseView, Epoch, IdFloor, IdSpace, Inspection, MigrationsTable, Structure};
use crate::names::{Account, MarkerId, Side};
use crate::sim::crash::{CrashSwitch, Place};

/// A real database behind a switch.
#[derive(Debug)]
pub struct LabDatabase {
    inner: Arc<dyn Database>,
    crash: CrashSwitch,
    witness: Arc<Witness>,
}

impl LabDatabase {
    /// `inner`, whose caller `crash` may kill, and whose openings `witness` sees.
    pub const fn new(inner: Arc<dyn Database>, crash: CrashSwitch, witness: Arc<Witness>) -> Self {
        Self { inner, crash, witness }
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

    fn structure(&self) -> Answer<'_, Structure> {
        self.verb(self.inner.structure())
    }

    fn migrations<'a>(&'a self, table: &'a MigrationsTable) -> Answer<'a, BTreeSet<String>> {
        self.verb(self.inner.migrations(table))
    }

    fn number<'a>(&'a self, query: &'a str) -> Answer<'a, i64> {
        self.verb(self.inner.number(query))
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
        self.verb(Box::pin(async move {
            self.witness.look_before_opening(self.side()).await;
            self.inner.open_fence(epoch, accounts).await
        }))
    }

    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()> {
        self.verb(self.inner.write_marker(epoch, marker))
    }

    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()> {
        self.verb(self.inner.set_binlog_retention(epoch, hours))
    }
}
