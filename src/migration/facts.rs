//! Durable facts: what the journal holds, and what they add up to.
//!
//! Facts are only ever appended. [`Facts`] is their fold, so that a restarted controller knows exactly what its predecessor
//! had made durable, and replaying any prefix is harmless.

mod sentence;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ladder::Rung;
use super::plan::GateReport;
use super::reverse::Tries;
use crate::controllers::dns::DnsPurpose;
use crate::controllers::hooks::{HookAnswer, HookRecords};
use crate::database::BinlogPosition;
use crate::names::{ChangeId, HookName, MarkerId, Side, TableName};
use crate::parity::exporter::Quarantined;
use crate::parity::report::{Report, Verdict};
use crate::spec::checks::Waiver;
use crate::spec::{HookPoint, Phase};

/// Why a marker travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MarkerPurpose {
    /// Written on legacy after its fence, awaited on the target: forward replication is drained.
    Drain,
    /// Written on the target after it opened, awaited on legacy: reverse replication works.
    ReverseProof,
    /// Written on the target after its fence, awaited on legacy: reverse replication is drained.
    RollbackDrain,
}

impl MarkerPurpose {
    /// The side that writes it.
    pub const fn written_on(self) -> Side {
        match self {
            Self::Drain => Side::Legacy,
            Self::ReverseProof | Self::RollbackDrain => Side::Target,
        }
    }

    /// A word for the marker's id.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::ReverseProof => "reverse-proof",
            Self::RollbackDrain => "rollback-drain",
        }
    }
}

/// One durable fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fact {
    /// A numbered attempt begins: progress starts again at `Prepared`.
    AttemptBegun {
        /// Its number.
        attempt: u32,
    },
    /// The migration stands on this rung from now on.
    Entered {
        /// Which.
        rung: Rung,
    },
    /// All of a phase's gates were open at once.
    Reached {
        /// Which.
        phase: Phase,
    },
    /// Gates that were open when a phase was reached or a switch began, with what opened them. Comes right before that.
    GatesOpened {
        /// Which, and by what.
        gates: Vec<GateReport>,
    },
    /// The identity fields of the spec, fixed from the first fence on.
    IdentityFrozen {
        /// SHA-256 of them.
        digest: String,
    },
    /// A batch is about to be sent to Route 53: durable first, so that a lost answer loses nothing.
    ChangeIntended {
        /// Why.
        purpose: DnsPurpose,
        /// The TTL that caches may still hold.
        old_ttl_seconds: u64,
    },
    /// Route 53 accepted a batch.
    ChangeSubmitted {
        /// Why it was sent.
        purpose: DnsPurpose,
        /// Its id; `None` when the answer was lost and the records were found changed.
        change: Option<ChangeId>,
        /// The TTL that caches may still hold.
        old_ttl_seconds: u64,
    },
    /// All authoritative servers answer the batch.
    ChangeInSync {
        /// Which batch.
        purpose: DnsPurpose,
    },
    /// Tables were reloaded to cure duplicate keys. Counted before the call is made.
    TablesReloaded {
        /// Which.
        tables: Vec<TableName>,
    },
    /// Both sides' rows were compared.
    ParityCompared {
        /// Rows compared.
        rows: u64,
        /// Tables that differ, apart from declared validation writes; empty when clean.
        differing: Vec<TableName>,
        /// Table by table. Journals of earlier versions have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Box<Report>>,
    },
    /// A side's fence was proven closed.
    FenceProven {
        /// Which side.
        side: Side,
        /// The end of its binary log then; `None` where it writes none.
        position: Option<BinlogPosition>,
    },
    /// A marker row was written.
    MarkerWritten {
        /// Why.
        purpose: MarkerPurpose,
        /// Its id.
        marker: MarkerId,
    },
    /// A marker row was seen on the other side.
    MarkerSeen {
        /// Why it travelled.
        purpose: MarkerPurpose,
    },
    /// Where reverse replication starts: the end of the target's binary log, fenced and drained.
    ReverseStartRecorded {
        /// There.
        position: BinlogPosition,
    },
    /// From here on a cutover only goes forward; going back is a rollback.
    PointOfNoReturn,
    /// The reverse task was seen running from its recorded position; from now on it is only ever resumed.
    ReverseStarted,
    /// The reverse task was down and is about to be resumed: durable before the call, so that no try goes uncounted.
    ReverseResumed,
    /// A resumed reverse task has stayed up, with heartbeats crossing: its tries are forgotten.
    ReverseRecovered,
    /// The pause of writes ended: the side that was to open was seen open.
    WritesOpened {
        /// Which side.
        side: Side,
    },
    /// The cutover was given up before the point of no return.
    Aborted {
        /// Why.
        why: String,
    },
    /// A rollback was given up before legacy opened: the target takes writes again.
    RollbackAbandoned {
        /// Why.
        why: String,
    },
    /// A rollback begins that loses writes to legacy, on somebody's word.
    RollbackForced {
        /// Whose.
        by: String,
        /// Why going back is worth it.
        why: String,
    },
    /// Every row that legacy lacks is saved: legacy may open without them.
    RowsQuarantined {
        /// How many of which table, and where.
        quarantined: Quarantined,
    },
    /// The operator took the abandoned rollback back, so that it may be asked for again.
    RollbackWithdrawn,
    /// Other checks are waived than before.
    WaiversInForce {
        /// All that are in force now; empty when none is any more.
        waivers: Vec<Waiver>,
    },
    /// Hooks are about to be called. Counted before the calls are made.
    HooksCalled {
        /// At which point.
        point: HookPoint,
        /// Which.
        hooks: Vec<HookName>,
    },
    /// What came of calls to hooks.
    HooksAnswered {
        /// At which point.
        point: HookPoint,
        /// Each hook's answer.
        answers: BTreeMap<HookName, HookAnswer>,
    },
}

/// A batch on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Its id, if the answer came.
    pub id: Option<ChangeId>,
    /// When it was accepted or found.
    pub submitted_at: Timestamp,
    /// The TTL that caches may still hold.
    pub old_ttl_seconds: u64,
    /// When all authoritative servers were known to answer it.
    pub in_sync_at: Option<Timestamp>,
}

/// A marker on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MarkerFact {
    /// Its id.
    pub marker: MarkerId,
    /// When it was written.
    pub written_at: Timestamp,
    /// When it was seen on the other side.
    pub seen_at: Option<Timestamp>,
}

/// One comparison of both sides' rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParityFact {
    /// When it began: no row that was read is older.
    pub at: Timestamp,
    /// Rows compared.
    pub rows: u64,
    /// Tables that differ.
    pub differing: Vec<TableName>,
    /// Clean comparisons in a row, this one included. One that found nothing out is not among them, and does not interrupt them.
    pub clean_in_a_row: u32,
    /// Table by table, where it is known.
    pub report: Option<Report>,
}

impl ParityFact {
    /// Whether something is certain to differ.
    pub fn differs(&self) -> bool {
        match &self.report {
            Some(report) => report.verdict == Verdict::Differs,
            None => !self.differing.is_empty(),
        }
    }

    /// What keeps it from being clean, one sentence each; empty when it is. What could not be compared is not clean.
    pub fn complaints(&self) -> Vec<String> {
        match &self.report {
            Some(report) => report.complaints(),
            None if self.differing.is_empty() => Vec::new(),
            None => vec![format!("{} differ", self.differing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))],
        }
    }
}

/// Who answers for a rollback that loses writes to legacy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForcedFact {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When it began.
    pub at: Timestamp,
}

/// How a cutover attempt ended without its goal, if it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Latch {
    /// Nothing is latched.
    Free,
    /// The attempt was aborted; it is never tried again.
    Aborted {
        /// When.
        at: Timestamp,
        /// Why.
        why: String,
    },
    /// The attempt was rolled back; it is never tried again.
    RolledBack {
        /// When the rollback began.
        at: Timestamp,
    },
}

/// What all facts add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The attempt under way.
    pub attempt: u32,
    /// The rung stood on.
    pub rung: Rung,
    /// Since when.
    pub rung_since: Option<Timestamp>,
    /// When each rung of this attempt was entered last.
    pub entered: BTreeMap<Rung, Timestamp>,
    /// When each phase was reached, in this attempt.
    pub reached: BTreeMap<Phase, Timestamp>,
    /// The frozen identity.
    pub identity: Option<String>,
    /// DNS batches, the newest of each purpose.
    pub changes: BTreeMap<DnsPurpose, Change>,
    /// Batches sent whose answer is not known, with the TTL that caches may still hold.
    pub intended: BTreeMap<DnsPurpose, u64>,
    /// Where the public name was flipped last, by us.
    pub last_flip: Option<DnsPurpose>,
    /// Reloads of each table in this attempt.
    pub reloads: BTreeMap<TableName, u32>,
    /// The newest comparison of this attempt.
    pub parity: Option<ParityFact>,
    /// Proven fences of this attempt, the newest of each side.
    pub fences: BTreeMap<Side, Option<BinlogPosition>>,
    /// Markers of this attempt.
    pub markers: BTreeMap<MarkerPurpose, MarkerFact>,
    /// Where reverse replication starts in this attempt.
    pub reverse_start: Option<BinlogPosition>,
    /// When the point of no return was passed in this attempt.
    pub point_of_no_return: Option<Timestamp>,
    /// When the reverse task was first seen running in this attempt.
    pub reverse_started: Option<Timestamp>,
    /// Resumes of the reverse task since it was well last; `None` while it needs none.
    pub reverse_tries: Option<Tries>,
    /// Whether the target was ever opened to the application, in any attempt: from then on its rows are not replaceable.
    pub target_opened: Option<Timestamp>,
    /// When the present pause of writes began, if one is on: at the first fence, until a side is seen open again.
    pub pause_began: Option<Timestamp>,
    /// The latch of this attempt.
    pub latch: Latch,
    /// Why the last rollback was given up; cleared when the operator withdraws it.
    pub rollback_abandoned: Option<String>,
    /// Waivers of checks that were in force last.
    pub waivers: Vec<Waiver>,
    /// Who forced the newest rollback of this attempt; `None` where it waited for every write.
    pub forced: Option<ForcedFact>,
    /// The rows that it has saved for a person to bring in.
    pub quarantine: Option<Quarantined>,
    /// Calls to hooks in this attempt.
    pub hooks: HookRecords,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            attempt: 1,
            rung: Rung::Preflight,
            rung_since: None,
            entered: BTreeMap::new(),
            reached: BTreeMap::new(),
            identity: None,
            changes: BTreeMap::new(),
            intended: BTreeMap::new(),
            last_flip: None,
            reloads: BTreeMap::new(),
            parity: None,
            fences: BTreeMap::new(),
            markers: BTreeMap::new(),
            reverse_start: None,
            point_of_no_return: None,
            reverse_started: None,
            reverse_tries: None,
            target_opened: None,
            pause_began: None,
            latch: Latch::Free,
            rollback_abandoned: None,
            waivers: Vec::new(),
            forced: None,
            quarantine: None,
            hooks: HookRecords::default(),
        }
    }
}

impl Facts {
    /// The fold of a journal.
    pub fn of<'a>(facts: impl IntoIterator<Item = &'a (Timestamp, Fact)>) -> Self {
        let mut sum = Self::default();
        for (at, fact) in facts {
            sum.apply(*at, fact);
        }
        sum
    }

    /// Adds one fact.
    pub fn apply(&mut self, at: Timestamp, fact: &Fact) {
        match fact {
            Fact::AttemptBegun { attempt } => self.begin(*attempt, at),
            Fact::Entered { rung } => self.enter(*rung, at),
            Fact::Reached { phase } => {
                self.reached.entry(*phase).or_insert(at);
            }
            // Evidence for whoever asks later; nothing is decided by it.
            Fact::GatesOpened { .. } => {}
            Fact::IdentityFrozen { digest } => self.identity = Some(digest.clone()),
            Fact::ChangeIntended { purpose, old_ttl_seconds } => {
                self.intended.insert(*purpose, *old_ttl_seconds);
                self.changes.remove(purpose);
            }
            Fact::ChangeSubmitted { purpose, change, old_ttl_seconds } => {
                self.intended.remove(purpose);
                let change = Change { id: change.clone(), submitted_at: at, old_ttl_seconds: *old_ttl_seconds, in_sync_at: None };
                self.changes.insert(*purpose, change);
                if matches!(purpose, DnsPurpose::FlipToTarget | DnsPurpose::FlipToLegacy) {
                    self.last_flip = Some(*purpose);
                }
            }
            Fact::ChangeInSync { purpose } => {
                if let Some(change) = self.changes.get_mut(purpose) {
                    change.in_sync_at.get_or_insert(at);
                }
            }
            Fact::TablesReloaded { tables } => {
                for table in tables {
                    *self.reloads.entry(table.clone()).or_default() += 1;
                }
            }
            Fact::ParityCompared { rows, differing, report } => {
                let before = self.parity.as_ref().map_or(0, |parity| parity.clean_in_a_row);
                let began = report.as_ref().map_or(at, |report| report.began);
                let report = report.as_deref().cloned();
                let mut parity =
                    ParityFact { at: began, rows: *rows, differing: differing.clone(), clean_in_a_row: before, report };
                parity.clean_in_a_row = match (parity.differs(), parity.complaints().is_empty()) {
                    (true, _) => 0,
                    (false, true) => before + 1,
                    (false, false) => before,
                };
                self.parity = Some(parity);
            }
            Fact::FenceProven { side, position } => {
                self.fences.insert(*side, position.clone());
            }
            Fact::MarkerWritten { purpose, marker } => {
                let fact = MarkerFact { marker: marker.clone(), written_at: at, seen_at: None };
                self.markers.insert(*purpose, fact);
            }
            Fact::MarkerSeen { purpose } => {
                if let Some(marker) = self.markers.get_mut(purpose) {
                    marker.seen_at.get_or_insert(at);
                }
            }
            Fact::ReverseStartRecorded { position } => {
                self.reverse_start.get_or_insert_with(|| position.clone());
            }
            Fact::PointOfNoReturn => {
                self.point_of_no_return.get_or_insert(at);
            }
            Fact::ReverseStarted => {
                self.reverse_started.get_or_insert(at);
            }
            Fact::ReverseResumed => {
                let count = self.reverse_tries.map_or(0, |tries| tries.count).saturating_add(1);
                self.reverse_tries = Some(Tries { count, last_at: at });
            }
            Fact::ReverseRecovered => self.reverse_tries = None,
            Fact::WritesOpened { .. } => self.pause_began = None,
            Fact::Aborted { why } => self.latch = Latch::Aborted { at, why: why.clone() },
            Fact::RollbackAbandoned { why } => {
                self.rollback_abandoned = Some(why.clone());
                // The target goes on from here: what was saved of it is no longer all.
                (self.forced, self.quarantine) = (None, None);
            }
            Fact::RollbackForced { by, why } => {
                self.forced = Some(ForcedFact { by: by.clone(), why: why.clone(), at });
                self.quarantine = None;
            }
            Fact::RowsQuarantined { quarantined } => self.quarantine = Some(quarantined.clone()),
            Fact::RollbackWithdrawn => self.rollback_abandoned = None,
            Fact::WaiversInForce { waivers } => self.waivers.clone_from(waivers),
            Fact::HooksCalled { point, hooks } => self.hooks.called(at, *point, hooks),
            Fact::HooksAnswered { point, answers } => self.hooks.answered(at, *point, answers),
        }
    }

    fn begin(&mut self, attempt: u32, at: Timestamp) {
        let kept = std::mem::take(self);
        *self = Self {
            attempt,
            identity: kept.identity,
            changes: kept.changes,
            intended: kept.intended,
            last_flip: kept.last_flip,
            target_opened: kept.target_opened,
            waivers: kept.waivers,
            ..Self::default()
        };
        self.enter(Rung::Preflight, at);
    }

    fn enter(&mut self, rung: Rung, at: Timestamp) {
        self.rung = rung;
        self.rung_since = Some(at);
        self.entered.insert(rung, at);
        match rung {
            Rung::Fence => self.pause_began = Some(at),
            Rung::Open => {
                self.target_opened.get_or_insert(at);
            }
            Rung::RollbackFence | Rung::ForcedFence => {
                self.pause_began = Some(at);
                // A second rollback of the same attempt proves everything anew.
                self.quarantine = None;
                self.fences.remove(&Side::Target);
                self.markers.remove(&MarkerPurpose::RollbackDrain);
            }
            Rung::RollbackOpen => self.latch = Latch::RolledBack { at },
            _ => {}
        }
    }

    /// Whether the cutover of this attempt can only go forward.
    pub const fn is_past_no_return(&self) -> bool {
        self.point_of_no_return.is_some()
    }

    /// Whether writes are paused, so that every second counts.
    pub const fn writes_are_paused(&self) -> bool {
        self.pause_began.is_some()
    }
}
