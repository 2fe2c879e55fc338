//! Which gates let a move through, and by what they were open then: nothing is decided by it, and somebody will ask later.

use super::facts::Fact;
use super::gates::{self, Gate, Scene};
use super::ladder::Rung;

/// The gates behind `moves`, as one fact to be written right before them; none where they pass no gate of a phase or a switch.
/// Between the first fence and the opening of a side there is none: nothing more is written there than it takes.
pub fn gates_behind(scene: &Scene<'_>, moves: &[Fact]) -> Option<Fact> {
    let mut passed: Vec<Gate> = Vec::new();
    for gate in moves.iter().flat_map(|fact| guarding(scene.facts.rung, fact)) {
        if !passed.contains(gate) {
            passed.push(*gate);
        }
    }
    let judged: Vec<_> = passed.into_iter().map(|gate| (gate, gate.judge(scene))).collect();
    (!judged.is_empty()).then(|| Fact::GatesOpened { gates: gates::report(&judged) })
}

/// The gates that one move on rung `here` has passed.
const fn guarding(here: Rung, fact: &Fact) -> &'static [Gate] {
    match fact {
        Fact::Reached { .. } => gates::arrival(here),
        Fact::Entered { rung: Rung::Fence } => gates::CUTOVER,
        Fact::Entered { rung: Rung::Completed } => gates::COMPLETION,
        Fact::Entered { rung: Rung::RollbackFence } => gates::ROLLBACK,
        Fact::Entered { rung: Rung::ForcedStop } => gates::FORCED,
        // Every other rung is entered once the one below has been reached, or by a way out, which has no gates.
        _ => &[],
    }
}
