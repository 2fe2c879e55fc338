//! Servers that are no cache, or a bad one: each connection is answered by a script.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a script does after a command.
pub enum Then {
    /// Says these bytes.
    Say(String),
    /// Says the first, and then the second for ever.
    Repeat(String, String),
    /// Says nothing more, and keeps the connection.
    Silence,
    /// Ends the connection.
    Hang,
}

/// A script: its own port, and a command's words.
type Script = dyn Fn(u16, &[String]) -> Then + Send + Sync;

/// A server of this script; it ends with this value.
pub struct Fake {
    pub port: u16,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub async fn start(script: impl Fn(u16, &[String]) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script: Arc<Script> = Arc::new(script);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = Arc::clone(&script);
                connections.spawn(async move { drop(serve(stream, port, &script).await) });
            }
        });
        Self { port, _tasks: tasks }
    }
}

async fn serve(stream: TcpStream, port: u16, script: &Arc<Script>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let words = command(&mut reader).await?;
        match script(port, &words) {
            Then::Say(text) => writer.write_all(text.as_bytes()).await?,
            Then::Repeat(first, again) => {
                writer.write_all(first.as_bytes()).await?;
                loop {
                    writer.write_all(again.as_bytes()).await?;
                }
            }
            Then::Silence => std::future::pending().await,
            Then::Hang => return Ok(()),
        }
    }
}

/// One command as clients send it: `*2`, and for each word its length and itself.
async fn command(reader: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(reader).await? {
        let mut word = vec![0; number(reader).await? + "\r\n".len()];
        reader.read_exact(&mut word).await?;
        words.push(String::from_utf8_lossy(&word).trim_end().to_owned());
    }
    Ok(words)
}

async fn number(reader: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    line.trim().trim_start_matches(['*', '$']).parse().map_err(|_| std::io::ErrorKind::InvalidData.into())
}

/// A text as a cache says it.
pub fn text(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// What a healthy cluster of one node says to everything but questions about keys.
pub fn healthy(port: u16, words: &[String]) -> Option<Then> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let said = match words.as_slice() {
        ["INFO", "cluster"] => text("cluster_enabled:1\r\n"),
        ["INFO", "memory"] => text("used_memory:1\r\nmaxmemory:100\r\nmaxmemory_policy:noeviction\r\n"),
        ["CLUSTER", "INFO"] => text("cluster_state:ok\r\ncluster_slots_ok:16384\r\n"),
        ["CLUSTER", "SLOTS"] => format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n{}:{port}\r\n", text("127.0.0.1")),
        _ => return None,
    };
    Some(Then::Say(said))
}
