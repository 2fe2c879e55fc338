//! Gates of what was proven by looking: pages, upstreams, caches, schemas, names, traffic.

use jiff::Timestamp;

use super::{Gate, Scene};
use crate::checks::board::Stand;
use crate::checks::declared::Declared;
use crate::checks::outcome::{CheckKind, Verdict};
use crate::clock::after;
use crate::migration::plan::Standing;

/// The gate of a kind of check.
pub const fn gate_of(kind: CheckKind) -> Gate {
    match kind {
        CheckKind::Page => Gate::PagesProven,
        CheckKind::Upstream => Gate::UpstreamsProven,
        CheckKind::Cache => Gate::CachesProven,
        CheckKind::Schema => Gate::SchemasAlike,
        CheckKind::Names => Gate::NamesAnswered,
        CheckKind::Traffic => Gate::TrafficEnded,
    }
}

/// Every declared check of one kind has passed often enough and lately, or is waived. What failed is told before what is unknown,
/// and that before what needs nothing but time.
pub(super) fn proven(scene: &Scene<'_>, kind: CheckKind) -> Standing {
    let (mut open, mut failed, mut unknown, mut counting) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let checks = &scene.migration.spec.checks;
    for check in of_kind(scene, kind) {
        if let Some(waiver) = checks.waiver(check.name(), scene.now) {
            open.push(waiver.to_string());
            continue;
        }
        match scene.seen.checks.stand(check.name(), checks, scene.now) {
            Stand::Proven(why) => open.push(why),
            Stand::Failed(why) => failed.push(why),
            Stand::Unknown(why) => unknown.push(why),
            Stand::Counting(why) => counting.push(why),
        }
    }
    match (failed.is_empty(), unknown.is_empty(), counting.is_empty()) {
        (false, _, _) => Standing::Closed(failed.join("; ")),
        (true, false, _) => Standing::Unknown(unknown.join("; ")),
        (true, true, false) => Standing::Closed(counting.join("; ")),
        (true, true, true) if open.is_empty() => Standing::Open("none is declared".into()),
        (true, true, true) => Standing::Open(open.join("; ")),
    }
}

fn of_kind<'a>(scene: &Scene<'a>, kind: CheckKind) -> impl Iterator<Item = Declared<'a>> {
    Declared::all(&scene.migration.spec.checks).filter(move |check| check.kind() == kind)
}

/// When the next run of a check is due whose gate is among `closed`.
pub fn next_run(scene: &Scene<'_>, closed: &[Gate]) -> Option<Timestamp> {
    let checks = &scene.migration.spec.checks;
    let interval = checks.interval.duration();
    let waited_for = Declared::all(checks).filter(|check| closed.contains(&gate_of(check.kind())));
    let due = waited_for.filter_map(|check| scene.seen.checks.entry(check.name()));
    due.map(|entry| after(entry.at, entry.due_after(interval))).filter(|at| *at > scene.now).min()
}

/// What keeps failing behind one of the gates `closed`: as often in a row as it would have to pass. Waiting does not mend that.
pub fn failing<'a>(scene: &Scene<'a>, closed: &[Gate]) -> Vec<String> {
    let checks = &scene.migration.spec.checks;
    let waited_for = Declared::all(checks).filter(|check| closed.contains(&gate_of(check.kind())));
    let keeps_failing = waited_for.filter(|check| checks.waiver(check.name(), scene.now).is_none()).filter_map(|check| {
        let entry = scene.seen.checks.entry(check.name())?;
        let often = entry.failures_in_a_row() >= checks.consecutive_passes as usize;
        let still = entry.newest.verdict == Verdict::Fail;
        (often && still).then(|| format!("{} keeps failing: {}", check.name(), entry.newest.message))
    });
    keeps_failing.collect()
}
