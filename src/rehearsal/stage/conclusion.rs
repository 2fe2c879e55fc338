//! How a rehearsal ended: what the world, the journal and the customers say of it.

use jiff::Timestamp;

use super::announced::Announced;
use super::{Rehearsed, Stage};
use crate::clock::elapsed;
use crate::journal::{Entry, Event, HISTORY_PAGE, Journal};
use crate::lab::report::LabReport;
use crate::migration::facts::Fact;
use crate::migration::status::MigrationStatus;
use crate::names::Side;
use crate::rehearsal::pause::{PauseSplit, split};
use crate::rehearsal::story::Story;
use crate::rehearsal::timeline::PhaseEntry;
use crate::rehearsal::verdict::Verdict;
use crate::sim::World;
use crate::sim::wire::Cloud;

impl Stage<'_> {
    /// Asks everybody once more, and puts down what they say.
    pub(super) fn conclude(
        self,
        begins: Timestamp,
        status: Option<MigrationStatus>,
        ended: bool,
        places: u64,
        lab: Option<LabReport>,
    ) -> Rehearsed {
        let now = self.clock.now();
        let authoritative = self.authoritative();
        let outcome = match status.as_ref().and_then(|status| status.phase) {
            Some(phase) if ended => phase.to_string(),
            _ => "Stuck".to_owned(),
        };
        let history = history(&self.journal);
        let (report, pauses) = {
            let mut world = self.world();
            world.advance(now);
            if !ended {
                world.monitor.report(
                    "L1",
                    now,
                    format!("the story never ended; last: {}", status.as_ref().map_or("", |status| &status.summary)),
                );
            }
            let switches = match &lab {
                Some(lab) => lab.switches.iter().map(|switch| (switch.to, switch.last_at, switch.first_at)).collect(),
                None => [Side::Target, Side::Legacy]
                    .into_iter()
                    .filter_map(|side| world.customers.switch_to(side).map(|(last, first)| (side, last, first)))
                    .collect::<Vec<_>>(),
            };
            let pauses: Vec<PauseSplit> =
                switches.into_iter().map(|(to, last, first)| split(&history, to, last, first)).collect();
            if let Some(lab) = &lab {
                judge_switches(&mut world, lab, authoritative, now);
            }
            judge_calls(&mut world, &self.announced, &history);
            (world.report(authoritative), pauses)
        };
        let pause = |side| pauses.iter().rev().find(|pause| pause.towards == side).map(|pause| pause.seconds);
        let verdict = Verdict {
            migration: self.name,
            scenario: self.request.scenario,
            seed: self.request.seed,
            faults: self.request.faults.clone(),
            outcome,
            phases: phases_reached(&history),
            attempts: self.attempts,
            payments: lab.as_ref().map_or(report.payments, |lab| lab.payments),
            write_pause_seconds: pause(Side::Target),
            rollback_write_pause_seconds: pause(Side::Legacy),
            pauses,
            simulated_seconds: elapsed(begins, now).as_secs(),
            passes: self.passes,
            controller_starts: self.starts,
            aws_calls: report.aws_calls,
            faults_injected: report.faults_injected,
            hook_calls: report.hook_calls,
            violations: report.violations,
            lessons: self.story.as_ref().map_or_else(Vec::new, Story::report),
            lab,
        };
        let killed = self.killer.into_killed();
        Rehearsed { verdict, timeline: self.timeline, places, killed, status, journal: self.journal }
    }
}

/// Everything that the journal has.
fn history(journal: &Journal) -> Vec<Entry> {
    let mut history = Vec::new();
    let mut after = 0;
    while let Ok(entries) = journal.history(after, HISTORY_PAGE) {
        let Some(last) = entries.last() else { break };
        after = last.seq.0;
        history.extend(entries);
    }
    history
}

/// Every phase as the journal has it, several at once if one look reached them.
fn phases_reached(history: &[Entry]) -> Vec<PhaseEntry> {
    let reached = history.iter().filter_map(|entry| match &entry.event {
        Event::Fact(Fact::Reached { phase }) => Some(PhaseEntry { phase: *phase, entered_at: entry.at }),
        _ => None,
    });
    reached.collect()
}

/// S9: what came to a service without an intent in the journal.
fn judge_calls(world: &mut World, announced: &Announced, history: &[Entry]) {
    let calls = std::mem::take(&mut world.faults().mutations);
    for (at, service, operation) in announced.missing(history, &calls) {
        world.monitor.report("S9", *at, format!("{operation} came to {} before the journal had its intent", service.name()));
    }
}

/// S1 with real servers: customers are the witnesses. One side says yes, then the other; each further change means that both
/// were open.
fn judge_switches(world: &mut World, lab: &LabReport, authoritative: Side, now: Timestamp) {
    let expected: &[Side] = match authoritative {
        Side::Target => &[Side::Target],
        Side::Legacy => &[Side::Target, Side::Legacy],
    };
    let seen: Vec<Side> = lab.switches.iter().map(|switch| switch.to).collect();
    if !expected.starts_with(&seen) {
        world.monitor.report("S1", now, format!("customers were told yes by one side after the other: {seen:?}"));
    }
    if lab.left_behind > 0 {
        world.monitor.report("S2", now, format!("{} rows are not on {authoritative}", lab.left_behind));
    }
    if lab.unbalanced > 0 {
        world.monitor.report("S2", now, format!("{} accounts on {authoritative} do not balance", lab.unbalanced));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Aws;
    use crate::rehearsal::operator::Scenario;
    use crate::rehearsal::stage::Request;
    use crate::sim::monitor::Violation;
    use crate::sim::profile::FaultProfile;
    use crate::sim::wire::connector::transport;
    use crate::spec::load::load;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_no_intent_announced_is_held_against_the_controller() {
        let text = include_bytes!("../../../manifests/base/payments.yaml");
        let migration = load("payments.yaml", text).expect("the example is valid").migration.into_inner();
        let request = Request::new(Scenario::Forward, "calm", FaultProfile::calm(), 1);
        for (calls, violations) in [(0, 0), (1, 1)] {
            let stage = Stage::set(&migration, &request);
            let aws = Aws::from_transport(&stage.region, &transport(stage.world.clone(), stage.clock.clone()), &stage.clock);
            for _ in 0..calls {
                let answer = aws.dms.delete_replication_task().replication_task_arn("arn:of:no:task").send().await;
                assert!(answer.is_err(), "it has come, and there is no such task");
            }
            let begins = stage.clock.now();
            let verdict = stage.conclude(begins, None, true, 0, None).verdict;
            let found: Vec<&Violation> = verdict.violations.iter().filter(|violation| violation.rule == "S9").collect();
            assert_eq!(found.len(), violations, "{:?}", verdict.violations);
        }
    }
}
