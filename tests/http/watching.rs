//! Long polls, streams, and how they end.

use std::time::Duration;

use bascule::http::Limits;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::answers::assert_is;
use crate::fixture::{Server, migration, plan, rest, status, until};

const PATH: &str = "/api/v1/migrations/payments";

async fn version(server: &Server) -> String {
    server.get(PATH).await.json()["metadata"]["resourceVersion"].as_str().expect("a version").to_owned()
}

fn publish(server: &Server, summary: &str) {
    server.board.publish(&migration(), 3, status(summary), plan());
}

async fn stream(server: &Server, headers: &str) -> TcpStream {
    server.send(&format!("GET {PATH}/watch HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")).await
}

#[tokio::test]
async fn a_long_poll_answers_with_the_next_change() {
    let server = Server::start(Limits::default()).await;
    let path = format!("{PATH}?watch=1&resourceVersion={}&timeoutSeconds=300", version(&server).await);
    let changing = async {
        // Asked first or changed first: both have to give the change.
        tokio::time::sleep(Duration::from_millis(100)).await;
        publish(&server, "drained");
    };
    let (reply, ()) = tokio::join!(server.get(&path), changing);
    assert_eq!((reply.code, &reply.json()["status"]["summary"]), (200, &Value::from("drained")));
    server.stop().await;
}

#[tokio::test]
async fn a_long_poll_of_an_old_version_answers_at_once() {
    let server = Server::start(Limits::default()).await;
    for query in ["watch=1&resourceVersion=17", "watch=true"] {
        assert_eq!(server.get(&format!("{PATH}?{query}")).await.code, 200, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_long_poll_without_a_change_ends_with_nothing_new() {
    let server = Server::start(Limits { longest_poll: Duration::from_millis(200), ..Limits::default() }).await;
    let path = format!("{PATH}?watch=1&resourceVersion={}&timeoutSeconds=86400", version(&server).await);
    let reply = server.get(&path).await;
    assert_eq!((reply.code, reply.body.as_str()), (304, ""));
    assert_eq!(server.get("/api/v1/migrations/nobody?watch=1").await.code, 404, "what is not there is not waited for");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_says_what_is_and_then_every_change_and_ends_with_the_server() {
    let server = Server::start(Limits::default()).await;
    let mut events = stream(&server, "").await;
    let first = until(&mut events, "\n\n").await;
    let first = if first.contains("event: ADDED") { first } else { until(&mut events, "\n\n").await };
    assert!(first.contains("event: ADDED") && first.contains("\"summary\":\"draining\""), "{first}");
    let data = first.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    assert_is("WatchEvent", &serde_json::from_str(data).expect("JSON on one line"));
    for summary in ["drained", "armed"] {
        publish(&server, summary);
        let next = until(&mut events, "\n\n").await;
        assert!(next.contains("event: MODIFIED") && next.contains(&format!("\"summary\":\"{summary}\"")), "{next}");
        assert!(next.contains(&format!("id: {}", version(&server).await)), "{next}");
    }
    let ((), last) = tokio::join!(server.stop(), rest(&mut events));
    assert!(!last.contains("event:"), "{last}");
}

#[tokio::test]
async fn a_client_that_comes_back_is_not_told_what_it_knows() {
    let server = Server::start(Limits::default()).await;
    let mut events = stream(&server, &format!("Last-Event-ID: {}\r\n", version(&server).await)).await;
    until(&mut events, "\r\n\r\n").await;
    publish(&server, "drained");
    let next = until(&mut events, "\n\n").await;
    assert!(next.contains("event: MODIFIED") && !next.contains("ADDED"), "{next}");
    server.stop().await;
}

#[tokio::test]
async fn streams_are_counted_and_a_place_is_free_again_when_one_ends() {
    let server = Server::start(Limits { streams: 2, ..Limits::default() }).await;
    let mut held = vec![stream(&server, "").await, stream(&server, "").await];
    for events in &mut held {
        until(events, "ADDED").await;
    }
    let refused = server.get(&format!("{PATH}/watch")).await;
    assert_eq!((refused.code, refused.reason().as_str()), (429, "TooManyRequests"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.get(PATH).await.code, 200, "ordinary reads need no place");
    drop(held.pop());
    loop {
        // The server learns of the hang-up in its own time.
        if until(&mut stream(&server, "").await, "\r\n\r\n").await.contains("200 OK") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_answers_under_way_end_and_takes_no_more() {
    let server = Server::start(Limits::default()).await;
    let path = format!("{PATH}?watch=1&resourceVersion={}&timeoutSeconds=300", version(&server).await);
    let address = server.address;
    let mut waiting = server.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let mut idle = server.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    until(&mut idle, "ok\n").await;
    server.stop().await;
    assert!(rest(&mut waiting).await.contains(" 304 "), "it got an answer");
    assert_eq!(rest(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
}

#[tokio::test]
async fn all_migrations_are_watched_in_one_stream_those_that_come_later_too() {
    let server = Server::start(Limits::default()).await;
    let mut events = server.send("GET /api/v1/watch/migrations HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(until(&mut events, "\n\n").await.contains("HTTP/1.1 200"));
    let mut other = migration();
    other.metadata.name = "orders".into();
    server.board.publish(&other, 1, status("a second one"), plan());
    let came = until(&mut events, "a second one").await;
    assert!(came.contains("event: ADDED") && came.contains("\"name\":\"orders\""), "{came}");
    publish(&server, "drained");
    let came = until(&mut events, "\"summary\":\"drained\"").await;
    assert!(came.contains("event: MODIFIED") && !came.contains("\"name\":\"orders\""), "{came}");
    server.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_says_that_it_lives_and_when_the_last_look_was() {
    // Paused time runs on by itself while all wait, so that the quarter of a minute costs nothing.
    let server = Server::start(Limits::default()).await;
    let mut events = stream(&server, "").await;
    until(&mut events, "ADDED").await;
    let mut later = status("draining");
    later.observed_at = crate::fixture::at(99);
    server.board.publish(&migration(), 3, later, plan());
    let came = until(&mut events, "looks").await;
    assert!(came.contains("event: BOOKMARK") && !came.contains("MODIFIED"), "{came}");
    let data = came.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().expect("data");
    let data: Value = serde_json::from_str(data).expect("JSON on one line");
    assert_is("Bookmark", &data);
    assert_eq!(data["looks"][0]["observedAt"], serde_json::json!(crate::fixture::at(99)));
    server.stop().await;
}
