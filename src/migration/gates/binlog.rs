//! Gates of the two binary logs: legacy's, which the way there is read from, and the target's, which the way back depends on.

use super::{Scene, unknown_of};
use crate::controllers::{Steps, binlog};
use crate::database::{BinlogView, LogForm};
use crate::migration::plan::Standing;
use crate::sighting::Sighting;

/// Hours that legacy has to keep its log. DMS asks for a day: a load of many hours, or a task that stood still overnight, goes on
/// where it was.
const LEGACY_KEPT_HOURS: u32 = 24;

pub(super) fn legacy_log_readable(scene: &Scene<'_>) -> Standing {
    let Some(legacy) = scene.seen.legacy.present() else {
        return unknown_of("the legacy database", &scene.seen.legacy);
    };
    let faults = legacy_log_faults(&legacy.binlog);
    if faults.is_empty() {
        return Standing::Open("legacy logs rows with full images, uncompressed, and keeps them long enough".into());
    }
    Standing::Closed(format!("DMS could not read legacy's changes: {}", faults.join("; ")))
}

/// Each setting of legacy's log that DMS cannot work with, and what to set. Its checksum is none of them: DMS reads both.
fn legacy_log_faults(log: &BinlogView) -> Vec<String> {
    if !log.enabled {
        return vec!["no binary log is written; start legacy with --log-bin".to_owned()];
    }
    let mut faults = Vec::new();
    for (name, found, wished) in [("binlog_format", &log.format, "ROW"), ("binlog_row_image", &log.row_image, "FULL")] {
        if !found.eq_ignore_ascii_case(wished) {
            faults.push(format!("@@{name} is {found}; set it to {wished}, and let every session connect anew"));
        }
    }
    if log.form == LogForm::Compressed {
        faults.push("the log is compressed; switch that off".to_owned());
    }
    match log.retention_hours {
        Some(hours) if hours >= LEGACY_KEPT_HOURS => {}
        Some(hours) => faults.push(format!("binary logs are kept for {hours} h; keep them for {LEGACY_KEPT_HOURS} h")),
        None => faults.push(format!("nothing says how long binary logs are kept; keep them for {LEGACY_KEPT_HOURS} h")),
    }
    faults
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> BinlogView {
        BinlogView {
            enabled: true,
            format: "ROW".to_owned(),
            row_image: "full".to_owned(),
            checksum: "CRC32".to_owned(),
            form: LogForm::Plain,
            retention_hours: Some(24),
            oldest: None,
        }
    }

    #[test]
    fn each_setting_that_dms_cannot_read_is_named_with_its_cure_and_nothing_else_is() {
        assert_eq!(legacy_log_faults(&log()), Vec::<String>::new());
        let table = [
            (BinlogView { enabled: false, ..log() }, "start legacy with --log-bin"),
            (BinlogView { format: "MIXED".to_owned(), ..log() }, "@@binlog_format is MIXED; set it to ROW"),
            (BinlogView { row_image: "MINIMAL".to_owned(), ..log() }, "@@binlog_row_image is MINIMAL; set it to FULL"),
            (BinlogView { form: LogForm::Compressed, ..log() }, "compressed; switch that off"),
            (BinlogView { retention_hours: Some(23), ..log() }, "kept for 23 h; keep them for 24 h"),
            (BinlogView { retention_hours: None, ..log() }, "nothing says how long"),
        ];
        for (found, told) in table {
            let faults = legacy_log_faults(&found);
            assert!(faults.len() == 1 && faults[0].contains(told), "{faults:?}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let all = BinlogView {
            format: "STATEMENT".to_owned(),
            row_image: "MINIMAL".to_owned(),
            form: LogForm::Compressed,
            retention_hours: None,
            ..log()
        };
        assert_eq!(legacy_log_faults(&all).len(), 4);
    }
}
