//! What can go wrong, what the program does about it by itself, and what is left for a person.

use super::{Book, accounts, destination};
use crate::names::Side;

/// What can go wrong. Alert rules link to these by their anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The controller is gone.
    ControllerDies,
    /// Both sides were closed for too long.
    BudgetExceeded,
    /// The way back does not run.
    ReverseFeedDies,
    /// A check does not pass, or cannot be made.
    ChecksFail,
    /// Rows arrive late.
    ReplicationLags,
    /// Both sides hold other rows.
    RowsDiffer,
    /// Somebody else has changed a record.
    ForeignRecord,
    /// Nothing can be made durable.
    JournalUnwritable,
}

impl Trouble {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::ControllerDies,
        Self::BudgetExceeded,
        Self::ReverseFeedDies,
        Self::ChecksFail,
        Self::ReplicationLags,
        Self::RowsDiffer,
        Self::ForeignRecord,
        Self::JournalUnwritable,
    ];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::ControllerDies => "The controller dies",
            Self::BudgetExceeded => "The write pause exceeds its budget",
            Self::ReverseFeedDies => "The reverse feed dies",
            Self::ChecksFail => "Checks fail",
            Self::ReplicationLags => "Replication lags",
            Self::RowsDiffer => "Rows differ",
            Self::ForeignRecord => "Somebody else has changed a record",
            Self::JournalUnwritable => "The journal cannot be written",
        }
    }

    /// Where a link to its heading leads.
    pub fn anchor(self) -> String {
        self.title().to_lowercase().replace(' ', "-")
    }
}

impl Book<'_> {
    pub(super) fn trouble(&self, trouble: Trouble) -> String {
        format!("### {}\n\n{}\n", trouble.title(), self.advice(trouble))
    }

    fn advice(&self, trouble: Trouble) -> String {
        let (name, file, spec) = (self.migration.name(), &self.file, &self.migration.spec);
        match trouble {
            Trouble::ControllerDies => format!(
                "By itself: whoever starts next finds in `state/{name}.journal` what was done, looks at the world and goes on; every \
                 action may be made twice. Until then nobody watches the budget.\n\n\
                 1. Start it again, with the same state directory. Nothing else is needed, on any rung.\n\
                 2. It cannot be started, and both sides are closed (`Fence`, `Drain` or `Arm` in its last words): look whether the \
                 point of no return was passed:\n\n\
                 ```\n\
                 sqlite3 -readonly state/{name}.journal \"SELECT at, sentence FROM entries ORDER BY seq DESC LIMIT 20\"\n\
                 ```\n\n\
                 3. It was not: unlock {} on {}. It was: unlock {} on {}, and never the other side.\n\
                 4. The state directory is lost: do not begin with an empty one. Restore it from its backup.",
                accounts(&spec.legacy.database.application_accounts),
                self.server(Side::Legacy),
                accounts(&spec.target.database.application_accounts),
                self.server(Side::Target),
            ),
            Trouble::BudgetExceeded => format!(
                "By itself: before the point of no return the cutover is aborted after {}, and legacy takes writes again; after it the \
                 target opens. A rollback past its budget is given up, and the target takes writes again.\n\n\
                 1. See in `bascule status {name}` that a side is open; if none is, go on with [the controller](#{}).\n\
                 2. Read what took the time: `bascule evidence {name} -o evidence` lists every action with its answer.\n\
                 3. Cure that, raise `spec.attempt` in `{file}`, ask for `RollbackArmed`, and approve anew.",
                self.budget(),
                Trouble::ControllerDies.anchor(),
            ),
            Trouble::ReverseFeedDies => format!(
                "By itself: `{}` is resumed a few times, then seldom, and `rollback ready` is false with the reason. The target goes on \
                 taking writes; nothing is finalised and no rollback begins that would lose any.\n\n\
                 1. Read the task's last failure in `bascule status {name}` and in its log at DMS.\n\
                 2. Cure its cause: a full disk or a locked account on legacy ({}), a binary log that was purged, the instance `{}`.\n\
                 3. Before binary logs run out ({} after they were written) it may be resumed; after that only the \
                 [forced rollback](#forced-rollback-going-back-without-the-writes-that-legacy-lacks) leads back.",
                spec.replication.reverse.identifier,
                self.server(Side::Legacy),
                spec.replication.instance_arn,
                spec.binlog.retention,
            ),
            Trouble::ChecksFail => format!(
                "By itself: the gate of that kind stays closed, and nothing that waits for it begins. A check that could not be made is \
                 unknown, which is not open. Within a pause of writes none is made.\n\n\
                 1. `bascule check {file} NAME` makes it by hand, and prints what was seen.\n\
                 2. Mend what it found. It has to pass {} times in a row before its gate opens.\n\
                 3. Where it is known to be safe, waive it under `spec.checks.waivers`, by name, with a reason and an end: that is \
                 journalled.",
                spec.checks.consecutive_passes
            ),
            Trouble::ReplicationLags => format!(
                "By itself: no switch begins while the lag is above {} (forward) or {} (reverse), or unknown.\n\n\
                 1. See which task: `{}` or `{}`; whether it runs, and which table is behind.\n\
                 2. Look for a long transaction or a big change at its source, and at the CPU and room of `{}`.\n\
                 3. Wait. A cutover under lag would only be a longer pause.",
                spec.replication.forward.max_lag,
                spec.replication.reverse.max_lag,
                spec.replication.forward.identifier,
                spec.replication.reverse.identifier,
                spec.replication.instance_arn,
            ),
            Trouble::RowsDiffer => format!(
                "By itself: a difference counts only after the rows had time to arrive; then the gate stays closed.\n\n\
                 1. `bascule parity {file}` names the rows; `--repair-plan` prints SQL that would mend them, and never runs it.\n\
                 2. Find who wrote them: nobody but replication may write to the side that rows flow to.\n\
                 3. Reload the table, or run the SQL after somebody else has read it."
            ),
            Trouble::ForeignRecord => format!(
                "By itself: a record that leads neither to legacy nor to the target is never written over.\n\n\
                 1. Ask who changed `{}` in `{}`, and why.\n\
                 2. Before the cutover it has to lead to {}, after it to {}. Put it right by hand.",
                spec.dns.public.name,
                spec.dns.hosted_zone_id,
                destination(&spec.dns.public.legacy),
                destination(&spec.dns.public.target),
            ),
            Trouble::JournalUnwritable => format!(
                "By itself: it only observes. The one exception: before the point of no return legacy is let write again.\n\n\
                 1. Make room where `state/{name}.journal` is, or put its owner, mode and mount right; then it goes on.\n\
                 2. `the disk failed`: replace the disk, restore the state directory from its backup, and restart.\n\
                 3. Never edit it, and never begin with an empty one after the first fence."
            ),
        }
    }
}
