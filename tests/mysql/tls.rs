//! TLS as the spec asks for it: taken where it holds what was asked, refused in clear words where it does not.

use std::path::Path;

use bascule::clock::Clock;
use bascule::credentials::Credentials;
use bascule::database::Database;
use bascule::fault::{Fault, Problem, Retry};
use bascule::mysql::connect::{Address, connect_trusting};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::spec::Tls;
use mysql_async::prelude::Queryable;

use super::certificates::{Age, Authority};
use super::house::House;

/// The address that every server here listens on.
const HERE: &str = "127.0.0.1";

/// A server with a certificate that `authority` has signed for these names.
async fn certified(authority: &Authority, names: &[&str], age: Age) -> House {
    let directory = tempfile::tempdir().expect("a directory");
    let identity = authority.sign(directory.path(), names, age);
    House::build_with(directory, &identity.options()).await
}

/// A look with TLS as `tls` says, trusting whom the file names.
async fn looked(house: &House, tls: Tls, ca_file: Option<&Path>) -> Result<(), Fault> {
    let mut declared = house.declared("bascule", "secret");
    let database = &mut declared.spec.legacy.database;
    database.tls = tls;
    database.tls_ca_file = ca_file.map(|file| file.display().to_string());
    MySqlDatabase::new(&declared, Side::Legacy, &Clock::system()).look().await.map(drop)
}

/// Refused because of TLS, which needs a person, and with advice.
fn assert_refused(outcome: Result<(), Fault>, advice: &str) {
    let fault = outcome.expect_err("it is not what was asked for");
    assert!(matches!(&fault.problem, Problem::Denied { code, .. } if code == "TLS"), "{fault}");
    assert_eq!(fault.problem.retry(), Retry::NeedsOperator);
    assert!(fault.to_string().contains(advice) && !fault.to_string().contains("secret"), "{fault}");
}

#[tokio::test]
async fn a_certificate_of_the_right_authority_for_the_right_name_is_taken_in_every_mode_and_encrypts() {
    let authority = Authority::called("ours");
    let house = certified(&authority, &[HERE], Age::Young).await;
    let ca_file = authority.file(house.server.directory(), "ca.pem");
    let password = Credentials { user: "bascule".into(), password: "secret".into() };
    for (tls, is_encrypted) in [(Tls::Disabled, false), (Tls::Required, true), (Tls::VerifyCa, true), (Tls::VerifyIdentity, true)]
    {
        looked(&house, tls, Some(&ca_file)).await.unwrap_or_else(|fault| panic!("{tls:?}: {fault}"));
        let address = Address { tls, ..house.server.address() };
        let mut connection = connect_trusting(&address, &password, Some(&ca_file)).await.expect("it gets in");
        let cipher: Option<(String, String)> =
            connection.query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'").await.expect("an answer");
        assert_eq!(!cipher.expect("a status").1.is_empty(), is_encrypted, "{tls:?}, as the server sees it");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusted_has_signed_is_refused_by_all_that_verify() {
    let (authority, stranger) = (Authority::called("theirs"), Authority::called("somebody else"));
    let house = certified(&authority, &[HERE], Age::Young).await;
    let wrong = stranger.file(house.server.directory(), "stranger.pem");
    // One that calls itself the same has another key all the same.
    let namesake = Authority::called("theirs").file(house.server.directory(), "namesake.pem");
    for tls in [Tls::VerifyCa, Tls::VerifyIdentity] {
        assert_refused(looked(&house, tls, Some(&wrong)).await, "name its authority's file in `tlsCaFile`");
        assert_refused(looked(&house, tls, Some(&namesake)).await, "name its authority's file in `tlsCaFile`");
        assert_refused(looked(&house, tls, None).await, "name its authority's file in `tlsCaFile`");
    }
    looked(&house, Tls::Required, Some(&wrong)).await.expect("encrypted is all that was asked");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_by_identity_alone() {
    let authority = Authority::called("ours");
    for names in [&["db.example.com"][..], &["*.db.example.com"], &["192.0.2.1"]] {
        let house = certified(&authority, names, Age::Young).await;
        let ca_file = authority.file(house.server.directory(), "ca.pem");
        assert_refused(
            looked(&house, Tls::VerifyIdentity, Some(&ca_file)).await,
            "for another name: write one of its names as `host`",
        );
        looked(&house, Tls::VerifyCa, Some(&ca_file)).await.unwrap_or_else(|fault| panic!("{names:?}: {fault}"));
        let stranger = Authority::called("somebody else").file(house.server.directory(), "stranger.pem");
        assert_refused(looked(&house, Tls::VerifyCa, Some(&stranger)).await, "nobody who is trusted has signed");
    }
}

#[tokio::test]
async fn a_certificate_for_no_name_and_one_that_has_expired_are_refused_by_all_that_verify() {
    let authority = Authority::called("ours");
    for (names, age, advice) in
        [(&[][..], Age::Young, "for another name"), (&[HERE], Age::Expired, "has expired: renew it there")]
    {
        let house = certified(&authority, names, age).await;
        let ca_file = authority.file(house.server.directory(), "ca.pem");
        for tls in [Tls::VerifyCa, Tls::VerifyIdentity] {
            assert_refused(looked(&house, tls, Some(&ca_file)).await, advice);
        }
        looked(&house, Tls::Required, None).await.expect("encrypted is all that was asked");
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_cannot_be_used_is_named_and_the_password_is_sent_to_nobody() {
    let house = certified(&Authority::called("ours"), &[HERE], Age::Young).await;
    let directory = house.server.directory();
    assert_refused(looked(&house, Tls::VerifyCa, Some(&directory.join("none.pem"))).await, "none.pem cannot be read");
    let empty = directory.join("empty.pem");
    std::fs::write(&empty, "# yet to come\n").expect("a file");
    assert_refused(looked(&house, Tls::VerifyIdentity, Some(&empty)).await, "empty.pem holds no certificate");
}

#[tokio::test]
async fn plain_text_is_refused_by_a_server_that_demands_tls_and_the_spec_s_word_for_it_is_named() {
    let authority = Authority::called("ours");
    let house = certified(&authority, &[HERE], Age::Young).await;
    house.sql(&["SET GLOBAL require_secure_transport = ON"]).await;
    let fault = looked(&house, Tls::Disabled, None).await.expect_err("plain text is not taken");
    assert!(matches!(fault.problem, Problem::Denied { .. }), "{fault}");
    assert!(fault.to_string().contains("or it demands TLS, which `tls: Disabled` does not offer"), "{fault}");
    looked(&house, Tls::Required, None).await.expect("encrypted it is");
    looked(&house, Tls::VerifyIdentity, Some(&authority.file(house.server.directory(), "ca.pem"))).await.expect("and verified");
}
