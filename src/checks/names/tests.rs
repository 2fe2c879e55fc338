//! The judgement, over everything that servers can say.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::heard::{Heard, Reply, Voice};
use super::judge::{Opinion, judge};
use super::wish::Wish;
use crate::checks::network::{DnsAnswer, DnsRecord, DnsValue, Existence, Trouble};
use crate::checks::outcome::{Code, Verdict};
use crate::controllers::fixture::migration;
use crate::names::{DomainName, Side};
use crate::spec::{CnameRecord, Destination, Migration, Period};

const PUBLIC: &str = "pay.example.com";
const BALANCER: &str = "payments-1.eu-central-1.elb.amazonaws.com";
const LEGACY: [&str; 2] = ["203.0.113.10", "203.0.113.20"];
/// The load balancer's addresses, all of them.
const TARGET: [&str; 3] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"];

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn records(name: &str, ttl_seconds: u32, values: impl IntoIterator<Item = DnsValue>) -> DnsAnswer {
    let record = |value| DnsRecord { name: DomainName::from(name), ttl_seconds, value };
    DnsAnswer { existence: Existence::Exists, authoritative: true, records: values.into_iter().map(record).collect() }
}

/// Addresses of the public name.
fn a(ttl_seconds: u32, addresses: &[&str]) -> DnsAnswer {
    records(PUBLIC, ttl_seconds, addresses.iter().map(|address| DnsValue::Address(ip(address))))
}

/// CNAMEs, one after the other, from the public name on.
fn cnames(names: &[&str]) -> DnsAnswer {
    let mut answer = a(60, &[]);
    for pair in [&[PUBLIC], names].concat().windows(2) {
        answer.records.extend(records(pair[0], 60, [DnsValue::Alias(DomainName::from(pair[1]))]).records);
    }
    answer
}

fn no_such_name() -> DnsAnswer {
    DnsAnswer { existence: Existence::DoesNot, ..a(60, &[]) }
}

fn silent(server: &str) -> Reply {
    let attempted = format!("A {PUBLIC}, asked of {server}:53");
    Err(Trouble { attempted, detail: "no answer in 2000 ms".to_owned(), code: Code::ResolverSilent })
}

fn voice(server: &str, answer: DnsAnswer) -> Voice {
    Voice { server: ip(server), a: Ok(answer), aaaa: Ok(a(60, &[])), cname: Ok(a(60, &[])) }
}

/// Two authorities that say the same, and two resolvers that say the same.
fn heard(authorities: &DnsAnswer, resolvers: &DnsAnswer) -> Heard {
    let balancer = records(BALANCER, 60, TARGET.iter().map(|address| DnsValue::Address(ip(address))));
    let issuers = [PUBLIC, "example.com"].map(|name| (DomainName::from(name), Ok(a(60, &[]))));
    Heard {
        authorities: ["192.0.2.1", "192.0.2.2"].map(|server| voice(server, authorities.clone())).into(),
        resolvers: ["192.0.2.3", "192.0.2.4"].map(|server| voice(server, resolvers.clone())).into(),
        hosts: BTreeMap::from([(DomainName::from(BALANCER), vec![(ip("192.0.2.3"), Ok(balancer))])]),
        issuers: issuers.into(),
    }
}

fn at_legacy() -> Heard {
    heard(&a(60, &LEGACY), &a(30, &LEGACY))
}

fn at_target() -> Heard {
    heard(&a(60, &TARGET[..2]), &a(30, &TARGET[1..]))
}

fn judged_by(migration: &Migration, public_at: Side, heard: &Heard) -> Opinion {
    judge(&Wish::of(migration, public_at), heard)
}

fn judged(public_at: Side, heard: &Heard) -> Opinion {
    judged_by(&migration(), public_at, heard)
}

fn passes(opinion: &Opinion) {
    assert_eq!((opinion.verdict, opinion.code), (Verdict::Pass, Code::AsDeclared), "{}", opinion.message);
}

fn fails(opinion: &Opinion, code: Code, words: &[&str]) {
    assert_eq!((opinion.verdict, opinion.code), (Verdict::Fail, code), "{}", opinion.message);
    for word in words {
        assert!(opinion.message.contains(word), "`{word}` is not in: {}", opinion.message);
    }
}

fn stays_unknown(opinion: &Opinion, words: &[&str]) {
    assert_eq!((opinion.verdict, opinion.code), (Verdict::Unknown, Code::ResolverSilent), "{}", opinion.message);
    for word in words {
        assert!(opinion.message.contains(word), "`{word}` is not in: {}", opinion.message);
    }
}

/// The payments migration, with a target that is a CNAME.
fn with_cname(host: &str) -> Migration {
    let mut migration = migration();
    migration.spec.dns.public.target = Destination::Cname(CnameRecord { host: DomainName::from(host) });
    migration.spec.checks.legacy_hosts = vec![DomainName::from("old.example.net")];
    migration
}

#[test]
fn everybody_who_answers_as_wished_passes_on_either_side() {
    let before = judged(Side::Legacy, &at_legacy());
    passes(&before);
    assert!(before.message.contains("2 authoritative servers and 2 resolvers"), "{}", before.message);
    passes(&judged(Side::Target, &at_target()));
}

#[test]
fn an_address_record_is_exactly_its_addresses_in_any_order() {
    let turned = a(60, &[LEGACY[1], LEGACY[0]]);
    passes(&judged(Side::Legacy, &heard(&turned, &turned)));
    let (fewer, more) = (a(60, &LEGACY[..1]), a(60, &[LEGACY[0], LEGACY[1], "203.0.113.30"]));
    for wrong in [fewer, more] {
        fails(&judged(Side::Legacy, &heard(&wrong, &wrong)), Code::AnswerDiffers, &["correct the record"]);
    }
}

#[test]
fn an_alias_is_any_of_its_load_balancers_addresses_and_no_other() {
    passes(&judged(Side::Target, &heard(&a(60, &TARGET[..1]), &a(60, &TARGET))));
    let strange = a(60, &[TARGET[0], "198.51.100.99"]);
    fails(&judged(Side::Target, &heard(&strange, &strange)), Code::AnswerDiffers, &["198.51.100.99", BALANCER]);
}

#[test]
fn addresses_of_an_earlier_round_count_too() {
    let rotated = a(60, &["198.51.100.4"]);
    let again = heard(&rotated, &rotated);
    fails(&judged(Side::Target, &again), Code::AnswerDiffers, &[]);
    let mut earlier = at_target();
    let known = records(BALANCER, 60, [DnsValue::Address(ip("198.51.100.4"))]);
    earlier.hosts.insert(DomainName::from(BALANCER), vec![(ip("192.0.2.3"), Ok(known))]);
    passes(&judged(Side::Target, &again.remembering(earlier)));
}

#[test]
fn a_resolver_that_answers_every_name_with_one_address_does_not_vouch_for_itself() {
    let portal = |name| records(name, 60, [DnsValue::Address(ip("10.0.0.1"))]);
    let mut heard = at_target();
    heard.resolvers[1] = voice("192.0.2.4", portal(PUBLIC));
    let told = heard.hosts.get_mut(&DomainName::from(BALANCER)).expect("the load balancer was asked for");
    told.push((ip("192.0.2.4"), Ok(portal(BALANCER))));
    fails(&judged(Side::Target, &heard), Code::AnswerDiffers, &["192.0.2.4", "10.0.0.1", "lies"]);
    // Where it is the only one, the zone's own servers contradict it.
    heard.resolvers.remove(0);
    heard.hosts.insert(DomainName::from(BALANCER), vec![(ip("192.0.2.4"), Ok(portal(BALANCER)))]);
    fails(&judged(Side::Target, &heard), Code::AnswerDiffers, &["198.51.100.1"]);
}

#[test]
fn an_address_that_one_resolver_alone_knows_counts_where_the_zones_own_servers_answer_it() {
    let newest = a(60, &["198.51.100.4"]);
    let mut heard = heard(&newest, &newest);
    let told = heard.hosts.get_mut(&DomainName::from(BALANCER)).expect("the load balancer was asked for");
    told.push((ip("192.0.2.4"), Ok(records(BALANCER, 60, [DnsValue::Address(ip("198.51.100.4"))]))));
    passes(&judged(Side::Target, &heard));
}

#[test]
fn without_the_load_balancers_addresses_nobody_can_say() {
    let mut untold = at_target();
    untold.hosts.insert(DomainName::from(BALANCER), vec![(ip("192.0.2.3"), silent("192.0.2.3"))]);
    stays_unknown(&judged(Side::Target, &untold), &["no answer in 2000 ms"]);
    // A load balancer without an address is known to be none of these.
    untold.hosts.insert(DomainName::from(BALANCER), vec![(ip("192.0.2.3"), Ok(no_such_name()))]);
    fails(&judged(Side::Target, &untold), Code::AnswerDiffers, &[]);
}

#[test]
fn an_authority_that_still_answers_legacy_after_the_switch_differs() {
    let mut heard = at_target();
    heard.authorities[1] = voice("192.0.2.2", a(60, &LEGACY));
    let opinion = judged(Side::Target, &heard);
    fails(&opinion, Code::AnswerDiffers, &["192.0.2.2", "legacy", "within a minute"]);
    assert!(!opinion.message.contains("192.0.2.1"), "the other one is not to blame: {}", opinion.message);
}

#[test]
fn an_authority_with_a_third_answer_serves_another_zone() {
    for third in [a(60, &["198.51.100.200"]), no_such_name(), a(60, &[])] {
        let mut heard = at_legacy();
        heard.authorities[1] = voice("192.0.2.2", third);
        fails(&judged(Side::Legacy, &heard), Code::ConflictingRecord, &["192.0.2.2", "zones of the same name"]);
    }
}

#[test]
fn a_server_without_authority_is_none_of_the_zones() {
    let mut heard = at_legacy();
    heard.authorities[0].a = Ok(DnsAnswer { authoritative: false, ..a(60, &LEGACY) });
    fails(&judged(Side::Legacy, &heard), Code::AnswerDiffers, &["192.0.2.1", "without authority", "example.com"]);
}

#[test]
fn a_name_that_nobody_knows_differs_from_both_sides() {
    for (nothing, word) in [(no_such_name(), "NXDOMAIN"), (a(60, &[]), "no address")] {
        for side in [Side::Legacy, Side::Target] {
            fails(&judged(side, &heard(&nothing, &nothing)), Code::AnswerDiffers, &[word]);
        }
    }
}

#[test]
fn a_resolver_with_the_old_answer_keeps_it_for_a_while_after_the_switch() {
    let mut heard = at_target();
    heard.resolvers[0] = voice("192.0.2.3", a(42, &LEGACY));
    let opinion = judged(Side::Target, &heard);
    fails(&opinion, Code::OldAnswerKept, &["192.0.2.3", "legacy", "another 42 s"]);
    assert!(!opinion.message.contains("longer than it is told"), "{}", opinion.message);
    heard.resolvers[0] = voice("192.0.2.3", a(3000, &LEGACY));
    fails(&judged(Side::Target, &heard), Code::OldAnswerKept, &["another 3000 s", "60 s", "longer than it is told"]);
}

#[test]
fn a_resolver_with_the_targets_answer_before_the_switch_differs() {
    let mut heard = at_legacy();
    heard.resolvers[0] = voice("192.0.2.3", a(42, &TARGET));
    fails(&judged(Side::Legacy, &heard), Code::AnswerDiffers, &["192.0.2.3", "target"]);
}

#[test]
fn a_resolver_with_an_answer_of_its_own_differs() {
    for own in [no_such_name(), a(60, &["10.0.0.7"]), cnames(&["portal.example.org"])] {
        let mut heard = at_legacy();
        heard.resolvers[1] = voice("192.0.2.4", own);
        fails(&judged(Side::Legacy, &heard), Code::AnswerDiffers, &["192.0.2.4", "private zone"]);
    }
}

#[test]
fn a_long_ttl_is_told_with_how_long_caches_may_hold_it() {
    let opinion = judged(Side::Legacy, &heard(&a(3600, &LEGACY), &a(3600, &LEGACY)));
    fails(&opinion, Code::TtlTooLong, &["TTL of 3600 s", "60 s are the most", "keeps the answer for 3600 s"]);
    assert_eq!(opinion.message.matches("3600").count(), 2, "resolvers only repeat what they are told: {}", opinion.message);
}

#[test]
fn an_alias_is_allowed_the_minute_that_it_always_has() {
    let mut migration = migration();
    migration.spec.dns.ttl = Period::from_secs(30);
    passes(&judged_by(&migration, Side::Target, &at_target()));
    let legacy = heard(&a(30, &LEGACY), &a(30, &LEGACY));
    passes(&judged_by(&migration, Side::Legacy, &legacy));
    fails(&judged_by(&migration, Side::Legacy, &at_legacy()), Code::TtlTooLong, &["30 s are the most"]);
}

#[test]
fn a_resolver_that_holds_the_answer_for_longer_than_it_is_told_is_said() {
    let opinion = judged(Side::Legacy, &heard(&a(60, &LEGACY), &a(86_400, &LEGACY)));
    fails(&opinion, Code::TtlTooLong, &["192.0.2.3", "another 86400 s", "authorities serve 60 s"]);
}

#[test]
fn silence_leaves_it_unknown_only_where_nothing_is_certain() {
    let mut heard = at_legacy();
    heard.resolvers[1].a = silent("192.0.2.4");
    stays_unknown(&judged(Side::Legacy, &heard), &["192.0.2.4", "no answer in 2000 ms", "other 3 of 4 servers agree"]);
    heard.resolvers[0] = voice("192.0.2.3", a(60, &TARGET));
    fails(&judged(Side::Legacy, &heard), Code::AnswerDiffers, &["192.0.2.3"]);
}

#[test]
fn any_question_that_stays_open_leaves_it_unknown() {
    let open: [fn(&mut Heard); 4] = [
        |heard| heard.authorities[0].a = silent("192.0.2.1"),
        |heard| heard.resolvers[0].aaaa = silent("192.0.2.3"),
        |heard| heard.resolvers[0].cname = silent("192.0.2.3"),
        |heard| heard.issuers[0].1 = silent("192.0.2.3"),
    ];
    for silence in open {
        let mut heard = at_legacy();
        silence(&mut heard);
        stays_unknown(&judged(Side::Legacy, &heard), &["no answer in 2000 ms"]);
    }
}

#[test]
fn where_nobody_answers_the_way_out_is_named() {
    let mut heard = at_legacy();
    for voice in heard.authorities.iter_mut().chain(&mut heard.resolvers) {
        voice.a = silent("192.0.2.1");
    }
    stays_unknown(&judged(Side::Legacy, &heard), &["none of 4 servers", "port 53"]);
}

#[test]
fn an_ipv6_record_that_the_switch_would_forget_is_found() {
    for side in [Side::Legacy, Side::Target] {
        let mut heard = if side == Side::Legacy { at_legacy() } else { at_target() };
        heard.resolvers[1].aaaa = Ok(a(60, &["2001:db8::10"]));
        fails(&judged(side, &heard), Code::ConflictingRecord, &["AAAA", "2001:db8::10", "192.0.2.4"]);
    }
}

#[test]
fn an_ipv6_address_that_a_resolver_makes_up_for_its_own_network_is_none() {
    let mut heard = at_legacy();
    heard.resolvers[1].aaaa = Ok(a(60, &["64:ff9b::203.0.113.10"]));
    passes(&judged(Side::Legacy, &heard));
}

#[test]
fn a_cname_beside_an_address_is_found() {
    let mut heard = at_legacy();
    heard.authorities[0].cname = Ok(cnames(&["elsewhere.example.net"]));
    fails(&judged(Side::Legacy, &heard), Code::ConflictingRecord, &["CNAME", "192.0.2.1", "remove one"]);
}

#[test]
fn a_cname_that_is_the_target_passes_with_whatever_stands_behind_it() {
    let migration = with_cname("new.example.org");
    let mut answer = cnames(&["new.example.org", "edge.example.org"]);
    answer.records.extend(records("edge.example.org", 20, [DnsValue::Address(ip("198.51.100.9"))]).records);
    let mut heard = heard(&cnames(&["new.example.org"]), &answer);
    heard.resolvers[0].aaaa = Ok(records("edge.example.org", 20, [DnsValue::Address(ip("2001:db8::9"))]));
    passes(&judged_by(&migration, Side::Target, &heard));
    fails(&judged_by(&with_cname("other.example.org"), Side::Target, &heard), Code::AnswerDiffers, &["new.example.org"]);
}

#[test]
fn a_way_to_the_target_through_a_name_of_legacy_is_found_even_before_the_switch() {
    let migration = with_cname("new.example.org");
    let mut heard = at_legacy();
    let through = records("new.example.org", 60, [DnsValue::Alias(DomainName::from("old.example.net"))]);
    heard.hosts.insert(DomainName::from("new.example.org"), vec![(ip("192.0.2.3"), Ok(through))]);
    fails(&judged_by(&migration, Side::Legacy, &heard), Code::ConflictingRecord, &["new.example.org", "old.example.net"]);
}

#[test]
fn cnames_that_lead_in_a_circle_are_found_and_not_followed_for_ever() {
    let circle = cnames(&["new.example.org", PUBLIC]);
    let opinion = judged_by(&with_cname("new.example.org"), Side::Target, &heard(&circle, &circle));
    fails(&opinion, Code::ConflictingRecord, &["through 8 CNAMEs"]);
}

/// The opinion where the name above the public one has these CAA records.
fn with_issuers(properties: &[(&str, &str)]) -> Opinion {
    let mut heard = at_legacy();
    let issuers = properties.iter().map(|(tag, value)| DnsValue::Issuer((*tag).to_owned(), (*value).to_owned()));
    heard.issuers[1].1 = Ok(records("example.com", 300, issuers));
    judged(Side::Legacy, &heard)
}

#[test]
fn issuers_that_do_not_include_amazon_are_found_where_a_load_balancer_needs_its_certificate() {
    let forbidden =
        [&[("issue", "letsencrypt.org")][..], &[("issue", ";")], &[("issue", "ca.example"), ("issuewild", "amazon.com")]];
    for properties in forbidden {
        fails(&with_issuers(properties), Code::ConflictingRecord, &["CAA of example.com", "ACM", "amazon.com"]);
    }
    let allowed =
        [&[("issue", "letsencrypt.org"), ("issue", " amazonaws.com; policy=ev")][..], &[("iodef", "mailto:x@example.com")], &[]];
    for properties in allowed {
        passes(&with_issuers(properties));
    }
}

#[test]
fn the_nearest_issuers_rule_and_a_target_without_a_load_balancer_needs_none() {
    let mut heard = at_legacy();
    let issue = |value: &str| [DnsValue::Issuer("issue".to_owned(), value.to_owned())];
    heard.issuers[0].1 = Ok(records(PUBLIC, 300, issue("amazontrust.com")));
    heard.issuers[1].1 = Ok(records("example.com", 300, issue("letsencrypt.org")));
    passes(&judged(Side::Legacy, &heard));
    heard.issuers[0].1 = Ok(a(60, &[]));
    fails(&judged(Side::Legacy, &heard), Code::ConflictingRecord, &["letsencrypt.org"]);
    passes(&judged_by(&with_cname("new.example.org"), Side::Legacy, &heard));
    fails(&judged_by(&with_cname(BALANCER), Side::Legacy, &heard), Code::ConflictingRecord, &[BALANCER]);
}

#[test]
fn several_findings_are_told_worst_first() {
    let mut heard = heard(&a(3600, &LEGACY), &a(3600, &TARGET));
    heard.authorities[0].aaaa = Ok(a(60, &["2001:db8::10"]));
    let opinion = judged(Side::Legacy, &heard);
    fails(&opinion, Code::ConflictingRecord, &["AAAA", "192.0.2.3", "192.0.2.4", "and 1 more"]);
    assert!(opinion.message.starts_with("pay.example.com has an AAAA record"), "{}", opinion.message);
}

#[test]
fn what_strangers_say_is_told_in_bounded_words() {
    let many: Vec<String> = (0..5000_u32).map(|number| IpAddr::V4((0x0b00_0000 + number).into()).to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = "a".repeat(60_000);
    for answer in [a(60, &many), cnames(&[&long])] {
        let opinion = judged(Side::Legacy, &heard(&answer, &answer));
        fails(&opinion, Code::AnswerDiffers, &[]);
        assert!(opinion.message.len() < 2000, "{} bytes", opinion.message.len());
    }
}
