//! The rows of the catalogue, put together.

use std::collections::BTreeMap;

use super::Sets;
use super::catalogue::{
    CheckRow, ColumnRow, EventRow, IndexRow, ParameterRow, ReferenceRow, RoutineRow, RuleRow, SchemaRow, Settings, TableRow,
    TriggerRow, ViewRow,
};
use super::normal::{character_set, collation, column_type, default_value, expression, reference_rule};
use crate::database::Structure;
use crate::database::structure::{
    Column, Environment, Event, Filling, ForeignKey, Index, IndexKind, IndexOrder, IndexPart, IndexedValue, Kept, Layout, Maker,
    Program, Routine, Schema, Setting, Table, TimeZone, Trigger, Visibility,
};
use crate::fault::Problem;
use crate::mysql::flavour::{Family, Flavour};
use crate::names::TableName;

type Schemas = BTreeMap<String, Schema>;

/// Reads the answers in the order of the catalogue.
pub(super) fn structure(flavour: Flavour, sets: &mut Sets) -> Result<Structure, Problem> {
    let environment = environment(flavour, sets.one()?)?;
    let maker = environment.maker;
    let named = sets.next::<SchemaRow>()?.into_iter();
    let mut schemas: Schemas =
        named.map(|(name, printed)| (name, Schema { collation: collation(&printed), ..Schema::default() })).collect();
    add_tables(&mut schemas, sets.next()?);
    add_columns(&mut schemas, maker, sets.next()?);
    add_indexes(&mut schemas, maker, sets.next()?);
    add_foreign_keys(&mut schemas, sets.next()?, sets.next()?);
    add_checks(&mut schemas, maker, sets.next()?);
    add_triggers(&mut schemas, sets.next()?)?;
    add_events(&mut schemas, sets.next()?)?;
    add_routines(&mut schemas, sets.next()?, sets.next()?)?;
    add_views(&mut schemas, sets.next()?)?;
    Ok(Structure { environment, schemas })
}

fn environment(flavour: Flavour, settings: Settings) -> Result<Environment, Problem> {
    let (sql_mode, zone, system_zone, january, july, charset, server_collation, case, explicit, strict, isolation) = settings;
    let (Some(january_minutes), Some(july_minutes)) = (january, july) else {
        return Err(Problem::Ambiguous { detail: format!("the server cannot say what its time zone `{zone}` is") });
    };
    let name = if zone == "SYSTEM" { format!("SYSTEM ({system_zone})") } else { zone };
    let on_off = |value: u8| if value == 0 { "OFF" } else { "ON" }.to_owned();
    Ok(Environment {
        maker: match flavour.family {
            Family::MySql80 | Family::MySql84 => Maker::MySql,
            Family::Aurora3 => Maker::Aurora,
            Family::MariaDb => Maker::MariaDb,
        },
        version: flavour.to_string(),
        sql_mode: sql_mode.split(',').filter(|mode| !mode.is_empty()).map(str::to_owned).collect(),
        time_zone: TimeZone { name, january_minutes, july_minutes },
        settings: BTreeMap::from([
            (Setting::CharacterSet, character_set(&charset)),
            (Setting::Collation, collation(&server_collation)),
            (Setting::LowerCaseTableNames, case.to_string()),
            (Setting::ExplicitDefaultsForTimestamp, on_off(explicit)),
            (Setting::InnodbStrictMode, on_off(strict)),
            (Setting::TransactionIsolation, isolation),
        ]),
    })
}

fn add_tables(schemas: &mut Schemas, rows: Vec<TableRow>) {
    for (schema, name, kind, engine, row_format, printed, partitioned) in rows {
        let table = Table {
            kind,
            engine: engine.unwrap_or_default(),
            row_format: row_format.unwrap_or_default().to_uppercase(),
            collation: printed.as_deref().map(collation).unwrap_or_default(),
            layout: if partitioned == Some(1) { Layout::Partitioned } else { Layout::Whole },
            columns: Vec::new(),
            indexes: BTreeMap::new(),
            foreign_keys: BTreeMap::new(),
            checks: BTreeMap::new(),
            triggers: BTreeMap::new(),
        };
        if let Some(schema) = schemas.get_mut(&schema) {
            schema.tables.insert(name, table);
        }
    }
}

/// A table that was listed. Others are views, or were made since.
fn table<'a>(schemas: &'a mut Schemas, schema: &str, name: &str) -> Option<&'a mut Table> {
    schemas.get_mut(schema)?.tables.get_mut(name)
}

fn add_columns(schemas: &mut Schemas, maker: Maker, rows: Vec<ColumnRow>) {
    for (schema, of, name, printed_type, nullable, default, extra, generation, printed_collation) in rows {
        let Some(table) = table(schemas, &schema, &of) else { continue };
        let column_type = column_type(&printed_type);
        let filling = filling(maker, &column_type, default, &extra.unwrap_or_default(), generation);
        let collation = printed_collation.as_deref().map(collation);
        table.columns.push(Column { name, column_type, nullable: nullable == "YES", collation, filling });
    }
}

fn filling(maker: Maker, of_type: &str, default: Option<String>, extra: &str, generation: Option<String>) -> Filling {
    let extra_in_lower_case = extra.to_lowercase();
    if let Some(generation) = generation.filter(|generation| !generation.is_empty()) {
        let kept = if extra_in_lower_case.contains("virtual") { Kept::Virtual } else { Kept::Stored };
        return Filling::Generated { expression: expression(maker, &generation), kept };
    }
    if extra_in_lower_case.contains("auto_increment") {
        return Filling::Numbered;
    }
    let on_update = extra_in_lower_case.split_once("on update ").map(|(_, what)| what.to_owned());
    Filling::Given { default: default.and_then(|printed| default_value(maker, of_type, &printed, extra)), on_update }
}

fn add_indexes(schemas: &mut Schemas, maker: Maker, rows: Vec<IndexRow>) {
    for (schema, of, name, repeats, column, computed, order, prefix, kind, visible) in rows {
        let Some(table) = table(schemas, &schema, &of) else { continue };
        let kind = match (kind.as_str(), repeats) {
            ("FULLTEXT", _) => IndexKind::FullText,
            ("SPATIAL" | "RTREE", _) => IndexKind::Spatial,
            (_, 0) => IndexKind::Unique,
            _ => IndexKind::Plain,
        };
        // Indexes of words and places have a prefix of the server's own making.
        let prefix = prefix.filter(|_| matches!(kind, IndexKind::Unique | IndexKind::Plain));
        let of = match (column, computed) {
            (Some(name), _) => IndexedValue::Column { name, prefix },
            (None, computed) => IndexedValue::Expression(expression(maker, &computed.unwrap_or_default())),
        };
        let order = if order.as_deref() == Some("D") { IndexOrder::Descending } else { IndexOrder::Ascending };
        let visibility = if visible == 1 { Visibility::Visible } else { Visibility::Hidden };
        let index = table.indexes.entry(name).or_insert_with(|| Index { kind, parts: Vec::new(), visibility });
        index.parts.push(IndexPart { of, order });
    }
}

fn add_foreign_keys(schemas: &mut Schemas, references: Vec<ReferenceRow>, rules: Vec<RuleRow>) {
    for (schema, of, name, column, other_schema, other_table, other_column) in references {
        let Some(table) = table(schemas, &schema, &of) else { continue };
        let key = table.foreign_keys.entry(name).or_insert_with(|| ForeignKey {
            columns: Vec::new(),
            referenced: TableName::new(other_schema, other_table),
            referenced_columns: Vec::new(),
            on_delete: String::new(),
            on_update: String::new(),
        });
        key.columns.push(column);
        key.referenced_columns.push(other_column);
    }
    for (schema, of, name, on_delete, on_update) in rules {
        if let Some(key) = table(schemas, &schema, &of).and_then(|table| table.foreign_keys.get_mut(&name)) {
            (key.on_delete, key.on_update) = (reference_rule(&on_delete), reference_rule(&on_update));
        }
    }
}

/// MariaDB's JSON is a text that is checked to be JSON: then it is the type, and no condition.
fn add_checks(schemas: &mut Schemas, maker: Maker, rows: Vec<CheckRow>) {
    for (schema, of, name, condition) in rows {
        let Some(table) = table(schemas, &schema, &of) else { continue };
        let is_json = maker == Maker::MariaDb && condition == format!("json_valid(`{name}`)");
        let json = table.columns.iter_mut().find(|column| is_json && column.name == name && column.column_type == "longtext");
        match json {
            Some(column) => (column.column_type, column.collation) = ("json".to_owned(), None),
            None => drop(table.checks.insert(name, expression(maker, &condition))),
        }
    }
}

/// A program whose text was not shown is no program without text.
fn program(what: &str, digest: Option<String>, definer: String, security: String) -> Result<Program, Problem> {
    let hidden = || Problem::Denied {
        code: "TextHidden".to_owned(),
        message: format!("the text of {what} is not shown; a preflight names each GRANT that the account lacks"),
    };
    Ok(Program { digest: digest.ok_or_else(hidden)?, definer, security })
}

fn add_triggers(schemas: &mut Schemas, rows: Vec<TriggerRow>) -> Result<(), Problem> {
    for (schema, of, name, timing, change, digest, definer) in rows {
        let program = program(&format!("the trigger {schema}.{name}"), digest, definer, String::new())?;
        if let Some(table) = table(schemas, &schema, &of) {
            table.triggers.insert(name, Trigger { fires: format!("{timing} {change}"), program });
        }
    }
    Ok(())
}

fn add_events(schemas: &mut Schemas, rows: Vec<EventRow>) -> Result<(), Problem> {
    for (schema, name, schedule, enabled, digest, definer) in rows {
        let program = program(&format!("the event {schema}.{name}"), digest, definer, String::new())?;
        if let Some(schema) = schemas.get_mut(&schema) {
            schema.events.insert(name, Event { schedule: schedule.unwrap_or_default(), enabled: enabled == 1, program });
        }
    }
    Ok(())
}

fn add_routines(schemas: &mut Schemas, rows: Vec<RoutineRow>, parameters: Vec<ParameterRow>) -> Result<(), Problem> {
    let key = |name: &str, kind: &str| format!("{name} ({})", kind.to_lowercase());
    for (schema, name, kind, digest, definer, security) in rows {
        let program = program(&format!("the routine {schema}.{name}"), digest, definer, security)?;
        if let Some(schema) = schemas.get_mut(&schema) {
            schema.routines.insert(key(&name, &kind), Routine { parameters: Vec::new(), program });
        }
    }
    for (schema, of, kind, mode, name, printed_type) in parameters {
        let routine = schemas.get_mut(&schema).and_then(|schema| schema.routines.get_mut(&key(&of, &kind)));
        if let Some(routine) = routine {
            let words = [mode.unwrap_or_else(|| "RETURNS".to_owned()), name.unwrap_or_default(), column_type(&printed_type)];
            let words: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.is_empty()).collect();
            routine.parameters.push(words.join(" "));
        }
    }
    Ok(())
}

fn add_views(schemas: &mut Schemas, rows: Vec<ViewRow>) -> Result<(), Problem> {
    for (schema, name, digest, definer, security) in rows {
        let program = program(&format!("the view {schema}.{name}"), digest, definer, security)?;
        if let Some(schema) = schemas.get_mut(&schema) {
            schema.views.insert(name, program);
        }
    }
    Ok(())
}
