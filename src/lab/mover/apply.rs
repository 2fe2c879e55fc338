//! Writing on the target, as an ordinary client: transaction by transaction, and with each how far the task has come.

use std::collections::BTreeSet;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Value};

use super::log::{Author, Change, RowChange, Transaction};
use super::table::{Shape, full_name, quoted};
use super::trouble::Refusal;
use super::{Job, STATE_TABLE, SharedView, Trouble, lock, state_table};
use crate::database::BinlogPosition;
use crate::mysql::connect::connect;
use crate::names::TableName;
use crate::sim::dms::mover::TableState;
use crate::sim::dms::settings::{ErrorPolicy, Loopback};

/// The writing end of a task.
pub(super) struct Writer {
    connection: Conn,
    task: String,
    marker_schema: String,
    /// Tables of the marker schema that are known to be there.
    made: BTreeSet<TableName>,
}

impl Writer {
    pub(super) async fn new(mut connection: Conn, job: &Job) -> Result<Self, Trouble> {
        let schema = quoted(&job.marker_schema);
        connection.query_drop(format!("CREATE DATABASE IF NOT EXISTS {schema}")).await?;
        let columns = "task VARCHAR(255) NOT NULL PRIMARY KEY, file VARCHAR(512) NOT NULL, position BIGINT UNSIGNED NOT NULL";
        connection.query_drop(format!("CREATE TABLE IF NOT EXISTS {schema}.{STATE_TABLE} ({columns})")).await?;
        Ok(Self { connection, task: job.task.clone(), marker_schema: job.marker_schema.clone(), made: BTreeSet::new() })
    }

    /// How far the task has come, in the target's own durable word. Locking, so that the last commit of a mover that was killed
    /// is waited for: otherwise its rows would come twice.
    pub(super) async fn position(&mut self) -> Result<Option<BinlogPosition>, Trouble> {
        let question = format!("SELECT file, position FROM {} WHERE task = ? FOR UPDATE", state_table(&self.marker_schema));
        let row: Option<(String, u64)> = self.connection.exec_first(question, (&self.task,)).await?;
        Ok(row.map(|(file, offset)| BinlogPosition { file, offset }))
    }

    pub(super) async fn set_position(&mut self, position: &BinlogPosition) -> Result<(), Trouble> {
        let statement = format!("REPLACE INTO {} (task, file, position) VALUES (?, ?, ?)", state_table(&self.marker_schema));
        Ok(self.connection.exec_drop(statement, (&self.task, &position.file, position.offset)).await?)
    }

    pub(super) async fn empty(&mut self, name: &TableName) -> Result<(), Trouble> {
        Ok(self.connection.query_drop(format!("TRUNCATE TABLE {}", full_name(name))).await?)
    }

    /// Loaded rows are marked as a task's like all others.
    pub(super) async fn insert_all(&mut self, shape: &Shape, rows: &[Vec<Value>]) -> Result<(), Trouble> {
        let values: Vec<Value> = rows.iter().flat_map(|row| shape.given_of(row)).collect();
        self.connection.query_drop("START TRANSACTION").await?;
        self.connection.exec_drop(shape.insert("INSERT", rows.len()), Params::Positional(values)).await?;
        self.touch_state().await?;
        Ok(self.connection.query_drop("COMMIT").await?)
    }

    async fn touch_state(&mut self) -> Result<(), Trouble> {
        match self.position().await? {
            Some(position) => self.set_position(&position).await,
            None => Ok(()),
        }
    }

    /// Applies transactions in their order: all at once if all fit, else one after the other, so that the row that does not
    /// fit is known and the rest is kept.
    pub(super) async fn apply(&mut self, transactions: Vec<Transaction>, job: &Job, view: &SharedView) -> Result<(), Trouble> {
        let wanted: Vec<Transaction> = transactions
            .into_iter()
            .map(|mut transaction| {
                if transaction.author == Author::Task && job.policies.loopback == Loopback::Prevented {
                    transaction.changes.clear();
                }
                transaction
            })
            .collect();
        match self.try_to_apply(&wanted, job, view).await {
            Err(Trouble::Row { .. }) => {}
            done => return done,
        }
        for mut transaction in wanted {
            while let Err(trouble) = self.try_to_apply(std::slice::from_ref(&transaction), job, view).await {
                let Trouble::Row { table, number, why } = trouble else { return Err(trouble) };
                let policy = match &transaction.changes[number].change {
                    Change::Insert(_) => job.policies.insert,
                    Change::Update(..) | Change::Delete(_) => job.policies.update,
                };
                let mut view = lock(view);
                let mut progress = view.tables.iter_mut().find(|progress| progress.name == table);
                if let Some(progress) = &mut progress {
                    progress.last_error = Some(why.clone());
                }
                match (policy, progress) {
                    (ErrorPolicy::SuspendTable, Some(progress)) => progress.state = TableState::Error,
                    (ErrorPolicy::Skip, Some(progress)) => {
                        progress.skipped += 1;
                        transaction.changes.remove(number);
                    }
                    (ErrorPolicy::StopTask | ErrorPolicy::Overwrite, _) | (_, None) => {
                        return Err(Trouble::Final(format!("{table}: {why}. Task is stopped")));
                    }
                }
            }
        }
        Ok(())
    }

    async fn try_to_apply(&mut self, transactions: &[Transaction], job: &Job, view: &SharedView) -> Result<(), Trouble> {
        let Some(end) = transactions.last().map(|transaction| transaction.end.clone()) else { return Ok(()) };
        let taken = |change: &RowChange, end: &BinlogPosition| {
            let name = &change.shape.name;
            name.schema == self.marker_schema || lock(view).tables.iter().any(|table| table.name == *name && table.takes(end))
        };
        let mut rows: Vec<(usize, &RowChange)> = Vec::new();
        for transaction in transactions {
            let changes = transaction.changes.iter().enumerate();
            rows.extend(changes.filter(|(_, change)| taken(change, &transaction.end)));
        }
        if !rows.is_empty() {
            self.connection.query_drop("START TRANSACTION").await?;
            for (number, row) in &rows {
                if let Err(trouble) = self.write(*number, row, job).await {
                    self.connection.query_drop("ROLLBACK").await?;
                    return Err(trouble);
                }
            }
            self.set_position(&end).await?;
            self.connection.query_drop("COMMIT").await?;
        }
        let mut view = lock(view);
        for (_, row) in rows {
            if let Some(table) = view.tables.iter_mut().find(|table| table.name == row.shape.name) {
                match row.change {
                    Change::Insert(_) => table.applied.0 += 1,
                    Change::Update(..) => table.applied.1 += 1,
                    Change::Delete(_) => {}
                }
            }
        }
        view.checkpoint = Some(end);
        Ok(())
    }

    async fn write(&mut self, number: usize, row: &RowChange, job: &Job) -> Result<(), Trouble> {
        let shape = &row.shape;
        let is_marker = shape.name.schema == self.marker_schema;
        if is_marker {
            self.make(&shape.name, job).await?;
        }
        // The controller's own rows say what is newest, and an older one may be there or not.
        let overwrites = is_marker || job.policies.insert == ErrorPolicy::Overwrite;
        let verb = if overwrites { "REPLACE" } else { "INSERT" };
        let (statement, values, must_exist) = match &row.change {
            Change::Update(_, after) if overwrites => (shape.insert(verb, 1), shape.given_of(after), false),
            Change::Insert(after) => (shape.insert(verb, 1), shape.given_of(after), false),
            Change::Update(before, after) => (shape.update(), [shape.given_of(after), shape.key_of(before)].concat(), true),
            Change::Delete(before) => (shape.delete(), shape.key_of(before), false),
        };
        let refused = |why: String| Trouble::Row { table: shape.name.clone(), number, why };
        if let Err(error) = self.connection.exec_drop(statement, Params::Positional(values)).await {
            return Err(match Refusal::of(&error) {
                Refusal::Row => refused(error.to_string()),
                Refusal::Moment | Refusal::Task => error.into(),
            });
        }
        if let (Change::Update(_, after), true, 0) = (&row.change, must_exist, self.connection.affected_rows()) {
            // Nothing changed: because the row is like that already, or because there is none?
            let found: Option<u8> = self.connection.exec_first(shape.find(), Params::Positional(shape.key_of(after))).await?;
            if found.is_none() {
                return Err(refused("the row to update is not there".to_owned()));
            }
        }
        Ok(())
    }

    /// DMS makes a table that is missing on the target as the source has it.
    async fn make(&mut self, name: &TableName, job: &Job) -> Result<(), Trouble> {
        if self.made.contains(name) {
            return Ok(());
        }
        let question = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?";
        let there: Option<u64> = self.connection.exec_first(question, (&name.schema, &name.table)).await?;
        if there == Some(0) {
            let mut source = connect(&job.source, &job.credentials).await?;
            let shown: Option<(String, String)> = source.query_first(format!("SHOW CREATE TABLE {}", full_name(name))).await?;
            let (_, statement) = shown.ok_or_else(|| Trouble::Final(format!("{name} is nowhere")))?;
            // Creating commits, which would tear the transaction in hand: on a connection of its own.
            let mut target = connect(&job.target, &job.credentials).await?;
            target.query_drop(format!("USE {}", quoted(&name.schema))).await?;
            target.query_drop(statement.replacen("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)).await?;
        }
        self.made.insert(name.clone());
        Ok(())
    }
}
