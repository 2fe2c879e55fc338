//! Tasks whose rows are moved by somebody outside this world: what that mover is told, and what it tells.
//!
//! The task's status machine stays here, and answers AWS's calls. Only the moving is elsewhere.

use jiff::Timestamp;

use super::mover::{TableState, TaskFailure};
use super::settings::Policies;
use super::task::{StartHow, Status};
use super::{Dms, fail};
use crate::database::BinlogPosition;
use crate::names::{Direction, TableName, TaskArn, TaskIdentifier};

/// Who moves the rows of this world's tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DataPlane {
    /// This world does, between its two simulated databases.
    #[default]
    Simulated,
    /// Somebody outside does, between databases that are none of this world's.
    Outside,
}

/// What a mover outside is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// A task begins to move.
    Begin {
        /// Which.
        arn: TaskArn,
        /// Its identifier.
        identifier: TaskIdentifier,
        /// Which way.
        direction: Direction,
        /// Its tables.
        tables: Vec<TableName>,
        /// What to do about rows that do not fit.
        policies: Policies,
        /// How.
        how: StartHow,
    },
    /// A task is to stop; it has stopped when its mover says so.
    Stop {
        /// Which.
        arn: TaskArn,
    },
    /// A table is to be loaded again.
    Reload {
        /// Of which task.
        arn: TaskArn,
        /// Which.
        table: TableName,
    },
}

/// What a mover outside tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Whether it is still at work.
    pub pulse: Pulse,
    /// Everything of the source before this position has been applied.
    pub checkpoint: Option<BinlogPosition>,
    /// How far each table has come.
    pub tables: Vec<TableNews>,
}

/// Whether a mover outside is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulse {
    /// It is.
    AtWork,
    /// It has ended, as it was told.
    Ended,
    /// It could not go on, and this is why.
    Failed(String),
}

/// How far one table has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNews {
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
}

impl Dms {
    /// What movers outside have to do, once.
    pub fn take_errands(&mut self) -> Vec<Errand> {
        std::mem::take(&mut self.errands)
    }

    /// Whether there is something to do that nobody has taken up.
    pub const fn has_errands(&self) -> bool {
        !self.errands.is_empty()
    }

    /// A mover outside tells how far its task has come.
    pub fn hear(&mut self, now: Timestamp, arn: &TaskArn, news: &News) {
        let tables = &self.setting.tables;
        let Some(task) = self.tasks.iter_mut().find(|task| task.arn == *arn) else { return };
        let Some(mover) = &mut task.mover else { return };
        mover.checkpoint.clone_from(&news.checkpoint);
        mover.pulse = Some(news.pulse.clone());
        for told in &news.tables {
            let is_it = |table: usize| tables.get(table) == Some(&told.name);
            let Some(progress) = mover.tables.iter_mut().find(|progress| is_it(progress.table)) else { continue };
            if progress.state != TableState::Completed && told.state == TableState::Completed {
                progress.loaded.1 = Some(now);
            }
            progress.state = told.state;
            progress.full_load_rows = told.full_load_rows;
            progress.captured = told.applied;
            progress.applied = told.applied;
            progress.skipped = told.skipped;
        }
        if task.dates.full_load_start.is_some() && task.dates.full_load_finish.is_none() && mover.load_is_over() {
            task.dates.full_load_finish = Some(now);
        }
        if let (Pulse::Failed(why), Status::Running) = (&news.pulse, &task.status) {
            task.status = Status::Failed;
            fail(task, now, &TaskFailure(why.clone()));
        }
    }
}
