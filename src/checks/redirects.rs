//! Where an answer leads next, judged before anybody goes there, and whether the way was the declared one.

use url::Url;

use super::credentials::Identity;
use super::failing::Failing;
use super::fetch::{Answered, Hop};
use super::network::HttpAnswer;
use super::outcome::Code;
use crate::names::DomainName;
use crate::spec::checks::RedirectStep;
use crate::spec::checks::text::web_url;

/// The most redirects that are followed: as many as a spec can declare, and half of what browsers put up with.
const MOST: usize = 10;

/// What decides whether a redirect is followed.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Redirects that the spec declares.
    pub declared: &'a [RedirectStep],
    /// Hosts that nothing of the new system may lead to.
    pub legacy_hosts: &'a [DomainName],
    /// What must not be repeated.
    pub identity: &'a Identity,
}

impl Rules<'_> {
    /// Where to go after the last of `hops` led to `answered`; `None` where this is the end of the way.
    ///
    /// # Errors
    /// Why nobody follows this redirect.
    pub fn next(&self, hops: &[Hop], answered: &Answered) -> Result<Option<Url>, Failing> {
        let Some(location) = location(&answered.answer) else { return Ok(None) };
        let from = self.identity.shown(answered.asked.as_str());
        let Some(to) = answered.asked.join(location).ok().filter(|to| web_url(to.as_str()).is_some()) else {
            let said = format!("{from} redirects to `{}`, which is no web page", self.identity.shown(location));
            return Err(Failing::new(Code::RedirectDiffers, said));
        };
        let shown = self.identity.shown(to.as_str());
        if self.legacy_hosts.iter().any(|host| to.host_str() == Some(host.as_str())) {
            let said = format!("{from} redirects to {shown}, a host of the old system; correct the application's own URL");
            return Err(Failing::new(Code::ForeignName, said));
        }
        if to == answered.asked || hops.iter().any(|hop| hop.from.asked == to) {
            let said = format!("{from} redirects back to {shown}, where the way has led before: a browser never arrives");
            return Err(Failing::new(Code::RedirectLoop, said));
        }
        if hops.len() == MOST {
            let said = format!("more than {MOST} redirects, the last from {from} to {shown}: a browser gives up");
            return Err(Failing::new(Code::RedirectLoop, said));
        }
        let is_downgrade = answered.asked.scheme() == "https" && to.scheme() == "http";
        if is_downgrade && !self.declared.get(hops.len()).is_some_and(|step| is_step(step, answered.answer.status, &to)) {
            let said =
                format!("{from} redirects to {shown}, out of HTTPS; correct the scheme that the application thinks it has");
            return Err(Failing::new(Code::RedirectDiffers, said));
        }
        Ok(Some(to))
    }
}

/// The first redirect that is not as declared, or that is declared and did not come before `end`.
pub fn departure(declared: &[RedirectStep], hops: &[Hop], end: &str, identity: &Identity) -> Option<Failing> {
    let missing = || {
        let step = declared.get(hops.len())?;
        let said = format!("redirect {} is declared ({} to {})", hops.len() + 1, step.status, step.location);
        Some(Failing::new(Code::RedirectDiffers, format!("{said} and did not come: {end}")))
    };
    strayed(declared, hops, identity).or_else(missing)
}

/// The first redirect that is not as declared.
pub fn strayed(declared: &[RedirectStep], hops: &[Hop], identity: &Identity) -> Option<Failing> {
    let said = hops.iter().enumerate().find_map(|(index, hop)| {
        let (number, status, to) = (index + 1, hop.from.answer.status, identity.shown(hop.to.as_str()));
        match declared.get(index) {
            Some(step) if is_step(step, status, &hop.to) => None,
            Some(step) => {
                Some(format!("redirect {number} is {status} to {to}; {} to {} is declared", step.status, step.location))
            }
            None => Some(format!(
                "redirect {number} is {status} to {to}; none is declared, so add it to `expect.redirects` if it is meant"
            )),
        }
    });
    said.map(|said| Failing::new(Code::RedirectDiffers, said))
}

/// Where an answer leads. Other statuses of the 300s are not followed by browsers either.
fn location(answer: &HttpAnswer) -> Option<&str> {
    let leads = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
    answer.header("location").next().filter(|_| leads)
}

fn is_step(step: &RedirectStep, status: u16, to: &Url) -> bool {
    step.status == status && web_url(&step.location).is_some_and(|declared| declared == *to)
}
