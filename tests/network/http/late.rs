//! Servers that take their time. Each stalls where the client is known to be, and only then is time let run out: how fast this
//! machine is does not matter.

use std::pin::pin;
use std::time::Duration;

use bascule::checks::network::{HttpRequest, Trouble};
use bascule::checks::outcome::Code;
use bascule::network::http::exchange;
use futures_util::future::{Either, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::server::{Server, read_head};
use super::{noon, request, trouble};

/// More than all buffers between a server and a client hold: once it is written, some of it was read.
const MORE_THAN_BUFFERS: usize = 32 << 20;

/// The trouble when time runs out from the moment that the server has stalled.
async fn out_of_time(asked: &HttpRequest, mut stalled: Receiver<()>) -> Trouble {
    let clock = noon();
    match select(pin!(exchange(&clock, asked)), pin!(stalled.recv())).await {
        Either::Left((ended, _)) => panic!("ended before the server stalled: {ended:?}"),
        Either::Right((_, asking)) => {
            tokio::time::pause();
            asking.await.expect_err("nothing more comes in time")
        }
    }
}

/// Bytes one by one, a second apart, which never end.
async fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if stream.write_u8(*byte).await.is_err() {
            return;
        }
    }
}

fn signal() -> (Sender<()>, Receiver<()>) {
    mpsc::channel(1)
}

#[tokio::test]
async fn a_server_that_never_agrees_on_tls_is_late_there() {
    let (stall, stalled) = signal();
    let server = Server::start(move |mut stream| {
        let stall = stall.clone();
        async move {
            stream.read_u8().await.expect("the client's hello");
            stall.send(()).await.expect("somebody waits");
            // Until the client has enough.
            _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let trouble = out_of_time(&request("https", "/", server.port), stalled).await;
    assert_eq!(trouble.code, Code::TimedOut);
    assert!(trouble.detail.contains("connected, but TLS was not answered"), "{trouble}");
}

#[tokio::test]
async fn a_head_that_drips_is_late_however_often_a_byte_comes() {
    let (stall, stalled) = signal();
    let server = Server::start(move |mut stream| {
        let stall = stall.clone();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n").await.expect("somebody reads");
            stall.send(()).await.expect("somebody waits");
            drip(&mut stream, b"X-Slow: yes\r\n").await;
        }
    })
    .await;
    let trouble = out_of_time(&request("http", "/", server.port), stalled).await;
    assert_eq!(trouble.code, Code::TimedOut);
    assert!(trouble.detail.contains("the head of an answer has not come"), "{trouble}");
}

#[tokio::test]
async fn a_body_that_drips_is_late_however_often_a_byte_comes() {
    let (stall, stalled) = signal();
    let server = Server::start(move |mut stream| {
        let stall = stall.clone();
        async move {
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("somebody reads");
            stream.write_all(&vec![b'x'; MORE_THAN_BUFFERS]).await.expect("somebody reads");
            stall.send(()).await.expect("somebody waits");
            drip(&mut stream, b"x").await;
        }
    })
    .await;
    let mut asked = request("http", "/", server.port);
    asked.body_limit = 2 * MORE_THAN_BUFFERS;
    let trouble = out_of_time(&asked, stalled).await;
    assert_eq!(trouble.code, Code::TimedOut);
    assert!(trouble.detail.contains("its body has not ended"), "{trouble}");
    assert!(trouble.detail.contains("within 120s"), "{trouble}");
}

#[tokio::test]
async fn patience_that_is_asked_for_without_an_end_runs_out() {
    let server = Server::saying_for_ever("", b"HTTP/1.1 100 Continue\r\n\r\n").await;
    let mut asked = request("http", "/", server.port);
    asked.limit = Duration::from_millis(500);
    assert_eq!(trouble(&asked).await.code, Code::TimedOut);
}
