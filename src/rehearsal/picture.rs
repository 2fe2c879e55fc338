//! The migration in one picture: lanes for both sides' writes, the public name, both replications and the closed gates.
//!
//! A migration is weeks of waiting and seconds of switching, so the axis is not linear: a stretch is as wide as the logarithm
//! of its length. Every stretch carries its word; colour only repeats it.

use std::time::Duration;

use jiff::Timestamp;

use super::stage::Rehearsed;
use super::timeline::Sample;
use crate::clock::elapsed;
use crate::spec::period::spoken;

/// Room for the lanes' names on the left.
const LEFT: f64 = 130.0;
/// One lane with its gap.
const LANE: f64 = 34.0;
/// Where the first lane begins, below title and phases.
const TOP: f64 = 96.0;
/// All stretches together: what a wide screen and a page in landscape show.
const BREADTH: f64 = 1240.0;
/// Stretches narrower than this carry their word in a tooltip only.
const ROOM_FOR_WORDS: f64 = 46.0;

/// One lane: its name and what a sample says in it.
struct Lane {
    name: &'static str,
    word: fn(&Sample) -> String,
}

const LANES: [Lane; 6] = [
    Lane { name: "legacy writes", word: |sample| sample.legacy_writes.clone() },
    Lane { name: "target writes", word: |sample| sample.target_writes.clone() },
    Lane { name: "public DNS", word: |sample| sample.public_dns.clone() },
    Lane { name: "forward", word: |sample| sample.forward.clone() },
    Lane { name: "reverse", word: |sample| sample.reverse.clone() },
    Lane {
        name: "gates",
        word: |sample| match sample.closed_gates.as_slice() {
            [] => "all open".into(),
            [one] => format!("waits for {one}"),
            [one, rest @ ..] => format!("waits for {one} and {} more", rest.len()),
        },
    },
];

/// A stretch of one lane.
struct Stretch {
    from: Timestamp,
    to: Timestamp,
    x: f64,
    width: f64,
    word: String,
}

/// The picture as an SVG document that needs nothing else.
pub fn svg(rehearsed: &Rehearsed) -> String {
    let samples = &rehearsed.timeline.samples;
    let edges = edges(samples);
    let end = edges.last().map_or(LEFT, |(_, x)| *x);
    let width = end.max(640.0) + 24.0;
    let height = TOP + LANE * LANES.len() as f64 + 70.0;
    let verdict = &rehearsed.verdict;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title summary\">\n<title id=\"title\">The migration {} in one picture</title>\n<desc id=\"summary\">{}</desc>\n{STYLE}\n<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n",
        escaped(&verdict.migration),
        escaped(&headline(rehearsed)),
    );
    svg.push_str(&format!("<text class=\"title\" x=\"16\" y=\"28\">{}</text>\n", escaped(&verdict.migration)));
    svg.push_str(&format!("<text x=\"16\" y=\"48\">{}</text>\n", escaped(&headline(rehearsed))));
    phases(&mut svg, rehearsed, &edges, TOP + LANE * LANES.len() as f64);
    for (number, lane) in LANES.iter().enumerate() {
        let y = TOP + LANE * number as f64;
        svg.push_str(&format!("<text class=\"lane\" x=\"16\" y=\"{:.1}\">{}</text>\n", y + 17.0, lane.name));
        for stretch in stretches(samples, &edges, lane) {
            draw(&mut svg, &stretch, y);
        }
    }
    svg.push_str(&format!(
        "<text class=\"note\" x=\"16\" y=\"{:.0}\">Time runs from left to right; a stretch is as wide as the logarithm of its length. Times are UTC.</text>\n</svg>\n",
        height - 14.0
    ));
    svg
}

const STYLE: &str = "<style>
svg { font: 12px system-ui, sans-serif; }
.page { fill: #fff; } text { fill: #222; } .title { font-size: 18px; font-weight: 600; } .lane { font-weight: 600; } .note, .phase { fill: #555; font-size: 11px; }
.bar { stroke: #fff; stroke-width: 1; } .word { fill: #111; font-size: 11px; pointer-events: none; }
.good { fill: #9ed8b0; } .shut { fill: #f0a7a0; } .moving { fill: #f6d98a; } .idle { fill: #e3e6ea; } .there { fill: #a9c8f0; }
.edge { stroke: #999; stroke-dasharray: 2 3; }
@media (prefers-color-scheme: dark) {
.page { fill: #15181c; } text { fill: #e8e8e8; } .note, .phase { fill: #a8adb4; } .bar { stroke: #15181c; } .word { fill: #0d0f12; } .idle { fill: #8a929c; } .edge { stroke: #667; }
}
</style>";

fn headline(rehearsed: &Rehearsed) -> String {
    let verdict = &rehearsed.verdict;
    let pause = verdict.write_pause_seconds.map_or_else(String::new, |seconds| format!(", write pause {seconds:.1} s"));
    let back =
        verdict.rollback_write_pause_seconds.map_or_else(String::new, |seconds| format!(", on the way back {seconds:.1} s"));
    format!(
        "{:?}, faults {}, seed {}: {} after {}{pause}{back}; {} payments acknowledged, {} lost",
        verdict.scenario,
        verdict.faults,
        verdict.seed,
        verdict.outcome,
        spoken(Duration::from_secs(verdict.simulated_seconds)),
        verdict.payments.acknowledged,
        verdict.payments.lost
    )
}

/// Where each sample's time stands on the axis.
fn edges(samples: &[Sample]) -> Vec<(Timestamp, f64)> {
    let weights: Vec<f64> = samples.windows(2).map(|pair| weight(&pair[0], &pair[1])).collect();
    let unit = BREADTH / weights.iter().sum::<f64>().max(1.0);
    let mut x = LEFT;
    let mut edges = Vec::with_capacity(samples.len());
    for (sample, weight) in samples.iter().zip(std::iter::once(&0.0).chain(&weights)) {
        x += unit * weight;
        edges.push((sample.at, x));
    }
    edges
}

fn weight(from: &Sample, to: &Sample) -> f64 {
    elapsed(from.at, to.at).as_secs_f64().ln_1p()
}

fn place(edges: &[(Timestamp, f64)], at: Timestamp) -> f64 {
    let later = edges.iter().find(|(edge, _)| *edge >= at).or(edges.last());
    later.map_or(LEFT, |(_, x)| *x)
}

/// Neighbouring samples that say the same are one stretch.
fn stretches(samples: &[Sample], edges: &[(Timestamp, f64)], lane: &Lane) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for (pair, places) in samples.windows(2).zip(edges.windows(2)) {
        let ([now, next], [(_, x), (_, end)]) = (pair, places) else { continue };
        let word = (lane.word)(now);
        match stretches.last_mut().filter(|last| last.word == word) {
            Some(last) => {
                last.to = next.at;
                last.width = end - last.x;
            }
            None => stretches.push(Stretch { from: now.at, to: next.at, x: *x, width: end - x, word }),
        }
    }
    stretches
}

fn draw(svg: &mut String, stretch: &Stretch, y: f64) {
    let length = spoken(Duration::from_secs(elapsed(stretch.from, stretch.to).as_secs()));
    svg.push_str(&format!(
        "<g><title>{} for {length}, from {:.0}</title><rect class=\"bar {}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"24\" rx=\"3\"/>",
        escaped(&stretch.word),
        stretch.from,
        shade(&stretch.word),
        stretch.x,
        stretch.width.max(1.0),
    ));
    let letters = (stretch.width / 6.4) as usize;
    if stretch.width >= ROOM_FOR_WORDS {
        let word: String = if stretch.word.chars().count() > letters {
            stretch.word.chars().take(letters.saturating_sub(1)).chain(['…']).collect()
        } else {
            stretch.word.clone()
        };
        svg.push_str(&format!(
            "<text class=\"word\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            stretch.x + 4.0,
            y + 16.0,
            escaped(&word)
        ));
    }
    svg.push_str("</g>\n");
}

fn phases(svg: &mut String, rehearsed: &Rehearsed, edges: &[(Timestamp, f64)], bottom: f64) {
    let mut taken = [f64::MIN; 2];
    let right = edges.last().map_or(LEFT, |(_, x)| *x);
    for entry in &rehearsed.verdict.phases {
        let x = place(edges, entry.entered_at);
        let letters = 7.0 * entry.phase.name().len() as f64;
        // A word that would run out of the picture ends at its line instead.
        let (from, anchor, text_x) = if x + letters > right { (x - letters, "end", x - 2.0) } else { (x, "start", x + 2.0) };
        // Two rows, so that neighbours do not write over each other.
        let row = usize::from(taken[0] > from);
        taken[row] = from + letters;
        let y = if row == 0 { 68.0 } else { 82.0 };
        svg.push_str(&format!(
            "<line class=\"edge\" x1=\"{x:.1}\" y1=\"{:.0}\" x2=\"{x:.1}\" y2=\"{bottom:.0}\"/><text class=\"phase\" text-anchor=\"{anchor}\" x=\"{text_x:.1}\" y=\"{y}\">{}</text>\n",
            y + 4.0,
            entry.phase
        ));
    }
}

/// The colour that repeats a word.
fn shade(word: &str) -> &'static str {
    match word {
        "open" | "running" | "all open" => "good",
        "closed" | "failed" | "foreign" => "shut",
        "legacy" | "target" | "validationOnly" => "there",
        "starting" | "stopping" | "creating" | "deleting" | "modifying" | "between" => "moving",
        word if word.starts_with("waits") => "moving",
        _ => "idle",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
