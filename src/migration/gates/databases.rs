//! Gates that the two databases answer: reachable, same tables, fenced or open, compared.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Scene, unknown_of};
use crate::clock::elapsed;
use crate::controllers::fence::{FenceState, judge, locked_by_others, shortfall};
use crate::database::receipt::{Knock, KnockAnswer};
use crate::migration::ids::{self, Strides};
use crate::migration::plan::Standing;
use crate::names::{Account, Side};
use crate::sighting::Sighting;
use crate::spec::period::spoken;

pub(super) fn reachable(scene: &Scene<'_>) -> Standing {
    for side in [Side::Legacy, Side::Target] {
        let sighting = scene.seen.database(side);
        if sighting.present().is_none() {
            return unknown_of(&format!("the {side} database"), sighting);
        }
    }
    Standing::Open("both databases answer".into())
}

pub(super) fn schema_present(scene: &Scene<'_>) -> Standing {
    let (Some(legacy), Some(target)) = (scene.seen.legacy.present(), scene.seen.target.present()) else {
        return reachable(scene);
    };
    let missing: Vec<String> = legacy.tables.difference(&target.tables).map(ToString::to_string).collect();
    if legacy.tables.is_empty() {
        return Standing::Closed("legacy has no tables in the declared schemas".into());
    }
    if missing.is_empty() {
        return Standing::Open(format!("all {} tables of legacy exist on the target", legacy.tables.len()));
    }
    Standing::Closed(format!("the target lacks {}; run the application's schema migrations there", missing.join(", ")))
}

/// So many names are listed; the rest is counted, so that a sentence stays one.
const NAMES_LISTED: usize = 4;

fn listed(names: &[String], separator: &str) -> String {
    let shown = names.iter().take(NAMES_LISTED).cloned().collect::<Vec<_>>().join(separator);
    match names.len().saturating_sub(NAMES_LISTED) {
        0 => shown,
        more => format!("{shown}{separator}and {more} more"),
    }
}

pub(super) fn controller_privileged(scene: &Scene<'_>) -> Standing {
    for side in [Side::Legacy, Side::Target] {
        let sighting = scene.seen.inspection(side);
        let Some(inspection) = sighting.present() else {
            return unknown_of(&format!("the privileges on the {side} database"), sighting);
        };
        // Every GRANT is to be run, so that none is left out.
        if !inspection.missing_privileges.is_empty() {
            return Standing::Closed(format!("run on the {side} database: {};", inspection.missing_privileges.join("; ")));
        }
    }
    Standing::Open("the controller may do all that it will have to, on both sides".into())
}

pub(super) fn no_bypass(scene: &Scene<'_>) -> Standing {
    let mut found = Vec::new();
    for side in [Side::Legacy, Side::Target] {
        let sighting = scene.seen.inspection(side);
        match sighting.present() {
            Some(inspection) if inspection.missing_privileges.is_empty() => {
                found.extend(inspection.bypasses.iter().map(|bypass| format!("on {side}, {bypass}")));
            }
            // Whoever may not see everybody sees nobody.
            Some(_) => return Standing::Unknown(format!("the controller may not see everybody on the {side} database")),
            None => return unknown_of(&format!("who may write to the {side} database"), sighting),
        }
    }
    if found.is_empty() {
        return Standing::Open("nobody but the declared and the trusted accounts could write".into());
    }
    Standing::Closed(listed(&found, "; "))
}

pub(super) fn canaries_ready(scene: &Scene<'_>) -> Standing {
    let (mut silent, mut tried) = (Vec::new(), 0);
    for side in [Side::Legacy, Side::Target] {
        let sighting = scene.seen.inspection(side);
        let Some(inspection) = sighting.present() else {
            return unknown_of(&format!("what the canaries meet on the {side} database"), sighting);
        };
        tried += inspection.canaries.len();
        silent.extend(inspection.canaries.iter().filter(|knock| says_nothing(knock)).map(|knock| format!("on {side}, {knock}")));
    }
    match (silent.is_empty(), tried) {
        (false, _) => Standing::Closed(listed(&silent, "; ")),
        (true, 0) => Standing::Open("no canary is declared, so that no refused write will be seen".into()),
        (true, _) => Standing::Open(format!("{tried} logins of canaries were tried, and are right")),
    }
}

/// A canary that the fence's lock would not be asked about, or that nobody answers.
const fn says_nothing(knock: &Knock) -> bool {
    match &knock.answer {
        KnockAnswer::LetIn | KnockAnswer::Refused { .. } => false,
        KnockAnswer::Inconclusive { .. } | KnockAnswer::Unanswered { .. } => true,
    }
}

pub(super) fn fence_reversible(scene: &Scene<'_>) -> Standing {
    let (mut foreign, mut rows) = (Vec::new(), BTreeSet::new());
    for side in [Side::Legacy, Side::Target] {
        let sighting = scene.seen.database(side);
        let Some(view) = sighting.present() else { return unknown_of(&format!("the {side} database"), sighting) };
        let locked = locked_by_others(view, &scene.migration.database(side).application_accounts);
        foreign.extend(locked.iter().map(|account| format!("{account} on {side}")));
        let locks = view.accounts.iter().flat_map(|look| &look.foreign_locks);
        rows.extend(locks.map(|row| format!("{row} on {side}")));
    }
    if foreign.is_empty() {
        let evidence = "what a fence has closed it can open again, on both sides";
        if rows.is_empty() {
            return Standing::Open(evidence.to_owned());
        }
        let rows: Vec<String> = rows.into_iter().collect();
        return Standing::Open(format!("{evidence}; locked by somebody else, and left so: {}", listed(&rows, ", ")));
    }
    Standing::Closed(format!(
        "{} is locked, and not by the fence, which would leave it so: ALTER USER ... ACCOUNT UNLOCK; where it is to be shut out, \
         the fence closes it again at once",
        listed(&foreign, ", ")
    ))
}

pub(super) fn id_headroom(scene: &Scene<'_>) -> Standing {
    let opening = ids::side_to_open(scene.facts.rung);
    let Some((here, there)) = ids::both(scene, opening) else { return id_space_unknown(scene) };
    let mut obstacles = ids::obstacles(here, there);
    let apart = match ids::strides(opening, here, there) {
        Strides::Alike => String::new(),
        Strides::Apart(found) => format!("; {found}"),
        Strides::Crossing(why) => {
            obstacles.push(why);
            String::new()
        }
    };
    match (obstacles.is_empty(), ids::tightest(here, there)) {
        (false, _) => Standing::Closed(listed(&obstacles, "; ")),
        (true, Some((table, percent))) => {
            Standing::Open(format!("{table} has {percent} % of its numbers left; widen its key soon{apart}"))
        }
        (true, None) => Standing::Open(format!("{} tables that number their rows have room{apart}", here.counters.len())),
    }
}

pub(super) fn id_space_clear(scene: &Scene<'_>) -> Standing {
    let opening = ids::side_to_open(scene.facts.rung);
    let Some((here, there)) = ids::both(scene, opening) else { return id_space_unknown(scene) };
    let obstacles = ids::obstacles(here, there);
    let behind: Vec<String> = ids::floors(here, there).iter().map(|floor| floor.table.to_string()).collect();
    match (obstacles.is_empty(), behind.is_empty()) {
        (false, _) => Standing::Closed(listed(&obstacles, "; ")),
        (true, false) => Standing::Closed(format!(
            "{opening} would give numbers again that the other side has given: {}",
            listed(&behind, ", ")
        )),
        (true, true) => {
            Standing::Open(format!("{opening} gives its rows numbers that nobody has given{}", differing(scene, opening)))
        }
    }
}

/// Raised counters make different distances harmless; whoever set one of them since the cutover should know all the same.
fn differing(scene: &Scene<'_>, opening: Side) -> String {
    match ids::both(scene, opening).map(|(here, there)| ids::strides(opening, here, there)) {
        None | Some(Strides::Alike) => String::new(),
        Some(Strides::Apart(told) | Strides::Crossing(told)) => format!("; {told}"),
    }
}

fn id_space_unknown(scene: &Scene<'_>) -> Standing {
    let unknown = [Side::Legacy, Side::Target].into_iter().find(|side| scene.seen.id_space(*side).present().is_none());
    let side = unknown.unwrap_or(Side::Legacy);
    unknown_of(&format!("the numbers of rows on the {side} database"), scene.seen.id_space(side))
}

fn fence_state(scene: &Scene<'_>, side: Side, accounts: &[Account]) -> Sighting<FenceState> {
    scene.seen.database(side).as_ref().map(|view| judge(view, accounts))
}

pub(super) fn fenced(scene: &Scene<'_>, side: Side, accounts: &[Account]) -> Standing {
    match fence_state(scene, side, accounts) {
        Sighting::Present(FenceState::Closed { .. }) => match lacking(scene, side, accounts) {
            None => Standing::Open(format!("no commit can follow on {side}")),
            Some(why) => Standing::Unknown(why),
        },
        Sighting::Present(FenceState::Open) => Standing::Closed(format!("{side} is open")),
        Sighting::Present(FenceState::Between(why)) => Standing::Closed(why),
        sighting => unknown_of(&format!("the {side} database"), &sighting),
    }
}

/// What the closed fence of a side lacks of the proof that this rung asks for.
pub fn lacking(scene: &Scene<'_>, side: Side, accounts: &[Account]) -> Option<String> {
    shortfall(scene.seen.database(side).present()?, accounts, scene.facts.rung.proof(side))
}

pub(super) fn open_to_application(scene: &Scene<'_>, side: Side) -> Standing {
    match fence_state(scene, side, &scene.migration.database(side).application_accounts) {
        Sighting::Present(FenceState::Open) => Standing::Open(format!("the application can write to {side}")),
        Sighting::Present(FenceState::Closed { .. }) => Standing::Closed(format!("{side} is closed")),
        Sighting::Present(FenceState::Between(why)) => Standing::Closed(why),
        sighting => unknown_of(&format!("the {side} database"), &sighting),
    }
}

pub(super) fn parity_clean(scene: &Scene<'_>) -> Standing {
    let wanted = scene.migration.spec.validation.consecutive_passes;
    let Some(parity) = &scene.facts.parity else {
        return Standing::Closed("rows have not been compared yet".into());
    };
    let complaints = parity.complaints();
    if !complaints.is_empty() {
        return Standing::Closed(complaints.join("; "));
    }
    if parity.clean_in_a_row < wanted {
        return Standing::Closed(format!("{} of {wanted} clean comparisons in a row", parity.clean_in_a_row));
    }
    Standing::Open(format!("{} clean comparisons in a row, {} rows", parity.clean_in_a_row, parity.rows))
}

pub(super) fn parity_fresh(scene: &Scene<'_>) -> Standing {
    let max_age = scene.migration.spec.validation.max_age.duration();
    let clean = parity_clean(scene);
    let Some(parity) = scene.facts.parity.as_ref().filter(|_| clean.is_open()) else { return clean };
    let age = elapsed(parity.at, scene.now);
    let took = parity.report.as_ref().map_or(Duration::ZERO, |report| elapsed(report.began, report.finished));
    match (age > max_age, took > max_age / 2) {
        (false, _) => clean,
        (true, false) => Standing::Closed(format!("the newest comparison is {} old", spoken(age))),
        // Half of it, because the next one has to end before this one is too old.
        (true, true) => Standing::Closed(format!(
            "the newest comparison began {} ago and took {}, so it cannot stay younger than validation.maxAge; raise that to \
             twice as long as a comparison takes, or validation.parity.maxRowsPerSecond",
            spoken(age),
            spoken(took)
        )),
    }
}
