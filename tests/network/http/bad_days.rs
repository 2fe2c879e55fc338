//! Servers that are not there, break off, speak something else, or do not stop.

use std::io::Write;

use bascule::checks::network::{PrivateAddresses, Trouble};
use bascule::checks::outcome::Code;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use super::authority::{Authority, TODAY};
use super::server::{Server, page, read_head};
use super::{HOST, request, trouble};

/// The trouble with a server that says `bytes` to a request, and closes the connection.
async fn trouble_with(bytes: impl Into<Vec<u8>>) -> Trouble {
    let server = Server::saying(bytes).await;
    trouble(&request("http", "/", server.port)).await
}

#[tokio::test]
async fn a_port_where_nobody_listens_says_so() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let port = socket.local_addr().expect("its address").port();
    let trouble = trouble(&request("https", "/", port)).await;
    assert_eq!(trouble.code, Code::ConnectionRefused);
    assert!(trouble.detail.starts_with(&format!("127.0.0.1:{port}: nobody listens there")), "{trouble}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_says_so() {
    let mut asked = request("https", "/", 443);
    asked.url = "https://nowhere.invalid/".parse().expect("a URL");
    asked.connect_to = None;
    let trouble = trouble(&asked).await;
    // A machine without a resolver cannot know whether there is such a name.
    assert!(matches!(trouble.code, Code::NameNotFound | Code::ResolverSilent), "{trouble}");
    assert!(trouble.detail.contains("`nowhere.invalid`"), "{trouble}");
}

#[tokio::test]
async fn a_private_address_is_not_even_connected_to_unless_it_is_allowed() {
    let server = Server::http(|_| panic!("the request was sent")).await;
    let mut asked = request("http", "/", server.port);
    asked.private_addresses = PrivateAddresses::Refused;
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1", "[::1]", "0.0.0.0"] {
        asked.connect_to = Some((host.to_owned(), server.port));
        let trouble = trouble(&asked).await;
        assert_eq!(trouble.code, Code::PrivateAddress, "{host}: {trouble}");
        assert!(trouble.detail.contains("privateHosts"), "{trouble}");
    }
    asked.connect_to = None;
    asked.url = format!("http://2130706433:{}/", server.port).parse().expect("127.0.0.1 as one number");
    assert_eq!(trouble(&asked).await.code, Code::PrivateAddress);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn plain_http_on_a_tls_port_and_tls_on_a_plain_port_are_told_apart_from_broken_lines() {
    let plain = Server::http(|_| page(200, &[], "paid")).await;
    let no_tls = trouble(&request("https", "/", plain.port)).await;
    assert_eq!(no_tls.code, Code::TlsRefused);
    assert!(no_tls.detail.contains("whether TLS is spoken there"), "{no_tls}");

    let secured = Server::https(&Authority::new().sign(&[HOST], TODAY), |_| page(200, &[], "paid")).await;
    let no_http = trouble(&request("http", "/", secured.port)).await;
    assert_eq!(no_http.code, Code::NotHttp);
    assert!(no_http.detail.contains("whether TLS is spoken there"), "{no_http}");
}

#[tokio::test]
async fn what_is_not_http_is_called_that() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ] {
        let trouble = trouble_with(bytes).await;
        assert_eq!(trouble.code, Code::NotHttp, "{bytes:?}: {trouble}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_before_it_is_asked_does_not_speak_http() {
    let server = Server::start(|mut stream| async move {
        stream.write_all(b"220 mail.example.com ESMTP\r\n").await.expect("somebody reads");
        read_head(&mut stream).await;
    })
    .await;
    assert_eq!(trouble(&request("http", "/", server.port)).await.code, Code::NotHttp);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_anywhere_is_a_lost_connection_and_never_an_answer() {
    for bytes in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npaid",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npaid\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\npaid",
    ] {
        let trouble = trouble_with(bytes).await;
        assert_eq!(trouble.code, Code::ConnectionLost, "{bytes:?}: {trouble}");
        assert!(!trouble.is_certain(), "the next time may go well");
    }
}

/// A body without a length ends with its connection, so that whoever cuts the connection could shorten it. TLS says goodbye.
#[tokio::test]
async fn a_body_within_tls_whose_end_nobody_announced_is_cut_short() {
    let authority = Authority::new();
    let acceptor = authority.sign(&[HOST], TODAY).acceptor();
    let server = Server::start(move |stream| {
        let accepting = acceptor.accept(stream);
        async move {
            let mut stream = accepting.await.expect("TLS");
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\npaid").await.expect("somebody reads");
            stream.flush().await.expect("somebody reads");
            let (mut socket, _) = stream.into_inner();
            socket.shutdown().await.expect("an end without a goodbye");
        }
    })
    .await;
    let mut asked = request("https", "/", server.port);
    asked.tls_ca_file = authority.file();
    assert_eq!(trouble(&asked).await.code, Code::ConnectionLost);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_lost_with_or_without_tls() {
    let server = Server::start(|stream| async move {
        // The first bytes are there, so that the reset hits a conversation.
        stream.readable().await.expect("somebody speaks");
        stream.set_zero_linger().expect("a reset instead of an end");
    })
    .await;
    for scheme in ["http", "https"] {
        let trouble = trouble(&request(scheme, "/", server.port)).await;
        assert_eq!(trouble.code, Code::ConnectionLost, "{trouble}");
    }
}

#[tokio::test]
async fn a_body_without_an_end_is_hung_up_on_at_the_limit() {
    for first in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
    ] {
        let server = Server::saying_for_ever(first, &[b'x'; 4096]).await;
        let trouble = trouble(&request("http", "/", server.port)).await;
        assert_eq!(trouble.code, Code::AnswerTooLarge, "{trouble}");
        assert!(trouble.detail.contains("longer than 1048576 bytes"), "{trouble}");
    }
}

#[tokio::test]
async fn headers_without_an_end_are_hung_up_on_whether_they_are_many_or_long() {
    for again in [&b"X-More: and more\r\n"[..], b"still the same header "] {
        let server = Server::saying_for_ever("HTTP/1.1 200 OK\r\nX-First: ", again).await;
        let trouble = trouble(&request("http", "/", server.port)).await;
        assert_eq!(trouble.code, Code::AnswerTooLarge, "{trouble}");
        assert!(trouble.detail.starts_with("the head of the answer does not end"), "{trouble}");
    }
}

#[tokio::test]
async fn a_bomb_goes_off_outside() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b'0'; 50 << 20]).expect("in memory");
    let bomb = encoder.finish().expect("in memory");
    let server = Server::http(move |_| page(200, &[("Content-Encoding", "gzip")], bomb.clone())).await;
    let trouble = trouble(&request("http", "/", server.port)).await;
    assert_eq!(trouble.code, Code::AnswerTooLarge);
    assert!(trouble.detail.contains("once it is decoded from gzip"), "{trouble}");
}

#[tokio::test]
async fn a_coding_that_is_not_understood_makes_nothing_of_the_body() {
    let server = Server::http(|_| page(200, &[("Content-Encoding", "br")], "paid")).await;
    let trouble = trouble(&request("http", "/", server.port)).await;
    assert_eq!(trouble.code, Code::NotAsked);
    assert!(!trouble.is_certain() && trouble.detail.contains("`br`"), "{trouble}");
}
