//! Real servers compared beside the controller's passes, on connections of its own.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::comparer::{Comparer, Comparison};
use super::passage::{Beats, Heartbeats};
use super::progress::StateFile;
use super::report::Report;
use super::run::{Request, run};
use super::server::{Limits, Server, servers};
use crate::clock::Clock;
use crate::database::{Answer, Epoch};
use crate::mysql::database::MySqlDatabase;
use crate::names::Side;
use crate::spec::Migration;

/// The least that rows are waited for before nothing can be said about them: a minute, which outlasts a failover.
const PATIENCE: Duration = Duration::from_secs(60);

/// Compares real servers in a task of its own.
#[derive(Debug)]
pub struct Background {
    clock: Clock,
    /// Where progress is kept; without it, a crash begins anew.
    state: Option<PathBuf>,
    limits: Limits,
    stand: watch::Sender<Stand>,
    task: Mutex<Option<AbortHandle>>,
}

/// How things stand, and with the how many-eth comparison: one that was stopped has no say in the next.
#[derive(Debug, Default)]
struct Stand {
    number: u64,
    comparison: Comparison,
}

impl Background {
    /// Keeps progress in files of the directory `state`.
    pub fn new(clock: &Clock, state: Option<PathBuf>) -> Self {
        let (stand, task) = (watch::Sender::default(), Mutex::default());
        Self { clock: clock.clone(), state, limits: Limits::default(), stand, task }
    }

    /// The same with other limits for each statement.
    #[must_use]
    pub const fn limited_to(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn state_file(&self, migration: &Migration) -> Option<StateFile> {
        // `bascule parity` may be at work beside the controller, and keeps its own.
        self.state.as_ref().map(|directory| StateFile(directory.join(format!("{}.comparison", migration.name()))))
    }

    #[allow(clippy::disallowed_methods, reason = "this is the shell of comparisons: the task ends with it")]
    fn spawn(&self, migration: &Migration, epoch: Epoch) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stand.borrow().comparison.under_way.is_some() {
            return;
        }
        let mut number = 0;
        self.stand.send_modify(|stand| {
            stand.number += 1;
            number = stand.number;
            stand.comparison.under_way = Some("the tables are looked up".to_owned());
        });
        let work = Work {
            migration: migration.clone(),
            epoch,
            clock: self.clock.clone(),
            state: self.state_file(migration),
            limits: self.limits,
            place: Place { stand: self.stand.clone(), number },
        };
        *task = Some(tokio::spawn(work.carry_out()).abort_handle());
    }
}

impl Comparer for Background {
    fn begin<'a>(&'a self, migration: &'a Migration, epoch: Epoch) -> Answer<'a, ()> {
        Box::pin(async move {
            self.spawn(migration, epoch);
            Ok(())
        })
    }

    fn stop(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
            self.stand.send_modify(|stand| {
                stand.number += 1;
                stand.comparison.under_way = None;
            });
        }
    }

    fn comparison(&self) -> Comparison {
        self.stand.borrow().comparison.clone()
    }

    fn ending(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut changes = self.stand.subscribe();
        Box::pin(async move {
            let is_under_way = changes.borrow_and_update().comparison.under_way.is_some();
            if !is_under_way || changes.wait_for(|stand| stand.comparison.under_way.is_none()).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where one comparison says how far it is.
struct Place {
    stand: watch::Sender<Stand>,
    number: u64,
}

impl Place {
    fn say(&self, change: impl FnOnce(&mut Comparison)) {
        self.stand.send_if_modified(|stand| {
            let is_ours = stand.number == self.number;
            if is_ours {
                change(&mut stand.comparison);
            }
            is_ours
        });
    }
}

/// One comparison, with all that it needs.
struct Work {
    migration: Migration,
    epoch: Epoch,
    clock: Clock,
    state: Option<StateFile>,
    limits: Limits,
    place: Place,
}

impl Work {
    async fn carry_out(self) {
        // Where waiting is shortened, comparing still takes as long as it takes.
        let busy = self.clock.busy();
        let began = self.clock.now();
        let compared = AssertUnwindSafe(self.compare()).catch_unwind().await;
        let report = match compared {
            Ok(Ok(report)) => report,
            Ok(Err(why)) => Report::failed(self.migration.name(), why, began, self.clock.now()),
            Err(_) => {
                let why = "the comparison broke off; this is a defect of bascule, and its log says where".to_owned();
                Report::failed(self.migration.name(), why, began, self.clock.now())
            }
        };
        drop(busy);
        self.place.say(|comparison| *comparison = Comparison { under_way: None, ended: Some(report) });
    }

    async fn compare(&self) -> Result<Report, String> {
        let servers = servers(&self.migration)?.map(|server| Server { limits: self.limits, ..server });
        let max_lag = self.migration.spec.replication.forward.max_lag.duration();
        let database = |side| Arc::new(MySqlDatabase::new(&self.migration, side, &self.clock));
        let passage = Heartbeats {
            databases: [database(Side::Legacy), database(Side::Target)],
            clock: self.clock.clone(),
            patience: PATIENCE + max_lag * 4,
            beats: Beats::Own(self.epoch),
        };
        let request = Request {
            migration: &self.migration,
            servers: &servers,
            only: None,
            source: Side::Legacy,
            passage: &passage,
            state: self.state.as_ref(),
            clock: &self.clock,
        };
        let mut tell = |line: &str| self.place.say(|comparison| comparison.under_way = Some(line.to_owned()));
        run(&request, &mut tell).await.map_err(|fault| fault.to_string())
    }
}
