//! Each phase step by step: what changes between two rungs, in the names of real resources.

use super::trouble::Trouble;
use super::{Book, accounts, destination};
use crate::controllers::binlog::BinlogWish;
use crate::controllers::dns::DnsWish;
use crate::controllers::fence::Writes;
use crate::controllers::redirect::RedirectWish;
use crate::migration::ladder::{Rung, TaskPosture};
use crate::names::{Direction, Side};
use crate::spec::period::spoken;
use crate::spec::{HookPoint, Phase};

/// The rungs of an ordinary rollback, each with the one that it is entered from.
pub(super) const ROLLBACK: &[(Rung, Rung)] = &[
    (Rung::Observing, Rung::RollbackFence),
    (Rung::RollbackFence, Rung::RollbackFlip),
    (Rung::RollbackFlip, Rung::RollbackOpen),
];

/// The same of a forced one.
pub(super) const FORCED: &[(Rung, Rung)] = &[
    (Rung::Observing, Rung::ForcedStop),
    (Rung::ForcedStop, Rung::ForcedFence),
    (Rung::ForcedFence, Rung::ForcedExport),
    (Rung::ForcedExport, Rung::RollbackOpen),
];

/// The rungs that lead to a phase, each with the one that it is entered from.
pub(super) const fn rungs(phase: Phase) -> &'static [(Rung, Rung)] {
    match phase {
        Phase::Preflight => &[(Rung::Preflight, Rung::Preflight)],
        Phase::Prepared => &[(Rung::Preflight, Rung::Prepared)],
        Phase::Replicating => &[(Rung::Prepared, Rung::Replicating)],
        Phase::Validated => &[(Rung::Replicating, Rung::Validated)],
        Phase::RollbackArmed => &[(Rung::Validated, Rung::RollbackArmed)],
        Phase::CutOver => &[
            (Rung::RollbackArmed, Rung::Fence),
            (Rung::Fence, Rung::Drain),
            (Rung::Drain, Rung::Arm),
            (Rung::Arm, Rung::Open),
            (Rung::Open, Rung::Flip),
        ],
        Phase::Completed => &[(Rung::Flip, Rung::Observing), (Rung::Observing, Rung::Completed)],
        Phase::RolledBack => ROLLBACK,
    }
}

/// What it means that a phase is reached.
pub(super) const fn meaning(phase: Phase) -> &'static str {
    match phase {
        Phase::Preflight => "everything is looked at, nothing is changed",
        Phase::Prepared => "the front of the target is ready, the public TTL is low",
        Phase::Replicating => "everything is loaded, changes flow",
        Phase::Validated => "both sides are proven equal",
        Phase::RollbackArmed => "the way back exists",
        Phase::CutOver => "customers pay on the target",
        Phase::Completed => "the way back is given up",
        Phase::RolledBack => "customers pay on legacy again",
    }
}

/// What a phase is known to stumble over.
pub(super) const fn troubles(phase: Phase) -> &'static [Trouble] {
    match phase {
        Phase::Preflight => &[Trouble::ChecksFail, Trouble::JournalUnwritable],
        Phase::Prepared => &[Trouble::ForeignRecord, Trouble::ChecksFail],
        Phase::Replicating => &[Trouble::ReplicationLags, Trouble::ControllerDies],
        Phase::Validated => &[Trouble::RowsDiffer, Trouble::ChecksFail, Trouble::ReplicationLags],
        Phase::RollbackArmed => &[Trouble::ControllerDies, Trouble::ReplicationLags],
        Phase::CutOver => &[
            Trouble::BudgetExceeded,
            Trouble::ControllerDies,
            Trouble::ChecksFail,
            Trouble::ForeignRecord,
            Trouble::JournalUnwritable,
        ],
        Phase::Completed => &[Trouble::ReverseFeedDies, Trouble::RowsDiffer],
        Phase::RolledBack => &[Trouble::ReverseFeedDies, Trouble::BudgetExceeded, Trouble::ControllerDies],
    }
}

impl Book<'_> {
    /// What is changed when a rung is entered, in sentences.
    pub(super) fn changes(&self, before: Rung, rung: Rung) -> Vec<String> {
        let (old, new) = (before.posture(), rung.posture());
        let mut changes = Vec::new();
        if old.redirect != new.redirect {
            changes.push(self.redirect(new.redirect));
        }
        for (side, was, is) in
            [(Side::Legacy, old.legacy_writes, new.legacy_writes), (Side::Target, old.target_writes, new.target_writes)]
        {
            if was != is {
                changes.push(self.writes(side, was, is));
            }
        }
        if old.public_dns != new.public_dns {
            changes.extend(self.names(old.public_dns, new.public_dns));
        }
        for (direction, was, is) in
            [(Direction::Forward, old.forward, new.forward), (Direction::Reverse, old.reverse, new.reverse)]
        {
            if was != is {
                changes.push(self.task(direction, was, is));
            }
        }
        if old.binlog != new.binlog {
            changes.push(self.binlog(new.binlog));
        }
        changes.extend(self.own_work(rung));
        changes
    }

    fn redirect(&self, wish: RedirectWish) -> String {
        let balancer = &self.migration.spec.load_balancer;
        match wish {
            RedirectWish::NotYet => "The redirect listener is left as it is found.".to_owned(),
            RedirectWish::InPlace => format!(
                "The listener on port {} of `{}` sends plain HTTP to HTTPS by {}; it is created if it is missing.",
                balancer.redirect.from_port,
                balancer.arn,
                balancer.redirect.status_code.as_str()
            ),
        }
    }

    fn writes(&self, side: Side, was: Writes, writes: Writes) -> String {
        let database = self.migration.database(side);
        let (server, application) = (self.server(side), accounts(&database.application_accounts));
        match writes {
            Writes::NotYet => format!("Who may write at {side} is left as it is found."),
            Writes::Open if was == Writes::NotYet => {
                format!("{side} ({server}) goes on taking the writes of {application}: customers pay there.")
            }
            Writes::Open => format!("{side} ({server}) is opened: the accounts {application} are unlocked. Customers pay there."),
            Writes::ValidationOnly if database.validation_accounts.is_empty() => {
                format!("{side} ({server}) is closed to {application}.")
            }
            Writes::ValidationOnly => {
                format!("{side} ({server}) is closed to {application}, and open to {}.", accounts(&database.validation_accounts))
            }
            Writes::Closed => format!(
                "**{side} ({server}) is fenced**: the accounts {application} are locked, their connections ended, and it is proven \
                 that no write can follow."
            ),
        }
    }

    fn names(&self, was: DnsWish, is: DnsWish) -> Vec<String> {
        let dns = &self.migration.spec.dns;
        let (public, zone) = (&dns.public.name, &dns.hosted_zone_id);
        match (was, is) {
            (_, DnsWish::NotYet) => vec!["No record is touched.".to_owned()],
            (DnsWish::NotYet, _) => vec![
                format!(
                    "`{}` in zone `{zone}` is made to lead to the target: {}.",
                    dns.shadow.name,
                    destination(&dns.public.target)
                ),
                format!("The TTL of `{public}` is lowered to {}, and the old one is waited out.", dns.ttl),
            ],
            (_, DnsWish::Target) => vec![format!(
                "**`{public}` in zone `{zone}` is switched** from {} to {}, by compare-and-swap.",
                destination(&dns.public.legacy),
                destination(&dns.public.target)
            )],
            (_, DnsWish::Legacy) => vec![format!(
                "**`{public}` in zone `{zone}` is switched back** to {}, by compare-and-swap.",
                destination(&dns.public.legacy)
            )],
        }
    }

    fn task(&self, direction: Direction, was: TaskPosture, is: TaskPosture) -> String {
        let replication = &self.migration.spec.replication;
        let task = match direction {
            Direction::Forward => format!("task `{}`", replication.forward.identifier),
            Direction::Reverse => format!("task `{}`", replication.reverse.identifier),
        };
        match (direction, is) {
            (_, TaskPosture::NotYet) => format!("The {task} is left alone."),
            (_, TaskPosture::Created) => {
                format!("The {task} is created on `{}`, and its endpoints are tested.", replication.instance_arn)
            }
            (Direction::Forward, TaskPosture::Running) if was == TaskPosture::NotYet => {
                format!("The {task} is created on `{}` and started: full load first, then changes.", replication.instance_arn)
            }
            (Direction::Reverse, TaskPosture::Running) => {
                format!(
                    "The {task} is started from the recorded position: from here on legacy is brought every write of the target."
                )
            }
            (Direction::Forward, TaskPosture::Running) => format!("The {task} runs on."),
            (_, TaskPosture::UntilMarker) => {
                format!("A marker is written on the {} side, and the {task} runs until it has arrived.", direction.source())
            }
            (_, TaskPosture::Stopped) => format!("The {task} is stopped, and kept."),
            (_, TaskPosture::Retired) => format!("**The {task} is stopped and deleted.**"),
        }
    }

    fn binlog(&self, wish: BinlogWish) -> String {
        let spec = &self.migration.spec;
        match wish {
            BinlogWish::NotYet => "The parameter group is left as it is found.".to_owned(),
            BinlogWish::InEffect => format!(
                "The parameter group `{}` is created if it is missing, given its parameters and attached to `{}`; **the writer is \
                 rebooted** in `{}` (UTC); binary logs are kept for {}.",
                spec.binlog.parameter_group, spec.target.cluster, spec.binlog.maintenance_window, spec.binlog.retention
            ),
            BinlogWish::Guarded => {
                format!("From here on nothing of `{}` is changed: drift is only told.", spec.binlog.parameter_group)
            }
        }
    }

    /// What a rung does beside its posture.
    fn own_work(&self, rung: Rung) -> Vec<String> {
        let hooks = |points: &[HookPoint]| self.hooks(points);
        let one = |text: &str| vec![text.to_owned()];
        match rung {
            Rung::Fence => [hooks(&[HookPoint::BeforeFence, HookPoint::AfterFence]), one("The pause of writes begins.")].concat(),
            Rung::Arm => one(
                "The end of the target's binary log is recorded as the start of reverse replication; then **the point of no return** \
                 is journalled. Before it every failure lets legacy write again; after it the cutover only goes forward.",
            ),
            Rung::Open => one("The pause of writes ends."),
            Rung::Flip => [
                hooks(&[HookPoint::BeforeFlip, HookPoint::AfterFlip]),
                one("A marker is written on the target, and awaited on legacy: that proves the way back."),
            ]
            .concat(),
            Rung::ForcedExport => {
                one("Every row that legacy lacks, or holds with other values, is saved in the state directory.")
            }
            Rung::RollbackOpen => hooks(&[HookPoint::AfterRollback]),
            Rung::Aborted => hooks(&[HookPoint::AfterAbort]),
            Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => Vec::new(),
            Rung::Drain | Rung::Observing | Rung::Completed => Vec::new(),
            Rung::RollbackFence | Rung::RollbackFlip | Rung::ForcedStop | Rung::ForcedFence => Vec::new(),
        }
    }

    /// What a phase asks for that no posture says.
    pub(super) fn chores(&self, phase: Phase) -> Vec<String> {
        let spec = &self.migration.spec;
        match phase {
            Phase::Replicating => vec![format!(
                "A table with duplicate keys is reloaded, {} times at most.",
                spec.replication.forward.max_reloads_per_table
            )],
            Phase::Validated => vec![
                format!(
                    "Every row of both sides is compared, until {} comparisons in a row are clean, {} apart.",
                    spec.validation.consecutive_passes, spec.validation.interval
                ),
                format!("Every declared check is made, until each has passed {} times in a row.", spec.checks.consecutive_passes),
            ],
            Phase::Completed => vec![format!("The way back is kept open for {} before.", spec.observation.window)],
            Phase::Preflight | Phase::Prepared | Phase::RollbackArmed | Phase::CutOver | Phase::RolledBack => Vec::new(),
        }
    }

    pub(super) fn watch(&self, phase: Phase) -> String {
        let spec = &self.migration.spec;
        match phase {
            Phase::Preflight => "The gates in `bascule status`: each closed one says what it lacks, grants included.".to_owned(),
            Phase::Prepared => format!(
                "That at least {} targets in {} zones are healthy, and that the old TTL runs out.",
                spec.load_balancer.min_healthy_targets, spec.load_balancer.min_zones
            ),
            Phase::Replicating => format!(
                "`bascule_replication_lag_seconds{{direction=\"forward\"}}` below {}, the load of legacy, the free room of the instance.",
                spec.replication.forward.max_lag
            ),
            Phase::Validated => "Differences by table in `bascule status`; `bascule parity` names the rows.".to_owned(),
            Phase::RollbackArmed => format!(
                "The reboot of the writer in `{}`: seconds without the target, which nobody uses yet.",
                spec.binlog.maintenance_window
            ),
            Phase::CutOver => format!(
                "`bascule_write_pause_seconds`: {} at most, then it aborts by itself. After it payments on the target, and \
                 `bascule_rollback_ready` at 1.",
                spoken(spec.cutover.write_pause_budget.duration())
            ),
            Phase::Completed => format!(
                "`bascule_replication_lag_seconds{{direction=\"reverse\"}}` below {}, and payments, for the whole window.",
                spec.replication.reverse.max_lag
            ),
            Phase::RolledBack => "That legacy takes payments again.".to_owned(),
        }
    }
}
