//! Pages that do not know where they live.

use url::Url;

use super::*;
use crate::checks::scripted_web::Web;

const SHADOW: &str = "https://shadow-pay.example.com/";
const PUBLIC: &str = "https://pay.example.com/";

/// What is said of a page of this body and these headers at `url`.
async fn said_of(url: &str, headers: &[(&str, &str)], body: &str) -> Vec<Failing> {
    use crate::checks::network::{HttpRequest, Network, PrivateAddresses};
    let web = Web::default().page(url, 200, headers, body);
    let asked = Url::parse(url).expect("the test's URL is one");
    let request = HttpRequest {
        url: asked.clone(),
        connect_to: None,
        headers: Vec::new(),
        tls_ca_file: None,
        private_addresses: PrivateAddresses::Refused,
        body_limit: 1 << 20,
        limit: std::time::Duration::from_secs(1),
    };
    let answer = web.exchange(&request).await.expect("the script has the page");
    let asked_host = asked.host_str().expect("the test's URL has a host").to_owned();
    let journey = Journey { hops: Vec::new(), last: Answered { asked, answer }, evidence: Vec::new() };
    let legacy = [DomainName::from("old-pay.example.net")];
    let names = Names { asked: asked_host, public: "pay.example.com", shadow: "shadow-pay.example.com", legacy: &legacy };
    failings(&journey, &names, &Identity::default())
}

#[tokio::test]
async fn the_old_host_is_found_in_every_spelling_of_a_link() {
    let spellings = [
        r#"<a href="https://old-pay.example.net/pay">"#,
        r#"<a href='HTTP://OLD-PAY.EXAMPLE.NET:8080'>"#,
        "<img src=//old-pay.example.net/logo.png>",
        r#"<form action="// old">"//old-pay.example.net""#,
        r#"{"next": "https:\/\/old-pay.example.net\/pay"}"#,
        r#"{"next": "https:\u002F\u002Fold-pay.example.net"}"#,
        "/login?next=https%3A%2F%2Fold-pay.example.net%2Fpay",
        "background: url(//old-pay.example.net/x.png)",
        "https://user@old-pay.example.net./",
    ];
    for spelling in spellings {
        let said = said_of(SHADOW, &[], spelling).await;
        assert_eq!(said.len(), 1, "{spelling}");
        assert_eq!(said[0].code, Code::ForeignName);
        assert!(said[0].said.contains("in 1 place") && said[0].said.contains("a host of the old system"), "{}", said[0].said);
    }
}

#[tokio::test]
async fn other_hosts_and_mere_words_are_nobodys_business() {
    let fine = [
        r#"<a href="https://old-pay.example.net.evil.example/">"#,
        r#"<a href="https://not-old-pay.example.net/">"#,
        "we moved from old-pay.example.net",
        "// old-pay.example.net is gone",
        r#"<a href="https://shadow-pay.example.com/"> <a href="https://pay.example.com/">"#,
        r#"<svg xmlns="http://www.w3.org/2000/svg">"#,
    ];
    for body in fine {
        assert_eq!(said_of(SHADOW, &[], body).await, [], "{body}");
    }
}

#[tokio::test]
async fn the_validation_name_is_wrong_only_where_the_public_one_was_asked() {
    let body = r#"<link rel="canonical" href="https://shadow-pay.example.com/">"#;
    assert_eq!(said_of(SHADOW, &[], body).await, []);
    let said = said_of(PUBLIC, &[], body).await;
    assert!(said[0].said.contains("the validation name, where the public one is meant"), "{}", said[0].said);
}

#[tokio::test]
async fn plain_http_to_the_page_itself_is_wrong_on_a_page_of_https_only() {
    let body = r#"<script src="http://pay.example.com/pay.js">"#;
    for asked in [PUBLIC, SHADOW] {
        let said = said_of(asked, &[], body).await;
        assert!(said[0].said.contains("plain HTTP on a page of HTTPS"), "{asked}: {}", said[0].said);
    }
    assert_eq!(said_of("http://pay.example.com/", &[], body).await, []);
}

#[tokio::test]
async fn headers_give_the_old_host_away_as_well() {
    let headers = [
        ("access-control-allow-origin", "https://old-pay.example.net"),
        ("content-security-policy", "default-src 'self'; frame-ancestors old-pay.example.net:443"),
        ("link", "<https://old-pay.example.net/app.css>; rel=preload"),
        ("location", "//old-pay.example.net/"),
    ];
    for header in headers {
        let said = said_of(SHADOW, &[header], "").await;
        assert_eq!(said.len(), 1, "{header:?}");
        assert!(said[0].said.contains("old-pay.example.net in the "), "{}", said[0].said);
    }
}

#[tokio::test]
async fn a_cookie_belongs_to_the_page_or_to_the_public_name_and_its_value_to_nobody() {
    for domain in ["", "; Domain=pay.example.com", "; domain=.example.com; Secure", "; Domain=shadow-pay.example.com"] {
        assert_eq!(said_of(SHADOW, &[("set-cookie", &format!("sid=canary{domain}"))], "").await, [], "{domain}");
    }
    let wrong = [
        ("old-pay.example.net", "a host of the old system"),
        ("example.net", "browsers throw the cookie away"),
        ("y.example.com", "browsers throw the cookie away"),
    ];
    for (domain, objection) in wrong {
        let cookie = format!("sid=canary-https://old-pay.example.net; Domain=.{domain}");
        let said = said_of(SHADOW, &[("set-cookie", &cookie)], "").await;
        assert!(said[0].said.contains(objection) && said[0].said.contains("the cookie `sid`"), "{}", said[0].said);
        assert!(said[0].said.contains("in 1 place") && !said[0].said.contains("canary"), "{}", said[0].said);
    }
}

#[tokio::test]
async fn a_promise_of_https_that_is_none_is_said() {
    for (value, effect) in [("max-age=0", "forget"), ("includeSubDomains", "ignore"), ("max-age=soon", "ignore")] {
        let said = said_of(PUBLIC, &[("strict-transport-security", value)], "").await;
        assert_eq!(said[0].code, Code::HeaderDiffers);
        assert!(said[0].said.contains(effect) && said[0].said.contains(value), "{}", said[0].said);
    }
    let kept = [("strict-transport-security", "max-age=\"31536000\"; includeSubDomains")];
    assert_eq!(said_of(PUBLIC, &kept, "").await, []);
}

#[tokio::test]
async fn a_page_of_nothing_but_links_is_counted_and_told_in_three() {
    let link = r#"<a href="https://old-pay.example.net/"></a>"#;
    let said = said_of(SHADOW, &[], &link.repeat(20_000)).await;
    assert_eq!(said.len(), 1);
    assert!(said[0].said.contains("in 20000 places"), "{}", said[0].said);
    assert!(said[0].said.len() < 1000, "{} bytes", said[0].said.len());
    for hostile in ["https://", "http%3a%2f%2fa@", "=//", "\"\\/\\/", "     //", "https:\u{1f}//é@é"] {
        assert_eq!(said_of(SHADOW, &[], &hostile.repeat(100_000)).await, [], "{hostile}");
    }
}
