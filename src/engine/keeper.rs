//! One migration kept: pass after pass, until it is told to stop. One never waits for another.

use std::sync::Arc;

use tokio::sync::watch;

use super::reconcile::{Reconciler, Wish};
use super::surroundings::Equipment;
use crate::http::Board;

/// Keeps one migration. Returns after the pass in which `stop` came: a step that was begun is finished.
pub async fn keep(
    mut reconciler: Reconciler,
    equipment: Equipment,
    mut wishes: watch::Receiver<Wish>,
    board: Arc<Board>,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        let wish = wishes.borrow_and_update().clone();
        equipment.set_mood(&wish.migration);
        let began = reconciler.clock.now();
        let report = reconciler.pass(&wish).await;
        let took = crate::clock::elapsed(began, reconciler.clock.now());
        board.metrics().pass_ended(wish.migration.name(), took, Some(reconciler.clock.now()));
        for deed in &report.deeds {
            match &deed.result {
                Ok(()) => {
                    tracing::info!(migration = %wish.migration.name(), attempt = wish.migration.spec.attempt, generation = wish.generation, "{}", deed.action)
                }
                Err(fault) => {
                    tracing::warn!(migration = %wish.migration.name(), attempt = wish.migration.spec.attempt, generation = wish.generation, %fault, "{}", deed.action)
                }
            }
        }
        board.publish(&wish.migration, wish.generation, report.status, report.plan);
        let clock = reconciler.clock.clone();
        tokio::select! {
            () = clock.sleep(report.pause) => {}
            changed = wishes.changed() => if changed.is_err() { return },
            _ = stop.changed() => {}
        }
    }
}
