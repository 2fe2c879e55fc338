//! The judgement: whether everybody answers what is wished, and what that means where somebody does not.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::hazards;
use super::heard::{Heard, Lead, Voice, listed, ttl_seconds};
use super::wish::{Answered, Named, Wish};
use crate::checks::network::{DnsAnswer, Trouble};
use crate::checks::outcome::{Code, Verdict, short};
use crate::names::Side;

/// The most findings that a message tells; a person mends one at a time.
const MOST_TOLD: usize = 3;

/// What all that was heard comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// Whether what is declared holds.
    pub verdict: Verdict,
    /// Why.
    pub code: Code,
    /// The same in sentences.
    pub message: String,
}

/// What can be wrong, the worst first: what another record does, before what follows from it, before what time will cure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// Another record gets in the way.
    Conflict,
    /// An answer is not the wish.
    Answer,
    /// An answer may be kept for too long.
    Ttl,
    /// An answer from before is still kept.
    OldAnswer,
}

impl Wrong {
    const fn code(self) -> Code {
        match self {
            Self::Conflict => Code::ConflictingRecord,
            Self::Answer => Code::AnswerDiffers,
            Self::Ttl => Code::TtlTooLong,
            Self::OldAnswer => Code::OldAnswerKept,
        }
    }
}

/// One thing that is certainly wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    wrong: Wrong,
    sentence: String,
}

impl Finding {
    /// A finding whose sentence may quote what a stranger's server said.
    pub fn new(wrong: Wrong, sentence: &str) -> Self {
        Self { wrong, sentence: short(sentence) }
    }
}

/// Judges one round. What is certainly wrong counts whoever was silent; otherwise silence leaves the matter open.
pub fn judge(wish: &Wish<'_>, heard: &Heard) -> Opinion {
    let mut findings = hazards::conflicts(wish, heard);
    findings.extend(authorities(wish, heard));
    findings.extend(long_ttls(wish, heard));
    findings.extend(heard.resolvers.iter().filter_map(|voice| resolver(wish, heard, voice)));
    findings.sort_by_key(|finding| finding.wrong);
    if let Some(worst) = findings.first() {
        return Opinion { verdict: Verdict::Fail, code: worst.wrong.code(), message: told(&findings) };
    }
    if let Some(trouble) = open_question(wish, heard) {
        let message = short(&silence(trouble, heard));
        return Opinion { verdict: Verdict::Unknown, code: Code::ResolverSilent, message };
    }
    let (own, others) = (heard.authorities.len(), heard.resolvers.len());
    let (name, destination, side) = (wish.name(), Named(wish.destination()), wish.public_at);
    let message = format!("{own} authoritative servers and {others} resolvers answer {name} with {destination}: {side}");
    Opinion { verdict: Verdict::Pass, code: Code::AsDeclared, message }
}

fn told(findings: &[Finding]) -> String {
    let sentences: Vec<&str> = findings.iter().take(MOST_TOLD).map(|finding| finding.sentence.as_str()).collect();
    match findings.len().saturating_sub(MOST_TOLD) {
        0 => sentences.join("; "),
        more => format!("{}; and {more} more", sentences.join("; ")),
    }
}

/// A voice's answer to `A`.
fn answers(voices: &[Voice]) -> impl Iterator<Item = (IpAddr, &DnsAnswer)> {
    voices.iter().filter_map(|voice| voice.a.as_ref().ok().map(|answer| (voice.server, answer)))
}

/// Authorities that answer anything but the wish, those with the same answer together.
fn authorities(wish: &Wish<'_>, heard: &Heard) -> Vec<Finding> {
    let name = wish.name();
    let (own, foreign): (Vec<_>, Vec<_>) = answers(&heard.authorities).partition(|(_, answer)| answer.authoritative);
    let mut leads: BTreeMap<Lead, Vec<IpAddr>> = BTreeMap::new();
    for (server, answer) in own {
        leads.entry(Lead::of(answer, name)).or_default().push(server);
    }
    let answered = |lead: &Lead, servers: &[IpAddr]| wish.answered(lead, servers[0], heard);
    let as_declared = leads.iter().any(|(lead, servers)| matches!(answered(lead, servers), Answered::Side(_)));
    let differing = |(lead, servers): (&Lead, &Vec<IpAddr>)| differing(wish, answered(lead, servers), lead, servers, as_declared);
    let mut findings: Vec<Finding> = leads.iter().filter_map(differing).collect();
    if !foreign.is_empty() {
        let servers = listed(foreign.iter().map(|(server, _)| server));
        let sentence = format!(
            "{name} is answered without authority by {servers}, which so do not serve {}; correct the zone's NS records or \
             spec.checks.names.authorities",
            wish.dns.zone_name
        );
        findings.push(Finding::new(Wrong::Answer, &sentence));
    }
    findings
}

/// While a change spreads, authorities differ between the two sides. One that answers a third thing while others answer as
/// declared serves another zone.
fn differing(wish: &Wish<'_>, answered: Answered, lead: &Lead, servers: &[IpAddr], as_declared: bool) -> Option<Finding> {
    let (name, servers) = (wish.name(), listed(servers));
    let (wished, destination) = (wish.public_at, Named(wish.destination()));
    match answered {
        Answered::Side(side) if side == wished => None,
        Answered::Unsure => None,
        Answered::Side(side) => {
            let sentence = format!(
                "{name} is answered with {lead}, which is {side}, by {servers} (authoritative); {wished} is to serve, and Route 53 \
                 spreads a change within a minute or so"
            );
            Some(Finding::new(Wrong::Answer, &sentence))
        }
        Answered::Neither if as_declared => {
            let sentence = format!(
                "{name} is answered with {lead} by {servers} (authoritative), and as declared by others: these serve different \
                 zones of the same name; remove the wrong ones from the delegation"
            );
            Some(Finding::new(Wrong::Conflict, &sentence))
        }
        Answered::Neither => {
            let sentence = format!(
                "{name} is answered with {lead} by {servers} (authoritative), and {wished} is declared as {destination}; correct \
                 the record or spec.dns.public"
            );
            Some(Finding::new(Wrong::Answer, &sentence))
        }
    }
}

/// Authorities that tell caches to keep the answer for longer than is declared.
fn long_ttls(wish: &Wish<'_>, heard: &Heard) -> Option<Finding> {
    let longest = wish.longest_ttl_seconds();
    let served = |(server, answer)| Some((server, u64::from(ttl_seconds(answer, wish.name())?)));
    let too_long: Vec<(IpAddr, u64)> =
        answers(&heard.authorities).filter_map(served).filter(|(_, served)| *served > longest).collect();
    let most = too_long.iter().map(|(_, served)| *served).max()?;
    let (servers, name) = (listed(too_long.iter().map(|(server, _)| server)), wish.name());
    let sentence = format!(
        "{name} is served with a TTL of {most} s by {servers} (authoritative), and {longest} s are the most that is wished; a \
         cache that asks now keeps the answer for {most} s, so lower the record's TTL at least that long before the switch"
    );
    Some(Finding::new(Wrong::Ttl, &sentence))
}

/// The longest TTL that an authority serves, in seconds: no cache should hold the answer for longer.
fn longest_served_seconds(wish: &Wish<'_>, heard: &Heard) -> u64 {
    let served = answers(&heard.authorities).filter_map(|(_, answer)| ttl_seconds(answer, wish.name())).max();
    served.map_or_else(|| wish.longest_ttl_seconds(), u64::from)
}

/// What is wrong with one resolver's answer.
fn resolver(wish: &Wish<'_>, heard: &Heard, voice: &Voice) -> Option<Finding> {
    let answer = voice.a.as_ref().ok()?;
    let (name, server) = (wish.name(), voice.server);
    let lead = Lead::of(answer, name);
    let remaining = u64::from(ttl_seconds(answer, name).unwrap_or(0));
    let served = longest_served_seconds(wish, heard);
    let (wished, destination) = (wish.public_at, Named(wish.destination()));
    match (wish.answered(&lead, server, heard), wished) {
        (Answered::Unsure, _) => None,
        (Answered::Side(side), _) if side == wished => (remaining > served).then(|| {
            let sentence = format!(
                "the resolver {server} holds {name} for another {remaining} s, and authorities serve {served} s: it has asked \
                 before the TTL was lowered, or keeps answers for longer than it is told"
            );
            Finding::new(Wrong::Ttl, &sentence)
        }),
        (Answered::Side(side), Side::Target) => {
            let liar = if remaining > served {
                format!("; authorities serve {served} s, so it keeps answers for longer than it is told")
            } else {
                String::new()
            };
            let sentence = format!(
                "the resolver {server} still answers {name} with {lead}, which is {side}, for another {remaining} s{liar}"
            );
            Some(Finding::new(Wrong::OldAnswer, &sentence))
        }
        (Answered::Side(side), Side::Legacy) => {
            let sentence = format!(
                "the resolver {server} answers {name} with {lead}, which is {side}, for another {remaining} s, and {wished} is \
                 to serve; it asks a private zone, or the name was moved and back"
            );
            Some(Finding::new(Wrong::Answer, &sentence))
        }
        (Answered::Neither, _) => {
            let sentence = format!(
                "the resolver {server} answers {name} with {lead}; {wished} is declared as {destination}: a private zone of the \
                 same name would do this, or a resolver that lies"
            );
            Some(Finding::new(Wrong::Answer, &sentence))
        }
    }
}

/// The first silence that leaves something open. What nobody says about a load balancer matters where it is compared with.
fn open_question<'a>(wish: &Wish<'_>, heard: &'a Heard) -> Option<&'a Trouble> {
    let is_unsure = |(server, answer)| wish.answered(&Lead::of(answer, wish.name()), server, heard) == Answered::Unsure;
    let voices = heard.voices().filter_map(Voice::trouble);
    let issuers = heard.issuers.iter().filter_map(|(_, reply)| reply.as_ref().err());
    let hosts = heard.hosts.values().flatten().filter_map(|(_, reply)| reply.as_ref().err());
    let unsure = answers(&heard.authorities).chain(answers(&heard.resolvers)).any(is_unsure);
    voices.chain(issuers).chain(hosts.filter(|_| unsure)).next()
}

fn silence(trouble: &Trouble, heard: &Heard) -> String {
    let all = heard.voices().count();
    match heard.voices().filter(|voice| voice.trouble().is_none()).count() {
        0 => format!("none of {all} servers answers everything: {trouble}; look at the way out to port 53 over UDP and TCP"),
        rest if rest == all => format!("{trouble}; the {all} servers that were asked for the public name agree"),
        rest => format!("{trouble}; the other {rest} of {all} servers agree, so look at this one or take it off the list"),
    }
}
