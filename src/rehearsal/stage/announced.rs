//! S9: a call that changes something is announced in the journal before it is made.
//!
//! Counted and not timed: entries bear the time of a controller whose clock may be off, calls that of the world.

use std::sync::{Arc, Mutex, PoisonError};

use crate::controllers::binlog::BinlogAction;
use crate::controllers::dns::DnsAction;
use crate::controllers::redirect::RedirectAction;
use crate::controllers::replication::ReplicationAction;
use crate::journal::{Entry, Event, EventKind, JournalPlace};
use crate::migration::plan::Action;
use crate::sim::faults::LoggedCall;

/// How many mutating calls had reached their services each time that an intent, its outcome or a new controller was written
/// down.
#[derive(Debug, Clone, Default)]
pub(super) struct Announced(Arc<Mutex<Vec<usize>>>);

impl Announced {
    /// The journal has come by `place`, after `calls` calls.
    pub fn pass(&self, place: JournalPlace, calls: impl FnOnce() -> usize) {
        if let JournalPlace::After(EventKind::Intent | EventKind::Outcome | EventKind::Started) = place {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(calls());
        }
    }

    /// Those of `calls` for which no intent was open when they came.
    pub fn missing<'a>(&self, history: &[Entry], calls: &'a [LoggedCall]) -> Vec<&'a LoggedCall> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let announcements = history.iter().filter_map(announcement).zip(counts.iter().copied());
        let mut from = 0;
        let mut may_come = None;
        let mut missing = Vec::new();
        for (announced, count) in announcements {
            missing.extend(calls.iter().take(count).skip(from).filter(|(_, _, operation)| may_come != Some(operation.as_str())));
            (from, may_come) = (count, announced);
        }
        missing.extend(calls.iter().skip(from).filter(|(_, _, operation)| may_come != Some(operation.as_str())));
        missing
    }
}

/// The call that may come from this entry on, if it says anything about that: an intent lasts until its outcome, or until the
/// controller is dead and another one starts.
fn announcement(entry: &Entry) -> Option<Option<&'static str>> {
    match &entry.event {
        Event::Intent(action) => Some(operation(action)),
        Event::Outcome { .. } | Event::Started { .. } => Some(None),
        Event::SpecAccepted { .. } | Event::SpecRefused { .. } | Event::Fact(_) | Event::StatusChanged { .. } => None,
    }
}

/// The call to AWS that an action is, if it is one.
const fn operation(action: &Action) -> Option<&'static str> {
    match action {
        Action::Replication(action) => Some(match action {
            ReplicationAction::TestConnection { .. } => "TestConnection",
            ReplicationAction::CreateTask { .. } => "CreateReplicationTask",
            ReplicationAction::StartTask { .. } => "StartReplicationTask",
            ReplicationAction::StopTask { .. } => "StopReplicationTask",
            ReplicationAction::DeleteTask { .. } => "DeleteReplicationTask",
            ReplicationAction::ReloadTables { .. } => "ReloadTables",
        }),
        Action::Binlog(action) => match action {
            BinlogAction::CreateGroup => Some("CreateDBClusterParameterGroup"),
            BinlogAction::SetParameters { .. } => Some("ModifyDBClusterParameterGroup"),
            BinlogAction::AttachGroup => Some("ModifyDBCluster"),
            BinlogAction::RebootWriter { .. } => Some("RebootDBInstance"),
            BinlogAction::SetRetention { .. } => None,
        },
        Action::Dns(DnsAction::Change { .. }) => Some("ChangeResourceRecordSets"),
        Action::Redirect(RedirectAction::CreateListener) => Some("CreateListener"),
        Action::Redirect(RedirectAction::ModifyListener { .. }) => Some("ModifyListener"),
        Action::Record(_) | Action::Fence(_) | Action::WriteMarker { .. } | Action::RaiseIds { .. } => None,
        Action::ExportRows { .. } | Action::CompareTables | Action::Hook(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::journal::{EntryId, Journal, Outcome};
    use crate::names::{Direction, MigrationName};
    use crate::sim::faults::Service;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    /// A journal that is watched, and the calls that came.
    struct Watched {
        journal: Journal,
        announced: Announced,
        calls: Arc<Mutex<Vec<LoggedCall>>>,
    }

    impl Watched {
        fn new() -> Self {
            let journal = Journal::in_memory(&MigrationName("payments".to_owned())).expect("a journal");
            let (announced, calls) = (Announced::default(), Arc::<Mutex<Vec<LoggedCall>>>::default());
            let (watch, come) = (announced.clone(), calls.clone());
            journal.set_crash_hook(Box::new(move |place| watch.pass(place, || come.lock().expect("calls").len())));
            journal.next_epoch(AT).expect("an epoch");
            Self { journal, announced, calls }
        }

        fn intend_to_create(&self) -> EntryId {
            let action = Action::Replication(ReplicationAction::CreateTask { direction: Direction::Forward });
            self.journal.intend(AT, 1, &action).expect("an intent")
        }

        fn conclude(&self, intent: EntryId) {
            self.journal.conclude(AT, intent, Outcome::Done(String::new())).expect("an outcome");
        }

        fn call(&self, operation: &str) {
            self.calls.lock().expect("calls").push((AT, Service::Dms, operation.to_owned()));
        }

        fn missing(&self) -> Vec<String> {
            let history = self.journal.history(0, 100).expect("a history");
            let calls = self.calls.lock().expect("calls");
            self.announced.missing(&history, &calls).into_iter().map(|(_, _, operation)| operation.clone()).collect()
        }
    }

    #[test]
    fn a_call_after_its_intent_is_announced_and_so_is_its_repetition() {
        let watched = Watched::new();
        let intent = watched.intend_to_create();
        watched.call("CreateReplicationTask");
        watched.call("CreateReplicationTask");
        watched.conclude(intent);
        watched.intend_to_create();
        watched.call("CreateReplicationTask");
        assert_eq!(watched.missing(), [""; 0], "a death before the outcome is no matter");
    }

    #[test]
    fn a_call_before_its_intent_is_missing() {
        let watched = Watched::new();
        watched.call("CreateReplicationTask");
        let intent = watched.intend_to_create();
        watched.conclude(intent);
        assert_eq!(watched.missing(), ["CreateReplicationTask"]);
    }

    #[test]
    fn a_call_of_another_kind_or_after_the_outcome_or_of_a_successor_is_missing() {
        let watched = Watched::new();
        let intent = watched.intend_to_create();
        watched.call("DeleteReplicationTask");
        watched.conclude(intent);
        watched.call("CreateReplicationTask");
        watched.intend_to_create();
        watched.journal.next_epoch(AT).expect("an epoch");
        watched.call("CreateReplicationTask");
        assert_eq!(watched.missing(), ["DeleteReplicationTask", "CreateReplicationTask", "CreateReplicationTask"]);
    }

    #[test]
    fn a_call_without_any_entry_is_missing() {
        let watched = Watched::new();
        watched.call("StopReplicationTask");
        assert_eq!(watched.missing(), ["StopReplicationTask"]);
    }
}
