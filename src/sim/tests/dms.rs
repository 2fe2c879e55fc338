//! DMS where it is strict, and where its defaults are traps.

use serde_json::json;

use super::Play;
use crate::names::{Direction, Side};
use crate::sim::database::rows::Row;
use crate::sim::profile::FaultProfile;
use crate::sim::wire::Cloud;

#[test]
fn dms_refuses_what_dms_refuses() {
    let mut play = Play::new(FaultProfile::calm(), 10);
    let forward = play.create(Direction::Forward);
    let start = |how: &str| json!({ "ReplicationTaskArn": forward, "StartReplicationTaskType": how });
    assert_eq!(
        play.refusal("StartReplicationTask", start("start-replication")),
        "InvalidResourceStateFault",
        "untested endpoints"
    );
    play.test_connections();
    assert_eq!(play.refusal("StartReplicationTask", start("resume-processing")), "InvalidParameterCombinationException");
    play.dms("StartReplicationTask", start("start-replication"));
    assert_eq!(play.refusal("StartReplicationTask", start("start-replication")), "InvalidResourceStateFault", "starting");
    play.wait(120);
    assert_eq!(play.status(&forward)["Status"], "running");
    let by_id = json!({ "Filters": [{ "Name": "replication-task-id", "Values": ["nobody"] }] });
    assert_eq!(play.refusal("DescribeReplicationTasks", by_id), "ResourceNotFoundFault");
    assert_eq!(play.refusal("DescribeReplicationTasks", json!({ "MaxRecords": 5 })), "InvalidParameterValueException");
    assert_eq!(play.refusal("DeleteReplicationTask", json!({ "ReplicationTaskArn": forward })), "InvalidResourceStateFault");
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": forward }));
    assert_eq!(play.status(&forward)["Status"], "stopping");
    play.wait(10);
    assert_eq!(play.status(&forward)["StopReason"], "Stop Reason NORMAL");
    assert_eq!(play.refusal("StartReplicationTask", start("start-replication")), "InvalidParameterCombinationException");
    play.dms("DeleteReplicationTask", json!({ "ReplicationTaskArn": forward }));
    play.wait(400);
    assert_eq!(play.refusal("DeleteReplicationTask", json!({ "ReplicationTaskArn": forward })), "ResourceNotFoundFault");
}

#[test]
fn dms_defaults_empty_the_target_and_lose_a_row_in_silence() {
    let mut play = Play::new(FaultProfile::calm(), 13);
    play.test_connections();
    let spec = play.world.setting.migration.spec.clone();
    let row = *play.world.databases.legacy.tables[2].rows().next().expect("legacy has rows");
    let stray = Row { id: 99_999, key: 99_999, ..row };
    play.world.databases.target.tables[2].put(stray);
    let rule = json!({
        "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
        "object-locator": { "schema-name": "payments", "table-name": "%" },
    });
    let created = play.dms(
        "CreateReplicationTask",
        json!({
            "ReplicationTaskIdentifier": "payments-forward", "SourceEndpointArn": spec.legacy.endpoint_arn,
            "TargetEndpointArn": spec.target.endpoint_arn, "MigrationType": "full-load-and-cdc",
            "ReplicationInstanceArn": spec.replication.instance_arn, "TableMappings": json!({ "rules": [rule] }).to_string(),
        }),
    );
    let arn = created["ReplicationTask"]["ReplicationTaskArn"].clone();
    play.wait(30);
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": arn, "StartReplicationTaskType": "start-replication" }));
    play.wait(4 * 3600);
    let task = play.status(arn.as_str().expect("an ARN"));
    assert_eq!((task["Status"].as_str(), task["ReplicationTaskStats"]["TablesErrored"].as_i64()), (Some("running"), Some(0)));
    assert!(play.world.databases.target.tables[2].with_key(99_999).is_none(), "DROP_AND_CREATE dropped what was there");
    let digest = |side: Side| play.world.databases.side(side).tables[1].digest(play.world.now(), false);
    assert_ne!(digest(Side::Legacy), digest(Side::Target), "a busy table lost a row, and nothing says so");
    assert!(play.world.truth().forward.skipped_rows > 0);
}

#[test]
fn a_task_fails_when_its_binary_log_is_gone() {
    let mut play = Play::new(FaultProfile::calm(), 14);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(80 * 3600);
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": reverse, "StartReplicationTaskType": "resume-processing" }));
    play.wait(60);
    let task = play.status(&reverse);
    assert_eq!(task["Status"], "failed", "72 hours were promised, and 80 have passed");
    assert!(task["LastFailureMessage"].is_string());
}

#[test]
fn nonsense_is_refused_and_never_breaks_the_world() {
    let mut play = Play::new(FaultProfile::storm(), 16);
    let forward = play.create(Direction::Forward);
    let operations = [
        "CreateReplicationTask",
        "ModifyReplicationTask",
        "StartReplicationTask",
        "StopReplicationTask",
        "DeleteReplicationTask",
        "DescribeReplicationTasks",
        "DescribeTableStatistics",
        "DescribeConnections",
        "DescribeEndpoints",
        "DescribeReplicationInstances",
        "ReloadTables",
        "TestConnection",
        "DropEverything",
    ];
    let nonsense = [
        json!(null),
        json!([]),
        json!("text"),
        json!({}),
        json!({ "ReplicationTaskArn": "arn:aws:dms:nowhere", "Filters": [{}] }),
        json!({ "ReplicationTaskArn": forward, "Filters": [{ "Name": 5, "Values": "x" }], "MaxRecords": -1, "Marker": "one" }),
        json!({ "ReplicationTaskArn": forward, "TablesToReload": [{ "SchemaName": "" }], "TableMappings": "{", "Marker": "99" }),
        json!({ "ReplicationTaskArn": forward, "ReplicationTaskSettings": "[]", "CdcStartPosition": "::" }),
        json!({ "ReplicationTaskIdentifier": "Ä", "MigrationType": "all", "ReplicationTaskArn": forward, "MaxRecords": 20 }),
    ];
    for operation in operations {
        for input in &nonsense {
            if let Err(refusal) = play.world.dms(operation, input) {
                assert_eq!(refusal.status, 400, "{operation} {input}");
                assert!(!refusal.code.is_empty() && !refusal.message.is_empty());
            }
        }
        play.wait(7);
    }
    assert_eq!(play.refusal("DropEverything", json!({})), "UnknownOperationException");
}

#[test]
fn without_loopback_prevention_both_tasks_together_suspend_tables() {
    let mut play = Play::new(FaultProfile::calm(), 17);
    play.fence(Side::Target);
    play.replicate();
    play.arm();
    let reverse = play.create(Direction::Reverse);
    let settings =
        json!({ "ErrorBehavior": { "ApplyErrorInsertPolicy": "SUSPEND_TABLE", "ApplyErrorUpdatePolicy": "SUSPEND_TABLE" } });
    play.dms("ModifyReplicationTask", json!({ "ReplicationTaskArn": reverse, "ReplicationTaskSettings": settings.to_string() }));
    play.wait(20);
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": reverse, "StartReplicationTaskType": "start-replication" }));
    play.wait(900);
    let errored = &play.status(&reverse)["ReplicationTaskStats"]["TablesErrored"];
    assert!(errored.as_u64().is_some_and(|tables| tables > 0), "the echoes collide: {errored}");
}
