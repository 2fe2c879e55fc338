//! Gates of the target's binary log, which the way back depends on.

use super::{Scene, unknown_of};
use crate::controllers::{Steps, binlog};
use crate::migration::plan::Standing;
use crate::sighting::Sighting;

pub(super) fn parameter_group_own(scene: &Scene<'_>) -> Standing {
    let group = &scene.migration.spec.binlog.parameter_group;
    match &scene.seen.binlog.shared_with {
        Sighting::Present(others) if !others.is_empty() => {
            let names: Vec<&str> = others.iter().map(|cluster| cluster.as_str()).collect();
            Standing::Closed(format!("{group} is also attached to {}; name a group of its own", names.join(", ")))
        }
        Sighting::Present(_) | Sighting::Absent => Standing::Open(format!("{group} is this cluster's alone")),
        sighting @ Sighting::Unknown { .. } => unknown_of("the clusters that share the parameter group", sighting),
    }
}

pub(super) fn in_effect(scene: &Scene<'_>) -> Standing {
    match binlog::standing(&scene.seen.binlog, &binlog_terms(scene)) {
        Ok(evidence) => Standing::Open(evidence),
        Err(steps) if scene.seen.binlog.cluster.is_unknown() || scene.seen.binlog.parameters.is_unknown() => {
            Standing::Unknown(steps.waiting.first().map_or_else(String::new, |wait| wait.message.clone()))
        }
        Err(steps) => Standing::Closed(why_not_in_effect(&steps)),
    }
}

/// What is still to be done about the binary log, in words.
fn why_not_in_effect(steps: &Steps<binlog::BinlogAction>) -> String {
    let blocks = steps.blocked.iter().map(|block| block.message.clone());
    let waits = steps.waiting.iter().map(|wait| wait.message.clone());
    let actions = steps.actions.iter().map(|action| format!("next: {action}"));
    blocks.chain(waits).chain(actions).next().unwrap_or_else(|| "not in effect yet".into())
}

/// What the binlog room needs of the spec and of now.
pub fn binlog_terms<'a>(scene: &Scene<'a>) -> binlog::BinlogTerms<'a> {
    let spec = &scene.migration.spec;
    binlog::BinlogTerms {
        group: &spec.binlog.parameter_group,
        cluster: &spec.target.cluster,
        retention_hours: spec.binlog.retention.hours_rounded_up(),
        window: spec.binlog.maintenance_window.within_margins(),
        now: scene.now,
    }
}

pub(super) fn retention_covers_window(scene: &Scene<'_>) -> Standing {
    let spec = &scene.migration.spec;
    let Some(target) = scene.seen.target.present() else {
        return unknown_of("the target database", &scene.seen.target);
    };
    let wanted = spec.observation.window.hours_rounded_up().max(spec.binlog.retention.hours_rounded_up());
    match target.binlog.retention_hours {
        Some(hours) if hours >= wanted => Standing::Open(format!("binary logs are kept for {hours} h")),
        Some(hours) => Standing::Closed(format!("binary logs are kept for {hours} h, {wanted} h needed")),
        None => Standing::Closed("binary logs are purged whenever Aurora likes".into()),
    }
}
