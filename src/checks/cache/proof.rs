//! The declared operations, tried on the cluster itself with keys that nobody has.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use crate::checks::outcome::Code;
use crate::keyspace::{Operation, SLOTS};

use super::errand::{End, Errand};
use super::report::Report;
use super::talk::Talk;
use super::topology::{Node, Slots};

/// So many nodes are asked at once: enough for most clusters, few enough to be no burden on a machine.
pub(super) const AT_ONCE: usize = 16;

/// A question is sent on so many times at most; Redis's own clients give up there as well.
const MOST_REDIRECTS: usize = 5;

/// Tries every operation and one write. Returns the operations that the cluster refuses because of their keys.
pub(super) async fn prove(talk: &Talk<'_>, operations: &[Operation], slots: &Slots, report: &mut Report) -> BTreeSet<String> {
    let marker = talk.marker();
    let proofs = operations.iter().map(|operation| Errand::prove(operation, &marker, slots));
    let errands: Vec<_> = proofs.chain([Errand::write(&talk.check().prefix, &marker, slots)]).collect();
    if errands.iter().any(Option::is_none) {
        report.fail(
            Code::ClusterDown,
            format!("the cluster serves {} of {SLOTS} slots, and not all that are used", slots.served()),
        );
    }
    let mut open: Vec<Errand<'_>> = errands.into_iter().flatten().collect();
    let mut refused = BTreeSet::new();
    for _ in 0..=MOST_REDIRECTS {
        open = run(talk, open, &mut refused, report).await;
    }
    for errand in open {
        let what = format!("{} was sent on from node to node {MOST_REDIRECTS} times", errand.about());
        let advice = "last to itself or back; compare CLUSTER SLOTS of the nodes";
        report.fail(Code::RedirectedForEver, format!("{what}, last to {}: {advice}", errand.node));
    }
    refused
}

/// Runs errands, those for one node over one connection. Returns those that were sent on.
async fn run<'a>(
    talk: &Talk<'_>,
    errands: Vec<Errand<'a>>,
    refused: &mut BTreeSet<String>,
    report: &mut Report,
) -> Vec<Errand<'a>> {
    let mut nodes: BTreeMap<Node, Vec<Errand<'a>>> = BTreeMap::new();
    for errand in errands {
        nodes.entry(errand.node.clone()).or_default().push(errand);
    }
    // Futures in a list, not a stream's closure: rustc cannot prove of the latter that it may move between threads.
    let mut asking = Vec::new();
    for (node, errands) in nodes {
        asking.push(async move {
            let commands: Vec<Vec<String>> = errands.iter().flat_map(Errand::commands).collect();
            let said = talk.ask(&node, &commands).await;
            (node, errands, commands, said)
        });
    }
    let said: Vec<_> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    let mut sent_on = Vec::new();
    for (node, errands, commands, said) in said {
        report.saw(&node, &commands, &said);
        let mut answers = match &said.answers {
            Ok(answers) => answers.as_slice(),
            Err(trouble) => {
                report.trouble(trouble);
                continue;
            }
        };
        for errand in errands {
            let own;
            (own, answers) = answers.split_at(errand.commands().len().min(answers.len()));
            match errand.end(own, refused, report) {
                End::Answered => {}
                End::SentOn(node) => sent_on.push(errand.sent_to(node)),
            }
        }
    }
    sent_on
}
