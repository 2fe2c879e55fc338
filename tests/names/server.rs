//! A real DNS server on loopback, over UDP and TCP. What it says is its clerk's business.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bascule::checks::network::{DnsRecord, DnsValue, RecordType};
use bascule::names::DomainName;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, NS, SOA};
use hickory_server::proto::rr::{Name, RData, Record, RecordType as WireType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo, Server};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};

/// One question, as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub name: DomainName,
    pub record: RecordType,
    pub over: Protocol,
}

/// What is said to it.
#[derive(Debug, Clone)]
pub enum Says {
    /// An answer.
    Answer(Answer),
    /// Nothing, for ever.
    Nothing,
}

/// An answer before it is written down.
#[derive(Debug, Clone)]
pub struct Answer {
    pub code: ResponseCode,
    pub standing: Standing,
    pub records: Vec<DnsRecord>,
}

/// As what a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It serves the zone.
    Authority,
    /// It asks others.
    Resolver,
    /// Neither.
    Stranger,
}

impl Says {
    /// An answer without an error.
    pub fn records(standing: Standing, records: Vec<DnsRecord>) -> Self {
        Self::Answer(Answer { code: ResponseCode::NoError, standing, records })
    }

    /// An answer with an error, or the word that there is no such name.
    pub fn code(standing: Standing, code: ResponseCode) -> Self {
        Self::Answer(Answer { code, standing, records: Vec::new() })
    }
}

/// Who thinks of the answers.
pub type Clerk = Arc<dyn Fn(Asked) -> Pin<Box<dyn Future<Output = Says> + Send>> + Send + Sync>;

/// A clerk who need not ask anybody.
pub fn clerk(says: impl Fn(Asked) -> Says + Send + Sync + 'static) -> Clerk {
    Arc::new(move |asked| {
        let says = says(asked);
        Box::pin(async move { says })
    })
}

/// A port on one loopback address, open and not yet served.
#[derive(Debug)]
pub struct Place {
    pub address: IpAddr,
    pub port: u16,
    pub udp: UdpSocket,
    pub tcp: TcpListener,
}

/// One free port on several loopback addresses, over UDP and TCP: all servers of a check answer on the same.
pub async fn places<const N: usize>() -> [Place; N] {
    // Another process may take a port between two of these steps; that it does so again and again is another trouble.
    for _ in 0..100 {
        if let Some(places) = try_places().await {
            return places;
        }
    }
    panic!("no port is free on {N} loopback addresses")
}

async fn try_places<const N: usize>() -> Option<[Place; N]> {
    let mut places = Vec::with_capacity(N);
    let mut port = 0;
    for number in 1..=u8::try_from(N).expect("a few places") {
        let address = Ipv4Addr::new(127, 0, 0, number);
        let udp = UdpSocket::bind((address, port)).await.ok()?;
        port = udp.local_addr().ok()?.port();
        let tcp = TcpListener::bind((address, port)).await.ok()?;
        places.push(Place { address: IpAddr::V4(address), port, udp, tcp });
    }
    places.try_into().ok()
}

/// A server at work; it ends when this is dropped.
pub struct Running {
    pub address: IpAddr,
    pub port: u16,
    _server: Server<Counter>,
}

/// Longer than any test: a connection that nobody uses is closed after this.
const IDLE: Duration = Duration::from_secs(600);
/// Answers under way on one connection.
const BUFFER: usize = 32;

impl Place {
    /// Opens for questions.
    pub fn serve(self, clerk: Clerk) -> Running {
        let Self { address, port, udp, tcp } = self;
        let mut server = Server::new(Counter(clerk));
        server.register_socket(udp);
        server.register_listener(tcp, IDLE, BUFFER);
        Running { address, port, _server: server }
    }
}

struct Counter(Clerk);

#[async_trait::async_trait]
impl RequestHandler for Counter {
    async fn handle_request<R: ResponseHandler, T: Time>(&self, request: &Request, mut out: R) -> ResponseInfo {
        let info = request.request_info().expect("there is one question");
        let query = info.query.original();
        let record = read_type(query.query_type());
        let asked = Asked { name: read_name(query.name()), record, over: request.protocol() };
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let Says::Answer(answer) = (self.0)(asked).await else {
            return ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        };
        metadata.response_code = answer.code;
        metadata.authoritative = answer.standing == Standing::Authority;
        metadata.recursion_available = answer.standing == Standing::Resolver;
        let records: Vec<Record> = answer.records.iter().map(written).collect();
        let response = MessageResponseBuilder::from_message_request(request).build(metadata, &records, [], [], []);
        out.send_response(response).await.expect("whoever asked still listens")
    }
}

fn read_type(record: WireType) -> RecordType {
    match record {
        WireType::A => RecordType::A,
        WireType::AAAA => RecordType::Aaaa,
        WireType::CNAME => RecordType::Cname,
        WireType::NS => RecordType::Ns,
        WireType::SOA => RecordType::Soa,
        WireType::CAA => RecordType::Caa,
        other => panic!("nobody asks for {other}"),
    }
}

fn read_name(name: &Name) -> DomainName {
    DomainName(name.to_ascii().trim_end_matches('.').to_ascii_lowercase())
}

fn written(record: &DnsRecord) -> Record {
    let data = match &record.value {
        DnsValue::Address(IpAddr::V4(address)) => RData::A(A(*address)),
        DnsValue::Address(IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
        DnsValue::Alias(host) => RData::CNAME(CNAME(wire_name(host))),
        DnsValue::Server(server) => RData::NS(NS(wire_name(server))),
        DnsValue::Authority(primary) => {
            RData::SOA(SOA::new(wire_name(primary), wire_name(primary), 1, 7200, 900, 1_209_600, 86_400))
        }
        DnsValue::Issuer(tag, value) => {
            RData::try_from_str(WireType::CAA, &format!("0 {tag} \"{value}\"")).expect("a CAA record")
        }
    };
    Record::from_rdata(wire_name(&record.name), record.ttl_seconds, data)
}

fn wire_name(name: &DomainName) -> Name {
    Name::from_ascii(format!("{name}.")).expect("a name")
}
