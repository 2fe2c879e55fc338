//! Gates: what must hold, *now*, before the next rung. Each is one pure judgement with a stable name and its evidence.
//!
//! Unknown is not open: a gate that cannot be judged lets nothing through.

mod binlog;
mod checks;
mod databases;
mod front;
mod history;
mod hooks;
mod replication;
mod targets;

use jiff::Timestamp;
use schemars::JsonSchema;

use super::approvals;
use super::facts::{Facts, MarkerPurpose};
use super::forced;
use super::ladder::Rung;
use super::observation::Observation;
use super::plan::{GateReport, Standing};
use super::purge;
use crate::checks::outcome::CheckKind;
use crate::controllers::dns::DnsPurpose;
use crate::names::{Direction, Side};
use crate::sighting::Sighting;
use crate::spec::{HookPoint, Migration};

pub use binlog::binlog_terms;
pub use checks::{failing, gate_of, next_run};
pub use databases::lacking;
pub use replication::{heartbeat_age, lag_now, max_lag};

/// Everything a judgement may look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The wish.
    pub migration: &'a Migration,
    /// What is durable.
    pub facts: &'a Facts,
    /// What was seen.
    pub seen: &'a Observation,
    /// Now.
    pub now: Timestamp,
}

/// The closed list of gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
pub enum Gate {
    /// Both databases answer.
    DatabasesReachable,
    /// The controller's accounts may do all that it will have to do, on both sides.
    ControllerPrivileged,
    /// Legacy's binary log is one that DMS can read the changes from.
    LegacyLogReadable,
    /// Nobody could write round a fence, on either side.
    NoBypass,
    /// Every declared canary would say something of a closed fence: its login is right, and its endpoints answer.
    CanariesReady,
    /// Opening would let the application in on both sides: no lock of somebody else would be left.
    FenceReversible,
    /// The numbers of rows leave room on the side that is to open.
    IdHeadroom,
    /// The four AWS services answer, and the cluster exists.
    ServicesReadable,
    /// The public name points exactly at legacy.
    PublicAtLegacy,
    /// No other cluster uses the parameter group.
    ParameterGroupOwn,
    /// Every table of legacy is on the target.
    SchemaPresent,
    /// Plain HTTP is redirected to HTTPS.
    RedirectInPlace,
    /// The shadow name points at the target.
    ShadowAtTarget,
    /// Enough targets in enough zones, all healthy.
    TargetsHealthy,
    /// The public TTL is low, and the old one has run out of every cache.
    LowTtlInForce,
    /// The application cannot write to the target.
    TargetQuiet,
    /// The forward task runs, its full load is done.
    FullLoadDone,
    /// No table of the forward task is in error.
    ForwardTablesHealthy,
    /// A fresh heartbeat crossed from legacy to the target.
    ForwardLag,
    /// Enough clean comparisons in a row.
    ParityClean,
    /// The newest comparison is clean and young.
    ParityFresh,
    /// DMS's own validation found no mismatch.
    DmsValidation,
    /// Every page of the new system is as declared, through the public path.
    PagesProven,
    /// Everything that the new system depends on answers as declared.
    UpstreamsProven,
    /// Every cache does in cluster mode what the application does with it.
    CachesProven,
    /// Both databases have the same structure, as far as it matters.
    SchemasAlike,
    /// Resolvers answer the public name as this rung wishes.
    NamesAnswered,
    /// Nothing arrives any more where traffic should have ended.
    TrafficEnded,
    /// The binary log is in effect on the writer.
    BinlogInEffect,
    /// Binary logs are kept for the whole observation window.
    RetentionCoversWindow,
    /// The reverse task exists, its endpoints are tested.
    ReverseCreated,
    /// Enough people agreed to this attempt and plan.
    Approved,
    /// The attempt has not been aborted or rolled back before.
    AttemptFree,
    /// The application can write to legacy.
    LegacyOpen,
    /// Nobody can write to legacy, proven.
    LegacyFenced,
    /// Nobody can write to the target, proven.
    TargetFenced,
    /// The drain marker arrived on the target.
    Drained,
    /// The side that is to open gives its rows no number that the other side has given.
    IdSpaceClear,
    /// The forward task is stopped.
    ForwardStopped,
    /// The reverse start position is durable.
    ReverseStartKnown,
    /// The point of no return is durable.
    NoReturnPassed,
    /// The application can write to the target.
    TargetOpen,
    /// All authoritative servers point the public name at the target.
    PublicAtTarget,
    /// The reverse marker arrived on legacy.
    ReverseProven,
    /// The reverse task runs without errors.
    ReverseHealthy,
    /// A fresh heartbeat crossed from the target to legacy.
    ReverseLag,
    /// The target still has the binary logs that reverse replication needs.
    ReverseLogKept,
    /// The observation window has passed.
    WindowPassed,
    /// The rollback marker arrived on legacy.
    RollbackDrained,
    /// All authoritative servers point the public name back at legacy.
    PublicBackAtLegacy,
    /// Reverse replication will not bring legacy what it lacks: only then may it be given up.
    WayBackLost,
    /// Somebody accepts the loss of what legacy lacks, for this attempt and until now.
    LossAccepted,
    /// Every row that legacy lacks is saved, and that is durable.
    RowsSaved,
    /// The reverse task is stopped.
    ReverseStopped,
    /// Both tasks are gone.
    TasksRetired,
    /// Every hook before the fence took its call, said yes, or is given up as one that is only told.
    HooksBeforeFence,
    /// The same after the fence; what is demanded there lengthens the pause.
    HooksAfterFence,
    /// The same before the flip, where nothing can be demanded.
    HooksBeforeFlip,
    /// The same after the flip.
    HooksAfterFlip,
    /// The same after an abort. Legacy opens before and without it.
    HooksAfterAbort,
    /// The same after a rollback. Legacy opens before and without it.
    HooksAfterRollback,
}

use Gate::*;

/// What must hold before a rung counts as reached.
pub const fn arrival(rung: Rung) -> &'static [Gate] {
    match rung {
        Rung::Preflight => &[
            DatabasesReachable,
            ControllerPrivileged,
            LegacyLogReadable,
            ServicesReadable,
            PublicAtLegacy,
            ParameterGroupOwn,
            SchemaPresent,
        ],
        Rung::Prepared => &[
            RedirectInPlace,
            ShadowAtTarget,
            TargetsHealthy,
            LowTtlInForce,
            NamesAnswered,
            TargetQuiet,
            SchemaPresent,
            SchemasAlike,
        ],
        Rung::Replicating => &[FullLoadDone, ForwardTablesHealthy, ForwardLag],
        Rung::Validated => &[
            ParityClean,
            DmsValidation,
            TargetsHealthy,
            ForwardTablesHealthy,
            PagesProven,
            UpstreamsProven,
            CachesProven,
            SchemasAlike,
        ],
        Rung::RollbackArmed => &[BinlogInEffect, RetentionCoversWindow, ReverseCreated],
        Rung::Fence => &[TargetFenced, LegacyFenced],
        Rung::Drain => &[LegacyFenced, TargetFenced, Drained, ForwardTablesHealthy, HooksAfterFence],
        Rung::Arm => &[LegacyFenced, TargetFenced, ForwardStopped, IdSpaceClear, ReverseStartKnown, NoReturnPassed],
        Rung::Open => &[LegacyFenced, TargetOpen, HooksBeforeFlip],
        Rung::Flip => &[
            LegacyFenced,
            TargetOpen,
            PublicAtTarget,
            ReverseProven,
            ReverseHealthy,
            NamesAnswered,
            TrafficEnded,
            HooksAfterFlip,
        ],
        Rung::Observing => &[],
        Rung::Completed => &[TasksRetired],
        Rung::Aborted => &[LegacyOpen, HooksAfterAbort],
        Rung::RollbackFence => &[LegacyFenced, TargetFenced],
        Rung::RollbackFlip => &[LegacyFenced, TargetFenced, RollbackDrained, IdSpaceClear],
        Rung::ForcedStop => &[LossAccepted, NoBypass, FenceReversible, LegacyFenced, ReverseStopped],
        Rung::ForcedFence => &[LegacyFenced, TargetFenced],
        Rung::ForcedExport => &[LegacyFenced, TargetFenced, ReverseStopped, RowsSaved, IdSpaceClear],
        Rung::RollbackOpen => &[LegacyOpen, PublicBackAtLegacy, ReverseStopped, HooksAfterRollback],
    }
}

/// What must hold, beside [`arrival`], before the first fence of a cutover closes.
pub const CUTOVER: &[Gate] = &[
    AttemptFree,
    Approved,
    ControllerPrivileged,
    LegacyLogReadable,
    NoBypass,
    CanariesReady,
    FenceReversible,
    IdHeadroom,
    LegacyOpen,
    TargetQuiet,
    PublicAtLegacy,
    LowTtlInForce,
    TargetsHealthy,
    RedirectInPlace,
    PagesProven,
    UpstreamsProven,
    CachesProven,
    SchemasAlike,
    NamesAnswered,
    FullLoadDone,
    ForwardTablesHealthy,
    ParityFresh,
    DmsValidation,
    ForwardLag,
    HooksBeforeFence,
];

/// What must hold before the way back is given up.
pub const COMPLETION: &[Gate] = &[WindowPassed, PublicAtTarget, LegacyFenced, TargetOpen, ReverseHealthy, ReverseLag];

/// What must hold before the first fence of a rollback closes: a rollback that cannot end must not begin.
pub const ROLLBACK: &[Gate] = &[NoBypass, FenceReversible, LegacyFenced, ReverseHealthy, ReverseLogKept, ReverseLag];

/// What must hold before a rollback that loses writes to legacy begins; for nothing else may it be forced.
pub const FORCED: &[Gate] = &[LossAccepted, WayBackLost, NoBypass, FenceReversible, LegacyFenced];

/// What is told from the first look on, though nothing waits for it before the cutover.
pub const FOREWARNED: &[Gate] = &[NoBypass, CanariesReady, FenceReversible, IdHeadroom];

/// Judgements as they are published.
pub fn report(judged: &[(Gate, Standing)]) -> Vec<GateReport> {
    judged.iter().map(|(gate, standing)| GateReport { name: gate.name(), standing: standing.clone() }).collect()
}

impl Gate {
    /// The stable name, as in status, API and metrics.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The judgement.
    pub fn judge(self, scene: &Scene<'_>) -> Standing {
        let spec = &scene.migration.spec;
        match self {
            DatabasesReachable => databases::reachable(scene),
            ControllerPrivileged => databases::controller_privileged(scene),
            LegacyLogReadable => binlog::legacy_log_readable(scene),
            NoBypass => databases::no_bypass(scene),
            CanariesReady => databases::canaries_ready(scene),
            FenceReversible => databases::fence_reversible(scene),
            IdHeadroom => databases::id_headroom(scene),
            IdSpaceClear => databases::id_space_clear(scene),
            ServicesReadable => services_readable(scene),
            PublicAtLegacy => front::public_at(scene, Side::Legacy),
            ParameterGroupOwn => binlog::parameter_group_own(scene),
            SchemaPresent => databases::schema_present(scene),
            RedirectInPlace => front::redirect_in_place(scene),
            ShadowAtTarget => front::shadow_at_target(scene),
            TargetsHealthy => targets::healthy(scene),
            LowTtlInForce => front::low_ttl_in_force(scene),
            TargetQuiet => databases::fenced(scene, Side::Target, &spec.target.database.application_accounts),
            FullLoadDone => replication::full_load_done(scene),
            ForwardTablesHealthy => replication::tables_healthy(scene, Direction::Forward),
            ForwardLag => replication::lag(scene, Direction::Forward),
            ParityClean => databases::parity_clean(scene),
            ParityFresh => databases::parity_fresh(scene),
            DmsValidation => replication::dms_validation(scene),
            PagesProven => checks::proven(scene, CheckKind::Page),
            UpstreamsProven => checks::proven(scene, CheckKind::Upstream),
            CachesProven => checks::proven(scene, CheckKind::Cache),
            SchemasAlike => checks::proven(scene, CheckKind::Schema),
            NamesAnswered => checks::proven(scene, CheckKind::Names),
            TrafficEnded => checks::proven(scene, CheckKind::Traffic),
            BinlogInEffect => binlog::in_effect(scene),
            RetentionCoversWindow => binlog::retention_covers_window(scene),
            ReverseCreated => replication::reverse_created(scene),
            Approved => approvals::standing(scene.migration, scene.now),
            AttemptFree => history::attempt_free(scene),
            LegacyOpen => databases::open_to_application(scene, Side::Legacy),
            LegacyFenced => databases::fenced(scene, Side::Legacy, &spec.legacy.database.all_accounts()),
            TargetFenced => databases::fenced(scene, Side::Target, &spec.target.database.all_accounts()),
            Drained => replication::marker_arrived(scene, MarkerPurpose::Drain),
            ForwardStopped => replication::stopped(scene, Direction::Forward),
            ReverseStartKnown => match &scene.facts.reverse_start {
                Some(position) => Standing::Open(format!("reverse replication starts at {position}")),
                None => Standing::Closed("the reverse start position is not recorded yet".into()),
            },
            NoReturnPassed => open_if(
                scene.facts.is_past_no_return(),
                "the point of no return is journalled",
                "the point of no return is not journalled yet",
            ),
            TargetOpen => databases::open_to_application(scene, Side::Target),
            PublicAtTarget => front::flipped(scene, Side::Target, DnsPurpose::FlipToTarget),
            ReverseProven => replication::marker_arrived(scene, MarkerPurpose::ReverseProof),
            ReverseHealthy => replication::reverse_healthy(scene),
            ReverseLag => replication::lag(scene, Direction::Reverse),
            ReverseLogKept => purge::reverse_log_kept(scene),
            WindowPassed => history::window_passed(scene),
            RollbackDrained => replication::marker_arrived(scene, MarkerPurpose::RollbackDrain),
            PublicBackAtLegacy => front::flipped(scene, Side::Legacy, DnsPurpose::FlipToLegacy),
            WayBackLost => forced::way_back_lost(scene),
            LossAccepted => forced::loss_accepted(scene),
            RowsSaved => match &scene.facts.quarantine {
                Some(quarantined) => Standing::Open(format!("{quarantined}")),
                None => Standing::Closed("the rows that legacy lacks are not saved yet".into()),
            },
            ReverseStopped => replication::stopped(scene, Direction::Reverse),
            TasksRetired => replication::tasks_retired(scene),
            HooksBeforeFence => hooks::settled(scene, HookPoint::BeforeFence),
            HooksAfterFence => hooks::settled(scene, HookPoint::AfterFence),
            HooksBeforeFlip => hooks::settled(scene, HookPoint::BeforeFlip),
            HooksAfterFlip => hooks::settled(scene, HookPoint::AfterFlip),
            HooksAfterAbort => hooks::settled(scene, HookPoint::AfterAbort),
            HooksAfterRollback => hooks::settled(scene, HookPoint::AfterRollback),
        }
    }
}

fn open_if(holds: bool, open: &str, closed: &str) -> Standing {
    if holds { Standing::Open(open.to_owned()) } else { Standing::Closed(closed.to_owned()) }
}

fn unknown_of<T>(what: &str, sighting: &Sighting<T>) -> Standing {
    match sighting {
        Sighting::Unknown { why } => Standing::Unknown(format!("{what} could not be read: {why}")),
        Sighting::Absent | Sighting::Present(_) => Standing::Closed(format!("{what} does not exist")),
    }
}

fn services_readable(scene: &Scene<'_>) -> Standing {
    let seen = scene.seen;
    if seen.binlog.cluster.present().is_none() {
        return unknown_of("the target cluster", &seen.binlog.cluster);
    }
    if seen.replication.forward.is_unknown() {
        return unknown_of("the forward task", &seen.replication.forward);
    }
    if seen.dns.public.is_unknown() {
        return unknown_of("the public record", &seen.dns.public);
    }
    if seen.redirect.listener.is_unknown() {
        return unknown_of("the redirect listener", &seen.redirect.listener);
    }
    Standing::Open("DMS, RDS, Route 53 and ELBv2 answer".into())
}
