//! What is answered, in Kubernetes's shapes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::Entry;
use crate::migration::status::MigrationStatus;
use crate::names::MigrationName;
use crate::spec::{ApiVersion, Kind, Spec};

/// One migration: the wish in force and the view of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationObject {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// Always `Migration`.
    pub kind: Kind,
    /// Name and versions.
    pub metadata: ObjectMeta,
    /// The spec in force, defaults filled in.
    pub spec: Spec,
    /// What is true, what is awaited, and why.
    pub status: MigrationStatus,
}

/// `metadata` of a published migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta {
    /// Its name.
    pub name: MigrationName,
    /// How many different specs have been in force.
    pub generation: u64,
    /// Changes whenever spec or status change in substance; a newer pass that saw the same does not change it.
    pub resource_version: String,
}

/// All migrations, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationList {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// Always `MigrationList`.
    pub kind: ListKind,
    /// Of the list as a whole.
    pub metadata: ListMeta,
    /// The migrations.
    pub items: Vec<MigrationObject>,
}

/// The kind of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ListKind {
    /// A list of migrations.
    MigrationList,
    /// A page of a journal.
    EventList,
}

/// `metadata` of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListMeta {
    /// The newest resource version in it.
    pub resource_version: String,
}

/// A page of a migration's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventList {
    /// The version of this format.
    pub api_version: ApiVersion,
    /// Always `EventList`.
    pub kind: ListKind,
    /// Where the next page begins.
    pub metadata: EventListMeta,
    /// Journal entries, oldest first.
    pub items: Vec<Entry>,
}

/// `metadata` of a page of history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventListMeta {
    /// What to give as `after` for the next page.
    pub next_after: u64,
    /// What to give as `before` for the page before; nothing where this one begins with the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_before: Option<u64>,
}

/// What a watch sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchEvent {
    /// Whether it is the first that this watch sends.
    #[serde(rename = "type")]
    pub event_type: WatchEventType,
    /// The migration as it is now.
    pub object: MigrationObject,
}

/// What a watch sends while nothing is new: that it lives, and when each migration was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bookmark {
    /// The looks.
    pub looks: Vec<Look>,
}

/// When a migration was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// Which.
    pub name: MigrationName,
    /// When the newest pass over it ended.
    pub observed_at: Timestamp,
}

/// Kubernetes's words for what happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum WatchEventType {
    /// The state at the beginning of the watch.
    Added,
    /// A change since.
    Modified,
}

impl WatchEventType {
    /// The wire's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
        }
    }
}
