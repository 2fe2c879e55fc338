//! The structure of the simulated databases: every table has the same shape, on both sides, unless nobody created it on one.

use std::collections::{BTreeMap, BTreeSet};

use crate::database::Structure;
use crate::database::structure::{
    Column, Environment, Filling, Index, IndexKind, IndexOrder, IndexPart, IndexedValue, Layout, Maker, Schema, Table, TimeZone,
    Visibility,
};
use crate::names::{Side, TableName};
use crate::sim::World;

/// The tables of one side.
pub fn tables(world: &World, side: Side) -> BTreeSet<TableName> {
    let missing = &world.databases.side(side).missing;
    world.setting.tables.iter().filter(|table| !missing.contains(table)).cloned().collect()
}

/// The migrations that were run on one side: one creates each table.
pub fn migrations(world: &World, side: Side) -> BTreeSet<String> {
    tables(world, side).iter().map(|name| format!("create_{}_table", name.table)).collect()
}

/// The structure of one side.
pub fn structure(world: &World, side: Side) -> Structure {
    let mut schemas: BTreeMap<String, Schema> = BTreeMap::new();
    for schema in &world.setting.migration.database(side).schemas {
        schemas.insert(schema.clone(), Schema { collation: COLLATION.to_owned(), ..Schema::default() });
    }
    for name in tables(world, side) {
        schemas.entry(name.schema).or_default().tables.insert(name.table, table());
    }
    Structure { environment: environment(), schemas }
}

const COLLATION: &str = "utf8mb4_0900_ai_ci";

fn environment() -> Environment {
    Environment {
        maker: Maker::MySql,
        version: "MySQL 8.0.36".to_owned(),
        sql_mode: BTreeSet::from(["STRICT_TRANS_TABLES".to_owned()]),
        time_zone: TimeZone { name: "UTC".to_owned(), january_minutes: 0, july_minutes: 0 },
        settings: BTreeMap::new(),
    }
}

/// A [row](super::rows::Row) as a table.
fn table() -> Table {
    let given = || Filling::Given { default: None, on_update: None };
    let column = |name: &str, column_type: &str, filling| Column {
        name: name.to_owned(),
        column_type: column_type.to_owned(),
        nullable: false,
        collation: None,
        filling,
    };
    let unique = |column: &str| Index {
        kind: IndexKind::Unique,
        parts: vec![IndexPart {
            of: IndexedValue::Column { name: column.to_owned(), prefix: None },
            order: IndexOrder::Ascending,
        }],
        visibility: Visibility::Visible,
    };
    Table {
        kind: "BASE TABLE".to_owned(),
        engine: "InnoDB".to_owned(),
        row_format: "DYNAMIC".to_owned(),
        collation: COLLATION.to_owned(),
        layout: Layout::Whole,
        columns: vec![
            column("id", "bigint unsigned", Filling::Numbered),
            column("idempotency_key", "bigint unsigned", given()),
            column("amount_cents", "bigint unsigned", given()),
            column("status", "enum('authorized','captured','refunded')", given()),
            column("changed_at", "datetime(6)", given()),
        ],
        indexes: BTreeMap::from([
            ("PRIMARY".to_owned(), unique("id")),
            ("idempotency_key".to_owned(), unique("idempotency_key")),
        ]),
        foreign_keys: BTreeMap::new(),
        checks: BTreeMap::new(),
        triggers: BTreeMap::new(),
    }
}
