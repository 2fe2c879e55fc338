//! For tests: a web that answers what it was told to, and remembers what it was asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

use super::network::{
    CacheAnswer, CacheBatch, Certificate, DnsAnswer, HttpAnswer, HttpRequest, Network, PrivateAddresses, Question, Reply, Trouble,
};
use super::outcome::Code;
use super::probe::{Probe, Secrets};
use crate::clock::{Clock, after};
use crate::database::{Answer, Database, DatabaseView, Epoch, IdFloor, IdSpace, Inspection, MigrationsTable, Structure};
use crate::fault::{Fault, Problem};
use crate::names::{Account, DomainName, MarkerId, Side};
use crate::spec::checks::SecretFrom;
use crate::spec::load::load;
use crate::spec::{CredentialsFrom, Migration};

/// The only password there is.
pub const PASSWORD: &str = "hunter-canary";

/// How a page of the script answers.
#[derive(Debug, Clone)]
enum Scripted {
    Answer(HttpAnswer),
    Trouble(Code),
}

/// Pages by URL.
#[derive(Debug, Default)]
pub struct Web {
    pages: BTreeMap<String, Scripted>,
    asked: Mutex<Vec<HttpRequest>>,
}

/// When every scripted test begins.
pub fn noon() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().expect("the moment is well-formed")
}

/// An answer from a public address; over HTTPS a certificate is shown that holds for ninety days.
fn answer(url: &str, status: u16, headers: &[(&str, &str)], body: &str) -> HttpAnswer {
    let certificate = Certificate {
        names: vec!["*.example.com".to_owned()],
        issuer: "Test CA".to_owned(),
        not_after: after(noon(), Duration::from_secs(90 * 86_400)),
    };
    HttpAnswer {
        status,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.as_bytes().to_vec(),
        address: IpAddr::from([203, 0, 113, 7]),
        certificate: url.starts_with("https").then_some(certificate),
    }
}

impl Web {
    /// A page with this status, these headers and this body.
    pub fn page(mut self, url: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        self.pages.insert(url.to_owned(), Scripted::Answer(answer(url, status, headers, body)));
        self
    }

    /// A page that redirects.
    pub fn redirect(self, url: &str, status: u16, location: &str) -> Self {
        self.page(url, status, &[("location", location)], "")
    }

    /// A page that is never answered.
    pub fn lost(mut self, url: &str, code: Code) -> Self {
        self.pages.insert(url.to_owned(), Scripted::Trouble(code));
        self
    }

    /// The page at `url`, at an address of a private range.
    pub fn private(mut self, url: &str) -> Self {
        if let Some(Scripted::Answer(answer)) = self.pages.get_mut(url) {
            answer.address = IpAddr::from([10, 0, 0, 5]);
        }
        self
    }

    /// The page at `url`, with a certificate that ends an hour after so many days.
    pub fn certified(mut self, url: &str, days: u64) -> Self {
        if let Some(Scripted::Answer(HttpAnswer { certificate: Some(certificate), .. })) = self.pages.get_mut(url) {
            certificate.not_after = after(noon(), Duration::from_secs(days * 86_400 + 3600));
        }
        self
    }

    /// Everything that was asked.
    pub fn asked(&self) -> Vec<HttpRequest> {
        self.asked.lock().expect("no test poisons it").clone()
    }

    fn answered(&self, request: &HttpRequest) -> Result<HttpAnswer, Trouble> {
        self.asked.lock().expect("no test poisons it").push(request.clone());
        let trouble =
            |code: Code, detail: &str| Trouble { attempted: format!("GET {}", request.url), detail: detail.to_owned(), code };
        match self.pages.get(request.url.as_str()) {
            None => Err(trouble(Code::NameNotFound, "no such host")),
            Some(Scripted::Trouble(code)) => Err(trouble(*code, "so the script says")),
            Some(Scripted::Answer(answer)) => match (answer.address, request.private_addresses) {
                (IpAddr::V4(address), PrivateAddresses::Refused) if address.is_private() => {
                    Err(trouble(Code::PrivateAddress, "10.0.0.5 is private"))
                }
                _ => Ok(answer.clone()),
            },
        }
    }
}

impl Network for Web {
    fn exchange<'a>(&'a self, request: &'a HttpRequest) -> Reply<'a, HttpAnswer> {
        Box::pin(async move { self.answered(request) })
    }

    fn ask<'a>(&'a self, _: &'a Question) -> Reply<'a, DnsAnswer> {
        unreachable!("a page asks no resolver itself")
    }

    fn command<'a>(&'a self, _: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>> {
        unreachable!("a page asks no cache")
    }
}

/// Holds `PASSWORD` under the name `BOOKING`.
#[derive(Debug)]
pub struct SafeOfTests;

impl Secrets for SafeOfTests {
    fn credentials(&self, from: &CredentialsFrom) -> Result<(String, String), String> {
        match from {
            CredentialsFrom::Env(name) if name == "BOOKING" => Ok(("bascule".to_owned(), PASSWORD.to_owned())),
            CredentialsFrom::Env(name) | CredentialsFrom::File(name) => Err(format!("{name} is not there")),
        }
    }

    fn secret(&self, from: &SecretFrom) -> Result<String, String> {
        match from {
            SecretFrom::Env(name) if name == "BOOKING" => Ok(PASSWORD.to_owned()),
            SecretFrom::Env(name) | SecretFrom::File(name) => Err(format!("{name} is not there")),
        }
    }
}

/// A database that knows one number, and is asked for nothing else.
#[derive(Debug)]
pub struct Counter(pub Result<i64, Problem>);

#[rustfmt::skip]
impl Database for Counter {
    fn side(&self) -> Side { Side::Legacy }
    fn number<'a>(&'a self, query: &'a str) -> Answer<'a, i64> {
        Box::pin(async move { self.0.clone().map_err(|problem| Fault { attempted: query.to_owned(), problem }) })
    }
    fn structure(&self) -> Answer<'_, Structure> {
        unreachable!("a page compares no schemas")
    }
    fn migrations<'a>(&'a self, _: &'a MigrationsTable) -> Answer<'a, BTreeSet<String>> {
        unreachable!("a page compares no schemas")
    }
    fn look(&self) -> Answer<'_, DatabaseView> { unreachable!("a page looks at no database") }
    fn inspect(&self) -> Answer<'_, Inspection> { unreachable!("a page inspects no database") }
    fn id_space(&self) -> Answer<'_, IdSpace> { unreachable!("a page counts no rows") }
    fn raise_ids<'a>(&'a self, _: Epoch, _: &'a [IdFloor]) -> Answer<'a, ()> { unreachable!("a check writes nothing") }
    fn beat(&self, _: Epoch) -> Answer<'_, ()> { unreachable!("a check writes nothing") }
    fn close_fence<'a>(&'a self, _: Epoch, _: &'a [Account]) -> Answer<'a, ()> { unreachable!("a check writes nothing") }
    fn open_fence<'a>(&'a self, _: Epoch, _: &'a [Account]) -> Answer<'a, ()> { unreachable!("a check writes nothing") }
    fn write_marker<'a>(&'a self, _: Epoch, _: &'a MarkerId) -> Answer<'a, ()> { unreachable!("a check writes nothing") }
    fn set_binlog_retention(&self, _: Epoch, _: u32) -> Answer<'_, ()> { unreachable!("a check writes nothing") }
}

/// Everything that a check is made with, scripted.
#[derive(Debug)]
pub struct Scene {
    /// The wish.
    pub migration: Migration,
    /// The pages.
    pub web: Web,
    /// Either side's database.
    pub counter: Counter,
    /// The side that the public name leads to.
    pub public_at: Side,
    clock: Clock,
}

impl Scene {
    /// The example's migration, from `old-pay.example.net`, after the switch.
    pub fn of(web: Web) -> Self {
        let example = include_bytes!("../../manifests/payments.yaml");
        let mut migration = load("payments.yaml", example).expect("the example is valid").migration.into_inner();
        migration.spec.checks.legacy_hosts = vec![DomainName::from("old-pay.example.net")];
        let clock = Clock::starting_at(noon());
        Self { migration, web, counter: Counter(Ok(0)), public_at: Side::Target, clock }
    }

    /// What the check under test is handed.
    pub fn probe(&self) -> Probe<'_> {
        Probe {
            migration: &self.migration,
            network: &self.web,
            secrets: &SafeOfTests,
            legacy: &self.counter,
            target: &self.counter,
            clock: &self.clock,
            public_at: self.public_at,
        }
    }
}
