//! Gates that the journal answers about hooks: what was called, and what came of it.

use super::Scene;
use crate::controllers::hooks::{HookStanding, judge};
use crate::migration::plan::Standing;
use crate::spec::HookPoint;

/// Nothing waits for a hook of this point any more.
pub(super) fn settled(scene: &Scene<'_>, point: HookPoint) -> Standing {
    let (mut settled, mut awaited) = (Vec::new(), Vec::new());
    for hook in scene.migration.spec.hooks.iter().filter(|hook| hook.at == point) {
        match judge(hook, scene.facts.hooks.of(hook), scene.now) {
            HookStanding::Answered(why) | HookStanding::GivenUp(why) => settled.push(why),
            HookStanding::Awaited { why, .. } => awaited.push(why),
        }
    }
    match (settled.is_empty(), awaited.is_empty()) {
        (_, false) => Standing::Closed(awaited.join("; ")),
        (false, true) => Standing::Open(settled.join("; ")),
        (true, true) => Standing::Open("no hook is declared here".into()),
    }
}
