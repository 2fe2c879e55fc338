//! What cannot be asked for where a migration stands: one wording, for the pass that holds and for the plan that foresees it.

use super::ladder::Rung;
use crate::controllers::Block;
use crate::spec::Phase;

/// Why attempt `asked` cannot be made where attempt `under_way` stands at `rung`.
pub fn against_attempt(asked: u32, under_way: u32, rung: Rung, is_at_rest: impl FnOnce() -> bool) -> Option<Block> {
    if asked < under_way {
        return Some(Block::new(
            "AttemptLowered",
            format!("attempt {under_way} is under way, the spec says {asked}; an attempt is only ever raised"),
        ));
    }
    if asked > under_way && rung != Rung::Aborted && !is_at_rest() {
        return Some(Block::new(
            "AttemptUnderWay",
            format!("attempt {under_way} stands at {rung}; raise spec.attempt after an abort or a rollback, not before"),
        ));
    }
    None
}

/// Why `phase` cannot be asked for at `rung`. `spent` says so of an attempt that is over, and is `None` for a new one.
pub fn against_phase(phase: Phase, rung: Rung, is_past_no_return: bool, spent: impl FnOnce() -> Option<String>) -> Option<Block> {
    match (phase, rung) {
        (Phase::RolledBack, Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed) => {
            Some(Block::new(
                "NothingToRollBack",
                "the target has never taken a write in this attempt; ask for an earlier phase instead",
            ))
        }
        (Phase::RolledBack, Rung::Completed) => {
            Some(Block::new("RollbackGivenUp", "the migration is completed and its way back is retired"))
        }
        (Phase::CutOver | Phase::Completed, Rung::RollbackOpen | Rung::Aborted) => {
            spent().map(|why| Block::new("AttemptLatched", why))
        }
        (Phase::Preflight | Phase::Prepared | Phase::Replicating | Phase::Validated | Phase::RollbackArmed, _)
            if is_past_no_return && rung != Rung::RollbackOpen =>
        {
            Some(Block::new(
                "PastNoReturn",
                format!(
                    "the point of no return is passed; {phase} cannot be asked for any more, only CutOver, Completed or RolledBack"
                ),
            ))
        }
        _ => None,
    }
}

/// An attempt that is over, and `how` it ended.
pub fn spent(attempt: u32, how: &str) -> String {
    format!("attempt {attempt} was {how}; raise spec.attempt to try again")
}
