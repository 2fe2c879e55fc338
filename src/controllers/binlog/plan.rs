//! What still keeps the target's binary log from being in effect, and the next step towards it.

use std::collections::BTreeMap;

use super::{BinlogAction, BinlogSighting, BinlogTerms, BinlogWish, Cluster, Member};
use crate::controllers::{Block, Steps, Wait};
use crate::database::{BinlogView, LogForm};
use crate::sighting::Sighting;

/// What DMS needs of a MySQL source, and Aurora lets a cluster parameter group say. `binlog_row_image` is not among them:
/// Aurora does not let it be changed, so it is only verified.
const WISHED: [(&str, &str); 2] = [("binlog_format", "ROW"), ("binlog_checksum", "NONE")];

/// The next steps.
pub fn plan(wish: BinlogWish, seen: &BinlogSighting, terms: &BinlogTerms) -> Steps<BinlogAction> {
    match wish {
        BinlogWish::NotYet => Steps::settled(),
        BinlogWish::InEffect => standing(seen, terms).err().unwrap_or_default(),
        BinlogWish::Guarded => guarded(standing(seen, terms).err().unwrap_or_default()),
    }
}

/// What would be repaired at another time is only reported: a reboot now would cut off the payments, or the way back.
fn guarded(steps: Steps<BinlogAction>) -> Steps<BinlogAction> {
    let mut blocked = steps.blocked;
    let drifts = steps.actions.iter().map(|action| format!("the binary log drifted; not done under guard: {action}"));
    blocked.extend(drifts.map(|drift| Block::new("BinlogDrifted", drift)));
    Steps { actions: Vec::new(), waiting: steps.waiting, blocked }
}

/// The evidence that the binary log is in effect and kept long enough, or else what is missing: the one step to take, to
/// await or to be helped with. Gates and the plan are judged by this same function.
pub fn standing(seen: &BinlogSighting, terms: &BinlogTerms) -> Result<String, Steps<BinlogAction>> {
    let cluster = known("ClusterUnknown", &seen.cluster)?.ok_or_else(|| {
        let message = format!("there is no DB cluster {}; correct `target.cluster`", terms.cluster);
        Steps::block(Block::new("ClusterMissing", message))
    })?;
    group_is_ours_alone(seen, terms)?;
    let parameters = known("ParametersUnknown", &seen.parameters)?.ok_or_else(|| Steps::act(BinlogAction::CreateGroup))?;
    parameters_are_wished(parameters)?;
    group_is_attached(cluster, terms)?;
    let writer = writer_is_in_sync(cluster, terms)?;
    let binlog = known("BinlogUnknown", &seen.in_effect)?
        .ok_or_else(|| Steps::wait(Wait::new("BinlogUnknown", "SQL told nothing about the target's binary log")))?;
    sql_agrees(binlog)?;
    let hours = retention_is_long_enough(binlog, terms)?;
    Ok(format!(
        "{writer} writes row events with full images, no checksum and no compression (API and SQL agree), kept for {hours} hours"
    ))
}

fn known<'a, T>(reason: &'static str, sighting: &'a Sighting<T>) -> Result<Option<&'a T>, Steps<BinlogAction>> {
    match sighting {
        Sighting::Present(value) => Ok(Some(value)),
        Sighting::Absent => Ok(None),
        Sighting::Unknown { why } => Err(Steps::wait(Wait::new(reason, why))),
    }
}

/// A parameter set in a shared group would be set for every cluster attached to it, so this comes before any change.
fn group_is_ours_alone(seen: &BinlogSighting, terms: &BinlogTerms) -> Result<(), Steps<BinlogAction>> {
    let others = known("ParameterGroupUsersUnknown", &seen.shared_with)?.map_or(&[][..], Vec::as_slice);
    if !others.is_empty() {
        let others: Vec<&str> = others.iter().map(|other| other.as_str()).collect();
        let message =
            format!("the parameter group {} is also used by {}; give this cluster its own", terms.group, others.join(", "));
        return Err(Steps::block(Block::new("ParameterGroupShared", message)));
    }
    if terms.group.as_str().starts_with("default.") {
        let message = format!("{} is a default group, which RDS does not let anybody change; name one of your own", terms.group);
        return Err(Steps::block(Block::new("DefaultParameterGroup", message)));
    }
    Ok(())
}

fn parameters_are_wished(parameters: &BTreeMap<String, String>) -> Result<(), Steps<BinlogAction>> {
    let is = |name: &str, value: &str| parameters.get(name).is_some_and(|found| found.eq_ignore_ascii_case(value));
    if parameters.contains_key("binlog_row_image") && !is("binlog_row_image", "FULL") {
        let message = "the parameter group sets binlog_row_image to something else than FULL; DMS would lose columns".to_owned();
        return Err(Steps::block(Block::new("RowImageNotFull", message)));
    }
    if is("binlog_transaction_compression", "ON") || is("binlog_transaction_compression", "1") {
        let message = "the parameter group compresses binary log transactions, which DMS cannot read; switch it off".to_owned();
        return Err(Steps::block(Block::new("BinlogCompressed", message)));
    }
    let differing: BTreeMap<String, String> = WISHED
        .iter()
        .filter(|(name, value)| !is(name, value))
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    if differing.is_empty() { Ok(()) } else { Err(Steps::act(BinlogAction::SetParameters { parameters: differing })) }
}

fn group_is_attached(cluster: &Cluster, terms: &BinlogTerms) -> Result<(), Steps<BinlogAction>> {
    if cluster.parameter_group.as_str().eq_ignore_ascii_case(terms.group.as_str()) {
        return Ok(());
    }
    if cluster.status != "available" {
        let message = format!("the cluster is {}; the parameter group is attached once it is available", cluster.status);
        return Err(Steps::wait(Wait::new("ClusterNotAvailable", message)));
    }
    Err(Steps::act(BinlogAction::AttachGroup))
}

fn writer_is_in_sync<'a>(cluster: &'a Cluster, terms: &BinlogTerms) -> Result<&'a str, Steps<BinlogAction>> {
    let Some(writer) = cluster.writer() else {
        return Err(Steps::wait(Wait::new("WriterUnknown", "no single member of the cluster says that it is the writer")));
    };
    match writer.parameter_group_status.as_str() {
        "in-sync" => Ok(writer.instance.as_str()),
        "pending-reboot" => Err(reboot(writer, cluster, terms)),
        "failed-to-apply" => {
            let message =
                format!("RDS could not apply the parameter group to the writer {}; look at its events", writer.instance);
            Err(Steps::block(Block::new("ParameterGroupFailed", message)))
        }
        other => {
            let message = format!("the parameter group is {other} at the writer {}", writer.instance);
            Err(Steps::wait(Wait::new("ParameterGroupApplying", message)))
        }
    }
}

/// RDS never applies a pending reboot by itself, not even in the maintenance window. A reboot is refused unless the instance
/// is available.
fn reboot(writer: &Member, cluster: &Cluster, terms: &BinlogTerms) -> Steps<BinlogAction> {
    match &cluster.writer_status {
        Sighting::Present(status) if status == "available" => {}
        Sighting::Present(status) => {
            return Steps::wait(Wait::new("WriterNotAvailable", format!("the writer {} is {status}", writer.instance)));
        }
        Sighting::Absent => return Steps::wait(Wait::new("WriterUnknown", format!("{} was not found", writer.instance))),
        Sighting::Unknown { why } => return Steps::wait(Wait::new("WriterUnknown", why)),
    }
    if terms.window.is_open(terms.now) {
        return Steps::act(BinlogAction::RebootWriter { instance: writer.instance.clone() });
    }
    let message = format!("the writer {} is rebooted in the maintenance window {}", writer.instance, terms.window);
    Steps::wait(Wait::until("AwaitingMaintenanceWindow", message, terms.window.next_opening(terms.now)))
}

/// The API calls the writer in sync. SQL has the last word, but no second reboot follows from it: when both keep disagreeing,
/// a reboot on every pass would be worse than waiting for a person.
fn sql_agrees(binlog: &BinlogView) -> Result<(), Steps<BinlogAction>> {
    let is = |found: &str, wished: &str| found.eq_ignore_ascii_case(wished);
    if binlog.enabled && !is(&binlog.row_image, "FULL") {
        let message = format!("@@binlog_row_image is {} at the writer; DMS needs FULL, and Aurora decides it", binlog.row_image);
        return Err(Steps::block(Block::new("RowImageNotFull", message)));
    }
    // A parameter of the instance's own group, or a hand, may say otherwise than the cluster's group.
    if binlog.enabled && binlog.form == LogForm::Compressed {
        let message =
            "SQL shows @@binlog_transaction_compression on at the writer, and DMS cannot read that; switch it off".to_owned();
        return Err(Steps::block(Block::new("BinlogCompressed", message)));
    }
    if binlog.enabled && is(&binlog.format, "ROW") && is(&binlog.checksum, "NONE") {
        return Ok(());
    }
    let message = format!(
        "RDS calls the writer in-sync, yet SQL shows @@log_bin {}, @@binlog_format {}, @@binlog_checksum {}; if it stays so, \
         reboot the writer by hand in the maintenance window",
        u8::from(binlog.enabled),
        binlog.format,
        binlog.checksum
    );
    Err(Steps::wait(Wait::new("BinlogNotInEffect", message)))
}

fn retention_is_long_enough(binlog: &BinlogView, terms: &BinlogTerms) -> Result<u32, Steps<BinlogAction>> {
    match binlog.retention_hours {
        Some(hours) if hours >= terms.retention_hours => Ok(hours),
        Some(_) | None => Err(Steps::act(BinlogAction::SetRetention { hours: terms.retention_hours })),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
