//! Heartbeats: the one write that a look makes, and what earlier looks know of those under way.

use std::sync::{Mutex, PoisonError};

use super::observe::Eyes;
use crate::database::DatabaseView;
use crate::migration::crossing::{Crossing, Glimpse};
use crate::migration::facts::Facts;
use crate::migration::gates::max_lag;
use crate::migration::moves::flow;
use crate::names::{Direction, Side};
use crate::sighting::Sighting;
use crate::spec::Migration;

/// Whether a look has sent a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// None is due.
    NotDue,
    /// It is written on the side that rows leave.
    Sent,
    /// It was due, and could not be written. That shows as lag, which is what it is.
    Missed,
}

/// What the looks of this process know of the stream that flows now.
#[derive(Debug, Default)]
pub struct Beats {
    known: Mutex<Option<(Direction, Crossing)>>,
}

/// The side whose heartbeat is worth sending: the one that rows leave, as long as nobody waits for its binary log to rest.
fn beating_side(migration: &Migration, facts: &Facts) -> Option<Side> {
    let may_write = !migration.spec.paused && !facts.writes_are_paused();
    flow(facts.rung).map(Direction::source).filter(|_| may_write)
}

/// Sends a heartbeat, where one is due. Who has no epoch of its own only observes.
pub async fn beat(eyes: Eyes<'_>, migration: &Migration, facts: &Facts) -> Beat {
    let Some(side) = beating_side(migration, facts).filter(|_| eyes.epoch.is_taken()) else { return Beat::NotDue };
    match eyes.equipment.database(side).beat(eyes.epoch).await {
        Ok(()) => Beat::Sent,
        Err(fault) => {
            tracing::debug!(%fault, "no heartbeat");
            Beat::Missed
        }
    }
}

impl Beats {
    /// Takes in what a look that sent `beat` has seen of both sides, and says what is known of the stream that flows.
    pub fn note(
        &self,
        (migration, facts): (&Migration, &Facts),
        beat: Beat,
        (legacy, target): (&Sighting<DatabaseView>, &Sighting<DatabaseView>),
    ) -> Crossing {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(direction) = flow(facts.rung) else {
            *known = None;
            return Crossing::default();
        };
        let before = known.take().filter(|(of, _)| *of == direction);
        let mut crossing = before.map(|(_, crossing)| crossing).unwrap_or_default();
        let (source, sink) = match direction.source() {
            Side::Legacy => (legacy, target),
            Side::Target => (target, legacy),
        };
        if let (Some(source), Some(sink)) = (source.present(), sink.present()) {
            let newest = |view: &DatabaseView| view.heartbeats.get(&direction.source()).copied();
            let sent = match beat {
                Beat::NotDue => None,
                Beat::Sent => newest(source),
                Beat::Missed => Some(source.at),
            };
            let glimpse = Glimpse { now: source.at, sent, written: newest(source), arrived: newest(sink) };
            crossing.note(glimpse, max_lag(migration, direction));
        }
        *known = Some((direction, crossing.clone()));
        crossing
    }
}
