//! How long the target's binary logs carry the way back: what legacy has seen, what is kept, and what is the oldest still there.

use std::time::Duration;

use jiff::Timestamp;

use super::gates::Scene;
use super::ladder::Rung;
use super::plan::Standing;
use super::status::RollbackLimit;
use crate::clock::{after, elapsed};
use crate::database::DatabaseView;
use crate::names::Side;
use crate::sighting::Sighting;

/// Until when a rollback stays possible, and what ends it; `None` where nobody can say.
pub fn possible_until(scene: &Scene<'_>) -> Option<(Timestamp, RollbackLimit)> {
    let window = scene.migration.spec.observation.window.duration();
    let ends = scene.facts.entered.get(&Rung::Observing).map(|began| (after(*began, window), RollbackLimit::ObservationWindow));
    let purge = (purged_at(scene)?, RollbackLimit::BinlogPurge);
    ends.into_iter().chain([purge]).min_by_key(|(at, _)| *at)
}

/// When the log that reverse replication reads next may be purged. Retention that promises nothing promises nothing beyond what
/// legacy has seen already.
fn purged_at(scene: &Scene<'_>) -> Option<Timestamp> {
    let kept_hours = scene.seen.target.present()?.binlog.retention_hours.unwrap_or(0);
    Some(after(seen_on_legacy(scene)?, Duration::from_secs(u64::from(kept_hours) * 3600)))
}

/// The newest of the target's own times that has come to legacy; the target's opening before the first has.
pub fn seen_on_legacy(scene: &Scene<'_>) -> Option<Timestamp> {
    let opened = scene.facts.entered.get(&Rung::Open).copied();
    let arrived = scene.seen.legacy.present().and_then(|view| view.heartbeats.get(&Side::Target).copied());
    arrived.or(opened)
}

/// Whether the target still has every binary log that reverse replication needs.
///
/// Before its first start it needs the recorded position. After it, DMS keeps the position to itself, and what has come to legacy
/// tells its age.
pub fn reverse_log_kept(scene: &Scene<'_>) -> Standing {
    let view = match &scene.seen.target {
        Sighting::Present(view) => view,
        Sighting::Absent => return Standing::Unknown("the target database answered nothing".into()),
        Sighting::Unknown { why } => return Standing::Unknown(format!("the target database could not be read: {why}")),
    };
    let cure = "writes between are lost to it: compare both sides (`bascule parity`), bring over what legacy lacks, or stay";
    let binlog = &view.binlog;
    let Some(oldest) = &binlog.oldest else {
        return Standing::Closed(format!("the target writes no binary log; {cure}"));
    };
    match (&scene.facts.reverse_start, scene.facts.reverse_started) {
        (Some(start), None) if start < oldest => Standing::Closed(format!(
            "reverse replication is to start at {start}, and the oldest binary log of the target begins at {oldest}; {cure}"
        )),
        (Some(_), Some(_)) if kept_less_than(scene, view) => Standing::Closed(format!(
            "legacy has seen nothing of the target for longer than its binary logs are kept ({} h); {cure}",
            binlog.retention_hours.unwrap_or(0)
        )),
        (Some(_), _) => Standing::Open(format!("the target's binary logs reach back to {oldest}")),
        (None, _) => Standing::Closed("the reverse start position is not recorded yet".into()),
    }
}

/// Whether the newest heartbeat that came to legacy is older than the promised retention. Both times are the target's own.
fn kept_less_than(scene: &Scene<'_>, target: &DatabaseView) -> bool {
    let arrived = scene.seen.legacy.present().and_then(|view| view.heartbeats.get(&Side::Target));
    let kept = target.binlog.retention_hours.map(|hours| Duration::from_secs(u64::from(hours) * 3600));
    matches!((arrived, kept), (Some(sent), Some(kept)) if elapsed(*sent, target.at) > kept)
}
