//! Certificates of every kind. With none but a good one is a single byte of the request sent.

use std::fs;

use bascule::checks::network::Trouble;
use bascule::checks::outcome::Code;
use bascule::clock::Clock;
use bascule::network::http::exchange;
use tempfile::NamedTempFile;

use super::authority::{Authority, Identity, TODAY};
use super::server::{Server, page};
use super::{HOST, answer, at, noon, request, trouble};

/// The trouble with a certificate, shown by a server that nobody gets a page from.
async fn refused(authority: &Authority, identity: &Identity, clock: &Clock) -> Trouble {
    let server = Server::https(identity, |_| panic!("the request was sent")).await;
    let mut asked = request("https", "/", server.port);
    asked.tls_ca_file = authority.file();
    let trouble = exchange(clock, &asked).await.expect_err("not trusted");
    assert!(trouble.is_certain(), "{trouble}");
    assert_eq!(trouble.attempted, format!("GET https://{HOST}/ at 127.0.0.1:{}", server.port));
    trouble
}

#[tokio::test]
async fn a_certificate_that_is_over_is_refused_with_its_last_day() {
    let authority = Authority::new();
    let trouble = refused(&authority, &authority.sign(&[HOST], (2024, 2026)), &noon()).await;
    assert_eq!(trouble.code, Code::CertificateExpired);
    assert!(trouble.detail.contains("has been over since 2026-01-01T00:00:00Z; renew it"), "{trouble}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused_with_its_first_day() {
    let authority = Authority::new();
    let trouble = refused(&authority, &authority.sign(&[HOST], (2027, 2029)), &noon()).await;
    assert_eq!(trouble.code, Code::CertificateExpired);
    assert!(trouble.detail.contains("is not valid before 2027-01-01T00:00:00Z"), "{trouble}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_with_both_names() {
    let authority = Authority::new();
    let trouble = refused(&authority, &authority.sign(&["shadow.example.com"], TODAY), &noon()).await;
    assert_eq!(trouble.code, Code::CertificateOtherName);
    assert!(trouble.detail.contains(HOST) && trouble.detail.contains("shadow.example.com"), "{trouble}");
    let nameless = refused(&authority, &authority.sign(&[], TODAY), &noon()).await;
    assert_eq!(nameless.code, Code::CertificateOtherName);
}

#[tokio::test]
async fn a_certificate_that_nobody_trusted_has_signed_is_refused() {
    let authority = Authority::new();
    for identity in [Identity::self_signed(&[HOST]), Authority::new().sign(&[HOST], TODAY)] {
        let trouble = refused(&authority, &identity, &noon()).await;
        assert_eq!(trouble.code, Code::CertificateUntrusted, "{trouble}");
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_not_known_to_the_platform() {
    let server = Server::https(&Authority::new().sign(&[HOST], TODAY), |_| panic!("the request was sent")).await;
    let trouble = trouble(&request("https", "/", server.port)).await;
    // Small containers know no authorities at all, and say that instead.
    assert!(matches!(trouble.code, Code::CertificateUntrusted | Code::NotAsked), "{trouble}");
    assert!(trouble.detail.contains("`tlsCaFile`"), "{trouble}");
}

#[tokio::test]
async fn a_certificate_is_judged_anew_in_each_exchange_by_the_time_of_the_clock() {
    let authority = Authority::new();
    let server = Server::https(&authority.sign(&[HOST], TODAY), |_| page(200, &[], "paid")).await;
    let mut asked = request("https", "/", server.port);
    asked.tls_ca_file = authority.file();
    for _ in 0..2 {
        assert_eq!(answer(&asked).await.status, 200);
    }
    let later = exchange(&at("2028-01-01T00:00:01Z"), &asked).await.expect_err("it is over by then");
    assert_eq!(later.code, Code::CertificateExpired, "{later}");
}

#[tokio::test]
async fn an_address_in_the_url_has_to_be_in_the_certificate_as_well() {
    let authority = Authority::new();
    let server = Server::https(&authority.sign(&["127.0.0.1"], TODAY), |_| page(200, &[], "paid")).await;
    let mut asked = request("https", "/", server.port);
    asked.tls_ca_file = authority.file();
    asked.url = format!("https://127.0.0.1:{}/", server.port).parse().expect("a URL");
    asked.connect_to = None;
    assert_eq!(answer(&asked).await.text(), "paid");
    asked.url = "https://127.0.0.2/".parse().expect("a URL");
    asked.connect_to = Some(("127.0.0.1".to_owned(), server.port));
    assert_eq!(trouble(&asked).await.code, Code::CertificateOtherName);
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_is_said_and_the_platform_is_not_trusted_instead() {
    let server = Server::http(|_| panic!("the request was sent")).await;
    let mut asked = request("https", "/", server.port);
    asked.tls_ca_file = Some("/no/such/file.pem".into());
    let absent = trouble(&asked).await;
    assert_eq!(absent.code, Code::NotAsked);
    assert!(absent.detail.starts_with("the file of authorities /no/such/file.pem cannot be read"), "{absent}");
    let file = NamedTempFile::new().expect("a file");
    asked.tls_ca_file = Some(file.path().to_owned());
    for (content, said) in [
        ("no PEM\n", "has no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n", "is no certificate"),
    ] {
        fs::write(file.path(), content).expect("a written file");
        let trouble = trouble(&asked).await;
        assert_eq!(trouble.code, Code::NotAsked);
        assert!(trouble.detail.contains(said), "{trouble}");
    }
}
