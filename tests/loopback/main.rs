//! `bascule check` against real servers: pages behind TLS, a cluster of caches, and the zone's own servers.

#[allow(dead_code, reason = "the servers of other tests, of which this one needs some")]
mod names;
#[allow(dead_code, reason = "the servers of other tests, of which this one needs some")]
mod pages;
#[allow(dead_code, reason = "the servers of other tests, of which this one needs some")]
#[path = "../cache/server.rs"]
mod redis;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output};

use bascule::spec::Migration;
use bascule::spec::load::load;
use serde_json::Value;
use tempfile::TempDir;

use names::resolver::caching;
use names::server::{Running, places};
use names::zone::Internet;
use pages::authority::Authority;
use pages::server::{Page, Server, page};
use redis::{Cluster, Options};

const FIXTURE: &str = include_str!("../fixtures/loopback.yaml");
/// What must appear nowhere.
const CANARY: &str = "canary-7f3a";

/// Everything that the fixture's checks meet, for as long as it is kept.
struct Neighbourhood {
    directory: TempDir,
    file: PathBuf,
    _pages: [Server; 2],
    _authority: Authority,
    _cluster: Cluster,
    _names: Vec<Running>,
}

fn answer(request: &hyper::Request<hyper::body::Incoming>) -> Page {
    match request.uri().path() {
        "/checkout" => page(200, &[], "<h1>Pay by card</h1>"),
        "/leads-back" => page(200, &[], "<a href=\"https://old-pay.example.net/terms\">Terms</a>"),
        "/health" if request.headers().get("authorization").is_some_and(|value| value == &format!("Bearer {CANARY}")) => {
            page(200, &[], r#"{"status":"ok"}"#)
        }
        "/health" => page(401, &[], ""),
        _ => page(404, &[], ""),
    }
}

impl Neighbourhood {
    async fn build() -> Self {
        let directory = TempDir::new().expect("a directory");
        let authority = Authority::new();
        let hosts = ["shadow-pay.example.com", "booking.example.net"];
        let good = Server::https(&authority.sign(&hosts, (2000, 2100)), answer).await;
        let expired = Server::https(&authority.sign(&hosts, (2000, 2001)), answer).await;
        let cluster = Cluster::start(3, &Options::default()).await;
        let [one, two, three, four] = places().await;
        let text = FIXTURE
            .replace("18443", &good.port.to_string())
            .replace("18444", &expired.port.to_string())
            .replace("17001", &cluster.first().port.to_string())
            .replace("15353", &one.port.to_string())
            .replace("/etc/bascule/loopback-ca.pem", &authority.file().expect("a file").display().to_string());
        let file = directory.path().join("loopback.yaml");
        std::fs::write(&file, &text).expect("a written file");
        let migration: Migration = load("loopback.yaml", text.as_bytes()).expect("a good spec").migration.into_inner();
        let internet = Internet::new(&migration);
        internet.host("ns-1.awsdns-01.org", &[Ipv4Addr::new(127, 0, 0, 1)]);
        internet.host("ns-2.awsdns-02.co.uk", &[Ipv4Addr::new(127, 0, 0, 2)]);
        let (first, second) = ((one.address, one.port), (two.address, two.port));
        let names = vec![
            one.serve(internet.authority("example.com", 0)),
            two.serve(internet.authority("example.com", 1)),
            three.serve(caching(&internet, first)),
            four.serve(caching(&internet, second)),
        ];
        Self { directory, file, _pages: [good, expired], _authority: authority, _cluster: cluster, _names: names }
    }

    /// Runs `bascule check` on the fixture.
    async fn check(&self, names: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
        command.arg("check").arg(&self.file).args(names).args(["-o", "json"]);
        command.current_dir(self.directory.path()).env("LOOPBACK_TOKEN", CANARY);
        tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
    }
}

fn verdicts(output: &Output) -> Vec<(String, String, String)> {
    let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = checked["checks"].as_array().expect("checks").iter();
    checks.map(|check| (text(&check["name"]), text(&check["verdict"]), text(&check["code"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_meets_its_server_and_says_what_it_saw() {
    let neighbourhood = Neighbourhood::build().await;
    let output = neighbourhood.check(&[]).await;
    let found = verdicts(&output);
    let expected = [
        ("checkout", "pass", "AsDeclared"),
        ("leads-back", "fail", "ForeignName"),
        ("expired", "fail", "CertificateExpired"),
        ("booking", "pass", "AsDeclared"),
        ("queue", "pass", "AsDeclared"),
        ("careless-queue", "fail", "CrossSlot"),
        // The zone still has the TTL of an hour that nobody has lowered yet.
        ("public-name", "fail", "TtlTooLong"),
    ];
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(found, expected.map(|(name, verdict, code)| (name.into(), verdict.into(), code.into())), "{said}");
    assert_eq!(output.status.code(), Some(1), "something failed");
    let everything = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!everything.contains(CANARY), "no credential is ever shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_named_runs_alone_and_its_verdict_is_the_exit_code() {
    let neighbourhood = Neighbourhood::build().await;
    let good = neighbourhood.check(&["checkout", "queue"]).await;
    assert_eq!(verdicts(&good).len(), 2);
    assert_eq!(good.status.code(), Some(0));
    let unheard_of = neighbourhood.check(&["checkot"]).await;
    assert_eq!(unheard_of.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unheard_of.stderr).contains("checkout, leads-back"), "it says what is declared");
}
