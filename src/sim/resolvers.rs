//! Recursive resolvers: each keeps the public name's answer until its TTL runs out, and not a second less.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::after;
use crate::names::Side;
use crate::sim::route53::SERVERS;

/// What one authoritative server says about the public name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicAnswer {
    /// Where it points; `None` when nothing is answered, or something that is neither side.
    pub side: Option<Side>,
    /// How long a resolver may keep that.
    pub ttl: Duration,
}

/// What each authoritative server says: for a while after a change they differ.
pub type PublicAnswers = [PublicAnswer; SERVERS];

/// One resolver's cache.
#[derive(Debug, Clone, Copy)]
struct Cached {
    side: Option<Side>,
    until: Timestamp,
}

/// All resolvers that customers use.
#[derive(Debug)]
pub struct Resolvers {
    caches: Vec<Cached>,
}

impl Resolvers {
    /// `count` resolvers that asked at different moments of the last TTL.
    pub fn new(count: usize, answer: PublicAnswer, now: Timestamp, rng: &mut fastrand::Rng) -> Self {
        let ttl_ms = u64::try_from(answer.ttl.as_millis()).unwrap_or(u64::MAX).max(1);
        let cache = |_| Cached { side: answer.side, until: after(now, Duration::from_millis(rng.u64(..ttl_ms))) };
        Self { caches: (0..count.max(1)).map(cache).collect() }
    }

    /// Where the public name points for customers of one resolver; it asks only when its copy has run out, and always the
    /// server that is nearest to it.
    pub fn resolve(&mut self, resolver: usize, now: Timestamp, authorities: &PublicAnswers) -> Option<Side> {
        let count = self.caches.len();
        let authority = authorities[resolver % SERVERS];
        let cache = &mut self.caches[resolver % count];
        if cache.until <= now {
            *cache = Cached { side: authority.side, until: after(now, authority.ttl) };
        }
        cache.side
    }

    /// Until when a resolver keeps its copy.
    pub fn keeps_until(&self, resolver: usize) -> Option<Timestamp> {
        self.caches.get(resolver % self.caches.len()).map(|cache| cache.until)
    }

    /// How many resolvers keep a copy that leads to `side`.
    pub fn leading_to(&self, side: Side, now: Timestamp) -> usize {
        self.caches.iter().filter(|cache| cache.side == Some(side) && cache.until > now).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_keeps_the_old_answer_until_its_ttl_runs_out() {
        let start = Timestamp::UNIX_EPOCH;
        let legacy = PublicAnswer { side: Some(Side::Legacy), ttl: Duration::from_secs(60) };
        let target = PublicAnswer { side: Some(Side::Target), ..legacy };
        let mut resolvers = Resolvers::new(1, legacy, start, &mut fastrand::Rng::with_seed(1));
        let asked = after(start, Duration::from_secs(60));
        let (legacy, target) = ([legacy; SERVERS], [target; SERVERS]);
        assert_eq!(resolvers.resolve(0, asked, &legacy), Some(Side::Legacy));
        assert_eq!(resolvers.resolve(0, after(asked, Duration::from_secs(59)), &target), Some(Side::Legacy));
        assert_eq!(resolvers.resolve(0, after(asked, Duration::from_secs(60)), &target), Some(Side::Target));
    }
}
