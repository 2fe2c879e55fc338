//! Every check that a spec declares, as one list.

use super::outcome::CheckKind;
use crate::names::CheckName;
use crate::spec::Checks;
use crate::spec::checks::{CacheCheck, NamesCheck, PageCheck, SchemaCheck, TrafficCheck, UpstreamCheck};

/// One declared check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared<'a> {
    /// A page of the new system.
    Page(&'a PageCheck),
    /// Something that it depends on.
    Upstream(&'a UpstreamCheck),
    /// Redis or Valkey.
    Cache(&'a CacheCheck),
    /// Both databases' structure.
    Schema(&'a SchemaCheck),
    /// The public name as resolvers answer it.
    Names(&'a NamesCheck),
    /// Traffic that should end.
    Traffic(&'a TrafficCheck),
}

impl<'a> Declared<'a> {
    /// Every declared check, kind by kind, in the order of the file.
    pub fn all(checks: &'a Checks) -> impl Iterator<Item = Self> {
        let pages = checks.pages.iter().map(Self::Page);
        let upstreams = checks.upstreams.iter().map(Self::Upstream);
        let caches = checks.caches.iter().map(Self::Cache);
        let schema = checks.schema.iter().map(Self::Schema);
        let names = checks.names.iter().map(Self::Names);
        let traffic = checks.traffic.iter().map(Self::Traffic);
        pages.chain(upstreams).chain(caches).chain(schema).chain(names).chain(traffic)
    }

    /// Its name.
    pub const fn name(self) -> &'a CheckName {
        match self {
            Self::Page(check) => &check.name,
            Self::Upstream(check) => &check.name,
            Self::Cache(check) => &check.name,
            Self::Schema(check) => &check.name,
            Self::Names(check) => &check.name,
            Self::Traffic(check) => &check.name,
        }
    }

    /// What it is about.
    pub const fn kind(self) -> CheckKind {
        match self {
            Self::Page(_) => CheckKind::Page,
            Self::Upstream(_) => CheckKind::Upstream,
            Self::Cache(_) => CheckKind::Cache,
            Self::Schema(_) => CheckKind::Schema,
            Self::Names(_) => CheckKind::Names,
            Self::Traffic(_) => CheckKind::Traffic,
        }
    }
}
