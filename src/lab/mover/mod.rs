//! What a DMS task does, on real servers: full load, reloads, and changes out of the source's binary log.
//!
//! A reader of the binary log that writes as an ordinary client, rather than native replication: native replication leaves
//! out what carries its own server id, and so could never show the loop that two overlapping tasks would make. What this one
//! applies is marked in the same transaction, as DMS's loopback prevention does it; without that setting it echoes.

mod apply;
mod full_load;
mod log;
pub mod table;
pub mod trouble;
pub mod value;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc::UnboundedReceiver;

use self::apply::Writer;
use self::log::{Log, Transaction};
use self::table::quoted;
pub use self::trouble::Trouble;
use crate::credentials::Credentials;
use crate::database::BinlogPosition;
use crate::mysql::connect::{Address, connect};
use crate::names::TableName;
use crate::sim::dms::mover::TableState;
use crate::sim::dms::settings::Policies;

/// Between two tries to reach a server: DMS tries for ever, after an error that may pass.
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

/// Transactions that are applied in one, at most, when they wait already: commits are what costs.
const TRANSACTIONS_AT_ONCE: usize = 200;

/// What a task moves, from where to where.
#[derive(Debug, Clone)]
pub struct Job {
    /// The task's identifier, under which the target keeps how far it has come.
    pub task: String,
    /// The id that it registers with at the source; no two readers of one server may share it.
    pub server_id: u32,
    /// Where rows are read.
    pub source: Address,
    /// Where rows are written.
    pub target: Address,
    /// An account that may do both.
    pub credentials: Credentials,
    /// The tables, in the order of loading.
    pub tables: Vec<TableName>,
    /// The controller's schema: its rows travel as changes, and are not loaded.
    pub marker_schema: String,
    /// What to do about rows that do not fit.
    pub policies: Policies,
    /// How the first load of a busy table is read.
    pub first_read: FirstRead,
}

/// How a table is read when it is loaded for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FirstRead {
    /// As of one position of the binary log.
    Consistent,
    /// This table is read some time after its changes began to be kept, so that rows written meanwhile come twice: the
    /// duplicate keys of a busy table, as DMS makes them.
    LateFor(TableName),
}

/// How a run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Every table is loaded, then changes.
    FullLoad,
    /// Changes from a position on; `None` is the end of the log now.
    Changes(Option<BinlogPosition>),
    /// As the run before left it.
    Resume,
}

/// What a running mover is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// End, after the transaction in hand.
    Stop,
    /// Empty this table on the target and load it again.
    Reload(TableName),
    /// Apply nothing until further notice, though the task goes on to call itself running.
    Hold,
    /// Go on.
    GoOn,
}

/// Whether a mover moves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Work {
    /// Not begun, or ended as it was told.
    #[default]
    Ended,
    /// It does.
    Moving,
    /// It cannot go on, and this is why.
    Failed(String),
}

/// How far one table has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableView {
    /// Which.
    pub name: TableName,
    /// Where it stands.
    pub state: TableState,
    /// Rows of its last load.
    pub full_load_rows: u64,
    /// Inserts and updates applied.
    pub applied: (u64, u64),
    /// Rows that were skipped.
    pub skipped: u64,
    /// How often it was loaded again.
    pub reloads: u32,
    /// What the server said of the last row that did not fit.
    pub last_error: Option<String>,
    /// Transactions up to here are in the loaded rows.
    from: Option<BinlogPosition>,
}

impl TableView {
    /// A table in this state of which nothing was moved yet.
    fn new(name: &TableName, state: TableState) -> Self {
        Self {
            name: name.clone(),
            state,
            full_load_rows: 0,
            applied: (0, 0),
            skipped: 0,
            reloads: 0,
            last_error: None,
            from: None,
        }
    }

    /// Whether it takes a transaction that ends here.
    fn takes(&self, end: &BinlogPosition) -> bool {
        self.state == TableState::Completed && self.from.as_ref().is_none_or(|from| from < end)
    }
}

/// What is seen of a mover from outside, while it runs and after; a resumed one goes on from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Whether it moves.
    pub work: Work,
    /// Its tables.
    pub tables: Vec<TableView>,
    /// Every transaction before this position of the source has been applied.
    pub checkpoint: Option<BinlogPosition>,
    /// Why the last connection broke, until there is another.
    pub waits_for: Option<String>,
}

/// A view that its mover writes.
pub type SharedView = Arc<Mutex<View>>;

/// The view now. Whoever held the lock and panicked has left whole values behind.
pub fn lock(view: &SharedView) -> MutexGuard<'_, View> {
    view.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a session with both servers ended in peace.
enum Peace {
    Stopped,
}

/// Whether changes are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Flowing,
    Held,
}

/// Moves rows until it is told to stop, or cannot go on.
pub async fn run(job: Job, begin: Begin, orders: UnboundedReceiver<Order>, view: SharedView) {
    lock(&view).work = Work::Moving;
    let mut mover = Mover { job, begin: Some(begin), orders, view, flow: Flow::Flowing };
    let work = mover.until_the_end().await;
    lock(&mover.view).work = work;
}

struct Mover {
    job: Job,
    /// How to begin, until it has begun.
    begin: Option<Begin>,
    orders: UnboundedReceiver<Order>,
    view: SharedView,
    flow: Flow,
}

impl Mover {
    async fn until_the_end(&mut self) -> Work {
        loop {
            match self.session().await {
                Ok(Peace::Stopped) => return Work::Ended,
                Err(Trouble::Passing(why)) => {
                    lock(&self.view).waits_for = Some(why);
                    let order = tokio::time::timeout(BETWEEN_TRIES, self.orders.recv()).await;
                    if let Ok(order) = order
                        && self.note(order).is_some()
                    {
                        return Work::Ended;
                    }
                }
                Err(trouble) => return Work::Failed(trouble.to_string()),
            }
        }
    }

    /// From connecting to the end, or to trouble.
    async fn session(&mut self) -> Result<Peace, Trouble> {
        let mut source = connect(&self.job.source, &self.job.credentials).await?;
        let connection = connect(&self.job.target, &self.job.credentials).await?;
        let mut writer = Writer::new(connection, &self.job).await?;
        lock(&self.view).waits_for = None;
        self.begin(&mut source, &mut writer).await?;
        self.load_what_is_not_loaded(&mut source, &mut writer).await?;
        let position = writer.position().await?.ok_or_else(|| Trouble::Final("the task has never begun".to_owned()))?;
        lock(&self.view).checkpoint = Some(position.clone());
        let mut log = Log::open(&self.job, source, &position).await?;
        self.follow(&mut log, &mut writer).await
    }

    async fn begin(&mut self, source: &mut Conn, writer: &mut Writer) -> Result<(), Trouble> {
        let state = match &self.begin {
            None | Some(Begin::Resume) => {
                self.begin = None;
                return Ok(());
            }
            Some(Begin::FullLoad) => TableState::BeforeLoad,
            Some(Begin::Changes(_)) => TableState::Completed,
        };
        let position = match &self.begin {
            Some(Begin::Changes(Some(position))) => position.clone(),
            _ => end_of_log(source).await?,
        };
        writer.set_position(&position).await?;
        lock(&self.view).tables = self.job.tables.iter().map(|name| TableView::new(name, state)).collect();
        self.begin = None;
        Ok(())
    }

    async fn load_what_is_not_loaded(&mut self, source: &mut Conn, writer: &mut Writer) -> Result<(), Trouble> {
        let waiting = |table: &TableView| !matches!(table.state, TableState::Completed | TableState::Error);
        let tables: Vec<TableView> = lock(&self.view).tables.iter().filter(|table| waiting(table)).cloned().collect();
        for table in tables {
            full_load::load(&self.job, &table, source, writer, &self.view).await?;
        }
        Ok(())
    }

    async fn follow(&mut self, log: &mut Log, writer: &mut Writer) -> Result<Peace, Trouble> {
        let mut waiting: Vec<Transaction> = Vec::new();
        loop {
            if self.flow == Flow::Held {
                let order = self.orders.recv().await;
                match self.obey(order, writer).await? {
                    Some(peace) => return Ok(peace),
                    None => continue,
                }
            }
            let event = tokio::select! {
                biased;
                order = self.orders.recv() => {
                    self.apply(&mut waiting, writer).await?;
                    match self.obey(order, writer).await? {
                        Some(peace) => return Ok(peace),
                        None => continue,
                    }
                }
                event = log.stream.next() => event,
            };
            waiting.extend(log.take(event).await?);
            // As long as the next event is here already, there is no hurry to commit.
            while waiting.len() < TRANSACTIONS_AT_ONCE
                && let Some(event) = log.stream.next().now_or_never()
            {
                waiting.extend(log.take(event).await?);
            }
            self.apply(&mut waiting, writer).await?;
        }
    }

    async fn apply(&self, waiting: &mut Vec<Transaction>, writer: &mut Writer) -> Result<(), Trouble> {
        if waiting.is_empty() {
            return Ok(());
        }
        writer.apply(std::mem::take(waiting), &self.job, &self.view).await
    }

    /// An order while there are connections. The sender is never gone before the mover, so silence is a stop too.
    async fn obey(&mut self, order: Option<Order>, writer: &mut Writer) -> Result<Option<Peace>, Trouble> {
        let peace = self.note(order);
        if peace.is_none() {
            let mut source = connect(&self.job.source, &self.job.credentials).await?;
            self.load_what_is_not_loaded(&mut source, writer).await?;
        }
        Ok(peace)
    }

    /// What an order means, apart from what has to be done at once.
    fn note(&mut self, order: Option<Order>) -> Option<Peace> {
        match order {
            None | Some(Order::Stop) => return Some(Peace::Stopped),
            Some(Order::Reload(name)) => {
                if let Some(table) = lock(&self.view).tables.iter_mut().find(|table| table.name == name) {
                    table.state = TableState::Reloading;
                    table.reloads += 1;
                }
            }
            Some(Order::Hold) => self.flow = Flow::Held,
            Some(Order::GoOn) => self.flow = Flow::Flowing,
        }
        None
    }
}

/// The end of a server's binary log.
pub async fn end_of_log(connection: &mut Conn) -> Result<BinlogPosition, Trouble> {
    let row: Option<(String, u64, String, String)> = connection.query_first("SHOW MASTER STATUS").await?;
    let (file, offset, ..) =
        row.ok_or_else(|| Trouble::Final("Binary logging must be enabled with binlog_format=ROW for MySQL server".to_owned()))?;
    Ok(BinlogPosition { file, offset })
}

/// The table in which the target keeps how far each task has come. Its name is DMS's own; whatever transaction touches it was
/// applied by a task.
fn state_table(marker_schema: &str) -> String {
    format!("{}.{}", quoted(marker_schema), quoted(STATE_TABLE))
}

/// `awsdms_txn_state`
const STATE_TABLE: &str = "awsdms_txn_state";
