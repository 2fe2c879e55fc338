//! Every gate: open, closed and unknown, with the evidence that it gives. Unknown is never open.

use bascule::checks::outcome::CheckKind;
use bascule::controllers::dns::{self, DnsWish, RecordSet};
use bascule::controllers::hooks::{HookAnswer, HookRecords};
use bascule::controllers::replication::{TableState, TableStatistic, ValidationState};
use bascule::database::receipt::{Knock, KnockAnswer};
use bascule::database::{AccountLock, Bypass, IdSpace, LogForm, Stride};
use bascule::migration::decide::{decide, may_compare};
use bascule::migration::facts::Fact;
use bascule::migration::gates::{COMPLETION, CUTOVER, FORCED, Gate, ROLLBACK, arrival};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Standing};
use bascule::names::{Direction, HookName, Side, TableName};
use bascule::parity::comparer::Comparison;
use bascule::parity::report::{Report, TableReport, Verdict};
use bascule::sighting::Sighting;
use bascule::spec::{HookPoint, Phase};
use jiff::SignedDuration;
use serde_json::json;

use super::common::Story;
use super::common::good::{table, target};
use super::common::hooks::hooks;
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

fn checked(phase: Phase, closed: Turn) -> Case {
    case(at(phase), closed, blind!(Network))
}

fn fail(story: &mut Story, direction: Direction) {
    if let Some(task) = story.world.task_mut(direction) {
        task.status = Status::Failed;
    }
}

fn differ(story: &mut Story) {
    story.record(&Fact::ParityCompared { rows: 100, differing: vec![TableName::new("payments", "payments")], report: None });
}

fn just_compared() -> Story {
    let mut story = at(Phase::Validated);
    story.record(&Fact::ParityCompared { rows: 100, differing: Vec::new(), report: None });
    story
}

/// Hooks that took their calls, and whose calls were not taken.
fn called(point: HookPoint, phase: Phase) -> Case {
    let mut story = at(phase);
    story.migration.spec.hooks = hooks().into_iter().filter(|hook| hook.at == point).collect();
    let names: Vec<HookName> = story.migration.spec.hooks.iter().map(|hook| hook.name.clone()).collect();
    story.record(&Fact::HooksCalled { point, hooks: names.clone() });
    let answers = names.into_iter().map(|name| (name, HookAnswer::of(204))).collect();
    story.record(&Fact::HooksAnswered { point, answers });
    case(story, |story| story.facts.hooks = HookRecords::default(), None)
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
        ControllerPrivileged => case(at(Phase::Preflight), |_| {}, blind!(Legacy)),
        LegacyLogReadable => case(at(Phase::Preflight), |_| {}, blind!(Legacy)),
        NoBypass => case(at(Phase::RollbackArmed), |_| {}, blind!(Target)),
        CanariesReady => case(at(Phase::RollbackArmed), |_| {}, blind!(Target)),
        FenceReversible => case(at(Phase::RollbackArmed), |_| {}, blind!(Target)),
        IdHeadroom => case(at(Phase::RollbackArmed), |_| {}, blind!(Legacy)),
        IdSpaceClear => {
            let closed: Turn = |story| {
                story.world.behind = [Side::Target].into();
            };
            case(at(Phase::CutOver), closed, blind!(Legacy))
        }
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
        PagesProven => checked(Phase::Validated, |story| story.world.failing = Some(CheckKind::Page)),
        UpstreamsProven => checked(Phase::Validated, |story| story.world.failing = Some(CheckKind::Upstream)),
        CachesProven => checked(Phase::Validated, |story| story.world.failing = Some(CheckKind::Cache)),
        SchemasAlike => checked(Phase::Validated, |story| story.world.failing = Some(CheckKind::Schema)),
        NamesAnswered => checked(Phase::Prepared, |story| story.world.failing = Some(CheckKind::Names)),
        TrafficEnded => checked(Phase::CutOver, |story| story.world.failing = Some(CheckKind::Traffic)),
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
        WayBackLost => {
            let closed: Turn = |story| story.facts.reverse_tries = None;
            case(Story::with_a_dead_way_back(), closed, blind!(Dms))
        }
        LossAccepted => {
            let closed: Turn = |story| story.migration.spec.rollback.forced = None;
            case(Story::forced_to(Rung::ForcedStop), closed, None)
        }
        RowsSaved => case(Story::forced_to(Rung::RollbackOpen), |story| story.facts.quarantine = None, None),
        HooksBeforeFence => called(HookPoint::BeforeFence, Phase::RollbackArmed),
        HooksAfterFence => called(HookPoint::AfterFence, Phase::CutOver),
        HooksBeforeFlip => called(HookPoint::BeforeFlip, Phase::CutOver),
        HooksAfterFlip => called(HookPoint::AfterFlip, Phase::CutOver),
        HooksAfterAbort => called(HookPoint::AfterAbort, Phase::RollbackArmed),
        HooksAfterRollback => called(HookPoint::AfterRollback, Phase::RolledBack),
        TasksRetired => {
            let closed: Turn = |story| story.world.forward = Story::resting(Phase::Replicating).world.forward;
            case(at(Phase::Completed), closed, blind!(Dms))
        }
    }
}

/// Every gate that anything asks for, once, in the order of the ladder.
fn all() -> Vec<Gate> {
    let mut gates: Vec<Gate> = Rung::ALL.into_iter().flat_map(|rung| arrival(rung).to_vec()).collect();
    gates.extend(CUTOVER.iter().chain(COMPLETION).chain(ROLLBACK).chain(FORCED).copied());
    gates.sort();
    gates.dedup();
    gates
}

/// Gates that a small world cannot close: they are closed by a look of their own, below.
const CLOSED_BY_A_LOOK: [Gate; 11] = [
    Gate::DatabasesReachable,
    Gate::ControllerPrivileged,
    Gate::LegacyLogReadable,
    Gate::NoBypass,
    Gate::CanariesReady,
    Gate::FenceReversible,
    Gate::IdHeadroom,
    Gate::ServicesReadable,
    Gate::ParameterGroupOwn,
    Gate::SchemaPresent,
    Gate::TargetsHealthy,
];

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
                seen.redirect.targets =
                    Sighting::Present(vec![target('a', TargetHealth::Healthy), target('b', TargetHealth::Draining)])
            }
            Gate::ControllerPrivileged => {
                if let Sighting::Present(inspection) = &mut seen.inspections.target {
                    inspection.missing_privileges.push("GRANT PROCESS ON *.* TO 'bascule'@'%'".into());
                }
            }
            Gate::NoBypass => {
                if let Sighting::Present(inspection) = &mut seen.inspections.legacy {
                    inspection.bypasses.push(Bypass::Administrator { account: "dba@%".into(), privilege: "SUPER".into() });
                }
            }
            Gate::LegacyLogReadable => {
                if let Sighting::Present(view) = &mut seen.legacy {
                    view.binlog.form = LogForm::Compressed;
                }
            }
            Gate::CanariesReady => {
                if let Sighting::Present(inspection) = &mut seen.inspections.legacy {
                    inspection.canaries.push(knock(KnockAnswer::Inconclusive { why: "denied (1045)".into() }));
                }
            }
            Gate::FenceReversible => {
                if let Sighting::Present(view) = &mut seen.target {
                    view.accounts[0].lock = AccountLock::BySomebodyElse;
                }
            }
            Gate::IdHeadroom => seen.id_spaces.target = Sighting::Present(IdSpace::default()),
            Gate::ServicesReadable => seen.binlog.cluster = Sighting::Absent,
            _ => seen.target = Sighting::Absent,
        }
        let standing = story.judge_seeing(gate, &seen);
        assert!(matches!(standing, Standing::Closed(_)), "{gate:?}: {standing:?}");
    }
}

fn knock(answer: KnockAnswer) -> Knock {
    Knock { account: "app@%".into(), endpoint: "db:3306".into(), answer }
}

#[test]
fn a_canary_counts_as_ready_only_where_the_fence_itself_would_be_asked() {
    let story = Story::resting(Phase::RollbackArmed);
    let judged = |answer| {
        let mut seen = story.seen();
        if let Sighting::Present(inspection) = &mut seen.inspections.target {
            inspection.canaries.push(knock(answer));
        }
        story.judge_seeing(Gate::CanariesReady, &seen)
    };
    assert!(judged(KnockAnswer::LetIn).is_open(), "while its account is open");
    assert!(judged(KnockAnswer::Refused { code: "3118".into() }).is_open(), "the lock is asked about after the password");
    for answer in [
        KnockAnswer::Inconclusive { why: "denied (1045)".into() },
        KnockAnswer::Unanswered { why: "no answer within 1 s".into() },
    ] {
        let standing = judged(answer);
        let Standing::Closed(why) = &standing else { panic!("{standing:?}") };
        assert!(why.starts_with("on target, the canary of app@% "), "{why}");
    }
}

#[test]
fn the_shadow_name_is_judged_alike_by_its_gate_and_by_the_room_that_makes_it() {
    let mut story = Story::resting(Phase::Prepared);
    let target = serde_json::from_value(json!({ "a": { "addresses": ["203.0.113.99"] } })).expect("a destination");
    story.migration.spec.dns.public.target = target;
    let dns = &story.migration.spec.dns;
    let low = RecordSet::pointing(&dns.shadow.name, &dns.public.target, 60);
    let patient = RecordSet::pointing(&dns.shadow.name, &dns.public.target, 86_400);
    let elsewhere = RecordSet::pointing(&dns.shadow.name, &dns.public.legacy, 60);
    let settled = |records: &Vec<RecordSet>| {
        let mut seen = story.seen();
        seen.dns.shadow = Sighting::Present(records.clone());
        let steps = dns::plan(DnsWish::Legacy, &seen.dns, &story.migration.spec.dns, None);
        (steps.is_settled(), story.judge_seeing(Gate::ShadowAtTarget, &seen).is_open())
    };
    for records in [vec![low.clone()], vec![patient.clone()]] {
        assert_eq!(settled(&records), (true, true), "{records:?}");
    }
    for records in [vec![elsewhere.clone()], vec![low, elsewhere], vec![patient.clone(), patient]] {
        assert_eq!(settled(&records), (false, false), "{records:?}");
    }
}

#[test]
fn numbers_that_lie_differently_are_told_and_keep_the_first_fence_open_only_where_they_cross() {
    let story = Story::resting(Phase::RollbackArmed);
    let judged = |gate, legacy: Stride, target: Stride| {
        let mut seen = story.seen();
        for (sighting, stride) in [(&mut seen.id_spaces.legacy, legacy), (&mut seen.id_spaces.target, target)] {
            if let Sighting::Present(space) = sighting {
                space.stride = stride;
            }
        }
        story.judge_seeing(gate, &seen)
    };
    let (every, odd) = (Stride::default(), Stride { increment: 2, offset: 1 });
    let even = Stride { increment: 2, offset: 2 };
    assert!(!judged(Gate::IdHeadroom, even, even).text().contains("auto_increment"), "alike is no news");
    let apart = judged(Gate::IdHeadroom, even, odd);
    assert!(apart.is_open() && apart.text().contains("target has auto_increment_increment 2"), "{apart:?}");
    let crossing = judged(Gate::IdHeadroom, even, every);
    assert!(matches!(&crossing, Standing::Closed(why) if why.contains("set both alike")), "{crossing:?}");
}

#[test]
fn once_both_sides_are_closed_numbers_that_lie_differently_are_told_and_hold_nothing_up() {
    let story = Story::resting(Phase::CutOver);
    let mut seen = story.seen();
    if let Sighting::Present(space) = &mut seen.id_spaces.target {
        space.stride = Stride { increment: 2, offset: 2 };
    }
    let standing = story.judge_seeing(Gate::IdSpaceClear, &seen);
    assert!(standing.is_open() && standing.text().contains("auto_increment_increment 2"), "{standing:?}");
}

#[test]
fn a_row_that_somebody_else_has_locked_is_told_and_holds_nothing_up_while_its_user_gets_in() {
    let story = Story::resting(Phase::RollbackArmed);
    let mut seen = story.seen();
    if let Sighting::Present(view) = &mut seen.legacy {
        view.accounts[0].foreign_locks.push("app@10.0.0.9".into());
    }
    let standing = story.judge_seeing(Gate::FenceReversible, &seen);
    assert!(standing.is_open() && standing.text().ends_with("left so: app@10.0.0.9 on legacy"), "{standing:?}");
}

#[test]
fn a_task_that_is_set_up_in_another_way_or_in_nobody_knows_which_is_not_relied_on() {
    for (phase, gate) in [(Phase::Replicating, Gate::FullLoadDone), (Phase::RollbackArmed, Gate::ReverseCreated)] {
        let story = Story::resting(phase);
        let judged = |drift: &Sighting<Vec<String>>| {
            let mut seen = story.seen();
            for task in [&mut seen.replication.forward, &mut seen.replication.reverse] {
                if let Sighting::Present(task) = task {
                    task.drift = drift.clone();
                }
            }
            story.judge_seeing(gate, &seen)
        };
        assert!(judged(&Sighting::Present(Vec::new())).is_open());
        let careless = judged(&Sighting::Present(vec!["TargetTablePrepMode is \"DROP_AND_CREATE\"".into()]));
        assert!(matches!(&careless, Standing::Closed(why) if why.contains("DROP_AND_CREATE")), "{careless:?}");
        assert!(matches!(judged(&Sighting::unknown("throttled")), Standing::Unknown(_)));
    }
}

#[test]
fn what_dms_found_to_differ_closes_its_gate_and_what_it_has_not_compared_does_not() {
    let mut story = Story::resting(Phase::Validated);
    let judged = |story: &Story, validation: ValidationState| {
        let mut seen = story.seen();
        seen.replication.forward_tables = Sighting::Present(vec![TableStatistic { validation, ..table(TableState::Completed) }]);
        story.judge_seeing(Gate::DmsValidation, &seen)
    };
    for word in ["Mismatched records", "Suspended records", "Table error", "Error"] {
        let standing = judged(&story, ValidationState::Failed(word.into()));
        assert_eq!(standing, Standing::Closed(format!("payments.payments: {word}")));
    }
    assert!(judged(&story, ValidationState::NotValidated("No primary key".into())).is_open());
    let pending = judged(&story, ValidationState::Pending("Pending records".into()));
    assert!(pending.is_open() && pending.text().contains("still compares 1 of 1"), "{pending:?}");
    assert!(CUTOVER.contains(&Gate::DmsValidation), "what it found after the rows were validated counts too");

    let declared = json!([{ "table": "payments.payments", "where": "customer_id = 'validation'" }]);
    story.migration.spec.validation.declared_writes = serde_json::from_value(declared).expect("declared writes");
    assert!(judged(&story, ValidationState::Failed("Mismatched records".into())).is_open(), "DMS knows of no exceptions");
    assert!(!judged(&story, ValidationState::Failed("Suspended records".into())).is_open());
}

/// A comparison that began now, and found this of one table.
fn compared(story: &Story, verdict: Verdict) -> Report {
    let table = TableReport {
        table: "payments.payments".into(),
        verdict,
        rows: [100, 100],
        declared_rows: [0, 3],
        differing: u64::from(verdict == Verdict::Differs),
        arrived: 0,
        in_flight: u64::from(verdict == Verdict::Unknown),
        sample: Vec::new(),
        notes: Vec::new(),
        began: story.now,
        finished: story.now,
    };
    Report { tables: vec![table], verdict, ..Report::failed(story.migration.name(), String::new(), story.now, story.now) }
}

#[test]
fn a_comparison_is_begun_once_awaited_beside_everything_else_and_recorded_once() {
    let mut story = Story::entering(Rung::Validated, Phase::Validated);
    story.until(|story| story.plan().actions.contains(&Action::CompareTables));
    let mut seen = story.seen();
    seen.comparison.under_way = Some("payments.payments: 5 of about 100 rows".into());
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    assert!(!plan.actions.contains(&Action::CompareTables), "one is under way: {plan:#?}");
    assert!(plan.waiting.iter().any(|wait| wait.message.contains("5 of about 100 rows")), "{plan:#?}");

    let report = Report { notes: Vec::new(), ..compared(&story, Verdict::Equal) };
    seen.comparison = Comparison { under_way: None, ended: Some(report) };
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    let [Action::Record(fact @ Fact::ParityCompared { rows: 100, .. })] = plan.actions.as_slice() else { panic!("{plan:#?}") };
    let clean_in_a_row = |story: &Story| story.facts.parity.as_ref().map_or(0, |parity| parity.clean_in_a_row);
    let before = clean_in_a_row(&story);
    story.record(fact);
    assert_eq!(clean_in_a_row(&story), before + 1);
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    let again = plan.actions.iter().any(|action| matches!(action, Action::Record(Fact::ParityCompared { .. })));
    assert!(!again, "what is known is not news: {plan:#?}");
}

#[test]
fn a_comparison_that_found_nothing_out_neither_counts_nor_undoes_what_was_clean_before() {
    let mut story = just_compared();
    let clean_in_a_row = |story: &Story| story.facts.parity.as_ref().map_or(0, |parity| parity.clean_in_a_row);
    let before = clean_in_a_row(&story);
    for (verdict, expected) in [(Verdict::Unknown, before), (Verdict::Equal, before + 1), (Verdict::Differs, 0)] {
        let report = Report { notes: Vec::new(), ..compared(&story, verdict) };
        story.record(&Fact::ParityCompared { rows: 100, differing: Vec::new(), report: Some(Box::new(report)) });
        assert_eq!(clean_in_a_row(&story), expected, "after {verdict}");
        assert_eq!(story.judge(Gate::ParityClean).is_open(), verdict == Verdict::Equal, "after {verdict}");
    }
}

#[test]
fn what_could_not_be_compared_closes_the_gate_as_a_difference_does() {
    for verdict in [Verdict::Unknown, Verdict::Differs] {
        let mut story = just_compared();
        assert!(story.judge(Gate::ParityClean).is_open());
        let report = Report { notes: Vec::new(), ..compared(&story, verdict) };
        story.record(&Fact::ParityCompared { rows: 100, differing: Vec::new(), report: Some(Box::new(report)) });
        let standing = story.judge(Gate::ParityClean);
        assert!(!standing.is_open() && standing.text().contains("payments.payments"), "{standing:?}");
        assert!(!story.judge(Gate::ParityFresh).is_open());
    }
}

#[test]
fn no_comparison_goes_on_beside_a_fence_or_a_pause_and_none_of_an_earlier_attempt_counts() {
    let armed = Story::resting(Phase::RollbackArmed);
    assert!(may_compare(&armed.migration, &armed.facts));
    let fenced = Story::entering(Rung::Fence, Phase::CutOver);
    assert!(!may_compare(&fenced.migration, &fenced.facts));
    let mut paused = armed;
    paused.migration.spec.paused = true;
    assert!(!may_compare(&paused.migration, &paused.facts));

    let mut again = Story::entering(Rung::Validated, Phase::Validated);
    let earlier = Report { notes: Vec::new(), ..compared(&Story::begin(), Verdict::Equal) };
    let began = again.now + SignedDuration::from_secs(1);
    again.facts.entered.insert(Rung::Preflight, began);
    let mut seen = again.seen();
    seen.comparison.ended = Some(earlier);
    let plan = decide(&again.migration, &again.facts, &seen, again.now);
    assert!(plan.actions.iter().all(|action| !matches!(action, Action::Record(Fact::ParityCompared { .. }))), "{plan:#?}");
}

#[test]
fn a_way_round_the_fence_is_told_at_preflight_and_holds_the_cutover_and_the_rollback() {
    use bascule::sighting::Sighting;
    let bypass = Bypass::Administrator { account: "dba@%".into(), privilege: "SUPER".into() };
    for (phase, wish) in [(Phase::RollbackArmed, Phase::CutOver), (Phase::CutOver, Phase::RolledBack)] {
        let mut story = Story::resting(phase);
        story.wish(wish);
        let here = story.facts.rung;
        story.until(|story| story.judge(Gate::ForwardLag).is_open() || story.judge(Gate::ReverseLag).is_open());
        let mut seen = story.seen();
        if let Sighting::Present(inspection) = &mut seen.inspections.target {
            inspection.bypasses.push(bypass.clone());
        }
        let plan = decide(&story.migration, &story.facts, &seen, story.now);
        assert_eq!(plan.rung, here);
        let moves = plan.actions.iter().any(|action| matches!(action, Action::Record(Fact::Entered { .. }) | Action::Fence(_)));
        assert!(!moves, "{wish} must not begin: {:?}", plan.actions);
        let told = plan.gates.iter().find(|gate| gate.name == "NoBypass").expect("it is reported");
        assert!(told.standing.text().contains("on target, dba@% has SUPER"), "{told:?}");
    }
    let mut story = Story::begin();
    story.until(|story| story.facts.rung_since.is_some());
    let mut seen = story.seen();
    seen.inspections.legacy = Sighting::unknown("the account may not look");
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    assert!(plan.gates.iter().any(|gate| gate.name == "NoBypass" && !gate.standing.is_open()), "{:?}", plan.gates);
}

#[test]
fn numbers_are_raised_before_the_reverse_position_is_recorded_and_before_anybody_opens() {
    let mut story = Story::entering(Rung::Arm, Phase::CutOver);
    let mut raised = false;
    while !story.facts.is_past_no_return() {
        assert!(story.facts.reverse_start.is_none() || raised, "the position was recorded first");
        let plan = story.turn();
        raised |= plan.actions.iter().any(|action| matches!(action, Action::RaiseIds { side: Side::Target, .. }));
    }
    assert!(raised && !story.world.behind.contains(&Side::Target));
    let mut story = Story::entering(Rung::RollbackFlip, Phase::RolledBack);
    assert!(story.world.behind.contains(&Side::Legacy), "the target has given numbers that legacy does not know");
    story.until(|story| story.facts.rung == Rung::RollbackOpen);
    assert!(!story.world.behind.contains(&Side::Legacy));
}

#[test]
fn a_side_whose_numbers_are_unknown_is_not_opened_and_the_cutover_is_given_up() {
    use bascule::sighting::Sighting;
    let mut story = Story::entering(Rung::Arm, Phase::CutOver);
    story.world.rest();
    let mut seen = story.seen();
    seen.id_spaces.legacy = Sighting::unknown("no answer");
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    assert!(
        !plan.actions.iter().any(|action| matches!(action, Action::Record(_) | Action::RaiseIds { .. })),
        "{:?}",
        plan.actions
    );
    story.now += SignedDuration::from_secs(31);
    let plan = decide(&story.migration, &story.facts, &seen, story.now);
    assert!(matches!(plan.actions.first(), Some(Action::Record(Fact::Aborted { .. }))), "{:?}", plan.actions);
}
