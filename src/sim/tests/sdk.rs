//! DMS's answers, read by the real SDK client.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::config::{BehaviorVersion, Region};
use aws_sdk_databasemigration::types::{Filter, MigrationTypeValue, StartReplicationTaskTypeValue};
use aws_smithy_types::retry::RetryConfig;

use super::{START, world_with};
use crate::clock::Clock;
use crate::sim::SharedWorld;
use crate::sim::profile::FaultProfile;
use crate::sim::wire::connector::transport;

fn client(world: &SharedWorld) -> Client {
    let clock = Clock::starting_at(START.parse().expect("a timestamp"));
    let config = aws_sdk_databasemigration::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
        .http_client(transport(world.clone(), clock.clone()))
        .time_source(clock.clone())
        .sleep_impl(clock)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}

#[tokio::test(start_paused = true)]
async fn the_sdk_understands_a_task_from_creation_to_statistics() {
    let world = world_with(FaultProfile::calm(), 1).shared();
    let client = client(&world);
    let spec = world.lock().expect("not poisoned").setting.migration.spec.clone();
    let instance = spec.replication.instance_arn.as_str();
    for endpoint in [&spec.legacy.endpoint_arn, &spec.target.endpoint_arn] {
        client.test_connection().replication_instance_arn(instance).endpoint_arn(endpoint.as_str()).send().await.expect("a test");
    }
    let mappings = r#"{"rules":[{"rule-type":"selection","rule-id":"1","rule-name":"1","rule-action":"include","object-locator":{"schema-name":"%","table-name":"%"}}]}"#;
    let created = client
        .create_replication_task()
        .replication_task_identifier("Payments-Forward")
        .source_endpoint_arn(spec.legacy.endpoint_arn.as_str())
        .target_endpoint_arn(spec.target.endpoint_arn.as_str())
        .replication_instance_arn(instance)
        .migration_type(MigrationTypeValue::FullLoadAndCdc)
        .table_mappings(mappings)
        .send()
        .await
        .expect("created");
    let task = created.replication_task().expect("a task");
    assert_eq!((task.status(), task.replication_task_identifier()), (Some("creating"), Some("payments-forward")));
    let arn = task.replication_task_arn().expect("an ARN").to_owned();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let connections = client.describe_connections().send().await.expect("connections");
    assert!(connections.connections().iter().all(|connection| connection.status() == Some("successful")));
    let start = client.start_replication_task().replication_task_arn(&arn);
    start.start_replication_task_type(StartReplicationTaskTypeValue::StartReplication).send().await.expect("started");
    tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
    let filter = Filter::builder().name("replication-task-arn").values(&arn).build().expect("a filter");
    let tasks = client.describe_replication_tasks().filters(filter).send().await.expect("tasks");
    let stats = tasks.replication_tasks()[0].replication_task_stats().expect("statistics");
    assert_eq!(tasks.replication_tasks()[0].status(), Some("running"));
    assert!(stats.full_load_start_date().is_some() && stats.tables_loaded() > 0);
    let tables = client.describe_table_statistics().replication_task_arn(&arn).send().await.expect("table statistics");
    assert_eq!(tables.table_statistics().len(), 8);
    assert!(tables.table_statistics().iter().all(|table| table.table_state().is_some() && table.last_update_time().is_some()));
    assert_eq!(client.describe_endpoints().send().await.expect("endpoints").endpoints().len(), 4);
    assert_eq!(client.describe_replication_instances().send().await.expect("instances").replication_instances().len(), 1);
    let nobody = Filter::builder().name("replication-task-id").values("nobody").build().expect("a filter");
    let refused = client.describe_replication_tasks().filters(nobody).send().await.expect_err("nothing matches");
    assert!(refused.into_service_error().is_resource_not_found_fault());
}
