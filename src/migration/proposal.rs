//! A spec that is proposed, held against the one in force: what a merge would bring about. Pure, from what is published.
//!
//! # Guarantees
//! What may not be asked for is said in the words in which the pass would hold it ([`super::wish`], `spec::change`).
//! Nothing is promised of a gate that nobody has judged.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::approvals::{self, cutover_digest};
use super::gates::{self, Gate};
use super::ladder::Rung;
use super::plan::Standing;
use super::promotion::{Promotion, judge};
use super::route::{self, Wish};
use super::status::{ApprovalReport, MigrationStatus};
use super::wish;
use crate::controllers::{Block, Reason};
use crate::names::MigrationName;
use crate::spec::change::check_change;
use crate::spec::difference::{Change, changes};
use crate::spec::{Migration, Phase};

/// What a proposed spec means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// Of which migration.
    pub migration: MigrationName,
    /// The time of the status that this was judged by.
    pub as_of: Timestamp,
    /// The rung stood on then.
    pub rung: Rung,
    /// The phase that is proposed.
    pub wished_phase: Phase,
    /// The attempt that is proposed.
    pub attempt: u32,
    /// Fields that are not what they were.
    pub changes: Vec<Change>,
    /// What is not allowed, so that it would be refused or held.
    pub refused: Vec<Block>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// Rungs that would be entered, in their order, if every gate opens.
    pub rungs: Vec<Rung>,
    /// What cannot be taken back on the way.
    pub irreversible: Vec<Milestone>,
    /// The gates on the way, and how they stand now.
    pub gates: Vec<GateAhead>,
    /// The pause of writes on the way; left out where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_pause: Option<WritePause>,
    /// Who agrees to it.
    pub approvals: ApprovalsAhead,
}

/// A rung that changes something for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Milestone {
    /// Which.
    pub rung: Rung,
    /// What.
    pub what: String,
}

/// What a gate is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Asked {
    /// Before the rung counts as reached.
    ToReach(Rung),
    /// Before the rung is entered.
    ToEnter(Rung),
}

/// One gate on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateAhead {
    /// For what.
    pub asked: Asked,
    /// Its stable name.
    pub name: String,
    /// How it stands now; left out where it is judged only once the migration has come nearer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// How long nobody could write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WritePause {
    /// The part that is measured: the lag that has to be drained. Left out where none is proven now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_seconds: Option<f64>,
    /// When it is given up by itself.
    pub budget_seconds: u64,
    /// Where the figures come from, and what they leave out.
    pub basis: String,
}

/// Approvals of what is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalsAhead {
    /// How they count, for this very proposal.
    pub report: ApprovalReport,
    /// How many are still missing.
    pub missing: u32,
    /// Whether the digest is another than that of the spec in force: approvals of that one do not count for this one.
    pub digest_changes: bool,
}

impl Proposal {
    /// Whether it changes nothing and nothing is on its way.
    pub const fn is_idle(&self) -> bool {
        self.changes.is_empty() && self.rungs.is_empty()
    }

    /// Gates that are judged and closed or unknown now.
    pub fn held_by(&self) -> impl Iterator<Item = &GateAhead> {
        self.gates.iter().filter(|gate| gate.standing.as_ref().is_some_and(|standing| !standing.is_open()))
    }
}

/// Holds `proposed` against `live`, of which `status` was published last.
pub fn propose(live: &Migration, status: &MigrationStatus, proposed: &Migration) -> Proposal {
    let scene = Scene { live, status, proposed };
    let refused = scene.refused();
    let rungs = if refused.is_empty() { scene.rungs() } else { Vec::new() };
    let on_the_way = |rung: &Rung| Some(Milestone { rung: *rung, what: route::irreversible(*rung)?.to_owned() });
    Proposal {
        migration: proposed.name().clone(),
        as_of: status.observed_at,
        rung: status.rung,
        wished_phase: proposed.spec.phase,
        attempt: proposed.spec.attempt,
        changes: changes(live, proposed),
        irreversible: rungs.iter().filter_map(on_the_way).collect(),
        gates: scene.gates(&rungs),
        write_pause: scene.write_pause(&rungs),
        approvals: scene.approvals(),
        notes: scene.notes(),
        refused,
        rungs,
    }
}

/// Everything that the judgement looks at.
#[derive(Clone, Copy)]
struct Scene<'a> {
    live: &'a Migration,
    status: &'a MigrationStatus,
    proposed: &'a Migration,
}

impl Scene<'_> {
    /// Whether the resources are frozen, as far as the status tells: a first fence has closed in this attempt.
    const fn is_frozen(&self) -> bool {
        !matches!(self.status.rung, Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed)
    }

    fn is_past_no_return(&self) -> bool {
        match self.status.rung {
            Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => false,
            Rung::Fence | Rung::Drain | Rung::Aborted => false,
            Rung::Arm => self.standing(Gate::NoReturnPassed).is_some_and(Standing::is_open),
            Rung::Open | Rung::Flip | Rung::Observing | Rung::Completed => true,
            Rung::RollbackFence | Rung::RollbackFlip | Rung::RollbackOpen => true,
            Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => true,
        }
    }

    /// As [`moves::at_rest`](super::moves::at_rest) has it, by what is published.
    fn is_at_rest(&self) -> bool {
        match self.status.rung {
            Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated => true,
            Rung::RollbackArmed => self.status.hooks.is_empty(),
            Rung::Aborted => gates::arrival(Rung::Aborted).iter().all(|gate| self.standing(*gate).is_some_and(Standing::is_open)),
            Rung::RollbackOpen => self.status.phase == Some(Phase::RolledBack),
            Rung::Fence | Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip => false,
            Rung::Observing | Rung::Completed | Rung::RollbackFence | Rung::RollbackFlip => false,
            Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => false,
        }
    }

    fn is_another_attempt(&self) -> bool {
        self.proposed.spec.attempt > self.status.attempt
    }

    /// The rung from which the way is counted: a new attempt begins at the bottom.
    fn start(&self) -> Rung {
        if self.is_another_attempt() && self.is_at_rest() { Rung::Preflight } else { self.status.rung }
    }

    fn standing(&self, gate: Gate) -> Option<&Standing> {
        let name = gate.name();
        self.status.gates.iter().find(|report| report.name == name).map(|report| &report.standing)
    }

    fn refused(&self) -> Vec<Block> {
        let (spec, status) = (&self.proposed.spec, self.status);
        let frozen = check_change(self.live, self.proposed, self.is_frozen());
        let mut refused: Vec<Block> = frozen
            .into_iter()
            .map(|finding| Block {
                reason: Reason(format!("{:?}", finding.code)),
                message: format!("{}: {} (accepted: {}); {}", finding.path, finding.found, finding.accepted, finding.advice),
            })
            .collect();
        let attempt = wish::against_attempt(spec.attempt, status.attempt, status.rung, || self.is_at_rest());
        refused.extend(attempt.filter(|block| refused.iter().all(|known| known.reason != block.reason)));
        let spent = || {
            let how = if status.rung == Rung::Aborted { "aborted" } else { "rolled back" };
            (!self.is_another_attempt()).then(|| wish::spent(status.attempt, how))
        };
        refused.extend(wish::against_phase(spec.phase, self.start(), self.is_past_no_return(), spent));
        refused
    }

    fn rungs(&self) -> Vec<Rung> {
        let spec = &self.proposed.spec;
        let is_forced = spec.rollback.forced.is_some() && !self.status.rollback.ready;
        let wish = Wish { phase: spec.phase, is_paused: spec.paused, is_forced };
        let start = self.start();
        let begins = (start != self.status.rung).then_some(start);
        begins.into_iter().chain(route::ahead(start, self.is_past_no_return(), wish)).collect()
    }

    fn notes(&self) -> Vec<String> {
        let spec = &self.proposed.spec;
        let mut notes = Vec::new();
        if spec.attempt == self.live.spec.attempt
            && let Ok(Promotion::Allowed(said)) = judge(self.live, spec.phase, Some(self.status))
        {
            notes.extend(said);
        }
        if spec.paused {
            notes.push("spec.paused is true: observing only, nothing is changed".into());
        }
        let may_be_frozen = !self.is_frozen() && self.status.attempt > 1;
        let touched = if may_be_frozen { check_change(self.live, self.proposed, true) } else { Vec::new() };
        if !touched.is_empty() {
            let paths: Vec<&str> = touched.iter().map(|finding| finding.path.as_str()).collect();
            notes.push(format!("refused if a fence has ever closed, which a status does not tell: {}", paths.join(", ")));
        }
        if spec.phase < self.live.spec.phase && self.is_at_or_below(spec.phase) {
            notes.push(format!("an earlier phase undoes nothing: it stays at {}, and is not taken further", self.status.rung));
        }
        if let Some(error) = &self.status.spec_error {
            notes.push(format!("the newest file is not in force, so that this is held against the one before: {error}"));
        }
        notes
    }

    /// Whether the migration already stands above an earlier phase, before any fence.
    fn is_at_or_below(&self, phase: Phase) -> bool {
        !self.is_frozen() && self.status.rung.reaches() > Some(phase)
    }

    fn gates(&self, rungs: &[Rung]) -> Vec<GateAhead> {
        let start = self.start();
        let begins = rungs.first() == Some(&start) && start != self.status.rung;
        let mut ahead = Vec::new();
        let mut ask = |asked: Asked, list: &[Gate]| {
            ahead.extend(list.iter().map(|gate| GateAhead { asked, name: gate.name(), standing: self.now(*gate) }));
        };
        if !begins {
            ask(Asked::ToReach(self.status.rung), gates::arrival(self.status.rung));
        }
        for rung in rungs {
            ask(Asked::ToEnter(*rung), route::entry(*rung));
            ask(Asked::ToReach(*rung), gates::arrival(*rung));
        }
        ahead
    }

    /// How a gate stands, with what the proposal itself changes of it.
    fn now(&self, gate: Gate) -> Option<Standing> {
        match gate {
            Gate::Approved => Some(approvals::standing(self.proposed, self.status.observed_at)),
            Gate::AttemptFree if self.is_another_attempt() => {
                Some(Standing::Open(format!("attempt {} has not been tried", self.proposed.spec.attempt)))
            }
            gate => self.standing(gate).cloned(),
        }
    }

    fn write_pause(&self, rungs: &[Rung]) -> Option<WritePause> {
        let cutover = self.proposed.spec.cutover.write_pause_budget.duration();
        let forced = self.proposed.spec.rollback.forced.as_ref().and_then(|forced| forced.write_pause_budget);
        let measured = |task: &str, lag: Option<f64>| match lag {
            Some(lag) => format!(
                "{task} replication is {lag:.1} s behind by the newest heartbeat in the status of {:.0}; the calls that close and \
                 open come on top, and resolvers may keep the old address for {} more (spec.dns.ttl)",
                self.status.observed_at, self.proposed.spec.dns.ttl
            ),
            None => {
                format!("no heartbeat has proven the lag of {task} replication in the status of {:.0}", self.status.observed_at)
            }
        };
        let (drain_seconds, budget, basis) = if rungs.contains(&Rung::Fence) {
            (self.status.forward.lag_seconds, cutover, measured("forward", self.status.forward.lag_seconds))
        } else if rungs.contains(&Rung::RollbackFence) {
            (self.status.reverse.lag_seconds, cutover, measured("reverse", self.status.reverse.lag_seconds))
        } else if rungs.contains(&Rung::ForcedFence) {
            let budget = forced.map_or(cutover, |budget| budget.duration());
            (None, budget, "the export reads every table while both sides are closed; `bascule quarantine` shows how long".into())
        } else {
            return None;
        };
        Some(WritePause { drain_seconds, budget_seconds: budget.as_secs(), basis })
    }

    fn approvals(&self) -> ApprovalsAhead {
        let digest = cutover_digest(self.proposed);
        let digest_changes = digest != cutover_digest(self.live);
        let report = approvals::report(self.proposed, digest, self.status.observed_at);
        let counted = u32::try_from(report.counted.len()).unwrap_or(u32::MAX);
        ApprovalsAhead { missing: report.required.saturating_sub(counted), digest_changes, report }
    }
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
