//! What a run has found so far, and what it comes to.

use crate::checks::network::Trouble;
use crate::checks::outcome::{Code, Evidence, Outcome, short};
use crate::checks::trouble::described;

use super::talk::Said;
use super::topology::Node;

/// So many findings are told; whoever has cured these runs the check again.
const TOLD: usize = 4;

/// So many questions are kept with their answers: every operation that may be declared, and the nodes of a usual cluster.
const MOST_EVIDENCE: usize = 100;

/// What the user of a check has to be granted, in the words of Redis's access lists.
const RIGHTS: &str = "+info +cluster|info +cluster|slots +cluster|keyslot +exists +set +del, on keys of its prefix";

/// What stands where a secret would.
const BLOT: &str = "***";

/// What a run has found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    failed: Vec<(Code, String)>,
    unclear: Vec<(Code, String)>,
    proven: Vec<String>,
    evidence: Vec<Evidence>,
}

impl Report {
    /// Something is not as declared.
    pub(super) fn fail(&mut self, code: Code, sentence: impl Into<String>) {
        once(&mut self.failed, code, sentence.into());
    }

    /// Something was not found out.
    pub(super) fn unclear(&mut self, code: Code, sentence: impl Into<String>) {
        once(&mut self.unclear, code, sentence.into());
    }

    /// Something is as declared, or worth knowing where everything is.
    pub(super) fn prove(&mut self, sentence: impl Into<String>) {
        self.proven.push(sentence.into());
    }

    /// Nothing was answered.
    pub(super) fn trouble(&mut self, trouble: &Trouble) {
        match trouble.is_certain() {
            true => self.fail(trouble.code, described(trouble)),
            false => self.unclear(trouble.code, described(trouble)),
        }
    }

    /// A refusal of `attempted` that says nothing about where keys lie.
    pub(super) fn refusal(&mut self, attempted: &str, word: &str, rest: &str) {
        let told = short(&format!("{attempted} was refused: {word} {rest}"));
        match word {
            "NOAUTH" | "WRONGPASS" => {
                self.fail(Code::CredentialsRefused, format!("{told}; name the cache's user in `credentialsFrom`"));
            }
            "NOPERM" => self.unclear(Code::CredentialsRefused, format!("{told}; the check's user needs {RIGHTS}")),
            "CLUSTERDOWN" => self.fail(Code::ClusterDown, format!("{told}; see which nodes are gone")),
            "OOM" => self.fail(Code::MemoryShort, format!("{told}; the memory is full and nothing may be thrown away")),
            "READONLY" | "MISCONF" | "NOREPLICAS" => self.fail(Code::WriteRefused, told),
            "ASK" | "TRYAGAIN" | "LOADING" | "MASTERDOWN" | "BUSY" => {
                self.unclear(Code::NotAsked, format!("{told}; slots or nodes are on the move, and the next run will tell"));
            }
            _ => self.unclear(Code::NotAsked, told),
        }
    }

    /// Keeps what was asked of a node and what it answered.
    pub(super) fn saw(&mut self, node: &Node, commands: &[Vec<String>], said: &Said) {
        let asked = |command: &Vec<String>| format!("{} to {node}", command.join(" "));
        let pairs: Vec<(String, String)> = match &said.answers {
            Ok(answers) => commands.iter().zip(answers).map(|(command, answer)| (asked(command), answer.gist())).collect(),
            Err(trouble) => commands.first().map(|command| (asked(command), trouble.detail.clone())).into_iter().collect(),
        };
        let left = MOST_EVIDENCE.saturating_sub(self.evidence.len());
        let pairs = pairs.iter().take(left);
        self.evidence.extend(pairs.map(|(asked, answered)| Evidence::new(asked, answered, said.at, said.took)));
    }

    /// What it comes to. Nothing of `secret` is left in it, whatever the cache repeated.
    pub(super) fn outcome(self, secret: Option<&str>) -> Outcome {
        let mut outcome = match (self.failed.first(), self.unclear.first()) {
            (Some((code, _)), _) => Outcome::fail(*code, told(&self.failed), self.evidence),
            (None, Some((code, _))) => Outcome::unknown(*code, told(&self.unclear), self.evidence),
            (None, None) => Outcome::pass(self.proven.join("; "), self.evidence),
        };
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            let shown = outcome.evidence.iter_mut().flat_map(|evidence| [&mut evidence.asked, &mut evidence.answered]);
            for text in shown.chain([&mut outcome.message]) {
                *text = text.replace(secret, BLOT);
            }
        }
        outcome
    }
}

fn once(list: &mut Vec<(Code, String)>, code: Code, sentence: String) {
    if !list.iter().any(|(_, known)| *known == sentence) {
        list.push((code, sentence));
    }
}

/// The first sentences, and how many more there are.
fn told(list: &[(Code, String)]) -> String {
    let first = list.iter().take(TOLD).map(|(_, sentence)| sentence.as_str()).collect::<Vec<_>>().join("; ");
    match list.len().saturating_sub(TOLD) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::outcome::Verdict;

    fn refused(word: &str) -> (Verdict, Code) {
        let mut report = Report::default();
        report.refusal("SET", word, "said the server");
        let outcome = report.outcome(None);
        (outcome.verdict, outcome.code)
    }

    #[test]
    fn a_refusal_fails_where_it_is_about_the_cache_and_is_unclear_where_it_passes() {
        assert_eq!(refused("NOAUTH"), (Verdict::Fail, Code::CredentialsRefused));
        assert_eq!(refused("NOPERM"), (Verdict::Unknown, Code::CredentialsRefused));
        assert_eq!(refused("OOM"), (Verdict::Fail, Code::MemoryShort));
        assert_eq!(refused("READONLY"), (Verdict::Fail, Code::WriteRefused));
        assert_eq!(refused("LOADING"), (Verdict::Unknown, Code::NotAsked));
        assert_eq!(refused("WHATEVER"), (Verdict::Unknown, Code::NotAsked));
    }

    #[test]
    fn what_fails_outweighs_what_is_unclear_and_is_told_once() {
        let mut report = Report::default();
        report.prove("all is well");
        report.unclear(Code::TimedOut, "nobody answered");
        report.fail(Code::MemoryShort, "little is left");
        report.fail(Code::MemoryShort, "little is left");
        let outcome = report.outcome(None);
        assert_eq!((outcome.verdict, outcome.message.as_str()), (Verdict::Fail, "little is left"));
    }

    #[test]
    fn a_secret_that_the_cache_repeats_goes_no_further() {
        let mut report = Report::default();
        report.refusal("AUTH", "ERR", "unknown command, with args beginning with: hunter2");
        let outcome = report.outcome(Some("hunter2"));
        assert!(!outcome.message.contains("hunter2") && outcome.message.contains(BLOT), "{}", outcome.message);
    }
}
