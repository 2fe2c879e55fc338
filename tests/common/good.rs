//! What a look shows where nothing is wrong, and single things in it.

use std::collections::BTreeMap;

use bascule::controllers::redirect::{Target, TargetHealth};
use bascule::controllers::replication::{TableState, TableStatistic, ValidationState};
use bascule::database::{BinlogPosition, BinlogView, Inspection, LogForm};
use bascule::names::TableName;
use bascule::parity::exporter::{Export, ExportName, ExportStand, Quarantined};
use jiff::Timestamp;

/// Nobody could write round a fence, and the controller may do everything.
pub fn inspection(now: Timestamp) -> Inspection {
    Inspection { at: now, missing_privileges: Vec::new(), bypasses: Vec::new(), canaries: Vec::new() }
}

/// A binary log with everything that DMS asks for, or none.
pub fn log(is_written: bool, is_kept: bool) -> BinlogView {
    BinlogView {
        enabled: is_written,
        format: if is_written { "ROW" } else { "OFF" }.into(),
        row_image: "FULL".into(),
        checksum: if is_written { "NONE" } else { "CRC32" }.into(),
        form: LogForm::Plain,
        retention_hours: is_kept.then_some(72),
        oldest: is_written.then(|| BinlogPosition { file: "mysql-bin.000001".into(), offset: 4 }),
    }
}

/// A target in one zone of the small world, named after its zone.
pub fn target(zone: char, health: TargetHealth) -> Target {
    Target { name: format!("{zone}:8080"), zone: Some(format!("eu-central-1{zone}").into()), health }
}

/// The one table, in a state.
pub fn table(state: TableState) -> TableStatistic {
    TableStatistic {
        table: TableName::new("payments", "payments"),
        state,
        validation: ValidationState::Validated,
        full_load_rows: 100,
        updated_at: None,
    }
}

/// An export that saved every row.
pub fn saved(name: &ExportName) -> Export {
    let tables = BTreeMap::from([("payments.payments".to_owned(), 3)]);
    let quarantined = Quarantined { place: format!("state/quarantine/{name}"), tables, sha256: "5ad".to_owned() };
    Export { name: name.clone(), stand: ExportStand::Saved(quarantined) }
}
