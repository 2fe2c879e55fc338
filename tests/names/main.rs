//! Real DNS over loopback: the zone of the simulated Route 53 behind real servers, asked through the real resolver library.

mod asking;
mod journey;
mod resolver;
mod server;
#[path = "../common/spec.rs"]
mod spec;
mod strangers;
mod zone;

use std::fmt;

use bascule::checks::network::{CacheAnswer, CacheBatch, DnsAnswer, HttpAnswer, HttpRequest, Network, Question, Reply, Trouble};
use bascule::checks::outcome::Code;
use bascule::checks::probe::Secrets;
use bascule::network::dns::ask;
use bascule::spec::CredentialsFrom;
use bascule::spec::checks::SecretFrom;

/// The real network, as far as names need it.
#[derive(Debug)]
struct NamesAlone;

impl Network for NamesAlone {
    fn exchange<'a>(&'a self, request: &'a HttpRequest) -> Reply<'a, HttpAnswer> {
        Box::pin(async { Err(not_asked(&request.url)) })
    }

    fn ask<'a>(&'a self, question: &'a Question) -> Reply<'a, DnsAnswer> {
        Box::pin(ask(question))
    }

    fn command<'a>(&'a self, batch: &'a CacheBatch) -> Reply<'a, Vec<CacheAnswer>> {
        Box::pin(async { Err(not_asked(&batch.host)) })
    }
}

fn not_asked(what: &dyn fmt::Display) -> Trouble {
    Trouble { attempted: what.to_string(), detail: "names need no such thing".to_owned(), code: Code::NotAsked }
}

/// Names need no secret.
#[derive(Debug)]
struct NoSecrets;

impl Secrets for NoSecrets {
    fn credentials(&self, _: &CredentialsFrom) -> Result<(String, String), String> {
        Err("names need no credentials".to_owned())
    }

    fn secret(&self, _: &SecretFrom) -> Result<String, String> {
        Err("names need no secret".to_owned())
    }
}
