//! Bad days: each ends in a sentence that says what happened, and is never taken for equality or for a difference.

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
use bascule::parity::server::Server;
use bascule::spec::Period;
use mysql_async::prelude::Queryable;

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
