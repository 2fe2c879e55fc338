//! Secrets go to the server that they are for, and nowhere else.

use bascule::checks::network::HttpRequest;
use bascule::checks::outcome::Code;
use bascule::checks::probe::Secrets;
use bascule::network::secrets::FromEnvironment;
use bascule::spec::CredentialsFrom;
use bascule::spec::checks::SecretFrom;
use tempfile::NamedTempFile;

use super::authority::{Authority, Identity};
use super::server::{Server, page};
use super::{HOST, answer, request, trouble};

/// Every secret here contains this, and nothing else does.
const CANARY: &str = "c4n4ry";

/// A request with secrets wherever one may stand.
fn secretive(scheme: &str, port: u16) -> HttpRequest {
    let mut asked = request(scheme, "/", port);
    asked.url.set_username(CANARY).expect("a user");
    asked.url.set_password(Some(CANARY)).expect("a password");
    asked.headers = vec![("Authorization".to_owned(), format!("Bearer {CANARY}"))];
    asked
}

fn assert_silent(text: &str) {
    assert!(!text.contains(CANARY), "{text}");
}

#[tokio::test]
async fn no_trouble_and_no_debug_text_tells_a_secret() {
    let authority = Authority::new();
    let mut controlled = secretive("http", 1);
    controlled.headers[0].1.push('\n');
    let mut misnamed = secretive("http", 1);
    misnamed.headers[0].0 = "no name".to_owned();
    let untrusted = Server::https(&Identity::self_signed(&[HOST]), |_| page(200, &[], "")).await;
    let mut unknown = secretive("https", untrusted.port);
    unknown.tls_ca_file = authority.file();
    let cut = Server::saying("HTTP/1.1 200").await;
    let strange = Server::saying("who goes there?\r\n").await;
    for (asked, code) in [
        (controlled, Code::NotAsked),
        (misnamed, Code::NotAsked),
        (unknown, Code::CertificateUntrusted),
        (secretive("http", cut.port), Code::ConnectionLost),
        (secretive("http", strange.port), Code::NotHttp),
        (secretive("ftp", 1), Code::NotAsked),
    ] {
        let trouble = trouble(&asked).await;
        assert_eq!(trouble.code, code, "{trouble}");
        assert_silent(&format!("{trouble} {trouble:?} {asked:?}"));
    }
}

#[tokio::test]
async fn the_server_gets_the_header_and_not_what_stands_in_the_url() {
    let server = Server::http(|request| {
        let sent = request.headers().get("authorization").expect("the header");
        page(200, &[], sent.as_bytes().to_vec())
    })
    .await;
    let answer = answer(&secretive("http", server.port)).await;
    assert_eq!(answer.text(), format!("Bearer {CANARY}"));
}

#[test]
fn secrets_of_files_are_found_and_missing_ones_say_what_belongs_where() {
    let file = NamedTempFile::new().expect("a file");
    let path = file.path().display().to_string();
    std::fs::write(file.path(), format!("user=bascule\npassword={CANARY}\n")).expect("a written file");
    let found = FromEnvironment.credentials(&CredentialsFrom::File(path.clone()));
    assert_eq!(found, Ok(("bascule".to_owned(), CANARY.to_owned())));
    std::fs::write(file.path(), format!("{CANARY}\n")).expect("a written file");
    assert_eq!(FromEnvironment.secret(&SecretFrom::File(path.clone())), Ok(CANARY.to_owned()));

    let wrong = FromEnvironment.credentials(&CredentialsFrom::File(path.clone())).expect_err("no such lines");
    assert!(wrong.contains(&path) && wrong.contains("`user=...`"), "{wrong}");
    assert_silent(&wrong);
    let unset = FromEnvironment.secret(&SecretFrom::Env("BASCULE_TEST_NOBODY".to_owned())).expect_err("not set");
    assert!(unset.contains("BASCULE_TEST_NOBODY is not set; set it to the secret"), "{unset}");
}
