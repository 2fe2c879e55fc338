//! Pages as the world answers them: what the spec declares of them, behind the load balancer as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use url::Url;

use super::names::address_of;
use super::sample::sample;
use crate::checks::network::{Certificate, HttpAnswer, HttpRequest};
use crate::checks::outcome::Code;
use crate::clock::after;
use crate::names::{CheckName, DomainName, Side};
use crate::sim::World;
use crate::sim::elb::Action;
use crate::spec::Checks;
use crate::spec::checks::{BodyRule, Expectation, TrafficSignal};

/// A certificate that AWS renews by itself is never older than a year.
const CERTIFICATE_HOLDS: std::time::Duration = std::time::Duration::from_secs(300 * 24 * 3600);

/// Everything that answers over HTTP, as the spec declares it.
#[derive(Debug, Clone, Default)]
pub struct Site {
    pages: BTreeMap<String, Leaf>,
}

/// What is declared of one URL, by all checks together.
#[derive(Debug, Clone, Default)]
struct Leaf {
    /// Checks of upstreams that ask here.
    upstreams: Vec<CheckName>,
    redirect: Option<(u16, String)>,
    status: Option<u16>,
    headers: Vec<(String, String)>,
    texts: Vec<String>,
    document: Map<String, Value>,
    /// Where the count of what still arrives at legacy is answered.
    counts_at: Option<String>,
}

impl Site {
    /// The pages that `checks` declare.
    pub fn of(checks: &Checks) -> Self {
        let mut site = Self::default();
        for check in &checks.pages {
            site.declare(&check.url, &check.expect, None);
        }
        for check in &checks.upstreams {
            site.declare(&check.url, &check.expect, Some(&check.name));
            if let Some(twin) = &check.twin {
                // The twin is the hostname that everybody knows to work.
                site.declare(&twin.url, &check.expect, None);
            }
        }
        for check in &checks.traffic {
            if let TrafficSignal::Http(signal) = &check.signal {
                site.leaf(&signal.url).counts_at = Some(signal.pointer.clone());
            }
        }
        site
    }

    fn leaf(&mut self, url: &str) -> &mut Leaf {
        let key = Url::parse(url).map_or_else(|_| url.to_owned(), |url| key(&url));
        self.pages.entry(key).or_default()
    }

    fn declare(&mut self, url: &str, expect: &Expectation, upstream: Option<&CheckName>) {
        let mut at = url.to_owned();
        for step in &expect.redirects {
            self.leaf(&at).redirect = Some((step.status, step.location.clone()));
            step.location.clone_into(&mut at);
        }
        let leaf = self.leaf(&at);
        leaf.upstreams.extend(upstream.cloned());
        leaf.status = expect.status.or(leaf.status);
        for rule in expect.headers.iter().filter(|rule| !rule.absent) {
            let value = rule.matches.as_deref().map_or_else(|| Some("simulated".to_owned()), sample);
            leaf.headers.extend(value.map(|value| (rule.name.to_ascii_lowercase(), value)));
        }
        for rule in &expect.body {
            match rule {
                BodyRule::Contains(text) => leaf.texts.push(text.clone()),
                BodyRule::Matches(pattern) => leaf.texts.extend(sample(pattern)),
                BodyRule::Lacks(_) => {}
                BodyRule::Json(rule) => {
                    put(&mut leaf.document, &rule.pointer, rule.equals.as_deref().map_or_else(|| json!(true), read));
                }
            }
        }
    }
}

/// A text as a JSON value would be printed that way: a number and a boolean are themselves.
fn read(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        Ok(_) | Err(_) => json!(text),
    }
}

/// Puts a value where a JSON pointer leads; lists are not made, and nothing overwrites what leads further.
fn put(document: &mut Map<String, Value>, pointer: &str, value: Value) {
    let mut parts = pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).peekable();
    let mut place = document;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            place.insert(part, value);
            return;
        }
        let next = place.entry(part).or_insert_with(|| json!({}));
        let Value::Object(inner) = next else { return };
        place = inner;
    }
}

/// Scheme, host, port, path and query: what makes a page this one.
fn key(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.to_string()
}

pub(super) fn answer(world: &mut World, request: &HttpRequest) -> Result<HttpAnswer, (Code, String)> {
    let host = DomainName(request.url.host_str().unwrap_or_default().to_owned());
    let leaf = world.site.pages.get(&key(&request.url)).cloned().unwrap_or_default();
    if leaf.upstreams.iter().any(|check| world.incidents.silences(check)) {
        return Err((Code::TimedOut, "no answer came".to_owned()));
    }
    let side = served_by(world, &host, request)?;
    if let (Some(Side::Target), "http") = (side, request.url.scheme()) {
        return through_the_listener(world, request);
    }
    let refused = leaf.upstreams.iter().any(|check| world.incidents.refuses(check));
    let mut answer = HttpAnswer {
        status: leaf.status.unwrap_or(200),
        headers: leaf.headers,
        body: Vec::new(),
        address: address_of(side.unwrap_or(Side::Target), world),
        certificate: certificate(world, request),
    };
    if refused {
        answer.status = 401;
    } else if let Some((status, location)) = leaf.redirect {
        answer.status = status;
        answer.headers.push(("location".to_owned(), location));
    } else {
        let mut document = leaf.document;
        if let Some(pointer) = leaf.counts_at {
            put(&mut document, &pointer, json!(world.still_at_legacy()));
        }
        answer.body = body(document, &leaf.texts).into_bytes();
    }
    Ok(answer)
}

/// Texts alone are a page; beside values they stand in the same document.
fn body(mut document: Map<String, Value>, texts: &[String]) -> String {
    if document.is_empty() {
        return format!("<!doctype html>\n<title>simulated</title>\n{}\n", texts.join("\n"));
    }
    if !texts.is_empty() {
        document.insert("texts".to_owned(), json!(texts));
    }
    Value::Object(document).to_string()
}

/// The side whose load balancer or server answers under `host`; `None` for hosts that are neither's.
fn served_by(world: &World, host: &DomainName, request: &HttpRequest) -> Result<Option<Side>, (Code, String)> {
    let dns = &world.setting.migration.spec.dns;
    if *host != dns.public.name && *host != dns.shadow.name {
        return Ok(None);
    }
    if request.connect_to.is_some() || *host == dns.shadow.name && world.route53.answer(host, 0).is_some() {
        return Ok(Some(Side::Target));
    }
    if *host == dns.shadow.name {
        return Err((Code::NameNotFound, format!("{host} does not exist")));
    }
    Ok(world.public()[0].side)
}

/// Plain HTTP is answered by the load balancer itself, if it listens there.
fn through_the_listener(world: &World, request: &HttpRequest) -> Result<HttpAnswer, (Code, String)> {
    let port = request.url.port_or_known_default().unwrap_or(80);
    let Some(listener) = world.elb.listener(port) else {
        return Err((Code::ConnectionRefused, format!("nobody listens on port {port}")));
    };
    let Some(Action::Redirect(redirect)) = listener.settings.default_actions.first() else {
        return Ok(plain(200, Vec::new(), world));
    };
    let mut location = request.url.clone();
    // A scheme of the special ones can always be set to another of them, and the default port goes with it.
    let _ = location.set_scheme(&redirect.protocol.to_ascii_lowercase());
    let _ = location.set_port(redirect.port.parse().ok());
    let status = redirect.status_code.trim_start_matches("HTTP_").parse().unwrap_or(302);
    Ok(plain(status, vec![("location".to_owned(), location.to_string())], world))
}

fn plain(status: u16, headers: Vec<(String, String)>, world: &World) -> HttpAnswer {
    HttpAnswer { status, headers, body: Vec::new(), address: address_of(Side::Target, world), certificate: None }
}

fn certificate(world: &World, request: &HttpRequest) -> Option<Certificate> {
    (request.url.scheme() == "https").then(|| Certificate {
        names: request.url.host_str().map(str::to_owned).into_iter().collect(),
        issuer: "Simulated Authority".to_owned(),
        not_after: after(world.now(), CERTIFICATE_HOLDS),
    })
}
