//! How far behind a stream is, as far as heartbeats have proven it.
//!
//! A heartbeat that was sent at T and is seen on the other side at S proves that rows took at most S - T by then; one that is
//! missing at S proves that they take longer. No look can find the heartbeat that it sends itself, and the next may come a minute
//! later, when it would measure the minute: so one heartbeat after another is awaited across looks, and what was proven last is
//! kept with its time. All times are those of the server that rows leave, so that no two clocks are ever compared.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::elapsed;

/// Heartbeats in a row that arrived and proved nothing, before what was proven earlier counts no more. One is usual: it was sent
/// by the last look before a rest, and nobody looked until the rest was over.
const IN_VAIN: u32 = 1;

/// What one look shows of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glimpse {
    /// The time of the server that rows leave.
    pub now: Timestamp,
    /// The newest heartbeat that was sent there, or was due and failed; `None` where none is due.
    pub sent: Option<Timestamp>,
    /// The newest heartbeat that is written there, whoever sent it.
    pub written: Option<Timestamp>,
    /// The newest heartbeat that is seen on the other side.
    pub arrived: Option<Timestamp>,
}

/// How far behind a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lag {
    /// Within what is accepted when it was proven last, and nothing is overdue since.
    Within {
        /// Rows took no longer.
        at_most: Duration,
        /// When that was seen, by the clock of the server that rows leave.
        proven_at: Timestamp,
    },
    /// A heartbeat took longer than is accepted, or is still missing.
    Behind {
        /// So long at least.
        by: Duration,
    },
    /// Nobody can say.
    Unproven,
}

/// What is known of the heartbeats of one stream. Losing it loses nothing: two looks soon after each other find it out anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crossing {
    awaited: Option<Awaited>,
    verdict: Option<Verdict>,
    in_vain: u32,
    still: Option<Still>,
}

/// A stream that has something to bring, and brings nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Still {
    arrived: Option<Timestamp>,
    since: Timestamp,
    until: Timestamp,
}

/// A heartbeat under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Awaited {
    sent: Timestamp,
    /// Its age when it was looked for last, and was not there.
    missing_for: Duration,
}

/// What heartbeats proved last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Proven { at_most: Duration, at: Timestamp },
    Late { by: Duration },
}

impl Crossing {
    /// Takes in what a look shows. `most` is the lag that is accepted.
    pub fn note(&mut self, glimpse: Glimpse, most: Duration) {
        let Glimpse { now, sent, written, arrived } = glimpse;
        let has_more = written.is_some_and(|written| arrived.is_none_or(|arrived| arrived < written));
        let since = self.still.filter(|still| still.arrived == arrived).map_or(now, |still| still.since);
        self.still = has_more.then_some(Still { arrived, since, until: now });
        let here = |sent: Timestamp| arrived.is_some_and(|arrived| arrived >= sent);
        let came = self.awaited.take_if(|awaited| here(awaited.sent));
        match (arrived.map(|arrived| elapsed(arrived, now)).filter(|age| *age <= most), came) {
            (Some(at_most), _) => {
                self.verdict = Some(Verdict::Proven { at_most, at: now });
                self.in_vain = 0;
            }
            (None, Some(came)) if came.missing_for > most => self.verdict = Some(Verdict::Late { by: came.missing_for }),
            (None, Some(_)) => self.in_vain += 1,
            (None, None) => {}
        }
        if self.awaited.is_none() {
            self.awaited = sent.filter(|sent| !here(*sent)).map(|sent| Awaited { sent, missing_for: Duration::ZERO });
        }
        if let Some(awaited) = &mut self.awaited {
            awaited.missing_for = elapsed(awaited.sent, now);
        }
    }

    /// How far behind the stream is, where `most` is accepted.
    pub fn lag(&self, most: Duration) -> Lag {
        let overdue = self.awaited.map(|awaited| awaited.missing_for).filter(|missing_for| *missing_for > most);
        match (overdue, self.verdict) {
            (Some(by), _) | (None, Some(Verdict::Late { by })) => Lag::Behind { by },
            (None, Some(Verdict::Proven { at_most, at })) if at_most <= most && self.in_vain <= IN_VAIN => {
                Lag::Within { at_most, proven_at: at }
            }
            (None, Some(Verdict::Proven { .. }) | None) => Lag::Unproven,
        }
    }

    /// When the awaited heartbeat was sent, where it has been missing for longer than `longest`.
    pub fn missing_since(&self, longest: Duration) -> Option<Timestamp> {
        self.awaited.filter(|awaited| awaited.missing_for > longest).map(|awaited| awaited.sent)
    }

    /// Since when the stream has brought nothing for longer than `longest`, though there was something to bring. One that is far
    /// behind and catches up is not among them.
    pub fn still_since(&self, longest: Duration) -> Option<Timestamp> {
        self.still.filter(|still| elapsed(still.since, still.until) > longest).map(|still| still.since)
    }

    /// Whether a heartbeat is under way that may still prove that rows take no longer than `most`.
    pub fn is_undecided(&self, most: Duration) -> bool {
        self.awaited.is_some_and(|awaited| awaited.missing_for <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(5);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).expect("a time of this century")
    }

    /// A look at `now` that sends a heartbeat, and finds the one of `arrived`.
    fn look(crossing: &mut Crossing, now: i64, arrived: Option<i64>) -> Lag {
        crossing.note(Glimpse { now: at(now), sent: Some(at(now)), written: Some(at(now)), arrived: arrived.map(at) }, MOST);
        crossing.lag(MOST)
    }

    const fn behind(seconds: u64) -> Lag {
        Lag::Behind { by: Duration::from_secs(seconds) }
    }

    fn within(seconds: u64, proven_at: i64) -> Lag {
        Lag::Within { at_most: Duration::from_secs(seconds), proven_at: at(proven_at) }
    }

    #[test]
    fn looks_a_minute_apart_prove_what_a_second_look_soon_after_has_seen() {
        let mut crossing = Crossing::default();
        assert_eq!(look(&mut crossing, 0, None), Lag::Unproven);
        assert_eq!(look(&mut crossing, 2, Some(0)), within(2, 2));
        for minute in 1..10 {
            let began = 62 * minute;
            assert_eq!(look(&mut crossing, began, Some(began - 60)), within(2, began - 60), "the rest measures nothing");
            assert!(crossing.is_undecided(MOST), "so somebody has to look again soon");
            assert_eq!(look(&mut crossing, began + 2, Some(began)), within(2, began + 2));
        }
    }

    #[test]
    fn a_stream_that_died_in_the_rest_is_seen_by_the_next_look() {
        let mut crossing = Crossing::default();
        look(&mut crossing, 0, None);
        look(&mut crossing, 2, Some(0));
        assert_eq!(look(&mut crossing, 62, Some(0)), behind(60));
        assert!(!crossing.is_undecided(MOST), "and nothing is to be hurried for");
    }

    #[test]
    fn a_stream_that_died_right_after_a_look_is_seen_once_a_heartbeat_is_overdue() {
        let mut crossing = Crossing::default();
        look(&mut crossing, 0, None);
        look(&mut crossing, 2, Some(0));
        assert_eq!(look(&mut crossing, 62, Some(2)), within(2, 2));
        assert_eq!(look(&mut crossing, 64, Some(2)), within(2, 2));
        assert_eq!(look(&mut crossing, 68, Some(2)), behind(6));
    }

    #[test]
    fn a_steady_lag_stays_one_however_seldom_anybody_looks() {
        let mut crossing = Crossing::default();
        look(&mut crossing, 0, None);
        assert_eq!(look(&mut crossing, 6, None), behind(6));
        for minute in 1..5 {
            let began = 66 * minute;
            assert_eq!(look(&mut crossing, began, Some(began - 60)), behind(6), "it has arrived, late");
            assert_eq!(look(&mut crossing, began + 2, Some(began - 28)), behind(6), "and the next is late as well");
            assert_eq!(look(&mut crossing, began + 6, Some(began - 24)), behind(6));
        }
        assert_eq!(look(&mut crossing, 400, Some(396)), within(4, 400), "until one comes in time");
    }

    #[test]
    fn what_was_proven_once_does_not_count_for_ever_where_nobody_looks_soon_enough() {
        let mut crossing = Crossing::default();
        look(&mut crossing, 0, None);
        look(&mut crossing, 2, Some(0));
        assert_eq!(look(&mut crossing, 62, Some(2)), within(2, 2));
        assert_eq!(look(&mut crossing, 122, Some(62)), Lag::Unproven);
    }

    #[test]
    fn a_heartbeat_that_was_due_and_could_not_be_sent_is_missed() {
        let mut crossing = Crossing::default();
        look(&mut crossing, 0, None);
        look(&mut crossing, 2, Some(2));
        crossing.note(Glimpse { now: at(62), sent: Some(at(62)), written: Some(at(2)), arrived: Some(at(2)) }, MOST);
        crossing.note(Glimpse { now: at(122), sent: Some(at(122)), written: Some(at(2)), arrived: Some(at(2)) }, MOST);
        assert_eq!(crossing.lag(MOST), behind(60));
    }

    #[test]
    fn where_none_is_due_none_is_awaited() {
        let mut crossing = Crossing::default();
        crossing.note(Glimpse { now: at(0), sent: None, written: None, arrived: None }, MOST);
        crossing.note(Glimpse { now: at(600), sent: None, written: None, arrived: None }, MOST);
        assert_eq!((crossing.lag(MOST), crossing.missing_since(MOST)), (Lag::Unproven, None));
    }

    #[test]
    fn only_what_has_something_to_bring_and_brings_nothing_stands_still() {
        let longest = Duration::from_secs(600);
        let mut catching_up = Crossing::default();
        for minute in 0..60 {
            look(&mut catching_up, 60 * minute, Some(60 * minute - 1_800 + minute));
        }
        assert_eq!(catching_up.still_since(longest), None, "it is half an hour behind, and comes on");

        let mut unsent = Crossing::default();
        for minute in 0..60 {
            let now = at(60 * minute);
            unsent.note(Glimpse { now, sent: Some(now), written: Some(at(0)), arrived: Some(at(0)) }, MOST);
        }
        assert_eq!(unsent.still_since(longest), None, "what could not be sent is not awaited");

        let mut still = Crossing::default();
        for minute in 0..=10 {
            look(&mut still, 60 * minute, Some(-1));
            assert_eq!(still.still_since(longest), None);
        }
        look(&mut still, 660, Some(-1));
        assert_eq!(still.still_since(longest), Some(at(0)));
        look(&mut still, 720, Some(1));
        assert_eq!(still.still_since(longest), None, "it has moved");
    }
}
