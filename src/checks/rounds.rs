//! Rounds of checks: those that are due are made, within the pass that asks or beside it, and the board remembers.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::board::Board;
use super::checker::{Checker, Round};
use super::declared::Declared;
use super::network::Network;
use super::outcome::{Code, Outcome};
use super::probe::{Probe, Secrets};
use super::run::{Ended, run_all};
use crate::clock::Clock;
use crate::database::Database;
use crate::names::Side;
use crate::spec::{Checks, Migration};

/// What checks are made with, for as long as a controller runs.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Names, pages, caches.
    pub network: Arc<dyn Network>,
    /// Where credentials are found.
    pub secrets: Arc<dyn Secrets>,
    /// The legacy database.
    pub legacy: Arc<dyn Database>,
    /// The target database.
    pub target: Arc<dyn Database>,
    /// Time.
    pub clock: Clock,
}

impl Tools {
    /// The same for one run.
    pub fn probe<'a>(&'a self, migration: &'a Migration, public_at: Side) -> Probe<'a> {
        Probe {
            migration,
            network: &*self.network,
            secrets: &*self.secrets,
            legacy: &*self.legacy,
            target: &*self.target,
            clock: &self.clock,
            public_at,
        }
    }
}

/// Whether whoever begins a round waits for its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It does: the simulated world answers in no time.
    WithinThePass,
    /// It does not: the round is a task of its own.
    BesideThePass,
}

/// Makes rounds of checks for one controller.
pub struct Rounds {
    tools: Tools,
    manner: Manner,
    stand: watch::Sender<Stand>,
    task: Mutex<Option<AbortHandle>>,
}

/// How things stand, and what they were proven of.
#[derive(Debug, Default)]
struct Stand {
    board: Board,
    under_way: bool,
    /// The declarations that the board is about, and where the public name was to lead: what was proven of others counts no more.
    of: Option<(Checks, Side)>,
}

impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rounds").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Rounds {
    /// Nothing has been checked yet.
    pub fn new(tools: Tools, manner: Manner) -> Self {
        Self { tools, manner, stand: watch::Sender::default(), task: Mutex::default() }
    }

    /// What is due of what is declared; nothing while a round is under way.
    fn due<'a>(&self, migration: &'a Migration, round: Round) -> Vec<Declared<'a>> {
        let now = self.tools.clock.now();
        let mut due = Vec::new();
        self.stand.send_modify(|stand| {
            stand.forget_others(&migration.spec.checks, round.public_at);
            if !stand.under_way {
                let is_due = |check: &Declared<'_>| stand.board.is_due(check.name(), round.interval, now);
                due = Declared::all(&migration.spec.checks).filter(is_due).collect();
                stand.under_way = !due.is_empty();
            }
        });
        due
    }

    #[allow(clippy::disallowed_methods, reason = "this is the shell of checks: the task ends with it")]
    fn spawn(&self, migration: Migration, round: Round, names: Vec<crate::names::CheckName>) {
        let (tools, stand) = (self.tools.clone(), self.stand.clone());
        let task = tokio::spawn(async move {
            let due: Vec<_> = Declared::all(&migration.spec.checks).filter(|check| names.contains(check.name())).collect();
            let made = AssertUnwindSafe(make(&tools, &stand, &migration, round, due.clone())).catch_unwind().await;
            if made.is_err() {
                let at = tools.clock.now();
                note(&stand, &migration, round, due.into_iter().map(|check| broke_off(check, at)).collect());
            }
        });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }
}

/// Makes the checks that are due and notes how they ended, unless others are declared by then.
async fn make(tools: &Tools, stand: &watch::Sender<Stand>, migration: &Migration, round: Round, due: Vec<Declared<'_>>) {
    let busy = tools.clock.busy();
    let ended = run_all(due, &tools.probe(migration, round.public_at)).await;
    drop(busy);
    note(stand, migration, round, ended);
}

fn note(stand: &watch::Sender<Stand>, migration: &Migration, round: Round, ended: Vec<Ended<'_>>) {
    stand.send_modify(|stand| {
        stand.under_way = false;
        if stand.is_about(&migration.spec.checks, round.public_at) {
            for run in ended {
                stand.board.note(run.check.name(), run.check.kind(), run.at, run.outcome);
            }
        }
    });
}

fn broke_off(check: Declared<'_>, at: Timestamp) -> Ended<'_> {
    let message = "its round broke off; this is a defect of bascule, and its log says where";
    Ended { check, at, outcome: Outcome::unknown(Code::NotAsked, message, Vec::new()) }
}

impl Stand {
    fn is_about(&self, checks: &Checks, public_at: Side) -> bool {
        self.of.as_ref().is_some_and(|(known, side)| same_but_for_waivers(known, checks) && *side == public_at)
    }

    /// Another declaration, or another place to lead to, has to be proven anew.
    fn forget_others(&mut self, checks: &Checks, public_at: Side) {
        if !self.is_about(checks, public_at) {
            self.board = Board::default();
            self.of = Some((Checks { waivers: Vec::new(), ..checks.clone() }, public_at));
        }
    }
}

/// A waiver changes what is demanded, not what was seen.
fn same_but_for_waivers(known: &Checks, checks: &Checks) -> bool {
    *known == Checks { waivers: Vec::new(), ..checks.clone() }
}

impl Checker for Rounds {
    fn begin<'a>(&'a self, migration: &'a Migration, round: Round) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let due = self.due(migration, round);
            match self.manner {
                _ if due.is_empty() => {}
                Manner::WithinThePass => make(&self.tools, &self.stand, migration, round, due).await,
                Manner::BesideThePass => {
                    let names = due.iter().map(|check| check.name().clone()).collect();
                    self.spawn(migration.clone(), round, names);
                }
            }
        })
    }

    fn board(&self) -> Board {
        self.stand.borrow().board.clone()
    }

    fn ending(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut changes = self.stand.subscribe();
        Box::pin(async move {
            let is_under_way = changes.borrow_and_update().under_way;
            if !is_under_way || changes.wait_for(|stand| !stand.under_way).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
