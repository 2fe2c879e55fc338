//! A page of the new system, fetched as a customer's browser would, and everything that has to be true of it.

mod coherence;

use url::Url;

use super::credentials::Identity;
use super::expect;
use super::failing::{Failing, refuse};
use super::fetch::{Answered, Errand, Journey, fetch};
use super::outcome::{Code, Outcome};
use super::probe::Probe;
use crate::clock::elapsed;
use crate::names::Side;
use crate::spec::checks::PageCheck;
use crate::spec::checks::text::web_url;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Fetches the page and judges it.
pub async fn run(check: &PageCheck, probe: &Probe<'_>) -> Outcome {
    judged(check, probe).await.unwrap_or_else(|outcome| outcome)
}

async fn judged(check: &PageCheck, probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    leads_to_the_new_system(check, probe)?;
    let identity = Identity::of(check.credentials.as_ref(), probe.secrets)?;
    let errand = Errand {
        url: &check.url,
        connect_to: check.connect_to.as_deref(),
        tls_ca_file: check.tls_ca_file.as_deref(),
        identity: &identity,
        redirects: &check.expect.redirects,
    };
    let journey = fetch(&errand, probe).await?;
    let mut failings = expect::failings(&check.expect, &journey, &errand);
    failings.extend(certificate_failing(check, &journey, probe));
    failings.extend(coherence::failings(&journey, &names(check, probe), &identity));
    refuse(&failings, &journey.evidence)?;
    Ok(Outcome::pass(praise(&journey), journey.evidence))
}

/// While the old system serves, the public name leads to it, and its pages prove nothing about the new one.
fn leads_to_the_new_system(check: &PageCheck, probe: &Probe<'_>) -> Result<(), Outcome> {
    let public = probe.migration.spec.dns.public.name.as_str();
    let asked = [&check.url].into_iter().chain(check.expect.redirects.iter().map(|step| &step.location));
    let mut hosts = asked.filter_map(|url| host(url));
    let connects = |name: &str| check.connect_to.is_some() && host(&check.url).as_deref() == Some(name);
    if probe.public_at == Side::Target || !hosts.any(|host| host == public && !connects(&host)) {
        return Ok(());
    }
    let message = format!(
        "{public} still leads to the old system, so that its page says nothing about the new one; ask for it with `connectTo` \
         and the new load balancer's name"
    );
    Err(Outcome::unknown(Code::NotAsked, message, Vec::new()))
}

fn host(url: &str) -> Option<String> {
    web_url(url)?.host_str().map(str::to_owned)
}

/// The first certificate on the way that is over too soon.
fn certificate_failing(check: &PageCheck, journey: &Journey, probe: &Probe<'_>) -> Option<Failing> {
    let now = probe.clock.now();
    journey.answers().find_map(|Answered { asked, answer }| {
        let certificate = answer.certificate.as_ref()?;
        let days = elapsed(now, certificate.not_after).as_secs() / DAY;
        (days < u64::from(check.certificate_days)).then(|| {
            let host = asked.host_str().unwrap_or_default();
            let end = certificate.not_after.strftime("%Y-%m-%d");
            let said = format!(
                "the certificate of {host} is over in {days} days ({end}), and {} are declared; renew it",
                check.certificate_days
            );
            Failing::new(Code::CertificateExpiresSoon, said)
        })
    })
}

fn names<'a>(check: &'a PageCheck, probe: &Probe<'a>) -> coherence::Names<'a> {
    let spec = &probe.migration.spec;
    coherence::Names {
        asked: host(&check.url).unwrap_or_default(),
        public: spec.dns.public.name.as_str(),
        shadow: spec.dns.shadow.name.as_str(),
        legacy: &spec.checks.legacy_hosts,
    }
}

fn praise(journey: &Journey) -> String {
    let Answered { asked, answer } = &journey.last;
    let by_way_of = match journey.hops.len() {
        0 => String::new(),
        1 => " after the declared redirect".to_owned(),
        hops => format!(" after the {hops} declared redirects"),
    };
    format!("{} answers {} as declared{by_way_of}", without_query(asked), answer.status)
}

/// A URL without what may be personal to one visit.
fn without_query(url: &Url) -> String {
    url.as_str().split(['?', '#']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
