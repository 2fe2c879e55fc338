//! Two servers, and a mover between them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bascule::database::BinlogPosition;
use bascule::lab::mover::{Begin, FirstRead, Job, Order, SharedView, View, Work, end_of_log, lock, run};
use bascule::lab::proof::{RowsOf, rows_of};
use bascule::lab::server::Server;
use bascule::mysql::connect::connect;
use bascule::names::TableName;
use bascule::sim::dms::settings::{ErrorPolicy, Loopback, Policies, PrepMode, RowValidation};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What both write.
const WITH_A_LOG: [&str; 4] =
    ["--log-bin=mysql-bin-changelog", "--binlog-format=ROW", "--binlog-row-image=FULL", "--binlog-row-metadata=FULL"];

/// Two servers that log rows.
pub struct Pair {
    pub legacy: Server,
    pub target: Server,
    _directory: TempDir,
}

impl Pair {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let server = |name: &str, id: &str| {
            let place = directory.path().join(name);
            std::fs::create_dir(&place).expect("a directory");
            Server::start(&place, &[WITH_A_LOG.as_slice(), &[id]].concat()).expect("a server")
        };
        Self { legacy: server("legacy", "--server-id=1"), target: server("target", "--server-id=2"), _directory: directory }
    }

    /// Runs statements on both.
    pub async fn on_both(&self, statements: &[&str]) {
        for server in [&self.legacy, &self.target] {
            let mut connection = root(server).await;
            for statement in statements {
                connection.query_drop(*statement).await.expect("a statement");
            }
        }
    }
}

/// Everything is allowed on this connection.
pub async fn root(server: &Server) -> Conn {
    connect(&server.address(), &Server::root()).await.expect("a connection")
}

/// As the controller asks for it.
pub const fn policies() -> Policies {
    Policies {
        insert: ErrorPolicy::SuspendTable,
        update: ErrorPolicy::SuspendTable,
        prep_mode: PrepMode::DoNothing,
        loopback: Loopback::Prevented,
        validation: RowValidation::Enabled,
    }
}

/// A job from one server to another.
pub fn job(task: &str, server_id: u32, source: &Server, target: &Server, tables: &[TableName]) -> Job {
    Job {
        task: task.to_owned(),
        server_id,
        source: source.address(),
        target: target.address(),
        credentials: Server::root(),
        tables: tables.to_vec(),
        marker_schema: "bascule".to_owned(),
        policies: policies(),
        first_read: FirstRead::Consistent,
    }
}

/// A mover at work.
pub struct Moving {
    pub orders: UnboundedSender<Order>,
    pub view: SharedView,
    pub task: JoinHandle<()>,
}

impl Moving {
    pub fn begin(job: Job, begin: Begin) -> Self {
        Self::go_on(job, begin, Arc::new(Mutex::new(View::default())))
    }

    /// With what an earlier run has left.
    #[allow(clippy::disallowed_methods, reason = "a test is the shell that starts a mover")]
    pub fn go_on(job: Job, begin: Begin, view: SharedView) -> Self {
        let (orders, taken) = unbounded_channel();
        lock(&view).work = Work::Moving;
        Self { orders, task: tokio::spawn(run(job, begin, taken, Arc::clone(&view))), view }
    }

    /// Waits until it has applied everything that `source` has logged by now.
    pub async fn caught_up(&self, source: &Server) {
        let end = end_of_log(&mut root(source).await).await.expect("a position");
        self.wait_until(|view| view.checkpoint.as_ref().is_some_and(|checkpoint: &BinlogPosition| *checkpoint >= end)).await;
    }

    pub async fn wait_until(&self, is_so: impl Fn(&View) -> bool) {
        loop {
            let view = lock(&self.view).clone();
            if is_so(&view) {
                return;
            }
            assert_eq!(view.work, Work::Moving, "it moves");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn stop(self) -> View {
        self.orders.send(Order::Stop).expect("it listens");
        self.task.await.expect("it ends in peace");
        lock(&self.view).clone()
    }
}

/// The rows of both servers.
pub async fn rows_of_both(pair: &Pair, tables: &[TableName]) -> (Vec<RowsOf>, Vec<RowsOf>) {
    let legacy = rows_of(&mut root(&pair.legacy).await, tables).await.expect("rows");
    let target = rows_of(&mut root(&pair.target).await, tables).await.expect("rows");
    (legacy, target)
}
