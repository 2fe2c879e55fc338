//! Parity against what two servers could do at best: their own scan of the whole table by the same expression, at once.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bascule::lab::server::Server as Installed;
use bascule::mysql::connect::connect;
use bascule::names::Side;
use bascule::parity::chunks::Range;
use bascule::parity::fold::{Subject, fold};
use bascule::parity::run::subject;
use bascule::parity::server::{Limits, Server};
use bascule::parity::table::tables;
use mysql_async::prelude::Queryable;

use super::targets::say_beside;
use super::{migration, say, two_servers};

const SPEC: &str = include_str!("../../tests/fixtures/two_servers.yaml");

const TABLE: &str = "CREATE TABLE payments.payments (id BIGINT UNSIGNED PRIMARY KEY, idempotency_key VARCHAR(64) NOT NULL, \
    customer_id VARCHAR(32) NOT NULL, amount DECIMAL(18,4) NOT NULL, currency CHAR(3) NOT NULL, \
    status ENUM('pending','paid','failed') NOT NULL, created_at DATETIME(6) NOT NULL, updated_at TIMESTAMP NOT NULL, \
    note VARCHAR(100) NULL) DEFAULT CHARSET=utf8mb4";

/// Of the servers' own speed, at least this much.
const OF_THE_SCAN: f64 = 0.8;

/// Megabytes of memory, at any number of rows.
const MEMORY: f64 = 100.0;

/// Looks at a child's memory this often.
const GLANCE: Duration = Duration::from_millis(20);

/// Prints parity beside the servers' own scan, `rounds` times in turn, and beside other tools where they are installed.
pub fn parity(rows: u64, rounds: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    // Room for the table in memory: what is measured is the comparison, not the disk.
    let (legacy, target) = match two_servers(directory.path(), "--innodb-buffer-pool-size=1G") {
        Ok(servers) => servers,
        Err(error) => return say("parity of two servers", &format!("not measured: {error}")),
    };
    let server = |side, installed: &Installed| Server {
        side,
        address: installed.address(),
        credentials: Installed::root(),
        ca_file: None,
        limits: Limits::default(),
    };
    let servers = [server(Side::Legacy, &legacy), server(Side::Target, &target)];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let subject = runtime.block_on(async {
        tokio::join!(fill(&servers[0], rows), fill(&servers[1], rows));
        found(&servers).await
    });
    let spec = directory.path().join("two_servers.yaml");
    let port = |side: usize| servers[side].address.port.to_string();
    // Rows only: the servers' own scan has no books either.
    let text = SPEC
        .replace("33061", &port(0))
        .replace("33062", &port(1))
        .replace("    unique:\n      - {table: payments.payments, columns: [idempotency_key]}\n", "");
    let (before, after) = text.split_once("    ledger:\n").expect("the fixture has a ledger");
    let (_, after) = after.split_once("  cutover:\n").expect("the fixture has a cutover");
    fs::write(&spec, format!("{before}  cutover:\n{after}")).expect("the spec can be written");

    let (mut ours, mut theirs, mut peak) = (Vec::new(), Vec::new(), 0);
    for _ in 0..rounds {
        let began = Instant::now();
        runtime.block_on(scan(&servers, &subject, rows));
        theirs.push(began.elapsed());
        let (time, kilobytes) = compare(&spec);
        ours.push(time);
        peak = peak.max(kilobytes);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    let rate = |time: Duration| format!("{:.0} rows/s", rows as f64 / time.as_secs_f64());
    let million = rows as f64 / 1e6;
    say(&format!("both servers' own scan of {million} M rows, at once"), &rate(theirs));
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    say_beside(
        &format!("bascule parity of the same {million} M rows"),
        &format!("{}, {:.0} % of that", rate(ours), ratio * 100.0),
        &format!("at least {:.0} %", OF_THE_SCAN * 100.0),
        ratio >= OF_THE_SCAN,
    );
    let megabytes = peak as f64 / 1024.0;
    say_beside("its peak memory", &format!("{megabytes:.1} MB"), &format!("under {MEMORY} MB"), megabytes < MEMORY);
    rival("pt-table-checksum", &pt_table_checksum(&servers), rows, ours, 1.0);
    rival("reladiff", &reladiff(&servers), rows, ours, 2.5);
}

async fn fill(server: &Server, rows: u64) {
    let mut connection = connect(&server.address, &server.credentials).await.expect("a connection");
    let filled = format!(
        "INSERT INTO payments.payments SELECT seq, CONCAT('key-', seq), CONCAT('customer-', seq % 1000), seq * 1.01, \
         ELT(1 + seq % 3, 'EUR', 'USD', 'GBP'), 1 + seq % 3, '2026-01-01' + INTERVAL seq SECOND, \
         '2026-01-01 00:00:00' + INTERVAL seq SECOND, IF(seq % 5, NULL, 'Paid in full') FROM payments.seq_1_to_{rows}"
    );
    for statement in ["CREATE DATABASE payments", TABLE, &filled, "ANALYZE TABLE payments.payments"] {
        connection.query_drop(statement).await.expect("a statement of the bench");
    }
}

async fn found(servers: &[Server; 2]) -> Subject {
    let schemas = ["payments".to_owned()];
    let mut both = Vec::new();
    for server in servers {
        let mut hand = server.open().await.expect("a connection");
        both.extend(tables(&mut hand, &schemas).await.expect("its tables").into_values());
    }
    subject(&migration(SPEC), &both[0], &both[1]).expect("alike")
}

async fn scan(servers: &[Server; 2], subject: &Subject, rows: u64) {
    let everything = Range::default();
    let (mut legacy, mut target) =
        (servers[0].open().await.expect("a connection"), servers[1].open().await.expect("a connection"));
    let (ours, theirs) = tokio::join!(fold(&mut legacy, subject, &everything), fold(&mut target, subject, &everything));
    let (ours, theirs) = (ours.expect("a fold"), theirs.expect("a fold"));
    assert!(ours.rows == rows && ours.same_rows(&theirs), "both sides are the same");
}

/// Runs the program; how long it took, and its peak memory in kilobytes.
fn compare(spec: &Path) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bascule"))
        .args(["parity", &spec.display().to_string(), "--settle", "0"])
        .current_dir(spec.parent().expect("a directory"))
        .env("TWO_SERVERS_USER", "root")
        .env("TWO_SERVERS_PASSWORD", "")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut peak = 0;
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse().ok());
        peak = peak.max(kilobytes.unwrap_or(0));
        match child.try_wait().expect("the program can be waited for") {
            Some(status) => break status,
            None => std::thread::sleep(GLANCE),
        }
    };
    assert!(status.success(), "both sides are the same: {status}");
    (began.elapsed(), peak)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn reladiff(servers: &[Server; 2]) -> Vec<String> {
    let url = |server: &Server| format!("mysql://root@127.0.0.1:{}/payments", server.address.port);
    let words = [url(&servers[0]), "payments".into(), url(&servers[1]), "payments".into(), "-k".into(), "id".into()];
    words.into_iter().chain(["-c".into(), "%".into()]).collect()
}

/// Its replica would replay the same statement, one after the other; this is its share on one side.
fn pt_table_checksum(servers: &[Server; 2]) -> Vec<String> {
    let words = ["--databases=payments", "--recursion-method=none", "--no-check-binlog-format", "--quiet"];
    let place = format!("h=127.0.0.1,P={},u=root", servers[0].address.port);
    words.into_iter().map(str::to_owned).chain([place]).collect()
}

/// Where a rival comes from.
fn how_to_install(name: &str) -> &'static str {
    match name {
        "pt-table-checksum" => "apt-get install percona-toolkit",
        "reladiff" => "pip install 'reladiff[mysql]'",
        _ => "it is not on PATH",
    }
}

/// Times another tool on the same rows, where it is installed; `at_least` so many times as fast is promised.
fn rival(name: &str, arguments: &[String], rows: u64, ours: Duration, at_least: f64) {
    let what = format!("{name} on the same rows");
    let began = Instant::now();
    let output = Command::new(name).args(arguments).stdin(Stdio::null()).output();
    match output {
        Err(_) => say(&what, &format!("not present: {}", how_to_install(name))),
        Ok(output) if !output.status.success() => {
            let why = String::from_utf8_lossy(&output.stderr);
            say(&what, &format!("not measured: it ended with {}: {}", output.status, why.lines().last().unwrap_or_default()));
        }
        Ok(_) => {
            let time = began.elapsed();
            let rate = rows as f64 / time.as_secs_f64();
            let times = time.as_secs_f64() / ours.as_secs_f64();
            let figure = format!("{rate:.0} rows/s; bascule is {times:.2} times as fast");
            say_beside(&what, &figure, &format!("at least {at_least} times"), times >= at_least);
        }
    }
}
