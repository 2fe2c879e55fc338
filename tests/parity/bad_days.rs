//! Bad days: each ends in a sentence that says what happened, and is never taken for equality or for a difference.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bascule::clock::Clock;
use bascule::credentials::Credentials;
use bascule::database::Answer;
use bascule::mysql::connect::connect;
use bascule::names::Side;
use bascule::parity::passage::{Passage, Passed, Waited};
use bascule::parity::progress::StateFile;
use bascule::parity::report::Verdict;
use bascule::parity::run::{Request, run};
use bascule::parity::server::{Limits, Server};
use bascule::spec::Period;
use mysql_async::prelude::Queryable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{PAYMENTS, Two, payments, table, told};

/// Drops a table while it is waited for rows of it to arrive.
#[derive(Debug)]
struct Dropping<'a> {
    target: &'a Server,
    dropped: AtomicBool,
}

impl Passage for Dropping<'_> {
    fn pass(&self, _: Side) -> Answer<'_, Passed> {
        Box::pin(async {
            if !self.dropped.swap(true, Ordering::SeqCst) {
                let mut target = connect(&self.target.address, &self.target.credentials).await?;
                target.query_drop("DROP TABLE payments.t").await.expect("dropped");
            }
            Ok(Passed::Yes)
        })
    }

    fn proof(&self) -> String {
        "none".to_owned()
    }
}

#[tokio::test]
async fn a_table_that_is_dropped_under_the_comparison_is_unknown_and_the_others_are_still_compared() {
    let mut two = Two::start().await;
    two.migration.spec.validation.ledger.clear();
    two.migration.spec.validation.unique.clear();
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY)").await;
    two.both("CREATE TABLE payments.u (id INT PRIMARY KEY)").await;
    two.legacy("INSERT INTO payments.t VALUES (1)").await;
    let passage = Dropping { target: &two.servers[1], dropped: AtomicBool::new(false) };
    let report = two.compare_by(&passage, None).await;
    let t = table(&report, "t");
    assert_eq!((t.verdict, t.differing), (Verdict::Unknown, 0), "{report}");
    assert!(t.notes[0].contains("on target: the table is gone (1146)"), "{report}");
    assert_eq!(table(&report, "u").verdict, Verdict::Equal);
    assert_eq!(report.verdict, Verdict::Unknown);
}

#[tokio::test]
async fn a_server_that_is_killed_or_refuses_is_named_and_nothing_is_called_equal_or_different() {
    let mut two = Two::start().await;
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY)").await;

    let root = two.servers[1].credentials.clone();
    two.servers[1].credentials = Credentials { user: "root".into(), password: "canary".into() };
    let refused = listed(&two).await.expect_err("the password is wrong");
    assert!(refused.contains("as root: denied (1045)") && !refused.contains("canary"), "{refused}");
    two.servers[1].credentials = root;

    two.legacy("INSERT INTO payments.t VALUES (1)").await;
    // The server dies while it is waited for a row to arrive.
    let address = two.servers[1].address.clone();
    let mut installed = std::mem::take(&mut Some(&mut two.installed[1])).expect("a server");
    let killing = Killing { installed: std::sync::Mutex::new(&mut installed) };
    let clock = Clock::system();
    let request = Request {
        migration: &two.migration,
        servers: &two.servers,
        only: Some("payments.t"),
        source: Side::Legacy,
        passage: &killing,
        state: None,
        clock: &clock,
    };
    let report = run(&request, &mut |_| {}).await.expect("the tables were listed");
    let t = table(&report, "t");
    assert_eq!((report.verdict, t.verdict, t.differing), (Verdict::Unknown, Verdict::Unknown, 0), "{report}");
    assert!(t.notes[0].contains("on target: no usable answer"), "{report}");

    let gone = listed(&two).await.expect_err("nobody answers");
    assert!(gone.contains(&format!("connect to {address}")), "{gone}");
}

/// Kills a server when it is waited for rows to arrive.
#[derive(Debug)]
struct Killing<'a> {
    installed: std::sync::Mutex<&'a mut bascule::lab::server::Server>,
}

impl Passage for Killing<'_> {
    fn pass(&self, _: Side) -> Answer<'_, Passed> {
        self.installed.lock().expect("nobody panicked").kill();
        Box::pin(async { Ok(Passed::Yes) })
    }

    fn proof(&self) -> String {
        "none".to_owned()
    }
}

/// Compares, with the reason why the tables could not be listed.
async fn listed(two: &Two) -> Result<(), String> {
    let clock = Clock::system();
    let passage = Waited { clock: clock.clone(), wait: Duration::ZERO };
    let request = Request {
        migration: &two.migration,
        servers: &two.servers,
        only: None,
        source: Side::Legacy,
        passage: &passage,
        state: None,
        clock: &clock,
    };
    run(&request, &mut |_| {}).await.map(drop).map_err(|fault| fault.to_string())
}

#[tokio::test]
async fn a_comparison_that_is_cut_off_goes_on_where_it_was() {
    let mut two = Two::start().await;
    two.migration.spec.validation.ledger.clear();
    two.migration.spec.validation.unique.clear();
    two.migration.spec.validation.parity.chunk_rows = 100;
    two.both(PAYMENTS).await;
    two.both(&payments(20_000)).await;
    two.target("UPDATE payments.payments SET amount = 0 WHERE id = 1").await;
    let state = StateFile(two.directory.path().join("two-servers.parity"));
    // A clock so fast that progress is kept after every chunk; on it, what was kept is still fresh after an hour of real time.
    two.migration.spec.validation.max_age = Period::from_secs(3_600_000_000);
    let clock = Clock::scaled("2026-03-02T09:00:00Z".parse().expect("a moment"), 1_000_000);
    let passage = Waited { clock: clock.clone(), wait: Duration::ZERO };
    let request = Request {
        migration: &two.migration,
        servers: &two.servers,
        only: None,
        source: Side::Legacy,
        passage: &passage,
        state: Some(&state),
        clock: &clock,
    };
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let mut tell = |line: &str| {
        // Nobody may listen any more.
        _ = sender.send(line.to_owned());
    };
    {
        let running = run(&request, &mut tell);
        tokio::pin!(running);
        let mut told = 0;
        while told < 20 {
            tokio::select! {
                _ = &mut running => panic!("two hundred chunks cannot be done before twenty were told"),
                _ = lines.recv() => told += 1,
            }
        }
        // Here the process dies: the comparison is dropped in the middle of a chunk.
    }
    // The rows that were read are not read again: what changes in them now is for another comparison.
    two.target("UPDATE payments.payments SET amount = 0 WHERE id = 2").await;
    two.target("UPDATE payments.payments SET amount = 0 WHERE id = 19999").await;
    let report = run(&request, &mut tell).await.expect("the tables can be listed");
    let mut told_lines = Vec::new();
    while let Ok(line) = lines.try_recv() {
        told_lines.push(line);
    }
    assert!(told_lines.iter().any(|line| line.starts_with("going on with the comparison that began at")), "{told_lines:?}");
    let payments = table(&report, "payments");
    assert_eq!(told(payments), ["(1) differs in amount", "(19999) differs in amount"], "{report}");
    assert_eq!(payments.rows, [20_000, 20_000], "every row is counted once");
    assert!(!state.0.exists(), "nothing is left to go on with");

    let report = run(&request, &mut tell).await.expect("the tables can be listed");
    assert_eq!(table(&report, "payments").differing, 3, "a new comparison begins at the beginning: {report}");
}

/// Short enough to wait for, and long enough for a crowded machine to answer in.
const SOON: Limits = Limits { chunk: Duration::from_secs(5), whole_table: Duration::from_secs(5) };

/// Stops a server's process when it is waited for rows to arrive, as a stalled disk would: its connections stay open.
#[derive(Debug)]
struct Stopping {
    process: u32,
}

impl Passage for Stopping {
    fn pass(&self, _: Side) -> Answer<'_, Passed> {
        let stopped = Command::new("kill").args(["-STOP", &self.process.to_string()]).status();
        assert!(stopped.expect("kill is there").success());
        Box::pin(async { Ok(Passed::Yes) })
    }

    fn proof(&self) -> String {
        "none".to_owned()
    }
}

#[tokio::test]
async fn a_server_that_goes_silent_ends_the_comparison_as_unknown_with_what_to_do() {
    let mut two = Two::start().await;
    for server in &mut two.servers {
        server.limits = SOON;
    }
    two.both("CREATE TABLE payments.t (id INT PRIMARY KEY)").await;
    two.legacy("INSERT INTO payments.t VALUES (1)").await;
    let passage = Stopping { process: two.installed[1].process_id().expect("it runs") };
    let report = two.compare_by(&passage, None).await;
    let t = table(&report, "t");
    assert_eq!((report.verdict, t.verdict, t.differing), (Verdict::Unknown, Verdict::Unknown, 0), "{report}");
    let told = &t.notes[0];
    assert!(told.contains("read rows of payments.t on target: no usable answer"), "{told}");
    assert!(told.contains(&format!("{} was silent for 5 s", two.servers[1].address)), "{told}");
    assert!(told.contains("see whether it answers there at all"), "{told}");
}

/// Passes bytes on to `server` until a statement has `word` in it: neither that one nor anything after it arrives.
#[allow(clippy::disallowed_methods, reason = "a test is the shell that stands before its servers")]
pub async fn mute_at(word: &'static str, server: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await.expect("it listens");
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 64 * 1024];
                while let Ok(some @ 1..) = from_client.read(&mut bytes).await {
                    if bytes[..some].windows(word.len()).any(|window| window == word.as_bytes()) {
                        std::future::pending::<()>().await;
                    }
                    to_server.write_all(&bytes[..some]).await.expect("the server reads");
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn every_statement_of_a_comparison_has_an_end() {
    let mut two = Two::start().await;
    for server in &mut two.servers {
        server.limits = SOON;
    }
    two.both("CREATE TABLE payments.keyless (value INT)").await;
    two.legacy("INSERT INTO payments.keyless VALUES (1)").await;
    let target = two.servers[1].address.port;
    let cases = [
        ("READ ONLY", "forbid writing on target"),
        ("information_schema.COLUMNS", "read the tables of payments on target"),
        ("information_schema.STATISTICS", "read the tables of payments on target"),
        ("BIT_XOR", "fold rows of payments.keyless on target"),
        ("bascule_hash", "sort the rows of payments.keyless on target"),
        ("SUM(`amount`)", "sum the ledger"),
        ("HAVING", "count values of payments.payments on target"),
    ];
    two.both(PAYMENTS).await;
    let compared = cases.map(|(word, attempted)| {
        let (migration, mut servers) = (&two.migration, two.servers.clone());
        async move {
            servers[1].address.port = mute_at(word, target).await;
            let clock = Clock::system();
            let passage = Waited { clock: clock.clone(), wait: Duration::ZERO };
            let (only, source, state) = (None, Side::Legacy, None);
            let request = Request { migration, servers: &servers, only, source, passage: &passage, state, clock: &clock };
            let mut lines = Vec::new();
            let said = match run(&request, &mut |line| lines.push(line.to_owned())).await {
                Ok(report) => {
                    assert_ne!(report.verdict, Verdict::Equal, "{report}");
                    report.to_string()
                }
                Err(fault) => fault.to_string(),
            };
            let silent = format!("{} was silent for 5 s", servers[1].address);
            assert!(said.contains(attempted) && said.contains(&silent), "{word}: {said}");
            lines
        }
    });
    let lines = futures_util::future::join_all(compared).await.concat();
    assert!(lines.iter().any(|line| line.starts_with("payments.keyless: read in one piece since 20")), "{lines:?}");
}
