//! What the new system depends on: asked directly, through the application's own report, or under two hostnames at once.

use futures_util::future::join;
use serde_json::Value;

use super::credentials::Identity;
use super::expect::{self, json};
use super::failing::{refuse, told};
use super::fetch::{Errand, Journey, fetch};
use super::outcome::{Code, Outcome, Verdict};
use super::probe::Probe;
use crate::spec::checks::text::web_url;
use crate::spec::checks::{Twin, UpstreamCheck};

/// Asks the upstream, under its other name too where it has one, and judges the answers.
pub async fn run(check: &UpstreamCheck, probe: &Probe<'_>) -> Outcome {
    judged(check, probe).await.unwrap_or_else(|outcome| outcome)
}

async fn judged(check: &UpstreamCheck, probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let identity = Identity::of(check.credentials.as_ref(), probe.secrets)?;
    let errand = Errand {
        url: &check.url,
        connect_to: check.connect_to.as_deref(),
        tls_ca_file: check.tls_ca_file.as_deref(),
        identity: &identity,
        redirects: &check.expect.redirects,
    };
    let Some(twin) = &check.twin else {
        let journey = visit(&errand, check, probe).await?;
        return Ok(Outcome::pass(format!("{} answers as declared", called(&check.url)), journey.evidence));
    };
    let elsewhere = Errand { url: &twin.url, connect_to: twin.connect_to.as_deref(), ..errand };
    // Both at once, so that the silence of one leaves the other its time.
    let visits = join(visit(&errand, check, probe), visit(&elsewhere, check, probe)).await;
    let names = names(check, twin);
    match visits {
        (Ok(one), Ok(other)) => compared(twin, &names, one, other, &identity),
        (Ok(works), Err(fails)) => Err(one_fails(&names[1], fails, &names[0], works)),
        (Err(fails), Ok(works)) => Err(one_fails(&names[0], fails, &names[1], works)),
        (Err(one), Err(other)) => Err(both_fail(&names, one, other)),
    }
}

/// One answer that is as declared.
async fn visit(errand: &Errand<'_>, check: &UpstreamCheck, probe: &Probe<'_>) -> Result<Journey, Outcome> {
    let journey = fetch(errand, probe).await?;
    refuse(&expect::failings(&check.expect, &journey, errand), &journey.evidence)?;
    Ok(journey)
}

/// Which of the two a sentence is about: their hosts, or the whole URLs where these are the same.
fn names(check: &UpstreamCheck, twin: &Twin) -> [String; 2] {
    let hosts = [called(&check.url), called(&twin.url)];
    if hosts[0] == hosts[1] { [check.url.clone(), twin.url.clone()] } else { hosts }
}

/// Host and port, as far as the URL names one.
fn called(url: &str) -> String {
    match web_url(url) {
        Some(url) => url[url::Position::BeforeHost..url::Position::AfterPort].to_owned(),
        None => url.to_owned(),
    }
}

/// One name answers and the other does not: the network between is not to blame, for it carried one of the two.
fn one_fails(failing: &str, outcome: Outcome, working: &str, journey: Journey) -> Outcome {
    let how = match outcome.code {
        Code::TimedOut => "timed out",
        Code::NameNotFound => "does not resolve",
        Code::CredentialsRefused => "refuses the credentials",
        _ => "failed",
    };
    let message = format!(
        "{failing} {how} while {working} answered as declared: {}; let the application use the name that works, or mend the \
         way to the other",
        outcome.message
    );
    Outcome::fail(Code::TwinDiffers, message, [outcome.evidence, journey.evidence].concat())
}

/// Neither name answers as declared. What is certain of one of them counts.
fn both_fail(names: &[String; 2], one: Outcome, other: Outcome) -> Outcome {
    let message = format!("neither name answered as declared: {}: {}; {}: {}", names[0], one.message, names[1], other.message);
    let certain = if one.verdict == Verdict::Unknown { (other.verdict, other.code) } else { (one.verdict, one.code) };
    Outcome { verdict: certain.0, code: certain.1, message, evidence: [one.evidence, other.evidence].concat() }
}

fn compared(twin: &Twin, names: &[String; 2], one: Journey, other: Journey, identity: &Identity) -> Result<Outcome, Outcome> {
    let differences = if twin.same.is_empty() {
        whole_difference(names, &one, &other).into_iter().collect()
    } else {
        differing_values(&twin.same, names, &one, &other, identity)
    };
    let evidence = [one.evidence, other.evidence].concat();
    if differences.is_empty() {
        return Ok(Outcome::pass(format!("{} and {} answer the same, as declared", names[0], names[1]), evidence));
    }
    let said = format!("{} and {} both answer, and differently: {}", names[0], names[1], told(&differences));
    Err(Outcome::fail(Code::TwinDiffers, said, evidence))
}

/// How two whole answers differ.
fn whole_difference(names: &[String; 2], one: &Journey, other: &Journey) -> Option<String> {
    let (a, b) = (&one.last.answer, &other.last.answer);
    if a.status != b.status {
        return Some(format!("{} answers {}, {} answers {}", names[0], a.status, names[1], b.status));
    }
    if a.body == b.body {
        return None;
    }
    let equal = a.body.iter().zip(&b.body).take_while(|(a, b)| a == b).count();
    Some(format!(
        "bodies of {} and {} bytes, the same for the first {equal}; name in `twin.same` what has to be equal if not all has",
        a.body.len(),
        b.body.len()
    ))
}

/// The values that differ, or that there are none to compare.
fn differing_values(
    pointers: &[String],
    names: &[String; 2],
    one: &Journey,
    other: &Journey,
    identity: &Identity,
) -> Vec<String> {
    let documents = [one, other].map(|journey| json(&journey.last.answer));
    let (a, b) = match &documents {
        [Ok(a), Ok(b)] => (a, b),
        [Err(why), _] => return vec![format!("{}: {why}", names[0])],
        [_, Err(why)] => return vec![format!("{}: {why}", names[1])],
    };
    let shown = |value: Option<&Value>| value.map_or_else(|| "missing".to_owned(), |value| identity.shown(&format!("`{value}`")));
    let mut differences = Vec::new();
    for pointer in pointers {
        let values = (a.pointer(pointer), b.pointer(pointer));
        if values.0.is_none() || values.0 != values.1 {
            let (one, other) = (shown(values.0), shown(values.1));
            differences.push(format!("`{pointer}` is {one} at {} and {other} at {}", names[0], names[1]));
        }
    }
    differences
}

#[cfg(test)]
#[path = "upstream_tests.rs"]
mod tests;
