//! Between the stand-in AWS and the real servers: what the one says happens, happens on the others, and what happens there is
//! told back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::mover::{self, Begin, FirstRead, Job, Order, SharedView, View, Work};
use super::server::Server;
use super::{legacy_options, target_options};
use crate::clock::Clock;
use crate::names::{Direction, Side, TableName, TaskArn};
use crate::sim::SharedWorld;
use crate::sim::dms::mover::TableState;
use crate::sim::dms::outside::{Errand, News, Pulse, TableNews};
use crate::sim::dms::task::StartHow;
use crate::sim::rds::{EffectiveBinlog, RdsEffect};
use crate::sim::wire::Cloud;

/// How often the two are brought into step: well below anything that a pause is measured in.
const STEP: Duration = Duration::from_millis(2);

/// What happens in the lab that AWS does not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Changes of a direction stand still until this time, though the task says that it runs.
    Stall(Direction, Timestamp),
    /// The process that moves a direction's rows is gone.
    MoverDies(Direction),
    /// A server's process is killed, and started again by whoever watches over it.
    ServerDies(Side),
    /// An application's connection begins a transaction, and holds it open for as long as it is let.
    TransactionHeld(Side),
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stall(direction, until) => write!(f, "the {direction} stream stands still until {until:.0}"),
            Self::MoverDies(direction) => write!(f, "the process that moves the {direction} rows is killed"),
            Self::ServerDies(side) => write!(f, "the {side} server is killed, and started again"),
            Self::TransactionHeld(side) => write!(f, "a customer holds a transaction open on the {side} side"),
        }
    }
}

/// Both servers, the movers between them, and the stand-in world that they follow.
pub(super) struct Bridge {
    pub world: SharedWorld,
    pub clock: Clock,
    pub legacy: Server,
    pub target: Server,
    pub marker_schema: String,
    /// The table whose first load is read late.
    pub busy_table: TableName,
    movers: BTreeMap<TaskArn, Running>,
    binlog: Option<EffectiveBinlog>,
    stalled: Option<(Direction, Timestamp)>,
}

/// A mover that was begun, and may have ended.
struct Running {
    direction: Direction,
    orders: UnboundedSender<Order>,
    view: SharedView,
    task: JoinHandle<()>,
}

impl Bridge {
    pub(super) fn new(
        world: SharedWorld,
        clock: Clock,
        (legacy, target): (Server, Server),
        marker_schema: String,
        busy_table: TableName,
    ) -> Self {
        Self { world, clock, legacy, target, marker_schema, busy_table, movers: BTreeMap::new(), binlog: None, stalled: None }
    }

    /// Keeps both in step until nobody can send mishaps any more, then hands the servers back with every mover stopped.
    pub(super) async fn run(mut self, mut mishaps: UnboundedReceiver<Mishap>) -> (Server, Server) {
        loop {
            match mishaps.try_recv() {
                Ok(mishap) => self.happen(mishap),
                Err(tokio::sync::mpsc::error::TryRecvError::Empty) => {}
                Err(tokio::sync::mpsc::error::TryRecvError::Disconnected) => break,
            }
            self.step();
            tokio::time::sleep(STEP).await;
        }
        for (_, running) in std::mem::take(&mut self.movers) {
            // A mover that has ended does not listen, and needs no telling.
            _ = running.orders.send(Order::Stop);
            _ = running.task.await;
        }
        (self.legacy, self.target)
    }

    fn step(&mut self) {
        let (errands, effects) = {
            let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
            world.advance(self.clock.now());
            (world.dms.take_errands(), std::mem::take(&mut world.writer_effects))
        };
        for effect in effects {
            self.follow_the_writer(effect);
        }
        for errand in errands {
            self.run_an_errand(errand);
        }
        // Only now: what a mover said before it had its errand would undo what AWS has just answered.
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        if world.dms.has_errands() {
            return;
        }
        let now = self.clock.now();
        for (arn, running) in &self.movers {
            world.dms.hear(now, arn, &running.news());
        }
        drop(world);
        if let Some((direction, _)) = self.stalled.filter(|(_, until)| *until <= self.clock.now()) {
            self.stalled = None;
            self.order(direction, &Order::GoOn);
        }
    }

    fn follow_the_writer(&mut self, effect: RdsEffect) {
        match effect {
            RdsEffect::WriterRebooting { .. } => self.target.kill(),
            RdsEffect::WriterUp { binlog, .. } => {
                self.binlog = Some(binlog);
                self.start_target();
            }
        }
    }

    fn start_target(&mut self) {
        let options = target_options(self.binlog.as_ref());
        start(&mut self.target, &options);
    }

    fn run_an_errand(&mut self, errand: Errand) {
        match errand {
            Errand::Begin { arn, identifier, direction, tables, policies, how } => {
                let (source, target) = match direction {
                    Direction::Forward => (&self.legacy, &self.target),
                    Direction::Reverse => (&self.target, &self.legacy),
                };
                let job = Job {
                    task: identifier.to_string(),
                    // Beside the servers' own 1 and 2.
                    server_id: match direction {
                        Direction::Forward => 11,
                        Direction::Reverse => 12,
                    },
                    source: source.address(),
                    target: target.address(),
                    credentials: Server::root(),
                    tables,
                    marker_schema: self.marker_schema.clone(),
                    policies,
                    first_read: FirstRead::LateFor(self.busy_table.clone()),
                };
                let begin = match how {
                    StartHow::FullLoad => Begin::FullLoad,
                    StartHow::Changes(position) => Begin::Changes(position),
                    StartHow::Resume => Begin::Resume,
                };
                let view = match (&begin, self.movers.remove(&arn)) {
                    (Begin::Resume, Some(before)) => before.view,
                    _ => Arc::new(Mutex::new(View::default())),
                };
                let (orders, taken) = unbounded_channel();
                mover::lock(&view).work = Work::Moving;
                #[allow(
                    clippy::disallowed_methods,
                    reason = "the lab is the shell of its servers; the task is joined or aborted here"
                )]
                let task = tokio::spawn(mover::run(job, begin, taken, Arc::clone(&view)));
                self.movers.insert(arn, Running { direction, orders, view, task });
            }
            Errand::Stop { arn } => {
                if let Some(running) = self.movers.get(&arn) {
                    // One that has ended has stopped.
                    _ = running.orders.send(Order::Stop);
                }
            }
            Errand::Reload { arn, table } => {
                if let Some(running) = self.movers.get(&arn) {
                    if let Some(table) = mover::lock(&running.view).tables.iter_mut().find(|view| view.name == table) {
                        table.state = TableState::Reloading;
                    }
                    // One that has ended cannot reload, and says so in its news.
                    _ = running.orders.send(Order::Reload(table));
                }
            }
        }
    }

    fn happen(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::Stall(direction, until) => {
                self.stalled = Some((direction, until));
                self.order(direction, &Order::Hold);
            }
            Mishap::MoverDies(direction) => {
                for running in self.movers.values().filter(|running| running.direction == direction) {
                    running.task.abort();
                    let mut view = mover::lock(&running.view);
                    if view.work == Work::Moving {
                        view.work = Work::Failed("Replication task process ended. Stop Reason FATAL_ERROR".to_owned());
                    }
                }
            }
            Mishap::ServerDies(Side::Target) => {
                self.target.kill();
                self.start_target();
            }
            Mishap::ServerDies(Side::Legacy) => {
                self.legacy.kill();
                start(&mut self.legacy, &legacy_options());
            }
            // A customer's doing: the lab has sent one.
            Mishap::TransactionHeld(_) => {}
        }
    }

    fn order(&self, direction: Direction, order: &Order) {
        for running in self.movers.values().filter(|running| running.direction == direction) {
            // One that has ended stands still anyway.
            _ = running.orders.send(order.clone());
        }
    }
}

/// Starts a server that ran before. Without it the lab is over, and its reason is the server's own.
fn start(server: &mut Server, options: &[String]) {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    if let Err(error) = tokio::task::block_in_place(|| server.start_again(&options)) {
        panic!("a server of the lab does not start again: {error}");
    }
}

impl Running {
    fn news(&self) -> News {
        let view = mover::lock(&self.view);
        let pulse = match &view.work {
            Work::Moving => Pulse::AtWork,
            Work::Ended => Pulse::Ended,
            Work::Failed(why) => Pulse::Failed(why.clone()),
        };
        let tables = view.tables.iter().map(|table| TableNews {
            name: table.name.clone(),
            state: table.state,
            full_load_rows: table.full_load_rows,
            applied: table.applied,
            skipped: table.skipped,
        });
        News { pulse, checkpoint: view.checkpoint.clone(), tables: tables.collect() }
    }
}
