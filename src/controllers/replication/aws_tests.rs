//! Over the wire: what is asked of DMS, and what its answers are taken for.

use serde_json::json;

use super::*;
use crate::aws::wire::{Sent, answering, last_body, operations};
use crate::controllers::fixture::migration;
use crate::database::BinlogPosition;
use crate::fault::Problem;

const FORWARD: &str = "arn:aws:dms:eu-central-1:111122223333:task:FORWARDRANDOM";

fn forward_task() -> Value {
    let migration = migration();
    let [source, target] = endpoints(Direction::Forward, &migration);
    json!({
        "ReplicationTaskIdentifier": "payments-forward",
        "ReplicationTaskArn": FORWARD,
        "SourceEndpointArn": source,
        "TargetEndpointArn": target,
        "ReplicationInstanceArn": migration.spec.replication.instance_arn,
        "MigrationType": "full-load-and-cdc",
        "Status": "running",
        "ReplicationTaskStartDate": 1_590_524_772.505,
        "ReplicationTaskStats": { "FullLoadProgressPercent": 100, "TablesErrored": 1, "TablesLoading": 1, "TablesQueued": 2 },
        "ReplicationTaskSettings": task_settings(&migration).to_string(),
        "TableMappings": table_mappings(&migration).to_string(),
    })
}

/// DMS with the forward task, one errored table, one successful connection, all in pages.
fn dms(sent: &Sent) -> (u16, String) {
    let asked: Value = serde_json::from_str(&sent.body).expect("JSON is sent");
    let migration = migration();
    let answer = match (sent.what.as_str(), asked["Marker"].as_str()) {
        ("DescribeReplicationTasks", None) => json!({ "ReplicationTasks": [], "Marker": "2" }),
        ("DescribeReplicationTasks", Some("2")) => json!({ "ReplicationTasks": [forward_task()] }),
        ("DescribeTableStatistics", _) => json!({ "TableStatistics": [{
            "SchemaName": "payments", "TableName": "ledger", "TableState": "Table error",
            "ValidationState": "Pending records", "FullLoadRows": 7, "LastUpdateTime": 1_590_524_772.5,
        }] }),
        ("DescribeConnections", _) => json!({ "Connections": [{
            "EndpointArn": migration.spec.legacy.endpoint_arn,
            "ReplicationInstanceArn": migration.spec.replication.instance_arn,
            "Status": "successful",
        }] }),
        _ => json!({}),
    };
    (200, answer.to_string())
}

#[tokio::test(start_paused = true)]
async fn one_look_reads_every_listing_to_its_end_and_shares_it() {
    let (aws, log) = answering(dms);
    let migration = migration();
    let seen = observe(&aws, &migration, Freshness::Now, Freshness::Now).await;

    let task = seen.forward.present().expect("the forward task is seen");
    assert_eq!((&task.status, &task.wiring), (&TaskStatus::Running, &Wiring::AsDeclared));
    assert!(task.started_before);
    assert_eq!((task.tables_errored, task.tables_loading), (1, 3));
    assert_eq!(task.drift, Sighting::Present(Vec::new()));
    assert_eq!(seen.reverse, Sighting::Absent);
    assert_eq!(seen.reverse_tables, Sighting::Absent);
    let tables = seen.forward_tables.present().expect("its tables are seen");
    assert_eq!(tables[0].state, TableState::Error);
    assert_eq!(tables[0].validation, ValidationState::Pending("Pending records".to_owned()));
    assert_eq!(seen.connections[&migration.spec.legacy.endpoint_arn], Sighting::Present(Connection::Successful));
    assert_eq!(seen.connections[&migration.spec.target.endpoint_arn], Sighting::Absent);

    let asked = operations(&log);
    let count = |what: &str| asked.iter().filter(|asked| *asked == what).count();
    // Two pages, twice: the reverse task was missing, so its absence was asked for again. Likewise the connections. And two pages
    // for how the forward task is set up.
    assert_eq!((count("DescribeReplicationTasks"), count("DescribeConnections")), (6, 2), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_settled_look_may_cost_nothing() {
    let (aws, log) = answering(dms);
    let minute = Freshness::UpTo(std::time::Duration::from_secs(60));
    let first = observe(&aws, &migration(), minute, minute).await;
    let calls = operations(&log).len();
    assert_eq!(observe(&aws, &migration(), minute, minute).await, first);
    assert_eq!(operations(&log).len(), calls);
}

#[tokio::test(start_paused = true)]
async fn no_match_is_absent_whether_dms_says_so_with_a_fault_or_with_an_empty_list() {
    let fault = r#"{"__type":"ResourceNotFoundFault","message":"none"}"#;
    for (status, body) in [(400, fault), (200, "{}")] {
        let (aws, _) = answering(move |_| (status, body.to_owned()));
        let seen = observe(&aws, &migration(), Freshness::Now, Freshness::Now).await;
        assert_eq!((seen.forward, seen.reverse), (Sighting::Absent, Sighting::Absent));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_is_unknown_and_never_absent() {
    let throttled = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    for (status, body) in [(400, throttled), (500, ""), (200, r#"{"ReplicationTasks":["#)] {
        let (aws, _) = answering(move |_| (status, body.to_owned()));
        let seen = observe(&aws, &migration(), Freshness::Now, Freshness::Now).await;
        assert!(seen.forward.is_unknown() && seen.reverse_tables.is_unknown(), "{status} {body}: {:?}", seen.forward);
        assert!(seen.connections.values().all(Sighting::is_unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn a_marker_that_never_ends_is_unknown() {
    let (aws, _) = answering(|_| (200, r#"{"ReplicationTasks":[],"Connections":[],"Marker":"again"}"#.to_owned()));
    assert!(observe(&aws, &migration(), Freshness::Now, Freshness::Now).await.forward.is_unknown());
}

#[tokio::test(start_paused = true)]
async fn a_task_with_another_endpoint_is_foreign() {
    let (aws, _) = answering(|sent| {
        let mut task = forward_task();
        task["SourceEndpointArn"] = json!("arn:aws:dms:eu-central-1:111122223333:endpoint:OTHER");
        if sent.what == "DescribeReplicationTasks" { (200, json!({ "ReplicationTasks": [task] }).to_string()) } else { dms(sent) }
    });
    let seen = observe(&aws, &migration(), Freshness::Now, Freshness::Now).await;
    let Some(Task { wiring: Wiring::Foreign(how), .. }) = seen.forward.present() else { panic!("{:?}", seen.forward) };
    assert!(how.contains("source endpoint") && how.contains("OTHER"), "{how}");
}

#[tokio::test(start_paused = true)]
async fn statistics_from_before_a_reload_do_not_ask_for_another() {
    let (aws, _) = answering(dms);
    let action = ReplicationAction::ReloadTables { task: FORWARD.into(), tables: vec![TableName::new("payments", "ledger")] };
    act(&aws, &migration(), &action).await.expect("it is accepted");
    let seen = observe(&aws, &migration(), Freshness::Now, Freshness::Now).await;
    assert_eq!(seen.forward_tables.present().expect("tables")[0].state, TableState::Reloading);
}

#[tokio::test(start_paused = true)]
async fn each_action_is_the_call_it_says() {
    let task = || TaskArn::from(FORWARD);
    let from = BinlogPosition { file: "mysql-bin-changelog.000024".to_owned(), offset: 373 };
    let (direction, start) =
        (Direction::Reverse, |how| ReplicationAction::StartTask { direction: Direction::Reverse, task: FORWARD.into(), how });
    let table = [
        (start(StartType::First), "StartReplicationTask", json!({ "StartReplicationTaskType": "start-replication" })),
        (start(StartType::Resume), "StartReplicationTask", json!({ "StartReplicationTaskType": "resume-processing" })),
        (
            start(StartType::FromPosition(from)),
            "StartReplicationTask",
            json!({ "StartReplicationTaskType": "start-replication", "CdcStartPosition": "mysql-bin-changelog.000024:373" }),
        ),
        (
            ReplicationAction::StopTask { direction, task: task() },
            "StopReplicationTask",
            json!({ "ReplicationTaskArn": FORWARD }),
        ),
        (
            ReplicationAction::DeleteTask { direction, task: task() },
            "DeleteReplicationTask",
            json!({ "ReplicationTaskArn": FORWARD }),
        ),
        (
            ReplicationAction::CreateTask { direction },
            "CreateReplicationTask",
            json!({ "MigrationType": "cdc", "ReplicationTaskIdentifier": "payments-reverse" }),
        ),
        (
            ReplicationAction::TestConnection { endpoint: "endpoint".into() },
            "TestConnection",
            json!({ "EndpointArn": "endpoint" }),
        ),
        (
            ReplicationAction::ReloadTables { task: task(), tables: vec![TableName::new("payments", "ledger")] },
            "ReloadTables",
            json!({ "TablesToReload": [{ "SchemaName": "payments", "TableName": "ledger" }] }),
        ),
    ];
    for (action, operation, members) in table {
        let (aws, log) = answering(|_| (200, "{}".to_owned()));
        act(&aws, &migration(), &action).await.expect("it is accepted");
        assert_eq!(operations(&log), vec![operation]);
        let sent: Value = serde_json::from_str(&last_body(&log)).expect("JSON is sent");
        for (name, value) in members.as_object().expect("an object") {
            assert_eq!(&sent[name], value, "{operation} {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_created_task_carries_the_settings_and_mappings_of_this_program() {
    let (aws, log) = answering(|_| (200, "{}".to_owned()));
    let migration = migration();
    act(&aws, &migration, &ReplicationAction::CreateTask { direction: Direction::Forward }).await.expect("it is accepted");
    let sent: Value = serde_json::from_str(&last_body(&log)).expect("JSON is sent");
    let inner = |name: &str| -> Value { serde_json::from_str(sent[name].as_str().expect("text")).expect("JSON in JSON") };
    assert_eq!(inner("ReplicationTaskSettings"), task_settings(&migration));
    assert_eq!(inner("TableMappings"), table_mappings(&migration));
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_apart_by_code_and_tried_once() {
    let (aws, log) = answering(|_| (400, r#"{"__type":"InvalidResourceStateFault","message":"not now"}"#.to_owned()));
    let stop = ReplicationAction::StopTask { direction: Direction::Forward, task: FORWARD.into() };
    let fault = act(&aws, &migration(), &stop).await.expect_err("it is refused");
    assert!(matches!(fault.problem, Problem::WrongState { .. }), "{fault}");
    let (aws_down, log_down) = answering(|_| (503, String::new()));
    let fault = act(&aws_down, &migration(), &stop).await.expect_err("it is not answered");
    assert!(matches!(fault.problem, Problem::Ambiguous { .. }), "{fault}");
    assert_eq!((operations(&log).len(), operations(&log_down).len()), (1, 1));
}

/// DMS with the forward task as `change` leaves it.
fn with_task(change: impl Fn(&mut Value) + Send + Sync + 'static) -> (Aws, crate::aws::wire::Log) {
    answering(move |sent| {
        let mut task = forward_task();
        change(&mut task);
        if sent.what == "DescribeReplicationTasks" { (200, json!({ "ReplicationTasks": [task] }).to_string()) } else { dms(sent) }
    })
}

#[tokio::test(start_paused = true)]
async fn settings_and_mappings_that_are_not_ours_are_reported_by_name() {
    let (aws, _) = with_task(|task| {
        let mut settings = task_settings(&migration());
        settings["FullLoadSettings"]["TargetTablePrepMode"] = json!("DROP_AND_CREATE");
        task["ReplicationTaskSettings"] = json!(settings.to_string());
        task["TableMappings"] = json!(r#"{"rules":[]}"#);
    });
    let seen = observe(&aws, &migration(), Freshness::Now, Freshness::Now).await;
    let drift = seen.forward.present().and_then(|task| task.drift.present()).expect("it is known").clone();
    assert!(drift[0].starts_with("FullLoadSettings.TargetTablePrepMode is \"DROP_AND_CREATE\""), "{drift:?}");
    assert_eq!(drift.iter().filter(|line| line.starts_with("TableMappings lack")).count(), 2, "{drift:?}");
}

#[tokio::test(start_paused = true)]
async fn settings_that_nobody_can_read_are_unknown_and_never_as_wished() {
    let spoilt: [fn(&mut Value); 3] = [
        |task| task["ReplicationTaskSettings"] = json!("no JSON"),
        |task| task["TableMappings"] = Value::Null,
        |task| task["Status"] = json!("modifying"),
    ];
    for spoil in spoilt {
        let (aws, _) = with_task(spoil);
        let seen = observe(&aws, &migration(), Freshness::Now, Freshness::Now).await;
        let task = seen.forward.present().expect("the task itself is seen");
        assert!(task.drift.is_unknown(), "{:?}", task.drift);
    }
}

#[tokio::test(start_paused = true)]
async fn how_a_task_is_set_up_is_asked_seldom_unless_something_is_wrong_with_it() {
    let day = Freshness::UpTo(std::time::Duration::from_secs(24 * 3600));
    let start = || ReplicationAction::StartTask { direction: Direction::Forward, task: FORWARD.into(), how: StartType::Resume };
    let asked_with_settings =
        |log: &crate::aws::wire::Log| operations(log).iter().filter(|operation| *operation == "DescribeReplicationTasks").count();
    let careless = |task: &mut Value| task["TableMappings"] = json!(r#"{"rules":[]}"#);
    for (is_careless, more) in [(false, 2), (true, 3)] {
        let (aws, log) = with_task(move |task| {
            if is_careless {
                careless(task)
            }
        });
        let _ = observe(&aws, &migration(), Freshness::Now, day).await;
        act(&aws, &migration(), &start()).await.expect("it is accepted");
        let before = asked_with_settings(&log);
        let _ = observe(&aws, &migration(), Freshness::Now, day).await;
        // The listing, once more for the missing reverse task; a call of ours has changed no settings.
        assert_eq!(asked_with_settings(&log) - before, more, "careless: {is_careless}");
    }
}

#[test]
fn the_rooms_futures_can_be_sent_between_threads() {
    fn is_send<T: Send>(_: T) {}
    let (aws, _) = answering(dms);
    let migration = migration();
    is_send(observe(&aws, &migration, Freshness::Now, Freshness::Now));
    is_send(act(&aws, &migration, &ReplicationAction::CreateTask { direction: Direction::Forward }));
}
