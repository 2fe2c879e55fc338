//! Pages of a scripted web, and what is made of them.

use serde_json::{Value, json};

use super::*;
use crate::checks::network::PrivateAddresses;
use crate::checks::outcome::Verdict;
use crate::checks::scripted_web::{PASSWORD, Scene, Web};

const HOME: &str = "https://shadow-pay.example.com/";
const PLAIN: &str = "http://shadow-pay.example.com/";

fn check(declared: Value) -> PageCheck {
    let mut fields = json!({ "name": "shadow-home", "url": HOME, "expect": {} });
    let (Value::Object(fields), Value::Object(declared)) = (&mut fields, declared) else { unreachable!("both are objects") };
    fields.extend(declared);
    serde_json::from_value(Value::Object(fields.clone())).expect("the check is well-formed")
}

async fn outcome(scene: &Scene, declared: Value) -> Outcome {
    run(&check(declared), &scene.probe()).await
}

fn urls(scene: &Scene) -> Vec<String> {
    scene.web.asked().iter().map(|request| request.url.to_string()).collect()
}

#[track_caller]
fn assert_fails(outcome: &Outcome, code: Code, words: &[&str]) {
    assert_eq!((outcome.verdict, outcome.code), (Verdict::Fail, code), "{outcome:?}");
    for word in words {
        assert!(outcome.message.contains(word), "`{word}` is not in: {}", outcome.message);
    }
}

#[tokio::test]
async fn a_page_as_declared_passes_and_says_what_was_seen() {
    let scene = Scene::of(Web::default().page(HOME, 200, &[("content-type", "text/html")], "<h1>Pay</h1>"));
    let outcome = outcome(&scene, json!({ "expect": { "body": [{ "contains": "Pay" }] } })).await;
    assert_eq!((outcome.verdict, outcome.code), (Verdict::Pass, Code::AsDeclared), "{outcome:?}");
    assert_eq!(outcome.evidence[0].asked, "GET https://shadow-pay.example.com/");
    let seen = "200 from 203.0.113.7: 12 bytes, text/html; certificate by Test CA until 2027-02-20T12:00:00Z";
    assert_eq!(outcome.evidence[0].answered, seen);
}

mod redirects {
    use super::*;

    #[tokio::test]
    async fn a_declared_chain_is_followed_step_by_step_and_relative_steps_count_as_what_they_mean() {
        let web = Web::default().redirect(PLAIN, 301, HOME).redirect(HOME, 302, "/checkout");
        let scene = Scene::of(web.page("https://shadow-pay.example.com/checkout", 200, &[], ""));
        let steps = json!([
            { "status": 301, "location": "https://shadow-pay.example.com" },
            { "status": 302, "location": "https://shadow-pay.example.com/checkout" },
        ]);
        let outcome = outcome(&scene, json!({ "url": PLAIN, "expect": { "redirects": steps } })).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
        assert_eq!(outcome.evidence.len(), 3);
        assert!(outcome.message.contains("after the 2 declared redirects"), "{}", outcome.message);
    }

    #[tokio::test]
    async fn plain_http_that_is_served_instead_of_redirected_is_found() {
        let scene = Scene::of(Web::default().page(PLAIN, 200, &[], "<h1>Pay</h1>"));
        let steps = json!([{ "status": 302, "location": HOME }]);
        let outcome = outcome(&scene, json!({ "url": PLAIN, "expect": { "redirects": steps } })).await;
        let words = ["redirect 1 is declared (302 to https://shadow-pay.example.com/) and did not come", "answers 200"];
        assert_fails(&outcome, Code::RedirectDiffers, &words);
    }

    #[tokio::test]
    async fn another_status_or_another_place_than_declared_is_found() {
        let scene = Scene::of(Web::default().redirect(PLAIN, 301, HOME).page(HOME, 200, &[], ""));
        for step in [json!({ "status": 302, "location": HOME }), json!({ "status": 301, "location": PLAIN })] {
            let outcome = outcome(&scene, json!({ "url": PLAIN, "expect": { "redirects": [step] } })).await;
            assert_fails(
                &outcome,
                Code::RedirectDiffers,
                &["redirect 1 is 301 to https://shadow-pay.example.com/;", "is declared"],
            );
        }
    }

    #[tokio::test]
    async fn a_redirect_that_nobody_declared_is_none_too_few() {
        let scene = Scene::of(Web::default().redirect(HOME, 302, "/login").page(&format!("{HOME}login"), 200, &[], ""));
        assert_fails(&outcome(&scene, json!({})).await, Code::RedirectDiffers, &["302 to", "/login", "none is declared"]);
    }

    #[tokio::test]
    async fn an_undeclared_redirect_is_known_even_if_nobody_answers_behind_it() {
        let there = "https://login.example.com/";
        let scene = Scene::of(Web::default().redirect(HOME, 302, there).lost(there, Code::TimedOut));
        assert_fails(&outcome(&scene, json!({})).await, Code::RedirectDiffers, &[there]);
    }

    #[tokio::test]
    async fn fifty_redirects_are_given_up_after_ten() {
        let step = |number: u32| format!("https://shadow-pay.example.com/{number}");
        let web = (0..50).fold(Web::default(), |web, number| web.redirect(&step(number), 302, &step(number + 1)));
        let scene = Scene::of(web);
        let outcome = outcome(&scene, json!({ "url": step(0) })).await;
        assert_fails(&outcome, Code::RedirectLoop, &["more than 10 redirects"]);
        assert_eq!(urls(&scene).len(), 11, "nobody goes on");
    }

    #[tokio::test]
    async fn a_circle_is_left_where_it_closes() {
        let there = "https://shadow-pay.example.com/a";
        let scene = Scene::of(Web::default().redirect(HOME, 302, there).redirect(there, 302, HOME));
        assert_fails(&outcome(&scene, json!({})).await, Code::RedirectLoop, &["back to https://shadow-pay.example.com/"]);
        assert_eq!(urls(&scene), [HOME, there]);
    }

    #[tokio::test]
    async fn nobody_is_led_to_the_old_system_declared_or_not() {
        let old = "https://old-pay.example.net/checkout";
        let scene = Scene::of(Web::default().redirect(HOME, 302, old).page(old, 200, &[], ""));
        for steps in [json!([]), json!([{ "status": 302, "location": old }])] {
            let outcome = outcome(&scene, json!({ "expect": { "redirects": steps } })).await;
            assert_fails(&outcome, Code::ForeignName, &[old, "a host of the old system"]);
        }
        assert!(!urls(&scene).contains(&old.to_owned()), "the old system is not even asked");
    }

    #[tokio::test]
    async fn a_redirect_out_of_https_is_followed_only_where_it_is_declared() {
        let scene = Scene::of(Web::default().redirect(HOME, 302, PLAIN).page(PLAIN, 200, &[], ""));
        assert_fails(&outcome(&scene, json!({})).await, Code::RedirectDiffers, &["out of HTTPS"]);
        assert_eq!(urls(&scene), [HOME]);
        let steps = json!([{ "status": 302, "location": PLAIN }]);
        let _ = outcome(&scene, json!({ "expect": { "redirects": steps } })).await;
        assert_eq!(urls(&scene), [HOME, HOME, PLAIN]);
    }

    #[tokio::test]
    async fn what_is_no_web_page_is_not_followed() {
        for nowhere in ["javascript:alert(1)", "ftp://shadow-pay.example.com/", "https://", "file:///etc/passwd"] {
            let scene = Scene::of(Web::default().redirect(HOME, 302, nowhere));
            assert_fails(&outcome(&scene, json!({})).await, Code::RedirectDiffers, &["which is no web page"]);
            assert_eq!(urls(&scene), [HOME]);
        }
    }

    #[tokio::test]
    async fn a_redirect_into_a_private_network_is_refused_unless_its_host_is_allowed_by_name() {
        let inside = "https://metadata.example.com/";
        let web = Web::default().redirect(HOME, 302, inside).page(inside, 200, &[], "").private(inside);
        let mut scene = Scene::of(web);
        let steps = json!({ "expect": { "redirects": [{ "status": 302, "location": inside }] } });
        let refused = outcome(&scene, steps.clone()).await;
        assert_fails(&refused, Code::PrivateAddress, &["spec.checks.privateHosts"]);
        scene.migration.spec.checks.private_hosts = vec!["Metadata.example.com".to_owned()];
        assert_eq!(outcome(&scene, steps).await.verdict, Verdict::Pass);
        let allowed: Vec<PrivateAddresses> = scene.web.asked().iter().map(|request| request.private_addresses).collect();
        use PrivateAddresses::{Allowed, Refused};
        assert_eq!(allowed, [Allowed, Refused, Allowed, Allowed], "the declared host itself may be anywhere");
    }

    #[tokio::test]
    async fn a_connection_of_its_own_is_for_the_declared_host_alone() {
        let elsewhere = "https://static.example.com/";
        let web = Web::default().redirect(PLAIN, 301, HOME).redirect(HOME, 302, elsewhere).page(elsewhere, 200, &[], "");
        let scene = Scene::of(web);
        let steps = json!([{ "status": 301, "location": HOME }, { "status": 302, "location": elsewhere }]);
        let declared = json!({ "url": PLAIN, "connectTo": "lb.example.net:8080", "expect": { "redirects": steps } });
        assert_eq!(outcome(&scene, declared).await.verdict, Verdict::Pass);
        let connections: Vec<_> = scene.web.asked().into_iter().map(|request| request.connect_to).collect();
        let at = |port| Some(("lb.example.net".to_owned(), port));
        assert_eq!(connections, [at(8080), at(443), None], "another port is found at the same host, another host is not");
    }
}

mod answers {
    use super::*;

    #[tokio::test]
    async fn a_health_page_tells_which_upstream_is_down() {
        let health = r#"{"ok": false, "checks": {"database": "ok", "booking": "timed out", "cache": null, "version": 7}}"#;
        let scene = Scene::of(Web::default().page(HOME, 200, &[], health));
        let rules = json!([
            { "json": { "pointer": "/checks/database", "equals": "ok" } },
            { "json": { "pointer": "/checks/version", "equals": "7" } },
            { "json": { "pointer": "/ok", "equals": "false" } },
            { "json": { "pointer": "/checks/booking", "equals": "ok" } },
            { "json": { "pointer": "/checks/cache" } },
            { "json": { "pointer": "/checks/queue" } },
        ]);
        let outcome = outcome(&scene, json!({ "expect": { "body": rules } })).await;
        let words = [
            "`/checks/booking` is `timed out` in the body, and `ok` is declared",
            "`/checks/cache` is `null` in the body, and a value is declared",
            "`/checks/queue` is missing in the body",
        ];
        assert_fails(&outcome, Code::BodyDiffers, &words);
        assert!(!outcome.message.contains("/checks/database") && !outcome.message.contains("/checks/version"));
    }

    #[tokio::test]
    async fn a_body_that_is_no_json_is_said_to_be_none_and_is_not_repeated() {
        let deep = "[".repeat(100_000);
        for body in ["<html>canary</html>", deep.as_str(), ""] {
            let scene = Scene::of(Web::default().page(HOME, 200, &[], body));
            let outcome = outcome(&scene, json!({ "expect": { "body": [{ "json": { "pointer": "/ok" } }] } })).await;
            assert_fails(&outcome, Code::BodyDiffers, &["the body is not JSON"]);
            assert!(!outcome.message.contains("canary") && outcome.message.len() < 200, "{}", outcome.message);
        }
    }

    #[tokio::test]
    async fn texts_and_expressions_are_looked_for_in_the_body() {
        let scene = Scene::of(Web::default().page(HOME, 200, &[], "<title>Pay</title> Stack trace: ..."));
        let rules = json!([{ "contains": "<title>Pay" }, { "matches": "<h1>\\w+" }, { "lacks": "Stack trace" }]);
        let outcome = outcome(&scene, json!({ "expect": { "body": rules } })).await;
        assert_fails(&outcome, Code::BodyDiffers, &[r"`<h1>\w+` is not found", "contains `Stack trace`, and must not"]);
        assert!(!outcome.message.contains("lacks"), "{}", outcome.message);
    }

    #[tokio::test]
    async fn headers_are_there_or_not_as_declared_and_no_session_is_told() {
        let headers = [("server", "nginx/1.2"), ("cache-control", "public"), ("set-cookie", "sid=canary; Secure")];
        let scene = Scene::of(Web::default().page(HOME, 200, &headers, ""));
        let rules = json!([
            { "name": "Cache-Control", "matches": "no-store" },
            { "name": "Server", "absent": true },
            { "name": "Set-Cookie", "matches": "HttpOnly" },
        ]);
        let outcome = outcome(&scene, json!({ "expect": { "headers": rules } })).await;
        let words = ["`Cache-Control` is `public`, in which `no-store`", "`Server` is there (`nginx/1.2`)", "is `sid=…`"];
        assert_fails(&outcome, Code::HeaderDiffers, &words);
        assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
        let declared = json!({ "expect": { "headers": [{ "name": "x-frame-options" }] } });
        assert_fails(&super::outcome(&scene, declared).await, Code::HeaderDiffers, &["`x-frame-options` is missing"]);
    }

    #[tokio::test]
    async fn another_status_is_told_alone() {
        let scene = Scene::of(Web::default().page(HOME, 503, &[], "maintenance"));
        let outcome = outcome(&scene, json!({ "expect": { "body": [{ "contains": "Pay" }] } })).await;
        assert_fails(&outcome, Code::StatusDiffers, &["answers 503, and 200 is declared"]);
        assert!(!outcome.message.contains("lacks"), "{}", outcome.message);
    }

    #[tokio::test]
    async fn silence_proves_nothing_and_a_wrong_certificate_does() {
        let scene = Scene::of(Web::default().lost(HOME, Code::TimedOut));
        let silent = outcome(&scene, json!({})).await;
        assert_eq!((silent.verdict, silent.code), (Verdict::Unknown, Code::TimedOut));
        let scene = Scene::of(Web::default().lost(HOME, Code::CertificateOtherName));
        assert_fails(&outcome(&scene, json!({})).await, Code::CertificateOtherName, &["The certificate is for another name"]);
    }

    #[tokio::test]
    async fn a_certificate_has_to_outlive_the_declared_days() {
        let scene = Scene::of(Web::default().page(HOME, 200, &[], "").certified(HOME, 13));
        let outcome_of = async |days: u32| outcome(&scene, json!({ "certificateDays": days })).await;
        assert_fails(&outcome_of(14).await, Code::CertificateExpiresSoon, &["over in 13 days (2026-12-05)", "14 are declared"]);
        assert_eq!(outcome_of(13).await.verdict, Verdict::Pass);
    }
}

mod secrets {
    use super::*;

    fn basic() -> Value {
        json!({ "basic": { "env": "BOOKING" } })
    }

    #[tokio::test]
    async fn credentials_go_to_the_declared_origin_and_nowhere_else() {
        let (other_port, other_host) = ("https://shadow-pay.example.com:8443/", "https://static.example.com/");
        let web = Web::default().redirect(HOME, 302, other_port).redirect(other_port, 302, other_host);
        let scene = Scene::of(web.page(other_host, 200, &[], ""));
        let steps = json!([{ "status": 302, "location": other_port }, { "status": 302, "location": other_host }]);
        let outcome = outcome(&scene, json!({ "credentials": basic(), "expect": { "redirects": steps } })).await;
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
        let sent: Vec<usize> = scene.web.asked().iter().map(|request| request.headers.len()).collect();
        assert_eq!(sent, [1, 0, 0]);
    }

    #[tokio::test]
    async fn refused_credentials_are_told_from_missing_ones() {
        let scene = Scene::of(Web::default().page(HOME, 401, &[], ""));
        let refused = outcome(&scene, json!({ "credentials": basic() })).await;
        assert_fails(&refused, Code::CredentialsRefused, &["answers 401 to the credentials that the spec names"]);
        assert_fails(&outcome(&scene, json!({})).await, Code::StatusDiffers, &["answers 401"]);
        let wanted = outcome(&scene, json!({ "credentials": basic(), "expect": { "status": 401 } })).await;
        assert_eq!(wanted.verdict, Verdict::Pass, "a refusal may be what is declared");
    }

    #[tokio::test]
    async fn a_server_that_repeats_a_secret_does_not_get_it_told() {
        let location = format!("https://login.example.com/?password={PASSWORD}");
        let echo = format!("href=\"https://old-pay.example.net/{PASSWORD}\"");
        let json_echo = format!("{{\"you\": \"{PASSWORD}\"}}");
        let rule = json!({ "expect": { "body": [{ "json": { "pointer": "/you", "equals": "me" } }] } });
        let webs = [
            (Web::default().redirect(HOME, 302, &location), json!({})),
            (Web::default().page(HOME, 200, &[], &echo), json!({})),
            (
                Web::default().page(HOME, 200, &[("x-echo", PASSWORD), ("content-type", PASSWORD)], ""),
                json!({ "expect": { "headers": [{ "name": "x-echo", "matches": "^me$" }] } }),
            ),
            (Web::default().page(HOME, 200, &[], &json_echo), rule),
        ];
        for (web, mut declared) in webs {
            declared["credentials"] = basic();
            let outcome = outcome(&Scene::of(web), declared).await;
            assert_eq!(outcome.verdict, Verdict::Fail, "{outcome:?}");
            assert!(!format!("{outcome:?}").contains("canary"), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn without_the_secret_nobody_is_asked() {
        let scene = Scene::of(Web::default().page(HOME, 200, &[], ""));
        let outcome = outcome(&scene, json!({ "credentials": { "bearer": { "env": "NOT_THERE" } } })).await;
        assert_eq!((outcome.verdict, outcome.code), (Verdict::Unknown, Code::SecretNotFound));
        assert_eq!(urls(&scene).len(), 0);
    }
}

mod the_public_name {
    use super::*;

    const PUBLIC: &str = "https://pay.example.com/";

    #[tokio::test]
    async fn while_the_old_system_serves_its_page_is_no_proof_of_the_new_one() {
        let mut scene = Scene::of(Web::default().page(PUBLIC, 200, &[], ""));
        scene.public_at = Side::Legacy;
        let early = outcome(&scene, json!({ "url": PUBLIC })).await;
        assert_eq!((early.verdict, early.code), (Verdict::Unknown, Code::NotAsked));
        assert!(early.message.contains("connectTo"), "{}", early.message);
        assert_eq!(urls(&scene).len(), 0);
        let connected = outcome(&scene, json!({ "url": PUBLIC, "connectTo": "lb.example.net" })).await;
        assert_eq!(connected.verdict, Verdict::Pass, "{connected:?}");
        scene.public_at = Side::Target;
        assert_eq!(outcome(&scene, json!({ "url": PUBLIC })).await.verdict, Verdict::Pass);
    }

    #[tokio::test]
    async fn a_declared_redirect_to_it_is_no_way_round_that() {
        let mut scene = Scene::of(Web::default().redirect(HOME, 302, PUBLIC).page(PUBLIC, 200, &[], ""));
        scene.public_at = Side::Legacy;
        let declared =
            json!({ "connectTo": "lb.example.net", "expect": { "redirects": [{ "status": 302, "location": PUBLIC }] } });
        let outcome = outcome(&scene, declared).await;
        assert_eq!((outcome.verdict, outcome.code), (Verdict::Unknown, Code::NotAsked));
    }
}
