//! The rows that the simulated legacy lacks, saved within the pass that asks for it: they are read in no time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::rows::{Row, RowKind, TableNumber};
use super::seam::SimulatedDatabase;
use crate::database::Answer;
use crate::fault::Fault;
use crate::parity::exporter::{Export, ExportName, ExportStand, Exporter, Quarantined};
use crate::sim::World;
use crate::spec::Migration;

/// What a saved row is to legacy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// It has no row of this primary key.
    Row,
    /// It has the row with other values.
    Values,
}

/// The rows of one export as they lie on the controller's disk: a table's number, a row, and what it is to legacy. Disks
/// outlive controllers.
pub type SavedRows = Vec<(TableNumber, Row, Lacking)>;

/// Rows of the application on the target that legacy lacks, or holds with other values.
pub fn lacking_on_legacy(world: &World) -> SavedRows {
    let (legacy, target) = (&world.databases.legacy.tables, &world.databases.target.tables);
    let tables = target.iter().zip(legacy).enumerate();
    let rows = tables.flat_map(|(number, (target, legacy))| target.rows().map(move |row| (number, row, legacy.with_id(row.id))));
    rows.filter(|(_, row, _)| row.kind == RowKind::Application)
        .filter_map(|(number, row, other)| match other {
            None => Some((number, *row, Lacking::Row)),
            Some(other) if other != row => Some((number, *row, Lacking::Values)),
            Some(_) => None,
        })
        .collect()
}

/// Saves rows of the simulated databases.
#[derive(Debug)]
pub struct SimulatedExporter {
    target: SimulatedDatabase,
    newest: Arc<Mutex<Option<Export>>>,
}

impl SimulatedExporter {
    /// Reads through the target's seam, so that whatever befalls a verb befalls an export.
    pub fn new(target: SimulatedDatabase) -> Self {
        Self { target, newest: Arc::default() }
    }

    async fn save(&self, name: &ExportName) -> Result<Quarantined, Fault> {
        let save = |world: &mut World| {
            let saved = lacking_on_legacy(world);
            let mut tables: BTreeMap<String, u64> = BTreeMap::new();
            for (number, ..) in &saved {
                *tables.entry(world.setting.tables[*number].to_string()).or_default() += 1;
            }
            // The same rows are saved in the same place when it is asked for again.
            let sha256 = Sha256::digest(format!("{saved:?}")).iter().map(|byte| format!("{byte:02x}")).collect();
            world.exports.insert(name.clone(), saved);
            (tables, sha256)
        };
        let (tables, sha256) = self.target.saved("save the rows that legacy lacks", save).await?;
        Ok(Quarantined { place: format!("quarantine/{name}"), tables, sha256 })
    }
}

impl Exporter for SimulatedExporter {
    fn begin<'a>(&'a self, _: &'a Migration, name: &'a ExportName) -> Answer<'a, ()> {
        Box::pin(async move {
            let quarantined = self.save(name).await?;
            let saved = Export { name: name.clone(), stand: ExportStand::Saved(quarantined) };
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(saved);
            Ok(())
        })
    }

    /// Nothing is ever under way between two passes.
    fn stop(&self) {}

    fn export(&self) -> Option<Export> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
