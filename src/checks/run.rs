//! One run of any check: within its time limit.

use std::future::Future;
use std::pin::Pin;

use futures_util::future::{Either, join_all, select};
use jiff::Timestamp;

use super::declared::Declared;
use super::outcome::{Code, Outcome};
use super::probe::Probe;
use super::{cache, names, page, schema, traffic, upstream};
use crate::spec::period::spoken;

/// How one run ended.
#[derive(Debug, Clone)]
pub struct Ended<'a> {
    /// Which check.
    pub check: Declared<'a>,
    /// When it began.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// Makes all checks of `list` at once.
pub async fn run_all<'a>(list: Vec<Declared<'a>>, probe: &Probe<'_>) -> Vec<Ended<'a>> {
    join_all(list.into_iter().map(|check| run(check, probe))).await
}

/// Makes one check. It ends within the time limit of the spec.
pub async fn run<'a>(check: Declared<'a>, probe: &Probe<'_>) -> Ended<'a> {
    let at = probe.clock.now();
    let limit = probe.migration.spec.checks.timeout.duration();
    let outcome = match select(carry_out(check, probe), Box::pin(probe.clock.sleep(limit))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => {
            Outcome::unknown(Code::TimedOut, format!("it was not over within {}", spoken(limit)), Vec::new())
        }
    };
    Ended { check, at, outcome }
}

/// Boxed, because what a check does is one of many futures at once.
fn carry_out<'a>(check: Declared<'a>, probe: &'a Probe<'_>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>> {
    match check {
        Declared::Page(check) => Box::pin(page::run(check, probe)),
        Declared::Upstream(check) => Box::pin(upstream::run(check, probe)),
        Declared::Cache(check) => Box::pin(cache::run(check, probe)),
        Declared::Schema(check) => Box::pin(schema::run(check, probe)),
        Declared::Names(check) => Box::pin(names::run(check, probe)),
        Declared::Traffic(check) => Box::pin(traffic::run(check, probe)),
    }
}
