//! Over the wire: what is asked of Route 53, and what its answers are taken for.

use super::*;
use crate::aws::wire::{Sent, answering, last_body, operations};
use crate::controllers::dns::{Pointing, pointing};
use crate::controllers::fixture::migration;
use crate::names::Side;

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

fn values(name: &str, record_type: &str, ttl: u32, values: &[&str]) -> String {
    let records: String = values.iter().map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>")).collect();
    format!(
        "<ResourceRecordSet><Name>{name}</Name><Type>{record_type}</Type><TTL>{ttl}</TTL>\
         <ResourceRecords>{records}</ResourceRecords></ResourceRecordSet>"
    )
}

fn alias(name: &str) -> String {
    format!(
        "<ResourceRecordSet><Name>{name}</Name><Type>A</Type><AliasTarget><HostedZoneId>Z215JYRZR1TBD5</HostedZoneId>\
         <DNSName>Payments-1.eu-central-1.elb.amazonaws.com.</DNSName>\
         <EvaluateTargetHealth>false</EvaluateTargetHealth></AliasTarget></ResourceRecordSet>"
    )
}

fn list(records: &str, next: Option<(&str, &str)>) -> String {
    let truncated = next.is_some();
    let next = next.map_or_else(String::new, |(name, record_type)| {
        format!("<NextRecordName>{name}</NextRecordName><NextRecordType>{record_type}</NextRecordType>")
    });
    format!(
        "<?xml version=\"1.0\"?>\n<ListResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ResourceRecordSets>{records}\
         </ResourceRecordSets><IsTruncated>{truncated}</IsTruncated>{next}<MaxItems>300</MaxItems>\
         </ListResourceRecordSetsResponse>"
    )
}

fn change_info(element: &str, status: &str) -> String {
    format!(
        "<{element} xmlns=\"{NAMESPACE}\"><ChangeInfo><Id>/change/C123</Id><Status>{status}</Status>\
         <SubmittedAt>2026-03-02T12:00:00Z</SubmittedAt></ChangeInfo></{element}>"
    )
}

fn refusal(code: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    )
}

/// The public name at legacy in an unusual spelling, no shadow name (the next record is answered instead).
fn zone(sent: &Sent) -> (u16, String) {
    let body = if sent.what.contains("/change/") {
        change_info("GetChangeResponse", "PENDING")
    } else if sent.what.starts_with("POST") {
        change_info("ChangeResourceRecordSetsResponse", "PENDING")
    } else if sent.what.contains("name=pay.example.com") {
        list(
            &(values("Pay.Example.com.", "A", 3600, &["203.0.113.20", "203.0.113.10"])
                + &values("pay.example.com.", "TXT", 300, &["&quot;hello&quot;"])
                + &values("www.example.com.", "A", 300, &["203.0.113.99"])),
            None,
        )
    } else {
        list(&values("www.example.com.", "A", 300, &["203.0.113.99"]), None)
    };
    (200, body)
}

fn at_legacy() -> RecordSet {
    let dns = migration().spec.dns;
    RecordSet::pointing(&dns.public.name, &dns.public.legacy, 3600)
}

fn lower_ttl() -> DnsAction {
    let dns = migration().spec.dns;
    let new = RecordSet::pointing(&dns.public.name, &dns.public.legacy, 60);
    DnsAction::Change { purpose: DnsPurpose::LowerTtl, old: vec![at_legacy()], new: vec![new] }
}

#[tokio::test(start_paused = true)]
async fn names_are_compared_in_one_form_and_the_next_record_is_not_ours() {
    let (aws, log) = answering(zone);
    let id = ChangeId::from("C123");
    let seen = observe(&aws, &migration(), Freshness::Now, Some(&id)).await;
    assert_eq!(seen.public, Sighting::Present(vec![at_legacy()]));
    assert_eq!(seen.shadow, Sighting::Absent);
    assert_eq!(seen.change, Sighting::Present(ChangeStatus::Pending(id)));
    let at_legacy = Pointing::At { side: Side::Legacy, ttl_seconds: 3600 };
    assert_eq!(pointing(&seen.public, &migration().spec.dns), Sighting::Present(at_legacy));
    // The absent shadow name is asked for twice.
    assert_eq!(operations(&log).len(), 4, "{:?}", operations(&log));
}

#[tokio::test(start_paused = true)]
async fn an_alias_is_read_in_the_form_in_which_it_is_declared() {
    let (aws, _) = answering(|_| (200, list(&(alias("pay.example.com.") + &alias("pay-shadow.example.com.")), None)));
    let seen = observe(&aws, &migration(), Freshness::Now, None).await;
    let at_target = Pointing::At { side: Side::Target, ttl_seconds: 60 };
    assert_eq!(pointing(&seen.public, &migration().spec.dns), Sighting::Present(at_target));
    assert_eq!(seen.change, Sighting::Absent);
}

#[tokio::test(start_paused = true)]
async fn a_name_whose_records_span_two_pages_is_read_to_its_end() {
    let (aws, _) = answering(|sent| {
        let second = sent.what.contains("type=AAAA");
        let body = if second {
            list(&values("pay.example.com.", "AAAA", 60, &["2001:db8::1"]), None)
        } else {
            list(&values("pay.example.com.", "A", 60, &["203.0.113.10"]), Some(("pay.example.com.", "AAAA")))
        };
        (200, body)
    });
    let seen = observe(&aws, &migration(), Freshness::Now, None).await;
    assert_eq!(seen.public.present().map(Vec::len), Some(2));
    assert!(matches!(pointing(&seen.public, &migration().spec.dns), Sighting::Present(Pointing::Foreign(_))));
}

#[tokio::test(start_paused = true)]
async fn siblings_and_types_that_no_switch_moves_are_seen_and_named() {
    let (aws, _) = answering(|_| {
        let sibling = |set: &str, policy: &str, address: &str| {
            let policy = format!("<Type>A</Type><SetIdentifier>{set}</SetIdentifier>{policy}");
            values("pay.example.com.", "A", 60, &[address]).replace("<Type>A</Type>", &policy)
        };
        let sets = sibling("blue", "<Weight>0</Weight>", "203.0.113.10")
            + &sibling("green", "<Failover>SECONDARY</Failover>", "203.0.113.11")
            + &sibling("red", "<Region>eu-west-1</Region>", "203.0.113.12")
            + &sibling("many", "<MultiValueAnswer>true</MultiValueAnswer>", "203.0.113.13")
            + &sibling("near", "<GeoLocation><CountryCode>CH</CountryCode></GeoLocation>", "203.0.113.14")
            + &values("pay.example.com.", "HTTPS", 60, &["1 . ipv4hint=203.0.113.10"])
            + &values("pay.example.com.", "SVCB", 60, &["1 old.example.net."])
            + &values("pay.example.com.", "TXT", 60, &["&quot;hello&quot;"]);
        (200, list(&sets, None))
    });
    let seen = observe(&aws, &migration(), Freshness::Now, None).await;
    let Sighting::Present(Pointing::Foreign(told)) = pointing(&seen.public, &migration().spec.dns) else {
        panic!("it is taken for a side: {seen:?}")
    };
    let named = ["weight 0 as `blue`", "failover SECONDARY as `green`", "latency eu-west-1 as `red`", "multivalue as `many`"];
    for word in
        named.into_iter().chain(["a share by place as `near`", "HTTPS 1 . ipv4hint=203.0.113.10", "SVCB 1 old.example.net"])
    {
        assert!(told.contains(word), "{word} is not named: {told}");
    }
    assert!(!told.contains("TXT"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_cut_short_is_unknown_and_not_a_shorter_list() {
    for length in 1..list(&alias("pay.example.com."), None).len() {
        let (aws, _) = answering(move |_| (200, list(&alias("pay.example.com."), None)[..length].to_owned()));
        assert!(observe(&aws, &migration(), Freshness::Now, None).await.public.is_unknown(), "cut at {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_deletes_the_record_as_it_is_kept_and_creates_the_new_one() {
    let (aws, log) = answering(zone);
    assert_eq!(act(&aws, &migration(), &lower_ttl()).await, Ok(ChangeId::from("C123")));
    let sent = last_body(&log);
    let (delete, create) = sent.split_once("<Action>CREATE</Action>").expect("a CREATE after the DELETE");
    assert!(delete.contains("<Action>DELETE</Action>") && delete.contains("<Name>Pay.Example.com.</Name>"), "{sent}");
    assert!(delete.contains("<TTL>3600</TTL>") && create.contains("<TTL>60</TTL>"), "{sent}");
    assert!(!sent.contains("UPSERT"));
}

#[tokio::test(start_paused = true)]
async fn when_the_record_changed_since_nothing_is_sent() {
    let (aws, log) = answering(|_| (200, list(&values("pay.example.com.", "A", 60, &["198.51.100.1"]), None)));
    let fault = act(&aws, &migration(), &lower_ttl()).await.expect_err("it changed");
    assert!(matches!(fault.problem, Problem::WrongState { .. }), "{fault}");
    assert!(operations(&log).iter().all(|sent| sent.starts_with("GET")));
}

#[tokio::test(start_paused = true)]
async fn a_lost_compare_and_swap_is_a_conflict() {
    let (aws, _) =
        answering(|sent| if sent.what.starts_with("POST") { (400, refusal("InvalidChangeBatch")) } else { zone(sent) });
    let fault = act(&aws, &migration(), &lower_ttl()).await.expect_err("it is refused");
    assert!(matches!(fault.problem, Problem::Conflict { .. }), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn refused_reads_are_unknown() {
    for code in ["Throttling", "AccessDenied", "NoSuchHostedZone"] {
        let (aws, _) = answering(move |_| (400, refusal(code)));
        let seen = observe(&aws, &migration(), Freshness::Now, Some(&ChangeId::from("C1"))).await;
        assert!(seen.public.is_unknown() && seen.shadow.is_unknown() && seen.change.is_unknown(), "{code}");
    }
}
