//! The safety properties, each one small function of the world's truth. `Err` says what is wrong.

use crate::names::{Direction, Side};
use crate::sim::dms::Progress;
use crate::spec::HookPoint;

/// What happened to be true of the world at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Where acknowledged payments live.
    pub authoritative: Side,
    /// What stands at legacy.
    pub legacy: SideTruth,
    /// What stands at the target.
    pub target: SideTruth,
    /// How far the forward tasks have come.
    pub forward: Progress,
    /// How far the reverse tasks have come.
    pub reverse: Progress,
    /// Whether what legacy lacks is saved, where it may lack anything.
    pub rescue: Rescue,
}

/// Whether the rows that legacy lacks are saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rescue {
    /// Legacy may lack nothing: no person has said otherwise.
    NobodyAcceptsALoss,
    /// A person has, and legacy is closed, or is where the payments live.
    NotAsked,
    /// One export has every row that legacy lacks as the target has it, and no other row.
    Exact,
    /// None has.
    Amiss,
}

/// What stands at one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideTruth {
    /// Whether the application can commit.
    pub writes: WritesNow,
    /// The end of the application's logged commits.
    pub application_end: u64,
    /// Whether commits are logged, row by row.
    pub log: LogNow,
    /// Commits of the application that no log holds.
    pub unlogged_commits: u64,
}

/// Whether the application can commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WritesNow {
    /// An account is unlocked.
    Open,
    /// All are locked, and a transaction of theirs is still open.
    Ending,
    /// No commit can follow.
    Closed,
}

/// Whether commits are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogNow {
    /// `binlog_format=ROW`
    Rows,
    /// Off, or a format that DMS cannot read.
    Unusable,
}

type Verdict = Result<(), String>;

fn refuse_if(broken: bool, what: impl FnOnce() -> String) -> Verdict {
    if broken { Err(what()) } else { Ok(()) }
}

/// S1: once a fence has closed, the application never can write on both sides.
pub fn s1_one_writable_side(truth: &Truth) -> Verdict {
    let both = truth.legacy.writes == WritesNow::Open && truth.target.writes == WritesNow::Open;
    refuse_if(both, || "the application can write on both sides".to_owned())
}

/// S3 and S4: the target may open, and the public name may go there, only over a fenced and fully replicated legacy, with
/// the way back possible.
pub fn s3_target_may_take_over(truth: &Truth) -> Verdict {
    refuse_if(truth.legacy.writes != WritesNow::Closed, || "legacy is not fenced".to_owned())?;
    if truth.authoritative == Side::Target {
        return Ok(());
    }
    everything_applied(Direction::Forward, truth.forward, truth.legacy)?;
    refuse_if(truth.target.log != LogNow::Rows, || "the target writes no binary log that the way back could read".to_owned())
}

/// S5: reverse replication starts no later than the application's first commit on the target.
pub fn s5_reverse_starts_early_enough(reads_from: u64, first_commit: Option<u64>) -> Verdict {
    let late = first_commit.is_some_and(|first| reads_from > first);
    refuse_if(late, || format!("reverse replication starts at event {reads_from}, after the first commit"))
}

/// S7: legacy may open again only if the target never took a write, or is fenced and fully replicated back. Where a person has
/// accepted a loss, what is not replicated is saved instead, exactly.
pub fn s7_legacy_may_reopen(truth: &Truth) -> Verdict {
    if truth.authoritative == Side::Legacy {
        return Ok(());
    }
    refuse_if(truth.target.writes != WritesNow::Closed, || "the target has taken writes and is not fenced".to_owned())?;
    let replicated =
        refuse_if(truth.target.unlogged_commits > 0, || "the target took writes that no binary log holds".to_owned())
            .and_then(|()| everything_applied(Direction::Reverse, truth.reverse, truth.target));
    match truth.rescue {
        Rescue::Exact => Ok(()),
        Rescue::NobodyAcceptsALoss | Rescue::NotAsked => replicated,
        Rescue::Amiss => replicated.map_err(|what| format!("{what}, and no export has exactly the rows that legacy lacks")),
    }
}

/// A hook is called only where its point has come: whoever is told acts on it.
pub fn hook_says_what_is_so(point: HookPoint, truth: &Truth, pointing: Option<Side>) -> Verdict {
    let (legacy, target) = (truth.legacy.writes, truth.target.writes);
    let holds = match point {
        HookPoint::BeforeFence => legacy == WritesNow::Open,
        HookPoint::AfterFence => legacy == WritesNow::Closed && target == WritesNow::Closed,
        HookPoint::BeforeFlip => target == WritesNow::Open && legacy == WritesNow::Closed && pointing != Some(Side::Target),
        HookPoint::AfterFlip => target == WritesNow::Open && pointing == Some(Side::Target),
        HookPoint::AfterAbort => legacy == WritesNow::Open && target != WritesNow::Open,
        HookPoint::AfterRollback => legacy == WritesNow::Open && target != WritesNow::Open && pointing == Some(Side::Legacy),
    };
    refuse_if(!holds, || format!("{point} was said while legacy was {legacy:?}, the target {target:?}, the name at {pointing:?}"))
}

fn everything_applied(direction: Direction, progress: Progress, source: SideTruth) -> Verdict {
    let missing = source.application_end.saturating_sub(progress.applied_seq);
    refuse_if(missing > 0, || format!("{direction} replication has {missing} events to apply"))?;
    let unsettled = progress.unsettled_tables;
    refuse_if(unsettled > 0, || format!("{unsettled} tables of {direction} replication take no changes"))?;
    let skipped = progress.skipped_rows;
    refuse_if(skipped > 0, || format!("{direction} replication skipped {skipped} rows"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled() -> Truth {
        let side = SideTruth { writes: WritesNow::Closed, application_end: 5, log: LogNow::Rows, unlogged_commits: 0 };
        let applied = Progress { applied_seq: 5, unsettled_tables: 0, skipped_rows: 0 };
        let rescue = Rescue::NobodyAcceptsALoss;
        Truth { authoritative: Side::Legacy, legacy: side, target: side, forward: applied, reverse: applied, rescue }
    }

    #[test]
    fn a_fenced_and_drained_legacy_lets_the_target_take_over() {
        assert_eq!(s3_target_may_take_over(&settled()), Ok(()));
    }

    #[test]
    fn every_missing_premise_forbids_the_target() {
        let behind = Progress { applied_seq: 4, ..settled().forward };
        let suspended = Progress { unsettled_tables: 1, ..settled().forward };
        let skipping = Progress { skipped_rows: 1, ..settled().forward };
        let open = SideTruth { writes: WritesNow::Open, ..settled().legacy };
        let ending = SideTruth { writes: WritesNow::Ending, ..open };
        let mute = SideTruth { log: LogNow::Unusable, ..settled().target };
        for broken in [
            Truth { forward: behind, ..settled() },
            Truth { forward: suspended, ..settled() },
            Truth { forward: skipping, ..settled() },
            Truth { legacy: open, ..settled() },
            Truth { legacy: ending, ..settled() },
            Truth { target: mute, ..settled() },
        ] {
            assert!(s3_target_may_take_over(&broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn legacy_reopens_freely_until_the_target_has_taken_a_write() {
        let open = SideTruth { writes: WritesNow::Open, ..settled().target };
        assert_eq!(s7_legacy_may_reopen(&Truth { target: open, ..settled() }), Ok(()));
        let written = Truth { authoritative: Side::Target, target: open, ..settled() };
        assert!(s7_legacy_may_reopen(&written).is_err());
        let behind = Progress { applied_seq: 4, ..settled().reverse };
        assert!(s7_legacy_may_reopen(&Truth { authoritative: Side::Target, reverse: behind, ..settled() }).is_err());
        assert_eq!(s7_legacy_may_reopen(&Truth { authoritative: Side::Target, ..settled() }), Ok(()));
    }

    #[test]
    fn a_loss_that_a_person_accepted_is_one_only_where_every_row_is_saved_and_the_target_is_fenced() {
        let behind = Progress { applied_seq: 4, ..settled().reverse };
        let forced = |rescue| Truth { authoritative: Side::Target, reverse: behind, rescue, ..settled() };
        assert_eq!(s7_legacy_may_reopen(&forced(Rescue::Exact)), Ok(()));
        for rescue in [Rescue::NobodyAcceptsALoss, Rescue::NotAsked, Rescue::Amiss] {
            assert!(s7_legacy_may_reopen(&forced(rescue)).is_err(), "{rescue:?}");
        }
        let open = SideTruth { writes: WritesNow::Open, ..settled().target };
        assert!(s7_legacy_may_reopen(&Truth { target: open, ..forced(Rescue::Exact) }).is_err());
    }

    #[test]
    fn two_writable_sides_are_seen() {
        let open = SideTruth { writes: WritesNow::Open, ..settled().target };
        assert!(s1_one_writable_side(&Truth { legacy: open, target: open, ..settled() }).is_err());
        assert_eq!(s1_one_writable_side(&Truth { target: open, ..settled() }), Ok(()));
    }

    #[test]
    fn every_hook_is_held_against_what_is_so_at_its_point() {
        use WritesNow::{Closed, Ending, Open};
        let side = |writes| SideTruth { writes, ..settled().legacy };
        let says = |point, legacy, target, pointing| {
            let truth = Truth { legacy: side(legacy), target: side(target), ..settled() };
            hook_says_what_is_so(point, &truth, Some(pointing)).is_ok()
        };
        let (legacy, target) = (Side::Legacy, Side::Target);
        assert!(says(HookPoint::BeforeFence, Open, Closed, legacy) && !says(HookPoint::BeforeFence, Closed, Closed, legacy));
        assert!(says(HookPoint::AfterFence, Closed, Closed, legacy) && !says(HookPoint::AfterFence, Ending, Closed, legacy));
        assert!(says(HookPoint::BeforeFlip, Closed, Open, legacy) && !says(HookPoint::BeforeFlip, Closed, Open, target));
        assert!(says(HookPoint::AfterFlip, Closed, Open, target) && !says(HookPoint::AfterFlip, Closed, Open, legacy));
        assert!(says(HookPoint::AfterAbort, Open, Closed, legacy) && !says(HookPoint::AfterAbort, Closed, Closed, legacy));
        assert!(says(HookPoint::AfterRollback, Open, Closed, legacy) && !says(HookPoint::AfterRollback, Open, Open, legacy));
    }

    #[test]
    fn reverse_may_start_at_the_first_commit_and_not_after_it() {
        assert_eq!(s5_reverse_starts_early_enough(7, Some(7)), Ok(()));
        assert!(s5_reverse_starts_early_enough(8, Some(7)).is_err());
        assert_eq!(s5_reverse_starts_early_enough(8, None), Ok(()));
    }
}
