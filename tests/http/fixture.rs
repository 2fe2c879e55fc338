//! A server with one migration on its board, and a client that sees every byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule::controllers::Reason;
use bascule::http::{Board, Limits, serve};
use bascule::journal::Journal;
use bascule::migration::facts::Fact;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{GateReport, Pace, Plan, Standing};
use bascule::migration::status::{
    ApprovalReport, Condition, ConditionStatus, ConditionType, MigrationStatus, RollbackStatus, TaskReport,
};
use bascule::spec::{Migration, Phase};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// `second` seconds into the story.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).expect("a time of this century")
}

/// A small and complete migration.
pub fn migration() -> Migration {
    let database = json!({
        "host": "db.example.com", "credentialsFrom": { "env": "PAYMENTS" },
        "schemas": ["pay"], "applicationAccounts": ["app@%"],
    });
    let arn = |service: &str, what: &str| format!("arn:aws:{service}:eu-central-1:123456789012:{what}");
    let side = |more: Value| {
        let mut side = json!({ "database": database, "endpointArn": arn("dms", "endpoint:A"), "reverseEndpointArn": arn("dms", "endpoint:B") });
        side.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        side
    };
    serde_json::from_value(json!({
        "apiVersion": "bascule.dev/v1alpha1", "kind": "Migration", "metadata": { "name": "payments" },
        "spec": {
            "phase": "CutOver",
            "legacy": side(json!({})),
            "target": side(json!({ "cluster": "payments" })),
            "replication": {
                "instanceArn": arn("dms", "rep:X"),
                "forward": { "identifier": "payments-forward", "maxLag": "5s" },
                "reverse": { "identifier": "payments-reverse", "maxLag": "5s" },
            },
            "binlog": { "parameterGroup": "payments", "retention": "72h", "maintenanceWindow": "sun:02:00-sun:04:00" },
            "loadBalancer": {
                "arn": arn("elasticloadbalancing", "loadbalancer/app/payments/1"),
                "targetGroupArn": arn("elasticloadbalancing", "targetgroup/payments/1"),
                "redirect": {},
            },
            "dns": {
                "hostedZoneId": "Z1", "zoneName": "example.com", "ttl": "60s",
                "public": {
                    "name": "pay.example.com",
                    "legacy": { "a": { "addresses": ["192.0.2.1"] } },
                    "target": { "cname": { "host": "lb.example.com" } },
                },
                "shadow": { "name": "shadow.example.com" },
            },
            "cutover": { "writePauseBudget": "30s", "approvals": { "required": 2, "expireAfter": "4h" } },
            "observation": { "window": "48h" },
        },
    }))
    .expect("a complete migration")
}

/// What a pass in the middle of a cutover might have found.
pub fn status(summary: &str) -> MigrationStatus {
    let task = |task: &str, lag_seconds| TaskReport { task: task.to_owned(), lag_seconds, errored_tables: Vec::new() };
    let condition = |condition_type, status| Condition {
        condition_type,
        status,
        reason: Reason("Fencing".to_owned()),
        message: "both sides refuse writes".to_owned(),
        last_transition_time: at(0),
        observed_generation: 3,
    };
    MigrationStatus {
        observed_generation: 3,
        observed_at: at(7),
        phase: Some(Phase::RollbackArmed),
        wished_phase: Phase::CutOver,
        rung: Rung::Drain,
        attempt: 1,
        summary: summary.to_owned(),
        next_step: "wait".to_owned(),
        conditions: vec![
            condition(ConditionType::Ready, ConditionStatus::False),
            condition(ConditionType::JournalWritable, ConditionStatus::True),
        ],
        legacy_writes: "closed".to_owned(),
        target_writes: "closed".to_owned(),
        public_dns: "legacy".to_owned(),
        forward: task("running", Some(1.5)),
        reverse: task("absent", None),
        gates: vec![
            GateReport { name: "drained".to_owned(), standing: Standing::Closed("the marker has not arrived".to_owned()) },
            GateReport { name: "fenced".to_owned(), standing: Standing::Open("no account can write".to_owned()) },
        ],
        checks: Vec::new(),
        hooks: Vec::new(),
        waiting: Vec::new(),
        blocked: Vec::new(),
        last_actions: vec!["write the marker".to_owned()],
        rollback: RollbackStatus {
            ready: true,
            reasons: Vec::new(),
            data_at_risk: "nothing".to_owned(),
            possible_until: Some(at(3600)),
            limited_by: None,
            forced: None,
        },
        approvals: ApprovalReport { required: 2, counted: vec!["ann".to_owned()], refused: Vec::new(), plan_digest: "d1".into() },
        source: None,
        spec_error: None,
        write_pause_began: Some(at(3)),
        parity: None,
        comparison_under_way: None,
    }
}

/// The plan of that pass.
pub fn plan() -> Plan {
    Plan {
        rung: Rung::Drain,
        actions: Vec::new(),
        waiting: Vec::new(),
        blocked: Vec::new(),
        gates: Vec::new(),
        pace: Pace::Urgent,
        look_again_at: Some(at(8)),
    }
}

/// A running server.
pub struct Server {
    pub board: Arc<Board>,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Server {
    /// A server with the given limits and `payments` on its board.
    #[allow(clippy::disallowed_methods, reason = "a test is its own shell")]
    pub async fn start(limits: Limits) -> Self {
        let board = Arc::new(Board::new(at(0)));
        let journal = Journal::in_memory(migration().name()).expect("a journal");
        for second in 1..=5 {
            journal.record(at(second), 3, Fact::Entered { rung: Rung::Drain }).expect("a fact");
        }
        board.attach(migration().name(), Arc::new(journal));
        board.publish(&migration(), 3, status("draining"), plan());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Arc::clone(&board), limits, async { _ = stopped.await });
        Self { board, address, stop: Some(stop), task: tokio::spawn(serving) }
    }

    /// Asks the server to end, and waits until it has.
    pub async fn stop(mut self) {
        self.stop.take().expect("stopped once").send(()).expect("it runs");
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").expect("without a panic");
    }

    /// A raw connection with `text` sent.
    pub async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.expect("a sent request");
        stream
    }

    /// The answer to a raw request after which the connection ends.
    pub async fn raw(&self, text: &str) -> Reply {
        Reply::parse(&rest(&mut self.send(text).await).await)
    }

    /// The answer to `method path` with further header lines, each ended by `\r\n`.
    pub async fn ask(&self, method: &str, path: &str, headers: &str) -> Reply {
        self.raw(&format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await
    }

    /// The answer to a plain GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "").await
    }
}

/// Everything until the server closes the connection.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server closes it");
    // A reset after the answer is the server's right when it did not read a body.
    _ = read;
    String::from_utf8(bytes).expect("text")
}

/// What has come when `wanted` has been seen.
pub async fn until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut bytes = [0; 4096];
        let read =
            tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("more comes").expect("a sound connection");
        assert!(read > 0, "closed before `{wanted}`: {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    text
}

/// A parsed answer.
#[derive(Debug)]
pub struct Reply {
    pub code: u16,
    head: String,
    pub body: String,
}

impl Reply {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Self { code, head: head.to_owned(), body: body.to_owned() }
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// The reason word of a `Status`.
    pub fn reason(&self) -> String {
        let body = self.json();
        assert_eq!((&body["kind"], &body["status"]), (&json!("Status"), &json!("Failure")));
        assert_eq!(body["code"], json!(self.code));
        body["reason"].as_str().expect("a word").to_owned()
    }
}
