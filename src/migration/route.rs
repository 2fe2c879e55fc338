//! The rungs ahead: which way a migration takes from where it stands, if every gate opens. What [`moves`](super::moves) does one
//! look at a time, said in advance.

use super::gates::{self, Gate};
use super::ladder::Rung;
use crate::spec::Phase;

/// What decides the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// How far.
    pub phase: Phase,
    /// Nothing is to be changed.
    pub is_paused: bool,
    /// A rollback would lose writes, and somebody accepts that by name.
    pub is_forced: bool,
}

/// The rungs that are entered from `here` on, in their order; `is_past_no_return` only matters on [`Rung::Arm`].
pub fn ahead(here: Rung, is_past_no_return: bool, wish: Wish) -> Vec<Rung> {
    let mut way = Vec::new();
    let mut at = here;
    // The ladder has no circle; its length is all that a way can have.
    while let Some(next) = next(at, is_past_no_return || at != here, wish).filter(|_| way.len() < Rung::ALL.len()) {
        way.push(next);
        at = next;
    }
    way
}

/// The rung after `here`. `goes_on` says that the point of no return on [`Rung::Arm`] is, or will be, passed.
fn next(here: Rung, goes_on: bool, wish: Wish) -> Option<Rung> {
    let switches = matches!(wish.phase, Phase::CutOver | Phase::Completed) && !wish.is_paused;
    let goes_back = wish.phase == Phase::RolledBack;
    let climbs = |phase: Phase| !goes_back && !wish.is_paused && wish.phase >= phase;
    match here {
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated => {
            here.above().filter(|above| above.reaches().is_some_and(climbs))
        }
        Rung::RollbackArmed => here.above().filter(|_| switches),
        Rung::Arm if goes_on => here.above(),
        Rung::Fence | Rung::Drain | Rung::Arm => {
            if switches {
                here.above()
            } else {
                Some(Rung::Aborted)
            }
        }
        Rung::Open | Rung::Flip | Rung::Observing if wish.is_paused => None,
        Rung::Open => here.above(),
        Rung::Flip | Rung::Observing if goes_back => Some(if wish.is_forced { Rung::ForcedStop } else { Rung::RollbackFence }),
        Rung::Flip => here.above(),
        Rung::Observing => here.above().filter(|_| wish.phase == Phase::Completed),
        Rung::RollbackFence | Rung::RollbackFlip | Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport if !goes_back => {
            Some(Rung::Observing)
        }
        Rung::ForcedStop => here.above().filter(|_| !wish.is_paused),
        Rung::RollbackFence | Rung::RollbackFlip | Rung::ForcedFence | Rung::ForcedExport => here.above(),
        Rung::Completed | Rung::Aborted | Rung::RollbackOpen => None,
    }
}

/// What must hold, beside the arrival on the rung before, before `rung` is entered.
pub const fn entry(rung: Rung) -> &'static [Gate] {
    match rung {
        Rung::Fence => gates::CUTOVER,
        Rung::Completed => gates::COMPLETION,
        Rung::RollbackFence => gates::ROLLBACK,
        Rung::ForcedStop => gates::FORCED,
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => &[],
        Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip | Rung::Observing | Rung::Aborted => &[],
        Rung::RollbackFlip | Rung::ForcedFence | Rung::ForcedExport | Rung::RollbackOpen => &[],
    }
}

/// What cannot be taken back once `rung` is entered, or left, by the way that leads on from it.
pub const fn irreversible(rung: Rung) -> Option<&'static str> {
    match rung {
        Rung::Fence => Some(
            "the first fence: nobody writes from here on, the attempt is spent whatever comes of it, and the resources that the \
             spec names are frozen for good",
        ),
        Rung::Arm => Some("the point of no return is journalled here: from then on the only way back is a rollback"),
        Rung::Completed => Some("the way back is given up: both tasks are deleted, and no rollback is possible any more"),
        Rung::RollbackFence => Some("the target is fenced: this attempt is over once legacy opens"),
        Rung::ForcedStop => Some("reverse replication is given up for good: what legacy lacks is only in the export"),
        Rung::RollbackOpen => Some("legacy opens: this attempt is spent, and only another one switches again"),
        Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => None,
        Rung::Drain | Rung::Open | Rung::Flip | Rung::Observing | Rung::Aborted => None,
        Rung::RollbackFlip | Rung::ForcedFence | Rung::ForcedExport => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::wish;

    fn way(here: Rung, phase: Phase) -> Vec<Rung> {
        ahead(here, false, Wish { phase, is_paused: false, is_forced: false })
    }

    #[test]
    fn a_later_phase_walks_through_those_between_and_an_earlier_one_aborts_before_the_point_of_no_return() {
        use Rung::*;
        let table: [(Rung, Phase, &[Rung]); 14] = [
            (Preflight, Phase::Preflight, &[]),
            (Preflight, Phase::Replicating, &[Prepared, Replicating]),
            (Validated, Phase::Prepared, &[]),
            (RollbackArmed, Phase::CutOver, &[Fence, Drain, Arm, Open, Flip, Observing]),
            (RollbackArmed, Phase::Completed, &[Fence, Drain, Arm, Open, Flip, Observing, Completed]),
            (Drain, Phase::RollbackArmed, &[Aborted]),
            (Arm, Phase::RolledBack, &[Aborted]),
            (Observing, Phase::CutOver, &[]),
            (Observing, Phase::Completed, &[Completed]),
            (Observing, Phase::RolledBack, &[RollbackFence, RollbackFlip, RollbackOpen]),
            (Open, Phase::RolledBack, &[Flip, RollbackFence, RollbackFlip, RollbackOpen]),
            (RollbackFlip, Phase::CutOver, &[Observing]),
            (ForcedExport, Phase::RolledBack, &[RollbackOpen]),
            (Aborted, Phase::CutOver, &[]),
        ];
        for (here, phase, expected) in table {
            assert_eq!(way(here, phase), expected, "from {here} for {phase}");
        }
    }

    #[test]
    fn past_the_point_of_no_return_arm_goes_on_whatever_is_asked_for() {
        let wish = Wish { phase: Phase::RollbackArmed, is_paused: false, is_forced: false };
        assert_eq!(ahead(Rung::Arm, true, wish)[..2], [Rung::Open, Rung::Flip]);
        assert_eq!(ahead(Rung::Arm, false, wish), [Rung::Aborted]);
    }

    #[test]
    fn a_pause_holds_everything_but_what_would_leave_both_sides_closed() {
        let paused = Wish { phase: Phase::Completed, is_paused: true, is_forced: false };
        assert_eq!(ahead(Rung::Preflight, false, paused), []);
        assert_eq!(ahead(Rung::RollbackArmed, false, paused), []);
        assert_eq!(ahead(Rung::Fence, false, paused), [Rung::Aborted]);
        assert_eq!(ahead(Rung::Arm, true, paused), [Rung::Open]);
        assert_eq!(ahead(Rung::Observing, true, paused), []);
    }

    #[test]
    fn a_forced_rollback_takes_its_own_way() {
        let forced = Wish { phase: Phase::RolledBack, is_paused: false, is_forced: true };
        let way = [Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport, Rung::RollbackOpen];
        assert_eq!(ahead(Rung::Observing, true, forced), way);
    }

    /// Whatever is asked for, wherever it stands: it is refused in words, or the way ends where the wish is served.
    #[test]
    fn every_wish_is_refused_or_leads_somewhere() {
        for here in Rung::ALL {
            let is_past = matches!(
                here,
                Rung::Open | Rung::Flip | Rung::Observing | Rung::Completed | Rung::RollbackFence | Rung::RollbackFlip
            ) || matches!(here, Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport);
            for phase in Phase::ALL {
                let refused = wish::against_phase(phase, here, is_past, || Some("spent".into()));
                let end = *way(here, phase).last().unwrap_or(&here);
                let served = match phase {
                    Phase::RolledBack => matches!(end, Rung::RollbackOpen | Rung::Aborted),
                    Phase::CutOver => matches!(end, Rung::Observing | Rung::Completed),
                    Phase::Completed => end == Rung::Completed || way(end, phase).first() == Some(&Rung::Completed),
                    earlier => end.reaches() >= Some(earlier) || matches!(end, Rung::Aborted | Rung::RollbackOpen),
                };
                assert!(refused.is_some() || served, "{phase} at {here} ends at {end}");
            }
        }
    }
}
