//! Rules about who agreed to what. Whether an approval still holds is a matter of the hour, and is not decided here.

use std::collections::BTreeSet;

use super::{Rule, when};
use crate::spec::Migration;
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};

pub(super) const RULES: &[Rule] = &[somebody_approves, everybody_has_a_name, each_person_once, only_declared_attempts];

fn somebody_approves(migration: &Migration, findings: &mut Vec<Finding>) {
    findings.extend(when(migration.spec.cutover.approvals.required == 0, || {
        let found = "no approval is required".to_owned();
        let advice = "raise it, unless the review of the pull request is the approval";
        Finding::new(Code::NobodyApproves, "spec.cutover.approvals.required", found, "`1` or more; `2` is usual", advice)
    }));
}

fn everybody_has_a_name(migration: &Migration, findings: &mut Vec<Finding>) {
    for (index, approval) in migration.spec.approvals.iter().enumerate() {
        findings.extend(when(approval.by.trim().is_empty(), || {
            let path = format!("spec.approvals[{index}].by");
            Finding::new(
                Code::EmptyText,
                &path,
                "an approval by nobody".to_owned(),
                "who approves",
                "write a name that the team knows",
            )
        }));
    }
}

fn each_person_once(migration: &Migration, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for (index, approval) in migration.spec.approvals.iter().enumerate() {
        findings.extend(when(!seen.insert((approval.person(), approval.attempt)), || {
            let found = format!("{} approves attempt {} twice", quoted(&approval.by), approval.attempt);
            let advice = "remove the older one; both count as one person";
            Finding::new(
                Code::ApprovedTwice,
                &format!("spec.approvals[{index}].by"),
                found,
                "each person once an attempt",
                advice,
            )
        }));
    }
}

fn only_declared_attempts(migration: &Migration, findings: &mut Vec<Finding>) {
    for (index, approval) in migration.spec.approvals.iter().enumerate() {
        findings.extend(when(approval.attempt > migration.spec.attempt, || {
            let found = format!("attempt {} is approved, and attempt {} is declared", approval.attempt, migration.spec.attempt);
            let accepted = format!("at most `{}`, the value of `spec.attempt`", migration.spec.attempt);
            let advice = "it counts for nothing until that attempt is declared";
            Finding::new(Code::FutureAttempt, &format!("spec.approvals[{index}].attempt"), found, &accepted, advice)
        }));
    }
}
