//! Rules about a rollback that accepts a loss. Whether it still counts is a matter of the hour, and is not decided here.

use super::{Rule, when};
use crate::spec::Migration;
use crate::spec::code::Code;
use crate::spec::finding::Finding;

pub(super) const RULES: &[Rule] = &[a_loss_is_explained, only_a_declared_attempt, a_forced_pause_lasts];

fn a_loss_is_explained(migration: &Migration, findings: &mut Vec<Finding>) {
    let Some(forced) = &migration.spec.rollback.forced else { return };
    let texts = [
        ("by", &forced.by, "by nobody", "a name that the team knows"),
        ("why", &forced.why, "without a reason", "a sentence for whoever has to bring the rows in afterwards"),
    ];
    for (field, text, how, accepted) in texts {
        findings.extend(when(text.trim().is_empty(), || {
            let path = format!("spec.rollback.forced.{field}");
            let found = format!("a loss of writes is accepted {how}");
            Finding::new(Code::UnexplainedLoss, &path, found, accepted, "write it down, or remove `spec.rollback.forced`")
        }));
    }
}

fn only_a_declared_attempt(migration: &Migration, findings: &mut Vec<Finding>) {
    let (Some(forced), declared) = (&migration.spec.rollback.forced, migration.spec.attempt) else { return };
    findings.extend(when(forced.attempt != declared, || {
        let found = format!("attempt {} may be forced back, and attempt {declared} is declared", forced.attempt);
        let advice = "it counts for nothing here: write it anew for the attempt that it is meant for, or remove it";
        let path = "spec.rollback.forced.attempt";
        Finding::new(Code::LossOfAnotherAttempt, path, found, &format!("`{declared}`, the value of `spec.attempt`"), advice)
    }));
}

fn a_forced_pause_lasts(migration: &Migration, findings: &mut Vec<Finding>) {
    let Some(budget) = migration.spec.rollback.forced.as_ref().and_then(|forced| forced.write_pause_budget) else { return };
    let usual = migration.spec.cutover.write_pause_budget;
    findings.extend(when(budget < usual, || {
        let found = format!("a pause of `{budget}` for an export of every row that legacy lacks");
        let accepted = format!("`{usual}` or more, the value of `spec.cutover.writePauseBudget`");
        let advice = "leave it out or raise it: the export reads every table of both sides";
        Finding::new(Code::ForcedPauseTooShort, "spec.rollback.forced.writePauseBudget", found, &accepted, advice)
    }));
}
