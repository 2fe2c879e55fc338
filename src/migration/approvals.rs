//! Approvals: distinct people, unexpired, naming this attempt and the plan they saw. A changed plan voids them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::ladder::Rung;
use super::plan::Standing;
use super::status::ApprovalReport;
use crate::clock::after;
use crate::names::PlanDigest;
use crate::spec::{Approval, Migration, Phase};

/// The digest of the cutover as it would be carried out: everything in the spec that has a say in it, and the ladder itself.
///
/// The wished phase, `paused`, the approvals and the word of who would force a rollback are left out: they say when and who, not
/// what.
pub fn cutover_digest(migration: &Migration) -> PlanDigest {
    let mut said = migration.clone();
    said.spec.phase = Phase::CutOver;
    said.spec.paused = false;
    said.spec.approvals.clear();
    said.spec.rollback.forced = None;
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(&said).unwrap_or_default());
    for rung in Rung::ALL {
        hash.update(format!("{rung}{:?}", rung.posture()));
    }
    PlanDigest(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Which approvals count, which do not and why.
pub fn report(migration: &Migration, digest: PlanDigest, now: Timestamp) -> ApprovalReport {
    let (mut counted, mut people) = (Vec::new(), BTreeSet::new());
    let mut refused = Vec::new();
    for approval in &migration.spec.approvals {
        match refusal(approval, migration, &digest, now) {
            Some(why) => refused.push(format!("{}: {why}", approval.by)),
            None if people.insert(approval.person()) => counted.push(approval.by.clone()),
            None => refused.push(format!("{}: counted already", approval.by)),
        }
    }
    ApprovalReport { required: migration.spec.cutover.approvals.required, counted, refused, plan_digest: digest }
}

fn refusal(approval: &Approval, migration: &Migration, digest: &PlanDigest, now: Timestamp) -> Option<String> {
    let expires = after(approval.at, migration.spec.cutover.approvals.expire_after.duration());
    if approval.attempt != migration.spec.attempt {
        Some(format!("is for attempt {}", approval.attempt))
    } else if &approval.plan_digest != digest {
        Some("names another plan; the spec has changed since".into())
    } else if approval.at > now {
        Some(format!("is dated {:.0}, which is yet to come", approval.at))
    } else if now > expires {
        Some(format!("expired at {expires:.0}"))
    } else {
        None
    }
}

/// The gate.
pub fn standing(migration: &Migration, now: Timestamp) -> Standing {
    let (need, attempt) = (migration.spec.cutover.approvals.required, migration.spec.attempt);
    if need == 0 {
        return Standing::Open("the spec asks for no approvals".into());
    }
    if migration.spec.approvals.is_empty() {
        // Most of the time; the digest takes longer than all other gates together.
        return Standing::Closed(format!("0 approvals of {need} for attempt {attempt} and this plan"));
    }
    let report = report(migration, cutover_digest(migration), now);
    let have = report.counted.len();
    if have >= need as usize {
        return Standing::Open(format!("{have} approvals of {need}: {}", report.counted.join(", ")));
    }
    let mut why = format!("{have} approvals of {need} for attempt {attempt} and this plan");
    if !report.refused.is_empty() {
        why.push_str(&format!("; not counted: {}", report.refused.join(", ")));
    }
    Standing::Closed(why)
}
