//! One question to one server: what is an answer, and what is none.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule::checks::network::{DnsValue, Existence, Question, RecordType, Recursion, Trouble};
use bascule::checks::outcome::Code;
use bascule::names::DomainName;
use bascule::network::dns::ask;
use bascule::sim::route53::Record;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::ResponseCode;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::server::{Place, Running, Says, Standing, clerk, places};
use super::spec::migration;
use super::zone::{Internet, record};

const NAME: &str = "pay.example.com";
/// Longer than a loaded machine takes for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Short enough to wait for in a test that waits for nothing.
const IMPATIENCE: Duration = Duration::from_millis(300);

fn question(server: IpAddr, port: u16, record: RecordType) -> Question {
    Question { server, port, name: DomainName::from(NAME), record, recursion: Recursion::Desired, limit: PATIENCE }
}

fn impatient(server: IpAddr, port: u16) -> Question {
    Question { limit: IMPATIENCE, ..question(server, port, RecordType::A) }
}

/// A server that always says the same.
async fn saying(says: Says) -> Running {
    let [place] = places().await;
    place.serve(clerk(move |_| says.clone()))
}

fn addresses(count: u8) -> Vec<bascule::checks::network::DnsRecord> {
    let name = DomainName::from(NAME);
    let address = |number| DnsValue::Address(IpAddr::V4(Ipv4Addr::new(203, 0, 113, number)));
    (0..count).map(|number| record(&name, 60, address(number))).collect()
}

fn silent(trouble: &Trouble, words: &[&str]) {
    assert_eq!(trouble.code, Code::ResolverSilent, "{trouble}");
    assert!(!trouble.is_certain(), "silence says nothing about the name");
    for word in words.iter().chain(&[NAME, "127.0.0."]) {
        assert!(trouble.to_string().contains(word), "`{word}` is not in: {trouble}");
    }
}

#[tokio::test]
async fn a_change_batch_is_in_the_next_answer_of_the_server_that_took_it_up() {
    let migration = migration();
    let internet = Internet::new(&migration);
    let [place] = places().await;
    let server = place.serve(internet.authority("example.com", 0));
    let question = Question { recursion: Recursion::Off, ..question(server.address, server.port, RecordType::A) };
    let before = ask(&question).await.expect("answered");
    assert!(before.authoritative && before.existence == Existence::Exists);
    assert_eq!(before.records.iter().map(|record| record.ttl_seconds).collect::<Vec<_>>(), [3600]);

    let public = &migration.spec.dns.public;
    let old = Record::pointing(&public.name, &public.legacy, 3600);
    internet.change("Z0ZONE", &[old], &[Record::of_values(NAME, "A", 60, &["203.0.113.77"])]);
    assert_eq!(ask(&question).await.expect("answered"), before, "nothing travels in no time");
    while internet.world().route53.answer(&public.name, 0).is_some_and(|answer| answer.ttl_seconds == 3600) {
        internet.pass(1);
    }
    let after = ask(&question).await.expect("answered");
    let expected = record(&public.name, 60, DnsValue::Address(IpAddr::from([203, 0, 113, 77])));
    assert_eq!(after.records, [expected], "no cache stands between");
}

#[tokio::test]
async fn every_type_of_record_is_read() {
    let name = DomainName::from(NAME);
    let host = || DomainName::from("host.example.net");
    let values = [
        (RecordType::A, DnsValue::Address(IpAddr::from([203, 0, 113, 1]))),
        (RecordType::Aaaa, DnsValue::Address("2001:db8::1".parse().expect("an address"))),
        (RecordType::Cname, DnsValue::Alias(host())),
        (RecordType::Ns, DnsValue::Server(host())),
        (RecordType::Soa, DnsValue::Authority(host())),
        (RecordType::Caa, DnsValue::Issuer("issue".to_owned(), "amazon.com".to_owned())),
    ];
    for (kind, value) in values {
        let expected = vec![record(&name, 300, value)];
        let server = saying(Says::records(Standing::Resolver, expected.clone())).await;
        let answer = ask(&question(server.address, server.port, kind)).await.expect("answered");
        assert_eq!((answer.records, answer.authoritative), (expected, false), "{kind:?}");
    }
}

#[tokio::test]
async fn aliases_on_the_way_come_first_wherever_the_server_puts_them() {
    let (name, host) = (DomainName::from(NAME), DomainName::from("host.example.net"));
    let address = record(&host, 60, DnsValue::Address(IpAddr::from([203, 0, 113, 1])));
    let alias = record(&name, 60, DnsValue::Alias(host.clone()));
    let server = saying(Says::records(Standing::Resolver, vec![address.clone(), alias.clone()])).await;
    let answer = ask(&question(server.address, server.port, RecordType::A)).await.expect("answered");
    assert_eq!(answer.records, [alias, address]);
}

#[tokio::test]
async fn that_there_is_nothing_is_an_answer_too() {
    let server = saying(Says::code(Standing::Resolver, ResponseCode::NXDomain)).await;
    let answer = ask(&question(server.address, server.port, RecordType::A)).await.expect("answered");
    assert_eq!((answer.existence, answer.records.len()), (Existence::DoesNot, 0));
    let server = saying(Says::records(Standing::Resolver, Vec::new())).await;
    let answer = ask(&question(server.address, server.port, RecordType::Aaaa)).await.expect("answered");
    assert_eq!((answer.existence, answer.records.len()), (Existence::Exists, 0));
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_udp_is_fetched_over_tcp() {
    let [place] = places().await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let server = place.serve(clerk(move |question| {
        log.lock().expect("nobody panics here").push(question.over);
        Says::records(Standing::Resolver, addresses(200))
    }));
    let answer = ask(&question(server.address, server.port, RecordType::A)).await.expect("answered");
    assert_eq!(answer.records.len(), 200, "nothing of it is missing");
    let asked = asked.lock().expect("nobody panics here").clone();
    assert_eq!((asked.first(), asked.last()), (Some(&Protocol::Udp), Some(&Protocol::Tcp)), "{asked:?}");
}

#[tokio::test]
async fn half_an_answer_is_none_where_tcp_does_not_bring_the_rest() {
    let [place] = places().await;
    let server = place.serve(clerk(|question| match question.over {
        Protocol::Udp => Says::records(Standing::Resolver, addresses(200)),
        _ => Says::Nothing,
    }));
    silent(&ask(&impatient(server.address, server.port)).await.expect_err("it is cut short"), &["no answer in 300 ms"]);
}

#[tokio::test]
async fn a_server_that_hangs_is_silent_after_the_limit() {
    let server = saying(Says::Nothing).await;
    silent(&ask(&impatient(server.address, server.port)).await.expect_err("it hangs"), &["no answer in 300 ms"]);
}

#[tokio::test]
async fn where_nobody_listens_nobody_answers() {
    // The port is taken on another address, so that no other test opens it meanwhile.
    let [place] = places().await;
    let question = impatient(IpAddr::from([127, 0, 0, 99]), place.port);
    silent(&ask(&question).await.expect_err("nobody listens"), &[]);
}

#[tokio::test]
async fn a_refusal_is_told_by_its_word_and_is_no_answer() {
    let words = [
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::Refused, "REFUSED"),
        (ResponseCode::NotImp, "NOTIMP"),
        (ResponseCode::FormErr, "FORMERR"),
        (ResponseCode::NotAuth, "an error"),
    ];
    for (code, word) in words {
        let server = saying(Says::code(Standing::Resolver, code)).await;
        silent(&ask(&question(server.address, server.port, RecordType::A)).await.expect_err("refused"), &[word]);
    }
}

#[tokio::test]
async fn a_server_that_asks_nobody_is_no_resolver() {
    let server = saying(Says::records(Standing::Authority, Vec::new())).await;
    let desired = question(server.address, server.port, RecordType::A);
    silent(&ask(&desired).await.expect_err("it is none"), &["no resolver"]);
    let own_word = Question { recursion: Recursion::Off, ..desired };
    assert_eq!(ask(&own_word).await.expect("its own word is asked for").records, []);
}

/// A server that sends these datagrams back, whatever it is asked.
struct Raw {
    address: IpAddr,
    port: u16,
    _task: JoinSet<()>,
}

fn raw(place: Place, answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + 'static) -> Raw {
    let Place { address, port, udp, tcp } = place;
    let mut task = JoinSet::new();
    task.spawn(async move {
        let _tcp = tcp;
        answer_all(&udp, answers).await;
    });
    Raw { address, port, _task: task }
}

async fn answer_all(udp: &UdpSocket, answers: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = udp.recv_from(&mut buffer).await {
        for answer in answers(&buffer[..length]) {
            udp.send_to(&answer, from).await.expect("loopback takes it");
        }
    }
}

/// What is sent back for what was asked.
type Nonsense = fn(&[u8]) -> Vec<u8>;

#[tokio::test]
async fn nonsense_is_no_answer_and_no_panic() {
    let nonsense: [Nonsense; 5] = [
        // The id alone, and nothing after it.
        |asked| asked[..2].to_vec(),
        // The question sent back, which is no response.
        <[u8]>::to_vec,
        // A response that promises records and holds none.
        |asked| [&asked[..2], &[0x81, 0x80, 0, 1, 0xff, 0xff, 0, 0, 0, 0], &asked[12..]].concat(),
        // A name that points at itself.
        |asked| [&asked[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1], &[0xc0, 12]].concat(),
        |asked| [&asked[..2], &[0xff; 4000]].concat(),
    ];
    for answer in nonsense {
        let [place] = places().await;
        let server = raw(place, move |asked| vec![answer(asked)]);
        silent(&ask(&impatient(server.address, server.port)).await.expect_err("nonsense"), &[]);
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_taken_for_ours() {
    let [place] = places().await;
    let server = raw(place, |asked| {
        let response = |bytes: &[u8]| [&bytes[..2], &[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0], &bytes[12..end(bytes)]].concat();
        let mut other_id = asked.to_vec();
        other_id[0] ^= 0xff;
        let mut other_name = asked.to_vec();
        other_name[13] = b'x';
        vec![response(&other_id), response(&other_name)]
    });
    silent(&ask(&impatient(server.address, server.port)).await.expect_err("none of them is ours"), &["no answer in"]);
}

/// Where the question ends: after its name, type and class.
fn end(asked: &[u8]) -> usize {
    let name = asked[12..].iter().position(|byte| *byte == 0).expect("a name ends");
    12 + name + 1 + 4
}

#[tokio::test]
async fn a_name_that_cannot_be_asked_for_is_not_asked_for() {
    let long = "a".repeat(64);
    for name in ["a..b", long.as_str()] {
        let [place] = places::<1>().await;
        let question = Question { name: DomainName::from(name), ..impatient(place.address, place.port) };
        assert_eq!(ask(&question).await.expect_err("it is no name").code, Code::NotAsked, "{name:?}");
    }
}
