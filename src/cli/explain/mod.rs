//! `bascule explain`: what a field, a code, a gate, a rung or a reason means, without a browser.

mod fields;
mod reasons;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::screen::{Screen, Tone, write};
use super::{Output, exit};
use crate::checks::outcome::Code as CheckCode;
use crate::migration::gates::{self, Gate};
use crate::migration::ladder::Rung;
use crate::migration::route::entry;
use crate::migration::status::ConditionType;
use crate::spec::code::{Code, Severity};
use crate::spec::{Phase, edits, schema};
use fields::one_line;

/// Explain a field of the file, a code, a gate, a rung, a phase, a condition or a reason.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 explained; 1 nothing of that name, and the nearest names are told; 64 wrong usage.")]
pub struct ExplainArgs {
    /// Such as spec.dns.ttl or only ttl, BAS0502, CrossSlot, ForwardLag, Drain, RollbackNotReady.
    #[arg(value_name = "FIELD|CODE")]
    word: String,
    /// Text for people, JSON for machines.
    #[arg(long, short, value_enum, default_value = "text")]
    output: Output,
}

/// What can be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Field,
    Finding,
    Check,
    Gate,
    Rung,
    Phase,
    Condition,
    Reason,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Field => "field of the file",
            Self::Finding => "finding of `bascule validate`",
            Self::Check => "outcome of a check",
            Self::Gate => "gate",
            Self::Rung => "rung",
            Self::Phase => "phase",
            Self::Condition => "condition of the status",
            Self::Reason => "reason in the status",
        }
    }
}

/// One thing with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Topic {
    kind: Kind,
    name: String,
    /// Another name of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    meaning: String,
    details: Vec<String>,
}

/// How many names are told where nothing has that name.
const NEAREST: usize = 3;

/// Runs it.
pub fn run(args: &ExplainArgs) -> u8 {
    let topics = topics();
    let found = found(&args.word, &topics);
    if found.is_empty() {
        let near = nearest(&args.word, &topics).join(", ");
        return exit::failed(&format!("nothing is called `{}`; nearest: {near}", super::screen::clean(&args.word)));
    }
    match args.output {
        Output::Json => exit::print_json(&found),
        Output::Text => {
            let screen = Screen::of_stdout();
            let shown: Vec<String> = found.into_iter().map(|topic| text(topic, screen)).collect();
            write(&shown.join("\n"));
        }
    }
    0
}

fn text(topic: &Topic, screen: Screen) -> String {
    let alias = topic.alias.as_ref().map_or_else(String::new, |alias| format!(" {alias}"));
    let mut text = format!("{}{alias}, {}\n", screen.paint(Tone::Strong, &topic.name), topic.kind.word());
    text.push_str(&screen.hang("  ", &topic.meaning));
    topic.details.iter().for_each(|line| text.push_str(&screen.hang_at("  ", 4, line)));
    text
}

/// Everything that has a name.
fn topics() -> Vec<Topic> {
    let topic = |kind, name: &str, meaning: &str, details| Topic {
        kind,
        name: name.to_owned(),
        alias: None,
        meaning: one_line(meaning),
        details,
    };
    let mut topics: Vec<Topic> =
        fields::all().into_iter().map(|field| topic(Kind::Field, &field.path, &field.meaning, field.details)).collect();
    topics.extend(Code::ALL.iter().map(|code| {
        let severity = match code.severity() {
            Severity::Error => "an error: the file is refused",
            Severity::Warning => "a warning: the file is taken",
        };
        let details = vec![severity.to_owned()];
        Topic { alias: Some(format!("{code:?}")), ..topic(Kind::Finding, code.as_str(), code.meaning(), details) }
    }));
    topics.extend(CheckCode::ALL.iter().map(|code| topic(Kind::Check, &code.to_string(), code.meaning(), Vec::new())));
    topics.extend(described::<Gate>().iter().map(|(name, meaning)| topic(Kind::Gate, name, meaning, asked_by(name))));
    for (rung, (name, meaning)) in Rung::ALL.iter().zip(described::<Rung>()) {
        topics.push(topic(Kind::Rung, &name, &meaning, posture(*rung)));
    }
    topics.extend(described::<Phase>().iter().map(|(name, meaning)| topic(Kind::Phase, name, meaning, Vec::new())));
    topics.extend(described::<ConditionType>().iter().map(|(name, meaning)| topic(Kind::Condition, name, meaning, Vec::new())));
    topics.extend(reasons::REASONS.iter().map(|(name, meaning)| topic(Kind::Reason, name, meaning, Vec::new())));
    topics
}

/// The words of a closed list with what their declarations say of them.
fn described<T: JsonSchema>() -> Vec<(String, String)> {
    let document = schema::of::<T>();
    let choices = document["oneOf"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    choices.map(|choice| (text(&choice["const"]), text(&choice["description"]))).collect()
}

/// Where a gate stands in the way.
fn asked_by(name: &str) -> Vec<String> {
    let holding = |list: fn(Rung) -> &'static [Gate]| {
        let rungs = Rung::ALL.into_iter().filter(|rung| list(*rung).iter().any(|gate| gate.name() == name));
        rungs.map(|rung| rung.to_string()).collect::<Vec<_>>().join(", ")
    };
    let said = [
        ("must be open before these are entered", holding(entry)),
        ("must be open before these count as reached", holding(gates::arrival)),
    ];
    said.into_iter().filter(|(_, rungs)| !rungs.is_empty()).map(|(what, rungs)| format!("{what}: {rungs}")).collect()
}

fn posture(rung: Rung) -> Vec<String> {
    let posture = rung.posture();
    let names = |list: &[Gate]| list.iter().map(|gate| gate.name()).collect::<Vec<_>>().join(", ");
    let mut details = vec![
        format!(
            "legacy writes {:?}, target writes {:?}, public name {:?}",
            posture.legacy_writes, posture.target_writes, posture.public_dns
        ),
        format!("forward task {:?}, reverse task {:?}", posture.forward, posture.reverse),
    ];
    let lists = [("to enter it, open must be", entry(rung)), ("to count as reached", gates::arrival(rung))];
    details.extend(lists.iter().filter(|(_, list)| !list.is_empty()).map(|(what, list)| format!("{what}: {}", names(list))));
    details
}

/// A path without what stands in brackets, in small letters.
fn plain(name: &str) -> String {
    let mut inside = false;
    let kept = name.chars().filter(|c| {
        inside = (inside || *c == '[') && *c != ']';
        !inside && *c != ']'
    });
    kept.collect::<String>().to_lowercase()
}

/// What has this name; of fields also those whose path ends in it.
fn found<'t>(word: &str, topics: &'t [Topic]) -> Vec<&'t Topic> {
    let word = plain(word);
    let is_named =
        |topic: &&Topic| plain(&topic.name) == word || topic.alias.as_deref().is_some_and(|alias| plain(alias) == word);
    let exact: Vec<&Topic> = topics.iter().filter(is_named).collect();
    if !exact.is_empty() {
        return exact;
    }
    let tail = format!(".{word}");
    topics.iter().filter(|topic| topic.kind == Kind::Field && plain(&topic.name).ends_with(&tail)).collect()
}

/// The names that are fewest slips away; a field is also known by the last part of its path.
fn nearest<'t>(word: &str, topics: &'t [Topic]) -> Vec<&'t str> {
    let word = plain(word);
    let distance = |topic: &Topic| {
        let name = plain(&topic.name);
        let last = name.rsplit('.').next().unwrap_or_default().to_owned();
        let alias = topic.alias.as_deref().map(plain);
        [Some(name), Some(last), alias].into_iter().flatten().map(|name| edits(&word, &name)).min().unwrap_or(usize::MAX)
    };
    let mut ranked: Vec<(usize, &str)> = topics.iter().map(|topic| (distance(topic), topic.name.as_str())).collect();
    ranked.sort_by_key(|(distance, _)| *distance);
    let mut names: Vec<&str> = Vec::new();
    for (_, name) in ranked {
        if !names.contains(&name) && names.len() < NEAREST {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(word: &str) -> Vec<(Kind, String)> {
        found(word, &topics()).iter().map(|topic| (topic.kind, topic.name.clone())).collect()
    }

    #[test]
    fn a_field_is_found_by_its_path_by_its_end_and_with_or_without_brackets() {
        let ttl = (Kind::Field, "spec.dns.ttl".to_owned());
        assert_eq!(named("spec.dns.ttl"), std::slice::from_ref(&ttl));
        assert_eq!(named("ttl"), [ttl]);
        let url = (Kind::Field, "spec.checks.pages[].url".to_owned());
        for word in ["spec.checks.pages[].url", "spec.checks.pages[shadow-checkout].url", "SPEC.checks.pages.url", "pages[0].url"]
        {
            assert_eq!(named(word), std::slice::from_ref(&url), "{word}");
        }
    }

    #[test]
    fn codes_gates_rungs_conditions_and_reasons_are_found_in_any_capitals() {
        assert_eq!(named("bas0502"), [(Kind::Finding, "BAS0502".to_owned())]);
        assert_eq!(named("RetentionTooShort"), [(Kind::Finding, "BAS0502".to_owned())]);
        assert_eq!(named("crossslot"), [(Kind::Check, "CrossSlot".to_owned())]);
        assert_eq!(named("ForwardLag"), [(Kind::Gate, "ForwardLag".to_owned())]);
        assert_eq!(named("Prepared"), [(Kind::Rung, "Prepared".to_owned()), (Kind::Phase, "Prepared".to_owned())]);
        assert_eq!(named("Ready"), [(Kind::Condition, "Ready".to_owned()), (Kind::Reason, "Ready".to_owned())]);
        assert_eq!(named("RollbackNotReady"), [(Kind::Reason, "RollbackNotReady".to_owned())]);
    }

    #[test]
    fn what_has_no_name_is_told_with_the_nearest_names() {
        assert_eq!(named("ForwardLog"), []);
        assert_eq!(nearest("ForwardLog", &topics())[0], "ForwardLag");
        assert_eq!(nearest("BAS0552", &topics())[0], "BAS0502");
    }

    #[test]
    fn every_topic_has_a_meaning_and_every_gate_stands_somewhere() {
        let topics = topics();
        let silent: Vec<&Topic> = topics.iter().filter(|topic| topic.meaning.is_empty()).collect();
        assert!(silent.is_empty(), "{silent:?}");
        let gates = topics.iter().filter(|topic| topic.kind == Kind::Gate);
        let idle: Vec<&str> = gates.filter(|gate| gate.details.is_empty()).map(|gate| gate.name.as_str()).collect();
        assert_eq!(idle, [""; 0]);
        let rungs = topics.iter().filter(|topic| topic.kind == Kind::Rung).map(|topic| topic.name.clone());
        assert_eq!(rungs.collect::<Vec<_>>(), Rung::ALL.map(|rung| rung.to_string()));
    }
}
