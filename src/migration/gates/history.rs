//! Gates that only the journal answers: which attempt this is, and how long it has been watched.

use super::Scene;
use crate::clock::after;
use crate::migration::facts::Latch;
use crate::migration::ladder::Rung;
use crate::migration::plan::Standing;
use crate::migration::wish::spent;

pub(super) fn attempt_free(scene: &Scene<'_>) -> Standing {
    let attempt = scene.facts.attempt;
    match &scene.facts.latch {
        Latch::Free => Standing::Open(format!("attempt {attempt} has not been tried")),
        Latch::Aborted { why, .. } => Standing::Closed(spent(attempt, &format!("aborted ({why})"))),
        Latch::RolledBack { .. } => Standing::Closed(spent(attempt, "rolled back")),
    }
}

pub(super) fn window_passed(scene: &Scene<'_>) -> Standing {
    let Some(began) = scene.facts.entered.get(&Rung::Observing) else {
        return Standing::Closed("the observation window has not begun".into());
    };
    let ends = after(*began, scene.migration.spec.observation.window.duration());
    if scene.now >= ends {
        Standing::Open(format!("the observation window ended at {ends:.0}"))
    } else {
        Standing::Closed(format!("the observation window ends at {ends:.0}"))
    }
}
