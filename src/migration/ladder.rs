//! The posture ladder: the whole migration is this one table.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::controllers::binlog::BinlogWish;
use crate::controllers::dns::DnsWish;
use crate::controllers::fence::{Proof, Writes};
use crate::controllers::redirect::RedirectWish;
use crate::names::Side;
use crate::spec::Phase;

/// Where a migration stands. A phase is one or more rungs; a rung is one posture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Rung {
    /// Only looking.
    Preflight,
    /// Redirect, shadow name, low TTL.
    Prepared,
    /// Full load and CDC.
    Replicating,
    /// Parity.
    Validated,
    /// Binary log in effect, reverse task created.
    RollbackArmed,
    /// Cutover: nobody writes.
    Fence,
    /// Cutover: everything legacy committed reaches the target.
    Drain,
    /// Cutover: the reverse start position is recorded, then the point of no return.
    Arm,
    /// Cutover: the target takes writes.
    Open,
    /// Cutover: the public name points at the target, reverse replication is proven.
    Flip,
    /// The way back is kept open.
    Observing,
    /// The way back is given up.
    Completed,
    /// A cutover was aborted before the point of no return: legacy takes writes again.
    Aborted,
    /// Rollback: nobody writes.
    RollbackFence,
    /// Rollback: everything the target committed reaches legacy, while the public name goes back.
    RollbackFlip,
    /// Forced rollback: the reverse stream is given up while the target still takes writes.
    ForcedStop,
    /// Forced rollback: nobody writes.
    ForcedFence,
    /// Forced rollback: every row that legacy lacks is saved, instead of being awaited there.
    ForcedExport,
    /// Rollback: legacy takes writes.
    RollbackOpen,
}

/// What a DMS task should be at a rung; where its position comes from is the mind's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TaskPosture {
    /// Not needed yet; left alone.
    NotYet,
    /// Created and tested, not running.
    Created,
    /// Running.
    Running,
    /// Running until the awaited marker is seen, then stopped.
    UntilMarker,
    /// Stopped, kept.
    Stopped,
    /// Stopped and deleted.
    Retired,
}

/// What every resource should be at one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Posture {
    /// Who may write at legacy.
    pub legacy_writes: Writes,
    /// Who may write at the target.
    pub target_writes: Writes,
    /// Where the public name points.
    pub public_dns: DnsWish,
    /// The forward task.
    pub forward: TaskPosture,
    /// The reverse task.
    pub reverse: TaskPosture,
    /// The target's binary log.
    pub binlog: BinlogWish,
    /// The redirect listener.
    pub redirect: RedirectWish,
}

impl Rung {
    /// Every rung.
    pub const ALL: [Self; 19] = [
        Self::Preflight,
        Self::Prepared,
        Self::Replicating,
        Self::Validated,
        Self::RollbackArmed,
        Self::Fence,
        Self::Drain,
        Self::Arm,
        Self::Open,
        Self::Flip,
        Self::Observing,
        Self::Completed,
        Self::Aborted,
        Self::RollbackFence,
        Self::RollbackFlip,
        Self::ForcedStop,
        Self::ForcedFence,
        Self::ForcedExport,
        Self::RollbackOpen,
    ];

    /// The table.
    #[rustfmt::skip]
    pub const fn posture(self) -> Posture {
        use BinlogWish::{Guarded, InEffect};
        use DnsWish::{Legacy, Target};
        use RedirectWish::InPlace;
        use TaskPosture::{Created, NotYet, Retired, Running, Stopped, UntilMarker};
        use Writes::{Closed, Open, ValidationOnly};
        match self {
            //                                  legacy writes   target writes   public DNS       forward      reverse      binlog              redirect
            Self::Preflight     => row(Writes::NotYet, Writes::NotYet,  DnsWish::NotYet, NotYet,      NotYet,      BinlogWish::NotYet, RedirectWish::NotYet),
            Self::Prepared      => row(Open,           ValidationOnly,  Legacy,          NotYet,      NotYet,      BinlogWish::NotYet, InPlace),
            Self::Replicating   => row(Open,           ValidationOnly,  Legacy,          Running,     NotYet,      BinlogWish::NotYet, InPlace),
            Self::Validated     => row(Open,           ValidationOnly,  Legacy,          Running,     NotYet,      BinlogWish::NotYet, InPlace),
            Self::RollbackArmed => row(Open,           ValidationOnly,  Legacy,          Running,     Created,     InEffect,           InPlace),
            Self::Fence         => row(Closed,         Closed,          Legacy,          Running,     Created,     Guarded,            InPlace),
            Self::Drain         => row(Closed,         Closed,          Legacy,          UntilMarker, Created,     Guarded,            InPlace),
            Self::Arm           => row(Closed,         Closed,          Legacy,          Stopped,     Created,     Guarded,            InPlace),
            Self::Open          => row(Closed,         Open,            Legacy,          Stopped,     Running,     Guarded,            InPlace),
            Self::Flip          => row(Closed,         Open,            Target,          Stopped,     Running,     Guarded,            InPlace),
            Self::Observing     => row(Closed,         Open,            Target,          Stopped,     Running,     Guarded,            InPlace),
            Self::Completed     => row(Closed,         Open,            Target,          Retired,     Retired,     Guarded,            InPlace),
            Self::Aborted       => row(Open,           ValidationOnly,  Legacy,          Running,     Created,     Guarded,            InPlace),
            Self::RollbackFence => row(Closed,         Closed,          Target,          Stopped,     Running,     Guarded,            InPlace),
            Self::RollbackFlip  => row(Closed,         Closed,          Legacy,          Stopped,     UntilMarker, Guarded,            InPlace),
            Self::ForcedStop    => row(Closed,         Open,            Target,          Stopped,     Stopped,     Guarded,            InPlace),
            Self::ForcedFence   => row(Closed,         Closed,          Target,          Stopped,     Stopped,     Guarded,            InPlace),
            Self::ForcedExport  => row(Closed,         Closed,          Target,          Stopped,     Stopped,     Guarded,            InPlace),
            Self::RollbackOpen  => row(Open,           Closed,          Legacy,          Stopped,     Stopped,     Guarded,            InPlace),
        }
    }

    /// How much proof of a closed fence this rung asks of a side. The source of a drain must rest, and so must both where the
    /// reverse position is read; the side that rows still reach need not. Once another side is open, a silent endpoint must not
    /// keep the customers from it.
    pub const fn proof(self, side: Side) -> Proof {
        match (self, side) {
            (Self::Fence | Self::Drain, Side::Legacy) | (Self::Arm, _) => Proof::AtRest,
            (Self::Fence | Self::Drain, Side::Target) => Proof::Answered,
            (Self::RollbackFence | Self::RollbackFlip | Self::ForcedFence | Self::ForcedExport, Side::Target) => Proof::AtRest,
            (Self::RollbackFence | Self::RollbackFlip | Self::ForcedFence | Self::ForcedExport, Side::Legacy) => {
                Proof::NobodyLetIn
            }
            (Self::Preflight | Self::Prepared | Self::Replicating | Self::Validated | Self::RollbackArmed, _)
            | (Self::Open | Self::Flip | Self::Observing | Self::Completed | Self::Aborted, _)
            | (Self::ForcedStop | Self::RollbackOpen, _) => Proof::NobodyLetIn,
        }
    }

    /// The phase that is reached once this rung's gates are open; `None` on a rung in the middle of a phase.
    pub const fn reaches(self) -> Option<Phase> {
        match self {
            Self::Preflight => Some(Phase::Preflight),
            Self::Prepared => Some(Phase::Prepared),
            Self::Replicating => Some(Phase::Replicating),
            Self::Validated => Some(Phase::Validated),
            Self::RollbackArmed => Some(Phase::RollbackArmed),
            Self::Flip => Some(Phase::CutOver),
            Self::Completed => Some(Phase::Completed),
            Self::RollbackOpen => Some(Phase::RolledBack),
            Self::Fence | Self::Drain | Self::Arm | Self::Open | Self::Observing | Self::Aborted => None,
            Self::RollbackFence | Self::RollbackFlip | Self::ForcedStop | Self::ForcedFence | Self::ForcedExport => None,
        }
    }

    /// The rung above, on the way that this rung belongs to.
    pub const fn above(self) -> Option<Self> {
        match self {
            Self::Preflight => Some(Self::Prepared),
            Self::Prepared => Some(Self::Replicating),
            Self::Replicating => Some(Self::Validated),
            Self::Validated => Some(Self::RollbackArmed),
            Self::RollbackArmed => Some(Self::Fence),
            Self::Fence => Some(Self::Drain),
            Self::Drain => Some(Self::Arm),
            Self::Arm => Some(Self::Open),
            Self::Open => Some(Self::Flip),
            Self::Flip => Some(Self::Observing),
            Self::Observing => Some(Self::Completed),
            Self::RollbackFence => Some(Self::RollbackFlip),
            Self::ForcedStop => Some(Self::ForcedFence),
            Self::ForcedFence => Some(Self::ForcedExport),
            Self::RollbackFlip | Self::ForcedExport => Some(Self::RollbackOpen),
            Self::Completed | Self::Aborted | Self::RollbackOpen => None,
        }
    }

    /// The side that the application writes to here; `None` while both are to be closed.
    pub const fn writer_side(self) -> Option<Side> {
        match (self.posture().legacy_writes, self.posture().target_writes) {
            (_, Writes::Open) => Some(Side::Target),
            (Writes::Open, _) => Some(Side::Legacy),
            (_, _) => None,
        }
    }
}

const fn row(
    legacy_writes: Writes,
    target_writes: Writes,
    public_dns: DnsWish,
    forward: TaskPosture,
    reverse: TaskPosture,
    binlog: BinlogWish,
    redirect: RedirectWish,
) -> Posture {
    Posture { legacy_writes, target_writes, public_dns, forward, reverse, binlog, redirect }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}
