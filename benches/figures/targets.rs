//! What is promised, printed beside what was measured: whoever reads a figure need not look up whether it is good.

use std::time::Duration;

use super::{percentile, percentiles, say};

/// A figure, the target beside it, and whether this run met it.
pub fn say_beside(what: &str, figure: &str, target: &str, is_met: bool) {
    let verdict = if is_met { "met" } else { "NOT met in this run" };
    say(what, &format!("{figure} (target: {target}; {verdict})"));
}

/// Times of which the 99th percentile is promised.
pub fn say_within(what: &str, mut times: Vec<Duration>, most: Duration) {
    times.sort();
    let target = format!("p99 at most {} ms", most.as_millis());
    say_beside(what, &percentiles(&times), &target, percentile(&times, 99) <= most);
}
