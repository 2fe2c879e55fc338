//! Hooks called over real sockets: signed with a key from a file, and taken only by a 2xx of whom a certificate proves.

use std::sync::{Arc, Mutex};

use bascule::checks::probe::Secrets;
use bascule::controllers::hooks::call::{Desk, call};
use bascule::controllers::hooks::{HookAction, HookAnswer};
use bascule::names::PlanDigest;
use bascule::network::OperatingSystem;
use bascule::network::secrets::FromEnvironment;
use bascule::spec::checks::SecretFrom;
use bascule::spec::{Demand, Hook, HookPoint, Migration, Period};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::authority::{Authority, Identity, TODAY};
use super::noon;
use super::server::{Server, page, read_head};

#[path = "../../common/spec.rs"]
mod spec;

/// A key that nothing else here contains.
const KEY: &str = "c4n4ry key";

/// A call as it came over the wire.
#[derive(Debug)]
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A server in the clear that keeps what it receives, and answers with a status line.
async fn receiver(answer: &'static str) -> (Server, Arc<Mutex<Vec<Received>>>) {
    let received: Arc<Mutex<Vec<Received>>> = Arc::default();
    let kept = received.clone();
    let server = Server::start(move |mut stream| {
        let kept = kept.clone();
        async move {
            let mut call = Received { head: read_head(&mut stream).await, body: String::new() };
            let length = call.header("content-length").and_then(|length| length.parse().ok()).expect("a body of known length");
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.expect("a whole body");
            call.body = String::from_utf8(body).expect("text");
            kept.lock().expect("not poisoned").push(call);
            stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.expect("somebody reads");
        }
    })
    .await;
    (server, received)
}

/// A file with the key, and a migration with one hook that is signed with it.
fn hooked(url: &str, tls_ca_file: Option<String>) -> (NamedTempFile, Migration) {
    let key = NamedTempFile::new().expect("a file");
    std::fs::write(key.path(), format!("{KEY}\n")).expect("a written file");
    let secret_from = SecretFrom::File(key.path().display().to_string());
    // Longer than a call over loopback may take on a busy machine.
    let (at, demand, timeout) = (HookPoint::AfterFlip, Demand::Required, Period::from_secs(120));
    let hook = Hook { name: "banner".into(), at, demand, url: url.to_owned(), tls_ca_file, secret_from, timeout };
    let mut migration = spec::migration();
    migration.spec.hooks = vec![hook];
    (key, migration)
}

/// What comes of calling its one hook.
async fn called(migration: &Migration) -> HookAnswer {
    let (clock, plan_digest) = (noon(), PlanDigest::from("0123"));
    let (messenger, secrets) = (OperatingSystem::new(&clock), FromEnvironment);
    let desk = Desk { messenger: &messenger, secrets: &secrets, plan_digest: &plan_digest, at: clock.now() };
    let action = HookAction::Call { point: HookPoint::AfterFlip, attempt: 1, hooks: vec!["banner".into()] };
    let answers = call(desk, migration, &action).await;
    assert_eq!(answers.len(), 1);
    answers[&"banner".into()].clone()
}

#[tokio::test]
async fn a_call_arrives_whole_and_its_signature_is_that_of_the_key_in_the_file() {
    let (server, received) = receiver("204 No Content").await;
    let (key, migration) = hooked(&format!("http://127.0.0.1:{}/hooks?which=banner", server.port), None);
    assert_eq!(called(&migration).await, HookAnswer::Taken { status: 204 });
    let received = received.lock().expect("not poisoned");
    let [call] = received.as_slice() else { panic!("one call, not {received:?}") };
    assert!(call.head.starts_with("POST /hooks?which=banner HTTP/1.1\r\n"), "{}", call.head);
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(call.header("idempotency-key"), Some("payments/1/AfterFlip/banner"));
    let timestamp = call.header("bascule-timestamp").expect("a timestamp");
    let secret = FromEnvironment.secret(&SecretFrom::File(key.path().display().to_string())).expect("a key");
    assert_eq!(secret, KEY);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("{timestamp}.{}", call.body).as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(call.header("bascule-signature"), Some(format!("v1={signature}").as_str()));
    let said: serde_json::Value = serde_json::from_str(&call.body).expect("JSON");
    assert_eq!((&said["point"], &said["hook"], &said["attempt"]), (&"AfterFlip".into(), &"banner".into(), &1.into()));
    assert!(!format!("{call:?}").contains(KEY), "the key itself goes nowhere");
}

#[tokio::test]
async fn whatever_is_no_2xx_takes_no_call_and_a_redirect_is_not_followed() {
    for (answer, status) in [("301 Moved\r\nlocation: /elsewhere", 301), ("409 Conflict", 409), ("503 Later", 503)] {
        let (server, received) = receiver(answer).await;
        let (_key, migration) = hooked(&format!("http://127.0.0.1:{}/", server.port), None);
        assert_eq!(called(&migration).await, HookAnswer::Refused { status });
        assert_eq!((server.connections(), received.lock().expect("not poisoned").len()), (1, 1), "{answer}");
    }
}

#[tokio::test]
async fn a_call_is_made_only_to_whom_a_certificate_proves() {
    let authority = Authority::new();
    let trusted = authority.file().map(|path| path.display().to_string());
    let good = Server::https(&authority.sign(&["127.0.0.1"], TODAY), |_| page(202, &[], "working on it")).await;
    let (_key, migration) = hooked(&format!("https://127.0.0.1:{}/", good.port), trusted.clone());
    assert_eq!(called(&migration).await, HookAnswer::Taken { status: 202 });
    for imposter in [Identity::self_signed(&["127.0.0.1"]), authority.sign(&["pay.example.com"], TODAY)] {
        let server = Server::https(&imposter, |_| panic!("no call may come here")).await;
        let (_key, migration) = hooked(&format!("https://127.0.0.1:{}/", server.port), trusted.clone());
        assert!(matches!(called(&migration).await, HookAnswer::Silent { .. }));
    }
}

#[tokio::test]
async fn a_hook_that_is_not_there_or_never_answers_is_silent_and_its_key_is_not_told() {
    let gone = Server::start(|_| async {}).await.port;
    let mute = Server::start(|mut stream| async move { _ = stream.read_to_end(&mut Vec::new()).await }).await;
    for port in [gone, mute.port] {
        let (_key, mut migration) = hooked(&format!("http://127.0.0.1:{port}/"), None);
        migration.spec.hooks[0].timeout = "200ms".parse().expect("a period");
        let answer = called(&migration).await;
        assert!(matches!(answer, HookAnswer::Silent { .. }), "{answer:?}");
        assert!(!format!("{answer:?}").contains(KEY));
    }
}
