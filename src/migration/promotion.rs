//! Which phase may be asked for from where: the rules that [`moves`](super::moves) follows, said before a file is changed.
//!
//! The controller itself ignores a wish that makes no sense where it stands. Whoever edits the file should hear so at once, and
//! what would be accepted instead.

use super::ladder::Rung;
use super::status::MigrationStatus;
use crate::spec::{Migration, Phase};

/// Why a phase cannot be asked for, and what can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{to} cannot be asked for: {why} (accepted: {})", names(.accepted))]
pub struct Refusal {
    /// What was asked for.
    pub to: Phase,
    /// Why not.
    pub why: String,
    /// What could be asked for instead.
    pub accepted: Vec<Phase>,
}

/// What a change of the wish means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promotion {
    /// The file asks for it already.
    Already,
    /// It may be asked for, and this is worth knowing.
    Allowed(Vec<String>),
}

/// Where a migration stands, as far as a wish is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// Nobody's writes were moved.
    Before,
    /// A switch is under way and may be past the point of no return.
    Switching,
    /// The target takes the writes.
    Switched,
    /// A rollback is under way.
    GoingBack,
    /// The way back is given up.
    Over,
    /// This attempt was aborted.
    Aborted,
    /// This attempt was rolled back.
    Back,
    /// Only the file is known, and it has asked for no switch.
    PerhapsBefore,
    /// Only the file is known, and it asks for the switch or more.
    PerhapsSwitched,
    /// Only the file is known, and it asks for a rollback.
    PerhapsBack,
}

impl Stand {
    fn of(file: &Migration, known: Option<&MigrationStatus>) -> Self {
        let Some(status) = known else {
            return match file.spec.phase {
                Phase::CutOver | Phase::Completed => Self::PerhapsSwitched,
                Phase::RolledBack => Self::PerhapsBack,
                Phase::Preflight | Phase::Prepared | Phase::Replicating | Phase::Validated | Phase::RollbackArmed => {
                    Self::PerhapsBefore
                }
            };
        };
        let is_next_attempt = file.spec.attempt > status.attempt;
        match status.rung {
            Rung::Preflight | Rung::Prepared | Rung::Replicating | Rung::Validated | Rung::RollbackArmed => Self::Before,
            Rung::Fence | Rung::Drain | Rung::Arm => Self::Switching,
            Rung::Open | Rung::Flip | Rung::Observing => Self::Switched,
            Rung::RollbackFence | Rung::RollbackFlip => Self::GoingBack,
            Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => Self::GoingBack,
            Rung::Completed => Self::Over,
            Rung::Aborted | Rung::RollbackOpen if is_next_attempt => Self::Before,
            Rung::Aborted => Self::Aborted,
            Rung::RollbackOpen => Self::Back,
        }
    }

    /// What may be asked for there. Setting a later phase walks through those between: none has to be asked for by itself.
    fn accepts(self, to: Phase) -> bool {
        match self {
            // An earlier phase stops what is under way, or aborts it; there is nothing yet to roll back.
            Self::Before | Self::PerhapsBefore | Self::Switching => to != Phase::RolledBack,
            Self::Switched | Self::GoingBack => matches!(to, Phase::CutOver | Phase::Completed | Phase::RolledBack),
            Self::Over => to == Phase::Completed,
            Self::Aborted => to < Phase::CutOver,
            Self::Back => to == Phase::RolledBack,
            Self::PerhapsSwitched => true,
            Self::PerhapsBack => matches!(to, Phase::CutOver | Phase::RolledBack),
        }
    }

    fn why(self, file: &Migration) -> String {
        let attempt = file.spec.attempt;
        match self {
            Self::Before => "the target has taken no writes, so that there is nothing to roll back".into(),
            Self::PerhapsBefore => {
                "by this file nothing has been switched; if it has been all the same, a running bascule knows: ask it with --server"
                    .into()
            }
            Self::Switching => "the target has taken no writes yet; an earlier phase is an abort".into(),
            Self::Switched => "the target has taken writes, so that the only way back is a rollback".into(),
            Self::GoingBack => "a rollback is under way; CutOver or Completed take it back as long as legacy has not opened".into(),
            Self::Over => "the way back is given up, and the migration is over".into(),
            Self::Aborted => format!("attempt {attempt} was aborted and is never tried again; raise spec.attempt first"),
            Self::Back => format!("attempt {attempt} was rolled back and is never tried again; raise spec.attempt first"),
            Self::PerhapsSwitched => "it is not known where the migration stands".into(),
            Self::PerhapsBack => {
                "a rollback was asked for; where it stands only a running bascule knows, and whether spec.attempt has been raised \
                 since: ask it with --server"
                    .into()
            }
        }
    }
}

/// Whether `file` may ask for `to`, where `known` is what a running controller said last, if it was asked.
///
/// # Errors
/// With what would be accepted.
pub fn judge(file: &Migration, to: Phase, known: Option<&MigrationStatus>) -> Result<Promotion, Refusal> {
    if let Some(status) = known.filter(|status| status.attempt > file.spec.attempt) {
        let why = format!(
            "the file is at attempt {}, and attempt {} is under way: it is an old one",
            file.spec.attempt, status.attempt
        );
        return Err(Refusal { to, why, accepted: Vec::new() });
    }
    if to == file.spec.phase {
        return Ok(Promotion::Already);
    }
    let stand = Stand::of(file, known);
    if !stand.accepts(to) {
        let accepted = Phase::ALL.into_iter().filter(|phase| stand.accepts(*phase)).collect();
        return Err(Refusal { to, why: stand.why(file), accepted });
    }
    Ok(Promotion::Allowed(notes(stand, file, to, known)))
}

fn notes(stand: Stand, file: &Migration, to: Phase, known: Option<&MigrationStatus>) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |text: &str| notes.push(text.to_owned());
    match (stand, to) {
        (Stand::PerhapsSwitched, Phase::RolledBack) => {}
        (Stand::PerhapsSwitched, earlier) if earlier < Phase::CutOver => {
            note("this aborts a switch that is before its point of no return; after it, only RolledBack goes back");
        }
        (Stand::Switching, earlier) if earlier < Phase::CutOver => note("this aborts the switch that is under way"),
        (Stand::GoingBack, _) => note("this takes the rollback back, unless legacy has opened"),
        _ => {}
    }
    if to == Phase::Completed && file.spec.phase < Phase::CutOver {
        note("this also asks, in advance, for the way back to be given up at the end of the observation window");
    }
    if let Some(status) = known.filter(|status| to == Phase::RolledBack && !status.rollback.ready) {
        note(&format!("the rollback will wait: {}", status.rollback.reasons.join("; ")));
    }
    notes
}

fn names(phases: &[Phase]) -> String {
    if phases.is_empty() {
        return "the newest version of the file".into();
    }
    phases.iter().map(|phase| phase.name()).collect::<Vec<_>>().join(", ")
}
