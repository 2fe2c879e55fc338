//! The public name as the world is answered: its authoritative servers, and resolvers that belong to nobody here.
//!
//! Route 53's listing says what was written; only these servers say what customers get. Everybody is asked at once, and one pure
//! [judgement](judge::judge) looks at all that was said.

mod ask;
pub mod hazards;
pub mod heard;
pub mod judge;
#[cfg(test)]
mod tests;
pub mod wish;

use self::ask::Interview;
use self::judge::{Opinion, judge};
use self::wish::Wish;
use super::outcome::{Code, Evidence, Outcome, Verdict};
use super::probe::Probe;
use crate::spec::checks::NamesCheck;

/// Asks all servers for the public name, and judges what they say by where it is to lead now.
pub async fn run(check: &NamesCheck, probe: &Probe<'_>) -> Outcome {
    let Ok(port) = u16::try_from(check.port) else {
        return Outcome::unknown(Code::NotAsked, format!("{} is no port; write one from 1 to 65535", check.port), Vec::new());
    };
    let wish = Wish::of(probe.migration, probe.public_at);
    let interview = Interview::new(probe, port);
    let authorities = match interview.authorities(check).await {
        Ok(authorities) => authorities,
        Err(outcome) => return outcome,
    };
    let (heard, evidence) = interview.round(&wish, &authorities, &check.resolvers).await;
    let opinion = judge(&wish, &heard);
    if opinion.verdict != Verdict::Fail || !wish.may_rotate() {
        return outcome(opinion, evidence);
    }
    // A load balancer changes its addresses when it likes, perhaps between two questions: what differs is asked once more, and
    // the addresses of both rounds count.
    let (again, evidence) = interview.round(&wish, &authorities, &check.resolvers).await;
    outcome(judge(&wish, &again.remembering(heard)), evidence)
}

fn outcome(opinion: Opinion, evidence: Vec<Evidence>) -> Outcome {
    let Opinion { verdict, code, message } = opinion;
    Outcome { verdict, code, message, evidence }
}
