//! Servers that misbehave: each ends in one sentence, within bounds, and never in a pass.

use bascule::checks::outcome::{Code, Outcome, Verdict};
use bascule::spec::Period;
use serde_json::json;

use super::fake::{Fake, Then, healthy};
use super::house::{PASSWORD, assert_is, declared, outcome, outcome_within, with_keys};
use super::server::free_port;

const TOGETHER: [&str; 2] = ["queues:{<queue>}", "queues:{<queue>}:reserved"];

/// The outcome at a server that is healthy but for what it says about keys.
async fn with_answer(about_keys: impl Fn(u16, &[String]) -> Then + Send + Sync + 'static) -> Outcome {
    let fake = Fake::start(move |port, words| healthy(port, words).unwrap_or_else(|| about_keys(port, words))).await;
    outcome(&with_keys(fake.port, &TOGETHER)).await
}

fn say(text: &str) -> Then {
    Then::Say(text.to_owned())
}

#[tokio::test]
async fn the_healthy_one_passes_so_that_the_others_fail_for_their_own_reasons() {
    let outcome = with_answer(|_, words| if words[0] == "SET" { say("+OK\r\n") } else { say(":0\r\n") }).await;
    assert_is(&outcome, Verdict::Pass, Code::AsDeclared);
}

#[tokio::test]
async fn a_node_that_sends_every_key_to_itself_is_left_after_five_times() {
    let outcome = with_answer(|port, _| Then::Say(format!("-MOVED 1 127.0.0.1:{port}\r\n"))).await;
    assert_is(&outcome, Verdict::Fail, Code::RedirectedForEver);
    let asked = outcome.evidence.iter().filter(|evidence| evidence.asked.starts_with("EXISTS")).count();
    assert_eq!(asked, 6, "once, and five times more");
}

#[tokio::test]
async fn a_redirect_to_nowhere_is_no_pass() {
    for nowhere in ["-MOVED\r\n", "-MOVED 1 a b:1\r\n", "-MOVED 1 127.0.0.1:99999\r\n"] {
        let outcome = with_answer(move |_, _| say(nowhere)).await;
        assert_is(&outcome, Verdict::Unknown, Code::NotAsked);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_unknown_and_named() {
    let fake = Fake::start(|_, _| Then::Silence).await;
    let limit: Period = "300ms".parse().expect("a period");
    let outcome = outcome_within(&with_keys(fake.port, &TOGETHER), limit).await;
    assert_is(&outcome, Verdict::Unknown, Code::TimedOut);
    assert!(outcome.message.contains(&format!("127.0.0.1:{}", fake.port)), "{}", outcome.message);
    assert!(outcome.message.contains("connected, but not everything was answered"), "{}", outcome.message);
}

#[tokio::test]
async fn a_node_that_falls_silent_about_keys_is_unknown() {
    let fake = Fake::start(|port, words| healthy(port, words).unwrap_or(Then::Silence)).await;
    let limit: Period = "500ms".parse().expect("a period");
    assert_is(&outcome_within(&with_keys(fake.port, &TOGETHER), limit).await, Verdict::Unknown, Code::TimedOut);
}

#[tokio::test]
async fn answers_without_end_are_read_no_further_than_the_limit() {
    let (text, numbers, deeper) = ("x".repeat(64 * 1024), ":1\r\n".repeat(1024), "*1\r\n".repeat(1024));
    for (beginning, more) in [("$2000000000\r\n", text.clone()), ("+", text), ("*2000000000\r\n", numbers), ("", deeper)] {
        let fake = Fake::start(move |_, _| Then::Repeat(beginning.to_owned(), more.clone())).await;
        let outcome = outcome(&with_keys(fake.port, &TOGETHER)).await;
        assert_eq!(outcome.verdict, Verdict::Fail, "{beginning}: {outcome:#?}");
        assert!([Code::AnswerTooLarge, Code::NotACache].contains(&outcome.code), "{beginning}: {outcome:#?}");
    }
}

#[tokio::test]
async fn what_is_no_cache_is_called_so() {
    let fake = Fake::start(|_, _| say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")).await;
    assert_is(&outcome(&with_keys(fake.port, &TOGETHER)).await, Verdict::Fail, Code::NotACache);
}

#[tokio::test]
async fn a_connection_that_is_not_made_or_does_not_last_is_told_apart() {
    assert_is(&outcome(&with_keys(free_port(), &TOGETHER)).await, Verdict::Fail, Code::ConnectionRefused);
    let fake = Fake::start(|_, _| Then::Hang).await;
    assert_is(&outcome(&with_keys(fake.port, &TOGETHER)).await, Verdict::Unknown, Code::ConnectionLost);
    let nowhere = declared(6379, &json!({ "host": "no-such-cache.invalid" }));
    let unresolved = outcome(&nowhere).await;
    assert!([Code::NameNotFound, Code::ResolverSilent].contains(&unresolved.code), "{unresolved:#?}");
}

#[tokio::test]
async fn answers_that_mean_nothing_are_no_pass() {
    for nonsense in ["+banana\r\n", "$-1\r\n", "*0\r\n", "$3\r\n\u{1b}[2\r\n"] {
        let outcome = with_answer(move |_, _| say(nonsense)).await;
        assert_is(&outcome, Verdict::Unknown, Code::NotAsked);
    }
    for slots in ["*0\r\n", "*1\r\n*0\r\n", ":7\r\n"] {
        let fake = Fake::start(move |port, words| match words {
            [first, second] if first == "CLUSTER" && second == "SLOTS" => say(slots),
            _ => healthy(port, words).unwrap_or(Then::Hang),
        })
        .await;
        let outcome = outcome(&with_keys(fake.port, &TOGETHER)).await;
        assert!(outcome.verdict != Verdict::Pass, "{slots:?}: {outcome:#?}");
    }
}

#[tokio::test]
async fn a_server_that_repeats_what_it_was_told_gives_no_password_away() {
    let fake = Fake::start(|port, words| match words {
        [first, ..] if first == "AUTH" => say("+OK\r\n"),
        [first, ..] if first == "INFO" => Then::Say(format!("-ERR you said {PASSWORD}\r\n")),
        _ => healthy(port, words).unwrap_or_else(|| Then::Say(format!("-ERR I know {PASSWORD} and {words:?}\r\n"))),
    })
    .await;
    let check = declared(
        fake.port,
        &json!({ "credentialsFrom": { "env": "CACHE" }, "operations": [{ "name": "pop", "keys": TOGETHER }] }),
    );
    // That the password is nowhere is asserted of every outcome.
    assert_eq!(outcome(&check).await.verdict, Verdict::Unknown);
    let refusing =
        Fake::start(|_, words| Then::Say(format!("-ERR unknown command, with args beginning with: {words:?}\r\n"))).await;
    let check = declared(refusing.port, &json!({ "credentialsFrom": { "env": "CACHE" } }));
    assert_is(&outcome(&check).await, Verdict::Fail, Code::CredentialsRefused);
}
