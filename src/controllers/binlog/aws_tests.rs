//! Over the wire: what is asked of RDS, and what its answers are taken for.

use super::*;
use crate::aws::wire::{Sent, answering, last_body, operations};
use crate::controllers::fixture::migration;
use crate::fault::Problem;

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

fn answer(operation: &str, inner: &str) -> (u16, String) {
    let body = format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{inner}</{operation}Result>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
    );
    (200, body)
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    );
    (status, body)
}

fn cluster(name: &str, group: &str, writer_group_status: &str) -> String {
    format!(
        "<DBCluster><DBClusterIdentifier>{name}</DBClusterIdentifier><Status>available</Status>\
         <DBClusterParameterGroup>{group}</DBClusterParameterGroup><DBClusterMembers>\
         <DBClusterMember><DBInstanceIdentifier>{name}-1</DBInstanceIdentifier><IsClusterWriter>true</IsClusterWriter>\
         <DBClusterParameterGroupStatus>{writer_group_status}</DBClusterParameterGroupStatus></DBClusterMember>\
         <DBClusterMember><DBInstanceIdentifier>{name}-2</DBInstanceIdentifier><IsClusterWriter>false</IsClusterWriter>\
         <DBClusterParameterGroupStatus>pending-reboot</DBClusterParameterGroupStatus></DBClusterMember>\
         </DBClusterMembers></DBCluster>"
    )
}

fn parameter(name: &str, value: &str) -> String {
    format!("<Parameter><ParameterName>{name}</ParameterName><ParameterValue>{value}</ParameterValue></Parameter>")
}

/// RDS with these clusters, two pages of parameters and an available writer.
fn rds(clusters: String) -> impl Fn(&Sent) -> (u16, String) + Send + Sync + 'static {
    move |sent: &Sent| match sent.what.as_str() {
        "DescribeDBClusters" => answer("DescribeDBClusters", &format!("<DBClusters>{clusters}</DBClusters>")),
        "DescribeDBClusterParameters" if sent.body.contains("Marker=more") => {
            let last = parameter("binlog_checksum", "NONE");
            answer("DescribeDBClusterParameters", &format!("<Parameters>{last}</Parameters>"))
        }
        "DescribeDBClusterParameters" => {
            let first = parameter("binlog_format", "ROW");
            answer("DescribeDBClusterParameters", &format!("<Parameters>{first}</Parameters><Marker>more</Marker>"))
        }
        "DescribeDBInstances" => answer(
            "DescribeDBInstances",
            "<DBInstances><DBInstance><DBInstanceStatus>available</DBInstanceStatus></DBInstance></DBInstances>",
        ),
        other => answer(other, ""),
    }
}

async fn look(respond: impl Fn(&Sent) -> (u16, String) + Send + Sync + 'static) -> BinlogSighting {
    let (aws, _) = answering(respond);
    observe(&aws, &migration(), Freshness::Now, Sighting::Absent).await
}

#[tokio::test(start_paused = true)]
async fn the_cluster_its_writer_and_every_page_of_parameters_are_seen() {
    let seen = look(rds(cluster("payments", "payments-binlog", "pending-reboot"))).await;
    let cluster = seen.cluster.present().expect("the cluster is seen");
    let writer = cluster.writer().expect("one writer");
    assert_eq!((writer.instance.as_str(), writer.parameter_group_status.as_str()), ("payments-1", "pending-reboot"));
    assert_eq!(cluster.writer_status, Sighting::Present("available".to_owned()));
    let parameters = seen.parameters.present().expect("the group is seen");
    assert_eq!(parameters.get("binlog_format").map(String::as_str), Some("ROW"));
    assert_eq!(parameters.get("binlog_checksum").map(String::as_str), Some("NONE"));
    assert_eq!(seen.shared_with, Sighting::Present(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn another_cluster_in_the_group_is_named() {
    let clusters = cluster("payments", "default.aurora-mysql8.0", "in-sync") + &cluster("ledger", "Payments-Binlog", "in-sync");
    let seen = look(rds(clusters)).await;
    assert_eq!(seen.shared_with, Sighting::Present(vec![ClusterId::from("ledger")]));
}

#[tokio::test(start_paused = true)]
async fn a_missing_group_is_absent_under_both_of_its_codes() {
    for code in ["DBParameterGroupNotFound", "DBClusterParameterGroupNotFound"] {
        let rds = rds(cluster("payments", "default.aurora-mysql8.0", "in-sync"));
        let seen =
            look(move |sent: &Sent| if sent.what == "DescribeDBClusterParameters" { refusal(404, code) } else { rds(sent) });
        assert_eq!(seen.await.parameters, Sighting::Absent);
    }
}

#[tokio::test(start_paused = true)]
async fn refused_reads_are_unknown() {
    let seen = look(|_: &Sent| refusal(400, "Throttling")).await;
    assert!(seen.cluster.is_unknown() && seen.parameters.is_unknown() && seen.shared_with.is_unknown());
}

#[tokio::test(start_paused = true)]
async fn each_action_is_the_call_it_says() {
    let parameters = BTreeMap::from([("binlog_format".to_owned(), "ROW".to_owned())]);
    let table = [
        (BinlogAction::CreateGroup, "CreateDBClusterParameterGroup", "DBParameterGroupFamily=aurora-mysql8.0"),
        (
            BinlogAction::SetParameters { parameters },
            "ModifyDBClusterParameterGroup",
            "Parameters.Parameter.1.ApplyMethod=pending-reboot",
        ),
        (BinlogAction::AttachGroup, "ModifyDBCluster", "DBClusterParameterGroupName=payments-binlog"),
        (BinlogAction::RebootWriter { instance: "payments-1".into() }, "RebootDBInstance", "DBInstanceIdentifier=payments-1"),
    ];
    for (action, operation, part) in table {
        let (aws, log) = answering(rds(String::new()));
        let Route::Rds(call) = route(&action) else { panic!("{action:?} is a call to RDS") };
        act(&aws, &migration(), call).await.expect("it is accepted");
        assert_eq!(operations(&log), vec![operation]);
        assert!(last_body(&log).contains(part), "{}", last_body(&log));
    }
}

#[test]
fn the_retention_is_sql_and_no_call_to_rds() {
    assert_eq!(route(&BinlogAction::SetRetention { hours: 72 }), Route::SetRetention(72));
}

#[tokio::test(start_paused = true)]
async fn a_reboot_of_an_instance_that_is_not_available_is_the_wrong_state() {
    let (aws, _) = answering(|_| refusal(400, "InvalidDBInstanceState"));
    let fault = act(&aws, &migration(), RdsCall::RebootWriter(&"payments-1".into())).await.expect_err("it is refused");
    assert!(matches!(fault.problem, Problem::WrongState { .. }), "{fault}");
}
