//! What the servers run by themselves or for the application: triggers, events, routines, views.
//!
//! Two of these are dangerous on the target for as long as rows come from legacy. A trigger fires for replicated rows as for any
//! others, and does again what it did on legacy; an event writes by itself, and no fence stops it.

use super::columns::Tables;
use super::compare::Sides;
use super::ddl::place;
use super::difference::{Clauses, Difference, Severity};
use super::pair::{Pair, pairs};
use crate::database::structure::{Event, Program, Routine, Schema, Trigger};

/// Triggers of a table: none is to be on the target while rows come.
pub(super) fn triggers(tables: Tables<'_>) -> Vec<Difference> {
    let found = pairs(&tables.legacy.triggers, &tables.target.triggers).map(|(name, pair)| {
        let what = format!("{}.{name} (trigger)", tables.schema);
        let fires = |trigger: &Trigger| format!("{} on {}", trigger.fires, tables.name);
        let (severity, sentence) = match pair {
            Pair::Legacy(lacking) => {
                let sentence = format!(
                    "legacy has this trigger, {}: create it on the target once that is open, and not before, \
                     as it would fire for replicated rows",
                    fires(lacking)
                );
                return Difference::new(Severity::Matters, what, sentence);
            }
            Pair::Both(_, trigger) => {
                let sentence = "fires for replicated rows too, and does again what it did on legacy: \
                                drop it until the target is open";
                (Severity::Blocks, format!("this trigger, {}, {sentence}", fires(trigger)))
            }
            Pair::Target(trigger) => {
                let sentence = "which only the target has, fires for replicated rows, and makes them differ";
                (Severity::Blocks, format!("this trigger, {}, {sentence}", fires(trigger)))
            }
        };
        Difference::new(severity, what, sentence).cured_by(format!("DROP TRIGGER {}", place(tables.schema, name)))
    });
    found.collect()
}

/// Events of a schema: on the target they are there, and disabled.
pub(super) fn events(schema: &str, legacy: &Schema, target: &Schema) -> Vec<Difference> {
    let found = pairs(&legacy.events, &target.events).filter_map(|(name, pair)| {
        let what = format!("{schema}.{name} (event)");
        let disable = format!("ALTER EVENT {} DISABLE", place(schema, name));
        let is_enabled = |event: &Event| event.enabled;
        match pair {
            Pair::Legacy(_) => {
                let sentence = "the target lacks this event: its work would end with the cutover; \
                                create it there, disabled, from what SHOW CREATE EVENT prints on legacy";
                Some(Difference::new(Severity::Blocks, what, sentence))
            }
            Pair::Target(event) | Pair::Both(_, event) if is_enabled(event) => {
                let sentence =
                    "this event is enabled on the target: it writes by itself, beside replication and behind any fence";
                Some(Difference::new(Severity::Blocks, what, sentence).cured_by(disable))
            }
            Pair::Target(_) => None,
            Pair::Both(ours, theirs) => {
                let mut clauses = Clauses::default();
                program_clauses(&mut clauses, Severity::Blocks, &ours.program, &theirs.program);
                clauses.when(ours.schedule != theirs.schedule, Severity::Blocks, || {
                    format!("{} on the target, {} on legacy", theirs.schedule, ours.schedule)
                });
                clauses.when(ours.enabled, Severity::Harmless, || {
                    "disabled on the target, as it has to be: enable it once the target is open".to_owned()
                });
                clauses.of(what)
            }
        }
    });
    found.collect()
}

/// Routines of a schema.
pub(super) fn routines(schema: &str, legacy: &Schema, target: &Schema) -> Vec<Difference> {
    let found = pairs(&legacy.routines, &target.routines).filter_map(|(name, pair)| {
        let what = format!("{schema}.{name}");
        match pair {
            Pair::Legacy(_) => {
                let sentence = "the target lacks this routine: whoever calls it fails; create it there from what SHOW CREATE \
                                prints on legacy";
                Some(Difference::new(Severity::Blocks, what, sentence))
            }
            Pair::Target(_) => Some(Difference::new(Severity::Harmless, what, "only the target has this routine")),
            Pair::Both(ours, theirs) => {
                let mut clauses = Clauses::default();
                let told = |routine: &Routine| format!("({})", routine.parameters.join(", "));
                clauses.when(ours.parameters != theirs.parameters, Severity::Blocks, || {
                    format!("{} on the target, {} on legacy", told(theirs), told(ours))
                });
                program_clauses(&mut clauses, Severity::Blocks, &ours.program, &theirs.program);
                clauses.of(what)
            }
        }
    });
    found.collect()
}

/// Views of a schema.
pub(super) fn views(sides: Sides<'_>, schema: &str, legacy: &Schema, target: &Schema) -> Vec<Difference> {
    let found = pairs(&legacy.views, &target.views).filter_map(|(name, pair)| {
        let what = format!("{schema}.{name}");
        match pair {
            Pair::Legacy(_) => {
                let sentence = "the target lacks this view: whoever reads it fails; create it there from what SHOW CREATE VIEW \
                                prints on legacy";
                Some(Difference::new(Severity::Blocks, what, sentence))
            }
            Pair::Target(_) => Some(Difference::new(Severity::Harmless, what, "only the target has this view")),
            Pair::Both(ours, theirs) => {
                let mut clauses = Clauses::default();
                // The server prints it in its own words; of other programs it keeps the text.
                program_clauses(&mut clauses, sides.severity_of_text(), ours, theirs);
                clauses.of(what)
            }
        }
    });
    found.collect()
}

fn program_clauses(clauses: &mut Clauses, severity_of_text: Severity, ours: &Program, theirs: &Program) {
    clauses.when(ours.digest != theirs.digest, severity_of_text, || {
        "its text is another one: compare what SHOW CREATE prints on both sides".to_owned()
    });
    clauses.when(ours.security != theirs.security, Severity::Blocks, || {
        format!("SQL SECURITY {} on the target, {} on legacy: it runs with other rights", theirs.security, ours.security)
    });
    clauses.when(ours.definer != theirs.definer, Severity::Matters, || {
        format!(
            "its definer is {} on the target, {} on legacy: see that this account may do there what it does",
            theirs.definer, ours.definer
        )
    });
}
