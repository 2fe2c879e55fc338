//! Facts in the journal's history, one sentence each.

use std::fmt;

use super::Fact;
use crate::controllers::hooks::listed;

impl fmt::Display for Fact {
    /// The sentence of the journal's history.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AttemptBegun { attempt } => write!(f, "begin attempt {attempt}"),
            Self::Entered { rung } => write!(f, "enter {rung}"),
            Self::Reached { phase } => write!(f, "{phase} is reached"),
            Self::GatesOpened { gates } => {
                let names: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
                write!(f, "open: {}", names.join(", "))
            }
            Self::IdentityFrozen { .. } => f.write_str("freeze the spec's identity fields"),
            Self::ChangeIntended { purpose, .. } => write!(f, "about to send {purpose:?} to Route 53"),
            Self::ChangeSubmitted { purpose, change: Some(change), .. } => write!(f, "Route 53 accepted {purpose:?} as {change}"),
            Self::ChangeSubmitted { purpose, change: None, .. } => {
                write!(f, "found {purpose:?} applied, though its answer was lost")
            }
            Self::ChangeInSync { purpose } => write!(f, "all authoritative servers answer {purpose:?}"),
            Self::TablesReloaded { tables } => {
                let names: Vec<String> = tables.iter().map(ToString::to_string).collect();
                write!(f, "count a reload of {}", names.join(", "))
            }
            Self::ParityCompared { rows, differing, report } => match report.as_ref().map(|report| report.complaints()) {
                Some(complaints) if !complaints.is_empty() => write!(f, "compared {rows} rows: {}", complaints.join("; ")),
                Some(_) | None if differing.is_empty() => write!(f, "compared {rows} rows: equal"),
                Some(_) | None => {
                    let names: Vec<String> = differing.iter().map(ToString::to_string).collect();
                    write!(f, "compared {rows} rows: {} differ", names.join(", "))
                }
            },
            Self::FenceProven { side, position: Some(position) } => write!(f, "the {side} fence is proven closed at {position}"),
            Self::FenceProven { side, position: None } => write!(f, "the {side} fence is proven closed"),
            Self::MarkerWritten { marker, .. } => write!(f, "marker {marker} is written"),
            Self::MarkerSeen { purpose } => {
                write!(f, "the {} marker arrived on the {} side", purpose.word(), purpose.written_on().other())
            }
            Self::ReverseStartRecorded { position } => write!(f, "record {position} as the start of reverse replication"),
            Self::PointOfNoReturn => f.write_str("pass the point of no return"),
            Self::ReverseStarted => f.write_str("reverse replication runs from its recorded position"),
            Self::ReverseResumed => f.write_str("count a resume of the reverse task"),
            Self::ReverseRecovered => f.write_str("the reverse task has stayed up"),
            Self::WritesOpened { side } => write!(f, "the pause of writes is over: the {side} side takes them"),
            Self::Aborted { why } => write!(f, "abort the cutover: {why}"),
            Self::RollbackAbandoned { why } => write!(f, "give the rollback up, the target takes writes again: {why}"),
            Self::RollbackForced { by, why } => {
                write!(f, "force the rollback: {by} accepts the loss of every write that legacy lacks, because {why}")
            }
            Self::RowsQuarantined { quarantined } => {
                write!(f, "every row that legacy lacks is saved: {quarantined}, SHA-256 {}", quarantined.sha256)
            }
            Self::RollbackWithdrawn => f.write_str("the operator withdrew the rollback"),
            Self::WaiversInForce { waivers } if waivers.is_empty() => f.write_str("no check is waived any more"),
            Self::WaiversInForce { waivers } => {
                let said: Vec<String> = waivers.iter().map(ToString::to_string).collect();
                f.write_str(&said.join("; "))
            }
            Self::HooksCalled { point, hooks } => write!(f, "about to call the hooks of {point}: {}", listed(hooks)),
            Self::HooksAnswered { answers, .. } => {
                let said: Vec<String> = answers.iter().map(|(hook, answer)| format!("{hook} {answer}")).collect();
                f.write_str(&said.join("; "))
            }
        }
    }
}
