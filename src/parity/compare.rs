//! One table, from its first chunk to the last settled doubt.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use mysql_async::Row;
use serde::{Deserialize, Serialize};

use super::chunks::{KeyValue, Range, SharedKey};
use super::fold::{Fold, Subject, fold};
use super::passage::{Passage, Passed};
use super::recheck::{Both, Finding, LOOKS, Settled, judge, settle};
use super::report::{Difference, How, TableReport, Verdict};
use super::rows::{Hashes, hashes_of, next_bound, values_by_key};
use super::server::{Hand, Server, texts};
use super::throttle::{Strain, Throttle};
use crate::clock::Clock;
use crate::fault::Fault;
use crate::names::Side;
use crate::spec::Parity;

/// Rows that are remembered to be looked at again. Where more differ, somebody has to look at the whole, not at single rows;
/// and memory stays flat.
pub const MOST_SUSPECTS: usize = 10_000;
/// Rows that a report shows.
pub const SHOWN: usize = 20;

/// How far a table has been read, and what was found on the way: all that a crash must not lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Walk {
    /// The last key that was read.
    pub after: Option<KeyValue>,
    /// Rows read on legacy and on target.
    pub rows: [u64; 2],
    /// Declared rows met on legacy and on target.
    pub declared_rows: [u64; 2],
    /// Rows that differed at the first look.
    pub suspects: BTreeSet<KeyValue>,
    /// More of these, which are only counted.
    pub more_suspects: u64,
    /// When its first row was read.
    pub began: Timestamp,
}

impl Walk {
    /// At the table's beginning.
    pub const fn new(began: Timestamp) -> Self {
        Self { after: None, rows: [0, 0], declared_rows: [0, 0], suspects: BTreeSet::new(), more_suspects: 0, began }
    }

    fn add(&mut self, folds: &[Fold; 2]) {
        for (side, fold) in folds.iter().enumerate() {
            self.rows[side] += fold.rows;
            self.declared_rows[side] += fold.declared_rows;
        }
    }

    fn suspect(&mut self, legacy: &Hashes, target: &Hashes) {
        let keys: BTreeSet<&KeyValue> = legacy.keys().chain(target.keys()).collect();
        for key in keys.into_iter().filter(|&key| legacy.get(key) != target.get(key)) {
            if self.suspects.len() < MOST_SUSPECTS {
                self.suspects.insert(key.clone());
            } else {
                self.more_suspects += 1;
            }
        }
    }
}

/// What happens on the way.
#[derive(Debug)]
pub enum Step<'a> {
    /// Another chunk is done.
    Walked(&'a Walk),
    /// A server is under strain.
    Strained(&'a Strain),
    /// A statement was sent that reads the table in one piece.
    InOnePiece,
}

/// What a comparison needs besides the table.
#[derive(Debug)]
pub struct Course<'a> {
    /// Both servers, legacy first.
    pub servers: &'a [Server; 2],
    /// Pace and chunk size.
    pub rules: &'a Parity,
    /// The side that writes flow from.
    pub source: Side,
    /// How it is known that rows have arrived.
    pub passage: &'a dyn Passage,
    /// The comparison steps aside while replication is further behind than this.
    pub max_lag: Duration,
    /// The only time there is.
    pub clock: &'a Clock,
}

/// Who is told what happens on the way.
pub type Tell<'a> = &'a mut (dyn FnMut(Step<'_>) + Send);

/// Compares one table, going on where `walk` stands.
///
/// # Errors
/// A fault, where a server does not answer.
pub async fn compare(course: &Course<'_>, subject: &Subject, walk: Walk, tell: Tell<'_>) -> Result<TableReport, Fault> {
    let mut hands = [course.servers[0].open().await?, course.servers[1].open().await?];
    let estimated_rows = subject.tables.each_ref().map(|table| table.estimated_rows);
    let most = course.rules.max_rows_without_key;
    match &subject.key {
        Ok(key) => by_key(course, &mut hands, subject, key, walk, tell).await,
        Err(why) if estimated_rows.into_iter().max() > Some(most) => {
            Ok(too_big_to_fold(course, subject, why, estimated_rows, walk.began))
        }
        Err(why) => {
            tell(Step::InOnePiece);
            whole(course, &mut hands, subject, why, walk.began).await
        }
    }
}

/// A table without a key is one statement of any length, which cannot be throttled, or gone on with: a big one is left alone,
/// and said to be.
fn too_big_to_fold(course: &Course<'_>, subject: &Subject, why: &str, estimated_rows: [u64; 2], began: Timestamp) -> TableReport {
    let [legacy, target] = estimated_rows;
    let note = format!(
        "not compared: {why}, so it could only be folded in one piece, and it has about {legacy} rows on legacy and {target} on \
         target; give it a primary key, or raise validation.parity.maxRowsWithoutKey ({})",
        course.rules.max_rows_without_key
    );
    let unread = TableReport::unread(&subject.tables[0].name, Verdict::Unknown, &note, course.clock.now());
    TableReport { began, ..unread }
}

async fn by_key(
    course: &Course<'_>,
    hands: &mut [Hand; 2],
    subject: &Subject,
    key: &SharedKey,
    mut walk: Walk,
    tell: Tell<'_>,
) -> Result<TableReport, Fault> {
    let mut throttle = Throttle::new(course.clock.clone(), course.rules, course.max_lag);
    // Bounds are found on a connection of their own, while both sides are busy with the chunk before.
    let mut scout = course.servers[0].open().await?;
    let rows = course.rules.chunk_rows;
    let beyond = |after: &Option<KeyValue>| Range { after: after.clone(), through: None };
    let mut through = next_bound(&mut scout, subject, key, &beyond(&walk.after), rows).await?;
    loop {
        let range = Range { after: walk.after.clone(), through: through.clone() };
        let ahead = async {
            match &through {
                Some(_) => next_bound(&mut scout, subject, key, &beyond(&through), rows).await,
                None => Ok(None),
            }
        };
        let [legacy, target] = hands;
        let (ours, theirs, next) = tokio::join!(fold(legacy, subject, &range), fold(target, subject, &range), ahead);
        let folds = [ours?, theirs?];
        if !folds[0].same_rows(&folds[1]) {
            examine(hands, subject, key, range, &folds, rows, &mut walk).await?;
        }
        walk.add(&folds);
        let read = folds[0].rows.max(folds[1].rows);
        throttle.after(read, hands, course.passage, course.source, &mut |strain| tell(Step::Strained(strain))).await?;
        let Some(bound) = through else { break };
        walk.after = Some(bound);
        tell(Step::Walked(&walk));
        through = next?;
    }
    let settled = settle(hands, subject, key, course, walk.suspects.clone()).await?;
    let sample = sample(hands, subject, key, &settled.differing).await?;
    Ok(report(course, subject, &walk, &settled, sample))
}

/// Reads the rows of a range whose folds differ. A range that holds many more rows than a chunk, as a gap of one side may on
/// the other, is divided first, so that memory stays flat.
async fn examine(
    hands: &mut [Hand; 2],
    subject: &Subject,
    key: &SharedKey,
    range: Range,
    folds: &[Fold; 2],
    chunk_rows: u32,
    walk: &mut Walk,
) -> Result<(), Fault> {
    let mut open = vec![(range, folds.clone())];
    while let Some((range, folds)) = open.pop() {
        let fuller = usize::from(folds[1].rows > folds[0].rows);
        if folds[fuller].rows <= 2 * u64::from(chunk_rows) {
            let [legacy, target] = &mut *hands;
            let (legacy, target) = tokio::join!(hashes_of(legacy, subject, key, &range), hashes_of(target, subject, key, &range));
            walk.suspect(&legacy?, &target?);
            continue;
        }
        let mut rest = range;
        loop {
            let bound = next_bound(&mut hands[fuller], subject, key, &rest, chunk_rows).await?;
            let part = Range { after: rest.after.clone(), through: bound.clone().or_else(|| rest.through.clone()) };
            let [legacy, target] = &mut *hands;
            let (ours, theirs) = tokio::join!(fold(legacy, subject, &part), fold(target, subject, &part));
            let folds = [ours?, theirs?];
            if !folds[0].same_rows(&folds[1]) {
                open.push((part, folds));
            }
            match bound {
                Some(bound) => rest.after = Some(bound),
                None => break,
            }
        }
    }
    Ok(())
}

async fn sample(
    hands: &mut [Hand; 2],
    subject: &Subject,
    key: &SharedKey,
    differing: &BTreeMap<KeyValue, Both>,
) -> Result<Vec<Difference>, Fault> {
    let shown: Vec<&KeyValue> = differing.keys().take(SHOWN).collect();
    let legacy = values_by_key(&mut hands[0], subject, key, &shown).await?;
    let target = values_by_key(&mut hands[1], subject, key, &shown).await?;
    let how = |key: &KeyValue| match (legacy.get(key), target.get(key)) {
        (Some(_), None) => How::OnlyOnLegacy,
        (None, Some(_)) => How::OnlyOnTarget,
        (ours, theirs) => {
            let value = |values: Option<&Vec<_>>, at: usize| values.and_then(|values| values.get(at).cloned());
            let columns = subject.rows.columns.iter().enumerate();
            let differing = columns.filter(|(at, _)| value(ours, *at) != value(theirs, *at));
            How::Columns(differing.map(|(_, column)| column.name.clone()).collect())
        }
    };
    Ok(shown.into_iter().map(|key| Difference { key: key.0.clone(), how: how(key) }).collect())
}

fn report(course: &Course<'_>, subject: &Subject, walk: &Walk, settled: &Settled, sample: Vec<Difference>) -> TableReport {
    let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
    let (differing, in_flight) = (count(settled.differing.len()), count(settled.in_flight.len()));
    let mut notes = Vec::new();
    if walk.more_suspects > 0 {
        notes.push(format!("{} more rows differed at the first look and were not looked at again", walk.more_suspects));
    }
    let verdict = match (differing, in_flight + walk.more_suspects) {
        (0, 0) => Verdict::Equal,
        (0, _) => Verdict::Unknown,
        _ => Verdict::Differs,
    };
    TableReport {
        table: subject.tables[0].name.to_string(),
        verdict,
        rows: walk.rows,
        declared_rows: walk.declared_rows,
        differing,
        arrived: count(settled.arrived.len()),
        in_flight,
        sample,
        notes,
        began: walk.began,
        finished: course.clock.now(),
    }
}

/// A table that no key orders alike on both sides: folded in one piece, and if it differs, told apart by sorted hashes.
async fn whole(
    course: &Course<'_>,
    hands: &mut [Hand; 2],
    subject: &Subject,
    why: &str,
    began: Timestamp,
) -> Result<TableReport, Fault> {
    let everything = Range::default();
    let [legacy, target] = &mut *hands;
    let (ours, theirs) = tokio::join!(fold(legacy, subject, &everything), fold(target, subject, &everything));
    let mut folds = [ours?, theirs?];
    let (from, to) = match course.source {
        Side::Legacy => (0, 1),
        Side::Target => (1, 0),
    };
    let mut verdict = if folds[0].same_rows(&folds[1]) { Verdict::Equal } else { Verdict::Unknown };
    let mut last: Option<Both> = None;
    for _ in 0..LOOKS {
        if verdict != Verdict::Unknown {
            break;
        }
        let before = fold(&mut hands[from], subject, &everything).await?;
        let passed = course.passage.pass(course.source).await?;
        folds[to] = fold(&mut hands[to], subject, &everything).await?;
        folds[from] = fold(&mut hands[from], subject, &everything).await?;
        let text = |fold: &Fold| format!("{} {} {}", fold.rows, fold.xor, fold.sum);
        let (before, other, after) = (text(&before), text(&folds[to]), text(&folds[from]));
        match judge(course.source, Some(&before), Some(&other), Some(&after), last.as_ref()) {
            Finding::Equal => verdict = Verdict::Equal,
            _ if passed == Passed::NotYet => break,
            Finding::Certain(_) => verdict = Verdict::Differs,
            Finding::Open(seen) => last = seen,
        }
    }
    let mut notes = vec![format!("compared in one piece: {why}")];
    let (mut lonely, mut sample) = ([0, 0], Vec::new());
    match verdict {
        Verdict::Equal => {}
        Verdict::Unknown => notes.push("it kept changing, or nothing arrived, while it was compared: try again later".to_owned()),
        Verdict::Differs => {
            (lonely, sample) = lonely_rows(hands, subject).await?;
            notes.push(format!("{} rows on legacy only, {} on target only", lonely[0], lonely[1]));
        }
    }
    Ok(TableReport {
        table: subject.tables[0].name.to_string(),
        verdict,
        rows: [folds[0].rows, folds[1].rows],
        declared_rows: [folds[0].declared_rows, folds[1].declared_rows],
        differing: lonely[0] + lonely[1],
        arrived: 0,
        in_flight: 0,
        sample,
        notes,
        began,
        finished: course.clock.now(),
    })
}

/// Rows whose hash the other side has not, or not as often. Both servers sort, and the sorted hashes are merged as they come.
async fn lonely_rows(hands: &mut [Hand; 2], subject: &Subject) -> Result<([u64; 2], Vec<Difference>), Fault> {
    let statement = |side: usize| {
        format!(
            "SELECT {} AS bascule_hash FROM {} WHERE TRUE{} ORDER BY bascule_hash",
            subject.rows.hash(),
            subject.source(side),
            subject.and_counts()
        )
    };
    let attempted = format!("sort the rows of {}", subject.tables[0].name);
    let [legacy, target] = hands;
    let mut ours = legacy.stream(&attempted, &statement(0)).await?;
    let mut theirs = target.stream(&attempted, &statement(1)).await?;
    let hash = |row: Option<Row>| row.map(|row| texts(row).into_iter().flatten().next().unwrap_or_default());
    let mut one = hash(ours.next().await?);
    let mut other = hash(theirs.next().await?);
    let (mut lonely, mut sample) = ([0, 0], Vec::new());
    while one.is_some() || other.is_some() {
        let legacy_only = other.is_none() || (one.is_some() && one < other);
        let target_only = one.is_none() || (other.is_some() && other < one);
        if legacy_only || target_only {
            let (side, how) = if legacy_only { (0, How::OnlyOnLegacy) } else { (1, How::OnlyOnTarget) };
            lonely[side] += 1;
            if sample.len() < SHOWN {
                let hash = if legacy_only { &one } else { &other };
                let shown = String::from_utf8_lossy(hash.as_deref().unwrap_or_default()).into_owned();
                sample.push(Difference { key: vec![format!("row with SHA-256 {shown}")], how });
            }
        }
        if !target_only {
            one = hash(ours.next().await?);
        }
        if !legacy_only {
            other = hash(theirs.next().await?);
        }
    }
    Ok((lonely, sample))
}
