//! Everything one pass saw, from all rooms, as one value.

use jiff::Timestamp;

use crate::controllers::binlog::BinlogSighting;
use crate::controllers::dns::DnsSighting;
use crate::controllers::redirect::RedirectSighting;
use crate::controllers::replication::ReplicationSighting;
use crate::database::DatabaseView;
use crate::names::Side;
use crate::parity::comparer::Comparison;
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
    /// How the comparison of both sides' rows stands.
    pub comparison: Comparison,
}

impl Observation {
    /// The look at one side's database.
    pub const fn database(&self, side: Side) -> &Sighting<DatabaseView> {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }
}
