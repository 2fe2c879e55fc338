//! RDS as the real SDK sees it.

use aws_sdk_rds::types::{ApplyMethod, Filter, Parameter};

use super::RdsEffect;
use crate::names::{InstanceId, ParameterGroupName};
use crate::sim::wire::stub::{Bench, code_of};

const GROUP: &str = "payments-binlog";

fn parameter(name: &str, value: &str, method: ApplyMethod) -> Parameter {
    Parameter::builder().parameter_name(name).parameter_value(value).apply_method(method).build()
}

async fn create_group(bench: &Bench, name: &str) -> Result<(), String> {
    let call = bench.aws.rds.create_db_cluster_parameter_group().db_cluster_parameter_group_name(name);
    let sent = call.db_parameter_group_family("aurora-mysql8.0").description("for the way back").send().await;
    sent.map(|_| ()).map_err(|error| code_of(&error).to_owned())
}

async fn set(bench: &Bench, group: &str, parameters: Vec<Parameter>) -> Result<(), String> {
    let call = bench.aws.rds.modify_db_cluster_parameter_group().db_cluster_parameter_group_name(group);
    call.set_parameters(Some(parameters)).send().await.map(|_| ()).map_err(|error| code_of(&error).to_owned())
}

async fn attach(bench: &Bench, cluster: &str, group: &str) -> Result<(), String> {
    let call = bench.aws.rds.modify_db_cluster().db_cluster_identifier(cluster).db_cluster_parameter_group_name(group);
    call.send().await.map(|_| ()).map_err(|error| code_of(&error).to_owned())
}

async fn reboot(bench: &Bench, instance: &str) -> Result<(), String> {
    let sent = bench.aws.rds.reboot_db_instance().db_instance_identifier(instance).send().await;
    sent.map(|_| ()).map_err(|error| code_of(&error).to_owned())
}

/// Instance, whether it writes, its group's status.
async fn members(bench: &Bench) -> Vec<(String, bool, String)> {
    let answer = bench.aws.rds.describe_db_clusters().db_cluster_identifier("payments").send().await.expect("known");
    let members = answer.db_clusters()[0].db_cluster_members().iter().map(|member| {
        let text = |text: Option<&str>| text.expect("there").to_owned();
        let writes = member.is_cluster_writer().expect("there");
        (text(member.db_instance_identifier()), writes, text(member.db_cluster_parameter_group_status()))
    });
    members.collect()
}

async fn status_of(bench: &Bench, instance: &str) -> String {
    let answer = bench.aws.rds.describe_db_instances().db_instance_identifier(instance).send().await.expect("known");
    answer.db_instances()[0].db_instance_status().expect("there").to_owned()
}

/// A group that writes the binary log, attached to the migration's cluster.
async fn with_binlog_wished() -> Bench {
    let bench = Bench::calm();
    create_group(&bench, GROUP).await.expect("created");
    let wishes = vec![
        parameter("binlog_format", "ROW", ApplyMethod::PendingReboot),
        parameter("binlog_checksum", "NONE", ApplyMethod::PendingReboot),
    ];
    set(&bench, GROUP, wishes).await.expect("set");
    attach(&bench, "payments", GROUP).await.expect("attached");
    bench
}

fn row(instance: &str, writes: bool, status: &str) -> (String, bool, String) {
    (instance.to_owned(), writes, status.to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_binary_log_is_in_effect_only_after_the_writer_was_rebooted() {
    let bench = with_binlog_wished().await;
    assert_eq!(members(&bench).await, [row("payments-1", true, "pending-reboot"), row("payments-2", false, "pending-reboot")]);
    assert_eq!(bench.world().rds.in_effect().format, "OFF", "a wish is not an effect");
    bench.pass(7 * 24 * 3600).await;
    assert_eq!(members(&bench).await[0].2, "pending-reboot", "no maintenance window applies it");

    reboot(&bench, "payments-1").await.expect("accepted");
    assert_eq!(status_of(&bench, "payments-1").await, "rebooting");
    assert_eq!(reboot(&bench, "payments-1").await, Err("InvalidDBInstanceState".to_owned()));
    assert_eq!(bench.world().rds.in_effect().format, "OFF", "not before it is up again");
    bench.pass(41).await;
    assert_eq!(status_of(&bench, "payments-1").await, "available");
    assert_eq!(members(&bench).await, [row("payments-1", true, "in-sync"), row("payments-2", false, "pending-reboot")]);

    let world = bench.world();
    let binlog = world.rds.in_effect();
    assert_eq!((binlog.format.as_str(), binlog.row_image.as_str(), binlog.checksum.as_str()), ("ROW", "FULL", "NONE"));
    let instance = InstanceId::from("payments-1");
    assert_eq!(
        world.effects,
        [RdsEffect::WriterRebooting { instance: instance.clone() }, RdsEffect::WriterUp { instance: instance.clone(), binlog }]
    );
    assert_eq!(world.rds.reboots().iter().map(|(_, id)| id).collect::<Vec<_>>(), [&instance]);
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_restart_waits_for_the_next_one() {
    let bench = with_binlog_wished().await;
    reboot(&bench, "payments-1").await.expect("accepted");
    set(&bench, GROUP, vec![parameter("binlog_format", "MIXED", ApplyMethod::PendingReboot)]).await.expect("set");
    bench.pass(41).await;
    assert_eq!(members(&bench).await[0].2, "pending-reboot");
    assert_eq!(bench.world().rds.in_effect().format, "ROW", "what the group said when the restart began");
}

#[tokio::test(start_paused = true)]
async fn rebooting_the_reader_changes_nothing_for_the_writer() {
    let bench = with_binlog_wished().await;
    reboot(&bench, "payments-2").await.expect("accepted");
    bench.pass(41).await;
    assert_eq!(members(&bench).await, [row("payments-1", true, "pending-reboot"), row("payments-2", false, "in-sync")]);
    assert_eq!(bench.world().rds.in_effect().format, "OFF");
    assert!(bench.world().effects.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failover_restarts_both_and_swaps_the_writer() {
    let bench = with_binlog_wished().await;
    bench.aws.rds.failover_db_cluster().db_cluster_identifier("payments").send().await.expect("accepted");
    assert_eq!(status_of(&bench, "payments-2").await, "rebooting");
    bench.pass(41).await;
    assert_eq!(members(&bench).await, [row("payments-1", false, "in-sync"), row("payments-2", true, "in-sync")]);
    let world = bench.world();
    assert!(matches!(&world.effects[..], [
        RdsEffect::WriterRebooting { instance: old }, RdsEffect::WriterUp { instance: new, binlog }
    ] if old.as_str() == "payments-1" && new.as_str() == "payments-2" && binlog.format == "ROW"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_not_rebooted_as_a_whole() {
    let bench = Bench::calm();
    let refused = bench.aws.rds.reboot_db_cluster().db_cluster_identifier("payments").send().await.expect_err("Aurora");
    assert_eq!(code_of(&refused), "InvalidDBClusterStateFault");
    assert!(bench.world().rds.reboots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn parameters_that_are_static_fixed_unknown_or_too_many_are_refused_whole() {
    let bench = Bench::calm();
    create_group(&bench, GROUP).await.expect("created");
    let good = parameter("binlog_format", "ROW", ApplyMethod::PendingReboot);
    let with = |bad: Parameter| vec![good.clone(), bad];
    let pending = ApplyMethod::PendingReboot;
    let immediate = parameter("binlog_format", "ROW", ApplyMethod::Immediate);
    assert_eq!(set(&bench, GROUP, with(immediate)).await, Err("InvalidParameterCombination".to_owned()));
    for (name, value) in [("binlog_row_image", "FULL"), ("log_bin", "1"), ("no_such_thing", "1"), ("binlog_checksum", "MD5")] {
        let refused = set(&bench, GROUP, with(parameter(name, value, pending.clone()))).await;
        assert_eq!(refused, Err("InvalidParameterValue".to_owned()), "{name}");
    }
    assert_eq!(set(&bench, GROUP, vec![good.clone(); 21]).await, Err("InvalidParameterValue".to_owned()));
    assert_eq!(set(&bench, GROUP, vec![]).await, Err("InvalidParameterValue".to_owned()));
    assert_eq!(set(&bench, "default.aurora-mysql8.0", vec![good.clone()]).await, Err("InvalidParameterValue".to_owned()));

    let call = bench.aws.rds.describe_db_cluster_parameters().db_cluster_parameter_group_name(GROUP).source("user");
    assert!(call.send().await.expect("known").parameters().is_empty(), "nothing of a refused request is set");
    set(&bench, GROUP, vec![good; 20]).await.expect("twenty are allowed");
}

#[tokio::test(start_paused = true)]
async fn parameters_come_in_pages_and_only_those_set_by_hand_are_users() {
    let bench = with_binlog_wished().await;
    let call = || bench.aws.rds.describe_db_cluster_parameters().db_cluster_parameter_group_name(GROUP);
    let first = call().send().await.expect("known");
    assert_eq!(first.parameters().len(), 100);
    assert!(first.marker().is_some(), "a group is longer than a page");
    let all: Vec<Parameter> = call().into_paginator().items().send().collect::<Result<_, _>>().await.expect("all pages");
    assert_eq!(all.len(), super::parameters::FAMILY.len());
    let format = all.iter().find(|one| one.parameter_name() == Some("binlog_format")).expect("listed");
    assert_eq!((format.parameter_value(), format.source(), format.apply_type()), (Some("ROW"), Some("user"), Some("static")));
    let image = all.iter().find(|one| one.parameter_name() == Some("binlog_row_image")).expect("listed");
    assert_eq!((image.source(), image.is_modifiable()), (Some("system"), Some(false)));
    let users = call().source("user").send().await.expect("known");
    assert_eq!(users.parameters().len(), 2);
    let named = Filter::builder().name("parameter-name").values("binlog_format").build();
    assert_eq!(call().filters(named).send().await.expect("known").parameters().len(), 1);
    assert_eq!(code_of(&call().max_records(19).send().await.expect_err("too small")), "InvalidParameterValue");
    assert_eq!(code_of(&call().marker("elsewhere").send().await.expect_err("not a marker")), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn a_missing_group_has_two_names_and_a_taken_one_is_refused() {
    let bench = Bench::calm();
    let client = &bench.aws.rds;
    let described = client.describe_db_cluster_parameters().db_cluster_parameter_group_name("gone").send().await;
    let described = described.expect_err("missing");
    assert_eq!(code_of(&described), "DBParameterGroupNotFound");
    assert_eq!(described.raw_response().map(|raw| raw.status().as_u16()), Some(404));
    let groups = client.describe_db_cluster_parameter_groups().db_cluster_parameter_group_name("gone").send().await;
    assert_eq!(code_of(&groups.expect_err("missing")), "DBParameterGroupNotFound");
    assert_eq!(attach(&bench, "payments", "gone").await, Err("DBClusterParameterGroupNotFound".to_owned()));
    assert_eq!(attach(&bench, "gone", "default.aurora-mysql8.0").await, Err("DBClusterNotFoundFault".to_owned()));
    assert_eq!(reboot(&bench, "gone").await, Err("DBInstanceNotFound".to_owned()));
    create_group(&bench, "Payments-Binlog").await.expect("created");
    assert_eq!(create_group(&bench, GROUP).await, Err("DBParameterGroupAlreadyExists".to_owned()), "names are lower-cased");
    assert_eq!(create_group(&bench, "with.period").await, Err("InvalidParameterValue".to_owned()));
    let listed = client.describe_db_cluster_parameter_groups().send().await.expect("listed");
    let names: Vec<_> = listed.db_cluster_parameter_groups().iter().filter_map(|g| g.db_cluster_parameter_group_name()).collect();
    assert_eq!(names, ["default.aurora-mysql8.0", GROUP]);
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_on_the_same_group_is_seen_and_waits_for_a_reboot_too() {
    let bench = with_binlog_wished().await;
    bench.world().rds.attach_neighbour(&ParameterGroupName::from(GROUP));
    let listed = bench.aws.rds.describe_db_clusters().send().await.expect("listed");
    let wearing: Vec<_> =
        listed.db_clusters().iter().filter(|cluster| cluster.db_cluster_parameter_group() == Some(GROUP)).collect();
    assert_eq!(wearing.len(), 2);
    assert_eq!(wearing[1].db_cluster_members()[0].db_cluster_parameter_group_status(), Some("pending-reboot"));
    let only = Filter::builder().name("db-cluster-id").values("shared-neighbour").build();
    let filtered = bench.aws.rds.describe_db_clusters().filters(only).send().await.expect("listed");
    assert_eq!(filtered.db_clusters().len(), 1);
    let strange = Filter::builder().name("engine").values("x").build();
    let refused = bench.aws.rds.describe_db_clusters().filters(strange).send().await.expect_err("not modelled");
    assert_eq!(code_of(&refused), "InvalidParameterValue");
    let deleting = bench.aws.rds.delete_db_cluster().db_cluster_identifier("payments").send().await.expect_err("not modelled");
    assert_eq!(code_of(&deleting), "InvalidAction");
}
