//! Clients that are slow, large, many or somebody else. Nothing here measures speed: what matters is that the server ends it
//! and serves others.

use std::time::Duration;

use bascule::http::{Access, Limits, Token};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fixture::{PATIENCE, Server, rest, until};

fn impatient() -> Limits {
    Limits { head_time: Duration::from_millis(300), grace: Duration::from_millis(300), ..Limits::default() }
}

#[tokio::test]
async fn heads_that_never_end_are_hung_up_on_while_others_are_served() {
    let server = Server::start(impatient()).await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(server.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: a").await);
    }
    assert_eq!(server.get("/healthz").await.code, 200);
    for stream in &mut slow {
        let said = rest(stream).await;
        assert!(!said.contains(" 200 "), "{said}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_drip_of_bytes_buys_no_more_time() {
    let server = Server::start(impatient()).await;
    let mut slow = server.send("GET /healthz HTTP/1.1\r\n").await;
    let dripping = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if slow.write_all(b"X: y\r\n").await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, dripping).await.expect("the server hangs up");
    server.stop().await;
}

#[tokio::test]
async fn silent_and_idle_connections_are_closed() {
    let server = Server::start(impatient()).await;
    assert_eq!(rest(&mut server.send("").await).await, "");
    let mut idle = server.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(until(&mut idle, "ok\n").await.contains("200 OK"));
    assert_eq!(rest(&mut idle).await, "", "kept alive, but not for ever");
    server.stop().await;
}

#[tokio::test]
async fn when_all_seats_are_taken_the_next_waits_and_is_served() {
    let server = Server::start(Limits { connections: 3, ..impatient() }).await;
    let mut slow = Vec::new();
    for _ in 0..6 {
        slow.push(server.send("GET / HTTP/1.1\r\n").await);
    }
    assert_eq!(server.get("/healthz").await.code, 200);
    server.stop().await;
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("a request");
        until(&mut stream, "ok\n").await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_flood_of_headers_is_refused_and_ends_the_connection() {
    let server = Server::start(Limits::default()).await;
    let many = "X-Flood: y\r\n".repeat(200);
    let large = format!("X-Large: {}\r\n", "y".repeat(100_000));
    for flood in [many, large] {
        let reply = server.ask("GET", "/healthz", &flood).await;
        assert!(reply.code == 431 || reply.code == 0, "{reply:?}");
    }
    let long = format!("/{}", "a".repeat(100_000));
    assert!(matches!(server.get(&long).await.code, 0 | 404 | 414 | 431));
    assert_eq!(server.get("/healthz").await.code, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_body_is_refused_before_it_is_read() {
    let server = Server::start(Limits::default()).await;
    for headers in ["Content-Length: 1099511627776\r\n", "Transfer-Encoding: chunked\r\n"] {
        // No `Connection: close` from this client: the server must not wait for a terabyte.
        let reply = server.raw(&format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        assert_eq!((reply.code, reply.reason().as_str()), (413, "RequestEntityTooLarge"));
        let reply = server.raw(&format!("POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await;
        assert_eq!((reply.code, reply.header("connection")), (405, Some("close")));
    }
    assert_eq!(server.get("/healthz").await.code, 200);
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Server::start(impatient()).await;
    for noise in
        ["\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"]
    {
        let reply = server.raw(noise).await;
        assert!(reply.code == 400 || reply.code == 0 || reply.code == 505, "{noise:?}: {reply:?}");
    }
    assert_eq!(server.get("/healthz").await.code, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_foreign_host_name_is_refused_so_that_no_web_page_reads_along() {
    let server = Server::start(Limits { host_names: vec!["bascule.internal".to_owned()], ..Limits::default() }).await;
    let hosts = |lines: &str| format!("GET /api/v1/migrations HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
    for host in ["localhost", "localhost:8080", "LOCALHOST", "127.0.0.1:9", "[::1]:8080", "10.1.2.3:80", "bascule.internal:80"] {
        assert_eq!(server.raw(&hosts(&format!("Host: {host}\r\n"))).await.code, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "bascule.internal.evil.example", "[evil]"]
    {
        let reply = server.raw(&hosts(&format!("Host: {host}\r\n"))).await;
        assert_eq!((reply.code, reply.reason().as_str()), (421, "MisdirectedRequest"), "{host}");
        assert!(!reply.body.contains("payments"));
    }
    for none_or_two in ["", "Host: localhost\r\nHost: evil.example\r\n", "Host: \r\n"] {
        assert!(matches!(server.raw(&hosts(none_or_two)).await.code, 400 | 421), "{none_or_two:?}");
    }
    let absolute = "GET http://evil.example/api/v1/migrations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert_eq!(server.raw(absolute).await.code, 421);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_in_mid_request_disturbs_nobody() {
    let server = Server::start(Limits { streams: 1, ..Limits::default() }).await;
    for _ in 0..20 {
        drop(server.send("GET /api/v1/migr").await);
        drop(server.send("GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n").await);
    }
    assert_eq!(server.get("/healthz").await.code, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_connection_that_is_never_read_from_ends_with_its_age() {
    let limits = Limits { connections: 1, connection_age: Duration::from_millis(300), ..impatient() };
    let server = Server::start(limits).await;
    let mut deaf = server.send("").await;
    // More answers than the sockets' buffers hold, none of them read.
    let asking = async { while deaf.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n").await.is_ok() {} };
    tokio::time::timeout(PATIENCE, asking).await.expect("the server hangs up");
    assert_eq!(server.get("/healthz").await.code, 200, "its seat is free again");
    server.stop().await;
}

/// Limits with a token.
fn guarded(token: &str) -> Limits {
    Limits { access: Access::Holders(Token::new(token).expect("a token")), ..Limits::default() }
}

#[tokio::test]
async fn without_the_token_nothing_is_told_but_that_it_lives() {
    let token = "c4n4ry-0123456789abcdef";
    let server = Server::start(guarded(token)).await;
    let inside = ["/", "/metrics", "/openapi.json", "/api/v1/migrations", "/api/v1/migrations/payments/events", "/nowhere"];
    for path in inside {
        for header in ["", "Authorization: Bearer c4n4ry-0123456789abcdee\r\n", "Authorization: Basic YW5uOndyb25n\r\n"] {
            let reply = server.ask("GET", path, header).await;
            assert_eq!((reply.code, reply.reason().as_str()), (401, "Unauthorized"), "{path} {header}");
            assert!(reply.header("www-authenticate").is_some_and(|asked| asked.starts_with("Basic ")), "browsers ask for it");
            assert!(!reply.body.contains("payments") && !reply.body.contains("c4n4ry"));
        }
        let reply = server.ask("GET", path, &format!("Authorization: Bearer {token}\r\n")).await;
        assert_eq!(reply.code, if path == "/nowhere" { 404 } else { 200 }, "{path}");
        assert!(!reply.body.contains("c4n4ry"), "{path} tells no token");
    }
    for probe in ["/healthz", "/livez"] {
        assert_eq!(server.get(probe).await.body, "ok\n", "{probe} has no token");
    }
    assert_eq!(server.get("/readyz").await.code, 503);
    server.stop().await;
}

#[tokio::test]
async fn guessing_a_token_soon_costs_more_than_reading() {
    let server = Server::start(Limits { requests_per_second: 200, ..guarded("0123456789abcdef") }).await;
    let mut refused = 0;
    for guess in 0..100 {
        let reply = server.ask("GET", "/", &format!("Authorization: Bearer {guess:016}\r\n")).await;
        refused += u32::from(reply.code == 429);
        assert!(matches!(reply.code, 401 | 429));
    }
    assert!(refused > 50, "{refused} of 100 guesses were not even looked at");
    server.stop().await;
}

#[tokio::test]
async fn who_asks_too_much_is_refused_and_may_ask_again_later() {
    let server = Server::start(Limits { requests_per_second: 20, ..Limits::default() }).await;
    let mut flood = server.send(&"GET /api/v1/migrations HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200)).await;
    let answers = until(&mut flood, "429 Too Many Requests").await;
    assert!(answers.contains("200 OK"));
    assert!(until(&mut flood, "TooManyRequests").await.contains("retry-after: "));
    assert_eq!(server.get("/healthz").await.code, 200, "whoever else sits behind that address must not be taken for dead");
    drop(flood);
    loop {
        if server.get("/api/v1/migrations").await.code == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn one_address_does_not_get_all_seats() {
    let server = Server::start(Limits { connections: 10, connections_of_one: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        until(&mut stream, "ok\n").await;
        held.push(stream);
    }
    let mut third = TcpStream::connect(server.address).await.expect("the system takes it");
    assert_eq!(rest(&mut third).await, "", "and the server hangs up");
    drop(held);
    loop {
        if server.get("/healthz").await.code == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_may_lead_here_and_not_read_along() {
    let server = Server::start(Limits::default()).await;
    for (headers, code) in [
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nOrigin: https://evil.example\r\n", 403),
        ("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\n", 200),
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\n", 200),
        ("Origin: https://evil.example\r\n", 200),
    ] {
        let reply = server.ask("GET", "/api/v1/migrations", headers).await;
        assert_eq!(reply.code, code, "{headers}");
        assert_eq!(reply.header("access-control-allow-origin"), None, "no other origin is ever let in");
        assert_eq!(reply.header("cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(reply.header("cross-origin-opener-policy"), Some("same-origin"));
    }
    server.stop().await;
}
