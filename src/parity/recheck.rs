//! The second look: a row that differs counts only when it cannot be a row on its way.
//!
//! A row is read on the source; then everything that the source had committed arrives; then the row is read on the other side,
//! and on the source once more. If the source did not change meanwhile and the other side differs from it, that is no lag. It
//! has to be seen twice in a row with the same two rows, because a value may change and change back between two reads.
//!
//! A row that changes all the time, such as an account's balance, is never still for that long. It is watched on the source, and
//! has arrived where the other side shows a version that was seen there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::chunks::{KeyValue, SharedKey};
use super::compare::Course;
use super::fold::Subject;
use super::passage::Passed;
use super::rows::hashes_by_key;
use super::server::Hand;
use crate::fault::Fault;
use crate::names::Side;

/// Two looks settle a still row. A row that changes through five waits for replication is a busy one, and is left alone.
pub const LOOKS: u32 = 5;
/// Restless rows are read this often while they are watched: fifty changes a second do not escape.
const WATCH_EVERY: Duration = Duration::from_millis(20);
/// So many rows are watched at once, in a few statements; the others wait for the next look.
const MOST_WATCHED: usize = 1_000;
/// Versions that are remembered, of all watched rows together. Each is 64 hexadecimal digits and its place in a list, 150 bytes
/// with what the allocator needs: 15 MB at most, where a thousand rows with 500 versions each would have been 75. That is two
/// seconds of a thousand rows that change at every reading, and longer where fewer change, or not as often.
const MOST_VERSIONS: usize = 100_000;

/// A row on legacy and on target: its hash, or `None` where it is not there.
pub type Both = [Option<String>; 2];

/// What the looks came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Rows that differ for certain, as they were at last.
    pub differing: BTreeMap<KeyValue, Both>,
    /// Rows that were equal at last.
    pub arrived: BTreeSet<KeyValue>,
    /// Rows about which nothing can be said.
    pub in_flight: BTreeSet<KeyValue>,
}

/// One doubtful thing: what was seen of it at the last look, if that was a sound difference.
pub type Doubts<K> = BTreeMap<K, Option<Both>>;

/// What one look makes of one doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The same on both sides.
    Equal,
    /// Different twice in a row.
    Certain(Both),
    /// To be looked at again; what a next look has to see again.
    Open(Option<Both>),
}

/// Judges one look: the source before, the other side, the source after; and what the last look saw. Pure.
pub fn judge(
    source: Side,
    before: Option<&String>,
    other: Option<&String>,
    after: Option<&String>,
    last: Option<&Both>,
) -> Finding {
    if before != after {
        return Finding::Open(None);
    }
    if other == after {
        return Finding::Equal;
    }
    let seen = match source {
        Side::Legacy => [after.cloned(), other.cloned()],
        Side::Target => [other.cloned(), after.cloned()],
    };
    if last == Some(&seen) { Finding::Certain(seen) } else { Finding::Open(Some(seen)) }
}

/// Looks at `suspects` again until each is settled or has been looked at often enough.
///
/// # Errors
/// A fault, where a server does not answer.
pub async fn settle(
    hands: &mut [Hand; 2],
    subject: &Subject,
    key: &SharedKey,
    course: &Course<'_>,
    suspects: BTreeSet<KeyValue>,
) -> Result<Settled, Fault> {
    let mut settled = Settled::default();
    let mut doubts: Doubts<KeyValue> = suspects.into_iter().map(|key| (key, None)).collect();
    let mut restless: BTreeSet<KeyValue> = BTreeSet::new();
    let (from, to) = match course.source {
        Side::Legacy => (0, 1),
        Side::Target => (1, 0),
    };
    for _ in 0..LOOKS {
        if doubts.is_empty() {
            break;
        }
        let keys: Vec<KeyValue> = doubts.keys().cloned().collect();
        let keys: Vec<&KeyValue> = keys.iter().collect();
        let watched: Vec<&KeyValue> = keys.iter().copied().filter(|key| restless.contains(*key)).take(MOST_WATCHED).collect();
        let before = hashes_by_key(&mut hands[from], subject, key, &keys).await?;
        let (passed, seen) = watch(&mut hands[from], subject, key, course, &watched).await?;
        let other = hashes_by_key(&mut hands[to], subject, key, &keys).await?;
        let after = hashes_by_key(&mut hands[from], subject, key, &keys).await?;
        for key in keys {
            let last = doubts.get(key).and_then(Option::as_ref);
            let mut finding = judge(course.source, before.get(key), other.get(key), after.get(key), last);
            let was_there = [&before, &after].into_iter().any(|hashes| hashes.get(key) == other.get(key));
            if before.get(key) != after.get(key) && (was_there || seen.has(key, other.get(key))) {
                finding = Finding::Equal;
            }
            if passed == Passed::NotYet && finding != Finding::Equal {
                finding = Finding::Open(None);
            }
            match finding {
                Finding::Equal => {
                    settled.arrived.insert(key.clone());
                    doubts.remove(key);
                }
                Finding::Certain(both) => {
                    settled.differing.insert(key.clone(), both);
                    doubts.remove(key);
                }
                Finding::Open(seen) => {
                    if seen.is_none() {
                        restless.insert(key.clone());
                    }
                    doubts.insert(key.clone(), seen);
                }
            }
        }
        if passed == Passed::NotYet {
            // Whoever did not arrive in all that time will not arrive in four times that time.
            break;
        }
    }
    settled.in_flight.extend(doubts.into_keys());
    Ok(settled)
}

/// Waits for the passage, and meanwhile reads rows on the source that never stand still: each version that they have had there.
/// Where the other side shows one of these, the row is on its way, however often it changes.
async fn watch(
    hand: &mut Hand,
    subject: &Subject,
    key: &SharedKey,
    course: &Course<'_>,
    watched: &[&KeyValue],
) -> Result<(Passed, Versions), Fault> {
    let mut pass = course.passage.pass(course.source);
    let mut versions = Versions::default();
    if watched.is_empty() {
        return Ok((pass.await?, versions));
    }
    loop {
        // A statement is never cut off: its connection would be of no use any more.
        let passed = tokio::select! {
            passed = &mut pass => Some(passed?),
            () = course.clock.sleep(WATCH_EVERY) => None,
        };
        if versions.count < MOST_VERSIONS {
            let hashes = hashes_by_key(hand, subject, key, watched).await?;
            watched.iter().for_each(|key| versions.note(key, hashes.get(*key)));
        }
        if let Some(passed) = passed {
            return Ok((passed, versions));
        }
    }
}

/// What was seen of rows while they were watched: each change once, oldest first. `None` is a row that was not there.
#[derive(Debug, Default)]
struct Versions {
    of: BTreeMap<KeyValue, Vec<Option<String>>>,
    count: usize,
}

impl Versions {
    fn note(&mut self, key: &KeyValue, hash: Option<&String>) {
        let known = self.of.get(key).and_then(|versions| versions.last());
        if self.count == MOST_VERSIONS || known.is_some_and(|last| last.as_ref() == hash) {
            return;
        }
        self.of.entry(key.clone()).or_default().push(hash.cloned());
        self.count += 1;
    }

    fn has(&self, key: &KeyValue, hash: Option<&String>) -> bool {
        self.of.get(key).is_some_and(|versions| versions.iter().any(|version| version.as_ref() == hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn judged(before: &str, other: &str, after: &str, last: Option<&Both>) -> Finding {
        judge(Side::Legacy, text(before).as_ref(), text(other).as_ref(), text(after).as_ref(), last)
    }

    #[test]
    fn a_row_that_arrived_is_equal() {
        assert_eq!(judged("new", "new", "new", None), Finding::Equal);
    }

    #[test]
    fn a_difference_is_certain_only_when_it_is_seen_twice() {
        let seen = [text("a"), text("b")];
        assert_eq!(judged("a", "b", "a", None), Finding::Open(Some(seen.clone())));
        assert_eq!(judged("a", "b", "a", Some(&seen)), Finding::Certain(seen.clone()));
        assert_eq!(judged("a", "c", "a", Some(&seen)), Finding::Open(Some([text("a"), text("c")])), "the other side moved");
    }

    #[test]
    fn a_source_that_changes_under_the_look_proves_nothing() {
        let seen = [text("a"), text("b")];
        assert_eq!(judged("a", "b", "c", Some(&seen)), Finding::Open(None));
    }

    #[test]
    fn versions_are_remembered_once_each_and_never_more_than_memory_is_set_aside_for() {
        let mut versions = Versions::default();
        let row = |number: usize| KeyValue(vec![number.to_string()]);
        for hash in ["a", "a", "b", "b"] {
            versions.note(&row(1), text(hash).as_ref());
        }
        versions.note(&row(1), None);
        assert_eq!(versions.count, 3, "what stands still takes no room");
        assert!(versions.has(&row(1), text("a").as_ref()) && versions.has(&row(1), None));
        assert!(!versions.has(&row(1), text("c").as_ref()) && !versions.has(&row(2), None), "nobody has seen these");
        for reading in 0..2 * MOST_VERSIONS / MOST_WATCHED {
            (0..MOST_WATCHED).for_each(|number| versions.note(&row(number), text(&reading.to_string()).as_ref()));
        }
        assert_eq!(versions.count, MOST_VERSIONS);
        assert_eq!(versions.of.values().map(Vec::len).sum::<usize>(), MOST_VERSIONS);
    }

    #[test]
    fn a_missing_row_is_judged_like_any_other_and_sides_keep_their_places() {
        let seen = [None, text("x")];
        assert_eq!(judge(Side::Target, text("x").as_ref(), None, text("x").as_ref(), Some(&seen)), Finding::Certain(seen));
        assert_eq!(judge(Side::Target, None, None, None, None), Finding::Equal);
    }
}
