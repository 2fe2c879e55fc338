//! Which node serves which slot, as the cluster says it.

use std::fmt;

use crate::checks::network::CacheAnswer;
use crate::keyspace::SLOTS;

/// AWS's clusters have at most so many shards.
const MOST_NODES: usize = 500;

/// The longest host name that DNS knows.
const LONGEST_HOST: usize = 253;

/// A node of a cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Node {
    /// A node as a node names it. One that does not know its own name means the host that was asked.
    fn named(host: &str, port: u16, asked: &Self) -> Option<Self> {
        let named = if host.is_empty() || host == "?" { asked.host.as_str() } else { host };
        let is_host = named.len() <= LONGEST_HOST && named.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
        is_host.then(|| Self { host: named.to_owned(), port })
    }

    /// Where `MOVED 3359 10.0.0.1:6379` leads; `rest` is what stands behind the first word.
    pub(super) fn moved_to(rest: &str, asked: &Self) -> Option<Self> {
        let (host, port) = rest.split_whitespace().nth(1)?.rsplit_once(':')?;
        Self::named(host, port.parse().ok()?, asked)
    }
}

/// Which node serves which slot.
#[derive(Debug)]
pub(super) struct Slots {
    nodes: Vec<Node>,
    /// For each slot the place of its node in `nodes`.
    owners: Vec<Option<usize>>,
}

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS`, which every version since 3.0 gives, unlike `CLUSTER SHARDS`: ranges of slots, each
    /// with its nodes, the one that writes first.
    pub(super) fn read(answer: &CacheAnswer, asked: &Node) -> Option<Self> {
        let CacheAnswer::List(ranges) = answer else { return None };
        let mut slots = Self { nodes: Vec::new(), owners: vec![None; usize::from(SLOTS)] };
        for range in ranges {
            let CacheAnswer::List(range) = range else { return None };
            let [CacheAnswer::Number(first), CacheAnswer::Number(last), CacheAnswer::List(writer), ..] = range.as_slice() else {
                return None;
            };
            let place = slots.place(read_node(writer, asked)?)?;
            slots.owners.get_mut(usize::try_from(*first).ok()?..=usize::try_from(*last).ok()?)?.fill(Some(place));
        }
        Some(slots)
    }

    fn place(&mut self, node: Node) -> Option<usize> {
        let known = self.nodes.iter().position(|known| *known == node);
        known.or_else(|| {
            self.nodes.push(node);
            (self.nodes.len() <= MOST_NODES).then(|| self.nodes.len() - 1)
        })
    }

    /// The node that serves a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&Node> {
        self.owners.get(usize::from(slot)).copied().flatten().map(|place| &self.nodes[place])
    }

    /// Every node that serves slots.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// How many slots are served.
    pub(super) fn served(&self) -> usize {
        self.owners.iter().flatten().count()
    }
}

fn read_node(parts: &[CacheAnswer], asked: &Node) -> Option<Node> {
    let (host, port) = match parts {
        [CacheAnswer::Text(host), CacheAnswer::Number(port), ..] => (host.as_str(), port),
        [CacheAnswer::Nil, CacheAnswer::Number(port), ..] => ("", port),
        _ => return None,
    };
    Node::named(host, u16::try_from(*port).ok()?, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Node {
        Node { host: "cache.example.com".into(), port: 6379 }
    }

    fn range(first: i64, last: i64, host: CacheAnswer, port: i64) -> CacheAnswer {
        let writer = CacheAnswer::List(vec![host, CacheAnswer::Number(port), CacheAnswer::Text("id".into())]);
        CacheAnswer::List(vec![CacheAnswer::Number(first), CacheAnswer::Number(last), writer])
    }

    fn text(text: &str) -> CacheAnswer {
        CacheAnswer::Text(text.into())
    }

    #[test]
    fn every_slot_has_the_node_that_its_range_names() {
        let answer = CacheAnswer::List(vec![range(0, 8191, text("10.0.0.1"), 7000), range(8192, 16_383, CacheAnswer::Nil, 7001)]);
        let slots = Slots::read(&answer, &asked()).expect("two ranges");
        assert_eq!(slots.served(), 16_384);
        assert_eq!(slots.owner(8191).map(ToString::to_string).as_deref(), Some("10.0.0.1:7000"));
        assert_eq!(slots.owner(8192).map(ToString::to_string).as_deref(), Some("cache.example.com:7001"));
    }

    #[test]
    fn a_range_without_a_node_or_beyond_the_last_slot_is_no_answer() {
        for range in [range(0, 16_384, text("h"), 1), range(-1, 5, text("h"), 1), range(9, 3, text("h"), 1), text("x")] {
            assert!(Slots::read(&CacheAnswer::List(vec![range.clone()]), &asked()).is_none(), "{range:?}");
        }
        assert!(Slots::read(&CacheAnswer::List(vec![range(0, 1, text("a b"), 1)]), &asked()).is_none());
        assert!(Slots::read(&CacheAnswer::List(vec![range(0, 1, text("h"), 70_000)]), &asked()).is_none());
    }

    #[test]
    fn a_cluster_of_no_size_that_exists_is_not_believed() {
        let many = (0..=500).map(|number| range(number, number, text("h"), number + 1)).collect();
        assert!(Slots::read(&CacheAnswer::List(many), &asked()).is_none());
    }

    #[test]
    fn a_redirect_names_a_node_by_address_or_by_silence() {
        let moved = |rest: &str| Node::moved_to(rest, &asked()).map(|node| node.to_string());
        assert_eq!(moved("3359 10.0.0.2:7002").as_deref(), Some("10.0.0.2:7002"));
        assert_eq!(moved("3359 ::1:7002").as_deref(), Some("::1:7002"));
        assert_eq!(moved("3359 :7002").as_deref(), Some("cache.example.com:7002"));
        for rest in ["", "3359", "3359 10.0.0.2", "3359 10.0.0.2:port", "3359 a\u{7}b:1"] {
            assert_eq!(moved(rest), None, "{rest:?}");
        }
    }
}
