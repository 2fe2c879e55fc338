//! Every rung of the ladder: what is planned on the way, that nothing is planned once all is as asked for, and that one step
//! off is mended by exactly the action that undoes it.

use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::names::{Direction, Side};
use bascule::spec::Phase;

use super::common::Story;
use super::common::snapshot::assert_kept;
use super::common::world::{Blind, Door, Log, Status};

fn spoken(plan: &Plan) -> String {
    let actions = plan.actions.iter().map(Action::to_string);
    let waiting = plan.waiting.iter().map(|wait| format!("[waits: {}]", wait.reason));
    let blocked = plan.blocked.iter().map(|block| format!("[blocked: {}]", block.reason));
    let all: Vec<String> = actions.chain(waiting).chain(blocked).collect();
    if all.is_empty() { "nothing".into() } else { all.join("; ") }
}

/// `rung | plan` for each pass that does something.
fn told(story: &mut Story, until: impl Fn(&Story) -> bool) -> String {
    let mut lines = String::new();
    for _ in 0..400 {
        if until(story) {
            return lines;
        }
        let rung = story.facts.rung;
        let plan = story.turn();
        let line = format!("{rung} | {}\n", spoken(&plan));
        // What is done again and again while something else is awaited is told once.
        if !plan.is_idle() && !lines.ends_with(&line) {
            lines.push_str(&line);
        }
    }
    panic!("the story does not end: {lines}");
}

#[test]
fn the_whole_way_there_is_as_it_was_read() {
    let mut story = Story::begin();
    story.wish(Phase::Completed);
    assert_kept("forward.txt", &told(&mut story, |story| story.facts.reached.contains_key(&Phase::Completed)));
}

#[test]
fn the_whole_way_back_is_as_it_was_read() {
    let mut story = Story::resting(Phase::CutOver);
    story.wish(Phase::RolledBack);
    assert_kept("rollback.txt", &told(&mut story, |story| story.facts.reached.contains_key(&Phase::RolledBack)));
}

#[test]
fn an_abort_and_the_next_attempt_are_as_they_were_read() {
    let mut story = Story::aborted();
    story.migration.spec.attempt = 2;
    assert_kept("second_attempt.txt", &told(&mut story, |story| story.facts.reached.contains_key(&Phase::CutOver)));
}

#[test]
fn a_phase_at_rest_plans_nothing_ever_after() {
    for phase in Phase::ALL {
        let mut story = Story::resting(phase);
        // A comparison now and then reads only; it is the one thing that is done again.
        for _ in 0..50 {
            let plan = story.turn();
            let changes: Vec<&Action> = plan.actions.iter().filter(|action| !is_harmless(action)).collect();
            assert!(changes.is_empty(), "{phase} at rest: {changes:?}");
        }
    }
}

fn is_harmless(action: &Action) -> bool {
    matches!(action, Action::CompareTables | Action::Record(_))
}

#[test]
fn what_was_asked_for_and_is_there_is_never_asked_for_again_at_any_rung() {
    for (rung, phase) in every_rung() {
        let mut story = Story::entering(rung, phase);
        // All that the rung asks for is carried out, but no move is made: the posture alone.
        for _ in 0..12 {
            let plan = story.plan();
            let actions: Vec<Action> = plan.actions.into_iter().filter(|action| !matches!(action, Action::Record(_))).collect();
            for action in &actions {
                story.carry_out(action);
            }
            story.world.rest();
        }
        let changes: Vec<Action> = story.plan().actions.into_iter().filter(|action| !is_harmless(action)).collect();
        assert!(changes.is_empty(), "{rung}: {changes:?}");
    }
}

fn every_rung() -> Vec<(Rung, Phase)> {
    let way = |rung: Rung| match rung {
        Rung::Preflight
        | Rung::Prepared
        | Rung::Replicating
        | Rung::Validated
        | Rung::RollbackArmed
        | Rung::Fence
        | Rung::Drain
        | Rung::Arm
        | Rung::Open
        | Rung::Flip
        | Rung::Observing
        | Rung::Completed => Some(Phase::Completed),
        Rung::RollbackFence | Rung::RollbackFlip | Rung::RollbackOpen => Some(Phase::RolledBack),
        // Stood on only after an abort, which has its own story.
        Rung::Aborted => None,
        // And these only after a dead way back: tests/decide/forced.rs.
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => None,
    };
    Rung::ALL.into_iter().filter_map(|rung| way(rung).map(|phase| (rung, phase))).collect()
}

/// One thing that is not as asked for.
type Step = (&'static str, fn(&mut Story));

const STEPS: &[Step] = &[
    ("legacy is closed by hand", |story| story.world.legacy.app = Door::Shut),
    ("legacy is opened by hand", |story| story.world.legacy.app = Door::Open),
    ("a legacy transaction outlives its lock", |story| story.world.legacy.app = Door::Held),
    ("the target is opened by hand", |story| story.world.target.app = Door::Open),
    ("the target is closed by hand", |story| story.world.target.app = Door::Shut),
    ("validation is shut out of the target", |story| story.world.target.validation = Door::Shut),
    ("validation is let into the target", |story| story.world.target.validation = Door::Open),
    ("the public name is moved to the target", |story| story.world.public = Side::Target),
    ("the public name is moved to legacy", |story| story.world.public = Side::Legacy),
    ("the TTL is raised", |story| story.world.ttl_seconds = 3600),
    ("the shadow name is deleted", |story| story.world.shadow = false),
    ("the redirect is deleted", |story| story.world.redirect = false),
    ("the forward task failed", |story| set_status(story, Direction::Forward, Status::Failed)),
    ("the forward task is stopped", |story| set_status(story, Direction::Forward, Status::Stopped)),
    ("the forward task runs", |story| set_status(story, Direction::Forward, Status::Running)),
    ("the forward task is gone", |story| story.world.forward = None),
    ("the reverse task failed", |story| set_status(story, Direction::Reverse, Status::Failed)),
    ("the reverse task is stopped", |story| set_status(story, Direction::Reverse, Status::Stopped)),
    ("the reverse task is gone", |story| story.world.reverse = None),
    ("the binary log awaits a reboot", |story| story.world.log = Log::PendingReboot),
    ("the binary log is not kept", |story| story.world.log = Log::Logging),
    ("legacy does not answer", |story| blind(story, Blind::Legacy)),
    ("the target does not answer", |story| blind(story, Blind::Target)),
    ("DMS does not answer", |story| blind(story, Blind::Dms)),
    ("RDS does not answer", |story| blind(story, Blind::Rds)),
    ("Route 53 does not answer", |story| blind(story, Blind::Route53)),
    ("ELBv2 does not answer", |story| blind(story, Blind::Elb)),
    ("replication lags", |story| story.world.lagging = true),
    ("the budget is spent", |story| story.now += jiff::SignedDuration::from_secs(31)),
    ("the migration is paused", |story| story.migration.spec.paused = true),
];

fn set_status(story: &mut Story, direction: Direction, status: Status) {
    if let Some(task) = story.world.task_mut(direction) {
        task.status = status;
        task.started_before = true;
    }
}

fn blind(story: &mut Story, who: Blind) {
    story.world.blind.insert(who);
}

/// The rung at rest. In the middle of a phase that is: all it asks for is there, every marker has arrived, but no move is made.
fn in_posture(rung: Rung, phase: Phase) -> Story {
    if let Some(phase) = resting_phase(rung) {
        return Story::resting(phase);
    }
    let mut story = Story::entering(rung, phase);
    for _ in 0..12 {
        let plan = story.plan();
        for action in plan.actions.iter().filter(|action| !matches!(action, Action::Record(_))) {
            story.carry_out(action);
        }
        story.world.rest();
    }
    story
}

/// The phase in which a migration rests on this rung.
fn resting_phase(rung: Rung) -> Option<Phase> {
    match rung {
        Rung::Observing => Some(Phase::CutOver),
        Rung::Flip => None,
        rung => rung.reaches(),
    }
}

#[test]
fn one_step_off_plans_exactly_what_was_read() {
    let mut table = String::new();
    for (rung, phase) in every_rung() {
        let story = in_posture(rung, phase);
        let undisturbed = spoken(&story.plan());
        table.push_str(&format!("{rung} | as asked for | {undisturbed}\n"));
        for (name, step) in STEPS {
            let mut story = story.clone();
            let before = story.world.clone();
            step(&mut story);
            let said = spoken(&story.plan());
            // A step that changes nothing at this rung is no row of the table.
            if story.world != before && said != undisturbed || matches!(*name, "the budget is spent" | "the migration is paused")
            {
                table.push_str(&format!("{rung} | {name} | {said}\n"));
            }
        }
    }
    assert_kept("one_step_off.txt", &table);
}
