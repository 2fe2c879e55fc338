//! Every gate: open, closed and unknown, with the evidence that it gives. Unknown is never open.

use bascule::migration::facts::Fact;
use bascule::migration::gates::{COMPLETION, CUTOVER, Gate, ROLLBACK, arrival};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::Standing;
use bascule::names::{Direction, Side, TableName};
use bascule::spec::Phase;
use jiff::SignedDuration;

use super::common::Story;
use super::common::snapshot::assert_kept;
use super::common::world::{Blind, Door, Log, Status};

/// What turns a gate.
type Turn = fn(&mut Story);

/// Where a gate is open, what closes it, and what keeps anybody from knowing; `None` where it is judged by the journal alone.
struct Case {
    open: Story,
    closed: Turn,
    unknown: Option<Turn>,
}

fn case(open: Story, closed: Turn, unknown: Option<Turn>) -> Case {
    Case { open, closed, unknown }
}

macro_rules! blind {
    ($who:ident) => {
        Some(
            (|story| {
                story.world.blind.insert(Blind::$who);
            }) as Turn,
        )
    };
}

fn fail(story: &mut Story, direction: Direction) {
    if let Some(task) = story.world.task_mut(direction) {
        task.status = Status::Failed;
    }
}

fn differ(story: &mut Story) {
    story.record(&Fact::ParityCompared { rows: 100, differing: vec![TableName::new("payments", "payments")] });
}

fn just_compared() -> Story {
    let mut story = at(Phase::Validated);
    story.record(&Fact::ParityCompared { rows: 100, differing: Vec::new() });
    story
}

/// A story in which a phase rests.
fn at(phase: Phase) -> Story {
    Story::resting(phase)
}

/// A new gate needs a case here, or this does not compile.
fn case_of(gate: Gate) -> Case {
    use Gate::*;
    match gate {
        DatabasesReachable => case(at(Phase::Preflight), |_| {}, blind!(Legacy)),
        ServicesReadable => case(at(Phase::Preflight), |_| {}, blind!(Dms)),
        PublicAtLegacy => case(at(Phase::Prepared), |story| story.world.public = Side::Target, blind!(Route53)),
        ParameterGroupOwn => case(at(Phase::Preflight), |_| {}, blind!(Rds)),
        SchemaPresent => case(at(Phase::Preflight), |_| {}, blind!(Target)),
        RedirectInPlace => case(at(Phase::Prepared), |story| story.world.redirect = false, blind!(Elb)),
        ShadowAtTarget => case(at(Phase::Prepared), |story| story.world.shadow = false, blind!(Route53)),
        TargetsHealthy => case(at(Phase::Prepared), |_| {}, blind!(Elb)),
        LowTtlInForce => case(at(Phase::Prepared), |story| story.world.ttl_seconds = 300, blind!(Route53)),
        TargetQuiet => case(at(Phase::Prepared), |story| story.world.target.app = Door::Open, blind!(Target)),
        FullLoadDone => case(at(Phase::Replicating), |story| fail(story, Direction::Forward), blind!(Dms)),
        ForwardTablesHealthy => case(at(Phase::Replicating), |story| story.world.forward = None, blind!(Dms)),
        ForwardLag => case(at(Phase::Replicating), |story| story.world.lagging = true, blind!(Legacy)),
        ParityClean => case(at(Phase::Validated), differ, None),
        ParityFresh => case(just_compared(), |story| story.now += SignedDuration::from_hours(3), None),
        DmsValidation => case(at(Phase::Validated), |story| story.world.forward = None, blind!(Dms)),
        BinlogInEffect => case(at(Phase::RollbackArmed), |story| story.world.log = Log::PendingReboot, blind!(Rds)),
        RetentionCoversWindow => case(at(Phase::RollbackArmed), |story| story.world.log = Log::Logging, blind!(Target)),
        ReverseCreated => case(at(Phase::RollbackArmed), |story| fail(story, Direction::Reverse), blind!(Dms)),
        Approved => case(at(Phase::RollbackArmed), |story| story.migration.spec.cutover.approvals.required = 2, None),
        AttemptFree => case(at(Phase::RollbackArmed), |story| story.record(&Fact::Aborted { why: "too slow".into() }), None),
        LegacyOpen => case(at(Phase::RollbackArmed), |story| story.world.legacy.app = Door::Held, blind!(Legacy)),
        LegacyFenced => case(at(Phase::CutOver), |story| story.world.legacy.app = Door::Held, blind!(Legacy)),
        TargetFenced => {
            let open = Story::entering(Rung::Drain, Phase::CutOver);
            case(open, |story| story.world.target.validation = Door::Open, blind!(Target))
        }
        Drained => case(at(Phase::CutOver), |story| story.facts.markers.clear(), None),
        ForwardStopped => {
            let closed: Turn = |story| {
                if let Some(task) = story.world.task_mut(Direction::Forward) {
                    task.status = Status::Stopping;
                }
            };
            case(at(Phase::CutOver), closed, blind!(Dms))
        }
        ReverseStartKnown => case(at(Phase::CutOver), |story| story.facts.reverse_start = None, None),
        NoReturnPassed => case(at(Phase::CutOver), |story| story.facts.point_of_no_return = None, None),
        TargetOpen => case(at(Phase::CutOver), |story| story.world.target.app = Door::Shut, blind!(Target)),
        PublicAtTarget => case(at(Phase::CutOver), |story| story.facts.changes.clear(), blind!(Route53)),
        ReverseProven => case(at(Phase::CutOver), |story| story.facts.markers.clear(), None),
        ReverseHealthy => case(at(Phase::CutOver), |story| fail(story, Direction::Reverse), blind!(Dms)),
        ReverseLag => case(at(Phase::CutOver), |story| story.world.lagging = true, blind!(Legacy)),
        ReverseLogKept => {
            let open = at(Phase::CutOver);
            case(open, |story| story.world.log = Log::PendingReboot, blind!(Target))
        }
        WindowPassed => {
            let mut open = at(Phase::CutOver);
            open.now = open.facts.entered[&Rung::Observing] + SignedDuration::from_hours(48);
            case(open, |story| story.now -= SignedDuration::from_secs(1), None)
        }
        RollbackDrained => case(at(Phase::RolledBack), |story| story.facts.markers.clear(), None),
        PublicBackAtLegacy => case(at(Phase::RolledBack), |story| story.world.public = Side::Target, blind!(Route53)),
        ReverseStopped => {
            let closed: Turn = |story| {
                if let Some(task) = story.world.task_mut(Direction::Reverse) {
                    task.status = Status::Running;
                }
            };
            case(at(Phase::RolledBack), closed, blind!(Dms))
        }
        TasksRetired => {
            let closed: Turn = |story| story.world.forward = Story::resting(Phase::Replicating).world.forward;
            case(at(Phase::Completed), closed, blind!(Dms))
        }
    }
}

/// Every gate that anything asks for, once, in the order of the ladder.
fn all() -> Vec<Gate> {
    let mut gates: Vec<Gate> = Rung::ALL.into_iter().flat_map(|rung| arrival(rung).to_vec()).collect();
    gates.extend(CUTOVER.iter().chain(COMPLETION).chain(ROLLBACK).copied());
    gates.sort();
    gates.dedup();
    gates
}

/// Gates that a small world cannot close: they are closed by a look of their own, below.
const CLOSED_BY_A_LOOK: [Gate; 5] =
    [Gate::DatabasesReachable, Gate::ServicesReadable, Gate::ParameterGroupOwn, Gate::SchemaPresent, Gate::TargetsHealthy];

#[test]
fn every_gate_opens_closes_and_knows_when_it_knows_nothing() {
    let mut table = String::new();
    for gate in all() {
        let case = case_of(gate);
        let open = case.open.judge(gate);
        assert!(open.is_open(), "{gate:?} should be open: {open:?}");
        table.push_str(&format!("{gate:?} | open | {}\n", open.text()));
        if !CLOSED_BY_A_LOOK.contains(&gate) {
            let mut story = case.open.clone();
            (case.closed)(&mut story);
            let closed = story.judge(gate);
            assert!(!closed.is_open(), "{gate:?} should be closed: {closed:?}");
            table.push_str(&format!("{gate:?} | closed | {}\n", closed.text()));
        }
        if let Some(turn) = case.unknown {
            let mut story = case.open;
            turn(&mut story);
            let unknown = story.judge(gate);
            assert!(matches!(unknown, Standing::Unknown(_)), "{gate:?} should be unknown: {unknown:?}");
            table.push_str(&format!("{gate:?} | unknown | {}\n", unknown.text()));
        }
    }
    assert_kept("gates.txt", &table);
}

#[test]
fn gates_that_ask_about_more_than_the_small_world_are_closed_by_their_own_look() {
    use bascule::controllers::redirect::TargetHealth;
    use bascule::sighting::Sighting;
    let story = Story::resting(Phase::RollbackArmed);
    for gate in CLOSED_BY_A_LOOK {
        let mut seen = story.seen();
        match gate {
            Gate::SchemaPresent => {
                if let Sighting::Present(view) = &mut seen.target {
                    view.tables.clear();
                }
            }
            Gate::ParameterGroupOwn => seen.binlog.shared_with = Sighting::Present(vec!["orders".into()]),
            Gate::TargetsHealthy => {
                seen.redirect.targets = Sighting::Present(vec![TargetHealth::Healthy, TargetHealth::Draining])
            }
            Gate::ServicesReadable => seen.binlog.cluster = Sighting::Absent,
            _ => seen.target = Sighting::Absent,
        }
        let standing = story.judge_seeing(gate, &seen);
        assert!(matches!(standing, Standing::Closed(_)), "{gate:?}: {standing:?}");
    }
}
