//! Two lists by name, laid side by side.

use std::collections::{BTreeMap, BTreeSet};

/// Where something of one name is.
#[derive(Debug)]
pub(super) enum Pair<'a, T> {
    /// On legacy alone.
    Legacy(&'a T),
    /// On the target alone.
    Target(&'a T),
    /// On both sides, legacy first.
    Both(&'a T, &'a T),
}

/// Everything that either side has, by name.
pub(super) fn pairs<'a, T>(
    legacy: &'a BTreeMap<String, T>,
    target: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a str, Pair<'a, T>)> {
    let names: BTreeSet<&String> = legacy.keys().chain(target.keys()).collect();
    names.into_iter().filter_map(|name| {
        let pair = match (legacy.get(name), target.get(name)) {
            (Some(legacy), Some(target)) => Pair::Both(legacy, target),
            (Some(legacy), None) => Pair::Legacy(legacy),
            (None, target) => Pair::Target(target?),
        };
        Some((name.as_str(), pair))
    })
}
