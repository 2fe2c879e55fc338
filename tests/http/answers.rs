//! What is answered, and that it is what the OpenAPI document says.

use std::collections::BTreeSet;

use bascule::checks::report::CheckReport;
use bascule::http::{Endpoint, Limits, document};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{GateReport, Standing};
use bascule::spec::Phase;
use serde_json::{Value, json};

use crate::fixture::{Server, at, migration, plan, status};

async fn server() -> Server {
    Server::start(Limits::default()).await
}

/// A validator for one component of the document.
fn component(name: &str) -> jsonschema::Validator {
    let schema = json!({ "$ref": format!("#/components/schemas/{name}"), "components": document()["components"] });
    jsonschema::validator_for(&schema).expect("a sound schema")
}

/// That `value` is what the document calls `name`.
#[track_caller]
pub fn assert_is(name: &str, value: &Value) {
    let faults: Vec<String> = component(name).iter_errors(value).map(|error| error.to_string()).collect();
    assert!(faults.is_empty(), "{name}: {faults:?}\n{value:#}");
}

#[test]
fn every_route_is_in_the_document_and_the_document_has_no_other() {
    let document = document();
    let written: BTreeSet<&str> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    assert_eq!(written, Endpoint::ALL.map(Endpoint::path).into());
    for (path, item) in document["paths"].as_object().expect("paths") {
        assert_eq!(
            item.as_object().map(|item| item.keys().map(String::as_str).collect()),
            Some(vec!["get"]),
            "{path} only reads"
        );
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                into.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, into));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, into)),
            _ => {}
        }
    }
    let document = document();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 20);
    for reference in all {
        let place = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn real_answers_are_what_the_document_says() {
    let server = server().await;
    for (path, name) in [
        ("/api/v1/migrations", "MigrationList"),
        ("/api/v1/migrations/payments", "MigrationObject"),
        ("/api/v1/migrations/payments/plan", "Plan"),
        ("/api/v1/migrations/payments/events", "EventList"),
        ("/api/v1/migrations/payments/journey", "Journey"),
    ] {
        let reply = server.get(path).await;
        assert_eq!((reply.code, reply.header("content-type")), (200, Some("application/json")), "{path}");
        assert_is(name, &reply.json());
    }
    assert_is("Status", &server.get("/api/v1/migrations/nobody").await.json());
    assert_eq!(server.get("/openapi.json").await.json(), document());
    assert!(!component("MigrationObject").is_valid(&json!({ "kind": "Migration" })), "the schema is not empty");
    server.stop().await;
}

#[tokio::test]
async fn probes_answer_and_readiness_follows_the_controllers() {
    let server = server().await;
    assert_eq!((server.get("/healthz").await.code, server.get("/livez").await.code), (200, 200));
    let reply = server.get("/readyz").await;
    assert_eq!((reply.code, reply.reason().as_str()), (503, "ServiceUnavailable"));
    server.board.set_ready(true);
    assert_eq!(server.get("/readyz").await.code, 200);
    server.stop().await;
}

#[tokio::test]
async fn an_answer_is_sent_again_only_when_it_changed() {
    let server = server().await;
    for path in ["/", "/openapi.json", "/api/v1/migrations", "/api/v1/migrations/payments", "/api/v1/migrations/payments/events"]
    {
        let reply = server.get(path).await;
        let etag = reply.header("etag").expect("an ETag").to_owned();
        assert!(etag.starts_with('"'), "strong");
        for tags in [etag.clone(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let again = server.ask("GET", path, &format!("If-None-Match: {tags}\r\n")).await;
            assert_eq!((again.code, again.body.as_str(), again.header("etag")), (304, "", Some(etag.as_str())), "{path}");
        }
        assert_eq!(server.ask("GET", path, "If-None-Match: \"other\"\r\n").await.body, reply.body);
    }
    let path = "/api/v1/migrations/payments";
    let before = server.get(path).await;
    server.board.publish(&migration(), 3, status("drained"), plan());
    let after = server.ask("GET", path, &format!("If-None-Match: {}\r\n", before.header("etag").expect("an ETag"))).await;
    assert_eq!(after.code, 200);
    assert_ne!(after.json()["metadata"]["resourceVersion"], before.json()["metadata"]["resourceVersion"]);
    server.stop().await;
}

#[tokio::test]
async fn a_later_look_that_saw_the_same_is_shown_but_is_no_new_version() {
    let server = server().await;
    let path = "/api/v1/migrations/payments";
    let before = server.get(path).await;
    let mut later = status("draining");
    later.observed_at = at(60);
    server.board.publish(&migration(), 3, later, plan());
    let after = server.get(path).await;
    assert_eq!(after.json()["metadata"], before.json()["metadata"]);
    assert_ne!(after.json()["status"]["observedAt"], before.json()["status"]["observedAt"]);
    assert_ne!(after.header("etag"), before.header("etag"), "the bytes differ");
    server.stop().await;
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let server = server().await;
    for endpoint in Endpoint::ALL.into_iter().filter(|endpoint| !matches!(endpoint, Endpoint::Watch | Endpoint::WatchAll)) {
        let path = endpoint.path().replace("{name}", "payments");
        let (head, get) = (server.ask("HEAD", &path, "").await, server.get(&path).await);
        assert_eq!((head.code, head.body.as_str()), (get.code, ""), "{path}");
        assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
        assert_eq!(head.header("etag"), get.header("etag"), "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn nothing_but_reading_is_allowed_anywhere() {
    let server = server().await;
    for endpoint in Endpoint::ALL {
        let path = endpoint.path().replace("{name}", "payments");
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"] {
            let target = if method == "CONNECT" { "localhost:80" } else { path.as_str() };
            let reply = server.ask(method, target, "").await;
            assert_eq!((reply.code, reply.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
            assert_eq!(reply.reason(), "MethodNotAllowed");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json_with_the_same_headers_as_everything() {
    let server = server().await;
    for path in ["/nowhere", "/api/v1/migrations/", "/api/v1/migrations/x/plan", "/api/v1/migrations/x/events", "/healthz/", "//"]
    {
        let reply = server.get(path).await;
        assert_eq!((reply.code, reply.reason().as_str()), (404, "NotFound"), "{path}");
    }
    for path in ["/", "/nowhere", "/metrics", "/api/v1/migrations", "/healthz"] {
        let reply = server.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        assert!(reply.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    }
    server.stop().await;
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_refused_and_not_guessed() {
    let server = server().await;
    for query in ["events?after=-1", "events?limit=many", "events?afterwards=1", "?watch=maybe", "?resourceversion=1"] {
        let path = if query.starts_with('?') {
            format!("/api/v1/migrations/payments{query}")
        } else {
            format!("/api/v1/migrations/payments/{query}")
        };
        let reply = server.get(&path).await;
        assert_eq!((reply.code, reply.reason().as_str()), (400, "BadRequest"), "{path}");
    }
    assert_eq!(server.get("/api/v1/migrations/%ff").await.reason(), "BadRequest");
    server.stop().await;
}

#[tokio::test]
async fn history_comes_in_pages() {
    let server = server().await;
    let path = "/api/v1/migrations/payments/events";
    let first = server.get(&format!("{path}?limit=2")).await.json();
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["items"][0]["sentence"], "enter Drain");
    let next = first["metadata"]["nextAfter"].as_u64().expect("a number");
    let second = server.get(&format!("{path}?after={next}")).await.json();
    assert_eq!(second["items"].as_array().map(Vec::len), Some(3));
    let end = server.get(&format!("{path}?after=5")).await.json();
    assert_eq!((end["items"].clone(), end["metadata"]["nextAfter"].clone()), (json!([]), json!(5)));
    server.stop().await;
}

#[tokio::test]
async fn history_is_read_from_its_end_too() {
    let server = server().await;
    let path = "/api/v1/migrations/payments/events";
    let numbers = |page: &Value| -> Vec<u64> {
        page["items"].as_array().expect("items").iter().filter_map(|entry| entry["seq"].as_u64()).collect()
    };
    let newest = server.get(&format!("{path}?before=9007199254740991&limit=2")).await.json();
    assert_eq!((numbers(&newest), &newest["metadata"]["previousBefore"]), (vec![4, 5], &json!(4)));
    let earlier = server.get(&format!("{path}?before=4&limit=10")).await.json();
    assert_eq!((numbers(&earlier), earlier["metadata"].get("previousBefore")), (vec![1, 2, 3], None), "there is nothing before");
    assert_eq!(server.get(&format!("{path}?before=4&after=1")).await.reason(), "BadRequest");
    server.stop().await;
}

#[tokio::test]
async fn a_journey_tells_where_it_was_where_it_goes_and_how_far_it_was_behind() {
    let server = server().await;
    let path = "/api/v1/migrations/payments/journey";
    let journey = server.get(path).await.json();
    assert_eq!(
        (&journey["past"][0]["rung"], &journey["past"][0]["posture"]["legacyWrites"]),
        (&json!("Drain"), &json!("closed"))
    );
    assert_eq!((&journey["future"][0]["rung"], &journey["future"][0]["expectation"]), (&json!("Arm"), &json!("asked")));
    assert_eq!(journey["lag"], json!([{ "at": at(7), "forwardSeconds": 1.5 }]), "what is not proven is not told");
    let mut later = status("draining");
    (later.observed_at, later.forward.lag_seconds) = (at(60), Some(2.5));
    server.board.publish(&migration(), 3, later, plan());
    assert_eq!(server.get(path).await.json()["lag"][1]["forwardSeconds"], 2.5);
    server.stop().await;
}

#[tokio::test]
async fn the_page_is_one_answer_with_a_policy_of_its_own_and_no_data() {
    let server = server().await;
    server.board.publish(&migration(), 3, status("<script>alert('&')</script>"), plan());
    let reply = server.get("/").await;
    assert_eq!((reply.code, reply.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(!reply.body.contains("payments") && !reply.body.contains("alert("), "it is the same for everybody");
    let policy = reply.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && policy.contains("script-src 'sha256-"), "{policy}");
    for weakness in ["unsafe", "*", "http", "script-src 'self'"] {
        assert!(!policy.contains(weakness), "{policy}");
    }
    assert_eq!(
        server.get("/metrics").await.header("content-security-policy").map(|policy| policy.contains("sha256")),
        Some(false)
    );
    server.stop().await;
}

#[tokio::test]
async fn metrics_tell_a_failed_check_from_one_that_nobody_can_judge() {
    let server = server().await;
    let mut shown = status("checked");
    let check = |name: &str, verdict: &str, waiver: serde_json::Value| {
        let report = json!({
            "name": name, "kind": "page", "verdict": verdict, "message": "so it went", "passesInARow": 0, "evidence": [],
            "waiver": waiver,
        });
        serde_json::from_value::<CheckReport>(report).expect("a report")
    };
    let waiver = json!({ "check": "cache", "by": "ada", "why": "it moves on Monday", "until": "2026-01-01T00:00:00Z" });
    shown.checks =
        vec![check("checkout", "pass", json!(null)), check("booking", "unknown", json!(null)), check("cache", "fail", waiver)];
    server.board.publish(&migration(), 3, shown, plan());
    let text = server.get("/metrics").await.body;
    for line in [
        r#"bascule_check_verdict{migration="payments",check="checkout",verdict="pass"} 1"#,
        r#"bascule_check_verdict{migration="payments",check="booking",verdict="unknown"} 1"#,
        r#"bascule_check_verdict{migration="payments",check="booking",verdict="fail"} 0"#,
        r#"bascule_check_verdict{migration="payments",check="cache",verdict="fail"} 1"#,
        r#"bascule_checks_waived{migration="payments"} 1"#,
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\nis not in\n{text}");
    }
    server.board.publish(&migration(), 4, status("declared no more"), plan());
    let text = server.get("/metrics").await.body;
    assert!(!text.contains("check=\"checkout\""), "{text}");
    assert!(text.contains(r#"bascule_checks_waived{migration="payments"} 0"#), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn metrics_say_what_is_and_forget_what_was() {
    let server = server().await;
    let metrics = server.board.metrics();
    metrics.pass_ended(migration().name(), std::time::Duration::from_millis(12), Some(at(0)));
    metrics.aws_called("dms");
    metrics.aws_called("dms");
    metrics.spec_refused();
    let text = server.get("/metrics").await.body;
    for line in [
        concat!("bascule_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "bascule_migration_info{name=\"payments\",phase=\"RollbackArmed\",rung=\"Drain\"} 1",
        "bascule_gate_open{migration=\"payments\",gate=\"drained\"} 0",
        "bascule_gate_open{migration=\"payments\",gate=\"fenced\"} 1",
        "bascule_replication_lag_seconds{migration=\"payments\",direction=\"forward\"} 1.5",
        "bascule_write_pause_seconds{migration=\"payments\"} 4.0",
        "bascule_rollback_ready{migration=\"payments\"} 1",
        "bascule_journal_writable{migration=\"payments\"} 1",
        "bascule_reconcile_passes_total{migration=\"payments\"} 1",
        "bascule_reconcile_duration_seconds_count{migration=\"payments\"} 1",
        "bascule_last_successful_reconcile_timestamp_seconds{migration=\"payments\"} 1700000000.0",
        "bascule_aws_calls_total{service=\"dms\"} 2",
        "bascule_spec_errors_total 1",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\nis not in\n{text}");
    }
    assert!(!text.contains("direction=\"reverse\""), "what is not measured has no value");
    let mut later = status("open");
    (later.rung, later.phase, later.write_pause_began) = (Rung::Observing, Some(Phase::CutOver), None);
    later.gates = vec![GateReport { name: "observed".to_owned(), standing: Standing::Unknown("?".to_owned()) }];
    server.board.publish(&migration(), 3, later, plan());
    let text = server.get("/metrics").await.body;
    assert!(text.contains("phase=\"CutOver\",rung=\"Observing\"") && !text.contains("rung=\"Drain\""));
    assert!(text.contains("gate=\"observed\"} 0") && !text.contains("gate=\"drained\""));
    assert!(text.contains("bascule_write_pause_seconds{migration=\"payments\"} 0"));
    assert!(text.ends_with("# EOF\n"));
    server.stop().await;
}
