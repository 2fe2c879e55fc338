//! Everything one pass saw, from all rooms, as one value.

use jiff::Timestamp;

use super::crossing::Crossing;
use crate::checks::board::Board;
use crate::controllers::binlog::BinlogSighting;
use crate::controllers::dns::DnsSighting;
use crate::controllers::redirect::RedirectSighting;
use crate::controllers::replication::ReplicationSighting;
use crate::database::{DatabaseView, IdSpace, Inspection};
use crate::names::Side;
use crate::parity::comparer::Comparison;
use crate::parity::exporter::Export;
use crate::sighting::Sighting;

/// One look at the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When the look began.
    pub at: Timestamp,
    /// DMS.
    pub replication: ReplicationSighting,
    /// RDS.
    pub binlog: BinlogSighting,
    /// Route 53.
    pub dns: DnsSighting,
    /// ELBv2.
    pub redirect: RedirectSighting,
    /// The legacy database.
    pub legacy: Sighting<DatabaseView>,
    /// The target database.
    pub target: Sighting<DatabaseView>,
    /// What is known of the heartbeats of the stream that flows at this rung.
    pub crossing: Crossing,
    /// How the comparison of both sides' rows stands.
    pub comparison: Comparison,
    /// How the export of the rows that legacy lacks stands; `None` where this process has begun none.
    pub export: Option<Export>,
    /// How the declared checks stand.
    pub checks: Board,
    /// Who could write round a fence there, and what the controller may not do: on both sides.
    pub inspections: BothSides<Inspection>,
    /// Which numbers rows were given, on both sides.
    pub id_spaces: BothSides<IdSpace>,
}

/// The same question asked of both databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BothSides<T> {
    /// Legacy's answer.
    pub legacy: Sighting<T>,
    /// The target's.
    pub target: Sighting<T>,
}

impl<T> BothSides<T> {
    /// One side's answer.
    pub const fn side(&self, side: Side) -> &Sighting<T> {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }

    /// One side's answer, to be changed.
    pub const fn side_mut(&mut self, side: Side) -> &mut Sighting<T> {
        match side {
            Side::Legacy => &mut self.legacy,
            Side::Target => &mut self.target,
        }
    }
}

impl Observation {
    /// What is known beforehand of one side's database.
    pub const fn inspection(&self, side: Side) -> &Sighting<Inspection> {
        self.inspections.side(side)
    }

    /// The numbers that one side has given to its rows.
    pub const fn id_space(&self, side: Side) -> &Sighting<IdSpace> {
        self.id_spaces.side(side)
    }

    /// The look at one side's database.
    pub const fn database(&self, side: Side) -> &Sighting<DatabaseView> {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }
}
