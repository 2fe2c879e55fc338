//! One question to the cluster about where keys lie, or whether it takes writes; a node may send it on to another.

use std::collections::BTreeSet;

use crate::checks::network::CacheAnswer;
use crate::checks::outcome::{Code, short};
use crate::keyspace::{Operation, slot};

use super::report::Report;
use super::talk::words;
use super::topology::{Node, Slots};

/// How long the check's own key lives if nobody deletes it: longer than any check, short enough to be no litter.
const EXPIRY_SECONDS: &str = "60";

/// What is asked, and of whom next.
pub(super) struct Errand<'a> {
    question: Question<'a>,
    pub(super) node: Node,
}

/// What is asked.
enum Question<'a> {
    /// Whether keys that nobody has may be used in one command.
    Together(&'a Operation, Vec<String>),
    /// Where the cluster puts keys of which some are the application's own: those are named, and never touched.
    Places(&'a Operation, Vec<String>),
    /// Whether this key of the check's own can be written and deleted.
    Write(String),
}

/// What became of an errand.
pub(super) enum End {
    /// It was answered, and the report knows.
    Answered,
    /// The node sends it on.
    SentOn(Node),
}

impl<'a> Errand<'a> {
    /// The errand that proves an operation. Placeholders get values that no application has; nothing else is changed, so that
    /// the keys lie as the application's would.
    pub(super) fn prove(operation: &'a Operation, marker: &str, slots: &Slots) -> Option<Self> {
        let patterns = operation.patterns();
        let keys: Vec<String> = patterns.iter().map(|key| key.filled(|word| format!("{marker}-{word}"))).collect();
        let node = slots.owner(slot(keys.first()?))?.clone();
        let question = match patterns.iter().any(|pattern| pattern.is_fixed()) {
            true => Question::Places(operation, keys),
            false => Question::Together(operation, keys),
        };
        Some(Self { question, node })
    }

    /// The errand that writes a key and deletes it.
    pub(super) fn write(prefix: &str, marker: &str, slots: &Slots) -> Option<Self> {
        let key = format!("{prefix}{marker}");
        let node = slots.owner(slot(&key))?.clone();
        Some(Self { question: Question::Write(key), node })
    }

    /// The same errand to another node.
    pub(super) fn sent_to(self, node: Node) -> Self {
        Self { node, ..self }
    }

    /// What it is about, for a person.
    pub(super) fn about(&self) -> String {
        match &self.question {
            Question::Together(operation, _) | Question::Places(operation, _) => format!("`{}`", operation.name()),
            Question::Write(key) => format!("SET {key}"),
        }
    }

    /// What is said to the node.
    pub(super) fn commands(&self) -> Vec<Vec<String>> {
        match &self.question {
            Question::Together(_, keys) => vec![[words(&["EXISTS"]), keys.clone()].concat()],
            Question::Places(_, keys) => keys.iter().map(|key| words(&["CLUSTER", "KEYSLOT", key])).collect(),
            Question::Write(key) => {
                vec![words(&["SET", key, "bascule", "EX", EXPIRY_SECONDS]), words(&["DEL", key])]
            }
        }
    }

    /// Judges the answers, as many as there were commands. Operations that the cluster refuses go into `refused`.
    pub(super) fn end(&self, answers: &[CacheAnswer], refused: &mut BTreeSet<String>, report: &mut Report) -> End {
        if let Some(CacheAnswer::Refused { word, rest }) = answers.first()
            && word == "MOVED"
            && let Some(node) = Node::moved_to(rest, &self.node)
        {
            return End::SentOn(node);
        }
        match &self.question {
            Question::Places(operation, keys) => places(operation, keys, answers, refused, report),
            Question::Together(operation, _) => match answers.first() {
                Some(CacheAnswer::Refused { word, .. }) if word == "CROSSSLOT" => {
                    refused.insert(operation.name().to_owned());
                }
                answer => self.expect(answer, |answer| matches!(answer, CacheAnswer::Number(_)), report),
            },
            Question::Write(_) => {
                self.expect(answers.first(), |answer| matches!(answer, CacheAnswer::Status(_)), report);
                self.expect(answers.get(1), |answer| matches!(answer, CacheAnswer::Number(_)), report);
            }
        }
        End::Answered
    }

    /// An answer that is neither a refusal nor what a cache would say proves nothing.
    fn expect(&self, answer: Option<&CacheAnswer>, wanted: impl Fn(&CacheAnswer) -> bool, report: &mut Report) {
        let attempted = format!("{} at {}", self.about(), self.node);
        match answer {
            Some(CacheAnswer::Refused { word, rest }) => report.refusal(&attempted, word, rest),
            Some(answer) if wanted(answer) => {}
            Some(answer) => report.unclear(Code::NotAsked, format!("{attempted} was answered with `{}`", short(&answer.gist()))),
            None => report.unclear(Code::NotAsked, format!("{attempted} was not answered")),
        }
    }
}

/// The cluster's own arithmetic beside ours.
fn places(operation: &Operation, keys: &[String], answers: &[CacheAnswer], refused: &mut BTreeSet<String>, report: &mut Report) {
    let mut slots = BTreeSet::new();
    for (number, key) in keys.iter().enumerate() {
        let (attempted, ours) = (format!("CLUSTER KEYSLOT {key}"), slot(key));
        match answers.get(number) {
            Some(CacheAnswer::Number(found)) if *found == i64::from(ours) => {
                slots.insert(ours);
            }
            Some(CacheAnswer::Refused { word, rest }) => report.refusal(&attempted, word, rest),
            Some(other) => {
                let found = short(&other.gist());
                report.unclear(Code::NotAsked, format!("{attempted} was answered with {found}, and should be {ours}"));
            }
            None => report.unclear(Code::NotAsked, format!("{attempted} was not answered")),
        }
    }
    if slots.len() > 1 {
        refused.insert(operation.name().to_owned());
    }
}
