//! Where a migration has been, and where its wish would lead it: what the picture on the page is drawn from.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::lag::LagSample;
use crate::migration::facts::Facts;
use crate::migration::ladder::{Posture, Rung};
use crate::spec::Phase;

/// The way of one migration in its present attempt.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Journey {
    /// The attempt under way.
    pub attempt: u32,
    /// When its point of no return was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<Timestamp>,
    /// Rungs that were entered, in the order of time; the last is the one stood on.
    pub past: Vec<Step>,
    /// Rungs that would follow if every gate opened.
    pub future: Vec<Outlook>,
    /// Lag over time, as far as this process has seen it; finer where it is newer.
    pub lag: Vec<LagSample>,
}

/// A rung that was entered.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Which.
    pub rung: Rung,
    /// When it was entered last; nothing for a migration that has only been looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Timestamp>,
    /// What it asks of every resource.
    pub posture: Posture,
}

/// A rung that may come.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Outlook {
    /// Which.
    pub rung: Rung,
    /// Whether it was asked for.
    pub expectation: Expectation,
    /// What it asks of every resource.
    pub posture: Posture,
}

/// How far somebody has committed to a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expectation {
    /// The spec asks for its phase.
    Asked,
    /// It lies beyond what the spec asks for.
    Possible,
}

/// The way of the migration whose facts these are and that `wished` is asked of.
pub(super) fn journey(facts: &Facts, wished: Phase, lag: Vec<LagSample>) -> Journey {
    Journey {
        attempt: facts.attempt,
        point_of_no_return: facts.point_of_no_return,
        past: past(facts),
        future: future(facts, wished),
        lag,
    }
}

fn past(facts: &Facts) -> Vec<Step> {
    let step = |rung: Rung, entered_at| Step { rung, entered_at, posture: rung.posture() };
    let mut entered: Vec<(Timestamp, Rung)> =
        facts.entered.iter().filter(|(rung, _)| **rung != facts.rung).map(|(rung, at)| (*at, *rung)).collect();
    // Rungs entered in one moment are in their own order.
    entered.sort();
    let here = step(facts.rung, facts.entered.get(&facts.rung).copied().or(facts.rung_since));
    entered.into_iter().map(|(at, rung)| step(rung, Some(at))).chain([here]).collect()
}

fn future(facts: &Facts, wished: Phase) -> Vec<Outlook> {
    let goes_back = wished == Phase::RolledBack && matches!(facts.rung, Rung::Open | Rung::Flip | Rung::Observing);
    let first = if goes_back { Some(Rung::RollbackFence) } else { facts.rung.above() };
    std::iter::successors(first, |rung| rung.above())
        .map(|rung| {
            let expectation = if belongs_to(rung) <= wished { Expectation::Asked } else { Expectation::Possible };
            Outlook { rung, expectation, posture: rung.posture() }
        })
        .collect()
}

/// The phase that a rung is climbed for.
const fn belongs_to(rung: Rung) -> Phase {
    match rung {
        Rung::Preflight => Phase::Preflight,
        Rung::Prepared => Phase::Prepared,
        Rung::Replicating => Phase::Replicating,
        Rung::Validated => Phase::Validated,
        Rung::RollbackArmed | Rung::Aborted => Phase::RollbackArmed,
        Rung::Fence | Rung::Drain | Rung::Arm | Rung::Open | Rung::Flip | Rung::Observing => Phase::CutOver,
        Rung::Completed => Phase::Completed,
        Rung::RollbackFence | Rung::RollbackFlip | Rung::RollbackOpen => Phase::RolledBack,
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => Phase::RolledBack,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::facts::Fact;

    fn facts(entered: &[Rung]) -> Facts {
        let mut facts = Facts::default();
        for (second, rung) in (0_i64..).zip(entered) {
            facts.apply(Timestamp::from_second(second).expect("a time"), &Fact::Entered { rung: *rung });
        }
        facts
    }

    fn told(journey: &Journey) -> (Vec<Rung>, Vec<Rung>, Vec<Rung>) {
        let ahead =
            |wanted| journey.future.iter().filter(|outlook| outlook.expectation == wanted).map(|outlook| outlook.rung).collect();
        let past = journey.past.iter().map(|step| step.rung).collect();
        (past, ahead(Expectation::Asked), ahead(Expectation::Possible))
    }

    #[test]
    fn one_that_has_not_begun_stands_at_its_beginning_and_sees_the_whole_way() {
        let (past, asked, possible) = told(&journey(&Facts::default(), Phase::Prepared, Vec::new()));
        assert_eq!((past, asked), (vec![Rung::Preflight], vec![Rung::Prepared]));
        assert_eq!((possible.len(), possible.last()), (10, Some(&Rung::Completed)));
    }

    #[test]
    fn what_was_is_in_the_order_of_time_and_what_is_asked_for_ends_with_the_wish() {
        let way = [Rung::Prepared, Rung::Replicating, Rung::Validated, Rung::RollbackArmed, Rung::Fence];
        let (past, asked, possible) = told(&journey(&facts(&way), Phase::CutOver, Vec::new()));
        assert_eq!(past, way);
        assert_eq!(asked, [Rung::Drain, Rung::Arm, Rung::Open, Rung::Flip, Rung::Observing]);
        assert_eq!(possible, [Rung::Completed]);
    }

    #[test]
    fn a_wish_to_go_back_leads_down_the_other_way_and_nowhere_else() {
        let (past, asked, possible) = told(&journey(&facts(&[Rung::Flip, Rung::Observing]), Phase::RolledBack, Vec::new()));
        assert_eq!(past, [Rung::Flip, Rung::Observing]);
        assert_eq!(asked, [Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen]);
        assert_eq!(possible, []);
    }

    #[test]
    fn an_end_has_nothing_ahead() {
        for rung in [Rung::Completed, Rung::Aborted, Rung::RollbackOpen] {
            assert_eq!(journey(&facts(&[rung]), Phase::Completed, Vec::new()).future, [], "{rung}");
        }
    }
}
