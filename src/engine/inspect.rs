//! What changes only by somebody's hand in a database is read now and then, and anew when a gate waits for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::observe::{Eyes, within};
use crate::clock::{Clock, elapsed};
use crate::database::{Database, IdSpace, Inspection};
use crate::migration::facts::Facts;
use crate::migration::ladder::Rung;
use crate::migration::observation::BothSides;
use crate::names::Side;
use crate::sighting::Sighting;
use crate::spec::{Migration, Phase};

/// The longest that an inspection may take: it asks for the grants of everybody, one statement each.
const INSPECTION: Duration = Duration::from_secs(15);

/// The longest that a look waits for the numbers of rows: as long as for the rest of the database.
const NUMBERS: Duration = Duration::from_secs(5);

/// The newest answers of both databases. Losing them loses nothing: they are asked for again.
#[derive(Debug, Default)]
pub struct Inspections {
    shelf: Mutex<BTreeMap<Side, Answered>>,
}

/// One side's answers, and when they were asked for.
#[derive(Debug, Clone)]
struct Answered {
    at: Timestamp,
    inspection: Inspection,
    id_space: IdSpace,
}

/// How old an inspection may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// A gate waits for it.
    Fresh,
    /// It is merely watched.
    UpTo(Duration),
    /// Nothing depends on it, and every second counts.
    Whatever,
}

fn age(migration: &Migration, facts: &Facts, glance: Duration) -> Age {
    let wished = migration.spec.phase;
    match facts.rung {
        Rung::Preflight if !facts.reached.contains_key(&wished) => Age::Fresh,
        Rung::RollbackArmed if matches!(wished, Phase::CutOver | Phase::Completed) => Age::Fresh,
        Rung::Flip | Rung::Observing if wished == Phase::RolledBack => Age::Fresh,
        Rung::ForcedStop => Age::Fresh,
        Rung::Open | Rung::Flip => Age::Whatever,
        _ if facts.writes_are_paused() => Age::Whatever,
        _ => Age::UpTo(glance),
    }
}

/// The numbers are final once both sides are closed, and the side that opens must be seen above the other in a look made since.
/// A look on one rung may serve the decision on the next.
const fn numbers_matter_now(rung: Rung) -> bool {
    matches!(rung, Rung::Drain | Rung::Arm | Rung::RollbackFence | Rung::RollbackFlip | Rung::ForcedFence | Rung::ForcedExport)
}

/// Inspects both sides, as far as their last answers are too old.
pub async fn inspect(eyes: Eyes<'_>, migration: &Migration, facts: &Facts) -> (BothSides<Inspection>, BothSides<IdSpace>) {
    let age = age(migration, facts, eyes.glance);
    let (legacy, target) = tokio::join!(
        one_side(eyes, &*eyes.equipment.legacy, age, facts.rung),
        one_side(eyes, &*eyes.equipment.target, age, facts.rung)
    );
    (BothSides { legacy: legacy.0, target: target.0 }, BothSides { legacy: legacy.1, target: target.1 })
}

async fn one_side(eyes: Eyes<'_>, database: &dyn Database, age: Age, rung: Rung) -> (Sighting<Inspection>, Sighting<IdSpace>) {
    let known = eyes.inspections.newest(database.side());
    let young = |known: &Answered| match age {
        Age::Fresh => false,
        Age::UpTo(most) => elapsed(known.at, eyes.clock.now()) <= most,
        Age::Whatever => true,
    };
    let (inspection, id_space) = match (known.filter(young), age) {
        (Some(known), _) => (Sighting::Present(known.inspection), Sighting::Present(known.id_space)),
        (None, Age::Whatever) => (Sighting::unknown("not asked while writes are paused"), Sighting::unknown("not asked yet")),
        (None, Age::Fresh | Age::UpTo(_)) => eyes.inspections.ask(eyes.clock, database).await,
    };
    if numbers_matter_now(rung) { (inspection, numbers(eyes.clock, database).await) } else { (inspection, id_space) }
}

async fn numbers(clock: &Clock, database: &dyn Database) -> Sighting<IdSpace> {
    let read = async { database.id_space().await.map_or_else(Sighting::unknown, Sighting::Present) };
    within(clock, NUMBERS, read, Sighting::unknown).await
}

impl Inspections {
    fn newest(&self, side: Side) -> Option<Answered> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).get(&side).cloned()
    }

    /// Only whole answers are kept: what failed is asked again by the next look.
    async fn ask(&self, clock: &Clock, database: &dyn Database) -> (Sighting<Inspection>, Sighting<IdSpace>) {
        let at = clock.now();
        let inspect = async { database.inspect().await.map_or_else(Sighting::unknown, Sighting::Present) };
        let inspection = within(clock, INSPECTION, inspect, Sighting::unknown).await;
        let id_space = numbers(clock, database).await;
        if let (Sighting::Present(inspection), Sighting::Present(id_space)) = (&inspection, &id_space) {
            let answered = Answered { at, inspection: inspection.clone(), id_space: id_space.clone() };
            self.shelf.lock().unwrap_or_else(PoisonError::into_inner).insert(database.side(), answered);
        }
        (inspection, id_space)
    }
}
