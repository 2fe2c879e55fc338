//! What a proposal means, wherever the migration stands.

use super::*;
use crate::migration::plan::GateReport;
use crate::names::PlanDigest;
use crate::spec::{Approval, Period};

/// What a controller published at RollbackArmed.
fn live() -> (Migration, MigrationStatus) {
    let mut object: serde_json::Value = serde_json::from_str(include_str!("../../tests/fixtures/live.json")).expect("JSON");
    let status = serde_json::from_value(object["status"].take()).expect("a status");
    object["metadata"] = serde_json::json!({ "name": "payments" });
    object.as_object_mut().expect("an object").remove("status");
    (serde_json::from_value(object).expect("a migration"), status)
}

/// The proposal of `edit`, where the migration stands at `rung`.
fn proposal(rung: Rung, edit: impl Fn(&mut Migration)) -> Proposal {
    let (live, mut status) = live();
    status.rung = rung;
    let mut proposed = live.clone();
    edit(&mut proposed);
    propose(&live, &status, &proposed)
}

fn asked(phase: Phase) -> impl Fn(&mut Migration) {
    move |migration| migration.spec.phase = phase
}

fn reasons(proposal: &Proposal) -> Vec<&str> {
    proposal.refused.iter().map(|block| block.reason.0.as_str()).collect()
}

#[test]
fn the_same_spec_changes_nothing() {
    let proposal = proposal(Rung::RollbackArmed, |_| {});
    assert!(proposal.is_idle() && proposal.refused.is_empty() && proposal.write_pause.is_none());
    assert!(!proposal.approvals.digest_changes);
}

#[test]
fn what_is_not_allowed_is_said_in_the_words_of_the_pass() {
    let other_host = |migration: &mut Migration| migration.spec.target.database.host = "elsewhere.example.com".into();
    let raised = |migration: &mut Migration| migration.spec.attempt = 2;
    type Edit<'e> = &'e dyn Fn(&mut Migration);
    let table: [(Rung, Edit<'_>, &[&str], &str); 9] = [
        (Rung::RollbackArmed, &asked(Phase::RolledBack), &["NothingToRollBack"], "has never taken a write"),
        (Rung::Observing, &asked(Phase::Prepared), &["PastNoReturn"], "Prepared cannot be asked for any more"),
        (Rung::Observing, &asked(Phase::Completed), &[], ""),
        (Rung::Completed, &asked(Phase::RolledBack), &["RollbackGivenUp"], "its way back is retired"),
        (Rung::Aborted, &asked(Phase::CutOver), &["AttemptLatched"], "attempt 1 was aborted; raise spec.attempt"),
        (Rung::Observing, &raised, &["AttemptUnderWay", "PastNoReturn"], "attempt 1 stands at Observing"),
        (Rung::Validated, &other_host, &[], ""),
        (Rung::Drain, &other_host, &["IdentityChanged"], "spec.target.database.host: `elsewhere.example.com`, which was"),
        (Rung::Drain, &|migration: &mut Migration| migration.spec.attempt = 0, &["AttemptLowered"], "attempt 0, which was 1"),
    ];
    for (rung, edit, expected, words) in table {
        let proposal = proposal(rung, edit);
        assert_eq!(reasons(&proposal), expected, "at {rung}");
        let said: String = proposal.refused.iter().map(|block| block.message.as_str()).collect();
        assert!(said.contains(words), "at {rung}: {said}");
        assert!(expected.is_empty() || proposal.rungs.is_empty(), "nothing is walked that is not allowed");
    }
}

#[test]
fn a_cutover_tells_its_way_its_fences_its_pause_and_who_is_missing() {
    let proposal = proposal(Rung::RollbackArmed, asked(Phase::CutOver));
    assert_eq!(proposal.rungs, [Rung::Fence, Rung::Drain, Rung::Arm, Rung::Open, Rung::Flip, Rung::Observing]);
    let milestones: Vec<Rung> = proposal.irreversible.iter().map(|it| it.rung).collect();
    assert_eq!(milestones, [Rung::Fence, Rung::Arm]);
    let pause = proposal.write_pause.expect("writes pause");
    assert_eq!((pause.drain_seconds, pause.budget_seconds), (Some(1.4), 30));
    assert!(pause.basis.contains("forward replication is 1.4 s behind by the newest heartbeat"), "{}", pause.basis);
    assert_eq!((proposal.approvals.missing, proposal.approvals.report.required), (2, 2));
    let held: Vec<&str> = proposal
        .gates
        .iter()
        .filter(|gate| matches!(gate.standing, Some(Standing::Closed(_))))
        .map(|gate| gate.name.as_str())
        .collect();
    assert_eq!(held, ["Approved", "ParityFresh"]);
    let drained = proposal.gates.iter().find(|gate| gate.name == "Drained").expect("a gate on the way");
    assert_eq!((drained.asked, &drained.standing), (Asked::ToReach(Rung::Drain), &None), "nobody has judged it yet");
}

#[test]
fn a_lag_that_nobody_has_measured_is_not_made_up() {
    let (live, mut status) = live();
    status.forward.lag_seconds = None;
    let mut proposed = live.clone();
    proposed.spec.phase = Phase::CutOver;
    let pause = propose(&live, &status, &proposed).write_pause.expect("writes pause");
    assert_eq!(pause.drain_seconds, None);
    assert!(pause.basis.starts_with("no heartbeat has proven the lag"), "{}", pause.basis);
}

#[test]
fn another_plan_voids_the_approvals_of_this_one() {
    let (live, status) = live();
    let approval = |digest: PlanDigest| Approval { by: "ada".into(), at: status.observed_at, attempt: 1, plan_digest: digest };
    let mut proposed = live.clone();
    proposed.spec.approvals = vec![approval(cutover_digest(&live))];
    let same = propose(&live, &status, &proposed);
    assert_eq!((same.approvals.missing, same.approvals.digest_changes), (1, false));
    proposed.spec.cutover.write_pause_budget = Period::from_secs(45);
    let other = propose(&live, &status, &proposed);
    assert_eq!((other.approvals.missing, other.approvals.digest_changes), (2, true));
    assert_eq!(other.approvals.report.plan_digest, cutover_digest(&proposed));
}

#[test]
fn a_raised_attempt_begins_at_the_bottom_once_the_last_one_rests() {
    let (live, mut status) = live();
    status.rung = Rung::Aborted;
    status.gates = ["LegacyOpen", "HooksAfterAbort"]
        .map(|name| GateReport { name: name.into(), standing: Standing::Open("it is".into()) })
        .into();
    let mut proposed = live.clone();
    (proposed.spec.attempt, proposed.spec.phase) = (2, Phase::Prepared);
    assert_eq!(propose(&live, &status, &proposed).rungs, [Rung::Preflight, Rung::Prepared]);
    status.gates.clear();
    assert_eq!(propose(&live, &status, &proposed).rungs, [], "legacy has to open first");
}

#[test]
fn what_would_freeze_only_if_a_fence_ever_closed_is_a_warning_and_not_a_refusal() {
    let (live, mut status) = live();
    status.attempt = 2;
    let mut live = live;
    live.spec.attempt = 2;
    let mut proposed = live.clone();
    proposed.spec.dns.shadow.name = "other.example.com".into();
    let proposal = propose(&live, &status, &proposed);
    assert_eq!(reasons(&proposal), [""; 0]);
    assert!(proposal.notes.iter().any(|note| note.contains("spec.dns.shadow.name")), "{:?}", proposal.notes);
}

#[test]
fn a_pause_walks_nowhere_and_says_so() {
    let proposal = proposal(Rung::RollbackArmed, |migration| {
        (migration.spec.paused, migration.spec.phase) = (true, Phase::CutOver);
    });
    assert_eq!(proposal.rungs, []);
    assert!(proposal.notes.iter().any(|note| note.starts_with("spec.paused is true")), "{:?}", proposal.notes);
}
