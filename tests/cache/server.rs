//! Real `redis-server` processes in a temporary directory, and clusters of them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bascule::checks::network::{CacheAnswer, CacheBatch};
use bascule::clock::Clock;
use bascule::keyspace::{SLOTS, slot};
use bascule::network::cache::command;

/// A node's second port, for other nodes, is so much higher: Redis's own rule.
const BUS: u16 = 10_000;

/// Looks this often whether what is awaited has come, and so many times: two minutes, on machines that are busy.
const GLANCE: Duration = Duration::from_millis(20);
const GLANCES: u32 = 6000;

/// A port may be taken by somebody else between finding and using it.
const ATTEMPTS: u32 = 10;

/// A running server, killed when this is dropped.
pub struct Server {
    pub port: u16,
    child: Child,
    tls_ca_file: Option<PathBuf>,
    password: Option<String>,
}

/// How a server is started.
#[derive(Default)]
pub struct Options<'a> {
    /// Further options.
    pub more: &'a [&'a str],
    /// The password of the user `default`.
    pub password: Option<&'a str>,
    /// A directory with `server.pem`, `server.key` and `ca.pem`; with it, only TLS is spoken.
    pub tls: Option<&'a Path>,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub async fn start(directory: &Path, options: &Options<'_>) -> Self {
        for _ in 0..ATTEMPTS {
            if let Some(server) = Self::attempt(directory, options).await {
                return server;
            }
        }
        panic!("redis-server does not stay up; the end of its log:\n{}", log(directory));
    }

    async fn attempt(directory: &Path, options: &Options<'_>) -> Option<Self> {
        let port = free_port();
        let data = directory.join(port.to_string());
        fs::create_dir_all(&data).expect("a directory");
        let log = File::options().create(true).append(true).open(directory.join("log")).expect("a log");
        let mut program = Command::new("redis-server");
        program.args(["--bind", "127.0.0.1", "--save", "", "--dir"]).arg(&data).args(options.more);
        match options.tls {
            None => drop(program.args(["--port", &port.to_string()])),
            Some(files) => {
                program.args(["--port", "0", "--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
                for (option, file) in
                    [("--tls-cert-file", "server.pem"), ("--tls-key-file", "server.key"), ("--tls-ca-cert-file", "ca.pem")]
                {
                    program.arg(option).arg(files.join(file));
                }
            }
        }
        if let Some(password) = options.password {
            program.args(["--requirepass", password]);
        }
        let child = program.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect(
            "redis-server is on this machine and can be started; Debian and Ubuntu: apt-get install redis-server, macOS: brew \
             install redis",
        );
        let tls_ca_file = options.tls.map(|files| files.join("ca.pem"));
        let mut server = Self { port, child, tls_ca_file, password: options.password.map(str::to_owned) };
        for _ in 0..GLANCES {
            if server.child.try_wait().expect("a child can be waited for").is_some() {
                return None;
            }
            // Somebody else on this port would not be this process.
            let ours = server.try_say(&["INFO", "server"]).await.is_some_and(
                |answer| matches!(answer, CacheAnswer::Text(text) if text.contains(&format!("process_id:{}", server.child.id()))),
            );
            if ours {
                return Some(server);
            }
            tokio::time::sleep(GLANCE).await;
        }
        None
    }

    /// Its answer to one command, if it answers.
    async fn try_say(&self, words: &[&str]) -> Option<CacheAnswer> {
        let batch = CacheBatch {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: self.port,
            tls: self.tls_ca_file.clone().map(Some),
            credentials: self.password.clone().map(|password| (String::new(), password)),
            commands: vec![words.iter().map(|&word| word.to_owned()).collect()],
            limit: Duration::from_secs(60),
        };
        command(&Clock::system(), &batch).await.ok()?.into_iter().next()
    }

    /// Its answer to one command.
    pub async fn say(&self, words: &[&str]) -> CacheAnswer {
        self.try_say(words).await.unwrap_or_else(|| panic!("no answer to {words:?}"))
    }

    /// The same, where a refusal would be a mistake of the test.
    pub async fn tell(&self, words: &[&str]) {
        let answer = self.say(words).await;
        assert_eq!(answer, CacheAnswer::Status("OK".into()), "{words:?}");
    }

    /// What stands behind `name:` in the answer to one command.
    pub async fn field(&self, words: &[&str], name: &str) -> Option<String> {
        let CacheAnswer::Text(text) = self.say(words).await else { return None };
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(|value| value.trim().to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A cluster that serves every slot.
pub struct Cluster {
    pub servers: Vec<Server>,
    _directory: tempfile::TempDir,
}

impl Cluster {
    /// A cluster of so many nodes, without replicas.
    pub async fn start(nodes: u16, options: &Options<'_>) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let more = [options.more, &["--cluster-enabled", "yes"]].concat();
        let options = Options { more: &more, ..*options };
        let mut servers = Vec::new();
        for number in 0..nodes {
            let server = Server::start(directory.path(), &options).await;
            server.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
            let slots: Vec<String> =
                (0..SLOTS).filter(|slot| owner(*slot, nodes) == number).map(|slot| slot.to_string()).collect();
            let words: Vec<&str> = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
            server.tell(&words).await;
            servers.push(server);
        }
        for server in &servers[1..] {
            server.tell(&["CLUSTER", "MEET", "127.0.0.1", &servers[0].port.to_string()]).await;
        }
        let cluster = Self { servers, _directory: directory };
        for server in &cluster.servers {
            cluster.wait_until_whole(server).await;
        }
        cluster
    }

    async fn wait_until_whole(&self, server: &Server) {
        for _ in 0..GLANCES {
            let known = server.field(&["CLUSTER", "INFO"], "cluster_known_nodes").await;
            let state = server.field(&["CLUSTER", "INFO"], "cluster_state").await;
            if state.as_deref() == Some("ok") && known == Some(self.servers.len().to_string()) {
                return;
            }
            tokio::time::sleep(GLANCE).await;
        }
        panic!("the cluster does not come together");
    }

    /// The node that is declared.
    pub fn first(&self) -> &Server {
        &self.servers[0]
    }

    /// The node that serves a key.
    pub fn owner(&self, key: &str) -> &Server {
        let nodes = u16::try_from(self.servers.len()).expect("few nodes");
        &self.servers[usize::from(owner(slot(key), nodes))]
    }

    /// How many keys all nodes hold.
    pub async fn keys(&self) -> i64 {
        let mut keys = 0;
        for server in &self.servers {
            let CacheAnswer::Number(count) = server.say(&["DBSIZE"]).await else { panic!("DBSIZE is a number") };
            keys += count;
        }
        keys
    }
}

/// The number of the node that serves a slot: ranges of the same length.
fn owner(slot: u16, nodes: u16) -> u16 {
    slot / SLOTS.div_ceil(nodes)
}

/// A port that nobody has now, and whose second port nobody has either.
pub fn free_port() -> u16 {
    let taken = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|listener| listener.local_addr());
    loop {
        let port = taken(0).expect("a free port").port();
        if port.checked_add(BUS).is_some_and(|bus| taken(bus).is_ok()) {
            return port;
        }
    }
}

/// The last lines that servers wrote.
fn log(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("log")).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
