//! The wire: protocols, faults and crashes, seen through the real SDK clients.

use std::time::Duration;

use aws_sdk_databasemigration::types::{MigrationTypeValue, StartReplicationTaskTypeValue};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::FutureExt;

use super::open::{BODY_AT_MOST, Received, open};
use super::stub::{Bench, LOAD_BALANCER, Stub, ZONE, code_of};
use super::{Cloud, close};
use crate::clock::elapsed;
use crate::sim::crash::{ControllerCrash, CrashSwitch, Place};
use crate::sim::faults::Service;
use crate::sim::profile::FaultProfile;

const TASK: &str = "arn:aws:dms:eu-west-1:111122223333:task:ABC";

fn bench(profile: FaultProfile) -> Bench {
    Bench::with(profile, 1, CrashSwitch::never())
}

#[tokio::test(start_paused = true)]
async fn json_goes_there_and_back_with_numeric_timestamps() {
    let bench = Bench::calm();
    let call = bench.aws.dms.start_replication_task().replication_task_arn(TASK);
    let answer =
        call.start_replication_task_type(StartReplicationTaskTypeValue::ResumeProcessing).send().await.expect("answered");
    let task = answer.replication_task().expect("there");
    assert_eq!(task.replication_task_arn(), Some(TASK));
    assert_eq!(task.replication_task_creation_date().map(aws_smithy_types::DateTime::as_secs_f64), Some(1_590_524_772.505));
    let world = bench.world();
    assert_eq!(world.faults.calls.get("dms"), Some(&1));
    assert_eq!(world.faults.mutations.len(), 1);
    assert_eq!(world.faults.mutations[0].2, "StartReplicationTask");
}

#[tokio::test(start_paused = true)]
async fn refusals_keep_their_code_and_their_fields() {
    let bench = Bench::calm();
    let client = &bench.aws.dms;
    let create =
        client.create_replication_task().replication_task_identifier("x").source_endpoint_arn("s").target_endpoint_arn("t");
    let create = create.replication_instance_arn("r").migration_type(MigrationTypeValue::Cdc).table_mappings("{}");
    let exists = create.send().await.expect_err("exists").into_service_error();
    assert!(exists.is_resource_already_exists_fault());
    let aws_sdk_databasemigration::operation::create_replication_task::CreateReplicationTaskError::ResourceAlreadyExistsFault(
        fault,
    ) = exists
    else {
        panic!("another error");
    };
    assert_eq!(fault.resource_arn(), Some("arn:aws:dms:eu-west-1:111122223333:task:OLD"));
    let unmodelled = client.modify_replication_task().replication_task_arn(TASK).send().await.expect_err("refused");
    assert_eq!(code_of(&unmodelled), "InvalidParameterCombinationException");
    assert_eq!(unmodelled.into_service_error().message(), Some("not together"));
    let unknown = client.describe_certificates().send().await.expect_err("not modelled");
    assert_eq!(code_of(&unknown), "UnknownOperationException");
}

#[tokio::test(start_paused = true)]
async fn a_throttled_call_is_refused_and_not_applied() {
    let bench = bench(FaultProfile { throttle: 1.0, ..FaultProfile::calm() });
    let refused = bench.aws.dms.stop_replication_task().replication_task_arn(TASK).send().await.expect_err("throttled");
    assert_eq!(code_of(&refused), "ThrottlingException");
    let refused = bench.aws.rds.reboot_db_instance().db_instance_identifier("payments-1").send().await.expect_err("throttled");
    assert_eq!(code_of(&refused), "Throttling");
    let mut codes: Vec<String> = Vec::new();
    for _ in 0..20 {
        let refused = bench.aws.route53.change_resource_record_sets().hosted_zone_id(ZONE).change_batch(batch()).send().await;
        codes.push(code_of(&refused.expect_err("throttled")).to_owned());
    }
    codes.sort();
    codes.dedup();
    assert_eq!(codes, ["PriorRequestNotComplete", "Throttling"]);
    let world = bench.world();
    assert!(world.faults.mutations.is_empty() && world.rds.reboots().is_empty());
}

fn batch() -> aws_sdk_route53::types::ChangeBatch {
    use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
    let record = ResourceRecord::builder().value("192.0.2.1").build().expect("whole");
    let set = ResourceRecordSet::builder().name("new.example.com").r#type(RrType::A).ttl(60).resource_records(record).build();
    let change = Change::builder().action(ChangeAction::Create).resource_record_set(set.expect("whole")).build();
    ChangeBatch::builder().changes(change.expect("whole")).build().expect("whole")
}

#[tokio::test(start_paused = true)]
async fn a_call_lost_on_its_way_is_not_applied_and_one_lost_on_its_way_back_is() {
    for (profile, reboots) in [
        (FaultProfile { timeout_before: 1.0, ..FaultProfile::calm() }, 0),
        (FaultProfile { timeout_after: 1.0, ..FaultProfile::calm() }, 1),
    ] {
        let bench = bench(profile);
        let started = bench.clock.now();
        let lost = bench.aws.rds.reboot_db_instance().db_instance_identifier("payments-1").send().await.expect_err("lost");
        assert!(matches!(lost, aws_sdk_rds::error::SdkError::TimeoutError(_)), "{lost:?}");
        assert_eq!(elapsed(started, bench.clock.now()), Duration::from_secs(5), "the client's own patience ends it");
        assert_eq!(bench.world().rds.reboots().len(), reboots);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_error_says_so_and_health_has_its_own() {
    let bench = bench(FaultProfile { server_error: 1.0, ..FaultProfile::calm() });
    let broken = bench.aws.rds.describe_db_clusters().send().await.expect_err("broken");
    assert!(broken.raw_response().is_some_and(|raw| raw.status().is_server_error()));
    for _ in 0..10 {
        bench.aws.rds.failover_db_cluster().db_cluster_identifier("payments").send().await.expect_err("broken");
        bench.pass(60).await;
    }
    let failovers = bench.world().rds.reboots().len() / 2;
    assert!((1..10).contains(&failovers), "some were applied before the server broke, some were not: {failovers}");
    let health = bench.aws.elb.describe_target_health().target_group_arn("x").send().await.expect_err("broken");
    assert_eq!(code_of(&health), "HealthUnavailable");
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_is_shorter_than_it_says_although_the_call_was_applied() {
    let world = std::sync::Mutex::new(Stub::new(
        FaultProfile { truncated_body: 1.0, ..FaultProfile::calm() },
        3,
        jiff::Timestamp::UNIX_EPOCH,
    ));
    let clock = crate::clock::Clock::starting_at(jiff::Timestamp::UNIX_EPOCH);
    let form = b"Action=RebootDBInstance&Version=2014-10-31&DBInstanceIdentifier=payments-1";
    let opened = open(&received("POST", "/", form)).expect("for RDS");
    let ending = super::exchange::exchange(&world, &clock, &CrashSwitch::never(), opened).await;
    let super::exchange::Ending::Answered(answer) = ending else { panic!("it is answered") };
    assert!(answer.sent < answer.body.len());
    assert_eq!(world.lock().expect("sound").rds.reboots().len(), 1);
}

fn received<'a>(method: &'a str, path: &'a str, body: &'a [u8]) -> Received<'a> {
    Received { method, path, query: None, authorization: None, target: None, host: None, body }
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_shows_the_world_before_the_last_write() {
    let bench = bench(FaultProfile { stale_read: 1.0, ..FaultProfile::calm() });
    let describe =
        async || bench.aws.rds.describe_db_instances().db_instance_identifier("payments-1").send().await.expect("answered");
    let status = async || describe().await.db_instances()[0].db_instance_status().expect("there").to_owned();
    assert_eq!(status().await, "available");
    bench.aws.rds.reboot_db_instance().db_instance_identifier("payments-1").send().await.expect("accepted");
    assert_eq!(status().await, "available", "an old answer");
    bench.clock.sleep(Duration::from_secs(11)).await;
    assert_eq!(status().await, "rebooting", "too old to be shown again");
    assert_eq!(bench.world().faults.injected.get("staleRead"), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn the_controller_can_be_killed_on_either_side_of_a_call() {
    for (number, place, reboots) in [(0, Place::BeforeCall, 0), (1, Place::AfterCall, 1)] {
        let bench = Bench::with(FaultProfile::calm(), 1, CrashSwitch::armed_for(number));
        let call = bench.aws.rds.reboot_db_instance().db_instance_identifier("payments-1").send();
        let killed = std::panic::AssertUnwindSafe(call).catch_unwind().await.expect_err("killed");
        assert_eq!(killed.downcast_ref::<ControllerCrash>(), Some(&ControllerCrash { place, number }));
        assert_eq!(bench.world().rds.reboots().len(), reboots, "and the world is left as it was, unlocked");
        bench.aws.elb.describe_listeners().load_balancer_arn(LOAD_BALANCER).send().await.expect("the next controller lives");
    }
}

/// Forty calls in a storm: what they came to, when, and what was injected.
async fn stormy_day(seed: u64) -> (Vec<String>, jiff::Timestamp, std::collections::BTreeMap<String, u64>) {
    let bench = Bench::with(FaultProfile::storm(), seed, CrashSwitch::never());
    let mut seen = Vec::new();
    for _ in 0..40 {
        seen.push(format!(
            "{:?}",
            bench.aws.elb.describe_target_health().target_group_arn("x").send().await.err().map(|e| e.to_string())
        ));
        seen.push(format!("{:?}", bench.aws.rds.describe_db_clusters().send().await.ok()));
        let change = bench.aws.route53.change_resource_record_sets().hosted_zone_id(ZONE).change_batch(batch()).send().await;
        seen.push(format!("{:?}", change.ok()));
    }
    let injected = bench.world().faults.injected.clone();
    (seen, bench.clock.now(), injected)
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_day_and_another_seed_another() {
    let first = stormy_day(11).await;
    assert_eq!(first, stormy_day(11).await);
    assert_ne!(first.1, stormy_day(12).await.1);
    assert!(first.2.len() >= 4, "{:?}", first.2);
}

#[test]
fn the_service_is_told_by_the_signature_or_else_by_the_protocol() {
    let scope =
        |name: &str| format!("AWS4-HMAC-SHA256 Credential=AKID/20260301/eu-west-1/{name}/aws4_request, SignedHeaders=host");
    let signed =
        |name: &str| open(&Received { authorization: Some(&scope(name)), ..received("POST", "/", b"") }).map(|o| o.service);
    assert_eq!(signed("dms"), Some(Service::Dms));
    assert_eq!(signed("rds"), Some(Service::Rds));
    assert_eq!(signed("route53"), Some(Service::Route53));
    assert_eq!(signed("elasticloadbalancing"), Some(Service::Elb));
    assert_eq!(signed("s3"), None, "what is signed for another service is for none of these");
    let service = |received: Received<'_>| open(&received).map(|opened| (opened.service, opened.operation));
    let target = Received { target: Some("AmazonDMSv20160101.DescribeEndpoints"), ..received("POST", "/", b"{}") };
    assert_eq!(service(target), Some((Service::Dms, "DescribeEndpoints".to_owned())));
    let change = received("POST", "/2013-04-01/hostedzone/Z1/rrset/", b"");
    assert_eq!(service(change), Some((Service::Route53, "ChangeResourceRecordSets".to_owned())), "with the slash");
    let version = received("POST", "/", b"Action=DescribeRules&Version=2015-12-01");
    assert_eq!(service(version), Some((Service::Elb, "DescribeRules".to_owned())));
    let host = Received { host: Some("rds.eu-west-1.amazonaws.com"), ..received("POST", "/", b"Action=X") };
    assert_eq!(service(host), Some((Service::Rds, "X".to_owned())));
    assert_eq!(service(received("POST", "/", b"")), None);
}

#[test]
fn a_body_over_the_limit_is_refused_unread() {
    let body = vec![b'{'; BODY_AT_MOST + 1];
    let opened = open(&Received { target: Some("AmazonDMSv20160101.DescribeEndpoints"), ..received("POST", "/", &body) });
    assert_eq!(opened.expect("for DMS").call.expect_err("refused").status, 413);
}

#[test]
fn a_body_nested_as_deep_as_it_may_be_long_is_refused() {
    let path = format!("/2013-04-01/hostedzone/{ZONE}/rrset");
    for body in ["<a>".repeat(BODY_AT_MOST / 3), format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000))] {
        let (service, answer) = answer_at_once(&received("POST", &path, body.as_bytes())).expect("for Route 53");
        assert!(answer.status == 400 && is_shaped(service, &answer));
    }
    let json = "[".repeat(BODY_AT_MOST);
    let request = Received { target: Some("AmazonDMSv20160101.DescribeEndpoints"), ..received("POST", "/", json.as_bytes()) };
    let (service, answer) = answer_at_once(&request).expect("for DMS");
    assert!(answer.status == 400 && is_shaped(service, &answer));
}

/// Whether an answer has the shape that its service's clients can read.
fn is_shaped(service: Service, answer: &super::WireAnswer) -> bool {
    match service {
        Service::Dms => serde_json::from_slice::<serde_json::Value>(&answer.body)
            .is_ok_and(|body| body.is_object() && (answer.status == 200 || body["__type"].is_string())),
        Service::Rds | Service::Route53 | Service::Elb => std::str::from_utf8(&answer.body).is_ok_and(|body| {
            roxmltree::Document::parse(body).is_ok_and(|document| {
                let has = |name| document.descendants().any(|node| node.tag_name().name() == name);
                answer.status == 200
                    || document.root_element().has_tag_name_in("ErrorResponse") && has("Code") && has("RequestId")
            })
        }),
    }
}

/// The root's name, whatever its namespace.
trait RootName {
    fn has_tag_name_in(&self, name: &str) -> bool;
}

impl RootName for roxmltree::Node<'_, '_> {
    fn has_tag_name_in(&self, name: &str) -> bool {
        self.tag_name().name() == name
    }
}

/// Opens and handles one request at once, with no time passing.
fn answer_at_once(received: &Received<'_>) -> Option<(Service, super::WireAnswer)> {
    let opened = open(received)?;
    let service = opened.service;
    let mut world = Stub::new(FaultProfile::calm(), 1, jiff::Timestamp::UNIX_EPOCH);
    world.advance(jiff::Timestamp::UNIX_EPOCH);
    Some((service, super::exchange::handle(&mut world, opened)))
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_answered_in_the_protocols_shape(
        service in 0_usize..4, method in "GET|POST|PUT|[A-Z]{1,8}", path in ".{0,40}", query in proptest::option::of(".{0,60}"),
        target in proptest::option::of(".{0,40}"), body in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
    ) {
        let name = [Service::Dms, Service::Rds, Service::Route53, Service::Elb][service].name();
        let scope = format!("AWS4-HMAC-SHA256 Credential=A/1/r/{name}/aws4_request");
        let received = Received {
            method: &method, path: &path, query: query.as_deref(), authorization: Some(&scope), target: target.as_deref(),
            host: None, body: &body,
        };
        let (service, answer) = answer_at_once(&received).expect("signed for a known service");
        proptest::prop_assert!(is_shaped(service, &answer), "{:?}", answer);
        open(&Received { authorization: Some(&path), host: Some(&path), ..received });
    }

    #[test]
    fn any_form_is_answered_in_the_protocols_shape(
        action in proptest::sample::select(vec![
            "CreateDBClusterParameterGroup", "DescribeDBClusterParameters", "ModifyDBClusterParameterGroup", "ModifyDBCluster",
            "DescribeDBClusters", "RebootDBInstance", "FailoverDBCluster", "CreateListener", "ModifyListener", "DescribeListeners",
            "DescribeTargetHealth", "DescribeRules", "Nonsense",
        ]),
        version in "2014-10-31|2015-12-01",
        fields in proptest::collection::btree_map(
            "DBClusterIdentifier|DBClusterParameterGroupName|Marker|MaxRecords|PageSize|Port|Protocol|LoadBalancerArn|\
             Parameters.Parameter.1.ParameterName|Parameters.Parameter.1.ParameterValue|DefaultActions.member.1.Type|\
             DefaultActions.member.1.RedirectConfig.Port|Filters.Filter.1.Name|.{0,20}",
            "payments|redirect|HTTP|80|.{0,20}", 0..8),
    ) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&fields).append_pair("Action", action).append_pair("Version", &version);
        let body = form.finish();
        if let Some((service, answer)) = answer_at_once(&received("POST", "/", body.as_bytes())) {
            proptest::prop_assert!(is_shaped(service, &answer), "{:?}", answer);
        }
    }

    #[test]
    fn any_route53_body_is_answered_in_the_protocols_shape(
        name in ".{0,30}", value in ".{0,30}", ttl in "[0-9]{0,20}", action in "CREATE|UPSERT|DELETE|.{0,5}", kind in "A|CNAME|TXT|.{0,4}",
    ) {
        let body = super::xml::Xml::written(|xml| xml.root("ChangeResourceRecordSetsRequest", close::ROUTE53_NAMESPACE, |xml| {
            xml.node("ChangeBatch", |xml| xml.node("Changes", |xml| xml.node("Change", |xml| {
                xml.leaf("Action", &action);
                xml.node("ResourceRecordSet", |xml| {
                    xml.leaf("Name", format_args!("{name}.example.com"));
                    xml.leaf("Type", &kind);
                    xml.leaf("TTL", &ttl);
                    xml.node("ResourceRecords", |xml| xml.node("ResourceRecord", |xml| xml.leaf("Value", &value)));
                });
            })));
        }));
        let path = format!("/2013-04-01/hostedzone/{ZONE}/rrset");
        let (service, answer) = answer_at_once(&received("POST", &path, body.as_bytes())).expect("for Route 53");
        proptest::prop_assert!(is_shaped(service, &answer), "{:?}", answer);
    }
}
