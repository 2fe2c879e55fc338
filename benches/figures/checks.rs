//! Checks: a hundred on twenty hosts beside the slowest of them, and the structures of a thousand tables on two servers.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bascule::checks::declared::Declared;
use bascule::checks::outcome::Verdict;
use bascule::checks::probe::{Probe, Secrets};
use bascule::checks::run::run_all;
use bascule::checks::schema::differences;
use bascule::clock::Clock;
use bascule::engine::surroundings::Sides;
use bascule::lab::server::Server;
use bascule::mysql::connect::connect;
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::network::OperatingSystem;
use bascule::sim::World;
use bascule::sim::crash::CrashSwitch;
use bascule::sim::profile::FaultProfile;
use bascule::sim::setting::Setting;
use bascule::spec::checks::{PageCheck, SchemaCheck, SecretFrom};
use bascule::spec::{Checks, CredentialsFrom, Migration, Tls};
use mysql_async::prelude::Queryable;

use super::targets::say_beside;
use super::{say, two_servers};

const HOSTS: u8 = 20;
const CHECKS_A_HOST: usize = 5;

/// The slowest host answers after this long, the first after a twentieth of it.
const SLOWEST: Duration = Duration::from_millis(300);

/// Of the slowest check alone, all of them together take no more.
const BESIDE_THE_SLOWEST: f64 = 1.5;

/// What one check may cost the processor.
const CPU_A_CHECK: Duration = Duration::from_millis(50);

/// A thousand tables take no longer.
const STRUCTURES: Duration = Duration::from_secs(2);

/// Prints both.
pub fn checks(migration: &Migration, tables: usize) {
    pages(migration);
    structures(migration, tables);
}

fn pages(migration: &Migration) {
    let hosts: Vec<SocketAddr> = (1..=HOSTS).map(|number| host(number, SLOWEST * u32::from(number) / u32::from(HOSTS))).collect();
    let page = |number: usize, host: &SocketAddr| -> PageCheck {
        let check = serde_json::json!({ "name": format!("page-{number}"), "url": format!("http://{host}/"), "expect": {} });
        serde_json::from_value(check).expect("a check")
    };
    let mut migration = migration.clone();
    migration.spec.checks = Checks {
        pages: hosts.iter().cycle().take(hosts.len() * CHECKS_A_HOST).enumerate().map(|(n, host)| page(n, host)).collect(),
        private_hosts: hosts.iter().map(|host| host.ip().to_string()).collect(),
        ..Checks::default()
    };
    let (all, cpu) = round(&migration);
    let slowest = migration.spec.checks.pages.remove(usize::from(HOSTS) - 1);
    migration.spec.checks.pages = vec![slowest];
    let (alone, _) = round(&migration);
    let count = hosts.len() * CHECKS_A_HOST;
    let ratio = all.as_secs_f64() / alone.as_secs_f64();
    say_beside(
        &format!("{count} checks on {HOSTS} hosts, beside the slowest one alone"),
        &format!("{:.0} ms, {ratio:.2} of {:.0} ms", all.as_secs_f64() * 1e3, alone.as_secs_f64() * 1e3),
        &format!("at most {BESIDE_THE_SLOWEST}"),
        ratio <= BESIDE_THE_SLOWEST,
    );
    let each = cpu / u32::try_from(count).unwrap_or(u32::MAX);
    say_beside(
        "processor time of one of them",
        &format!("{:.2} ms", each.as_secs_f64() * 1e3),
        &format!("under {} ms", CPU_A_CHECK.as_millis()),
        each < CPU_A_CHECK,
    );
}

/// A host that answers every request after `delay`.
fn host(number: u8, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind((std::net::Ipv4Addr::new(127, 0, 1, number), 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let (mut stream, mut asked) = (stream, [0; 4096]);
                _ = stream.read(&mut asked);
                std::thread::sleep(delay);
                _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nPay by card");
            });
        }
    });
    address
}

/// All declared checks at once: how long they took, and how long this thread was busy.
fn round(migration: &Migration) -> (Duration, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let clock = Clock::system();
    let world = World::new(migration, Setting::of(migration), FaultProfile::calm(), 1, clock.now());
    let world = Arc::new(Mutex::new(world));
    let sides = Sides::simulated(&world, &CrashSwitch::never(), &clock, &clock);
    let network = OperatingSystem::new(&clock);
    let probe = Probe {
        migration,
        network: &network,
        secrets: &Nothing,
        legacy: &*sides.legacy,
        target: &*sides.target,
        clock: &clock,
        public_at: Side::Legacy,
    };
    let (busy_before, began) = (busy(), Instant::now());
    let ended = runtime.block_on(run_all(Declared::all(&migration.spec.checks).collect(), &probe));
    let (took, busy) = (began.elapsed(), busy().saturating_sub(busy_before));
    for run in &ended {
        assert_eq!(run.outcome.verdict, Verdict::Pass, "{}: {}", run.check.name(), run.outcome.message);
    }
    (took, busy)
}

/// Processor time of this thread so far, as the kernel counts it: its first figure is nanoseconds on a processor.
fn busy() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|figure| figure.parse().ok()).unwrap_or(0))
}

#[derive(Debug)]
struct Nothing;

impl Secrets for Nothing {
    fn credentials(&self, _: &CredentialsFrom) -> Result<(String, String), String> {
        Err("no check of the bench has credentials".into())
    }

    fn secret(&self, _: &SecretFrom) -> Result<String, String> {
        Err("no check of the bench has a secret".into())
    }
}

fn structures(migration: &Migration, tables: usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let (legacy, target) = match two_servers(directory.path(), "--innodb-flush-log-at-trx-commit=0") {
        Ok(servers) => servers,
        Err(error) => return say("both structures", &format!("not measured: {error}")),
    };
    let mut statements = String::from("CREATE DATABASE payments;");
    for number in 0..tables {
        _ = write!(
            statements,
            "CREATE TABLE payments.t{number} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL, \
             b VARCHAR(64) NOT NULL, c DATETIME(6) NOT NULL, KEY ix_a (a), UNIQUE KEY ux_b (b));"
        );
    }
    let credentials = directory.path().join("root.credentials");
    fs::write(&credentials, "user=root\npassword=\n").expect("a file");
    let mut migration = migration.clone();
    for (side, server) in [(Side::Legacy, &legacy), (Side::Target, &target)] {
        let database = match side {
            Side::Legacy => &mut migration.spec.legacy.database,
            Side::Target => &mut migration.spec.target.database,
        };
        let address = server.address();
        (database.host, database.port, database.tls) = (address.host, i32::from(address.port), Tls::Disabled);
        database.credentials_from = CredentialsFrom::File(credentials.display().to_string());
    }
    let clock = Clock::system();
    let database = |side| MySqlDatabase::new(&migration, side, &clock);
    let (ours, theirs, network) = (database(Side::Legacy), database(Side::Target), OperatingSystem::new(&clock));
    let probe = Probe {
        migration: &migration,
        network: &network,
        secrets: &Nothing,
        legacy: &ours,
        target: &theirs,
        clock: &clock,
        public_at: Side::Legacy,
    };
    let check: SchemaCheck = serde_json::from_value(serde_json::json!({ "name": "schema" })).expect("a check");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (took, differences) = runtime.block_on(async {
        for server in [&legacy, &target] {
            let mut connection = connect(&server.address(), &Server::root()).await.expect("a connection");
            connection.query_drop(&statements).await.expect("the tables");
        }
        let began = Instant::now();
        let differences = differences(&check, &probe).await.expect("both structures");
        (began.elapsed(), differences.len())
    });
    assert_eq!(differences, 0, "both sides were made alike");
    say_beside(
        &format!("structures of {tables} tables, both sides read and compared"),
        &format!("{:.0} ms", took.as_secs_f64() * 1e3),
        &format!("under {} s", STRUCTURES.as_secs()),
        took < STRUCTURES,
    );
}
