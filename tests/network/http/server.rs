//! Servers on free ports of this machine, which end with their test.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::authority::Identity;

/// A server, as long as it is kept.
pub struct Server {
    pub port: u16,
    connections: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Server {
    /// A server that hands every connection to `talk`.
    pub async fn start<F>(talk: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut talks = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                counted.fetch_add(1, Ordering::SeqCst);
                talks.spawn(talk(stream));
            }
        });
        Self { port, connections, _serving: serving }
    }

    /// A server of pages in the clear.
    pub async fn http(page: impl Fn(&Request<Incoming>) -> Page + Clone + Send + Sync + 'static) -> Self {
        Self::start(move |stream| serve(stream, page.clone())).await
    }

    /// A server of pages within TLS.
    pub async fn https(identity: &Identity, page: impl Fn(&Request<Incoming>) -> Page + Clone + Send + Sync + 'static) -> Self {
        let acceptor = identity.acceptor();
        Self::start(move |stream| {
            let (accepting, page) = (acceptor.accept(stream), page.clone());
            async move {
                // Those who do not like the certificate hang up.
                if let Ok(stream) = accepting.await {
                    serve(stream, page).await;
                }
            }
        })
        .await
    }

    /// A server that reads a request, says `bytes`, and closes the connection.
    pub async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                read_head(&mut stream).await;
                stream.write_all(&bytes).await.expect("somebody reads");
                stream.shutdown().await.expect("an orderly end");
            }
        })
        .await
    }

    /// A server that reads a request, says `first`, and then `again` for as long as somebody reads.
    pub async fn saying_for_ever(first: &'static str, again: &'static [u8]) -> Self {
        Self::start(move |mut stream| async move {
            read_head(&mut stream).await;
            // The client hangs up, and that ends this.
            _ = stream.write_all(first.as_bytes()).await;
            while stream.write_all(again).await.is_ok() {}
        })
        .await
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// An answer of a server.
pub type Page = Response<Full<Bytes>>;

/// An answer with headers.
pub fn page(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Page {
    let mut page = Response::builder().status(status);
    for (name, value) in headers {
        page = page.header(*name, *value);
    }
    page.body(Full::new(body.into())).expect("an answer")
}

async fn serve<S>(stream: S, page: impl Fn(&Request<Incoming>) -> Page)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| ready(Ok::<_, Infallible>(page(&request))));
    // A connection that ends badly is its client's story.
    _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Reads a request's head to its end.
pub async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    String::from_utf8(head).expect("text")
}
