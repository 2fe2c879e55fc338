//! A cutover completes while strangers do to the HTTP face whatever comes to their minds. Nothing here judges speed: what counts
//! is that the migration ends as an undisturbed one does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bascule::migration::ladder::Rung;
use bascule::spec::Phase;
use serde_json::Value;

use crate::fixture::{Daemon, Home};
use crate::journey::{approved, has_come_to, unhurried};

/// Connections that never finish their request: as many as one address gets, and more.
const SLOW: usize = 150;
/// A drip often enough to look alive.
const DRIP: Duration = Duration::from_millis(500);
/// No stranger waits longer for an answer than this, so that the test ends.
const BORED: Duration = Duration::from_secs(2);

/// What no reader of this face would send.
const NONSENSE: [&[u8]; 8] = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /api/v1/migrations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n{",
    b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET /api/v1/migrations/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nffffffffffff\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// Readings that cost the most.
const DEAR: [&str; 4] =
    ["/api/v1/migrations", "/api/v1/migrations/payments/events?limit=1000", "/api/v1/migrations/payments/journey", "/metrics"];

/// Strangers at work until they are called off.
struct Strangers {
    enough: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    asked: Arc<AtomicU64>,
}

impl Strangers {
    fn at(address: &str) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU64::new(0));
        let mut strangers = Self { enough, threads: Vec::new(), asked };
        strangers.send(address, |address, _, enough| drip(address, enough));
        for turn in 0..2 {
            strangers.send(address, move |address, asked, enough| flood(address, turn, asked, enough));
        }
        strangers.send(address, babble);
        strangers
    }

    fn send(&mut self, address: &str, work: impl FnOnce(&str, &AtomicU64, &AtomicBool) + Send + 'static) {
        let (address, asked, enough) = (address.to_owned(), Arc::clone(&self.asked), Arc::clone(&self.enough));
        self.threads.push(std::thread::spawn(move || work(&address, &asked, &enough)));
    }

    /// Sends them home, and says how often they asked.
    fn call_off(self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a stranger who does not panic"));
        self.asked.load(Ordering::Relaxed)
    }
}

fn connected(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(BORED)).ok()?;
    stream.set_write_timeout(Some(BORED)).ok()?;
    Some(stream)
}

/// Many heads that never end, each replaced when it is hung up on.
fn drip(address: &str, enough: &AtomicBool) {
    let mut slow: Vec<Option<TcpStream>> = (0..SLOW).map(|_| None).collect();
    while !enough.load(Ordering::Relaxed) {
        for seat in &mut slow {
            let alive = seat.as_mut().is_some_and(|stream| stream.write_all(b"X: y\r\n").is_ok());
            if !alive {
                *seat = connected(address).filter(|mut stream| stream.write_all(b"GET / HTTP/1.1\r\n").is_ok());
            }
        }
        std::thread::sleep(DRIP);
    }
}

/// The dearest readings, one after another without a rest, many of them in one go and some never read.
fn flood(address: &str, turn: usize, asked: &AtomicU64, enough: &AtomicBool) {
    for path in DEAR.iter().cycle().skip(turn) {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut stream) = connected(address) else { continue };
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(20);
        if stream.write_all(request.as_bytes()).is_ok() {
            asked.fetch_add(20, Ordering::Relaxed);
            let mut some = [0; 1 << 16];
            _ = stream.read(&mut some);
        }
    }
}

fn babble(address: &str, asked: &AtomicU64, enough: &AtomicBool) {
    for nonsense in NONSENSE.iter().cycle() {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut stream) = connected(address) else { continue };
        if stream.write_all(nonsense).is_ok() {
            asked.fetch_add(1, Ordering::Relaxed);
            let mut answer = [0; 4096];
            _ = stream.read(&mut answer);
        }
    }
}

/// The daemon may be too busy with strangers to answer us: its journal is what we ask, and its file what we write.
fn reached(daemon: &Daemon, phase: Phase) -> Value {
    crate::fixture::eventually(phase.name(), || {
        let object = patient(daemon).ok_or("no answer")?;
        if has_come_to(&object, phase) { Ok(object) } else { Err(object["status"]["summary"].to_string()) }
    })
}

/// The object, if a seat is free.
fn patient(daemon: &Daemon) -> Option<Value> {
    let mut stream = connected(&daemon.address)?;
    stream.write_all(b"GET /api/v1/migrations/payments HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}

#[test]
fn a_cutover_completes_among_slow_clients_floods_and_nonsense() {
    let home = Home::with(&unhurried(Phase::RollbackArmed));
    let daemon = home.run();
    let armed = daemon.when_at("payments", "RollbackArmed");
    let strangers = Strangers::at(&daemon.address);
    home.save("payments.yaml", &approved(Phase::CutOver, &armed["status"]));
    let over = reached(&daemon, Phase::CutOver);
    home.save("payments.yaml", &approved(Phase::RolledBack, &armed["status"]));
    let back = reached(&daemon, Phase::RolledBack);
    let asked = strangers.call_off();
    assert!(asked > 1000, "the strangers asked {asked} times only");

    let writes = |object: &Value| ["legacyWrites", "targetWrites", "publicDns"].map(|what| object["status"][what].clone());
    assert_eq!(
        (writes(&over), writes(&back)),
        (["closed", "open", "target"].map(Value::from), ["open", "closed", "legacy"].map(Value::from))
    );
    assert_eq!(daemon.get("/healthz").code, 200, "and whoever comes after them is served");
    let (status, said) = daemon.stop();
    assert!(status.success() && !said.contains("panicked"), "{said}");
    let entered: Vec<Rung> = home.journal("payments").facts().entered.keys().copied().collect();
    assert!(!entered.contains(&Rung::Aborted) && entered.contains(&Rung::Observing), "{entered:?}");
}
