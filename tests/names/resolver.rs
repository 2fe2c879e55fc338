//! A caching resolver: it asks an authority, and keeps the answer until its TTL runs out by the world's clock.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule::checks::network::{DnsAnswer, DnsRecord, Existence, Question, RecordType, Recursion};
use bascule::clock::{after, elapsed};
use bascule::names::DomainName;
use bascule::network::dns::ask;
use hickory_server::proto::op::ResponseCode;
use jiff::Timestamp;

use super::server::{Answer, Asked, Clerk, Says, Standing};
use super::zone::Internet;

/// What a resolver remembers.
type Cache = Arc<Mutex<BTreeMap<(DomainName, RecordType), (DnsAnswer, Timestamp)>>>;

/// The TTL of hosts that are not in the zone, and of the word that there is nothing.
const ELSEWHERE_TTL_SECONDS: u64 = 60;
/// Longer than any server of a test thinks.
const PATIENCE: Duration = Duration::from_secs(120);

/// The clerk of a resolver whose nearest authority is `upstream`.
pub fn caching(internet: &Internet, upstream: (IpAddr, u16)) -> Clerk {
    let (internet, cache) = (internet.clone(), Cache::default());
    Arc::new(move |asked| Box::pin(resolve(internet.clone(), Arc::clone(&cache), upstream, asked)))
}

async fn resolve(internet: Internet, cache: Cache, upstream: (IpAddr, u16), asked: Asked) -> Says {
    if let Some(records) = internet.addresses(&asked.name, &asked.name, ELSEWHERE_TTL_SECONDS) {
        return Says::records(Standing::Resolver, records);
    }
    let key = (asked.name, asked.record);
    let now = internet.world().now();
    let kept = cache.lock().expect("nobody panics here").get(&key).filter(|(_, until)| now < *until).cloned();
    if let Some((answer, until)) = kept {
        return said(&answer, Some(elapsed(now, until)));
    }
    let (server, port) = upstream;
    let (name, record) = key.clone();
    let question = Question { server, port, name, record, recursion: Recursion::Off, limit: PATIENCE };
    let Ok(answer) = ask(&question).await else {
        return Says::code(Standing::Resolver, ResponseCode::ServFail);
    };
    let ttl_seconds = answer.records.iter().map(|record| u64::from(record.ttl_seconds)).min();
    let ttl = Duration::from_secs(ttl_seconds.unwrap_or(ELSEWHERE_TTL_SECONDS));
    cache.lock().expect("nobody panics here").insert(key, (answer.clone(), after(now, ttl)));
    said(&answer, None)
}

/// An answer as a resolver gives it on, with the time that is left.
fn said(answer: &DnsAnswer, left: Option<Duration>) -> Says {
    let ttl = |record: &DnsRecord| left.map_or(record.ttl_seconds, |left| u32::try_from(left.as_secs()).expect("a TTL"));
    let records = answer.records.iter().map(|record| DnsRecord { ttl_seconds: ttl(record), ..record.clone() }).collect();
    let code = match answer.existence {
        Existence::Exists => ResponseCode::NoError,
        Existence::DoesNot => ResponseCode::NXDomain,
    };
    Says::Answer(Answer { code, standing: Standing::Resolver, records })
}
