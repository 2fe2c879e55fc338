//! What is published: whole from the first pass, in a fixed order, by kstatus's rules, readable.

use bascule::clock::after;
use bascule::database::BinlogPosition;
use bascule::migration::approvals::cutover_digest;
use bascule::migration::derive::{Backstage, derive};
use bascule::migration::facts::Fact;
use bascule::migration::gates::{Gate, Scene};
use bascule::migration::ladder::Rung;
use bascule::migration::status::{ConditionStatus, ConditionType, MigrationStatus, RollbackLimit};
use bascule::names::Direction;
use bascule::spec::Phase;
use jiff::SignedDuration;

use super::common::Story;
use super::common::snapshot::assert_kept;
use super::common::world::{Blind, Door, Status};

const ORDER: [ConditionType; 13] = [
    ConditionType::Ready,
    ConditionType::Reconciling,
    ConditionType::Stalled,
    ConditionType::AwaitingPromotion,
    ConditionType::SpecAccepted,
    ConditionType::JournalWritable,
    ConditionType::Replicated,
    ConditionType::Consistent,
    ConditionType::Checked,
    ConditionType::Routed,
    ConditionType::Fenced,
    ConditionType::FenceProven,
    ConditionType::RollbackReady,
];

fn status_with(story: &Story, previous: Option<&MigrationStatus>, journal_error: Option<&str>) -> MigrationStatus {
    let seen = story.seen();
    let scene = Scene { migration: &story.migration, facts: &story.facts, seen: &seen, now: story.now };
    let cutover_digest = cutover_digest(&story.migration);
    let backstage = Backstage {
        generation: 7,
        cutover_digest,
        source: None,
        spec_error: None,
        journal_error,
        last_actions: Vec::new(),
        previous,
    };
    derive(&scene, &story.plan(), &backstage)
}

pub fn status(story: &Story) -> MigrationStatus {
    status_with(story, None, None)
}

fn word(status: &MigrationStatus, wanted: ConditionType) -> (ConditionStatus, String) {
    let found = status.conditions.iter().find(|condition| condition.condition_type == wanted);
    found.map(|condition| (condition.status, condition.reason.to_string())).expect("all conditions are published")
}

#[test]
fn all_conditions_are_there_from_the_first_pass_in_a_fixed_order() {
    let mut blind = Story::begin();
    blind.world.blind.extend(Blind::ALL);
    for story in [Story::begin(), blind, Story::aborted(), Story::resting(Phase::Completed)] {
        let status = status(&story);
        let order: Vec<ConditionType> = status.conditions.iter().map(|condition| condition.condition_type).collect();
        assert_eq!(order, ORDER);
        assert!(status.conditions.iter().all(|condition| condition.observed_generation == 7));
    }
}

#[test]
fn what_nobody_could_read_is_unknown_and_not_false() {
    let mut story = Story::resting(Phase::RollbackArmed);
    story.world.blind.extend(Blind::ALL);
    let status = status(&story);
    for kind in [ConditionType::Replicated, ConditionType::Routed, ConditionType::Fenced] {
        assert_eq!(word(&status, kind).0, ConditionStatus::Unknown, "{kind:?}");
    }
    assert_eq!((status.legacy_writes.as_str(), status.public_dns.as_str()), ("unknown", "unknown"));
}

#[test]
fn a_phase_at_rest_is_ready_and_awaits_its_promotion() {
    for phase in Phase::ALL {
        let mut story = Story::resting(phase);
        // A pass that has just compared is a busy one; the next is not.
        while !story.plan().is_idle() {
            let _ = story.turn();
        }
        let status = status(&story);
        let last = phase.next().is_none();
        let reason = if last { "Finished" } else { "AwaitingPromotion" };
        assert_eq!(word(&status, ConditionType::Ready), (ConditionStatus::True, reason.into()), "{phase}");
        assert_eq!(word(&status, ConditionType::Stalled).0, ConditionStatus::False, "{phase}");
        let awaiting = if last { ConditionStatus::False } else { ConditionStatus::True };
        assert_eq!(word(&status, ConditionType::AwaitingPromotion).0, awaiting, "{phase}");
        assert_eq!(status.phase, Some(phase));
    }
}

#[test]
fn never_ready_and_stalled_and_never_reconciling_and_stalled() {
    let mut story = Story::begin();
    story.wish(Phase::CutOver);
    let mut stories = vec![Story::aborted(), story.clone()];
    for _ in 0..120 {
        let _ = story.turn();
        stories.push(story.clone());
    }
    for story in stories {
        for journal_error in [None, Some("the disk is full")] {
            let status = status_with(&story, None, journal_error);
            let holds = |kind| word(&status, kind).0 == ConditionStatus::True;
            let headline = [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled].map(holds);
            assert!(!headline[2] || !(headline[0] || headline[1]), "{}: {headline:?}", status.rung);
            assert!(headline.contains(&true), "{} is neither ready, moving nor stalled", status.rung);
        }
    }
}

#[test]
fn only_what_a_person_can_help_is_stalled() {
    let aborted = status(&Story::aborted());
    assert_eq!(word(&aborted, ConditionType::Stalled), (ConditionStatus::True, "NeedsOperator".into()));
    let mut waiting = Story::resting(Phase::RollbackArmed);
    waiting.world.blind.insert(Blind::Dms);
    assert_eq!(word(&status(&waiting), ConditionType::Stalled).0, ConditionStatus::False, "a service that is away comes back");
    let full = status_with(&Story::resting(Phase::Prepared), None, Some("the disk is full"));
    assert_eq!(word(&full, ConditionType::JournalWritable).0, ConditionStatus::False);
    assert_eq!(word(&full, ConditionType::Stalled).0, ConditionStatus::True);
}

#[test]
fn a_transition_time_moves_only_with_its_status() {
    let mut story = Story::resting(Phase::CutOver);
    let first = status(&story);
    story.now += SignedDuration::from_secs(60);
    story.world.lagging = true;
    let second = status_with(&story, Some(&first), None);
    for (before, after) in first.conditions.iter().zip(&second.conditions) {
        let moved = before.last_transition_time != after.last_transition_time;
        assert_eq!(moved, before.status != after.status, "{:?}", after.condition_type);
    }
    let changed = second.conditions.iter().filter(|condition| condition.last_transition_time == story.now).count();
    assert!(changed > 0, "replication lags, and nothing says so");
}

#[test]
fn the_way_back_is_promised_no_longer_than_the_window_and_the_binary_log_last() {
    let mut story = Story::resting(Phase::CutOver);
    let began = story.facts.entered[&Rung::Observing];
    let window = after(began, std::time::Duration::from_secs(48 * 3600));
    assert_eq!(status(&story).rollback.possible_until, Some(window), "72 hours of log outlast the window");
    story.now = began + SignedDuration::from_hours(1);
    story.migration.spec.observation.window = serde_json::from_str("\"96h\"").expect("a period");
    let until = status(&story).rollback.possible_until.expect("it is possible");
    assert!(until < after(began, std::time::Duration::from_secs(96 * 3600)), "the log is purged before the window ends");
    assert_eq!(status(&story).rollback.limited_by, Some(RollbackLimit::BinlogPurge), "and it says which");
    story.world.blind.insert(Blind::Target);
    assert_eq!(status(&story).rollback.possible_until, None, "nobody knows how long the log is kept");
}

#[test]
fn a_reverse_position_older_than_the_oldest_log_is_no_way_back() {
    let mut story = Story::resting(Phase::CutOver);
    assert!(status(&story).rollback.ready);
    story.facts.reverse_started = None;
    story.facts.reverse_start = Some(BinlogPosition { file: "mysql-bin.000000".into(), offset: 4 });
    let rollback = status(&story).rollback;
    assert!(!rollback.ready && rollback.reasons[0].contains("oldest binary log"), "{rollback:?}");
    assert!(!story.judge(Gate::ReverseLogKept).is_open(), "and none is begun");
}

#[test]
fn a_rollback_is_ready_exactly_while_it_would_lose_nothing() {
    let story = Story::resting(Phase::CutOver);
    assert!(status(&story).rollback.ready);
    for hinder in [
        (|story: &mut Story| story.world.lagging = true) as fn(&mut Story),
        |story| story.world.reverse = None,
        |story| story.world.legacy.app = Door::Open,
        |story| {
            story.world.blind.insert(Blind::Dms);
        },
    ] {
        let mut story = story.clone();
        hinder(&mut story);
        let rollback = status(&story).rollback;
        assert!(!rollback.ready && !rollback.reasons.is_empty() && rollback.data_at_risk.contains("forced"));
    }
    for phase in [Phase::Preflight, Phase::RollbackArmed, Phase::Completed, Phase::RolledBack] {
        assert!(!status(&Story::resting(phase)).rollback.ready, "{phase}");
    }
}

#[test]
fn a_dead_way_back_is_told_everywhere_and_is_nobodys_rest() {
    let mut story = Story::resting(Phase::CutOver);
    for _ in 0..3 {
        story.record(&Fact::ReverseResumed);
    }
    story.world.task_mut(Direction::Reverse).as_mut().expect("the reverse task").status = Status::Failed;
    let status = status(&story);
    assert_eq!(word(&status, ConditionType::Stalled), (ConditionStatus::True, "NeedsOperator".into()));
    assert_eq!(word(&status, ConditionType::Ready), (ConditionStatus::False, "Held".into()));
    assert!(!status.rollback.ready);
    assert!(status.rollback.reasons.iter().any(|reason| reason.starts_with("ReverseReplicationDead: ")), "{status:?}");
    assert!(status.summary.contains("held: the reverse task was resumed 3 times"), "{}", status.summary);
}

#[test]
fn what_nobody_measures_is_not_called_near() {
    let mut story = Story::resting(Phase::CutOver);
    story.migration.spec.paused = true;
    let status = status(&story);
    assert_eq!(word(&status, ConditionType::Replicated), (ConditionStatus::Unknown, "NoHeartbeat".into()));
    assert!(!status.rollback.ready && status.reverse.lag_seconds.is_none(), "{status:?}");
}

#[test]
fn what_an_operator_reads_is_as_it_was_read() {
    let mut table = String::new();
    let mut say = |name: &str, story: &Story| {
        let status = status(story);
        table.push_str(&format!(
            "{name}\n  summary:  {}\n  next:     {}\n  rollback: {}; at risk: {}\n",
            status.summary,
            status.next_step,
            status.rollback.reasons.join("; "),
            status.rollback.data_at_risk
        ));
        if let Some(forced) = &status.rollback.forced {
            table.push_str(&format!("  forced:   {forced}\n"));
        }
    };
    say("first pass", &Story::begin());
    for phase in Phase::ALL {
        say(phase.name(), &Story::resting(phase));
    }
    for rung in [Rung::Fence, Rung::Drain, Rung::Arm, Rung::Open, Rung::Flip] {
        say(&format!("cutting over, {rung}"), &Story::entering(rung, Phase::CutOver));
    }
    for rung in [Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen] {
        say(&format!("rolling back, {rung}"), &Story::entering(rung, Phase::RolledBack));
    }
    let mut dead = Story::with_a_dead_way_back();
    say("the way back is dead", &dead);
    dead.wish(Phase::RolledBack);
    say("the way back is dead, and asked for", &dead);
    for rung in [Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport, Rung::RollbackOpen] {
        say(&format!("forced back, {rung}"), &Story::forced_to(rung));
    }
    say("aborted", &Story::aborted());
    let mut paused = Story::resting(Phase::RollbackArmed);
    paused.migration.spec.paused = true;
    say("paused", &paused);
    let mut unapproved = Story::resting(Phase::RollbackArmed);
    unapproved.migration.spec.cutover.approvals.required = 1;
    unapproved.wish(Phase::CutOver);
    say("without approvals", &unapproved);
    assert_kept("status.txt", &table);
}
