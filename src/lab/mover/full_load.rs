//! One table, copied whole. Its changes after the copy begin exactly where the copy ends.

use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};

use super::apply::Writer;
use super::table::{Shape, full_name};
use super::value::from_select;
use super::{FirstRead, Job, SharedView, TableView, Trouble, end_of_log, lock};
use crate::database::BinlogPosition;
use crate::mysql::connect::connect;
use crate::sim::dms::mover::TableState;
use crate::sim::dms::settings::PrepMode;

/// Rows written by one statement: enough that the round trip is small, few enough for any `max_allowed_packet`.
const ROWS_AT_ONCE: usize = 200;

/// Loads a table of the task.
pub(super) async fn load(
    job: &Job,
    table: &TableView,
    source: &mut Conn,
    writer: &mut Writer,
    view: &SharedView,
) -> Result<(), Trouble> {
    let shape = Shape::of(source, &table.name).await?;
    // Half a load is no load, and a reload empties by its nature; the first load finds what the task's settings leave there.
    if table.state != TableState::BeforeLoad || job.policies.prep_mode == PrepMode::Empty {
        writer.empty(&table.name).await?;
    }
    change(view, table, |table| {
        if table.state == TableState::BeforeLoad {
            table.state = TableState::FullLoad;
        }
    });
    let mut reader = connect(&job.source, &job.credentials).await?;
    let is_first = table.reloads == 0;
    let from = match &job.first_read {
        FirstRead::LateFor(late) if is_first && *late == table.name => wait_for_a_row(&shape, &mut reader).await?,
        FirstRead::LateFor(_) | FirstRead::Consistent => snapshot(&mut reader).await?,
    };
    let rows = copy(&shape, &mut reader, writer).await?;
    change(view, table, |table| {
        table.state = TableState::Completed;
        table.full_load_rows = rows;
        table.from = Some(from.clone());
        table.skipped = 0;
    });
    Ok(())
}

fn change(view: &SharedView, table: &TableView, apply: impl FnOnce(&mut TableView)) {
    if let Some(table) = lock(view).tables.iter_mut().find(|candidate| candidate.name == table.name) {
        apply(table);
    }
}

/// Begins a transaction that sees the rows as of the position that it gives: MariaDB says which one that is.
async fn snapshot(reader: &mut Conn) -> Result<BinlogPosition, Trouble> {
    reader.query_drop("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    reader.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
    let status: Vec<(String, String)> = reader.query("SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    let value = |name: &str| status.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    let position = value("binlog_snapshot_file")
        .zip(value("binlog_snapshot_position").and_then(|offset| offset.parse().ok()))
        .filter(|(file, _)| !file.is_empty());
    let (file, offset) = position.ok_or_else(|| Trouble::Final("the source writes no binary log".to_owned()))?;
    Ok(BinlogPosition { file, offset })
}

/// The position before a row that customers write now: what is read afterwards has it already, and it comes again.
async fn wait_for_a_row(shape: &Shape, reader: &mut Conn) -> Result<BinlogPosition, Trouble> {
    let count = format!("SELECT COUNT(*) FROM {}", full_name(&shape.name));
    let from = end_of_log(reader).await?;
    let before: Option<u64> = reader.query_first(&count).await?;
    while reader.query_first::<u64, _>(&count).await? == before {
        tokio::task::yield_now().await;
    }
    Ok(from)
}

async fn copy(shape: &Shape, reader: &mut Conn, writer: &mut Writer) -> Result<u64, Trouble> {
    let mut result = reader.exec_iter(shape.read(), ()).await?;
    let Some(mut rows) = result.stream::<mysql_async::Row>().await? else { return Ok(0) };
    let mut count = 0;
    let mut batch: Vec<Vec<Value>> = Vec::with_capacity(ROWS_AT_ONCE);
    while let Some(row) = rows.next().await {
        let values = row?.unwrap();
        batch.push(shape.columns.iter().zip(values).map(|(column, value)| from_select(column, value)).collect());
        count += 1;
        if batch.len() == ROWS_AT_ONCE {
            writer.insert_all(shape, &batch).await?;
            batch.clear();
        }
    }
    if !batch.is_empty() {
        writer.insert_all(shape, &batch).await?;
    }
    Ok(count)
}
