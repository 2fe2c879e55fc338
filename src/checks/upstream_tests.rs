//! One upstream under one name and under two.

use serde_json::{Value, json};

use super::*;
use crate::checks::scripted_web::{PASSWORD, Scene, Web};

const PRODUCTION: &str = "https://booking.example.com/health";
const STAGING: &str = "https://booking-uat.example.com/health";

fn check(declared: Value) -> UpstreamCheck {
    let mut fields = json!({ "name": "booking", "url": PRODUCTION });
    let (Value::Object(fields), Value::Object(declared)) = (&mut fields, declared) else { unreachable!("both are objects") };
    fields.extend(declared);
    serde_json::from_value(Value::Object(fields.clone())).expect("the check is well-formed")
}

async fn outcome(web: Web, declared: Value) -> Outcome {
    run(&check(declared), &Scene::of(web).probe()).await
}

fn twin(same: &Value) -> Value {
    json!({ "twin": { "url": STAGING, "same": same } })
}

#[tokio::test]
async fn an_upstream_that_answers_as_declared_passes() {
    let outcome = outcome(Web::default().page(PRODUCTION, 200, &[], "{}"), json!({})).await;
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert_eq!(outcome.message, "booking.example.com answers as declared");
}

#[tokio::test]
async fn each_way_to_fail_has_a_word_of_its_own() {
    let troubles = [
        (Code::TimedOut, Verdict::Unknown, "No answer came in time"),
        (Code::NameNotFound, Verdict::Fail, "The name does not resolve"),
        (Code::CertificateUntrusted, Verdict::Fail, "authority is not trusted"),
        (Code::CertificateExpired, Verdict::Fail, "The certificate is over"),
        (Code::TlsRefused, Verdict::Fail, "TLS was not agreed"),
        (Code::ConnectionLost, Verdict::Unknown, "The connection broke off"),
    ];
    for (code, verdict, words) in troubles {
        let outcome = outcome(Web::default().lost(PRODUCTION, code), json!({})).await;
        assert_eq!((outcome.verdict, outcome.code), (verdict, code));
        assert!(outcome.message.contains(words) && outcome.message.contains(PRODUCTION), "{}", outcome.message);
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_apart_from_everything_else() {
    let key = json!({ "credentials": { "header": { "name": "x-api-key", "valueFrom": { "env": "BOOKING" } } } });
    let scene = Scene::of(Web::default().page(PRODUCTION, 403, &[], PASSWORD));
    let outcome = run(&check(key), &scene.probe()).await;
    assert_eq!((outcome.verdict, outcome.code), (Verdict::Fail, Code::CredentialsRefused));
    assert!(!format!("{outcome:?}").contains(PASSWORD), "{outcome:?}");
    assert_eq!(scene.web.asked()[0].headers, [("x-api-key".to_owned(), PASSWORD.to_owned())]);
}

#[tokio::test]
async fn one_hostname_that_timed_out_while_another_worked_reads_so() {
    let web = || Web::default().lost(STAGING, Code::TimedOut).page(PRODUCTION, 200, &[], "{}");
    let outcome = outcome(web(), twin(&json!([]))).await;
    assert_eq!((outcome.verdict, outcome.code), (Verdict::Fail, Code::TwinDiffers));
    let words = "booking-uat.example.com timed out while booking.example.com answered as declared";
    assert!(outcome.message.starts_with(words), "{}", outcome.message);
    assert_eq!(outcome.evidence.len(), 2, "both are shown");
    // The other way round it is the other name.
    let reversed = json!({ "url": STAGING, "twin": { "url": PRODUCTION } });
    let outcome = super::run(&check(reversed), &Scene::of(web()).probe()).await;
    assert!(outcome.message.starts_with(words), "{}", outcome.message);
}

#[tokio::test]
async fn where_neither_name_answers_nothing_is_said_about_their_difference() {
    let silent = Web::default().lost(STAGING, Code::TimedOut).lost(PRODUCTION, Code::TimedOut);
    let unknown = outcome(silent, twin(&json!([]))).await;
    assert_eq!((unknown.verdict, unknown.code), (Verdict::Unknown, Code::TimedOut));
    assert!(unknown.message.contains("booking.example.com: ") && unknown.message.contains("booking-uat.example.com: "));
    let refused = Web::default().lost(STAGING, Code::ConnectionRefused).lost(PRODUCTION, Code::TimedOut);
    let failed = outcome(refused, twin(&json!([]))).await;
    assert_eq!((failed.verdict, failed.code), (Verdict::Fail, Code::ConnectionRefused), "what is certain counts");
}

#[tokio::test]
async fn two_names_have_to_answer_the_same_whole_or_in_what_is_declared() {
    let web = |other: &str| {
        let body = r#"{"version": 7, "at": "12:00:00"}"#;
        Web::default().page(PRODUCTION, 200, &[], body).page(STAGING, 200, &[], other)
    };
    let later = r#"{"version": 7, "at": "12:00:01"}"#;
    assert_eq!(outcome(web(later), twin(&json!(["/version"]))).await.verdict, Verdict::Pass);
    let whole = outcome(web(later), twin(&json!([]))).await;
    assert_eq!((whole.verdict, whole.code), (Verdict::Fail, Code::TwinDiffers));
    assert!(whole.message.contains("the same for the first 29; name in `twin.same`"), "{}", whole.message);
    let older = outcome(web(r#"{"version": 6}"#), twin(&json!(["/version", "/region"]))).await;
    assert_eq!((older.verdict, older.code), (Verdict::Fail, Code::TwinDiffers));
    for words in [
        "`/version` is `7` at booking.example.com and `6` at booking-uat.example.com",
        "`/region` is missing at booking.example.com and missing at booking-uat.example.com",
    ] {
        assert!(older.message.contains(words), "{}", older.message);
    }
    let html = outcome(web("<html>"), twin(&json!(["/version"]))).await;
    assert!(html.message.contains("booking-uat.example.com: the body is not JSON"), "{}", html.message);
}

#[tokio::test]
async fn two_names_that_answer_the_same_pass_and_both_get_the_credentials() {
    let scene = Scene::of(Web::default().page(PRODUCTION, 200, &[], "{}").page(STAGING, 200, &[], "{}"));
    let mut declared = twin(&json!([]));
    declared["credentials"] = json!({ "bearer": { "env": "BOOKING" } });
    let outcome = run(&check(declared), &scene.probe()).await;
    assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
    assert_eq!(outcome.evidence.len(), 2);
    assert!(scene.web.asked().iter().all(|request| request.headers.len() == 1));
}
