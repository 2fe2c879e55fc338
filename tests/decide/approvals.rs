//! Whose word counts for a cutover, and what makes it void.

use bascule::migration::approvals::{cutover_digest, report, standing};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::Standing;
use bascule::names::PlanDigest;
use bascule::spec::{Approval, Migration, Phase};
use jiff::{SignedDuration, Timestamp};

use super::common::{Story, migration};

fn now() -> Timestamp {
    "2026-03-08T02:00:00Z".parse().expect("a time")
}

fn asking(required: u32) -> Migration {
    let mut migration = migration();
    migration.spec.cutover.approvals.required = required;
    migration
}

fn approval(migration: &Migration, by: &str) -> Approval {
    let at = now() - SignedDuration::from_mins(5);
    Approval { by: by.into(), at, attempt: migration.spec.attempt, plan_digest: cutover_digest(migration) }
}

/// Two people are asked for; `ada` agrees properly, and `grace` in the way that `change` says.
fn with_second(change: impl FnOnce(&mut Approval)) -> Migration {
    let mut migration = asking(2);
    let mut second = approval(&migration, "grace");
    change(&mut second);
    migration.spec.approvals = vec![approval(&migration, "ada"), second];
    migration
}

fn refused(migration: &Migration, why: &str) {
    let report = report(migration, cutover_digest(migration), now());
    assert_eq!(report.counted, ["ada"]);
    assert!(report.refused.len() == 1 && report.refused[0].contains(why), "{:?}", report.refused);
    let Standing::Closed(text) = standing(migration, now()) else { panic!("the gate is open all the same") };
    assert!(text.contains("1 approvals of 2") && text.contains(why), "{text}");
}

#[test]
fn two_people_who_name_this_plan_and_attempt_open_the_gate() {
    let migration = with_second(|_| {});
    assert!(standing(&migration, now()).is_open());
    assert!(report(&migration, cutover_digest(&migration), now()).refused.is_empty());
}

#[test]
fn where_nobody_is_asked_nobody_has_to_agree() {
    assert!(standing(&asking(0), now()).is_open());
}

#[test]
fn one_person_counts_once() {
    for same in ["ada", "Ada", " ADA ", "ada\t"] {
        refused(&with_second(|second| second.by = same.into()), "counted already");
    }
}

#[test]
fn an_expired_approval_does_not_count_and_the_last_moment_does() {
    refused(&with_second(|second| second.at = now() - SignedDuration::from_secs(4 * 3600 + 1)), "expired");
    let last_moment = with_second(|second| second.at = now() - SignedDuration::from_hours(4));
    assert!(standing(&last_moment, now()).is_open());
}

#[test]
fn an_approval_of_another_attempt_does_not_count() {
    refused(&with_second(|second| second.attempt = 2), "attempt 2");
}

#[test]
fn an_approval_of_another_plan_does_not_count() {
    refused(&with_second(|second| second.plan_digest = PlanDigest("0".repeat(64))), "another plan");
}

#[test]
fn an_approval_dated_in_the_future_does_not_count() {
    refused(&with_second(|second| second.at = now() + SignedDuration::from_secs(1)), "yet to come");
}

#[test]
fn a_changed_plan_voids_every_approval_and_a_changed_wish_none() {
    let mut migration = with_second(|_| {});
    migration.spec.phase = Phase::CutOver;
    migration.spec.paused = true;
    assert!(standing(&migration, now()).is_open(), "when to do it is no part of what is done");
    migration.spec.cutover.write_pause_budget = serde_json::from_str("\"45s\"").expect("a period");
    assert!(!standing(&migration, now()).is_open());
    assert_eq!(report(&migration, cutover_digest(&migration), now()).refused.len(), 2);
}

#[test]
fn without_enough_approvals_the_first_fence_is_never_closed() {
    let mut story = Story::begin();
    story.migration.spec.cutover.approvals.required = 1;
    story.wish(Phase::CutOver);
    story.until(|story| story.facts.reached.contains_key(&Phase::RollbackArmed));
    for _ in 0..20 {
        let _ = story.turn();
        assert_eq!(story.facts.rung, Rung::RollbackArmed);
    }
    let approval = Approval { by: "ada".into(), at: story.now, attempt: 1, plan_digest: cutover_digest(&story.migration) };
    story.migration.spec.approvals.push(approval);
    story.until(|story| story.facts.rung == Rung::Fence);
}
