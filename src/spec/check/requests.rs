//! Rules about whom checks ask over HTTP, and as whom.

use url::{Host, Url};

use super::credentials::{credentials_finding, secret_finding};
use super::{Rule, when};
use crate::spec::Migration;
use crate::spec::checks::text::{endpoint, is_header_name, web_url};
use crate::spec::checks::{Checks, HttpCredentials, TrafficSignal};
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted, sounds_secret};

pub(super) const RULES: &[Rule] =
    &[urls_lead_to_a_web_server, connections_lead_to_a_host, credentials_are_encrypted, credentials_are_named];

/// One request that a check makes.
struct Request<'a> {
    path: String,
    url: &'a str,
    connect_to: Option<&'a str>,
    credentials: Option<&'a HttpCredentials>,
}

/// Every request that a check makes. A twin is asked as whoever its upstream is asked as.
fn requests(checks: &Checks) -> Vec<Request<'_>> {
    let mut requests = Vec::new();
    for (index, check) in checks.pages.iter().enumerate() {
        let (path, connect_to) = (format!("spec.checks.pages[{index}]"), check.connect_to.as_deref());
        requests.push(Request { path, url: &check.url, connect_to, credentials: check.credentials.as_ref() });
    }
    for (index, check) in checks.upstreams.iter().enumerate() {
        let (path, credentials) = (format!("spec.checks.upstreams[{index}]"), check.credentials.as_ref());
        requests.extend(check.twin.iter().map(|twin| {
            let path = format!("{path}.twin");
            Request { path, url: &twin.url, connect_to: twin.connect_to.as_deref(), credentials }
        }));
        requests.push(Request { path, url: &check.url, connect_to: check.connect_to.as_deref(), credentials });
    }
    for (index, check) in checks.traffic.iter().enumerate() {
        if let TrafficSignal::Http(signal) = &check.signal {
            let path = format!("spec.checks.traffic[{index}].signal.http");
            requests.push(Request { path, url: &signal.url, connect_to: None, credentials: signal.credentials.as_ref() });
        }
    }
    requests
}

/// Every redirect that is meant, with its path.
fn locations(checks: &Checks) -> impl Iterator<Item = (String, &str)> {
    let pages = checks.pages.iter().enumerate().map(|(index, check)| ("pages", index, &check.expect));
    let upstreams = checks.upstreams.iter().enumerate().map(|(index, check)| ("upstreams", index, &check.expect));
    pages.chain(upstreams).flat_map(|(list, index, expect)| {
        let path = move |number: usize| format!("spec.checks.{list}[{index}].expect.redirects[{number}].location");
        expect.redirects.iter().enumerate().map(move |(number, step)| (path(number), step.location.as_str()))
    })
}

fn urls_lead_to_a_web_server(migration: &Migration, findings: &mut Vec<Finding>) {
    let checks = &migration.spec.checks;
    let asked = requests(checks).into_iter().map(|request| (format!("{}.url", request.path), request.url));
    for (path, url) in asked.chain(locations(checks)) {
        if holds_a_secret(url) {
            // It is not repeated, whatever else is wrong with it.
            let found = "this URL holds a secret".to_owned();
            let advice = "name it in `credentials`, and change it: it has been written down";
            let accepted = "a URL without a user, a password or a token";
            findings.push(Finding::new(Code::LiteralSecret, &path, found, accepted, advice));
        } else if web_url(url).is_none() {
            let found = format!("{} is not the URL of a page", quoted(url));
            let accepted = "a URL such as `https://shadow-pay.example.com/health`";
            let advice = "write the scheme (`http://` or `https://`) and the host";
            findings.push(Finding::new(Code::NotAWebUrl, &path, found, accepted, advice));
        }
    }
}

/// Whether a user stands before the host, or a field of the query is called like a secret and has a value. In a text that is no
/// URL nobody knows where a user would stand.
pub(super) fn holds_a_secret(text: &str) -> bool {
    let has_user = match web_url(text) {
        Some(url) => !url.username().is_empty() || url.password().is_some(),
        None => text.contains('@'),
    };
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let mut fields = query.split(['&', ';']).filter_map(|field| field.split_once('='));
    has_user || fields.any(|(name, value)| sounds_secret(name) && !value.is_empty())
}

fn connections_lead_to_a_host(migration: &Migration, findings: &mut Vec<Finding>) {
    for request in requests(&migration.spec.checks) {
        let wrong = request.connect_to.filter(|place| endpoint(place).is_none());
        findings.extend(wrong.map(|place| {
            let path = format!("{}.connectTo", request.path);
            let accepted = "a host name or an IPv4 address, with a port or without: `payments-1.eu-west-1.elb.amazonaws.com:443`";
            let advice = "write it without a scheme and a path; these are those of the URL";
            Finding::new(Code::WrongConnection, &path, format!("{} is not such a place", quoted(place)), accepted, advice)
        }));
    }
}

fn credentials_are_encrypted(migration: &Migration, findings: &mut Vec<Finding>) {
    for request in requests(&migration.spec.checks) {
        let url = web_url(request.url).filter(|url| request.credentials.is_some() && url.scheme() == "http" && !is_loopback(url));
        findings.extend(url.filter(|_| !holds_a_secret(request.url)).map(|url| {
            let found = format!("{} would be told the credentials in plain text", quoted(url.as_str()));
            let advice = "ask over HTTPS, or without credentials";
            let accepted = "`https://`, or a host of this machine";
            Finding::new(Code::CredentialsInPlainText, &format!("{}.url", request.path), found, accepted, advice)
        }));
    }
}

/// What never leaves the machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn credentials_are_named(migration: &Migration, findings: &mut Vec<Finding>) {
    for request in requests(&migration.spec.checks).into_iter().filter(|request| !request.path.ends_with(".twin")) {
        let path = format!("{}.credentials", request.path);
        match request.credentials {
            None => {}
            Some(HttpCredentials::Basic(from)) => credentials_finding(&format!("{path}.basic"), from, findings),
            Some(HttpCredentials::Bearer(from)) => secret_finding(&format!("{path}.bearer"), from, findings),
            Some(HttpCredentials::Header(header)) => {
                secret_finding(&format!("{path}.header.valueFrom"), &header.value_from, findings);
                findings.extend(when(!is_header_name(&header.name), || {
                    let found = "this cannot be the name of a header".to_owned();
                    let accepted = "a header's name such as `x-api-key`";
                    let advice = "write the name alone; its value is found through `valueFrom`";
                    Finding::new(Code::WrongHeaderRule, &format!("{path}.header.name"), found, accepted, advice)
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_a_url_is_found_even_if_the_url_is_none() {
        for text in [
            "https://ada:canary@pay.example.com/",
            "https://canary@pay.example.com",
            "ada:canary@pay.example.com",
            "htps:/ada:canary@pay.example.com/",
            "https://ada:can/ary@pay.example.com/",
            "https://pay.example.com/health?deep=1&api_token=canary",
        ] {
            assert!(holds_a_secret(text), "{text}");
        }
        for text in ["https://pay.example.com/@ada", "https://pay.example.com/?to=ada@example.com", "https://h/?token=", "", "//"]
        {
            assert!(!holds_a_secret(text), "{text}");
        }
    }

    #[test]
    fn a_machine_talks_to_itself_over_loopback_addresses_only() {
        let is = |text: &str| is_loopback(&web_url(text).expect("the test's URL is one"));
        assert!(is("http://localhost:8080/") && is("http://127.0.0.1/") && is("http://[::1]/"));
        assert!(!is("http://localhost.example.com/") && !is("http://10.0.0.1/"));
    }
}
