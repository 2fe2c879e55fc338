//! What earlier looks know of heartbeats in the small world, in which nothing happens between two looks.

use bascule::migration::crossing::{Crossing, Glimpse};
use bascule::migration::facts::Facts;
use bascule::migration::moves::flow;
use bascule::names::Direction;
use jiff::{SignedDuration, Timestamp};

use super::world::World;

/// As much as either direction of the small world accepts.
const ACCEPTED: std::time::Duration = std::time::Duration::from_secs(10);

/// Heartbeats of a stream that runs and keeps up cross at once; those of one that ran are a minute late.
pub fn crossing(world: &World, facts: &Facts, now: Timestamp) -> Crossing {
    let mut crossing = Crossing::default();
    let has_run = |direction: &Direction| world.task(*direction).is_some_and(|task| task.started_before);
    let Some(direction) = flow(facts.rung).filter(has_run) else { return crossing };
    let is_well = world.runs(direction) && !world.lagging;
    let glimpse = if is_well {
        Glimpse { now, sent: Some(now), written: Some(now), arrived: Some(now) }
    } else {
        let sent = Some(now - SignedDuration::from_mins(1));
        Glimpse { now, sent, written: sent, arrived: None }
    };
    crossing.note(glimpse, ACCEPTED);
    crossing
}
