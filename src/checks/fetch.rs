//! A page is fetched as a careful browser would: redirects are followed one by one, each only after it was judged.
//!
//! Secrets go to the origin that the spec names and nowhere else, and nobody's redirect leads into a private network.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::credentials::Identity;
use super::network::{HttpAnswer, HttpRequest, PrivateAddresses, Trouble};
use super::outcome::{Code, Evidence, Outcome};
use super::probe::Probe;
use super::redirects::{Rules, strayed};
use super::trouble;
use crate::clock::{after, elapsed};
use crate::spec::checks::RedirectStep;
use crate::spec::checks::text::{endpoint, web_url};

/// The most of a body that is read, in bytes: a page of a shop has a tenth of it.
const LARGEST_BODY: usize = 1 << 20;

/// What is fetched, and how.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    /// The declared URL.
    pub url: &'a str,
    /// Where the connection goes instead of where that URL's host resolves to.
    pub connect_to: Option<&'a str>,
    /// A PEM file of trusted authorities, if not those that the platform knows.
    pub tls_ca_file: Option<&'a str>,
    /// As whom.
    pub identity: &'a Identity,
    /// Redirects that are meant.
    pub redirects: &'a [RedirectStep],
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// What was asked for.
    pub asked: Url,
    /// What came.
    pub answer: HttpAnswer,
}

/// One redirect that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What redirected.
    pub from: Answered,
    /// Where to.
    pub to: Url,
}

/// A way that came to its end.
#[derive(Debug)]
pub struct Journey {
    /// Redirects on the way.
    pub hops: Vec<Hop>,
    /// The page at its end.
    pub last: Answered,
    /// What was seen.
    pub evidence: Vec<Evidence>,
}

impl Journey {
    /// Every answer of the way, the last one last.
    pub fn answers(&self) -> impl Iterator<Item = &Answered> {
        self.hops.iter().map(|hop| &hop.from).chain([&self.last])
    }
}

/// Follows the way that begins at the declared URL to its end.
///
/// # Errors
/// The end of the run, where the way leads to no page.
pub async fn fetch(errand: &Errand<'_>, probe: &Probe<'_>) -> Result<Journey, Outcome> {
    let Some(home) = web_url(errand.url) else {
        let message = format!("`{}` is no URL of a web page", errand.url);
        return Err(Outcome::unknown(Code::NotAsked, message, Vec::new()));
    };
    // A tenth of the time is left, so that the run ends by its own word before it is cut off.
    let until = after(probe.clock.now(), probe.migration.spec.checks.timeout.duration() * 9 / 10);
    Traveller { errand, probe, home: &home, until }.go().await
}

/// Somebody on the way.
struct Traveller<'a> {
    errand: &'a Errand<'a>,
    probe: &'a Probe<'a>,
    home: &'a Url,
    until: Timestamp,
}

impl Traveller<'_> {
    async fn go(&self) -> Result<Journey, Outcome> {
        let rules = Rules {
            declared: self.errand.redirects,
            legacy_hosts: &self.probe.migration.spec.checks.legacy_hosts,
            identity: self.errand.identity,
        };
        let (mut hops, mut evidence): (Vec<Hop>, Vec<Evidence>) = (Vec::new(), Vec::new());
        let mut asked = self.home.clone();
        loop {
            let answer = match self.ask(&asked, &mut evidence).await {
                Ok(answer) => answer,
                Err(trouble) => return Err(self.lost(&trouble, &hops, evidence)),
            };
            let here = Answered { asked, answer };
            match rules.next(&hops, &here) {
                Ok(None) => return Ok(Journey { hops, last: here, evidence }),
                Ok(Some(to)) => {
                    asked = to.clone();
                    hops.push(Hop { from: here, to });
                }
                Err(failing) => return Err(Outcome::fail(failing.code, failing.said, evidence)),
            }
        }
    }

    /// A redirect that nobody declared is known, whatever became of the page behind it.
    fn lost(&self, trouble: &Trouble, hops: &[Hop], evidence: Vec<Evidence>) -> Outcome {
        match strayed(self.errand.redirects, hops, self.errand.identity).filter(|_| !trouble.is_certain()) {
            Some(failing) => Outcome::fail(failing.code, failing.said, evidence),
            None => trouble::outcome(trouble, evidence),
        }
    }

    async fn ask(&self, url: &Url, evidence: &mut Vec<Evidence>) -> Result<HttpAnswer, Trouble> {
        let (identity, clock) = (self.errand.identity, self.probe.clock);
        let at = clock.now();
        let request = self.request(url, elapsed(at, self.until));
        let asked = match &request.connect_to {
            Some((host, port)) => format!("GET {} at {host}:{port}", identity.blotted(url.as_str())),
            None => format!("GET {}", identity.blotted(url.as_str())),
        };
        let answer = if request.limit.is_zero() {
            let detail = "the redirects before it took all the time that this check has".to_owned();
            Err(Trouble { attempted: asked.clone(), detail, code: Code::TimedOut })
        } else {
            self.probe.network.exchange(&request).await
        };
        // The way here may have been a redirect that repeats what it was told.
        let answer = answer.map_err(|trouble| Trouble {
            attempted: identity.shown(&trouble.attempted),
            detail: identity.shown(&trouble.detail),
            code: trouble.code,
        });
        let answered = match &answer {
            Ok(answer) => described(answer),
            Err(trouble) => trouble.detail.clone(),
        };
        evidence.push(Evidence::new(&asked, &identity.blotted(&answered), at, elapsed(at, clock.now())));
        answer
    }

    fn request(&self, url: &Url, limit: Duration) -> HttpRequest {
        let is_home_host = url.host() == self.home.host();
        let is_home = url.origin() == self.home.origin();
        HttpRequest {
            url: url.clone(),
            connect_to: self.connection(url).filter(|_| is_home_host),
            headers: if is_home { self.errand.identity.headers().to_vec() } else { Vec::new() },
            tls_ca_file: self.errand.tls_ca_file.map(PathBuf::from),
            private_addresses: match is_home_host || self.is_private_by_name(url) {
                true => PrivateAddresses::Allowed,
                false => PrivateAddresses::Refused,
            },
            body_limit: LARGEST_BODY,
            limit,
        }
    }

    /// The declared port stands in for that of the declared URL; a redirect to another port finds it at the same host.
    fn connection(&self, url: &Url) -> Option<(String, u16)> {
        let (host, port) = endpoint(self.errand.connect_to?)?;
        let own = url.port_or_known_default()?;
        let stands_in = port.filter(|_| self.home.port_or_known_default() == Some(own));
        Some((host.to_owned(), stands_in.unwrap_or(own)))
    }

    fn is_private_by_name(&self, url: &Url) -> bool {
        let hosts = &self.probe.migration.spec.checks.private_hosts;
        url.host_str().is_some_and(|host| hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
    }
}

/// An answer in a line: status, where to, from where, how much.
fn described(answer: &HttpAnswer) -> String {
    let location = answer.header("location").next().map_or_else(String::new, |location| format!(" to {location}"));
    let kind = answer.header("content-type").next().unwrap_or("no declared type");
    let certificate = match &answer.certificate {
        Some(certificate) => format!("; certificate by {} until {:.0}", certificate.issuer, certificate.not_after),
        None => String::new(),
    };
    format!("{}{location} from {}: {} bytes, {kind}{certificate}", answer.status, answer.address, answer.body.len())
}
