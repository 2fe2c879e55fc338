//! How far replication was behind, over time: in memory, bounded, and finest where it is newest.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::migration::status::MigrationStatus;

/// A few thousand bytes a migration; a line of so many points is as fine as a screen.
const SAMPLES: usize = 512;

/// While writes are paused there are a hundred looks a second; nobody sees more than one point of them.
const SPACING: SignedDuration = SignedDuration::from_secs(1);

/// Lag as it was published around one time. The worst, where several looks are told as one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LagSample {
    /// When the first of these looks was.
    pub at: Timestamp,
    /// Seconds that the target was behind; nothing where nothing was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_seconds: Option<f64>,
    /// Seconds that legacy was behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_seconds: Option<f64>,
}

/// One migration's lag since this process keeps it.
#[derive(Debug, Default)]
pub(super) struct LagHistory {
    samples: VecDeque<LagSample>,
}

impl LagHistory {
    /// Takes over what was published.
    pub fn note(&mut self, status: &MigrationStatus) {
        let sample = LagSample {
            at: status.observed_at,
            forward_seconds: status.forward.lag_seconds,
            reverse_seconds: status.reverse.lag_seconds,
        };
        self.add(sample);
    }

    fn add(&mut self, sample: LagSample) {
        if let Some(last) = self.samples.back_mut().filter(|last| sample.at.duration_since(last.at) < SPACING) {
            *last = worse(*last, sample);
            return;
        }
        if self.samples.len() >= SAMPLES {
            self.thin_out();
        }
        self.samples.push_back(sample);
    }

    /// Tells each two neighbours of the older half as one. What is told so again and again is the oldest, so that hours are kept
    /// in seconds and weeks in hours.
    fn thin_out(&mut self) {
        let older: Vec<LagSample> = self.samples.drain(..SAMPLES / 2).collect();
        for pair in older.rchunks(2) {
            self.samples.push_front(pair.iter().skip(1).fold(pair[0], |worst, next| worse(worst, *next)));
        }
    }

    /// All of it, the oldest first.
    pub fn samples(&self) -> Vec<LagSample> {
        self.samples.iter().copied().collect()
    }
}

fn worse(earlier: LagSample, later: LagSample) -> LagSample {
    let worst = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    };
    LagSample {
        at: earlier.at,
        forward_seconds: worst(earlier.forward_seconds, later.forward_seconds),
        reverse_seconds: worst(earlier.reverse_seconds, later.reverse_seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, forward: f64) -> LagSample {
        let at = Timestamp::from_second(1_700_000_000 + second).expect("a time");
        LagSample { at, forward_seconds: Some(forward), reverse_seconds: None }
    }

    #[test]
    fn ten_days_are_bounded_in_order_and_finest_at_the_end() {
        let mut history = LagHistory::default();
        for second in 0..864_000 {
            history.add(sample(second, 0.5));
        }
        let samples = history.samples();
        assert!(samples.len() <= SAMPLES && samples.len() >= SAMPLES / 2);
        assert!(samples.windows(2).all(|pair| pair[0].at < pair[1].at));
        let gap = |pair: &[LagSample]| pair[1].at.duration_since(pair[0].at).as_secs();
        assert_eq!((samples[0].at, gap(&samples[samples.len() - 2..])), (sample(0, 0.0).at, 1));
        assert!(gap(&samples[..2]) > 3600);
    }

    #[test]
    fn the_worst_moment_is_never_thinned_out() {
        let mut history = LagHistory::default();
        for second in 0..100_000 {
            history.add(sample(second, if second == 77 { 42.0 } else { 0.5 }));
        }
        let worst = history.samples().iter().filter_map(|sample| sample.forward_seconds).fold(0.0, f64::max);
        assert!((worst - 42.0).abs() < f64::EPSILON);
    }

    #[test]
    fn looks_within_a_second_are_told_as_one_and_what_was_not_proven_stays_so() {
        let mut history = LagHistory::default();
        history.add(sample(0, 1.0));
        history.add(sample(0, 3.0));
        history.add(LagSample { forward_seconds: None, ..sample(5, 0.0) });
        let told: Vec<Option<f64>> = history.samples().iter().map(|sample| sample.forward_seconds).collect();
        assert_eq!(told, [Some(3.0), None]);
    }
}
