//! What comes back from a server that means well.

use std::io::Write;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt;

use super::authority::{Authority, TODAY};
use super::server::{Server, page, read_head};
use super::{HOST, answer, request};

#[tokio::test]
async fn a_page_over_https_comes_with_the_address_that_answered_and_with_its_certificate() {
    let authority = Authority::new();
    let server = Server::https(&authority.sign(&[HOST, "*.example.com", "192.0.2.7"], TODAY), |_| {
        page(200, &[("X-App", "payments")], "paid")
    })
    .await;
    let mut asked = request("https", "/", server.port);
    asked.tls_ca_file = authority.file();
    let answer = answer(&asked).await;
    assert_eq!((answer.status, answer.text().as_ref()), (200, "paid"));
    assert_eq!(answer.header("x-app").collect::<Vec<_>>(), ["payments"]);
    assert!(answer.address.is_loopback());
    let certificate = answer.certificate.expect("TLS was used");
    assert_eq!(certificate.names, [HOST, "*.example.com", "192.0.2.7"]);
    assert!(certificate.issuer.contains("Tests' own authority"), "{}", certificate.issuer);
    assert_eq!(certificate.not_after.to_string(), "2028-01-01T00:00:00Z");
}

#[tokio::test]
async fn the_public_name_is_asked_for_wherever_the_connection_goes() {
    let authority = Authority::new();
    let acceptor = authority.sign(&[HOST], TODAY).acceptor();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let server = Server::start(move |stream| {
        let (accepting, noted) = (acceptor.accept(stream), Arc::clone(&noted));
        async move {
            let mut stream = accepting.await.expect("TLS");
            let name = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
            let head = read_head(&mut stream).await;
            noted.lock().expect("sound").extend([name, head]);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("somebody reads");
            stream.shutdown().await.expect("an orderly end");
        }
    })
    .await;
    let mut asked = request("https", "/health?deep=1#top", server.port);
    asked.tls_ca_file = authority.file();
    asked.headers = vec![("X-Api-Key".to_owned(), "k3y".to_owned())];
    assert_eq!(answer(&asked).await.status, 204);
    let seen = seen.lock().expect("sound");
    let [name, head] = seen.as_slice() else { panic!("asked once: {seen:?}") };
    assert_eq!(name, HOST);
    assert!(head.starts_with("GET /health?deep=1 HTTP/1.1\r\n"), "{head}");
    for line in [format!("host: {HOST}\r\n"), "accept-encoding: identity\r\n".into(), "x-api-key: k3y\r\n".into()] {
        assert!(head.contains(&line), "{head}");
    }
    assert!(head.contains("user-agent: bascule/"), "{head}");
}

#[tokio::test]
async fn redirects_and_refusals_are_answers_and_nobody_follows_them() {
    let server = Server::http(|request| match request.uri().path() {
        "/moved" => page(301, &[("Location", "https://elsewhere.example.com/")], ""),
        "/secret" => page(401, &[("WWW-Authenticate", "Basic")], "who are you?"),
        _ => page(503, &[], "later"),
    })
    .await;
    let moved = answer(&request("http", "/moved", server.port)).await;
    assert_eq!(moved.status, 301);
    assert_eq!(moved.header("location").collect::<Vec<_>>(), ["https://elsewhere.example.com/"]);
    assert_eq!(moved.certificate, None);
    assert_eq!(server.connections(), 1);
    assert_eq!(answer(&request("http", "/secret", server.port)).await.text(), "who are you?");
    assert_eq!(answer(&request("http", "/", server.port)).await.status, 503);
}

#[tokio::test]
async fn every_value_of_a_header_arrives_in_the_order_of_the_answer() {
    let server = Server::http(|_| page(200, &[("Set-Cookie", "a=1"), ("Vary", "x"), ("Set-Cookie", "b=2")], "")).await;
    let answer = answer(&request("http", "/", server.port)).await;
    assert_eq!(answer.header("Set-Cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[tokio::test]
async fn a_body_that_is_coded_though_nobody_asked_for_it_is_decoded() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"paid").expect("in memory");
    let coded = encoder.finish().expect("in memory");
    let server = Server::http(move |_| page(200, &[("Content-Encoding", "gzip")], coded.clone())).await;
    assert_eq!(answer(&request("http", "/", server.port)).await.text(), "paid");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let server = Server::http(|_| page(200, &[], "12345")).await;
    let mut asked = request("http", "/", server.port);
    asked.body_limit = 5;
    assert_eq!(answer(&asked).await.text(), "12345");
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_whole_too() {
    let server = Server::saying("HTTP/1.0 200 OK\r\n\r\nas in the old days").await;
    assert_eq!(answer(&request("http", "/", server.port)).await.text(), "as in the old days");
}

/// Where `localhost` has an IPv6 address as well, nobody listens on that one.
#[tokio::test]
async fn a_name_is_looked_up_and_its_addresses_are_tried_until_one_answers() {
    let server = Server::http(|_| page(200, &[], "home")).await;
    let mut asked = request("http", "/", server.port);
    asked.url = format!("http://localhost:{}/", server.port).parse().expect("a URL");
    asked.connect_to = None;
    assert_eq!(answer(&asked).await.text(), "home");
}
