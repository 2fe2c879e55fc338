//! One DNS question to one server, over UDP and, where the answer does not fit, over TCP. Nothing is remembered between two
//! questions: a cache here would hide the caches that a check is about.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsHandle, DnsRequestSender, FirstAnswer};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType as WireType};

use crate::checks::network::{DnsAnswer, DnsRecord, DnsValue, Existence, Question, RecordType, Recursion, Trouble};
use crate::checks::outcome::Code;
use crate::names::DomainName;

/// Asks, and waits for the answer within the question's limit.
///
/// The library sends from a random port with a random id, and takes only an answer to both. A lost datagram is sent again within
/// the limit.
///
/// # Errors
/// `ResolverSilent` with what came instead: nothing in time, a refusal by its DNS word, or something that is no answer.
pub async fn ask(question: &Question) -> Result<DnsAnswer, Trouble> {
    let query = Query::query(wire_name(question)?, wire_type(question.record));
    let response = tokio::time::timeout(question.limit, exchange(question, &query)).await;
    let response = response.map_err(|_| silent(question, slow(question.limit)))?;
    let response = response.map_err(|error| silent(question, told(&error, question.limit)))?;
    read(question, &query, &response).map_err(|detail| silent(question, detail))
}

async fn exchange(question: &Question, query: &Query) -> Result<DnsResponse, NetError> {
    let server = SocketAddr::new(question.server, question.port);
    let mut options = DnsRequestOptions::default();
    options.recursion_desired = question.recursion == Recursion::Desired;
    let request = DnsRequest::from_query(query.clone(), options);
    let response = over_udp(server, request.clone(), question.limit).await?;
    if response.metadata.truncation { over_tcp(server, request, question.limit).await } else { Ok(response) }
}

async fn over_udp(server: SocketAddr, request: DnsRequest, limit: Duration) -> Result<DnsResponse, NetError> {
    let mut socket = UdpClientStream::builder(server, TokioRuntimeProvider::new()).with_timeout(Some(limit)).build();
    socket.send_message(request).first_answer().await
}

/// The library's task for the connection lives in the provider, and ends with it.
async fn over_tcp(server: SocketAddr, request: DnsRequest, limit: Duration) -> Result<DnsResponse, NetError> {
    let provider = TokioRuntimeProvider::new();
    let connection = TcpClientStream::exchange(server, None, limit, None, provider.clone()).await?;
    connection.send(request).first_answer().await
}

/// What the message says, or why it is no answer.
fn read(question: &Question, query: &Query, message: &Message) -> Result<DnsAnswer, String> {
    if message.queries != [query.clone()] {
        return Err("it answers another question".to_owned());
    }
    if message.metadata.truncation {
        return Err("its answer is cut short over TCP as well".to_owned());
    }
    let existence = match message.metadata.response_code {
        ResponseCode::NoError => Existence::Exists,
        ResponseCode::NXDomain => Existence::DoesNot,
        code => return Err(format!("it answers {}", word(code))),
    };
    let records: Vec<DnsRecord> = message.answers.iter().filter_map(read_record).collect();
    if question.recursion == Recursion::Desired && !message.metadata.recursion_available && records.is_empty() {
        return Err("it does not ask other servers, and so is no resolver".to_owned());
    }
    let (mut aliases, others): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| matches!(record.value, DnsValue::Alias(_)));
    aliases.extend(others);
    Ok(DnsAnswer { existence, authoritative: message.metadata.authoritative, records: aliases })
}

/// A record of a type that was asked for; signatures and the like stand in answers too.
fn read_record(record: &Record) -> Option<DnsRecord> {
    if record.dns_class != DNSClass::IN {
        return None;
    }
    let value = match &record.data {
        RData::A(address) => DnsValue::Address(IpAddr::V4(address.0)),
        RData::AAAA(address) => DnsValue::Address(IpAddr::V6(address.0)),
        RData::CNAME(host) => DnsValue::Alias(own_name(&host.0)),
        RData::NS(server) => DnsValue::Server(own_name(&server.0)),
        RData::SOA(authority) => DnsValue::Authority(own_name(&authority.mname)),
        RData::CAA(issuer) => {
            DnsValue::Issuer(issuer.tag.to_ascii_lowercase(), String::from_utf8_lossy(&issuer.value).into_owned())
        }
        _ => return None,
    };
    Some(DnsRecord { name: own_name(&record.name), ttl_seconds: record.ttl, value })
}

fn wire_name(question: &Question) -> Result<Name, Trouble> {
    Name::from_ascii(format!("{}.", question.name)).map_err(|error| Trouble {
        attempted: attempted(question),
        detail: format!("that is no name that can be asked for: {error}"),
        code: Code::NotAsked,
    })
}

const fn wire_type(record: RecordType) -> WireType {
    match record {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Cname => WireType::CNAME,
        RecordType::Ns => WireType::NS,
        RecordType::Soa => WireType::SOA,
        RecordType::Caa => WireType::CAA,
    }
}

/// A name in this program's form: lower-case, without the dot at its end.
fn own_name(name: &Name) -> DomainName {
    DomainName(name.to_ascii().trim_end_matches('.').to_ascii_lowercase())
}

/// The names of RFC 1035 and RFC 6895, by which an operator finds them.
fn word(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".to_owned(),
        ResponseCode::ServFail => "SERVFAIL".to_owned(),
        ResponseCode::NotImp => "NOTIMP".to_owned(),
        ResponseCode::Refused => "REFUSED".to_owned(),
        other => format!("an error ({other})"),
    }
}

fn told(error: &NetError, limit: Duration) -> String {
    match error {
        NetError::Timeout => slow(limit),
        NetError::Io(error) => format!("there is no way there: {error}"),
        NetError::Proto(error) => format!("it answers what is no DNS message: {error}"),
        other => format!("no answer came: {other}"),
    }
}

fn slow(limit: Duration) -> String {
    format!("no answer in {} ms", limit.as_millis())
}

fn silent(question: &Question, detail: String) -> Trouble {
    Trouble { attempted: attempted(question), detail, code: Code::ResolverSilent }
}

/// The question in words: `A pay.example.com, asked of 192.0.2.53:53`.
fn attempted(question: &Question) -> String {
    let server = SocketAddr::new(question.server, question.port);
    format!("{} {}, asked of {server}", question.record.as_str(), question.name)
}
