//! Everything that the program can do is done twice, through the real SDK, against the stand-in world: the second time it dies
//! right after the write, before anything learnt could be made durable. A fresh controller must come to the same end.

// The SDK's futures are nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bascule::clock::after;
use bascule::controllers::binlog::BinlogAction;
use bascule::controllers::dns::{DnsAction, DnsPurpose};
use bascule::controllers::fence::FenceAction;
use bascule::controllers::hooks::HookAction;
use bascule::controllers::redirect::RedirectAction;
use bascule::controllers::replication::{ReplicationAction, StartType};
use bascule::engine::act::{act, fact_before};
use bascule::engine::beats::Beats;
use bascule::engine::cadence::Cadence;
use bascule::engine::inspect::Inspections;
use bascule::engine::observe::Eyes;
use bascule::engine::reconcile::Reconciler;
use bascule::migration::facts::MarkerPurpose;
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::migration::status::MigrationStatus;
use bascule::names::{Direction, Side};
use bascule::sim::crash::ControllerCrash;
use bascule::sim::elb::{Action as ListenerAction, FixedResponse, Listener};
use bascule::spec::{HookPoint, Phase};
use futures_util::FutureExt;

#[path = "common/hooks.rs"]
mod hooks;
#[path = "common/spec.rs"]
mod spec;
#[path = "common/surroundings.rs"]
mod surroundings;

use surroundings::{Surroundings, in_virtual_time};

/// A story of some days has fewer passes.
const PASSES: usize = 4_000;

/// What kind of action it is; a new one has to be given a name here, and then to be met by one of the stories below.
fn kind(action: &Action) -> Option<&'static str> {
    Some(match action {
        // No call: replaying the journal is proven with the journal.
        Action::Record(_) => return None,
        // It needs a way back that is lost: kills fall before and after it in the rehearsals of a forced rollback.
        Action::ExportRows { .. } => return None,
        Action::Replication(action) => match action {
            ReplicationAction::TestConnection { .. } => "TestConnection",
            ReplicationAction::CreateTask { direction: Direction::Forward } => "CreateTask forward",
            ReplicationAction::CreateTask { direction: Direction::Reverse } => "CreateTask reverse",
            ReplicationAction::StartTask { how: StartType::First, .. } => "StartTask first",
            ReplicationAction::StartTask { how: StartType::FromPosition(_), .. } => "StartTask from a position",
            ReplicationAction::StartTask { how: StartType::Resume, .. } => "StartTask resume",
            ReplicationAction::StopTask { .. } => "StopTask",
            ReplicationAction::DeleteTask { .. } => "DeleteTask",
            ReplicationAction::ReloadTables { .. } => "ReloadTables",
        },
        Action::Binlog(action) => match action {
            BinlogAction::CreateGroup => "CreateGroup",
            BinlogAction::SetParameters { .. } => "SetParameters",
            BinlogAction::AttachGroup => "AttachGroup",
            BinlogAction::RebootWriter { .. } => "RebootWriter",
            BinlogAction::SetRetention { .. } => "SetRetention",
        },
        Action::Dns(DnsAction::Change { purpose, .. }) => match purpose {
            DnsPurpose::Shadow => "Shadow",
            DnsPurpose::LowerTtl => "LowerTtl",
            DnsPurpose::FlipToTarget => "FlipToTarget",
            DnsPurpose::FlipToLegacy => "FlipToLegacy",
        },
        Action::Redirect(RedirectAction::CreateListener) => "CreateListener",
        Action::Redirect(RedirectAction::ModifyListener { .. }) => "ModifyListener",
        Action::Fence(FenceAction::Close { side: Side::Legacy, .. }) => "Close legacy",
        Action::Fence(FenceAction::Close { side: Side::Target, .. }) => "Close target",
        Action::Fence(FenceAction::Open { side: Side::Legacy, .. }) => "Open legacy",
        Action::Fence(FenceAction::Open { side: Side::Target, .. }) => "Open target",
        Action::WriteMarker { purpose, .. } => match purpose {
            MarkerPurpose::Drain => "Marker drain",
            MarkerPurpose::ReverseProof => "Marker reverse proof",
            MarkerPurpose::RollbackDrain => "Marker rollback drain",
        },
        Action::RaiseIds { .. } => "RaiseIds",
        Action::CompareTables => "CompareTables",
        Action::Hook(HookAction::Call { point, .. }) => match point {
            HookPoint::BeforeFence => "Hooks before the fence",
            HookPoint::AfterFence => "Hooks after the fence",
            HookPoint::BeforeFlip => "Hooks before the flip",
            HookPoint::AfterFlip => "Hooks after the flip",
            HookPoint::AfterAbort => "Hooks after an abort",
            HookPoint::AfterRollback => "Hooks after a rollback",
        },
    })
}

/// Every name above.
const KINDS: [&str; 35] = [
    "AttachGroup",
    "Close legacy",
    "Close target",
    "CompareTables",
    "CreateGroup",
    "CreateListener",
    "CreateTask forward",
    "CreateTask reverse",
    "DeleteTask",
    "FlipToLegacy",
    "FlipToTarget",
    "Hooks after a rollback",
    "Hooks after an abort",
    "Hooks after the fence",
    "Hooks after the flip",
    "Hooks before the fence",
    "Hooks before the flip",
    "LowerTtl",
    "Marker drain",
    "Marker reverse proof",
    "Marker rollback drain",
    "ModifyListener",
    "Open legacy",
    "Open target",
    "RaiseIds",
    "RebootWriter",
    "ReloadTables",
    "SetParameters",
    "SetRetention",
    "Shadow",
    "StartTask first",
    "StartTask from a position",
    "StartTask resume",
    "StopTask",
    "TestConnection",
];

/// The surroundings of the story, and what was done twice in it so far.
struct Stage {
    around: Surroundings,
    done_twice: BTreeSet<&'static str>,
}

impl Stage {
    fn set(seed: u64) -> Self {
        let mut migration = spec::migration();
        migration.spec.hooks = hooks::hooks();
        Self { around: Surroundings::of(migration, "2026-03-05T09:00:00Z", seed), done_twice: BTreeSet::new() }
    }

    fn controller(&self) -> Reconciler {
        self.around.controller(Cadence::rehearsal())
    }

    /// Walks to `phase`. What is met for the first time on the way is done twice.
    async fn walk(&mut self, phase: Phase) {
        self.around.migration.spec.phase = phase;
        self.walk_until(|plan, status| plan.is_idle() && status.phase == Some(phase)).await;
    }

    /// Walks until something holds. What is planned is seen before it is done, so that nothing new is done only once.
    async fn walk_until(&mut self, holds: impl Fn(&Plan, &MigrationStatus) -> bool) {
        let mut controller = self.controller();
        let mut idle = 0;
        for _ in 0..PASSES {
            let (plan, status) = controller.plan(&self.around.wish()).await;
            if holds(&plan, &status) {
                return;
            }
            if self.record(&plan) {
                continue;
            }
            idle = if plan.is_idle() { idle + 1 } else { 0 };
            if idle > 0 {
                self.around.clock.sleep(Cadence::rehearsal().next(&plan, &[], idle - 1, self.around.clock.now())).await;
                continue;
            }
            let new = plan.actions.iter().find(|action| kind(action).is_some_and(|kind| !self.done_twice.contains(kind)));
            if let Some(action) = new {
                self.do_twice(action, self.around.journal.facts().writes_are_paused()).await;
                controller = self.controller();
                continue;
            }
            let report = controller.pass(&self.around.wish()).await;
            self.around.clock.sleep(report.pause).await;
        }
        let (_, status) = controller.plan(&self.around.wish()).await;
        panic!("{} is never reached; twice so far: {:?}; {}", status.wished_phase, self.done_twice, status.summary);
    }

    /// Makes the plan's facts durable; whether it had any. A pass would go straight on to what they allow.
    fn record(&self, plan: &Plan) -> bool {
        let facts = plan.actions.iter().filter_map(|action| match action {
            Action::Record(fact) => Some(fact.clone()),
            _ => None,
        });
        let entries =
            facts.map(|fact| self.around.journal.record(self.around.clock.now(), 1, fact).expect("the journal is writable"));
        entries.count() > 0
    }

    /// Once as planned, and once more, dying after the write. What was learnt is lost both times.
    async fn do_twice(&mut self, action: &Action, paused: bool) {
        self.done_twice.extend(kind(action));
        if let Action::Fence(FenceAction::Close { side, .. }) = action {
            // A payment under way is ended, and its number with it.
            self.around.world().databases.side_mut(*side).take_id(0);
        }
        let epoch = self.around.journal.next_epoch(self.around.clock.now()).expect("the journal is writable");
        let (equipment, inspections, beats) = (self.around.equipment(), Inspections::default(), Beats::default());
        let eyes = Eyes {
            equipment: &equipment,
            clock: &self.around.clock,
            epoch,
            glance: Duration::ZERO,
            inspections: &inspections,
            beats: &beats,
        };
        if let Some(fact) = fact_before(action) {
            self.around.journal.record(self.around.clock.now(), 1, fact).expect("the journal is writable");
        }
        let before = self.around.crash.places_passed();
        if let Err(fault) = act(eyes, &self.around.migration, action, paused).await {
            panic!("{action} fails the first time: {fault}");
        }
        let after = self.around.crash.places_passed();
        self.around.crash.arm(after + (after - before) - 1);
        let died = AssertUnwindSafe(act(eyes, &self.around.migration, action, paused)).catch_unwind().await;
        self.around.crash.disarm();
        match died {
            Err(payload) => assert!(payload.is::<ControllerCrash>(), "{action} panics"),
            // A second time may be shorter: what was refused has written nothing to die after.
            Ok(answer) => assert!(answer.is_err(), "{action} was done and did not die after it"),
        }
    }

    /// Left alone for days, nothing is changed any more, and nothing was broken.
    async fn rests(&self, authoritative: Side) {
        let mut controller = self.controller();
        for number in 0..6 {
            let report = controller.pass(&self.around.wish()).await;
            let changes: Vec<String> = report.deeds.iter().map(|deed| deed.action.to_string()).collect();
            let settling = number < 2;
            assert!(settling || changes.iter().all(|change| change.starts_with("compare")), "changed at rest: {changes:?}");
            self.around.clock.sleep(Duration::from_secs(8 * 3600)).await;
        }
        let report = self.around.world().report(authoritative);
        assert!(report.violations.is_empty(), "{:?}", report.violations);
        assert_eq!((report.payments.lost, report.payments.duplicated), (0, 0));
        assert!(report.payments.acknowledged > 0, "nobody paid, so nothing was proven");
        assert!(report.hook_calls.values().any(|calls| *calls > 1), "no call came again under its key: {:?}", report.hook_calls);
    }
}

/// There, with a listener that somebody else left on the plain port and a task that is stopped by hand.
async fn there() -> Stage {
    let mut stage = Stage::set(1);
    stage.walk(Phase::Prepared).await;
    {
        let now = stage.around.clock.now();
        let mut world = stage.around.world();
        let listener: Listener = world.elb.delete_by_hand(80, now).expect("the controller made it");
        let wrong = spoiled(listener);
        world.elb.put_by_hand(wrong, now);
    }
    stage.walk(Phase::RollbackArmed).await;
    assert!(stage.around.world().dms.stop_by_hand(Direction::Forward, stage.around.clock.now()), "it runs");
    stage.walk(Phase::CutOver).await;
    stage
}

/// There and on, and left alone.
async fn to(phase: Phase, authoritative: Side) -> BTreeSet<&'static str> {
    let mut stage = there().await;
    stage.walk(phase).await;
    stage.rests(authoritative).await;
    stage.done_twice
}

/// To an abort, because the forward stream stands still behind the fence, and left alone.
async fn to_an_abort() -> BTreeSet<&'static str> {
    let mut stage = Stage::set(2);
    stage.walk(Phase::RollbackArmed).await;
    stage.around.migration.spec.phase = Phase::CutOver;
    stage.walk_until(|_, status| status.rung == Rung::Fence).await;
    let until = after(stage.around.clock.now(), Duration::from_secs(3600));
    stage.around.world().dms.stall(Direction::Forward, until);
    stage.walk_until(|plan, status| plan.is_idle() && status.rung == Rung::Aborted).await;
    stage.rests(Side::Legacy).await;
    stage.done_twice
}

/// Somebody answers plain HTTP themselves.
fn spoiled(mut listener: Listener) -> Listener {
    let nothing = FixedResponse { status_code: "404".into(), content_type: None, message_body: None };
    listener.settings.default_actions = vec![ListenerAction::FixedResponse(nothing)];
    listener
}

#[test]
fn whatever_is_done_twice_and_dies_after_its_write_ends_as_if_done_once() {
    let back = in_virtual_time(|| to(Phase::RolledBack, Side::Legacy));
    let on = in_virtual_time(|| to(Phase::Completed, Side::Target));
    let aborted = in_virtual_time(to_an_abort);
    let met: BTreeSet<&str> = back.union(&on).chain(&aborted).copied().collect();
    assert_eq!(met.into_iter().collect::<Vec<_>>(), KINDS, "a kind of action was never met, or is not listed");
}
