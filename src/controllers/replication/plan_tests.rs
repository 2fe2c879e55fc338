//! Every state of a task under every wish.

use std::collections::BTreeMap;

use super::*;
use crate::controllers::fixture::migration;
use crate::controllers::replication::ValidationState;
use crate::names::EndpointArn;

fn position() -> BinlogPosition {
    BinlogPosition { file: "mysql-bin-changelog.000024".to_owned(), offset: 373 }
}

fn task(status: TaskStatus, started_before: bool) -> Task {
    Task {
        arn: "task".into(),
        status,
        migration_type: String::new(),
        wiring: Wiring::AsDeclared,
        stop_reason: None,
        last_failure: None,
        started_before,
        full_load_percent: 100,
        tables_errored: 0,
        tables_loading: 0,
        drift: Sighting::Present(Vec::new()),
    }
}

fn connections(each: &Sighting<Connection>) -> BTreeMap<EndpointArn, Sighting<Connection>> {
    let migration = migration();
    let all = [Direction::Forward, Direction::Reverse].into_iter().flat_map(|direction| endpoints(direction, &migration));
    all.map(|endpoint| (endpoint.clone(), each.clone())).collect()
}

fn seen(direction: Direction, task: Sighting<Task>) -> ReplicationSighting {
    let (forward, reverse) = match direction {
        Direction::Forward => (task, Sighting::Absent),
        Direction::Reverse => (Sighting::Absent, task),
    };
    ReplicationSighting {
        forward,
        reverse,
        forward_tables: Sighting::Absent,
        reverse_tables: Sighting::Absent,
        connections: connections(&Sighting::Present(Connection::Successful)),
    }
}

fn wish(direction: Direction, wish: TaskWish) -> ReplicationWish {
    let (forward, reverse) = match direction {
        Direction::Forward => (wish, TaskWish::NotYet),
        Direction::Reverse => (TaskWish::NotYet, wish),
    };
    ReplicationWish { forward, reverse, reloads: Reloads::Allowed { per_table: 3, done: BTreeMap::new() } }
}

fn planned(direction: Direction, wished: TaskWish, seen: &ReplicationSighting) -> Steps<ReplicationAction> {
    plan(&wish(direction, wished), seen, &migration())
}

fn start(direction: Direction, how: StartType) -> ReplicationAction {
    ReplicationAction::StartTask { direction, task: "task".into(), how }
}

fn stop(direction: Direction) -> ReplicationAction {
    ReplicationAction::StopTask { direction, task: "task".into() }
}

fn delete(direction: Direction) -> ReplicationAction {
    ReplicationAction::DeleteTask { direction, task: "task".into() }
}

const fn running(from: Option<BinlogPosition>) -> TaskWish {
    TaskWish::Running { from }
}

#[test]
fn as_wished_is_settled() {
    use Direction::{Forward, Reverse};
    use TaskStatus::{Failed, Ready, Running, Stopped};
    let table = [
        (Forward, running(None), task(Running, true)),
        (Reverse, running(Some(position())), task(Running, true)),
        (Forward, TaskWish::Stopped, task(Stopped, true)),
        (Forward, TaskWish::Stopped, task(Failed, true)),
        (Forward, TaskWish::Stopped, task(Ready, false)),
        (Reverse, TaskWish::Created, task(Ready, false)),
        (Forward, TaskWish::Created, task(Stopped, true)),
        (Forward, TaskWish::NotYet, task(Failed, true)),
    ];
    for (direction, wished, task) in table {
        let sighting = seen(direction, Sighting::Present(task.clone()));
        assert!(planned(direction, wished.clone(), &sighting).is_settled(), "{direction} {wished:?} {task:?}");
    }
    for wished in [TaskWish::Stopped, TaskWish::Retired, TaskWish::NotYet] {
        assert!(planned(Direction::Forward, wished, &seen(Direction::Forward, Sighting::Absent)).is_settled());
    }
}

#[test]
fn an_unknown_task_is_awaited_and_nothing_is_done() {
    for wished in [TaskWish::Created, running(None), TaskWish::Stopped, TaskWish::Retired] {
        let steps = planned(Direction::Forward, wished, &seen(Direction::Forward, Sighting::unknown("throttled")));
        assert!(steps.actions.is_empty() && !steps.waiting.is_empty());
    }
}

#[test]
fn each_start_type_is_used_only_where_dms_accepts_it() {
    use Direction::{Forward, Reverse};
    use TaskStatus::{Failed, Ready, Stopped};
    let from = || Some(position());
    let table = [
        (Forward, None, task(Ready, false), StartType::First),
        (Forward, None, task(Failed, false), StartType::First),
        (Forward, None, task(Stopped, true), StartType::Resume),
        (Forward, None, task(Failed, true), StartType::Resume),
        (Reverse, from(), task(Ready, false), StartType::FromPosition(position())),
        (Reverse, from(), task(Stopped, true), StartType::Resume),
        (Reverse, from(), task(Failed, true), StartType::Resume),
        (Reverse, None, task(Stopped, true), StartType::Resume),
    ];
    for (direction, from, task, how) in table {
        let sighting = seen(direction, Sighting::Present(task.clone()));
        assert_eq!(planned(direction, running(from), &sighting).actions, vec![start(direction, how)], "{task:?}");
    }
}

#[test]
fn a_reverse_task_is_never_started_from_now() {
    let steps =
        planned(Direction::Reverse, running(None), &seen(Direction::Reverse, Sighting::Present(task(TaskStatus::Ready, false))));
    assert!(steps.actions.is_empty());
    assert_eq!(steps.blocked[0].reason.0, "NoStartPosition");
}

#[test]
fn a_task_that_failed_is_resumed_and_reported() {
    let failed = Task { last_failure: Some("disk full".to_owned()), ..task(TaskStatus::Failed, true) };
    let steps = planned(Direction::Forward, running(None), &seen(Direction::Forward, Sighting::Present(failed)));
    assert_eq!(steps.actions, vec![start(Direction::Forward, StartType::Resume)]);
    assert_eq!(steps.waiting[0].reason.0, "TaskFailed");
    assert!(steps.waiting[0].message.contains("disk full"));
}

#[test]
fn a_moving_task_is_awaited_under_every_wish() {
    use TaskStatus::{Creating, Deleting, Modifying, Other, Starting, Stopping, Testing};
    for status in [Creating, Starting, Stopping, Modifying, Deleting, Testing, Other("moving".to_owned())] {
        for wished in [TaskWish::Created, running(None), TaskWish::Stopped, TaskWish::Retired] {
            let sighting = seen(Direction::Forward, Sighting::Present(task(status.clone(), true)));
            let steps = planned(Direction::Forward, wished, &sighting);
            assert!(steps.actions.is_empty() && steps.waiting[0].reason.0 == "TaskMoving", "{status:?}: {steps:?}");
        }
    }
}

#[test]
fn a_foreign_task_is_held_and_reported_not_touched() {
    let foreign = Task { wiring: Wiring::Foreign("its source is another".to_owned()), ..task(TaskStatus::Running, true) };
    for wished in [TaskWish::Created, running(None), TaskWish::Stopped, TaskWish::Retired] {
        let steps = planned(Direction::Forward, wished, &seen(Direction::Forward, Sighting::Present(foreign.clone())));
        assert!(steps.actions.is_empty());
        assert_eq!(steps.blocked[0].reason.0, "ForeignTask");
    }
}

#[test]
fn a_task_that_is_set_up_in_another_way_is_never_started_nor_deleted_and_told() {
    let careless = |status, started_before| Task {
        drift: Sighting::Present(vec!["FullLoadSettings.TargetTablePrepMode is \"DROP_AND_CREATE\"".to_owned()]),
        ..task(status, started_before)
    };
    let from = || running(Some(position()));
    let table = [
        (Direction::Forward, running(None), careless(TaskStatus::Ready, false)),
        (Direction::Forward, running(None), careless(TaskStatus::Stopped, true)),
        (Direction::Forward, running(None), careless(TaskStatus::Running, true)),
        (Direction::Reverse, TaskWish::Created, careless(TaskStatus::Ready, false)),
        (Direction::Reverse, from(), careless(TaskStatus::Ready, false)),
        (Direction::Reverse, from(), careless(TaskStatus::Failed, true)),
    ];
    for (direction, wished, task) in table {
        let steps = planned(direction, wished.clone(), &seen(direction, Sighting::Present(task.clone())));
        assert!(steps.actions.is_empty(), "{direction} {wished:?} {task:?}: {steps:?}");
        assert_eq!(steps.blocked[0].reason.0, "CarelessTask");
        assert!(steps.blocked[0].message.contains("DROP_AND_CREATE"), "{steps:?}");
    }
}

#[test]
fn a_task_of_which_nobody_knows_how_it_is_set_up_is_not_started_yet() {
    for drift in [Sighting::unknown("throttled"), Sighting::Absent] {
        let unknown = Task { drift, ..task(TaskStatus::Ready, false) };
        let steps = planned(Direction::Forward, running(None), &seen(Direction::Forward, Sighting::Present(unknown)));
        assert!(steps.actions.is_empty() && steps.blocked.is_empty());
        assert_eq!(steps.waiting[0].reason.0, "SettingsUnknown");
    }
}

#[test]
fn a_careless_task_may_be_stopped_and_retired() {
    let drift = Sighting::Present(vec!["anything".to_owned()]);
    let at = |status| seen(Direction::Forward, Sighting::Present(Task { drift: drift.clone(), ..task(status, true) }));
    for (wished, status, action) in [
        (TaskWish::Stopped, TaskStatus::Running, stop(Direction::Forward)),
        (TaskWish::Retired, TaskStatus::Stopped, delete(Direction::Forward)),
    ] {
        assert_eq!(planned(Direction::Forward, wished, &at(status)).actions, vec![action]);
    }
}

#[test]
fn a_running_task_is_stopped_before_it_is_deleted() {
    let direction = Direction::Forward;
    let at = |status| seen(direction, Sighting::Present(task(status, true)));
    assert_eq!(planned(direction, TaskWish::Stopped, &at(TaskStatus::Running)).actions, vec![stop(direction)]);
    assert_eq!(planned(direction, TaskWish::Retired, &at(TaskStatus::Running)).actions, vec![stop(direction)]);
    for status in [TaskStatus::Ready, TaskStatus::Stopped, TaskStatus::Failed] {
        assert_eq!(planned(direction, TaskWish::Retired, &at(status)).actions, vec![delete(direction)]);
    }
}

#[test]
fn the_reverse_task_of_an_earlier_attempt_is_made_anew_before_the_next_cutover() {
    let direction = Direction::Reverse;
    let at = |status, started| seen(direction, Sighting::Present(task(status, started)));
    assert_eq!(planned(direction, TaskWish::Created, &at(TaskStatus::Stopped, true)).actions, vec![delete(direction)]);
    assert_eq!(planned(direction, TaskWish::Created, &at(TaskStatus::Failed, true)).actions, vec![delete(direction)]);
    assert_eq!(planned(direction, TaskWish::Created, &at(TaskStatus::Running, true)).actions, vec![stop(direction)]);
    let create = ReplicationAction::CreateTask { direction };
    assert_eq!(planned(direction, TaskWish::Created, &seen(direction, Sighting::Absent)).actions, vec![create]);
}

#[test]
fn nothing_starts_before_both_of_its_endpoints_are_tested() {
    let direction = Direction::Forward;
    let migration = migration();
    let [source, target] = endpoints(direction, &migration);
    let test = |endpoint: &EndpointArn| ReplicationAction::TestConnection { endpoint: endpoint.clone() };
    let mut seen = seen(direction, Sighting::Present(task(TaskStatus::Ready, false)));

    seen.connections.insert(source.clone(), Sighting::Absent);
    assert_eq!(planned(direction, running(None), &seen).actions, vec![test(source)]);

    seen.connections.insert(source.clone(), Sighting::Present(Connection::Testing));
    seen.connections.insert(target.clone(), Sighting::Present(Connection::Failed("no route".to_owned())));
    let steps = planned(direction, running(None), &seen);
    assert_eq!(steps.actions, vec![test(target)], "a test under way is not repeated, a failed one is");
    assert!(steps.waiting.iter().any(|wait| wait.message.contains("no route")));

    for unknown in [Sighting::unknown("throttled"), Sighting::Present(Connection::Other("deleting".to_owned()))] {
        seen.connections = connections(&unknown);
        let steps = planned(direction, running(None), &seen);
        assert!(steps.actions.is_empty() && steps.waiting.len() == 2);
    }
}

fn with_tables(direction: Direction, states: &[(&str, TableState)]) -> ReplicationSighting {
    let statistic = |(name, state): &(&str, TableState)| TableStatistic {
        table: TableName::new("payments", *name),
        state: state.clone(),
        validation: ValidationState::Validated,
        full_load_rows: 0,
        updated_at: None,
    };
    let tables = Sighting::Present(states.iter().map(statistic).collect());
    let seen = seen(direction, Sighting::Present(task(TaskStatus::Running, true)));
    match direction {
        Direction::Forward => ReplicationSighting { forward_tables: tables, ..seen },
        Direction::Reverse => ReplicationSighting { reverse_tables: tables, ..seen },
    }
}

fn reload(names: &[&str]) -> ReplicationAction {
    let tables = names.iter().map(|name| TableName::new("payments", *name)).collect();
    ReplicationAction::ReloadTables { task: "task".into(), tables }
}

#[test]
fn errored_tables_are_reloaded_until_their_count_is_spent() {
    let states = [("captures", TableState::Error), ("ledger", TableState::Error), ("refunds", TableState::Completed)];
    let sighting = with_tables(Direction::Forward, &states);
    let mut wished = wish(Direction::Forward, running(None));
    assert_eq!(plan(&wished, &sighting, &migration()), Steps::act(reload(&["captures", "ledger"])));

    wished.reloads = Reloads::Allowed { per_table: 3, done: BTreeMap::from([(TableName::new("payments", "ledger"), 3)]) };
    let steps = plan(&wished, &sighting, &migration());
    assert_eq!(steps.actions, vec![reload(&["captures"])]);
    assert!(steps.blocked[0].message.contains("payments.ledger") && !steps.blocked[0].message.contains("captures"));
}

#[test]
fn at_most_ten_tables_are_reloaded_in_one_call() {
    let names: Vec<String> = (0..12).map(|number| format!("t{number:02}")).collect();
    let states: Vec<(&str, TableState)> = names.iter().map(|name| (name.as_str(), TableState::Error)).collect();
    let steps = planned(Direction::Forward, running(None), &with_tables(Direction::Forward, &states));
    let first_ten: Vec<&str> = names.iter().take(10).map(String::as_str).collect();
    assert_eq!(steps.actions, vec![reload(&first_ten)]);
}

#[test]
fn no_table_is_reloaded_while_reloads_are_forbidden_or_the_task_should_not_run() {
    let sighting = with_tables(Direction::Forward, &[("ledger", TableState::Error)]);
    let mut wished = wish(Direction::Forward, running(None));
    wished.reloads = Reloads::Forbidden;
    let steps = plan(&wished, &sighting, &migration());
    assert!(steps.actions.is_empty());
    assert_eq!(steps.blocked[0].reason.0, "TableErrors");
    assert_eq!(planned(Direction::Forward, TaskWish::Stopped, &sighting).actions, vec![stop(Direction::Forward)]);
}

#[test]
fn errored_tables_of_the_reverse_task_need_a_person() {
    let sighting = with_tables(Direction::Reverse, &[("ledger", TableState::Error)]);
    let steps = planned(Direction::Reverse, running(None), &sighting);
    assert!(steps.actions.is_empty());
    assert!(steps.blocked[0].message.contains("payments.ledger"));
}

#[test]
fn errors_that_dms_counts_without_naming_are_awaited() {
    let counted = Task { tables_errored: 1, ..task(TaskStatus::Running, true) };
    for tables in [Sighting::Absent, Sighting::unknown("throttled"), Sighting::Present(Vec::new())] {
        let sighting =
            ReplicationSighting { forward_tables: tables, ..seen(Direction::Forward, Sighting::Present(counted.clone())) };
        let steps = planned(Direction::Forward, running(None), &sighting);
        assert!(steps.actions.is_empty() && steps.waiting[0].reason.0 == "ErroredTablesUnknown");
    }
}
