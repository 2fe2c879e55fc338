//! The public name through the whole switch, asked of real servers and real caches.

use std::net::{IpAddr, Ipv4Addr};

use bascule::checks::names::run;
use bascule::checks::outcome::{Code, Outcome, Verdict};
use bascule::checks::probe::Probe;
use bascule::clock::Clock;
use bascule::names::Side;
use bascule::sim::crash::CrashSwitch;
use bascule::sim::database::seam::SimulatedDatabase;
use bascule::sim::route53::Record;
use bascule::spec::checks::NamesCheck;
use bascule::spec::{Migration, Period};

use super::resolver::caching;
use super::server::{Clerk, Running, places};
use super::spec::migration;
use super::zone::Internet;
use super::{NamesAlone, NoSecrets};

pub const ZONE: &str = "example.com";
pub const BALANCER: &str = "payments-1.eu-central-1.elb.amazonaws.com";
const HOSTED_ZONE: &str = "Z0ZONE";

/// Two of the zone's servers, two resolvers, and everything that a check is made with.
pub struct Stage {
    pub internet: Internet,
    pub migration: Migration,
    pub check: NamesCheck,
    databases: [SimulatedDatabase; 2],
    clock: Clock,
    _servers: Vec<Running>,
}

impl Stage {
    /// Two resolvers with caches, each with a nearest authority of its own.
    pub async fn new() -> Self {
        Self::with(|internet, upstreams| upstreams.map(|upstream| caching(internet, upstream))).await
    }

    /// The same with resolvers of another kind, made from the addresses of both authorities.
    pub async fn with(resolvers: impl FnOnce(&Internet, [(IpAddr, u16); 2]) -> [Clerk; 2]) -> Self {
        let mut migration = migration();
        // A question may take a fifth of it: more than a loaded machine needs.
        migration.spec.checks.timeout = Period::from_secs(300);
        let internet = Internet::new(&migration);
        let [one, two, three, four] = places().await;
        let upstreams = [(one.address, one.port), (two.address, two.port)];
        let [first, second] = resolvers(&internet, upstreams);
        let check =
            NamesCheck { resolvers: vec![three.address, four.address], port: i32::from(one.port), ..NamesCheck::default() };
        internet.host(BALANCER, &[Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(198, 51, 100, 2)]);
        internet.host("ns-1.awsdns-01.org", &[Ipv4Addr::new(127, 0, 0, 1)]);
        internet.host("ns-2.awsdns-02.co.uk", &[Ipv4Addr::new(127, 0, 0, 2)]);
        let servers = vec![
            one.serve(internet.authority(ZONE, 0)),
            two.serve(internet.authority(ZONE, 1)),
            three.serve(first),
            four.serve(second),
        ];
        let clock = Clock::system();
        let database = |side| SimulatedDatabase::new(internet.world.clone(), side, clock.clone(), CrashSwitch::never());
        let databases = [database(Side::Legacy), database(Side::Target)];
        Self { migration, check, databases, clock, _servers: servers, internet }
    }

    /// One run of the check.
    pub async fn run(&self, public_at: Side) -> Outcome {
        let [legacy, target] = &self.databases;
        let (migration, clock) = (&self.migration, &self.clock);
        let probe = Probe { migration, network: &NamesAlone, secrets: &NoSecrets, legacy, target, clock, public_at };
        run(&self.check, &probe).await
    }

    /// The public record as it points at one side.
    pub fn at(&self, side: Side, ttl_seconds: u64) -> Record {
        let public = &self.migration.spec.dns.public;
        Record::pointing(&public.name, public.destination(side), ttl_seconds)
    }

    pub fn change(&self, old: &[Record], new: &[Record]) {
        self.internet.change(HOSTED_ZONE, old, new);
    }

    /// The sides that the two authorities answer.
    fn sides(&self) -> [Option<Side>; 2] {
        let public = self.internet.world().public();
        [public[0].side, public[1].side]
    }

    /// Passes time until the authorities answer as wanted.
    fn pass_until(&self, wanted: impl Fn([Option<Side>; 2]) -> bool) {
        for _ in 0..120 {
            if wanted(self.sides()) {
                return;
            }
            self.internet.pass(1);
        }
        panic!("the change never came there");
    }

    /// The short TTL in force, and every cache filled with it.
    pub async fn prepared() -> Self {
        let stage = Self::new().await;
        stage.change(&[stage.at(Side::Legacy, 3600)], &[stage.at(Side::Legacy, 60)]);
        stage.internet.pass(61);
        passes(&stage.run(Side::Legacy).await);
        stage
    }
}

pub fn passes(outcome: &Outcome) {
    assert_eq!((outcome.verdict, outcome.code), (Verdict::Pass, Code::AsDeclared), "{outcome:#?}");
}

pub fn ends(outcome: &Outcome, verdict: Verdict, code: Code, words: &[&str]) {
    assert_eq!((outcome.verdict, outcome.code), (verdict, code), "{outcome:#?}");
    for word in words {
        assert!(outcome.message.contains(word), "`{word}` is not in: {}", outcome.message);
    }
}

#[tokio::test]
async fn a_lowered_ttl_counts_when_the_caches_have_let_go_of_the_old_one() {
    let stage = Stage::new().await;
    let high = stage.run(Side::Legacy).await;
    ends(&high, Verdict::Fail, Code::TtlTooLong, &["TTL of 3600 s", "127.0.0.1, 127.0.0.2"]);
    stage.change(&[stage.at(Side::Legacy, 3600)], &[stage.at(Side::Legacy, 60)]);
    stage.internet.pass(61);
    let kept = stage.run(Side::Legacy).await;
    ends(&kept, Verdict::Fail, Code::TtlTooLong, &["127.0.0.3", "another 3539 s", "authorities serve 60 s"]);
    stage.internet.pass(3540);
    passes(&stage.run(Side::Legacy).await);
}

#[tokio::test]
async fn the_switch_is_seen_at_the_authorities_first_and_at_each_resolver_when_its_copy_runs_out() {
    let stage = Stage::prepared().await;
    stage.change(&[stage.at(Side::Legacy, 60)], &[stage.at(Side::Target, 60)]);
    stage.pass_until(|[one, two]| one != two);
    let spreading = stage.run(Side::Target).await;
    ends(&spreading, Verdict::Fail, Code::AnswerDiffers, &["which is legacy", "(authoritative)"]);
    stage.pass_until(|sides| sides == [Some(Side::Target); 2]);
    let kept = stage.run(Side::Target).await;
    ends(&kept, Verdict::Fail, Code::OldAnswerKept, &["the resolver 127.0.0.", "legacy", "for another"]);
    stage.internet.pass(60);
    let over = stage.run(Side::Target).await;
    passes(&over);
    assert!(over.evidence.iter().any(|seen| seen.asked.contains("127.0.0.4") && seen.answered.contains("198.51.100.1 (60 s)")));
    // The other way round, the same name is no longer legacy's.
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::AnswerDiffers, &["which is target"]);
}

#[tokio::test]
async fn a_forgotten_ipv6_record_is_found_in_the_next_answer() {
    let stage = Stage::prepared().await;
    stage.change(&[], &[Record::of_values("pay.example.com", "AAAA", 60, &["2001:db8::10"])]);
    stage.internet.pass(61);
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::ConflictingRecord, &["AAAA", "2001:db8::10"]);
}

#[tokio::test]
async fn issuers_that_would_stop_the_load_balancers_certificate_are_found() {
    let stage = Stage::prepared().await;
    stage.change(&[], &[Record::of_values(ZONE, "CAA", 300, &["0 issue \"letsencrypt.org\""])]);
    stage.internet.pass(61);
    let forbidden = stage.run(Side::Legacy).await;
    ends(&forbidden, Verdict::Fail, Code::ConflictingRecord, &["CAA of example.com", "letsencrypt.org", BALANCER]);
    // The nearer record rules.
    stage.change(&[], &[Record::of_values("pay.example.com", "CAA", 300, &["0 issue \"amazon.com\""])]);
    stage.internet.pass(361);
    passes(&stage.run(Side::Legacy).await);
}

#[tokio::test]
async fn a_name_that_somebody_removed_differs_everywhere() {
    let stage = Stage::prepared().await;
    stage.change(&[stage.at(Side::Legacy, 60)], &[]);
    stage.internet.pass(121);
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::AnswerDiffers, &["NXDOMAIN"]);
}

#[tokio::test]
async fn declared_authorities_are_asked_instead_of_those_that_a_resolver_knows() {
    let mut stage = Stage::prepared().await;
    stage.check.authorities = vec![IpAddr::from([127, 0, 0, 2])];
    let outcome = stage.run(Side::Legacy).await;
    passes(&outcome);
    assert!(outcome.message.starts_with("1 authoritative servers"), "{}", outcome.message);
    assert!(!outcome.evidence.iter().any(|seen| seen.asked.contains("127.0.0.1")), "nobody else is asked: {outcome:#?}");
    // A resolver is nobody's authority.
    stage.check.authorities = vec![IpAddr::from([127, 0, 0, 4])];
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::AnswerDiffers, &["without authority", "127.0.0.4"]);
}

#[tokio::test]
async fn without_a_resolver_the_zones_own_word_is_not_enough() {
    let mut stage = Stage::prepared().await;
    stage.check.authorities = vec![IpAddr::from([127, 0, 0, 1])];
    stage.check.resolvers.clear();
    ends(&stage.run(Side::Legacy).await, Verdict::Unknown, Code::NotAsked, &["at least one"]);
}

#[tokio::test]
async fn a_port_that_is_none_is_not_asked() {
    let mut stage = Stage::prepared().await;
    stage.check.port = 65_536;
    ends(&stage.run(Side::Legacy).await, Verdict::Unknown, Code::NotAsked, &["65536"]);
}
