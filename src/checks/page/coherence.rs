//! Whether an answer knows where it lives: no URL, cookie, origin or policy in it leads back to the old system, or to the
//! validation name where the public one is meant.
//!
//! An application that was moved keeps its configuration, and its configuration keeps the old names.

use crate::checks::credentials::Identity;
use crate::checks::failing::{Failing, told};
use crate::checks::fetch::{Answered, Journey};
use crate::checks::outcome::{Code, short};
use crate::names::DomainName;

/// What is shown of the place where a name stands, in characters.
const SHOWN: usize = 60;

/// So many findings are kept; the rest is counted, however long the page.
const KEPT: usize = 3;

/// The names of one migration, as far as a page may know them.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    /// The host of the declared URL.
    pub asked: String,
    /// The name that customers use.
    pub public: &'a str,
    /// The validation name.
    pub shadow: &'a str,
    /// Hosts of the old system.
    pub legacy: &'a [DomainName],
}

impl Names<'_> {
    /// Whether `host` is that of the page, now or after the switch.
    fn are_own(&self, host: &str) -> bool {
        [self.public, self.asked.as_str()].contains(&host.trim_end_matches('.'))
    }

    /// What is wrong with an answer that leads to `host`.
    fn objection(&self, host: &str) -> Option<&'static str> {
        let host = host.trim_end_matches('.');
        let is = |name: &str| host.eq_ignore_ascii_case(name);
        if self.legacy.iter().any(|legacy| is(legacy.as_str())) {
            Some("a host of the old system")
        } else if is(self.shadow) && !is(&self.asked) {
            Some("the validation name, where the public one is meant")
        } else {
            None
        }
    }
}

/// What does not fit together in the answers of a journey.
pub fn failings(journey: &Journey, names: &Names<'_>, identity: &Identity) -> Vec<Failing> {
    let mut findings = Findings::default();
    for answered in journey.answers() {
        for (name, value) in &answered.answer.headers {
            let value = identity.blotted(value);
            match name.as_str() {
                "set-cookie" => cookie(&value, names, &mut findings),
                "content-security-policy" | "content-security-policy-report-only" => policy(&value, names, &mut findings),
                _ => {}
            }
            // A cookie's value is somebody's session: it is not searched, so that it cannot be shown.
            if name != "set-cookie" {
                wrong_links(&value, &format!("the header `{name}`"), names, answered, &mut findings);
            }
        }
        let body = identity.blotted(&answered.answer.text());
        wrong_links(&body, "the body", names, answered, &mut findings);
    }
    let strict = journey.answers().find_map(|answered| forgets_https(answered, identity));
    findings.failing().into_iter().chain(strict).collect()
}

/// What was found: all counted, the first kept.
#[derive(Debug, Default)]
struct Findings {
    kept: Vec<String>,
    count: usize,
}

impl Findings {
    fn add(&mut self, said: impl FnOnce() -> String) {
        self.count += 1;
        if self.kept.len() < KEPT {
            self.kept.push(said());
        }
    }

    fn failing(self) -> Option<Failing> {
        let places = match self.count {
            0 => return None,
            1 => "1 place".to_owned(),
            count => format!("{count} places"),
        };
        let said = format!("the answer names a wrong host in {places}: {}", told(&self.kept));
        Some(Failing::new(Code::ForeignName, said))
    }
}

/// What stands between a scheme and a host: as it is, and as JSON, scripts and query strings escape it.
const BEHIND_A_SCHEME: [&str; 4] = ["://", r":\/\/", r":\u002f\u002f", "%3a%2f%2f"];

/// What begins a link without a scheme.
const WITHOUT_A_SCHEME: [&str; 2] = ["//", r"\/\/"];

/// Whether a link names its scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// The page's own.
    LeftOut,
}

/// An absolute URL in a text.
#[derive(Debug, Clone, Copy)]
struct Link<'a> {
    scheme: Scheme,
    host: &'a str,
    /// Where its host stands, in bytes.
    at: usize,
}

/// Every absolute URL in a text of lower-case letters.
///
/// A host ends where the next link may begin, so that a page of nothing but links takes no longer than another.
fn links(lower: &str) -> impl Iterator<Item = Link<'_>> {
    let link = |scheme, at| Link { scheme, host: host_at(&lower[at..]), at };
    let absolute = BEHIND_A_SCHEME.iter().flat_map(move |mark| {
        lower.match_indices(mark).filter_map(move |(at, mark)| match &lower[..at] {
            before if before.ends_with("https") => Some(link(Scheme::Https, at + mark.len())),
            before if before.ends_with("http") => Some(link(Scheme::Http, at + mark.len())),
            _ => None,
        })
    });
    let relative = WITHOUT_A_SCHEME.iter().flat_map(move |mark| {
        let begins = |at: usize| at == 0 || lower[..at].trim_end_matches(' ').ends_with(['"', '\'', '=', '(']);
        lower.match_indices(mark).filter(move |(at, _)| begins(*at)).map(move |(at, mark)| link(Scheme::LeftOut, at + mark.len()))
    });
    absolute.chain(relative)
}

/// The host at the beginning of what stands behind the slashes, without a user, a port or a path.
fn host_at(rest: &str) -> &str {
    let authority = rest.split(|c: char| c.is_whitespace() || "/\\?#%\"'<>".contains(c)).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(|c: char| !(c.is_ascii_alphanumeric() || "-._".contains(c))).next().unwrap_or_default()
}

/// Links of `text` that lead where they should not.
fn wrong_links(text: &str, place: &str, names: &Names<'_>, answered: &Answered, findings: &mut Findings) {
    let is_https = answered.asked.scheme() == "https";
    for link in links(&text.to_ascii_lowercase()) {
        let is_plain = is_https && link.scheme == Scheme::Http && names.are_own(link.host);
        let objection = names.objection(link.host).or(is_plain.then_some("plain HTTP on a page of HTTPS"));
        if let Some(objection) = objection {
            findings.add(|| format!("{} in {place} ({objection}): `{}`", link.host, around(text, link.at)));
        }
    }
}

/// The characters around the byte `at`, on one line.
fn around(text: &str, at: usize) -> String {
    let before = text[..at].chars().rev().take(SHOWN / 3).map(char::len_utf8).sum::<usize>();
    short(&text[at - before..].chars().take(SHOWN).collect::<String>())
}

/// A cookie's `Domain` has to hold the host that was asked or the public name, or browsers throw the cookie away.
fn cookie(value: &str, names: &Names<'_>, findings: &mut Findings) {
    let mut parts = value.split(';').map(str::trim);
    let name = parts.next().and_then(|pair| pair.split_once('=')).map_or("", |(name, _)| name);
    let attributes = parts.filter_map(|attribute| attribute.split_once('='));
    for (_, domain) in attributes.filter(|(attribute, _)| attribute.trim().eq_ignore_ascii_case("domain")) {
        let domain = domain.trim().trim_start_matches('.').to_ascii_lowercase();
        let holds = |host: &str| host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
        let objection = match names.objection(&domain) {
            None if domain.is_empty() || holds(&names.asked) || holds(names.public) => continue,
            None => "not the page's own domain: browsers throw the cookie away",
            Some(objection) => objection,
        };
        findings.add(|| format!("{} in the domain of the cookie `{}` ({objection})", short(&domain), short(name)));
    }
}

/// Sources of a Content-Security-Policy, which may go without a scheme; those with one are found as links.
fn policy(value: &str, names: &Names<'_>, findings: &mut Findings) {
    for source in value.split([' ', ';', ',', '\t']).filter(|source| !source.contains("://")) {
        let host = source.split([':', '/']).next().unwrap_or_default();
        if let Some(objection) = names.objection(host) {
            findings.add(|| format!("{host} in the content security policy ({objection})"));
        }
    }
}

/// A `Strict-Transport-Security` that holds nobody to HTTPS.
fn forgets_https(answered: &Answered, identity: &Identity) -> Option<Failing> {
    let value = answered.answer.header("strict-transport-security").next().filter(|_| answered.asked.scheme() == "https")?;
    let ages = value.split(';').filter_map(|directive| directive.split_once('='));
    let mut ages =
        ages.filter(|(name, _)| name.trim().eq_ignore_ascii_case("max-age")).map(|(_, age)| age.trim().trim_matches('"'));
    let effect = match ages.next().map(str::parse::<u64>) {
        Some(Ok(0)) => "tells browsers to forget that this host is to be asked over HTTPS",
        Some(Ok(_)) => return None,
        Some(Err(_)) | None => "names no `max-age`, so that browsers ignore it",
    };
    let said = format!("`Strict-Transport-Security: {}` {effect}", identity.shown(value));
    Some(Failing::new(Code::HeaderDiffers, said))
}

#[cfg(test)]
#[path = "coherence_tests.rs"]
mod tests;
