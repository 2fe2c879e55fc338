//! Asking nodes, within the time of the check.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::checks::network::{CacheAnswer, CacheBatch, Trouble};
use crate::checks::probe::Probe;
use crate::clock::elapsed;
use crate::spec::checks::CacheCheck;

use super::topology::Node;

/// Asks the nodes of one cache.
pub(super) struct Talk<'a> {
    check: &'a CacheCheck,
    probe: &'a Probe<'a>,
    credentials: Option<(String, String)>,
    began: Timestamp,
}

/// What a node said.
pub(super) struct Said {
    /// When it was asked.
    pub(super) at: Timestamp,
    /// How long all answers took.
    pub(super) took: Duration,
    /// As many answers as there were commands.
    pub(super) answers: Result<Vec<CacheAnswer>, Trouble>,
}

impl<'a> Talk<'a> {
    /// Begins now.
    pub(super) fn begin(check: &'a CacheCheck, probe: &'a Probe<'a>, credentials: Option<(String, String)>) -> Self {
        Self { check, probe, credentials, began: probe.clock.now() }
    }

    /// What is proven.
    pub(super) const fn check(&self) -> &'a CacheCheck {
        self.check
    }

    /// A text that no other run of any check has.
    pub(super) fn marker(&self) -> String {
        format!("bascule-check-{}-{}", self.check.name, self.began.as_millisecond())
    }

    /// Asks one node.
    pub(super) async fn ask(&self, node: &Node, commands: &[Vec<String>]) -> Said {
        let batch = CacheBatch {
            host: node.host.clone(),
            port: node.port,
            tls: self.check.tls.then(|| self.check.tls_ca_file.as_ref().map(PathBuf::from)),
            credentials: self.credentials.clone(),
            commands: commands.to_vec(),
            limit: self.left(),
        };
        let at = self.probe.clock.now();
        let answers = self.probe.network.command(&batch).await;
        Said { at, took: elapsed(at, self.probe.clock.now()), answers }
    }

    /// Nine tenths of the time that is left: the rest is for saying which node has not answered.
    fn left(&self) -> Duration {
        let timeout = self.probe.migration.spec.checks.timeout.duration();
        timeout.saturating_sub(elapsed(self.began, self.probe.clock.now())) * 9 / 10
    }
}

/// A command of these words.
pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Fields of `INFO` and `CLUSTER INFO` that are kept as evidence.
const TELLING: [&str; 6] =
    ["cluster_enabled", "cluster_state", "cluster_slots_ok", "used_memory", "maxmemory", "maxmemory_policy"];

impl CacheAnswer {
    /// A field of `INFO` or `CLUSTER INFO`: lines of `name:value`.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    /// What is worth keeping of it.
    pub(super) fn gist(&self) -> String {
        match self {
            Self::Text(text) if text.contains('\n') => {
                let fields = TELLING.iter().filter_map(|name| Some(format!("{name}:{}", self.field(name)?)));
                fields.collect::<Vec<_>>().join(" ")
            }
            Self::Status(text) | Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Nil => "nothing".to_owned(),
            Self::List(entries) => format!("{} entries", entries.len()),
            Self::Refused { word, rest } => format!("{word} {rest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_page_of_figures_those_are_kept_that_say_something() {
        let info = CacheAnswer::Text("# Memory\r\nused_memory:17\r\nused_memory_human:17B\r\nmaxmemory:0\r\n".into());
        assert_eq!(info.gist(), "used_memory:17 maxmemory:0");
        assert_eq!(info.field("maxmemory"), Some("0"));
        assert_eq!(info.field("maxmemory_policy"), None);
    }
}
