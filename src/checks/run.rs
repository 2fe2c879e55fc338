//! One run of any check: within its time limit.

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
    let carried_out = Box::pin(carry_out(check, probe));
    let outcome = match select(carried_out, Box::pin(probe.clock.sleep(limit))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => {
            Outcome::unknown(Code::TimedOut, format!("it was not over within {}", spoken(limit)), Vec::new())
        }
    };
    Ended { check, at, outcome }
}

async fn carry_out(check: Declared<'_>, probe: &Probe<'_>) -> Outcome {
    match check {
        Declared::Page(check) => page::run(check, probe).await,
        Declared::Upstream(check) => upstream::run(check, probe).await,
        Declared::Cache(check) => cache::run(check, probe).await,
        Declared::Schema(check) => schema::run(check, probe).await,
        Declared::Names(check) => names::run(check, probe).await,
        Declared::Traffic(check) => traffic::run(check, probe).await,
    }
}
