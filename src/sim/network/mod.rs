//! What the world answers to whoever only looks: pages, names and caches, by the same truth as everything else in it.
//!
//! The application answers as the spec declares it, as far as an answer can be made from a declaration; whether there is an
//! answer at all is the world's: the load balancer's listener, its targets, the zone, the resolvers' copies. An [`Incident`] is
//! what went wrong behind the scenes, until somebody mends it.
//!
//! Not modelled: latency, TLS itself (certificates are always good), proxies, a cache's memory filling up, failover of a cache.

mod cache;
mod incidents;
mod names;
mod pages;
mod sample;

use std::fmt;
use std::sync::{MutexGuard, PoisonError};

pub use incidents::{Incident, Incidents};
pub use pages::Site;

use crate::checks::network::{CacheAnswer, CacheBatch, DnsAnswer, HttpAnswer, HttpRequest, Network, Question, Reply, Trouble};
use crate::checks::outcome::Code;
use crate::clock::Clock;
use crate::sim::wire::Cloud;
use crate::sim::{SharedWorld, World};

/// The network of a simulated world.
#[derive(Clone)]
pub struct SimulatedNetwork {
    world: SharedWorld,
    clock: Clock,
}

impl fmt::Debug for SimulatedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulatedNetwork").finish_non_exhaustive()
    }
}

impl SimulatedNetwork {
    /// The network of `world`, whose time is `clock`.
    pub const fn new(world: SharedWorld, clock: Clock) -> Self {
        Self { world, clock }
    }

    /// The world, advanced to now. A controller that was killed elsewhere leaves sound data behind, so poison is no matter.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        world
    }

    /// One question, unless the profile loses it.
    fn question<T>(&self, attempted: String, answer: impl FnOnce(&mut World) -> Result<T, (Code, String)>) -> Result<T, Trouble> {
        let mut world = self.world();
        if world.loses_a_question() {
            return Err(Trouble { attempted, detail: "no answer came".to_owned(), code: Code::TimedOut });
        }
        answer(&mut world).map_err(|(code, detail)| Trouble { attempted, detail, code })
    }
}

impl Network for SimulatedNetwork {
    fn exchange<'a>(&'a self, request: &'a HttpRequest) -> Reply<'a, HttpAnswer> {
        let attempted = format!("GET {}", request.url);
        Box::pin(async move { self.question(attempted, |world| pages::answer(world, request)) })
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Reply<'a, DnsAnswer> {
        let attempted = format!("ask {} for {} {}", question.server, question.record.as_str(), question.name);
        Box::pin(async move { self.question(attempted, |world| names::answer(world, question)) })
    }

    fn command<'a>(&'a self, batch: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>> {
        let attempted = format!("ask the cache {}:{}", batch.host, batch.port);
        Box::pin(async move { self.question(attempted, |world| cache::answer(world, batch)) })
    }
}
