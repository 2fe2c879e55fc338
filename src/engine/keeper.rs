//! One migration kept: pass after pass, until it is told to stop. One never waits for another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::cadence::Cadence;
use super::reconcile::{Deed, Reconciler, Report, Wish};
use super::surroundings::{Equipment, Surroundings};
use crate::clock::{Clock, after, elapsed};
use crate::http::Board;
use crate::journal::Journal;
use crate::spec::Migration;
use crate::spec::change::identity_digest;

/// A controller that died in a pause of writes may have lived on for one action after its last entry.
const AFTER_THE_LAST_ENTRY: Duration = Duration::from_secs(3);

/// The clock of a controller that goes on with `journal`. One that is behind the newest entry has been set back, and goes on
/// from there with what may have passed unseen, so that the budget of a pause is not stretched.
pub fn resumed(clock: Clock, journal: &Journal) -> Clock {
    match journal.newest() {
        Some(newest) if clock.now() < newest => clock.not_before(after(newest, AFTER_THE_LAST_ENTRY)),
        Some(_) | None => clock,
    }
}

/// Keeps one migration.
#[derive(Clone)]
pub struct Keeper {
    /// What is around all migrations.
    pub surroundings: Arc<Surroundings>,
    /// This migration's facts.
    pub journal: Arc<Journal>,
    /// Time, never before the journal's newest entry.
    pub clock: Clock,
    /// How often to look.
    pub cadence: Cadence,
    /// Where its status is published.
    pub board: Arc<Board>,
}

/// A controller, and which resources it was equipped for.
struct Controller {
    identity: String,
    equipment: Equipment,
    reconciler: Reconciler,
}

impl Keeper {
    /// Returns after the pass in which `stop` came: a step that was begun is finished.
    pub async fn keep(self, mut wishes: watch::Receiver<Wish>, mut stop: watch::Receiver<bool>) {
        let first = wishes.borrow().migration.clone();
        let mut controller = self.start(&first).await;
        while !*stop.borrow() {
            let wish = wishes.borrow_and_update().clone();
            if identity_digest(&wish.migration) != controller.identity {
                // The file is about other resources now, perhaps in another region, so other clients have to be used.
                controller = self.start(&wish.migration).await;
            }
            let report = self.pass(&mut controller, &wish).await;
            tokio::select! {
                () = self.clock.sleep(report.pause) => {}
                () = controller.reconciler.woken() => {}
                changed = wishes.changed() => if changed.is_err() { return },
                _ = stop.changed() => {}
            }
        }
    }

    async fn start(&self, migration: &Migration) -> Controller {
        let equipment = self.surroundings.equip(migration, &self.clock).await;
        let (journal, clock) = (self.journal.clone(), self.clock.clone());
        let reconciler = Reconciler::start(equipment.clone(), journal, clock, self.cadence);
        Controller { identity: identity_digest(migration), equipment, reconciler }
    }

    async fn pass(&self, controller: &mut Controller, wish: &Wish) -> Report {
        controller.equipment.set_mood(&wish.migration);
        let began = self.clock.now();
        let busy = self.clock.busy();
        let report = controller.reconciler.pass(wish).await;
        drop(busy);
        let ended = self.clock.now();
        let all_went_well = report.deeds.iter().all(|deed| deed.result.is_ok());
        self.board.metrics().pass_ended(wish.migration.name(), elapsed(began, ended), all_went_well.then_some(ended));
        for deed in &report.deeds {
            tell(wish, deed);
        }
        self.board.publish(&wish.migration, wish.generation, report.status.clone(), report.plan.clone());
        report
    }
}

fn tell(wish: &Wish, deed: &Deed) {
    let (migration, attempt, generation) = (wish.migration.name(), wish.migration.spec.attempt, wish.generation);
    match &deed.result {
        Ok(()) => tracing::info!(%migration, attempt, generation, "{}", deed.action),
        Err(fault) => tracing::warn!(%migration, attempt, generation, %fault, "{}", deed.action),
    }
}
