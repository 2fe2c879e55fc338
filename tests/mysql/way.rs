//! A way to a server on which every command is counted, and which ends around one of them as a controller's death ends it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Where a controller dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// The command of this number, counted from 0, is never sent.
    Before(usize),
    /// It is carried out, and its answer never read.
    After(usize),
}

/// Commands without an answer, which change nothing: to quit, and to forget a prepared statement.
const UNANSWERED: [u8; 2] = [0x01, 0x19];

/// A listener before a server. Both ends of every connection close when this is dropped.
pub struct Way {
    pub port: u16,
    end: Arc<End>,
    _connections: JoinSet<()>,
}

struct End {
    death: Death,
    commands: AtomicUsize,
    is_mute: AtomicBool,
    reached: Notify,
}

impl Way {
    pub async fn to(server: u16, death: Death) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (commands, is_mute, reached) = (AtomicUsize::new(0), AtomicBool::new(false), Notify::new());
        let end = Arc::new(End { death, commands, is_mute, reached });
        let mut connections = JoinSet::new();
        let ours = Arc::clone(&end);
        connections.spawn(async move {
            let (client, _) = listener.accept().await.expect("a client");
            let server = TcpStream::connect(("127.0.0.1", server)).await.expect("it listens");
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            tokio::join!(ours.pass_commands(from_client, to_server), ours.pass_answers(from_server, to_client));
        });
        Self { port, end, _connections: connections }
    }

    /// Comes when the moment of death has.
    pub async fn ended(&self) {
        self.end.reached.notified().await;
    }
}

impl End {
    /// Packet by packet: a length of three bytes, a number within the exchange, and a payload.
    async fn pass_commands(&self, mut client: OwnedReadHalf, mut server: OwnedWriteHalf) {
        let mut head = [0; 4];
        while client.read_exact(&mut head).await.is_ok() {
            let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
            let mut payload = vec![0; length];
            client.read_exact(&mut payload).await.expect("a whole packet");
            // What answers a greeting is numbered from 1.
            if head[3] == 0 && !UNANSWERED.contains(&payload[0]) {
                let number = self.commands.fetch_add(1, Ordering::SeqCst);
                if self.death == Death::Before(number) {
                    self.reached.notify_one();
                    std::future::pending::<()>().await;
                }
                self.is_mute.store(self.death == Death::After(number), Ordering::SeqCst);
            }
            server.write_all(&[&head[..], &payload[..]].concat()).await.expect("the server reads");
        }
    }

    async fn pass_answers(&self, mut server: OwnedReadHalf, mut client: OwnedWriteHalf) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(some @ 1..) = server.read(&mut bytes).await {
            if self.is_mute.load(Ordering::SeqCst) {
                self.reached.notify_one();
                std::future::pending::<()>().await;
            }
            client.write_all(&bytes[..some]).await.expect("the client reads");
        }
    }
}
