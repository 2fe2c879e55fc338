//! The source's binary log, transaction by transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use mysql_async::binlog::events::{Event, EventData, RowsEventData};
use mysql_async::binlog::row::BinlogRow;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn, Value};

use super::table::Shape;
use super::value::from_log;
use super::{Job, STATE_TABLE, Trouble};
use crate::database::BinlogPosition;
use crate::mysql::connect::connect;
use crate::names::TableName;

/// One row changed.
#[derive(Debug, Clone)]
pub struct RowChange {
    /// Where.
    pub shape: Arc<Shape>,
    /// How.
    pub change: Change,
}

/// How a row changed, with all its values.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is new.
    Insert(Vec<Value>),
    /// It was the first and is the second.
    Update(Vec<Value>, Vec<Value>),
    /// It is gone.
    Delete(Vec<Value>),
}

/// Who committed a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A client.
    Client,
    /// A task.
    Task,
}

/// One transaction.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// Its changes of tables that the task moves, in order.
    pub changes: Vec<RowChange>,
    /// Who committed it.
    pub author: Author,
    /// Where it ends.
    pub end: BinlogPosition,
}

/// The log, being read.
pub struct Log {
    /// Where events come from.
    pub stream: BinlogStream,
    tables: Vec<TableName>,
    marker_schema: String,
    file: String,
    asks: Conn,
    shapes: BTreeMap<TableName, Arc<Shape>>,
    changes: Vec<RowChange>,
    author: Author,
}

/// Which tables' changes are kept.
enum Kept {
    Moves,
    State,
    Nothing,
}

impl Log {
    /// Reads from `position` on; `asks` is a connection to the same server, for what tables look like.
    pub async fn open(job: &Job, asks: Conn, position: &BinlogPosition) -> Result<Self, Trouble> {
        let connection = connect(&job.source, &job.credentials).await?;
        let request = BinlogStreamRequest::new(job.server_id).with_filename(position.file.as_bytes()).with_pos(position.offset);
        Ok(Self {
            stream: connection.get_binlog_stream(request).await?,
            tables: job.tables.clone(),
            marker_schema: job.marker_schema.clone(),
            file: position.file.clone(),
            asks,
            shapes: BTreeMap::new(),
            changes: Vec::new(),
            author: Author::Client,
        })
    }

    /// Takes one event, and gives the transaction that it ends.
    pub async fn take(&mut self, event: Option<mysql_async::Result<Event>>) -> Result<Option<Transaction>, Trouble> {
        let event = event.ok_or_else(|| Trouble::Passing("the source has closed its binary log".to_owned()))??;
        let unreadable = |error: std::io::Error| Trouble::Final(format!("an event of the binary log cannot be read: {error}"));
        match event.read_data().map_err(unreadable)? {
            Some(EventData::RotateEvent(rotate)) => self.file = self.name_in(rotate.name_raw()),
            Some(EventData::RowsEvent(rows)) => self.take_rows(&rows).await?,
            Some(EventData::QueryEvent(query)) if query.query() == "BEGIN" => self.begin(),
            Some(EventData::QueryEvent(query)) if query.query() == "COMMIT" => return Ok(Some(self.commit(&event))),
            Some(EventData::XidEvent(_)) => return Ok(Some(self.commit(&event))),
            // Statements that change tables are not followed; a transaction of another engine ends with COMMIT.
            Some(_) | None => {}
        }
        Ok(None)
    }

    /// The first event of a stream comes before its format is known, and its checksum is taken for the end of the name. All
    /// files of a server have names of one length.
    fn name_in(&self, raw: &[u8]) -> String {
        String::from_utf8_lossy(&raw[..raw.len().min(self.file.len())]).into_owned()
    }

    fn begin(&mut self) {
        self.changes.clear();
        self.author = Author::Client;
    }

    fn commit(&mut self, event: &Event) -> Transaction {
        let end = BinlogPosition { file: self.file.clone(), offset: u64::from(event.header().log_pos()) };
        let transaction = Transaction { changes: std::mem::take(&mut self.changes), author: self.author, end };
        self.author = Author::Client;
        transaction
    }

    async fn take_rows(&mut self, rows: &RowsEventData<'_>) -> Result<(), Trouble> {
        let unknown = || Trouble::Final("a row of the binary log belongs to no table".to_owned());
        let map = self.stream.get_tme(rows.table_id()).ok_or_else(unknown)?;
        let name = TableName::new(map.database_name(), map.table_name());
        match self.keeps(&name) {
            Kept::Nothing => return Ok(()),
            Kept::State => {
                self.author = Author::Task;
                return Ok(());
            }
            Kept::Moves => {}
        }
        let shape = match self.shapes.get(&name) {
            Some(shape) => Arc::clone(shape),
            None => {
                let shape = Arc::new(Shape::of(&mut self.asks, &name).await?);
                self.shapes.insert(name.clone(), Arc::clone(&shape));
                shape
            }
        };
        let map = self.stream.get_tme(rows.table_id()).ok_or_else(unknown)?;
        for row in rows.rows(map) {
            let (before, after) = row.map_err(|error| Trouble::Final(format!("{name}: {error}")))?;
            let before = before.map(|row| values(&shape, &row)).transpose()?;
            let after = after.map(|row| values(&shape, &row)).transpose()?;
            let change = match (before, after) {
                (None, Some(after)) => Change::Insert(after),
                (Some(before), Some(after)) => Change::Update(before, after),
                (Some(before), None) => Change::Delete(before),
                (None, None) => continue,
            };
            self.changes.push(RowChange { shape: Arc::clone(&shape), change });
        }
        Ok(())
    }

    fn keeps(&self, name: &TableName) -> Kept {
        if name.schema == self.marker_schema {
            return if name.table == STATE_TABLE { Kept::State } else { Kept::Moves };
        }
        if self.tables.contains(name) { Kept::Moves } else { Kept::Nothing }
    }
}

fn values(shape: &Shape, row: &BinlogRow) -> Result<Vec<Value>, Trouble> {
    let trouble = |why: String| Trouble::Final(format!("{}: {why}", shape.name));
    if row.len() != shape.columns.len() {
        return Err(trouble("the table was altered since the row was written".to_owned()));
    }
    let value = |number: usize| {
        let column = &shape.columns[number];
        let value = row.as_ref(number).ok_or_else(|| trouble("binlog_row_image is not FULL".to_owned()))?;
        from_log(column, value).map_err(|unreadable| trouble(unreadable.to_string()))
    };
    (0..row.len()).map(value).collect()
}
