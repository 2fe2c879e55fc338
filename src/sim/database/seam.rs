//! The database seam over the simulated databases: the same verbs as real servers, in virtual time.

use std::collections::BTreeSet;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::Availability;
use super::binlog::{Change, Origin};
use super::compare::{DigestScope, TableDigest, digests};
use super::structure;
use crate::clock::Clock;
use crate::database::receipt::{Knock, KnockAnswer, REST, Rest};
use crate::database::{
    Answer, Bypass, Counter, Database, DatabaseView, Epoch, IdFloor, IdSpace, Inspection, MigrationsTable, Receipt, Stride,
    Structure,
};
use crate::fault::{Fault, Problem};
use crate::names::{Account, MarkerId, Side};
use crate::sim::crash::{CrashSwitch, Place};
use crate::sim::wire::Cloud;
use crate::sim::{SharedWorld, World};

/// How long a verb over the network takes, in milliseconds.
const LATENCY_MS: std::ops::Range<u64> = 2..15;
/// How long lock, kill and wait take (median and worst of the measurements on real servers), in milliseconds.
const FENCE_MS: std::ops::Range<u64> = 30..500;
/// How long the fence waits for a long transaction before it hands the waiting back: the caller looks, and closes again.
const FENCE_PATIENCE: Duration = Duration::from_secs(2);
/// How often it looks meanwhile.
const FENCE_POLL: Duration = Duration::from_millis(100);

/// One simulated database, as a controller's account reaches it.
#[derive(Clone)]
pub struct SimulatedDatabase {
    world: SharedWorld,
    side: Side,
    clock: Clock,
    crash: CrashSwitch,
}

impl std::fmt::Debug for SimulatedDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedDatabase").field("side", &self.side).finish_non_exhaustive()
    }
}

/// Whether a verb's connection breaks, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// It does not.
    None,
    /// Before the verb is applied.
    Before,
    /// After it was applied.
    After,
}

impl SimulatedDatabase {
    /// The database of `side` in `world`.
    pub const fn new(world: SharedWorld, side: Side, clock: Clock, crash: CrashSwitch) -> Self {
        Self { world, side, clock, crash }
    }

    /// The world, advanced to now. A controller that was killed elsewhere leaves sound data behind, so poison is no matter.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        world
    }

    /// One verb: it travels, it may break, the controller may die on either side of it.
    async fn verb<T: Send>(
        &self,
        name: &'static str,
        apply: impl FnOnce(&mut World, Side) -> Result<T, Problem> + Send,
    ) -> Result<T, Fault> {
        self.crash.place(Place::BeforeVerb);
        let (latency, fails) = self.draw();
        self.clock.sleep(latency).await;
        let broken = |when| Problem::Ambiguous { detail: format!("the connection broke {when} the statement") };
        let outcome = match fails {
            Break::Before => Err(broken("before")),
            Break::None | Break::After => {
                let mut world = self.world();
                match world.databases.side(self.side).availability {
                    Availability::Rebooting => {
                        Err(Problem::Unreachable { why: "connection refused: the server restarts".to_owned() })
                    }
                    Availability::Available => apply(&mut world, self.side),
                }
            }
        };
        let outcome = match fails {
            Break::After => outcome.and_then(|_| Err(broken("after"))),
            Break::None | Break::Before => outcome,
        };
        self.crash.place(Place::AfterVerb);
        outcome.map_err(|problem| Fault { attempted: format!("{name} on {}", self.side), problem })
    }

    fn draw(&self) -> (Duration, Break) {
        let mut world = self.world();
        let latency = Duration::from_millis(world.seam_rng.u64(LATENCY_MS));
        let chance = world.faults().profile.database_error;
        if !world.faults().strikes(chance) {
            return (latency, Break::None);
        }
        world.faults().count("database_error");
        (latency, if world.seam_rng.bool() { Break::Before } else { Break::After })
    }

    /// Digests of all tables. Reads only.
    ///
    /// # Errors
    /// A fault, where the connection breaks or the server restarts.
    pub async fn digest_tables(&self, scope: DigestScope<'_>) -> Result<Vec<TableDigest>, Fault> {
        self.verb("digest the tables", move |world, side| Ok(digests(world, side, scope))).await
    }

    /// Reads both sides, and saves what it finds on the controller's own disk.
    ///
    /// # Errors
    /// As [`Self::digest_tables`].
    pub async fn saved<T: Send>(&self, name: &'static str, save: impl FnOnce(&mut World) -> T + Send) -> Result<T, Fault> {
        self.verb(name, |world, _| Ok(save(world))).await
    }

    async fn close(&self, epoch: Epoch, accounts: &[Account]) -> Result<(), Fault> {
        let lock = |world: &mut World, side| {
            claim(world, side, epoch)?;
            world.lock_accounts(side, accounts);
            Ok(Duration::from_millis(world.seam_rng.u64(FENCE_MS)))
        };
        let takes = self.verb("lock the accounts", lock).await?;
        self.clock.sleep(takes).await;
        self.world().kill_connections(self.side);
        let mut waited = Duration::ZERO;
        while waited < FENCE_PATIENCE && self.world().customers.open_transactions(self.side) > 0 {
            self.clock.sleep(FENCE_POLL).await;
            waited += FENCE_POLL;
            self.world().kill_connections(self.side);
        }
        Ok(())
    }

    async fn write(
        &self,
        name: &'static str,
        epoch: Epoch,
        change: impl FnOnce(Side, Timestamp) -> Change + Send,
    ) -> Result<(), Fault> {
        let apply = |world: &mut World, side| {
            claim(world, side, epoch)?;
            let now = world.now();
            let change = change(side, now);
            let database = world.databases.side_mut(side);
            let is_there = matches!(&change, Change::Marker(marker) if database.markers.contains(marker));
            if !is_there {
                database.commit(now, Origin::Controller, vec![change]);
            }
            Ok(())
        };
        self.verb(name, apply).await
    }
}

/// The epoch check, in the same transaction as the write: a newer controller's word is kept, an older one's refused.
fn claim(world: &mut World, side: Side, epoch: Epoch) -> Result<(), Problem> {
    let stored = &mut world.databases.side_mut(side).epoch;
    if epoch.0 < *stored {
        return Err(Problem::Superseded { ours: epoch.0, theirs: *stored });
    }
    *stored = epoch.0;
    let now = world.now();
    world.monitor.changed_under(now, side, epoch.0);
    Ok(())
}

fn view(world: &mut World, side: Side) -> DatabaseView {
    let now = world.now();
    let open_transactions = world.customers.open_transactions(side);
    world.databases.side_mut(side).purge(now);
    let database = world.databases.side(side);
    DatabaseView {
        at: now,
        accounts: database.account_views(open_transactions),
        open_transactions,
        position: database.position(),
        binlog: database.binlog_view(),
        epoch: Epoch(database.epoch),
        tables: structure::tables(world, side),
        markers: database.markers.clone(),
        heartbeats: database.heartbeats.clone(),
        receipt: receipt(world, side, open_transactions),
    }
}

/// What canaries of the declared accounts meet here: the lock, and nothing else, refuses them.
fn receipt(world: &World, side: Side, open_transactions: u32) -> Option<Receipt> {
    let declared = world.setting.migration.database(side);
    let database = world.databases.side(side);
    let views = database.account_views(open_transactions);
    let shut =
        |account: &Account| views.iter().any(|view| view.account == *account && view.lock.is_shut() && view.connections == 0);
    if !declared.application_accounts.iter().all(shut) {
        return None;
    }
    let everybody: Vec<Account> = views.iter().map(|view| view.account.clone()).filter(|account| shut(account)).collect();
    let (tried, untried): (Vec<Account>, Vec<Account>) =
        everybody.iter().cloned().partition(|account| declared.canaries.iter().any(|canary| canary.account == *account));
    let endpoint = format!("{}:{}", declared.host, declared.port);
    let answer = || KnockAnswer::Refused { code: "3118".to_owned() };
    let knocks = tried.into_iter().map(|account| Knock { account, endpoint: endpoint.clone(), answer: answer() }).collect();
    let rest = match database.position() {
        _ if everybody.len() < views.len() || open_transactions > 0 => Rest::NotAsked,
        None => Rest::NoBinlog,
        Some(to) if database.log.moved_within(REST, world.now()) => Rest::Moved { to },
        Some(_) => Rest::Still { milliseconds: u64::try_from(REST.as_millis()).unwrap_or(u64::MAX) },
    };
    Some(Receipt { knocks, untried, undeclared_writers: Vec::new(), rest })
}

/// What is known beforehand: the controller's own account may do everything here, and strangers are seen.
fn inspection(world: &World, side: Side) -> Inspection {
    let trusted = &world.setting.migration.database(side).trusted_accounts;
    let strangers = world.databases.side(side).strangers.iter();
    let untrusted = strangers.filter(|(account, _)| !trusted.iter().any(|trusted| trusted.account == *account));
    let bypasses = untrusted
        .map(|(account, privilege)| Bypass::Administrator { account: account.clone(), privilege: (*privilege).to_owned() })
        .collect();
    Inspection { at: world.now(), missing_privileges: Vec::new(), bypasses, canaries: logins(world, side) }
}

/// What each canary's login meets: its account, locked or not, or nobody of that name. Every password here is right.
fn logins(world: &World, side: Side) -> Vec<Knock> {
    let (declared, database) = (world.setting.migration.database(side), world.databases.side(side));
    let answer = |account: &Account| match database.accounts.iter().find(|known| known.account == *account) {
        Some(known) if known.lock.is_shut() => KnockAnswer::Refused { code: "3118".to_owned() },
        Some(_) => KnockAnswer::LetIn,
        None => KnockAnswer::Inconclusive { why: "denied (1045): nobody here has that name".to_owned() },
    };
    let endpoint = format!("{}:{}", declared.host, declared.port);
    let knock = |account: &Account| Knock { account: account.clone(), endpoint: endpoint.clone(), answer: answer(account) };
    declared.canaries.iter().map(|canary| knock(&canary.account)).collect()
}

fn id_space(world: &World, side: Side) -> IdSpace {
    let tables = world.setting.tables.iter().zip(&world.databases.side(side).tables);
    let counter = |table: &super::rows::Table| Counter { next: table.next_id(), highest: table.last_id(), maximum: u64::MAX };
    IdSpace { stride: Stride::default(), counters: tables.map(|(name, table)| (name.clone(), counter(table))).collect() }
}

impl Database for SimulatedDatabase {
    fn side(&self) -> Side {
        self.side
    }

    fn look(&self) -> Answer<'_, DatabaseView> {
        Box::pin(self.verb("look", |world, side| Ok(view(world, side))))
    }

    fn inspect(&self) -> Answer<'_, Inspection> {
        Box::pin(self.verb("inspect", |world, side| Ok(inspection(world, side))))
    }

    fn id_space(&self) -> Answer<'_, IdSpace> {
        Box::pin(self.verb("read the numbers of the rows", |world, side| Ok(id_space(world, side))))
    }

    fn structure(&self) -> Answer<'_, Structure> {
        Box::pin(self.verb("read the structure", |world, side| Ok(structure::structure(world, side))))
    }

    fn migrations<'a>(&'a self, _table: &'a MigrationsTable) -> Answer<'a, BTreeSet<String>> {
        Box::pin(self.verb("read the application's migrations", |world, side| Ok(structure::migrations(world, side))))
    }

    /// Whatever is asked, it is what somebody would ask here: how often the application has written.
    fn number<'a>(&'a self, _query: &'a str) -> Answer<'a, i64> {
        Box::pin(self.verb("ask for a number", |world, side| {
            Ok(i64::try_from(world.databases.side(side).application_commits).unwrap_or(i64::MAX))
        }))
    }

    fn raise_ids<'a>(&'a self, epoch: Epoch, floors: &'a [IdFloor]) -> Answer<'a, ()> {
        Box::pin(self.verb("raise the numbers of the next rows", move |world, side| {
            claim(world, side, epoch)?;
            for floor in floors {
                let number = world.setting.table_number(&floor.table.schema, &floor.table.table);
                let number = number.ok_or_else(|| Problem::NotFound { code: format!("1146, {}", floor.table) })?;
                world.databases.side_mut(side).tables[number].raise_next_id(floor.next);
            }
            Ok(())
        }))
    }

    fn beat(&self, epoch: Epoch) -> Answer<'_, ()> {
        Box::pin(self.write("write a heartbeat", epoch, Change::Heartbeat))
    }

    fn close_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(self.close(epoch, accounts))
    }

    fn open_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(self.verb("unlock the accounts", move |world, side| {
            claim(world, side, epoch)?;
            world.unlock_accounts(side, accounts);
            Ok(())
        }))
    }

    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()> {
        Box::pin(self.write("write a marker", epoch, |_, _| Change::Marker(marker.clone())))
    }

    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()> {
        Box::pin(self.verb("set the binary log's retention", move |world, side| {
            claim(world, side, epoch)?;
            if hours == 0 || hours > 2160 {
                let message = format!("{hours} is not between 1 and 2160");
                return Err(Problem::Invalid { code: "1644".to_owned(), message });
            }
            world.databases.side_mut(side).retention_hours = Some(hours);
            Ok(())
        }))
    }
}
