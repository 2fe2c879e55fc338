//! Going back without the reverse stream: only where it is lost, only by somebody's named word, and only once every row that
//! legacy lacks is saved.
//!
//! The stream is stopped for good while the target still takes writes, so that nothing arrives beside the export. Both sides are
//! fenced, the rows are saved, that is journalled, legacy opens, and the public name follows. Nothing is given up before legacy
//! opens: whatever fails until then, and whenever the word is taken back, the target takes writes again.

use std::time::Duration;

use super::facts::Fact;
use super::gates::{self, Gate, Scene};
use super::ladder::Rung;
use super::plan::{Action, Standing};
use super::purge;
use super::reverse;
use super::status::{ForcedReport, ForcedStanding};
use crate::clock::{after, elapsed};
use crate::controllers::replication::TableState;
use crate::controllers::{Steps, Wait};
use crate::names::{Direction, Side};
use crate::parity::exporter::{Export, ExportName, ExportStand};
use crate::sighting::Sighting;
use crate::spec::{Forced, Phase};

/// An export that failed is tried again after this long: a full disk or a lost connection is not mended sooner, and customers
/// wait.
const TRIED_AGAIN: Duration = Duration::from_secs(1);

/// What the spec's word amounts to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<'a> {
    /// Nobody has accepted any loss.
    NotGiven,
    /// Somebody has, and it does not count, for this reason.
    Void(String),
    /// It counts.
    Given(&'a Forced),
}

/// Reads the word. It is for one attempt, and begins nothing after its end.
pub fn word<'a>(scene: &Scene<'a>) -> Word<'a> {
    let (attempt, now) = (scene.facts.attempt, scene.now);
    match &scene.migration.spec.rollback.forced {
        None => Word::NotGiven,
        Some(forced) if forced.attempt != attempt => {
            Word::Void(format!("spec.rollback.forced is for attempt {}, and attempt {attempt} is under way", forced.attempt))
        }
        Some(Forced { until: Some(until), by, .. }) if now >= *until => {
            Word::Void(format!("spec.rollback.forced of {by} ended at {until:.0}"))
        }
        Some(forced) => Word::Given(forced),
    }
}

/// Whether the rung is one of a forced rollback before legacy opens.
pub const fn is_under_way(rung: Rung) -> bool {
    matches!(rung, Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport)
}

/// The gate of the word.
pub fn loss_accepted(scene: &Scene<'_>) -> Standing {
    match word(scene) {
        Word::Given(forced) => {
            Standing::Open(format!("{} accepts the loss of every write that legacy lacks: {}", forced.by, forced.why))
        }
        Word::Void(why) => Standing::Closed(why),
        Word::NotGiven => Standing::Closed("nobody accepts the loss of what legacy lacks in spec.rollback.forced".into()),
    }
}

/// The gate of the last resort: nothing is given up while reverse replication may still bring it.
pub fn way_back_lost(scene: &Scene<'_>) -> Standing {
    if let Some(why) = reverse::lost(scene) {
        return Standing::Open(why);
    }
    if let Standing::Closed(why) = Gate::ReverseLogKept.judge(scene) {
        return Standing::Open(why);
    }
    let tables = scene.seen.replication.tables(Direction::Reverse).present().into_iter().flatten();
    let lost: Vec<String> =
        tables.filter(|table| table.state == TableState::Error).map(|table| table.table.to_string()).collect();
    match (lost.is_empty(), &scene.seen.replication.reverse) {
        (false, _) => Standing::Open(format!("reverse replication brings nothing of {} any more", lost.join(", "))),
        (true, Sighting::Unknown { why }) => Standing::Unknown(format!("the reverse task could not be read: {why}")),
        (true, Sighting::Present(_) | Sighting::Absent) => {
            Standing::Closed("reverse replication may still bring legacy what it lacks".into())
        }
    }
}

/// The moves with which a forced rollback begins, if it may. Whoever answers for it is in the journal before anything is done.
pub fn begun(scene: &Scene<'_>) -> Option<Vec<Fact>> {
    let spec = &scene.migration.spec;
    let is_asked_for = spec.phase == Phase::RolledBack && !spec.paused && scene.facts.rollback_abandoned.is_none();
    let Word::Given(Forced { by, why, .. }) = word(scene) else { return None };
    let may = is_asked_for
        && matches!(scene.facts.rung, Rung::Flip | Rung::Observing)
        && gates::FORCED.iter().all(|gate| gate.judge(scene).is_open());
    let said = || vec![Fact::RollbackForced { by: by.clone(), why: why.clone() }, Fact::Entered { rung: Rung::ForcedStop }];
    may.then(said)
}

/// Why the word under which a forced rollback goes on is no more. Its end only keeps a fence from closing: what is fenced by
/// then is a moment from its goal.
pub fn withdrawn(scene: &Scene<'_>) -> Option<String> {
    match (scene.facts.rung, word(scene)) {
        (Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport, Word::NotGiven) => {
            Some("spec.rollback.forced was taken back".into())
        }
        (Rung::ForcedStop, Word::Void(why)) => Some(why),
        (Rung::ForcedFence | Rung::ForcedExport, Word::Void(why)) => {
            let of_this_attempt = scene.migration.spec.rollback.forced.as_ref();
            of_this_attempt.is_none_or(|forced| forced.attempt != scene.facts.attempt).then_some(why)
        }
        (_, _) => None,
    }
}

/// How long both sides may be closed at this rung.
pub fn pause_budget(scene: &Scene<'_>) -> Duration {
    let spec = &scene.migration.spec;
    let own = spec.rollback.forced.as_ref().and_then(|forced| forced.write_pause_budget);
    let usual = spec.cutover.write_pause_budget;
    own.filter(|_| is_under_way(scene.facts.rung)).unwrap_or(usual).duration()
}

/// One export for one try: its name must not be found by a second forced rollback of the same attempt.
fn name(scene: &Scene<'_>) -> ExportName {
    let began = scene.facts.entered.get(&Rung::ForcedFence).map_or(0, |at| at.as_millisecond());
    ExportName(format!("{}-attempt-{}-{began}", scene.migration.name(), scene.facts.attempt))
}

/// This try's export, as far as this process knows.
fn export_of_this_try<'a>(scene: &Scene<'a>) -> Option<&'a Export> {
    scene.seen.export.as_ref().filter(|export| export.name == name(scene))
}

/// Why the rows are not saved, if saving them failed last.
pub fn failure(scene: &Scene<'_>) -> Option<String> {
    match &export_of_this_try(scene)?.stand {
        ExportStand::Failed { why, .. } if scene.facts.quarantine.is_none() => Some(why.clone()),
        ExportStand::Failed { .. } | ExportStand::UnderWay | ExportStand::Saved(_) => None,
    }
}

/// Whether nothing moves that an export could miss.
pub fn stands_still(scene: &Scene<'_>) -> bool {
    [Gate::LegacyFenced, Gate::TargetFenced, Gate::ReverseStopped].iter().all(|gate| gate.judge(scene).is_open())
}

/// Saves the rows, again if it has to; legacy opens by no other way than that they are saved.
pub fn export(scene: &Scene<'_>) -> Steps<Action> {
    if scene.facts.quarantine.is_some() {
        return Steps::settled();
    }
    if !stands_still(scene) {
        return Steps::wait(Wait::new("ExportWaitsForFences", "rows are saved once both sides are closed and no stream runs"));
    }
    let name = name(scene);
    match export_of_this_try(scene).map(|export| &export.stand) {
        Some(ExportStand::UnderWay) => {
            Steps::wait(Wait::new("ExportUnderWay", "the rows that legacy lacks are being saved, both sides stay closed"))
        }
        Some(ExportStand::Failed { why, at }) if scene.now < after(*at, TRIED_AGAIN) => {
            let message = format!(
                "{why}. Both sides stay closed until it succeeds or the pause's budget ends; ask for CutOver to open the target"
            );
            Steps::wait(Wait::until("ExportFailed", message, after(*at, TRIED_AGAIN)))
        }
        // What is saved has been noticed before anything is planned.
        Some(ExportStand::Saved(_)) => Steps::settled(),
        Some(ExportStand::Failed { .. }) | None => Steps::act(Action::ExportRows { name }),
    }
}

/// The rows are saved, and nothing has moved since: that is what legacy may open on.
pub fn notice(scene: &Scene<'_>, facts: &mut Vec<Fact>) {
    let saved = match export_of_this_try(scene).map(|export| &export.stand) {
        Some(ExportStand::Saved(saved)) if scene.facts.quarantine.is_none() && stands_still(scene) => saved,
        _ => return,
    };
    facts.push(Fact::RowsQuarantined { quarantined: saved.clone() });
}

/// What an operator who is refused an ordinary rollback is told of this one.
pub fn hint(scene: &Scene<'_>) -> String {
    match (word(scene), way_back_lost(scene)) {
        (Word::Void(why), _) => format!("; it is not forced either: {why}"),
        (Word::NotGiven, Standing::Open(_)) => {
            "; whoever accepts that loss says so in spec.rollback.forced, and the rows at risk are exported before legacy opens"
                .into()
        }
        (Word::NotGiven, Standing::Closed(_) | Standing::Unknown(_)) => String::new(),
        (Word::Given(_), _) => format!("; it is not forced yet: {}", closed(scene).join("; ")),
    }
}

fn closed(scene: &Scene<'_>) -> Vec<String> {
    let judged = gates::FORCED.iter().map(|gate| (gate, gate.judge(scene)));
    judged
        .filter(|(_, standing)| !standing.is_open())
        .map(|(gate, standing)| format!("{}: {}", gate.name(), standing.text()))
        .collect()
}

/// What is published of it; nothing where no loss is near.
pub fn report(scene: &Scene<'_>) -> Option<ForcedReport> {
    let facts = scene.facts;
    let is_lost = way_back_lost(scene).is_open();
    let (standing, reasons) = match facts.rung {
        Rung::Open | Rung::Flip | Rung::Observing if is_lost || word(scene) != Word::NotGiven => {
            let closed = closed(scene);
            let standing = if closed.is_empty() { ForcedStanding::Ready } else { ForcedStanding::NotReady };
            (standing, if closed.is_empty() { vec![loss_accepted(scene).text().to_owned()] } else { closed })
        }
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => (ForcedStanding::UnderWay, answered_for(scene)),
        Rung::RollbackOpen if facts.forced.is_some() => (ForcedStanding::Forced, answered_for(scene)),
        _ => return None,
    };
    let quarantined = facts.quarantine.as_ref();
    let rows_at_risk = quarantined.map_or_else(|| new_rows(scene), |quarantined| Some(quarantined.rows()));
    let seconds_at_risk = (facts.rung != Rung::RollbackOpen).then(|| seconds(scene)).flatten();
    Some(ForcedReport { standing, reasons, seconds_at_risk, rows_at_risk, quarantined: quarantined.cloned() })
}

fn answered_for(scene: &Scene<'_>) -> Vec<String> {
    let said = scene.facts.forced.iter();
    said.map(|forced| format!("{} accepted the loss at {:.0}: {}", forced.by, forced.at, forced.why)).collect()
}

/// Since when legacy has seen nothing of the target, until its fence or now.
fn seconds(scene: &Scene<'_>) -> Option<u64> {
    let until = scene.facts.pause_began.unwrap_or(scene.now);
    purge::seen_on_legacy(scene).map(|seen| elapsed(seen, until).as_secs())
}

/// About so many rows were inserted that legacy lacks, by the numbers of rows on both sides when they were read last.
fn new_rows(scene: &Scene<'_>) -> Option<u64> {
    let (legacy, target) = (scene.seen.id_space(Side::Legacy).present()?, scene.seen.id_space(Side::Target).present()?);
    let shared = target.counters.iter().filter_map(|(table, there)| Some((there, legacy.counters.get(table)?)));
    let ahead = shared.map(|(there, here)| there.highest.saturating_sub(here.highest).div_ceil(target.stride.increment.max(1)));
    Some(ahead.sum())
}
