//! One run of the check.

use std::collections::BTreeSet;

use crate::checks::network::CacheAnswer;
use crate::checks::outcome::{Code, Outcome};
use crate::checks::probe::Probe;
use crate::spec::checks::CacheCheck;

use super::report::Report;
use super::talk::{Talk, words};
use super::topology::{Node, Slots};
use super::{nodes, proof, structure};

/// Whether the cache is a whole cluster that the application's keys fit into.
pub async fn run(check: &CacheCheck, probe: &Probe<'_>) -> Outcome {
    let found = check.credentials_from.as_ref().map(|from| probe.secrets.credentials(from)).transpose();
    let credentials = match found {
        Ok(credentials) => credentials,
        Err(why) => return Outcome::unknown(Code::SecretNotFound, why, Vec::new()),
    };
    let secret = credentials.as_ref().map(|(_, password)| password.clone());
    let mut report = Report::default();
    let operations = structure::operations(check, &mut report);
    let talk = Talk::begin(check, probe, credentials);
    let refused = match cluster(&talk, &mut report).await {
        Some(slots) => {
            let refused = proof::prove(&talk, &operations, &slots, &mut report).await;
            nodes::look(&talk, &slots, &mut report).await;
            refused
        }
        // What arithmetic alone can say is said all the same.
        None => BTreeSet::new(),
    };
    structure::judge(check, &operations, &refused, &mut report);
    report.outcome(secret.as_deref())
}

/// The cluster's nodes, if this is a cluster and it says so.
async fn cluster(talk: &Talk<'_>, report: &mut Report) -> Option<Slots> {
    let check = talk.check();
    let Ok(port) = u16::try_from(check.port) else {
        report.unclear(Code::NotAsked, format!("{} is no port", check.port));
        return None;
    };
    let node = Node { host: check.host.clone(), port };
    let commands = [words(&["INFO", "cluster"]), words(&["CLUSTER", "SLOTS"])];
    let said = talk.ask(&node, &commands).await;
    report.saw(&node, &commands, &said);
    let (mode, slots) = match said.answers.as_deref() {
        Ok([mode, slots]) => (mode, slots),
        Ok(_) => {
            report.unclear(Code::NotAsked, format!("{node} did not answer everything"));
            return None;
        }
        Err(trouble) => {
            report.trouble(trouble);
            return None;
        }
    };
    if is_off(mode, slots) {
        let advice = "what passes there proves nothing about a cluster; name the cluster's configuration endpoint";
        report.fail(Code::ClusterModeOff, format!("the cache at {node} is not in cluster mode: {advice}"));
        return None;
    }
    if let CacheAnswer::Refused { word, rest } = slots {
        report.refusal(&format!("CLUSTER SLOTS at {node}"), word, rest);
        return None;
    }
    let read = Slots::read(slots, &node);
    if read.is_none() {
        report.unclear(Code::NotAsked, format!("{node} answered CLUSTER SLOTS with what is no map of slots"));
    }
    read
}

/// Whether a cache says that it is no cluster: by its mode, or where that is not told, by refusing `CLUSTER`.
fn is_off(mode: &CacheAnswer, slots: &CacheAnswer) -> bool {
    match (mode.field("cluster_enabled"), slots) {
        (Some(enabled), _) => enabled == "0",
        (None, CacheAnswer::Refused { rest, .. }) => rest.contains("cluster support disabled"),
        (None, _) => false,
    }
}
