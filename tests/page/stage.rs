//! A server whose board the test writes, on its own runtime, so that a test can wait for a browser as a person does.

use std::net::SocketAddr;
use std::sync::Arc;

use bascule::http::{Board, Limits, serve};
use bascule::journal::Journal;
use bascule::migration::plan::{Pace, Plan};
use bascule::migration::status::MigrationStatus;
use bascule::spec::Migration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::browser::Tab;
use crate::states::State;

/// A running server.
pub struct Stage {
    pub board: Arc<Board>,
    pub address: SocketAddr,
    pub runtime: Runtime,
    limits: Limits,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Stage {
    /// With nothing on its board.
    pub fn empty(limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let board = Arc::new(Board::new("2026-03-07T23:00:00Z".parse().expect("a time")));
        let mut stage = Self { board, address: ([127, 0, 0, 1], 0).into(), runtime, limits, running: None };
        stage.start();
        stage
    }

    /// With these states on its board.
    pub fn with<'a>(states: impl IntoIterator<Item = &'a State>) -> Self {
        let stage = Self::empty(Limits::default());
        states.into_iter().for_each(|state| stage.show(state));
        stage
    }

    /// Listens, at the same address as before if there was one.
    pub fn start(&mut self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).expect("a free port");
        self.address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Arc::clone(&self.board), self.limits.clone(), async { _ = stopped.await });
        self.running = Some((stop, self.runtime.spawn(serving)));
    }

    /// Goes away.
    pub fn stop(&mut self) {
        if let Some((stop, task)) = self.running.take() {
            _ = stop.send(());
            _ = self.runtime.block_on(task);
        }
    }

    /// Puts a state on the board, with its journal.
    pub fn show(&self, state: &State) {
        let journal = Journal::in_memory(state.migration.name()).expect("a journal");
        for (at, fact) in &state.told {
            journal.record(*at, 7, fact.clone()).expect("a fact");
        }
        self.board.attach(state.migration.name(), Arc::new(journal));
        self.publish(&state.migration, state.status.clone());
    }

    /// Publishes a status.
    pub fn publish(&self, migration: &Migration, status: MigrationStatus) {
        let plan = Plan {
            rung: status.rung,
            actions: Vec::new(),
            waiting: Vec::new(),
            blocked: Vec::new(),
            gates: Vec::new(),
            pace: Pace::Settled,
            look_again_at: None,
        };
        self.board.publish(migration, 7, status, plan);
    }

    /// The address of the page, or of one migration on it.
    pub fn url(&self, migration: &str) -> String {
        format!("http://{}/#/{migration}", self.address)
    }

    /// Leads a tab to a migration and waits until all of it is shown.
    pub fn visit(&self, tab: &Tab, migration: &str) {
        tab.go("about:blank");
        tab.go(&self.url(migration));
        tab.until_says("h1", migration);
        tab.until("document.querySelector('#picture svg') && document.querySelector('#history .events li')");
    }
}
