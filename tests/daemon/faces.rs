//! The HTTP face of a running daemon. Its details have tests of their own; here it is seen to be wired up.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::fixture::{Home, PAYMENTS, at_phase, eventually};

#[test]
fn it_starts_and_answers() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    let object = daemon.when_at("payments", "Preflight");
    assert_eq!((&object["kind"], &object["apiVersion"]), (&"Migration".into(), &"bascule.dev/v1alpha1".into()));
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    for path in ["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/migrations"] {
        assert_eq!(daemon.get(path).code, 200, "{path}");
    }
    assert_eq!(daemon.get("/api/v1/migrations/payments/plan").json()["rung"], "Preflight");
    let events = daemon.get("/api/v1/migrations/payments/events").json();
    assert_eq!(events["items"][0]["kind"], "SpecAccepted");
}

#[test]
fn it_only_reads() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let path = "/api/v1/migrations/payments";
    let head = daemon.ask("HEAD", path, "");
    assert_eq!((head.code, head.body.as_str()), (200, ""));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let reply = daemon.ask(method, path, "");
        assert_eq!((reply.code, reply.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
    assert_eq!(daemon.get("/api/v1/migrations/nobody").code, 404);
    assert_eq!(daemon.get("/nowhere").code, 404);
}

#[test]
fn an_unchanged_answer_is_not_sent_twice() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    let document = daemon.get("/openapi.json");
    let tag = document.header("etag").expect("a tag").to_owned();
    let again = daemon.ask("GET", "/openapi.json", &format!("If-None-Match: {tag}\r\n"));
    assert_eq!((again.code, again.body.as_str()), (304, ""));
}

#[test]
fn a_long_poll_ends_with_the_change_it_waited_for() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    let before = daemon.when_at("payments", "Preflight");
    let version = before["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    home.save("payments.yaml", &at_phase("Prepared"));
    let path = format!("/api/v1/migrations/payments?watch=1&resourceVersion={version}&timeoutSeconds=300");
    let after = daemon.get(&path).json();
    assert_ne!(after["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
}

#[test]
fn a_watch_is_sent_the_state_and_then_the_changes() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let mut stream = TcpStream::connect(&daemon.address).expect("it listens");
    stream.write_all(b"GET /api/v1/migrations/payments/watch HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("a sent request");
    let mut seen = String::new();
    let mut until = |wanted: &str| {
        let mut bytes = [0; 4096];
        while !seen.contains(wanted) {
            let read = stream.read(&mut bytes).expect("more comes");
            assert!(read > 0, "closed before {wanted}: {seen}");
            seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    };
    until("ADDED");
    home.save("payments.yaml", &at_phase("Prepared"));
    until("MODIFIED");
    until("\"wishedPhase\":\"Prepared\"");
}

#[test]
fn names_that_clients_may_use_are_given_on_the_command_line() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run_on(&home.file("payments.yaml"), &["--host-name", "bascule.payments.svc"]);
    let code = |host: &str| {
        let mut stream = TcpStream::connect(&daemon.address).expect("it listens");
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a sent request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text.split(' ').nth(1).expect("a status").to_owned()
    };
    assert_eq!(code("bascule.payments.svc:8080"), "200");
    assert_eq!(code("evil.example.com"), "421");
}

#[test]
fn calls_to_aws_are_counted_by_service() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    for service in ["dms", "rds", "route53", "elasticloadbalancing"] {
        let wanted = format!("bascule_aws_calls_total{{service=\"{service}\"}} ");
        eventually(&wanted, || {
            let text = daemon.get("/metrics").body;
            let count = text.lines().find_map(|line| line.strip_prefix(&wanted)).and_then(|count| count.parse::<u64>().ok());
            count.filter(|count| *count > 0).ok_or(text)
        });
    }
}
