//! The runbook: what will happen to which real resource, what to watch, what to type, and what to do when it goes wrong.
//!
//! It is text made from the spec and the ladder, and nothing else: the same spec gives the same book, and a changed ladder
//! changes it by itself.

mod steps;
mod trouble;

use std::path::Path;

use crate::controllers::dns::{RecordAnswer, RecordSet};
use crate::migration::approvals::cutover_digest;
use crate::migration::gates::{self, Gate};
use crate::migration::ladder::Rung;
use crate::names::Side;
use crate::spec::period::spoken;
use crate::spec::{Demand, Destination, Migration, Phase};

pub use trouble::Trouble;

/// The book of one migration, in Markdown. `file` is what its commands name.
pub fn runbook(migration: &Migration, file: &Path) -> String {
    let book = Book { migration, file: file.display().to_string() };
    let mut pages = vec![book.title(), book.resources(), book.beforehand()];
    pages.extend(Phase::ALL.into_iter().filter(|phase| *phase != Phase::RolledBack).map(|phase| book.phase(phase)));
    pages.extend([book.rollback(), book.forced_rollback()]);
    pages.push("## When something goes wrong\n\nEach of these names what the program does by itself first.\n".to_owned());
    pages.extend(Trouble::ALL.map(|trouble| book.trouble(trouble)));
    pages.join("\n")
}

/// What the pages are made from.
struct Book<'a> {
    migration: &'a Migration,
    file: String,
}

impl Book<'_> {
    fn title(&self) -> String {
        let name = self.migration.name();
        format!(
            "# Runbook: {name}\n\n\
             Made by `bascule runbook {}`. Make it anew when the file changes: what stands here is of the cutover with the plan digest\n\n    {}\n",
            self.file,
            cutover_digest(self.migration)
        )
    }

    fn resources(&self) -> String {
        let spec = &self.migration.spec;
        let [legacy, target] = [Side::Legacy, Side::Target].map(|side| self.server(side));
        let (forward, reverse) = (&spec.replication.forward, &spec.replication.reverse);
        let accounts = |side| accounts(&self.migration.database(side).application_accounts);
        let rows = [
            ("legacy database", legacy),
            ("shut out of it by the fence", accounts(Side::Legacy)),
            ("target database", format!("{target}, cluster `{}`", spec.target.cluster)),
            ("shut out of it by the fence", accounts(Side::Target)),
            ("schemas that move", code_list(&spec.legacy.database.schemas)),
            ("DMS instance", format!("`{}`", spec.replication.instance_arn)),
            (
                "forward task",
                format!("`{}`: `{}` to `{}`", forward.identifier, spec.legacy.endpoint_arn, spec.target.endpoint_arn),
            ),
            (
                "reverse task",
                format!(
                    "`{}`: `{}` to `{}`",
                    reverse.identifier, spec.target.reverse_endpoint_arn, spec.legacy.reverse_endpoint_arn
                ),
            ),
            ("parameter group", format!("`{}` ({})", spec.binlog.parameter_group, spec.binlog.family)),
            ("load balancer", format!("`{}`", spec.load_balancer.arn)),
            ("target group", format!("`{}`", spec.load_balancer.target_group_arn)),
            ("hosted zone", format!("`{}` ({})", spec.dns.hosted_zone_id, spec.dns.zone_name)),
            ("public name", format!("`{}`", spec.dns.public.name)),
            ("while legacy serves", destination(&spec.dns.public.legacy)),
            ("once the target serves", destination(&spec.dns.public.target)),
            ("shadow name", format!("`{}`", spec.dns.shadow.name)),
        ];
        let rows: String = rows.iter().map(|(what, which)| format!("| {what} | {which} |\n")).collect();
        format!("## What it is about\n\n| | |\n|---|---|\n{rows}")
    }

    fn beforehand(&self) -> String {
        let (file, name) = (&self.file, self.migration.name());
        format!(
            "## Before you begin\n\n\
             Nothing of this changes anything.\n\n\
             ```\n\
             bascule validate {file}\n\
             bascule iam-policy {file}\n\
             bascule check {file}\n\
             bascule plan {file}\n\
             bascule rehearse {file}\n\
             ```\n\n\
             During all of it, one terminal shows `bascule status {name} --watch`. Its last lines say what is awaited and what to do next;\n\
             where they and this book differ, they know more.\n"
        )
    }

    fn phase(&self, phase: Phase) -> String {
        let mut text = format!("## {}: {}\n\n", phase.name(), steps::meaning(phase));
        text.push_str("### What happens\n\n");
        text.push_str(&self.rungs(steps::rungs(phase)));
        for chore in self.chores(phase) {
            text.push_str(&format!("- {chore}\n"));
        }
        text.push_str(&format!("\n### What to watch\n\n{}\n", self.watch(phase)));
        text.push_str("\nIt is reached once these gates are open: ");
        text.push_str(&format!("{}.\n", gate_names(arrival(phase))));
        match phase {
            Phase::CutOver => {
                text.push_str(&format!("\nThe first fence waits for these besides: {}.\n", gate_names(gates::CUTOVER)));
            }
            Phase::Completed => text.push_str(&format!("\nIt waits for these first: {}.\n", gate_names(gates::COMPLETION))),
            _ => {}
        }
        text.push_str(&format!("\n### What to type\n\n{}", self.promotion(phase)));
        text.push_str(&format!("\n### Who approves\n\n{}\n", self.who(phase)));
        text.push_str(&format!("\n### What can go wrong\n\n{}", links(steps::troubles(phase))));
        text
    }

    fn rollback(&self) -> String {
        let name = self.migration.name();
        format!(
            "## RolledBack: {}\n\n\
             From `CutOver` on, as long as `status.rollback.ready` is true. It loses nothing, or does not begin.\n\n\
             ### What happens\n\n{}\n\
             ### What to watch\n\n\
             `bascule status {name} --watch`: both sides closed, then legacy open. The pause may last {}; past it, the target opens again\n\
             and the rollback is given up until it is taken back and asked for anew.\n\n\
             It begins once these gates are open: {}.\n\n\
             ### What to type\n\n{}\n\
             ### Who approves\n\n\
             Whoever may merge to the file's branch: a rollback needs no approvals, as waiting for people would cost more than it saves.\n\n\
             ### What can go wrong\n\n{}",
            steps::meaning(Phase::RolledBack),
            self.rungs(steps::ROLLBACK),
            self.budget(),
            gate_names(gates::ROLLBACK),
            self.promotion(Phase::RolledBack),
            links(steps::troubles(Phase::RolledBack)),
        )
    }

    fn forced_rollback(&self) -> String {
        let attempt = self.migration.spec.attempt;
        format!(
            "## Forced rollback: going back without the writes that legacy lacks\n\n\
             Only where reverse replication is lost for good, and only on somebody's word. Every row that legacy lacks is saved first.\n\n\
             ### What happens\n\n{}\n\
             ### What to type\n\n\
             Save the rows once by hand, which changes nothing and tells how long the export takes:\n\n\
             ```\nbascule quarantine {file} -o rows-at-risk\n```\n\n\
             Then say so in `{file}`, and ask for `RolledBack`:\n\n\
             ```yaml\n  rollback:\n    forced:\n      attempt: {attempt}\n      acceptLossOf: EveryWriteThatLegacyLacks\n      \
             by: the name of whoever answers for it\n      why: why going back is worth it\n```\n\n\
             It begins once these gates are open: {}.\n\n\
             ### Who approves\n\n\
             The person named in `by`, whose word is journalled before anything is done.\n\n\
             ### What can go wrong\n\n{}",
            self.rungs(steps::FORCED),
            gate_names(gates::FORCED),
            links(&[Trouble::BudgetExceeded, Trouble::ControllerDies]),
            file = self.file,
        )
    }

    fn rungs(&self, rungs: &[(Rung, Rung)]) -> String {
        let told = rungs.iter().map(|(before, rung)| {
            let mut changes = self.changes(*before, *rung);
            if changes.is_empty() {
                changes.push("Nothing is changed; what is there is looked at.".to_owned());
            }
            let changes: String = changes.iter().map(|change| format!("- {change}\n")).collect();
            format!("**{rung}**\n\n{changes}")
        });
        told.collect::<Vec<_>>().join("\n")
    }

    fn promotion(&self, phase: Phase) -> String {
        let (file, name) = (&self.file, self.migration.name());
        let approve = if phase == Phase::CutOver && self.migration.spec.cutover.approvals.required > 0 {
            format!("bascule approve {file} --as NAME --server http://127.0.0.1:8080   # each of those who agree\n")
        } else {
            String::new()
        };
        format!(
            "```\n\
             bascule plan {file} --server http://127.0.0.1:8080\n\
             {approve}\
             bascule promote {file} --to {phase}   # one line; commit it, have it reviewed, merge it\n\
             bascule status {name} --watch\n\
             ```\n"
        )
    }

    fn who(&self, phase: Phase) -> String {
        let rule = &self.migration.spec.cutover.approvals;
        match (phase, rule.required) {
            (Phase::CutOver, 0) => "Whoever merges: the file asks for no approvals beside the pull request.".to_owned(),
            (Phase::CutOver, needed) => format!(
                "{needed} distinct people, by `bascule approve`, for attempt {} and this very plan. Each word holds for {}; a changed \
                 plan voids all of them.",
                self.migration.spec.attempt, rule.expire_after
            ),
            (Phase::Completed, _) => "Whoever owns the payments: after this there is no way back.".to_owned(),
            _ => "Whoever reviews the pull request; nothing here is irreversible.".to_owned(),
        }
    }

    fn server(&self, side: Side) -> String {
        let database = self.migration.database(side);
        format!("`{}:{}`", database.host, database.port)
    }

    fn budget(&self) -> String {
        spoken(self.migration.spec.cutover.write_pause_budget.duration())
    }

    fn hooks(&self, points: &[crate::spec::HookPoint]) -> Vec<String> {
        let declared = self.migration.spec.hooks.iter().filter(|hook| points.contains(&hook.at));
        let said = declared.map(|hook| {
            let waits = match hook.demand {
                Demand::Told => "nothing waits for it for long",
                Demand::Required => "what comes next waits until it takes the call",
                Demand::Confirmed => "what comes next waits until it says yes",
            };
            format!("The hook `{}` is called at {}: `{}`; {waits}.", hook.name, hook.at, hook.url)
        });
        said.collect()
    }
}

/// The gates of the rung on which a phase is reached.
fn arrival(phase: Phase) -> &'static [Gate] {
    let rung = Rung::ALL.into_iter().find(|rung| rung.reaches() == Some(phase));
    rung.map_or(&[], gates::arrival)
}

fn gate_names(gates: &[Gate]) -> String {
    gates.iter().map(|gate| format!("`{}`", gate.name())).collect::<Vec<_>>().join(", ")
}

fn links(troubles: &[Trouble]) -> String {
    troubles.iter().map(|trouble| format!("- [{}](#{})\n", trouble.title(), trouble.anchor())).collect()
}

fn code_list(words: &[String]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn accounts(accounts: &[crate::names::Account]) -> String {
    code_list(&accounts.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Where a name leads, as Route 53 would say it.
fn destination(destination: &Destination) -> String {
    let record = RecordSet::pointing(&crate::names::DomainName::from(""), destination, 0);
    match record.answer {
        RecordAnswer::Values { values, .. } => format!("{} {}", record.record_type, code_list(&values)),
        RecordAnswer::Alias { dns_name, .. } => format!("alias of `{dns_name}`"),
    }
}
