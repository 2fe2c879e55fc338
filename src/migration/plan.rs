//! A plan: what the next pass would do, what it awaits, what blocks it, and when to look again.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::{Fact, MarkerPurpose};
use super::ladder::Rung;
use crate::controllers::binlog::BinlogAction;
use crate::controllers::dns::DnsAction;
use crate::controllers::fence::FenceAction;
use crate::controllers::hooks::HookAction;
use crate::controllers::redirect::RedirectAction;
use crate::controllers::replication::ReplicationAction;
use crate::controllers::{Block, Wait};
use crate::database::IdFloor;
use crate::names::{MarkerId, Side};
use crate::parity::exporter::ExportName;

/// The closed list of everything this program can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Make a fact durable. No call.
    Record(Fact),
    /// A call to DMS.
    Replication(ReplicationAction),
    /// A call to RDS, or SQL for the retention.
    Binlog(BinlogAction),
    /// A call to Route 53.
    Dns(DnsAction),
    /// A call to ELBv2.
    Redirect(RedirectAction),
    /// SQL: close or open a fence.
    Fence(FenceAction),
    /// SQL: write a marker row on the side that its purpose names.
    WriteMarker {
        /// Why.
        purpose: MarkerPurpose,
        /// Its id.
        marker: MarkerId,
    },
    /// SQL: raise the next number of rows on the side that is about to open above what the other side has given.
    RaiseIds {
        /// Which side.
        side: Side,
        /// Which tables, and how far.
        floors: Vec<IdFloor>,
    },
    /// Save every row of the target that legacy lacks. Reads only; what is saved becomes a fact once all of it is.
    ExportRows {
        /// This try's export.
        name: ExportName,
    },
    /// Compare both sides' rows. Reads only; the result becomes a fact.
    CompareTables,
    /// Calls to the operator's own systems. What came of them becomes a fact.
    Hook(HookAction),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(fact) => write!(f, "{fact}"),
            Self::Replication(action) => action.fmt(f),
            Self::Binlog(action) => action.fmt(f),
            Self::Dns(action) => action.fmt(f),
            Self::Redirect(action) => action.fmt(f),
            Self::Fence(action) => action.fmt(f),
            Self::WriteMarker { purpose, marker } => {
                write!(f, "write the marker {marker} on the {} side", purpose.written_on())
            }
            Self::RaiseIds { side, floors } => {
                let floors: Vec<String> = floors.iter().map(|floor| format!("{} from {}", floor.table, floor.next)).collect();
                write!(f, "number new rows on the {side} side: {}", floors.join(", "))
            }
            Self::ExportRows { name } => write!(f, "save every row that legacy lacks as {name}"),
            Self::CompareTables => f.write_str("compare the rows of both sides"),
            Self::Hook(action) => action.fmt(f),
        }
    }
}

/// Whether a gate lets the migration through, now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It does, and this is the evidence.
    Open(String),
    /// It does not, and this is why.
    Closed(String),
    /// Nobody can say, so it does not.
    Unknown(String),
}

impl Standing {
    /// Whether it lets the migration through.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The evidence or the reason.
    pub fn text(&self) -> &str {
        match self {
            Self::Open(text) | Self::Closed(text) | Self::Unknown(text) => text,
        }
    }
}

/// One gate as it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateReport {
    /// Its stable name.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// How soon the world is worth another look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Pace {
    /// At once, whatever has failed: writes are paused, and looking is what ends it in time.
    WritesPaused,
    /// At once: something was done, or a switch is under way.
    Urgent,
    /// Something is under way.
    Moving,
    /// All is as wished.
    Settled,
}

/// What one pass decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[must_use = "an unread plan is not actionable"]
pub struct Plan {
    /// The rung stood on.
    pub rung: Rung,
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// What is awaited.
    pub waiting: Vec<Wait>,
    /// What only a person can help.
    pub blocked: Vec<Block>,
    /// The gates of this rung, and of the cutover when that is next.
    pub gates: Vec<GateReport>,
    /// How soon to look again.
    pub pace: Pace,
    /// The earliest known time at which something changes by itself.
    pub look_again_at: Option<Timestamp>,
}

impl Plan {
    /// Whether nothing is to be done.
    pub const fn is_idle(&self) -> bool {
        self.actions.is_empty()
    }
}
