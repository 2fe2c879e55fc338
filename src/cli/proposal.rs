//! A proposal in words: for a terminal, and for the comment of a pull request.

use super::screen::{Screen, clean};
use crate::migration::ladder::Rung;
use crate::migration::plan::Standing;
use crate::migration::proposal::{Asked, GateAhead, Proposal, WritePause};
use crate::spec::difference::shown;

/// The most characters of one value in words: a table that scrolls sideways is not read.
const LONGEST_VALUE: usize = 64;
/// The most characters of one sentence in a table; the whole is in the text and in JSON.
const LONGEST_SENTENCE: usize = 240;

/// The proposal for a terminal.
pub fn text(proposal: &Proposal, screen: Screen) -> String {
    let mut text = headline(proposal, screen);
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n{}", lines.concat()));
        }
    };
    let changes = proposal.changes.iter();
    let change = |path: &str, before, after| screen.hang_at(&format!("  {path}: "), 6, &format!("{before} -> {after}"));
    section("changes", changes.map(|it| change(&it.path, value(it.before.as_ref()), value(it.after.as_ref()))).collect());
    section(
        "not allowed",
        proposal.refused.iter().map(|it| screen.hang_at(&format!("  {}: ", it.reason), 6, &it.message)).collect(),
    );
    section("worth knowing", proposal.notes.iter().map(|note| screen.hang("  ", note)).collect());
    let number = |(at, rung): (usize, &Rung)| format!("  {}. {rung}\n", at + 1);
    section("would enter, if every gate opens", proposal.rungs.iter().enumerate().map(number).collect());
    let milestone = |rung: Rung, what: &str| screen.hang_at(&format!("  {rung}: "), 6, what);
    section("cannot be taken back", proposal.irreversible.iter().map(|it| milestone(it.rung, &it.what)).collect());
    let pause = proposal.write_pause.iter().map(|pause| screen.hang("  ", &pause_sentence(pause)));
    section("write pause", pause.collect());
    section("gates now", steps(proposal).iter().map(|(asked, gates)| step_text(*asked, gates, screen)).collect());
    section("approvals", approvals(proposal).iter().map(|line| screen.hang_at("  ", 6, line)).collect());
    text
}

fn headline(proposal: &Proposal, screen: Screen) -> String {
    screen.hang_at("", 2, &format!("{}: {}", proposal.migration, verdict(proposal)))
}

/// One sentence: what a merge would do.
fn verdict(proposal: &Proposal) -> String {
    let (rung, wished, at) = (proposal.rung, proposal.wished_phase, proposal.as_of);
    if !proposal.refused.is_empty() {
        return format!("not allowed while it stands at {rung} (as of {at:.0})");
    }
    let closed = proposal.held_by().count();
    let gates = match closed {
        0 => "no gate that is judged now is closed".to_owned(),
        1 => "1 gate is closed or unknown now".to_owned(),
        more => format!("{more} gates are closed or unknown now"),
    };
    match (proposal.changes.is_empty(), proposal.rungs.last()) {
        (true, None) => format!("as it is in force; it stands at {rung}, and {wished} is asked for (as of {at:.0})"),
        (false, None) => format!("{} in the spec; it stays at {rung} (as of {at:.0})", change_count(proposal)),
        (true, Some(last)) => format!("as it is in force; from {rung} to {last} for {wished}; {gates} (as of {at:.0})"),
        (false, Some(last)) => {
            format!("{} in the spec; from {rung} to {last} for {wished}; {gates} (as of {at:.0})", change_count(proposal))
        }
    }
}

fn change_count(proposal: &Proposal) -> String {
    match proposal.changes.len() {
        1 => "1 change".to_owned(),
        more => format!("{more} changes"),
    }
}

fn pause_sentence(pause: &WritePause) -> String {
    let drain = match pause.drain_seconds {
        Some(seconds) => format!("about {seconds:.1} s to drain"),
        None => "its length cannot be told now".to_owned(),
    };
    format!("{drain}, and given up by itself after {} s: {}", pause.budget_seconds, pause.basis)
}

fn approvals(proposal: &Proposal) -> Vec<String> {
    let (ahead, attempt) = (&proposal.approvals, proposal.attempt);
    let report = &ahead.report;
    let mut lines = match (report.required, ahead.missing) {
        (0, _) => vec!["the spec asks for none".to_owned()],
        (required, 0) => vec![format!("{required} of {required}: {}", report.counted.join(", "))],
        (required, missing) => {
            let counted = if report.counted.is_empty() { "none".to_owned() } else { report.counted.join(", ") };
            vec![format!("{missing} of {required} missing; counted: {counted}")]
        }
    };
    lines.extend(report.refused.iter().map(|why| format!("not counted: {why}")));
    lines.push(format!("they name attempt {attempt}, plan {}", report.plan_digest));
    if ahead.digest_changes {
        lines.push("the plan is another than the one in force: approvals of that one do not count".to_owned());
    }
    lines
}

/// Gates by what they are asked for, in the order of the way.
fn steps(proposal: &Proposal) -> Vec<(Asked, Vec<&GateAhead>)> {
    let mut steps: Vec<(Asked, Vec<&GateAhead>)> = Vec::new();
    for gate in &proposal.gates {
        match steps.last_mut().filter(|(asked, _)| *asked == gate.asked) {
            Some((_, gates)) => gates.push(gate),
            None => steps.push((gate.asked, vec![gate])),
        }
    }
    steps
}

fn step_name(asked: Asked) -> String {
    match asked {
        Asked::ToReach(rung) => format!("{rung} is reached"),
        Asked::ToEnter(rung) => format!("{rung} is entered"),
    }
}

/// The names of gates for which `holds`, if there are any.
fn names(gates: &[&GateAhead], holds: impl Fn(Option<&Standing>) -> bool) -> Option<String> {
    let names: Vec<&str> = gates.iter().filter(|it| holds(it.standing.as_ref())).map(|it| it.name.as_str()).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn step_text(asked: Asked, gates: &[&GateAhead], screen: Screen) -> String {
    let mut text = format!("  before {}\n", step_name(asked));
    for gate in gates {
        match &gate.standing {
            Some(Standing::Closed(why)) => text.push_str(&screen.hang(&format!("    closed   {}: ", gate.name), why)),
            Some(Standing::Unknown(why)) => text.push_str(&screen.hang(&format!("    unknown  {}: ", gate.name), why)),
            Some(Standing::Open(_)) | None => {}
        }
    }
    let open = names(gates, |standing| standing.is_some_and(Standing::is_open));
    text.extend(open.map(|open| screen.hang("    open     ", &open)));
    let later = names(gates, |standing| standing.is_none());
    text.extend(later.map(|later| screen.hang("    later    ", &later)));
    text
}

/// The proposal as one comment that a later run finds by its first line and replaces.
pub fn markdown(proposal: &Proposal) -> String {
    let mut text = format!("<!-- bascule-plan: {} -->\n", proposal.migration);
    text.push_str(&format!("### Plan of `{}`\n\n", proposal.migration));
    text.push_str(&format!("**{}**\n", cell(&verdict(proposal), LONGEST_SENTENCE)));
    let mut table = |title: &str, head: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
            let head: Vec<String> = head.iter().map(|word| (*word).to_owned()).collect();
            let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
            let rows: String = rows.iter().map(|row| line(row)).collect();
            text.push_str(&format!("\n#### {title}\n\n{}{}{rows}", line(&head), line(&rule)));
        }
    };
    let sentence = |text: &str| cell(text, LONGEST_SENTENCE);
    let changes = proposal.changes.iter();
    let change = changes.map(|it| vec![code(&it.path), code(&value(it.before.as_ref())), code(&value(it.after.as_ref()))]);
    table("Changes", &["field", "was", "would be"], change.collect());
    let refused = proposal.refused.iter().map(|it| vec![code(&it.reason.0), sentence(&it.message)]);
    table("Not allowed", &["why", "what"], refused.collect());
    table("Worth knowing", &["note"], proposal.notes.iter().map(|note| vec![sentence(note)]).collect());
    let gate_counts = |rung: Rung| {
        let asked = |gate: &&GateAhead| gate.asked == Asked::ToEnter(rung) || gate.asked == Asked::ToReach(rung);
        let count = |holds: &dyn Fn(Option<&Standing>) -> bool| {
            proposal.gates.iter().filter(asked).filter(|gate| holds(gate.standing.as_ref())).count()
        };
        let open = (count(&|it| it.is_some_and(Standing::is_open)), "open");
        let closed = (count(&|it| it.is_some_and(|it| !it.is_open())), "closed or unknown");
        let counts = [open, closed, (count(&|it| it.is_none()), "judged later")];
        let said = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        said.collect::<Vec<_>>().join(", ")
    };
    let milestone = |rung: Rung| proposal.irreversible.iter().find(|it| it.rung == rung).map_or("", |it| it.what.as_str());
    let way = proposal.rungs.iter().enumerate();
    let way = way.map(|(at, rung)| vec![(at + 1).to_string(), rung.to_string(), gate_counts(*rung), sentence(milestone(*rung))]);
    table("Rungs that would be entered", &["", "rung", "its gates", "cannot be taken back"], way.collect());
    let held = proposal.held_by().map(|gate| {
        let (word, why) = match &gate.standing {
            Some(Standing::Unknown(why)) => ("unknown", why.as_str()),
            Some(Standing::Closed(why) | Standing::Open(why)) => ("closed", why.as_str()),
            None => ("later", ""),
        };
        vec![word.to_owned(), code(&gate.name), step_name(gate.asked), sentence(why)]
    });
    table("Gates that are not open", &["now", "gate", "before", "why"], held.collect());
    let pause = proposal.write_pause.iter().flat_map(|pause| {
        let drain = pause.drain_seconds.map_or_else(|| "not known now".to_owned(), |lag| format!("about {lag:.1} s"));
        let budget = format!("{} s", pause.budget_seconds);
        let rows = [("to drain", drain), ("given up by itself after", budget), ("by", sentence(&pause.basis))];
        rows.map(|(what, said)| vec![what.to_owned(), said])
    });
    table("Write pause", &["", "expected"], pause.collect());
    table("Approvals", &["of this plan"], approvals(proposal).iter().map(|line| vec![sentence(line)]).collect());
    text
}

fn value(value: Option<&serde_json::Value>) -> String {
    cut(&clean(&shown(value)), LONGEST_VALUE)
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(3)).chain("...".chars()).collect()
}

/// A text that is only text in a table: no markup, no mention of anybody, no other column.
fn cell(text: &str, most: usize) -> String {
    let mut safe = String::new();
    for c in cut(&clean(text), most).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '@' => safe.push_str("&#64;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

/// A text as code, which holds no markup of its own.
fn code(text: &str) -> String {
    format!("`{}`", cut(&clean(text), LONGEST_VALUE).replace('`', "'").replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_only_text() {
        let hostile = "a|b <img src=x> @everyone `code` [link](x)\n| new row";
        let safe = cell(hostile, 200);
        assert_eq!(safe, r"a\|b &lt;img src=x&gt; &#64;everyone \`code\` \[link\](x) \| new row");
        assert_eq!(code("a`b|c"), r"`a'b\|c`");
    }

    #[test]
    fn no_line_of_a_comment_is_longer_than_its_cells_may_be() {
        let document: serde_json::Value = serde_json::from_str(include_str!("../../tests/fixtures/live.json")).expect("JSON");
        let object: crate::http::MigrationObject = serde_json::from_value(document).expect("a migration");
        let live = crate::spec::Migration {
            api_version: object.api_version,
            kind: object.kind,
            metadata: crate::spec::Metadata { name: object.metadata.name },
            spec: object.spec,
        };
        let mut status = object.status;
        for gate in &mut status.gates {
            gate.standing = Standing::Closed("a reason that does not end, ".repeat(50));
        }
        let mut proposed = live.clone();
        proposed.spec.phase = crate::spec::Phase::Completed;
        proposed.spec.target.database.host = "h".repeat(200);
        let comment = markdown(&crate::migration::proposal::propose(&live, &status, &proposed));
        let longest = comment.lines().map(|line| line.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest < 400), "{longest:?}");
    }

    #[test]
    fn a_long_value_is_cut_by_characters() {
        assert_eq!(cut("ééééé", 4), "é...");
        assert_eq!(cut("éééé", 4), "éééé");
    }
}
