//! The one seam to everything that is neither AWS nor one of the two databases: names, pages and caches.
//!
//! Two implementations stand behind it: the operating system's network, and that of the simulated world. It knows single
//! questions only; following redirects, judging certificates' dates and comparing answers is the checks' business, so that both
//! implementations are judged by the same code.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use url::{Position, Url};

use super::outcome::Code;
use crate::names::DomainName;

/// The future of a question.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Trouble>> + Send + 'a>>;

/// Why no answer came, with the word that a check ends with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attempted}: {detail}")]
pub struct Trouble {
    /// What was attempted, of whom: `GET https://shadow-pay.example.com/`.
    pub attempted: String,
    /// What came instead, in words; never a secret.
    pub detail: String,
    /// Its code: one of those on the way to an answer.
    pub code: Code,
}

impl Trouble {
    /// Whether it says something about what was asked, rather than about the way there. A certificate for another name will
    /// not mend itself; a silent server may be a silent network.
    pub const fn is_certain(&self) -> bool {
        matches!(
            self.code,
            Code::NameNotFound
                | Code::ConnectionRefused
                | Code::CertificateExpired
                | Code::CertificateOtherName
                | Code::CertificateUntrusted
                | Code::TlsRefused
                | Code::NotHttp
                | Code::NotACache
                | Code::CredentialsRefused
                | Code::AnswerTooLarge
                | Code::PrivateAddress
                | Code::RedirectedForEver
        )
    }
}

/// Asks single questions. Each ends within its own time limit.
pub trait Network: Send + Sync + fmt::Debug {
    /// One HTTP exchange. Redirects are answers, and not followed.
    fn exchange<'a>(&'a self, request: &'a HttpRequest) -> Reply<'a, HttpAnswer>;

    /// One DNS question to one server.
    fn ask<'a>(&'a self, question: &'a Question) -> Reply<'a, DnsAnswer>;

    /// One connection to one node of a cache: commands one after the other, and as many answers.
    fn command<'a>(&'a self, batch: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>>;
}

/// One HTTP request: always GET, always without a body.
#[derive(Clone)]
pub struct HttpRequest {
    /// What is asked for; its host is the `Host` header and the server name of TLS.
    pub url: Url,
    /// Where the connection goes instead of where the host resolves to: host and port.
    pub connect_to: Option<(String, u16)>,
    /// Headers beside `Host`, `User-Agent` and `Accept`; their values may be secret.
    pub headers: Vec<(String, String)>,
    /// A PEM file of trusted authorities; `None` for those that the platform knows.
    pub tls_ca_file: Option<PathBuf>,
    /// Whether a private address may be connected to.
    pub private_addresses: PrivateAddresses,
    /// The most bytes of body that are read. A longer one is a trouble, [`Code::AnswerTooLarge`], and never cut: what is declared
    /// not to stand in a page could stand in the rest.
    pub body_limit: usize,
    /// The longest that the exchange may take.
    pub limit: Duration,
}

impl HttpRequest {
    /// What is asked, of whom, in words: `GET https://pay.example.com/ at lb.example.com:443`. Without headers, and without a
    /// user and password that somebody's redirect may have put into its URL.
    pub fn shown(&self) -> String {
        let asked = &self.url[Position::BeforeHost..Position::AfterQuery];
        let at = self.connect_to.as_ref().map(|(host, port)| format!(" at {host}:{port}")).unwrap_or_default();
        format!("GET {}://{asked}{at}", self.url.scheme())
    }
}

impl fmt::Debug for HttpRequest {
    /// Without the values of headers, which may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpRequest").field("asked", &self.shown()).field("headers", &names).finish_non_exhaustive()
    }
}

/// Whether an address of a private, loopback or link-local range may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateAddresses {
    /// The host is one that the spec names.
    Allowed,
    /// Somebody else's redirect led here.
    Refused,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case; the values of one name in the order of the answer.
    pub headers: Vec<(String, String)>,
    /// Its body, decoded, up to the request's limit.
    pub body: Vec<u8>,
    /// The address that answered.
    pub address: IpAddr,
    /// The certificate of the server, where TLS was used. Its chain and name were verified.
    pub certificate: Option<Certificate>,
}

impl HttpAnswer {
    /// Every value of a header.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are none are replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// What is worth knowing of a certificate that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The names that it is for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// One DNS question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The server that is asked.
    pub server: IpAddr,
    /// Its port.
    pub port: u16,
    /// The name.
    pub name: DomainName,
    /// The type of record.
    pub record: RecordType,
    /// Whether the server is to ask others; an authoritative one is asked for its own word.
    pub recursion: Recursion,
    /// The longest that the answer may take.
    pub limit: Duration,
}

/// Whether a server is to ask others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recursion {
    /// It is a resolver.
    Desired,
    /// It is asked for its own word.
    Off,
}

/// Types of record that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordType {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Another name.
    Cname,
    /// Authoritative servers.
    Ns,
    /// The zone's own record.
    Soa,
    /// Who may issue certificates.
    Caa,
}

impl RecordType {
    /// The type's usual name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Caa => "CAA",
        }
    }
}

/// The answer to a DNS question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsAnswer {
    /// Whether the name exists.
    pub existence: Existence,
    /// Whether the server answers by its own authority.
    pub authoritative: bool,
    /// The records of the answer section, aliases on the way first.
    pub records: Vec<DnsRecord>,
}

/// Whether a name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existence {
    /// `NOERROR`: it does, even where no record of this type is there.
    Exists,
    /// `NXDOMAIN`: it does not.
    DoesNot,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsRecord {
    /// Whose.
    pub name: DomainName,
    /// How long a resolver may keep it, in seconds; of a resolver's answer, how long it still will.
    pub ttl_seconds: u32,
    /// Its value.
    pub value: DnsValue,
}

/// The value of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DnsValue {
    /// `A` and `AAAA`.
    Address(IpAddr),
    /// `CNAME`.
    Alias(DomainName),
    /// `NS`.
    Server(DomainName),
    /// `SOA`, as far as it matters: the primary server's name.
    Authority(DomainName),
    /// `CAA`: tag and value, such as `issue` and `amazon.com`.
    Issuer(String, String),
}

/// Commands for one node of a cache, over one connection.
#[derive(Clone)]
pub struct CacheBatch {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS, and the PEM file of trusted authorities if not those that the platform knows.
    pub tls: Option<Option<PathBuf>>,
    /// User and password; an empty user is Redis's `default`.
    pub credentials: Option<(String, String)>,
    /// Commands, each a list of words.
    pub commands: Vec<Vec<String>>,
    /// The longest that all of it may take.
    pub limit: Duration,
}

impl fmt::Debug for CacheBatch {
    /// Without the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBatch")
            .field("node", &format!("{}:{}", self.host, self.port))
            .field("commands", &self.commands)
            .finish_non_exhaustive()
    }
}

/// What a cache answers to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheAnswer {
    /// `OK` and its kin.
    Status(String),
    /// A text; bytes that are none are replaced.
    Text(String),
    /// A number.
    Number(i64),
    /// Nothing there.
    Nil,
    /// Several.
    List(Vec<CacheAnswer>),
    /// A refusal: its first word, such as `CROSSSLOT`, `MOVED`, `NOAUTH`, and the rest.
    Refused {
        /// The first word.
        word: String,
        /// The rest.
        rest: String,
    },
}
