//! The lab: real database servers in a directory that goes with them, and everything that happens on them.
//!
//! AWS stays the stand-in: its tasks, parameter groups, reboots and records answer calls as ever. What they mean to databases
//! happens on two real MariaDB servers.

pub mod bridge;
pub mod customers;
pub mod derive;
pub mod held;
pub mod mover;
pub mod proof;
pub mod report;
pub mod schema;
pub mod seam;
pub mod server;
pub mod witness;

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use self::bridge::{Bridge, Mishap};
use self::customers::{Book, Customers, Hours, Shop, Switch};
use self::derive::{LabSpec, account_file, derive};
use self::held::Holding;
use self::mover::Trouble;
use self::proof::rows_of;
use self::report::{LabReport, TablePair, count};
use self::seam::LabDatabase;
use self::server::{Server, ServerError};
use self::witness::{Agreed, Witness};
use crate::clock::{Clock, elapsed};
use crate::credentials::Credentials;
use crate::database::LogForm;
use crate::mysql::connect::{Address, connect};
use crate::mysql::database::MySqlDatabase;
use crate::mysql::people::user_of;
use crate::names::{Account, Side};
use crate::parity::background::Background;
use crate::parity::rescue::Rescue;
use crate::sim::crash::CrashSwitch;
use crate::sim::dms::outside::DataPlane;
use crate::sim::profile::FaultProfile;
use crate::sim::rds::EffectiveBinlog;
use crate::sim::setting::Setting;
use crate::sim::{SharedWorld, World};
use crate::spec::{Migration, Period};

/// Connections of the application, as the fence was measured with.
const CONNECTIONS: u32 = 32;
/// Payments a second of all customers together while a switch is near: each is five milliseconds from the next, so that a
/// pause is measured and not guessed.
const PAYMENTS_PER_SECOND: u32 = 200;
/// The same in the weeks before: what even a machine with twenty other things to do can replicate.
const QUIET_PAYMENTS_PER_SECOND: u32 = 40;
/// Resolvers of the customers. The real Internet has many more: with few, the first customer to hear of a flip is late.
const RESOLVERS: usize = 4_096;
/// The longest that both sides' rows may take to agree once nobody writes: a minute, on a machine of any speed.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How often that is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// Nobody simulated pays in a lab: the next payment is centuries away.
const NEVER: Duration = Duration::from_secs(300 * 365 * 24 * 3600);

/// Why there is no lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A server is missing or does not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A statement failed that the lab itself needs.
    #[error("the lab cannot be set up or read: {0}")]
    Statement(#[from] Trouble),
    /// A file or directory.
    #[error("the lab's directory cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// Somebody asked this process to end.
    #[error("interrupted; both servers and their directory are gone")]
    Interrupted,
    /// A part of the lab ended that should not have.
    #[error("a part of the lab has died: {0}")]
    Died(String),
}

/// A lab at work.
#[derive(Debug)]
pub struct Lab {
    /// The stand-in AWS.
    pub world: SharedWorld,
    /// What is run.
    pub spec: LabSpec,
    addresses: (Address, Address),
    customers: Option<Customers>,
    book: Arc<Book>,
    agreed: Option<Agreed>,
    witness: Arc<Witness>,
    held: Vec<Holding>,
    began: Timestamp,
    mishaps: UnboundedSender<Mishap>,
    bridge: JoinHandle<(Server, Server)>,
    /// Dropped last: the servers are in it.
    directory: TempDir,
}

impl Lab {
    /// Starts both servers, fills legacy, and lets customers in.
    pub async fn open(migration: &Migration, clock: &Clock, seed: u64, budget: Option<Period>) -> Result<Self, LabError> {
        let began = Clock::system().now();
        let directory = tempfile::tempdir()?;
        let (legacy, target) = start_both(directory.path()).await?;
        let credentials = directory.path().join("controller.credentials");
        credentials_file(&credentials, &Server::root())?;
        for account in canaries(migration).into_values() {
            credentials_file(&account_file(&credentials, account), &credentials_of(account))?;
        }
        let spec = derive(migration, &legacy, &target, &credentials, budget);
        schema::make(&legacy, Side::Legacy, &spec.migration).await?;
        schema::make(&target, Side::Target, &spec.migration).await?;
        let world = World::new(&spec.migration, setting(&spec.migration), FaultProfile::calm(), seed, clock.now()).shared();
        let addresses = (legacy.address(), target.address());
        let shop = Shop {
            world: Arc::clone(&world),
            clock: clock.clone(),
            legacy: addresses.0.clone(),
            target: addresses.1.clone(),
            accounts: spec.migration.spec.legacy.database.application_accounts.iter().map(credentials_of).collect(),
            schema: schema::schema(&spec.migration).to_owned(),
            connections: CONNECTIONS,
            quiet_per_second: QUIET_PAYMENTS_PER_SECOND,
            per_second: PAYMENTS_PER_SECOND,
        };
        let busy_table = crate::names::TableName::new(shop.schema.clone(), schema::PAYMENTS);
        let marker_schema = spec.migration.spec.replication.marker_schema.clone();
        let (mishaps, heard) = unbounded_channel();
        let bridge = Bridge::new(Arc::clone(&world), clock.clone(), (legacy, target), marker_schema, busy_table);
        #[allow(clippy::disallowed_methods, reason = "the lab is the shell of its servers; the task is joined in `close`")]
        let bridge = tokio::spawn(bridge.run(heard));
        let customers = Customers::open(&shop, seed);
        let book = Arc::clone(&customers.book);
        let witness = Arc::new(Witness::new(addresses.clone(), schema::tables(&spec.migration), Arc::clone(&book)));
        let (customers, agreed, held) = (Some(customers), None, Vec::new());
        Ok(Self { world, spec, addresses, customers, book, agreed, witness, held, began, mishaps, bridge, directory })
    }

    /// Lets something happen. A lab whose bridge has died says so at its end.
    pub fn happen(&mut self, mishap: Mishap) {
        let accounts = &self.spec.migration.spec.legacy.database.application_accounts;
        if let (Mishap::TransactionHeld(side), Some(account)) = (mishap, accounts.first()) {
            let (address, schema) = (self.address(side).clone(), schema::schema(&self.spec.migration));
            let holding = Holding::begin(side, self.held.len() + 1, address, credentials_of(account), schema);
            self.held.push(holding);
        }
        _ = self.mishaps.send(mishap);
    }

    /// Customers become quieter, or hurry.
    pub fn turn(&self, hours: Hours) {
        if let Some(customers) = &self.customers {
            customers.turn(hours);
        }
    }

    /// A side's database, as the controller reaches it.
    pub fn database(&self, side: Side, clock: &Clock, crash: CrashSwitch) -> LabDatabase {
        let database = MySqlDatabase::new(&self.spec.migration, side, clock);
        LabDatabase::new(Arc::new(database), crash, Arc::clone(&self.witness))
    }

    /// Who compares both sides' rows. A controller that is killed leaves its progress to the next.
    pub fn comparer(&self, clock: &Clock) -> Background {
        Background::new(clock, Some(self.directory.path().to_owned()))
    }

    /// Who saves the rows that a forced rollback leaves behind.
    pub fn exporter(&self, clock: &Clock) -> Rescue {
        Rescue::new(clock, Some(self.directory.path().to_owned()))
    }

    /// Where a side's server listens.
    pub const fn address(&self, side: Side) -> &Address {
        match side {
            Side::Legacy => &self.addresses.0,
            Side::Target => &self.addresses.1,
        }
    }

    /// Every change of the side that acknowledges payments, so far.
    pub fn switches(&self) -> Vec<Switch> {
        self.book.switches()
    }

    /// The shop closes: every payment is brought to its end. Then both sides' rows are read, as soon as they agree; the last
    /// look stands, whatever it says.
    pub async fn close_the_shop(&mut self) -> Result<(), LabError> {
        let Some(customers) = self.customers.take() else { return Ok(()) };
        customers.close().await;
        let tables = schema::tables(&self.spec.migration);
        let mut waited = Duration::ZERO;
        loop {
            let mut rows = Vec::new();
            for side in [Side::Legacy, Side::Target] {
                let mut connection = connect(self.address(side), &Server::root()).await.map_err(Trouble::from)?;
                rows.push(rows_of(&mut connection, &tables).await?);
            }
            let (target, legacy) = (rows.pop().unwrap_or_default(), rows.pop().unwrap_or_default());
            let agree = legacy == target;
            self.agreed = Some((legacy, target));
            if agree || waited >= CATCH_UP {
                return Ok(());
            }
            tokio::time::sleep(GLANCE).await;
            waited += GLANCE;
        }
    }

    /// The end: what became of every payment, read from the servers.
    pub async fn close(mut self, authoritative: Side) -> Result<LabReport, LabError> {
        if let Some(customers) = self.customers.take() {
            customers.close().await;
        }
        let mut here = connect(self.address(authoritative), &Server::root()).await.map_err(Trouble::from)?;
        let mut there = connect(self.address(authoritative.other()), &Server::root()).await.map_err(Trouble::from)?;
        let counted = count(&mut here, &mut there, &self.book, schema::schema(&self.spec.migration)).await?;
        let seen = self.witness.testimony().await;
        let mut held = Vec::new();
        for holding in self.held {
            held.push(holding.end(schema::schema(&self.spec.migration), [&mut here, &mut there]).await?);
        }
        let server = mysql_async::prelude::Queryable::query_first::<String, _>(&mut here, "SELECT VERSION()").await;
        drop(self.mishaps);
        let servers = self.bridge.await.map_err(|error| LabError::Died(error.to_string()))?;
        drop(servers);
        drop(self.directory);
        let tables = self.agreed.or(seen).map(|(legacy, target)| {
            legacy.into_iter().zip(target).map(|(legacy, target)| TablePair { legacy, target }).collect::<Vec<_>>()
        });
        Ok(LabReport {
            server: server.map_err(Trouble::from)?.unwrap_or_default(),
            connections: CONNECTIONS,
            payments_per_second: PAYMENTS_PER_SECOND,
            replaced: self.spec.replaced,
            payments: counted.payments,
            left_behind: counted.left_behind,
            unbalanced: counted.unbalanced,
            tables,
            refusals: self.book.refusals(),
            switches: self.book.switches(),
            held,
            real_seconds: elapsed(self.began, Clock::system().now()).as_secs(),
        })
    }
}

/// Both servers side by side, since most of a start is waiting for a disk.
async fn start_both(directory: &Path) -> Result<(Server, Server), LabError> {
    let start = |name: &str, options: Vec<String>| {
        let place = directory.join(name);
        tokio::task::spawn_blocking(move || -> Result<Server, LabError> {
            std::fs::create_dir(&place)?;
            let options: Vec<&str> = options.iter().map(String::as_str).collect();
            Ok(Server::start(&place, &options)?)
        })
    };
    let (legacy, target) = tokio::join!(start("legacy", legacy_options()), start("target", target_options(None)));
    let died = |error: tokio::task::JoinError| LabError::Died(error.to_string());
    Ok((legacy.map_err(died)??, target.map_err(died)??))
}

/// What a log needs to be read row by row. Without full metadata it would not say which integers have a sign.
const ROW_LOG: [&str; 4] =
    ["--log-bin=mysql-bin-changelog", "--binlog-format=ROW", "--binlog-row-image=FULL", "--binlog-row-metadata=FULL"];

/// A process that is killed leaves what it has written to the operating system: no commit needs to wait for the disk.
const QUICK_COMMITS: &str = "--innodb-flush-log-at-trx-commit=2";

/// What tells the servers apart in their logs. Both give the same numbers to their rows, as servers do that nobody has told
/// otherwise: only the controller keeps one number from being given twice.
const SERVER_IDS: [&str; 2] = ["--server-id=1", "--server-id=2"];

/// Two weeks: longer than any rehearsal, as an operator would have set it before a migration.
const LEGACY_RETENTION: &str = "--binlog-expire-logs-seconds=1209600";

/// Legacy has always written a log.
fn legacy_options() -> Vec<String> {
    let log = ROW_LOG.map(str::to_owned);
    log.into_iter().chain([SERVER_IDS[1], QUICK_COMMITS, LEGACY_RETENTION].map(str::to_owned)).collect()
}

/// The target writes none until its parameter group says so and it is restarted.
fn target_options(binlog: Option<&EffectiveBinlog>) -> Vec<String> {
    let log = match binlog {
        Some(binlog) if binlog.format != "OFF" => vec![
            ROW_LOG[0].to_owned(),
            format!("--binlog-format={}", binlog.format),
            format!("--binlog-row-image={}", binlog.row_image),
            format!("--binlog-checksum={}", binlog.checksum),
            format!("--log-bin-compress={}", u8::from(binlog.form == LogForm::Compressed)),
            ROW_LOG[3].to_owned(),
        ],
        Some(_) | None => vec!["--skip-log-bin".to_owned()],
    };
    log.into_iter().chain([SERVER_IDS[0], QUICK_COMMITS].map(str::to_owned)).collect()
}

/// The stand-in AWS of a lab: the lab's tables, nobody simulated who pays, and rows that are moved elsewhere.
fn setting(migration: &Migration) -> Setting {
    Setting {
        tables: schema::tables(migration),
        rows_at_start: 0,
        quiet_interval: NEVER,
        busy_interval: NEVER,
        resolvers: RESOLVERS,
        validation_rows: 0,
        data_plane: DataPlane::Outside,
        ..Setting::of(migration)
    }
}

fn credentials_of(account: &Account) -> Credentials {
    let user = account.as_str().rsplit_once('@').map_or(account.as_str(), |(user, _)| user);
    Credentials { user: user.to_owned(), password: schema::PASSWORD.to_owned() }
}

/// Whom a canary knocks as on either side, by user.
fn canaries(migration: &Migration) -> BTreeMap<&str, &Account> {
    let sides = [Side::Legacy, Side::Target].map(|side| &migration.database(side).canaries);
    sides.into_iter().flatten().map(|canary| (user_of(&canary.account), &canary.account)).collect()
}

/// Credentials in a file as the spec asks for: nobody else may read it.
fn credentials_file(path: &Path, credentials: &Credentials) -> Result<(), std::io::Error> {
    // Its owner's alone, as credentials are.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let Credentials { user, password } = credentials;
    writeln!(file, "user={user}\npassword={password}")
}
