//! Resolvers on bad days: one that hangs, one that lies, one that fails, one that knows nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bascule::checks::network::{DnsValue, RecordType};
use bascule::checks::outcome::{Code, Verdict};
use bascule::names::{DomainName, Side};
use bascule::spec::Period;
use hickory_server::proto::op::ResponseCode;

use super::journey::{BALANCER, Stage, ends, passes};
use super::resolver::caching;
use super::server::{Asked, Clerk, Says, Standing, clerk};
use super::zone::{Internet, record};

/// A stage whose second resolver says this, with the short TTL in force.
async fn with_a_stranger(says: impl Fn(Asked) -> Says + Send + Sync + 'static) -> Stage {
    let stage = Stage::with(|internet, [near, _]| [caching(internet, near), clerk(says)]).await;
    stage.change(&[stage.at(Side::Legacy, 3600)], &[stage.at(Side::Legacy, 60)]);
    stage.internet.pass(61);
    stage
}

/// Says one address for the public name, whatever the zone says.
fn insisting(address: [u8; 4], ttl_seconds: u64) -> impl Fn(Asked) -> Says + Send + Sync + 'static {
    move |asked| {
        let address = DnsValue::Address(IpAddr::from(address));
        let records = if asked.record == RecordType::A { vec![record(&asked.name, ttl_seconds, address)] } else { Vec::new() };
        Says::records(Standing::Resolver, records)
    }
}

#[tokio::test]
async fn a_resolver_that_hangs_leaves_it_unknown_and_never_passes() {
    let mut stage = with_a_stranger(|_| Says::Nothing).await;
    // Short, because nobody answers; an honest server that is slower than this is silent too, and changes nothing.
    stage.migration.spec.checks.timeout = Period::from_secs(2);
    ends(&stage.run(Side::Legacy).await, Verdict::Unknown, Code::ResolverSilent, &["no answer in 400 ms"]);
}

#[tokio::test]
async fn a_resolver_that_fails_leaves_it_unknown_unless_another_is_certainly_wrong() {
    let stage = with_a_stranger(|_| Says::code(Standing::Resolver, ResponseCode::ServFail)).await;
    let outcome = stage.run(Side::Legacy).await;
    ends(&outcome, Verdict::Unknown, Code::ResolverSilent, &["127.0.0.4", "SERVFAIL", "other 3 of 4 servers agree"]);
    // To the target's side, authorities that answer legacy are certainly wrong, whoever fails.
    ends(&stage.run(Side::Target).await, Verdict::Fail, Code::AnswerDiffers, &["which is legacy"]);
}

#[tokio::test]
async fn a_resolver_that_lies_about_the_address_is_told_with_its_lie() {
    let stage = with_a_stranger(insisting([192, 0, 2, 66], 60)).await;
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::AnswerDiffers, &["127.0.0.4", "192.0.2.66", "lies"]);
}

#[tokio::test]
async fn a_resolver_that_keeps_what_it_should_forget_is_told_with_how_long() {
    let stage = with_a_stranger(insisting([203, 0, 113, 10], 86_400)).await;
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::TtlTooLong, &["127.0.0.4", "another 86400 s"]);
}

#[tokio::test]
async fn a_first_resolver_that_knows_no_servers_of_the_zone_ends_the_run() {
    let nobody = |code| move |_: Asked| Says::code(Standing::Resolver, code);
    let mut stage = with_a_stranger(nobody(ResponseCode::NXDomain)).await;
    stage.check.resolvers.reverse();
    ends(&stage.run(Side::Legacy).await, Verdict::Fail, Code::NameNotFound, &["example.com", "127.0.0.4", "zoneName"]);
    let mut stage = with_a_stranger(nobody(ResponseCode::Refused)).await;
    stage.check.resolvers.reverse();
    ends(&stage.run(Side::Legacy).await, Verdict::Unknown, Code::ResolverSilent, &["NS example.com", "REFUSED"]);
}

/// A resolver that remembers an old address of the load balancer, and knows better when it is asked again.
fn behind_the_times(internet: &Internet, upstream: (IpAddr, u16)) -> Clerk {
    let (honest, asked_before) = (caching(internet, upstream), AtomicBool::new(false));
    Arc::new(move |asked| {
        let is_balancer = asked.name == DomainName::from(BALANCER);
        if !is_balancer || asked_before.swap(true, Ordering::SeqCst) {
            return honest(asked);
        }
        Box::pin(async move { insisting([198, 51, 100, 9], 60)(asked) })
    })
}

#[tokio::test]
async fn a_load_balancer_that_changes_its_addresses_meanwhile_is_asked_once_more_before_it_counts() {
    let stage = Stage::with(|internet, upstreams| upstreams.map(|upstream| behind_the_times(internet, upstream))).await;
    stage.internet.host(BALANCER, &[Ipv4Addr::new(198, 51, 100, 3)]);
    stage.change(&[stage.at(Side::Legacy, 3600)], &[stage.at(Side::Target, 60)]);
    stage.internet.pass(61);
    passes(&stage.run(Side::Target).await);
    // An address that it never had is wrong however often it is asked.
    stage.internet.host(BALANCER, &[Ipv4Addr::new(198, 51, 100, 4)]);
    ends(&stage.run(Side::Target).await, Verdict::Fail, Code::AnswerDiffers, &["198.51.100.3", BALANCER]);
}
