//! What the folder says to people: one page that needs nothing else, made to be printed.

use std::fmt::Write;

use jiff::Timestamp;

use super::record::{Deed, Pause, Record, SpecInForce};
use super::subjects::{Chapter, Exhibit};
use crate::journal::Outcome;

/// The looks. Nothing is fetched and nothing runs: the page says so itself, in its policy.
const STYLE: &str = include_str!("report.css");

/// The page.
pub fn report(record: &Record) -> String {
    let mut page = Page(String::new());
    let name = record.migration.as_str();
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width\">\n<title>Evidence: ");
    page.text(name);
    page.raw("</title>\n<style>\n");
    page.raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n<header>\n<h1>Evidence of the migration ");
    page.text(name);
    page.raw("</h1>\n");
    head(&mut page, record);
    page.raw("</header>\n<main>\n");
    pauses(&mut page, &record.write_pauses);
    specs(&mut page, &record.specs);
    for chapter in &record.chapters {
        exhibits(&mut page, chapter);
    }
    deeds(&mut page, &record.actions);
    history(&mut page, record);
    texts(&mut page, &record.specs);
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

/// A page as it grows. What comes from outside goes through [`Page::text`], and only through it.
struct Page(String);

impl Page {
    fn raw(&mut self, html: &'static str) {
        self.0.push_str(html);
    }

    /// Text, in which nothing is markup and nothing is invisible: a control character could hide what follows it.
    fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' | '\t' => self.0.push(character),
                hidden if hidden.is_control() || is_directional(hidden) => self.0.push('\u{fffd}'),
                plain => self.0.push(plain),
            }
        }
    }

    fn cell(&mut self, text: &str) {
        self.raw("<td>");
        self.text(text);
        self.raw("</td>");
    }

    /// One word, which is never broken.
    fn word(&mut self, word: &str) {
        self.raw("<td class=\"word\">");
        self.text(word);
        self.raw("</td>");
    }

    fn time(&mut self, at: Timestamp) {
        self.word(&shown(at));
    }

    /// A count, of an attempt or of a generation.
    fn count(&mut self, number: u64) {
        self.raw("<td class=\"number\">");
        self.text(&number.to_string());
        self.raw("</td>");
    }

    /// The number of an entry, as a link to its row of the history.
    fn entry(&mut self, number: u64) {
        // Writing into a String does not fail.
        _ = write!(self.0, "<td class=\"number\"><a href=\"#entry-{number}\">{number}</a></td>");
    }

    fn heading(&mut self, title: &str) {
        self.raw("<section>\n<h2>");
        self.text(title);
        self.raw("</h2>\n");
    }

    fn table(&mut self, columns: &[&str]) {
        self.raw("<table>\n<thead><tr>");
        for column in columns {
            self.raw("<th scope=\"col\">");
            self.text(column);
            self.raw("</th>");
        }
        self.raw("</tr></thead>\n<tbody>\n");
    }

    fn end(&mut self) {
        self.raw("</tbody>\n</table>\n</section>\n");
    }

    fn nothing(&mut self) {
        self.raw("<p class=\"none\">None.</p>\n</section>\n");
    }
}

/// Characters that turn the direction of what follows, so that text reads as something else than it is.
const fn is_directional(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn head(page: &mut Page, record: &Record) {
    let as_of = record.chain.as_of.map_or_else(|| "nothing was written yet".to_owned(), shown);
    page.raw("<dl>\n");
    for (term, value) in [
        ("As of", as_of.as_str()),
        ("Entries", &record.chain.entries.to_string()),
        ("Chained to", &record.chain.head),
        ("Written by", &format!("bascule {}", record.bascule)),
    ] {
        page.raw("<dt>");
        page.text(term);
        page.raw("</dt><dd>");
        page.text(value);
        page.raw("</dd>\n");
    }
    page.raw("</dl>\n<p>All times are UTC. Every number of an entry leads to its row of the journal at the end. ");
    page.raw("<code>bascule evidence verify</code> tells whether anything in this folder was changed.</p>\n");
}

fn pauses(page: &mut Page, pauses: &[Pause]) {
    page.heading("Pauses of writes");
    if pauses.is_empty() {
        return page.nothing();
    }
    page.table(&["Entry", "Attempt", "Began", "Rung", "Ended", "Seconds", "Then took writes"]);
    for pause in pauses {
        page.raw("<tr>");
        page.entry(pause.entry.0);
        page.count(u64::from(pause.attempt));
        page.time(pause.began);
        page.word(&pause.rung.to_string());
        match &pause.ended {
            None => page.raw("<td colspan=\"3\">still on</td>"),
            Some(end) => {
                page.time(end.at);
                page.cell(&format!("{}.{:03}", end.length_milliseconds / 1000, end.length_milliseconds % 1000));
                page.word(&end.opened.to_string());
            }
        }
        page.raw("</tr>\n");
    }
    page.end();
}

fn specs(page: &mut Page, specs: &[SpecInForce]) {
    page.heading("Specs in force, and who agreed");
    if specs.is_empty() {
        return page.nothing();
    }
    page.table(&["Entry", "Generation", "Since", "Phase", "From", "Digests", "Approvals"]);
    for spec in specs {
        page.raw("<tr>");
        page.entry(spec.entry.0);
        page.count(spec.generation);
        page.time(spec.at);
        page.word(spec.phase.map_or("not understood", crate::spec::Phase::name));
        page.raw("<td>");
        page.text(&spec.source);
        if let Some(commit) = &spec.commit {
            page.raw("<br>commit <code>");
            page.text(&commit.id);
            page.raw("</code><br>");
            page.text(&format!("{}: {}", commit.author, commit.subject));
        }
        page.raw("</td><td>text <code>");
        page.text(&spec.digest);
        page.raw("</code>");
        if let Some(digest) = &spec.plan_digest {
            page.raw("<br>plan <code>");
            page.text(digest.as_str());
            page.raw("</code>");
        }
        page.raw("</td><td>");
        approvals(page, spec);
        page.raw("</td></tr>\n");
    }
    page.end();
}

fn approvals(page: &mut Page, spec: &SpecInForce) {
    if spec.approvals.is_empty() {
        page.raw("none");
    }
    for approval in &spec.approvals {
        page.raw("<p>");
        page.text(&format!("{}, {}, attempt {}, plan ", approval.by, shown(approval.at), approval.attempt));
        page.raw("<code>");
        page.text(approval.plan_digest.as_str());
        page.raw("</code></p>");
    }
    if !spec.counted.is_empty() {
        page.raw("<p>Counted: ");
        page.text(&spec.counted.join(", "));
        page.raw("</p>");
    }
    for refused in &spec.refused {
        page.raw("<p>Not counted: ");
        page.text(refused);
        page.raw("</p>");
    }
}

fn exhibits(page: &mut Page, chapter: &Chapter) {
    page.heading(&chapter.subject.to_string());
    if chapter.exhibits.is_empty() {
        return page.nothing();
    }
    page.table(&["Entry", "When", "Attempt", "What"]);
    for Exhibit { entry, at, attempt, sentence, details } in &chapter.exhibits {
        page.raw("<tr>");
        page.entry(entry.0);
        page.time(*at);
        page.count(u64::from(*attempt));
        page.raw("<td>");
        page.text(sentence);
        if !details.is_empty() {
            page.raw("<pre>");
            page.text(&details.join("\n"));
            page.raw("</pre>");
        }
        page.raw("</td></tr>\n");
    }
    page.end();
}

fn deeds(page: &mut Page, deeds: &[Deed]) {
    page.heading("Every action, and its answer");
    if deeds.is_empty() {
        return page.nothing();
    }
    page.table(&["Entry", "When", "Attempt", "Generation", "Action", "Answered", "Answer"]);
    for deed in deeds {
        page.raw("<tr>");
        page.entry(deed.entry.0);
        page.time(deed.at);
        page.count(u64::from(deed.attempt));
        page.count(deed.generation);
        page.cell(&deed.action);
        match &deed.answered {
            None => page.raw("<td colspan=\"2\">not known: the controller ended before it could write it down</td>"),
            Some(answered) => {
                page.time(answered.at);
                match &answered.outcome {
                    Outcome::Done(said) if said.is_empty() || *said == deed.action => page.raw("<td>done</td>"),
                    Outcome::Done(said) => page.cell(&format!("done: {said}")),
                    Outcome::Failed(why) => page.cell(&format!("FAILED: {why}")),
                }
            }
        }
        page.raw("</tr>\n");
    }
    page.end();
}

fn history(page: &mut Page, record: &Record) {
    page.heading("The journal, row by row");
    if record.entries.is_empty() {
        return page.nothing();
    }
    page.table(&["Entry", "When", "Attempt", "Generation", "Kind", "Sentence", "Chain"]);
    for row in &record.entries {
        // Writing into a String does not fail.
        _ = write!(page.0, "<tr id=\"entry-{0}\"><td class=\"number\">{0}</td>", row.seq);
        page.word(&row.at);
        page.count(u64::from(row.attempt));
        page.count(row.generation);
        page.word(&row.kind);
        page.cell(&row.sentence);
        page.raw("<td><code>");
        // Enough to find the row by; all of it is in the record.
        page.text(row.chain.get(..12).unwrap_or(&row.chain));
        page.raw("</code></td></tr>\n");
    }
    page.end();
}

fn texts(page: &mut Page, specs: &[SpecInForce]) {
    for spec in specs {
        page.heading(&format!("Text of generation {}", spec.generation));
        page.raw("<pre class=\"spec\">");
        page.text(&spec.text);
        page.raw("</pre>\n</section>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup_and_nothing_hides() {
        let mut page = Page(String::new());
        page.text("<script>alert(\"1\")</script> & it's \u{202e}gnp.exe\u{1b}[2J\r");
        assert_eq!(page.0, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; it&#39;s \u{fffd}gnp.exe\u{fffd}[2J\u{fffd}");
    }
}
