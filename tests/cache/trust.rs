//! Who may ask, and who is believed: passwords, users, certificates.

use std::fs;
use std::path::Path;

use bascule::checks::outcome::{Code, Outcome, Verdict};
use bascule::spec::Period;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use super::fake::{Fake, Then};
use super::house::{PASSWORD, assert_is, declared, outcome, outcome_within};
use super::server::{Cluster, Options};

const OPERATION: &str = r#"[{ "name": "pop", "keys": ["queues:{<queue>}", "queues:{<queue>}:reserved"] }]"#;

async fn outcome_with(cluster: &Cluster, mut fields: Value) -> Outcome {
    fields["operations"] = serde_json::from_str(OPERATION).expect("JSON");
    outcome(&declared(cluster.first().port, &fields)).await
}

#[tokio::test]
async fn a_right_password_passes_and_a_wrong_or_missing_one_fails_in_its_own_words() {
    let cluster = Cluster::start(1, &Options { password: Some(PASSWORD), ..Options::default() }).await;
    let right = outcome_with(&cluster, json!({ "credentialsFrom": { "env": "CACHE" } })).await;
    assert_is(&right, Verdict::Pass, Code::AsDeclared);

    let none = outcome_with(&cluster, json!({})).await;
    assert_is(&none, Verdict::Fail, Code::CredentialsRefused);
    assert!(none.message.contains("NOAUTH"), "{}", none.message);

    let stranger = outcome_with(&cluster, json!({ "credentialsFrom": { "env": "CACHE_WATCHER" } })).await;
    assert_is(&stranger, Verdict::Fail, Code::CredentialsRefused);
    assert!(stranger.message.contains("WRONGPASS"), "{}", stranger.message);

    let nowhere = outcome_with(&cluster, json!({ "credentialsFrom": { "env": "ELSEWHERE" } })).await;
    assert_is(&nowhere, Verdict::Unknown, Code::SecretNotFound);
}

#[tokio::test]
async fn a_password_where_none_is_wanted_is_refused_and_never_repeated() {
    let cluster = Cluster::start(1, &Options::default()).await;
    let outcome = outcome_with(&cluster, json!({ "credentialsFrom": { "env": "CACHE" } })).await;
    assert_is(&outcome, Verdict::Fail, Code::CredentialsRefused);
}

#[tokio::test]
async fn a_user_who_may_do_what_the_check_does_and_nothing_more_is_enough() {
    let cluster = Cluster::start(1, &Options::default()).await;
    let password = format!(">{PASSWORD}");
    let rights = ["+info", "+cluster|info", "+cluster|slots", "+cluster|keyslot", "+exists", "+set", "+del"];
    let user: Vec<&str> = ["ACL", "SETUSER", "watcher", "on", &password, "~payments:*"].into_iter().chain(rights).collect();
    cluster.first().tell(&user).await;
    let watcher = json!({ "credentialsFrom": { "env": "CACHE_WATCHER" } });
    assert_is(&outcome_with(&cluster, watcher.clone()).await, Verdict::Pass, Code::AsDeclared);

    cluster.first().tell(&["ACL", "SETUSER", "watcher", "-exists"]).await;
    let less = outcome_with(&cluster, watcher).await;
    assert_is(&less, Verdict::Unknown, Code::CredentialsRefused);
    assert!(less.message.contains("NOPERM"), "{}", less.message);
}

/// Writes a new authority and a certificate of it for `name` into `directory`.
fn certify(directory: &Path, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec![name.to_owned()]).expect("parameters").signed_by(&key, &authority);
    let write = |file: &str, text: String| fs::write(directory.join(file), text).expect("a file");
    write("ca.pem", authority.pem());
    write("server.pem", certificate.expect("a certificate").pem());
    write("server.key", key.serialize_pem());
}

#[tokio::test]
async fn over_tls_only_the_right_certificate_is_believed() {
    let (ours, others) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    certify(ours.path(), "127.0.0.1");
    certify(others.path(), "127.0.0.1");
    let cluster =
        Cluster::start(1, &Options { tls: Some(ours.path()), more: &["--tls-cluster", "yes"], ..Options::default() }).await;
    let trusting = |directory: &Path| json!({ "tls": true, "tlsCaFile": directory.join("ca.pem") });

    assert_is(&outcome_with(&cluster, trusting(ours.path())).await, Verdict::Pass, Code::AsDeclared);
    assert_is(&outcome_with(&cluster, trusting(others.path())).await, Verdict::Fail, Code::CertificateUntrusted);
    assert_is(&outcome_with(&cluster, json!({ "tls": true })).await, Verdict::Fail, Code::CertificateUntrusted);
    let mut by_name = trusting(ours.path());
    by_name["host"] = json!("localhost");
    assert_is(&outcome_with(&cluster, by_name).await, Verdict::Fail, Code::CertificateOtherName);
    let missing = outcome_with(&cluster, trusting(Path::new("/no/such"))).await;
    assert_is(&missing, Verdict::Unknown, Code::NotAsked);
    assert!(missing.message.contains("/no/such/ca.pem"), "{}", missing.message);
    let plain = outcome_with(&cluster, json!({})).await;
    assert_is(&plain, Verdict::Unknown, Code::ConnectionLost);
    assert!(plain.message.contains("TLS"), "{}", plain.message);
}

#[tokio::test]
async fn where_tls_is_declared_nothing_is_said_in_plain_text() {
    let cluster = Cluster::start(1, &Options::default()).await;
    let limit: Period = "500ms".parse().expect("a period");
    // Redis takes the greeting of TLS for the beginning of a long line.
    let silent = outcome_within(&declared(cluster.first().port, &json!({ "tls": true })), limit).await;
    assert_is(&silent, Verdict::Unknown, Code::TimedOut);
    assert!(silent.message.contains("TLS was not answered"), "{}", silent.message);

    let other = Fake::start(|_, _| Then::Hang).await;
    assert_is(&outcome(&declared(other.port, &json!({ "tls": true }))).await, Verdict::Unknown, Code::ConnectionLost);
}
