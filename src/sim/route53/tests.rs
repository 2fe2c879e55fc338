//! Route 53 as the real SDK sees it.

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover as Failover, ResourceRecordSetRegion as Region, RrType,
};

use crate::names::DomainName;
use crate::sim::wire::stub::{Bench, ZONE, code_of};

fn a(name: &str, ttl: i64, address: &str) -> ResourceRecordSet {
    values(name, RrType::A, ttl, &[address])
}

fn values(name: &str, record_type: RrType, ttl: i64, values: &[&str]) -> ResourceRecordSet {
    let records = values.iter().map(|value| ResourceRecord::builder().value(*value).build().expect("has a value"));
    ResourceRecordSet::builder()
        .name(name)
        .r#type(record_type)
        .ttl(ttl)
        .set_resource_records(Some(records.collect()))
        .build()
        .expect("has a name and a type")
}

fn weighted(name: &str, identifier: &str, weight: i64) -> ResourceRecordSet {
    let mut set = a(name, 60, "192.0.2.20");
    set.set_identifier = Some(identifier.to_owned());
    set.weight = Some(weight);
    set
}

fn alias(name: &str, target: &str) -> ResourceRecordSet {
    let target = AliasTarget::builder().hosted_zone_id("Z32O12XQLNTSW2").dns_name(target).evaluate_target_health(true);
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .alias_target(target.build().expect("whole"))
        .build()
        .expect("has a name and a type")
}

/// Sends one batch; the change id, or the refusal's code.
async fn change(bench: &Bench, changes: &[(ChangeAction, ResourceRecordSet)]) -> Result<String, String> {
    let changes = changes
        .iter()
        .map(|(action, set)| Change::builder().action(action.clone()).resource_record_set(set.clone()).build().expect("whole"));
    let batch = ChangeBatch::builder().set_changes(Some(changes.collect())).build().expect("whole");
    let sent = bench.aws.route53.change_resource_record_sets().hosted_zone_id(ZONE).change_batch(batch).send().await;
    sent.map(|answer| answer.change_info.expect("always there").id).map_err(|error| code_of(&error).to_owned())
}

async fn names(bench: &Bench) -> Vec<String> {
    let listed = bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).send().await.expect("listed");
    listed.resource_record_sets.into_iter().map(|set| format!("{} {}", set.name, set.r#type.as_str())).collect()
}

fn resolved_at(bench: &Bench, name: &str, server: usize) -> Option<(String, u64)> {
    let world = bench.world();
    let answer = world.route53.answer(&DomainName::from(name), server)?;
    Some((format!("{:?}", answer.records[0].data), answer.ttl_seconds))
}

fn resolved(bench: &Bench, name: &str) -> Option<(String, u64)> {
    resolved_at(bench, name, 0)
}

#[tokio::test(start_paused = true)]
async fn the_servers_take_a_change_up_one_after_another_the_first_soon_and_the_last_in_sync() {
    let bench = Bench::calm();
    let old = a("pay.example.com", 3600, "192.0.2.10");
    let new = a("pay.example.com", 60, "192.0.2.99");
    change(&bench, &[(ChangeAction::Delete, old), (ChangeAction::Create, new)]).await.expect("accepted");
    let taken_up =
        || (0..super::SERVERS).filter(|server| resolved_at(&bench, "pay.example.com", *server).expect("served").1 == 60).count();
    assert_eq!(taken_up(), 0, "nothing travels in no time");
    bench.pass(2).await;
    assert!((1..super::SERVERS).contains(&taken_up()), "{} of four", taken_up());
    bench.pass(59).await;
    assert_eq!(taken_up(), super::SERVERS);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_listed_at_once_and_served_only_when_it_is_in_sync() {
    let bench = Bench::calm();
    let old = a("pay.example.com", 3600, "192.0.2.10");
    let new = a("pay.example.com", 60, "192.0.2.99");
    let id = change(&bench, &[(ChangeAction::Delete, old), (ChangeAction::Create, new)]).await.expect("accepted");
    assert!(id.starts_with("/change/C"), "{id}");

    let listed = bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).send().await.expect("listed");
    let shown = listed.resource_record_sets.iter().find(|set| set.name == "pay.example.com.").expect("listed");
    assert_eq!(shown.ttl, Some(60), "a listing shows pending data");
    assert_eq!(resolved(&bench, "pay.example.com").expect("served").1, 3600, "resolvers see the old record");

    let status = async || bench.aws.route53.get_change().id(&id).send().await.expect("known").change_info.expect("there").status;
    assert_eq!(status().await, ChangeStatus::Pending);
    bench.pass(61).await;
    assert_eq!(status().await, ChangeStatus::Insync);
    let (data, ttl_seconds) = resolved(&bench, "pay.example.com").expect("served");
    assert!(data.contains("192.0.2.99") && ttl_seconds == 60, "{data}");
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_is_not_exact_refuses_the_whole_batch() {
    let bench = Bench::calm();
    let create = (ChangeAction::Create, a("shadow.example.com", 60, "192.0.2.50"));
    for wrong in
        [a("pay.example.com", 60, "192.0.2.10"), a("pay.example.com", 3600, "192.0.2.11"), a("x.example.com", 1, "192.0.2.1")]
    {
        let refused = change(&bench, &[create.clone(), (ChangeAction::Delete, wrong)]).await;
        assert_eq!(refused, Err("InvalidChangeBatch".to_owned()));
    }
    assert!(!names(&bench).await.contains(&"shadow.example.com. A".to_owned()), "nothing of a refused batch is applied");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_stand_beside_what_is_there_is_refused() {
    let bench = Bench::calm();
    let refused = [
        (ChangeAction::Create, a("pay.example.com", 60, "192.0.2.10")),
        (ChangeAction::Create, values("pay.example.com", RrType::Cname, 60, &["x.example.net"])),
        (ChangeAction::Create, values("example.com", RrType::Cname, 60, &["x.example.net"])),
        (ChangeAction::Create, weighted("pay.example.com", "half", 1)),
        (ChangeAction::Create, a("pay.example.org", 60, "192.0.2.10")),
        (ChangeAction::Create, a("notexample.com", 60, "192.0.2.10")),
        (ChangeAction::Create, a("b.example.com", 60, "not an address")),
        (ChangeAction::Create, a("b..example.com", 60, "192.0.2.1")),
        (ChangeAction::Create, values("b.example.com", RrType::Cname, 60, &["x.example.net", "y.example.net"])),
        (ChangeAction::Upsert, values("b.example.com", RrType::A, 60, &[])),
    ];
    for one in refused {
        let said = format!("{one:?}");
        let answer = change(&bench, &[one]).await;
        let code = answer.expect_err(&said);
        assert!(["InvalidChangeBatch", "InvalidInput"].contains(&code.as_str()), "{code} for {said}");
    }
    let twice = a("b.example.com", 60, "192.0.2.1");
    let same = [(ChangeAction::Create, twice.clone()), (ChangeAction::Create, twice)];
    assert_eq!(change(&bench, &same).await, Err("InvalidChangeBatch".to_owned()), "the same record twice");
    assert_eq!(names(&bench).await, ["example.com. NS", "example.com. SOA", "pay.example.com. A"]);
}

fn sibling(identifier: &str, policy: impl FnOnce(&mut ResourceRecordSet)) -> (ChangeAction, ResourceRecordSet) {
    let mut set = a("f.example.com", 60, "192.0.2.20");
    set.set_identifier = Some(identifier.to_owned());
    policy(&mut set);
    (ChangeAction::Create, set)
}

#[tokio::test(start_paused = true)]
async fn siblings_follow_one_policy_and_no_two_of_them_the_same_case_of_it() {
    let bench = Bench::calm();
    let spare = |identifier| sibling(identifier, |set| set.failover = Some(Failover::Secondary));
    let near = |identifier, region| sibling(identifier, |set| set.region = Some(region));
    let refused = [
        // A primary without a health check, which is not modelled.
        vec![sibling("first", |set| set.failover = Some(Failover::Primary))],
        vec![spare("one"), spare("two")],
        vec![near("one", Region::EuWest1), near("two", Region::EuWest1)],
        vec![spare("one"), near("two", Region::EuWest1)],
        vec![spare("one"), sibling("two", |set| set.weight = Some(1))],
        vec![spare("one"), (ChangeAction::Create, a("f.example.com", 60, "192.0.2.1"))],
        // Two policies on one set, and a policy without a name for the set.
        vec![sibling("one", |set| (set.failover, set.weight) = (Some(Failover::Secondary), Some(1)))],
        vec![sibling("one", |set| (set.set_identifier, set.region) = (None, Some(Region::EuWest1)))],
    ];
    for changes in refused {
        let code = change(&bench, &changes).await.expect_err(&format!("{changes:?}"));
        assert!(["InvalidChangeBatch", "InvalidInput"].contains(&code.as_str()), "{code} for {changes:?}");
    }
    assert_eq!(names(&bench).await, ["example.com. NS", "example.com. SOA", "pay.example.com. A"]);

    let mut first = alias("f.example.com", "lb.example.net");
    (first.set_identifier, first.failover) = (Some("first".to_owned()), Some(Failover::Primary));
    change(&bench, &[(ChangeAction::Create, first.clone()), spare("spare")]).await.expect("one of each");
    let listed = bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).send().await.expect("listed");
    let kept: Vec<_> = listed.resource_record_sets.into_iter().filter(|set| set.name == "f.example.com.").collect();
    assert_eq!(kept.iter().map(|set| set.failover.clone()).collect::<Vec<_>>(), [first.failover, Some(Failover::Secondary)]);
    // What is listed can be deleted as it is.
    let deletes: Vec<_> = kept.into_iter().map(|set| (ChangeAction::Delete, set)).collect();
    change(&bench, &deletes).await.expect("exactly what was listed");
    change(&bench, &[near("one", Region::EuWest1), near("two", Region::EuCentral1)]).await.expect("two regions");
}

#[tokio::test(start_paused = true)]
async fn records_that_browsers_follow_are_held_beside_addresses() {
    let bench = Bench::calm();
    let https = |value| (ChangeAction::Create, values("pay.example.com", RrType::Https, 60, &[value]));
    for nonsense in ["", "soon", "1", "70000 ."] {
        assert_eq!(change(&bench, &[https(nonsense)]).await, Err("InvalidChangeBatch".to_owned()), "{nonsense}");
    }
    let svcb = values("pay.example.com", RrType::Svcb, 60, &["1 old.example.net."]);
    change(&bench, &[https("1 . alpn=h2"), (ChangeAction::Create, svcb)]).await.expect("accepted");
    assert_eq!(names(&bench).await[2..], ["pay.example.com. A", "pay.example.com. HTTPS", "pay.example.com. SVCB"]);
    bench.pass(61).await;
    let world = bench.world();
    assert_eq!(world.route53.served(&DomainName::from("pay.example.com"), 0).count(), 3);
    let answer = world.route53.answer(&DomainName::from("pay.example.com"), 0).expect("served");
    assert_eq!(answer.records.len(), 1, "an address is asked for, and an address is answered");
}

#[tokio::test(start_paused = true)]
async fn an_address_becomes_a_cname_or_an_alias_in_one_batch() {
    let bench = Bench::calm();
    let cname = values("pay.example.com", RrType::Cname, 60, &["lb.example.net"]);
    let old = a("pay.example.com", 3600, "192.0.2.10");
    change(&bench, &[(ChangeAction::Delete, old), (ChangeAction::Create, cname.clone())]).await.expect("accepted");
    let alias = alias("pay.example.com", "LB.example.net.");
    change(&bench, &[(ChangeAction::Delete, cname), (ChangeAction::Create, alias)]).await.expect("accepted");
    bench.pass(61).await;
    let (data, ttl_seconds) = resolved(&bench, "pay.example.com").expect("served");
    assert!(data.contains("lb.example.net") && ttl_seconds == 60, "{data}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_a_thousand_elements_and_an_upsert_counts_twice() {
    let bench = Bench::calm();
    let many = |action: &ChangeAction, count: u32| {
        (0..count).map(|n| (action.clone(), a(&format!("h{n}.example.com"), 60, "192.0.2.1"))).collect::<Vec<_>>()
    };
    assert_eq!(change(&bench, &many(&ChangeAction::Upsert, 501)).await, Err("InvalidChangeBatch".to_owned()));
    change(&bench, &many(&ChangeAction::Upsert, 500)).await.expect("just fits");
    assert_eq!(change(&bench, &many(&ChangeAction::Delete, 500)).await.map(|_| ()), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn listings_are_sorted_by_reversed_labels_and_paged_from_the_next_record() {
    let bench = Bench::calm();
    for set in [a("z.example.com", 60, "192.0.2.1"), a("a.pay.example.com", 60, "192.0.2.1"), a("*.example.com", 60, "192.0.2.1")]
    {
        change(&bench, &[(ChangeAction::Create, set)]).await.expect("accepted");
    }
    change(&bench, &[(ChangeAction::Create, weighted("w.example.com", "b", 0))]).await.expect("accepted");
    change(&bench, &[(ChangeAction::Create, weighted("w.example.com", "a", 255))]).await.expect("accepted");
    let all = names(&bench).await;
    assert_eq!(
        all,
        [
            "example.com. NS",
            "example.com. SOA",
            "\\052.example.com. A",
            "pay.example.com. A",
            "a.pay.example.com. A",
            "w.example.com. A",
            "w.example.com. A",
            "z.example.com. A"
        ]
    );
    let mut paged = Vec::new();
    let mut page = bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).max_items(1).send().await.expect("listed");
    loop {
        paged.extend(page.resource_record_sets.iter().map(|set| format!("{} {}", set.name, set.r#type.as_str())));
        if !page.is_truncated {
            break;
        }
        let next = bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).max_items(1);
        let next = next.set_start_record_name(page.next_record_name).set_start_record_type(page.next_record_type);
        page = next.set_start_record_identifier(page.next_record_identifier).send().await.expect("listed");
    }
    assert_eq!(paged, all);

    let absent =
        bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).start_record_name("q.example.com").max_items(1);
    let answer = absent.send().await.expect("listed");
    assert_eq!(answer.resource_record_sets[0].name, "w.example.com.", "a name that is not there is answered with the next one");
    let typed = bench.aws.route53.list_resource_record_sets().hosted_zone_id(ZONE).start_record_type(RrType::A).send().await;
    assert_eq!(code_of(&typed.expect_err("a type without a name")), "InvalidInput");
}

#[tokio::test(start_paused = true)]
async fn zones_and_changes_that_do_not_exist_are_not_found() {
    let bench = Bench::calm();
    let client = &bench.aws.route53;
    let zone = client.list_resource_record_sets().hosted_zone_id("ZOTHER").send().await.expect_err("unknown");
    assert_eq!((code_of(&zone), zone.raw_response().map(|raw| raw.status().as_u16())), ("NoSuchHostedZone", Some(404)));
    assert_eq!(code_of(&client.get_change().id("C1").send().await.expect_err("unknown")), "NoSuchChange");
    assert_eq!(code_of(&client.list_health_checks().send().await.expect_err("not modelled")), "UnknownOperationException");
    let found = client.get_hosted_zone().id(ZONE).send().await.expect("known").hosted_zone.expect("there");
    assert_eq!((found.name.as_str(), found.id.as_str()), ("example.com.", "/hostedzone/Z0PAYMENTS"));
    assert_eq!(client.list_hosted_zones().send().await.expect("listed").hosted_zones.len(), 1);
}

proptest::proptest! {
    #[test]
    fn any_body_and_any_query_is_answered_or_refused(body: String, name: String, kind: String, items: String) {
        use crate::sim::wire::RestRequest;
        let start = jiff::Timestamp::UNIX_EPOCH;
        let mut stub = crate::sim::wire::stub::Stub::new(crate::sim::profile::FaultProfile::calm(), 1, start);
        let query = [("name", name), ("type", kind), ("maxitems", items)].map(|(name, value)| (name.to_owned(), value));
        for (method, body) in [("POST", body), ("GET", String::new())] {
            let path = format!("/2013-04-01/hostedzone/{ZONE}/rrset/");
            let request = RestRequest { method: method.to_owned(), path, query: query.clone().into(), body };
            let answer = stub.route53.call(start, &request);
            proptest::prop_assert!(method == "GET" || answer.is_err());
        }
    }
}
