//! Fence, drain and write pause on two real servers under 32 connections, beside a script that knows every step.

mod script;

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bascule::clock::Clock;
use bascule::controllers::fence::{FenceState, judge};
use bascule::credentials::Credentials;
use bascule::database::{Database, Epoch};
use bascule::engine::cadence::Cadence;
use bascule::lab::customers::{Customers, Shop};
use bascule::lab::derive::derive;
use bascule::lab::mover::{Begin, FirstRead, Job, Order, SharedView, end_of_log, lock, run};
use bascule::lab::schema;
use bascule::lab::server::Server;
use bascule::mysql::connect::connect;
use bascule::mysql::database::MySqlDatabase;
use bascule::names::{Direction, MarkerId, Side};
use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::pause::{PauseSplit, Step};
use bascule::rehearsal::stage::{Request, rehearse_on_servers};
use bascule::sim::dms::settings::{ErrorPolicy, Loopback, Policies, PrepMode, RowValidation};
use bascule::sim::profile::FaultProfile;
use bascule::sim::setting::Setting;
use bascule::sim::{SharedWorld, World};
use bascule::spec::Migration;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::targets::{say_beside, say_within};
use super::{percentile, say, say_percentiles};

/// As the fence is promised for.
const CONNECTIONS: u32 = 32;

/// Until the last of the busy connections is proven gone.
const FENCE: Duration = Duration::from_millis(100);

/// From a marker's arrival until the controller knows of it.
const DRAIN: Duration = Duration::from_millis(20);

/// What of a write pause may be the controller's own.
const OWN_SHARE: Duration = Duration::from_millis(250);

/// A whole write pause, at the 99th percentile of [`PROMISED_PAUSES`].
const PAUSE: Duration = Duration::from_secs(2);

/// So many journeys is the write pause promised for.
const PROMISED_PAUSES: usize = 20;

/// How much longer than a script's a pause may be.
const TIMES_THE_SCRIPT: f64 = 1.5;

/// More than 32 connections can: nobody waits between two payments.
const AS_FAST_AS_THEY_CAN: u32 = 1_000_000;

/// Payments that must have gone through since an opening, so that each fence meets everybody at work.
const BUSY_AGAIN: u64 = 200;

const LOG: [&str; 5] = [
    "--log-bin=mysql-bin-changelog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--innodb-flush-log-at-trx-commit=2",
];

/// How much is measured of the lab.
#[derive(Clone, Copy)]
pub struct Rounds {
    /// Fences, and drains.
    pub fences: usize,
    /// Whole journeys, and as many runs of the script.
    pub pauses: usize,
}

/// Prints all of it, if there are servers.
pub fn lab(migration: &Migration, rounds: Rounds) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let start = |name: &str, id: &str| {
        let own = directory.path().join(name);
        std::fs::create_dir(&own).expect("a directory");
        Server::start(&own, &[LOG.as_slice(), &[id]].concat())
    };
    let (legacy, target) = match (start("legacy", "--server-id=2"), start("target", "--server-id=1")) {
        (Ok(legacy), Ok(target)) => (legacy, target),
        (Err(error), _) | (_, Err(error)) => return say("fence, drain and write pause", &format!("not measured: {error}")),
    };
    runtime.block_on(async {
        let bench = Bench::set(migration, legacy, target, directory.path()).await;
        bench.fences(rounds.fences).await;
        bench.drains(rounds.fences).await;
    });
    drop(runtime);
    pauses(migration, rounds.pauses);
}

/// Two servers with the application's schema, and what the controller knows of them.
struct Bench {
    legacy: Server,
    target: Server,
    migration: Migration,
    clock: Clock,
    world: SharedWorld,
}

impl Bench {
    async fn set(migration: &Migration, legacy: Server, target: Server, directory: &Path) -> Self {
        let credentials = directory.join("controller.credentials");
        std::fs::write(&credentials, "user=root\npassword=\n").expect("a file");
        std::fs::set_permissions(&credentials, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its owner's alone");
        let migration = derive(migration, &legacy, &target, &credentials, None).migration;
        schema::make(&legacy, Side::Legacy, &migration).await.expect("a schema");
        schema::make(&target, Side::Target, &migration).await.expect("a schema");
        let clock = Clock::system();
        let world = World::new(&migration, Setting::of(&migration), FaultProfile::calm(), 1, clock.now()).shared();
        Self { legacy, target, migration, clock, world }
    }

    fn database(&self, side: Side) -> MySqlDatabase {
        MySqlDatabase::new(&self.migration, side, &self.clock)
    }

    fn customers(&self, per_second: u32) -> Customers {
        let accounts = &self.migration.spec.legacy.database.application_accounts;
        let user = |account: &bascule::names::Account| account.as_str().split('@').next().unwrap_or_default().to_owned();
        let shop = Shop {
            world: Arc::clone(&self.world),
            clock: self.clock.clone(),
            legacy: self.legacy.address(),
            target: self.target.address(),
            accounts: accounts
                .iter()
                .map(|account| Credentials { user: user(account), password: schema::PASSWORD.to_owned() })
                .collect(),
            schema: schema::schema(&self.migration).to_owned(),
            connections: CONNECTIONS,
            quiet_per_second: per_second,
            per_second,
        };
        Customers::open(&shop, 1)
    }

    /// From the verb to the look that proves it, under customers who never rest.
    async fn fences(&self, rounds: usize) {
        let database = self.database(Side::Legacy);
        let accounts = self.migration.spec.legacy.database.all_accounts();
        let customers = self.customers(AS_FAST_AS_THEY_CAN);
        let mut times = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let before = customers.book.count();
            while customers.book.count() < before + BUSY_AGAIN {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let began = Instant::now();
            database.close_fence(Epoch(1), &accounts).await.expect("a fence");
            while !matches!(judge(&database.look().await.expect("a look"), &accounts), FenceState::Closed { .. }) {
                database.close_fence(Epoch(1), &accounts).await.expect("a fence");
            }
            times.push(began.elapsed());
            database.open_fence(Epoch(1), &accounts).await.expect("an opening");
        }
        customers.close().await;
        say_within(&format!("fence of {CONNECTIONS} busy connections until it is proven, {rounds} rounds"), times, FENCE);
    }

    /// From the moment at which the marker is there to the look that sees it, at the pace of production.
    async fn drains(&self, rounds: usize) {
        // Other customers come, whose keys are numbered from one again.
        let mut legacy = connect(&self.legacy.address(), &Server::root()).await.expect("a connection");
        for table in [schema::PAYMENTS, "ledger_entries"] {
            let empty = format!("TRUNCATE TABLE {}.{table}", schema::schema(&self.migration));
            legacy.query_drop(empty).await.expect("an empty table");
        }
        let moving = Moving::begin(self.forward());
        moving.catch_up(&self.legacy).await;
        let customers = self.customers(200);
        let (legacy, target) = (self.database(Side::Legacy), self.database(Side::Target));
        let (mut travelled, mut seen) = (Vec::new(), Vec::new());
        for number in 0..rounds {
            let marker = MarkerId(format!("payments/1/drain/{number}"));
            legacy.write_marker(Epoch(1), &marker).await.expect("a marker");
            let began = Instant::now();
            let there = self.until_there(&marker);
            let found = async {
                loop {
                    let (_, view) = tokio::join!(legacy.look(), target.look());
                    if view.expect("a look").markers.contains(&marker) {
                        return began.elapsed();
                    }
                    tokio::time::sleep(Cadence::production().paused).await;
                }
            };
            let (there, found) = tokio::join!(there, found);
            let there = there.duration_since(began);
            travelled.push(there);
            seen.push(found.saturating_sub(there));
        }
        customers.close().await;
        moving.stop().await;
        say_percentiles("a marker's way to the other side, under load", travelled);
        say_within("drain seen after the row is there", seen, DRAIN);
    }

    async fn until_there(&self, marker: &MarkerId) -> Instant {
        let mut eye = connect(&self.target.address(), &Server::root()).await.expect("a connection");
        let question = format!("SELECT 1 FROM {}.markers WHERE marker = ?", self.migration.spec.replication.marker_schema);
        // The schema itself travels with the first marker.
        while !matches!(eye.exec_first::<u8, _, _>(&question, (marker.as_str(),)).await, Ok(Some(_))) {
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        Instant::now()
    }

    fn forward(&self) -> Job {
        forward(&self.migration, &self.legacy.address(), &self.target.address())
    }
}

/// What the forward task of a lab moves.
fn forward(migration: &Migration, legacy: &bascule::mysql::connect::Address, target: &bascule::mysql::connect::Address) -> Job {
    Job {
        task: format!("{}", Direction::Forward),
        server_id: 11,
        source: legacy.clone(),
        target: target.clone(),
        credentials: Server::root(),
        tables: schema::tables(migration),
        marker_schema: migration.spec.replication.marker_schema.clone(),
        policies: Policies {
            insert: ErrorPolicy::SuspendTable,
            update: ErrorPolicy::SuspendTable,
            prep_mode: PrepMode::Empty,
            loopback: Loopback::Prevented,
            validation: RowValidation::Enabled,
        },
        first_read: FirstRead::Consistent,
    }
}

/// A mover at work.
struct Moving {
    orders: UnboundedSender<Order>,
    view: SharedView,
    task: JoinHandle<()>,
}

impl Moving {
    fn begin(job: Job) -> Self {
        let (orders, taken) = unbounded_channel();
        let view = SharedView::default();
        Self { orders, task: tokio::spawn(run(job, Begin::FullLoad, taken, Arc::clone(&view))), view }
    }

    async fn catch_up(&self, source: &Server) {
        let mut connection = connect(&source.address(), &Server::root()).await.expect("a connection");
        self.catch_up_with(&mut connection).await;
    }

    async fn catch_up_with(&self, source: &mut Conn) {
        let end = end_of_log(source).await.expect("a position");
        while lock(&self.view).checkpoint.as_ref().is_none_or(|checkpoint| *checkpoint < end) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.orders.send(Order::Stop).expect("it listens");
        self.task.await.expect("it ends in peace");
    }
}

/// Whole journeys and runs of the script, in turn, so that both meet the same machine.
fn pauses(migration: &Migration, runs: usize) {
    if runs == 0 {
        return;
    }
    let (mut ours, mut theirs, mut splits) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 1..=runs as u64 {
        let request = Request::new(Scenario::Forward, "calm", FaultProfile::calm(), seed);
        let verdict = rehearse_on_servers(migration, &request, &mut |_| {}).expect("a lab").verdict;
        assert!(verdict.is_good(), "seed {seed} broke something: {verdict:?}");
        let split = verdict.pauses.into_iter().next().expect("a pause");
        ours.push(split.seconds);
        splits.push(split);
        theirs.push(script::pause(migration, seed).as_secs_f64());
    }
    for (step, words) in [Step::Quiet, Step::Fence, Step::Drain, Step::Arm, Step::Open, Step::Flip, Step::FirstAcceptedWrite]
        .map(|step| (step, step.words()))
    {
        let times = splits.iter().map(|split| took(split, step)).collect();
        say_percentiles(&format!("write pause, of it {words}"), times);
    }
    let all = |seconds: &[f64]| seconds.iter().copied().map(Duration::from_secs_f64).collect::<Vec<_>>();
    say_within(&format!("write pause of bascule, {runs} journeys"), all(&ours), PAUSE);
    if runs < PROMISED_PAUSES {
        say("", &format!("it is promised for {PROMISED_PAUSES} journeys: BASCULE_BENCH_PAUSES={PROMISED_PAUSES}"));
    }
    say_percentiles(&format!("write pause of a script that knows every step, {runs} runs"), all(&theirs));
    let half = |seconds: &[f64]| {
        let mut times = all(seconds);
        times.sort();
        percentile(&times, 50).as_secs_f64()
    };
    let (ours, theirs) = (half(&ours), half(&theirs));
    let times = ours / theirs;
    say_beside(
        "bascule's pause is, of the script's, in the middle",
        &format!("{times:.2} times"),
        &format!("at most {TIMES_THE_SCRIPT} times"),
        times <= TIMES_THE_SCRIPT,
    );
    let own = splits.iter().map(|split| split.own_seconds).collect::<Vec<_>>();
    say_within("the controller's own share of the pause, by its journal", all(&own), OWN_SHARE);
}

fn took(split: &PauseSplit, step: Step) -> Duration {
    let seconds = split.steps.iter().find(|known| known.step == step).map_or(0.0, |known| known.seconds);
    Duration::from_secs_f64(seconds)
}

/// The world, whatever happened to whoever held it.
fn unlocked(world: &SharedWorld) -> std::sync::MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
