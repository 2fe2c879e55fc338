//! What still arrives where it should have ended, counted by whoever can count it.

use serde_json::Value;

use super::credentials::Identity;
use super::expect::{self, json};
use super::fetch::{Errand, fetch};
use super::outcome::{Code, Evidence, Outcome};
use super::probe::Probe;
use crate::clock::elapsed;
use crate::fault::Problem;
use crate::names::Side;
use crate::spec::checks::{Expectation, HttpSignal, SqlSignal, TrafficCheck, TrafficSignal};

/// What was counted, and how that is known.
struct Count {
    arrived: u64,
    evidence: Vec<Evidence>,
}

/// Reads the count and judges it. While the public name is to lead to legacy, requests belong there, and are only counted.
pub async fn run(check: &TrafficCheck, probe: &Probe<'_>) -> Outcome {
    let counted = match &check.signal {
        TrafficSignal::Http(signal) => counted_by_page(signal, probe).await,
        TrafficSignal::Sql(signal) => counted_by_query(signal, probe).await,
    };
    match counted {
        Ok(Count { arrived, evidence }) if probe.public_at == Side::Legacy => {
            Outcome::pass(format!("{arrived} arrive, as they may until the switch"), evidence)
        }
        Ok(Count { arrived, evidence }) if arrived > check.at_most => {
            let message =
                format!("{arrived} still arrive, and at most {} may; find out who still has the old address", check.at_most);
            Outcome::fail(Code::StillArriving, message, evidence)
        }
        Ok(Count { arrived, evidence }) => Outcome::pass(format!("{arrived} arrive, at most {} may", check.at_most), evidence),
        Err(outcome) => outcome,
    }
}

async fn counted_by_page(signal: &HttpSignal, probe: &Probe<'_>) -> Result<Count, Outcome> {
    let identity = Identity::of(signal.credentials.as_ref(), probe.secrets)?;
    let errand = Errand { url: &signal.url, connect_to: None, tls_ca_file: None, identity: &identity, redirects: &[] };
    let journey = fetch(&errand, probe).await?;
    // A page that is not there says nothing about who arrives.
    if let Some(failing) = expect::failings(&Expectation::default(), &journey, &errand).into_iter().next() {
        return Err(Outcome::unknown(failing.code, failing.said, journey.evidence));
    }
    let found = json(&journey.last.answer).map(|document| document.pointer(&signal.pointer).cloned());
    let said = match found {
        Ok(Some(value)) => match count(&value) {
            Some(arrived) => return Ok(Count { arrived, evidence: journey.evidence }),
            None => format!("`{}` is {}, which is no count", signal.pointer, identity.shown(&value.to_string())),
        },
        Ok(None) => format!("`{}` is missing in the body", signal.pointer),
        Err(why) => why,
    };
    let message = format!("{}: {said}; name a number with `pointer`", signal.url);
    Err(Outcome::unknown(Code::NotAsked, message, journey.evidence))
}

/// A whole number of requests; a rate is rounded up, so that a little is not nothing.
fn count(value: &Value) -> Option<u64> {
    let rate = || value.as_f64().filter(|rate| (0.0..1e15).contains(rate)).map(|rate| rate.ceil() as u64);
    value.as_u64().or_else(rate)
}

async fn counted_by_query(signal: &SqlSignal, probe: &Probe<'_>) -> Result<Count, Outcome> {
    let at = probe.clock.now();
    let answer = probe.database(signal.side).number(&signal.query).await;
    let answered = match &answer {
        Ok(number) => number.to_string(),
        Err(fault) => fault.to_string(),
    };
    let asked = format!("{} on {}", signal.query, signal.side);
    let evidence = vec![Evidence::new(&asked, &answered, at, elapsed(at, probe.clock.now()))];
    match answer {
        Ok(number) => match u64::try_from(number) {
            Ok(arrived) => Ok(Count { arrived, evidence }),
            Err(_) => {
                let message = format!("the query answers {number}, which is no count; let it count rows");
                Err(Outcome::unknown(Code::NotAsked, message, evidence))
            }
        },
        Err(fault) => Err(Outcome::unknown(code(&fault.problem), fault.to_string(), evidence)),
    }
}

/// The word for a database's problem. None of them says anything about traffic.
const fn code(problem: &Problem) -> Code {
    match problem {
        Problem::Ambiguous { .. } | Problem::Throttled { .. } | Problem::WrongState { .. } => Code::TimedOut,
        Problem::Unreachable { .. } => Code::Unreachable,
        Problem::Denied { .. } => Code::CredentialsRefused,
        Problem::AlreadyExists { .. }
        | Problem::NotFound { .. }
        | Problem::Invalid { .. }
        | Problem::Conflict { .. }
        | Problem::Quota { .. }
        | Problem::Superseded { .. } => Code::NotAsked,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::outcome::Verdict;
    use crate::checks::scripted_web::{Counter, Scene, Web};

    const METRICS: &str = "https://metrics.example.com/legacy";

    async fn by_page(web: Web, at_most: u64) -> Outcome {
        let signal = json!({ "http": { "url": METRICS, "pointer": "/requests" } });
        let check = json!({ "name": "legacy-traffic", "atMost": at_most, "signal": signal });
        run(&serde_json::from_value(check).expect("the check is well-formed"), &Scene::of(web).probe()).await
    }

    async fn by_query(answer: Result<i64, Problem>) -> Outcome {
        let signal = json!({ "sql": { "side": "legacy", "query": "SELECT COUNT(*) FROM payments.requests" } });
        let check = json!({ "name": "legacy-traffic", "signal": signal });
        let mut scene = Scene::of(Web::default());
        scene.counter = Counter(answer);
        run(&serde_json::from_value(check).expect("the check is well-formed"), &scene.probe()).await
    }

    #[tokio::test]
    async fn traffic_has_ended_where_no_more_than_declared_arrives() {
        let page = |requests: &str| Web::default().page(METRICS, 200, &[], &format!("{{\"requests\": {requests}}}"));
        assert_eq!(by_page(page("0"), 0).await.verdict, Verdict::Pass);
        assert_eq!(by_page(page("5"), 5).await.verdict, Verdict::Pass);
        for (requests, told) in [("6", "6 still arrive"), ("5.1", "6 still arrive")] {
            let outcome = by_page(page(requests), 5).await;
            assert_eq!((outcome.verdict, outcome.code), (Verdict::Fail, Code::StillArriving));
            assert!(outcome.message.starts_with(told), "{}", outcome.message);
        }
        assert_eq!(by_query(Ok(0)).await.verdict, Verdict::Pass);
        assert_eq!(by_query(Ok(1)).await.code, Code::StillArriving);
    }

    #[tokio::test]
    async fn before_the_switch_requests_are_where_they_belong() {
        let check = json!({ "name": "legacy-traffic", "signal": { "sql": { "side": "legacy", "query": "SELECT 1" } } });
        let mut scene = Scene::of(Web::default());
        (scene.counter, scene.public_at) = (Counter(Ok(7)), Side::Legacy);
        let outcome = run(&serde_json::from_value(check).expect("the check is well-formed"), &scene.probe()).await;
        assert_eq!((outcome.verdict, outcome.message.as_str()), (Verdict::Pass, "7 arrive, as they may until the switch"));
    }

    #[tokio::test]
    async fn what_is_no_count_leaves_it_unknown_whether_traffic_has_ended() {
        let bodies = [r#"{"requests": "none"}"#, r#"{"requests": null}"#, r#"{"requests": -1}"#, "{}", "0 requests", ""];
        for body in bodies {
            let outcome = by_page(Web::default().page(METRICS, 200, &[], body), 0).await;
            assert_eq!((outcome.verdict, outcome.code), (Verdict::Unknown, Code::NotAsked), "{body}");
            assert_eq!(outcome.evidence.len(), 1);
        }
        let negative = by_query(Ok(-1)).await;
        assert_eq!((negative.verdict, negative.code), (Verdict::Unknown, Code::NotAsked));
    }

    #[tokio::test]
    async fn whoever_cannot_count_has_not_counted_nothing() {
        let gone = by_page(Web::default().page(METRICS, 404, &[], "{\"requests\": 0}"), 0).await;
        assert_eq!((gone.verdict, gone.code), (Verdict::Unknown, Code::StatusDiffers));
        let silent = by_page(Web::default().lost(METRICS, Code::TimedOut), 0).await;
        assert_eq!((silent.verdict, silent.code), (Verdict::Unknown, Code::TimedOut));
        let broken = by_query(Err(Problem::Ambiguous { detail: "the connection broke".to_owned() })).await;
        assert_eq!((broken.verdict, broken.code), (Verdict::Unknown, Code::TimedOut));
        let denied = by_query(Err(Problem::Denied { code: "1142".to_owned(), message: "SELECT denied".to_owned() })).await;
        assert_eq!((denied.verdict, denied.code), (Verdict::Unknown, Code::CredentialsRefused));
        assert!(denied.message.contains("SELECT COUNT(*)"), "{}", denied.message);
    }
}
