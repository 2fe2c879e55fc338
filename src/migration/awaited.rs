//! What somebody waits for, and whether it has come, may still come, or cannot come any more.

use std::str::FromStr;

use super::ladder::Rung;
use super::status::{ConditionStatus, ConditionType, MigrationStatus};
use crate::spec::Phase;

/// What is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// That a phase is reached, or one that comes after it.
    Phase(Phase),
    /// That a condition stands so.
    Condition(ConditionType, ConditionStatus),
}

/// How it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// It is so.
    Met,
    /// Not yet, and this is where it stands.
    NotYet(String),
    /// It cannot come any more in this attempt, and this is why.
    Never(String),
}

impl Awaited {
    /// How it looks by what was published last.
    pub fn judge(self, status: &MigrationStatus) -> Outlook {
        match self {
            Self::Phase(phase) => judge_phase(phase, status),
            Self::Condition(wanted, value) => judge_condition(wanted, value, status),
        }
    }
}

fn judge_phase(phase: Phase, status: &MigrationStatus) -> Outlook {
    let attempt = status.attempt;
    let never = |what: &str| Outlook::Never(format!("{phase} is not reached any more: attempt {attempt} {what}"));
    let switches = matches!(phase, Phase::CutOver | Phase::Completed);
    match status.rung {
        Rung::Aborted if switches => return never("was aborted; raise spec.attempt to try again"),
        Rung::Aborted if phase == Phase::RolledBack => return never("was aborted, and there is nothing to roll back"),
        Rung::RollbackOpen if phase != Phase::RolledBack => return never("was rolled back"),
        Rung::Completed if phase == Phase::RolledBack => return never("is completed, and its way back is given up"),
        // What was reached is being undone.
        Rung::RollbackFence | Rung::RollbackFlip | Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => {
            return Outlook::NotYet(status.summary.clone());
        }
        _ => {}
    }
    if status.phase >= Some(phase) { Outlook::Met } else { Outlook::NotYet(status.summary.clone()) }
}

fn judge_condition(wanted: ConditionType, value: ConditionStatus, status: &MigrationStatus) -> Outlook {
    match status.conditions.iter().find(|condition| condition.condition_type == wanted) {
        Some(condition) if condition.status == value => Outlook::Met,
        Some(condition) => {
            Outlook::NotYet(format!("{wanted:?} is {:?} ({}): {}", condition.status, condition.reason, condition.message))
        }
        None => Outlook::NotYet(format!("{wanted:?} is not published yet")),
    }
}

impl FromStr for Awaited {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("phase", name)) => {
                Ok(Self::Phase(word(name, "phase", &Phase::ALL.map(|phase| (phase.name().to_owned(), phase)))?))
            }
            Some(("condition", rest)) => {
                let (name, value) = rest.split_once('=').unwrap_or((rest, "True"));
                let conditions = ConditionType::ALL.map(|kind| (format!("{kind:?}"), kind));
                let values = [ConditionStatus::True, ConditionStatus::False, ConditionStatus::Unknown];
                let values = values.map(|value| (format!("{value:?}"), value));
                Ok(Self::Condition(word(name, "condition", &conditions)?, word(value, "status", &values)?))
            }
            _ => {
                Err("write phase=PHASE, condition=CONDITION or condition=CONDITION=STATUS, such as condition=Ready=False".into())
            }
        }
    }
}

/// The value of that name, in whatever capitals it is written.
fn word<T: Copy>(name: &str, what: &str, known: &[(String, T)]) -> Result<T, String> {
    let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
    let names = || known.iter().map(|(word, _)| word.as_str()).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("no {what} `{name}`; accepted: {}", names()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rung: Rung, phase: Option<Phase>) -> MigrationStatus {
        let object: serde_json::Value = serde_json::from_str(include_str!("../../tests/fixtures/live.json")).expect("JSON");
        let mut status: MigrationStatus = serde_json::from_value(object["status"].clone()).expect("a status");
        (status.rung, status.phase) = (rung, phase);
        status
    }

    #[test]
    fn a_phase_is_met_once_it_or_a_later_one_is_reached_and_never_once_its_attempt_is_over() {
        let table = [
            (Phase::CutOver, Rung::RollbackArmed, Some(Phase::RollbackArmed), "not yet"),
            (Phase::Prepared, Rung::RollbackArmed, Some(Phase::RollbackArmed), "met"),
            (Phase::CutOver, Rung::Observing, Some(Phase::CutOver), "met"),
            (Phase::CutOver, Rung::Aborted, Some(Phase::RollbackArmed), "never"),
            (Phase::RollbackArmed, Rung::Aborted, Some(Phase::RollbackArmed), "met"),
            (Phase::RolledBack, Rung::Aborted, Some(Phase::RollbackArmed), "never"),
            (Phase::CutOver, Rung::RollbackFlip, Some(Phase::CutOver), "not yet"),
            (Phase::CutOver, Rung::RollbackOpen, Some(Phase::RolledBack), "never"),
            (Phase::RolledBack, Rung::RollbackOpen, Some(Phase::CutOver), "not yet"),
            (Phase::RolledBack, Rung::RollbackOpen, Some(Phase::RolledBack), "met"),
            (Phase::RolledBack, Rung::Completed, Some(Phase::Completed), "never"),
            (Phase::Preflight, Rung::Preflight, None, "not yet"),
        ];
        for (awaited, rung, phase, expected) in table {
            let word = match Awaited::Phase(awaited).judge(&at(rung, phase)) {
                Outlook::Met => "met",
                Outlook::NotYet(_) => "not yet",
                Outlook::Never(_) => "never",
            };
            assert_eq!(word, expected, "{awaited} at {rung} with {phase:?}");
        }
    }

    #[test]
    fn what_is_awaited_is_written_as_for_kubectl_and_a_slip_is_told_with_what_there_is() {
        assert_eq!("phase=cutover".parse(), Ok(Awaited::Phase(Phase::CutOver)));
        assert_eq!("condition=Ready".parse(), Ok(Awaited::Condition(ConditionType::Ready, ConditionStatus::True)));
        assert_eq!("condition=Stalled=false".parse(), Ok(Awaited::Condition(ConditionType::Stalled, ConditionStatus::False)));
        let said = |text: &str| text.parse::<Awaited>().expect_err("nonsense");
        assert!(said("phase=Cutting").contains("CutOver, Completed"), "{}", said("phase=Cutting"));
        assert!(said("condition=Red").contains("RollbackReady"), "{}", said("condition=Red"));
        assert!(said("Ready").contains("condition=Ready=False"), "{}", said("Ready"));
    }
}
