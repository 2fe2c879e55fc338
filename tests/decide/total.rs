//! Any world, any journal, any wish: `decide` answers, answers the same twice, and never plans what must not be done.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bascule::controllers::dns::{DnsAction, DnsPurpose};
use bascule::controllers::fence::{FenceAction, FenceState, judge};
use bascule::controllers::hooks::{HookAction, HookAnswer};
use bascule::controllers::replication::{ReplicationAction, StartType};
use bascule::migration::decide::decide;
use bascule::migration::facts::{Fact, MarkerPurpose};
use bascule::migration::ladder::Rung;
use bascule::migration::plan::{Action, Plan};
use bascule::names::{Direction, HookName, MarkerId, Side, TableName};
use bascule::spec::{HookPoint, Phase};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::common::Story;
use super::common::hooks::hooks;
use super::common::world::{Blind, Door, Log, SmallTask, Status, replaces_rows};

/// Journals as they really come about, one on every rung; chance distorts them from there.
static STORIES: LazyLock<Vec<Story>> = LazyLock::new(|| {
    let there = Rung::ALL.into_iter().filter(|rung| *rung <= Rung::Completed).map(|rung| (rung, Phase::Completed));
    let back = [Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen].map(|rung| (rung, Phase::RolledBack));
    let forced = [Rung::ForcedStop, Rung::ForcedFence, Rung::ForcedExport, Rung::RollbackOpen].map(Story::forced_to);
    let on_the_way = there.chain(back).map(|(rung, phase)| Story::entering(rung, phase));
    on_the_way.chain(forced).chain([Story::begin(), Story::aborted()]).collect()
});

fn door() -> impl Strategy<Value = Door> {
    select(vec![Door::Open, Door::Held, Door::Shut])
}

fn side() -> impl Strategy<Value = Side> {
    select(vec![Side::Legacy, Side::Target])
}

fn task() -> impl Strategy<Value = Option<SmallTask>> {
    use Status::{Creating, Deleting, Failed, Ready, Running, Starting, Stopped, Stopping};
    let status = select(vec![Creating, Ready, Starting, Running, Stopping, Stopped, Failed, Deleting]);
    let task = (status, any::<bool>()).prop_map(|(status, started_before)| SmallTask { status, started_before, serial: 9 });
    proptest::option::weighted(0.8, task)
}

/// One thing about the world that is otherwise.
#[derive(Debug, Clone)]
enum Change {
    Application(Side, Door),
    Validation(Side, Door),
    Forward(Option<SmallTask>),
    Reverse(Option<SmallTask>),
    Public(Side),
    Ttl(u64),
    Shadow(bool),
    Redirect(bool),
    Lagging(bool),
    Binlog(Log),
    Blind(Vec<Blind>),
    Later(i64),
    EveryMarkerArrived(Side),
    HooksDeclared,
}

impl Change {
    fn make(self, story: &mut Story) {
        let world = &mut story.world;
        match self {
            Self::Application(side, door) => world.server_mut(side).app = door,
            Self::Validation(side, door) => world.server_mut(side).validation = door,
            Self::Forward(task) => world.forward = task,
            Self::Reverse(task) => world.reverse = task,
            Self::Public(side) => world.public = side,
            Self::Ttl(seconds) => world.ttl_seconds = seconds,
            Self::Shadow(there) => world.shadow = there,
            Self::Redirect(there) => world.redirect = there,
            Self::Lagging(late) => world.lagging = late,
            Self::Binlog(log) => world.log = log,
            Self::Blind(who) => world.blind.extend(who),
            Self::Later(seconds) => story.now += SignedDuration::from_secs(seconds),
            Self::HooksDeclared => story.migration.spec.hooks = hooks(),
            Self::EveryMarkerArrived(side) => {
                let markers: Vec<MarkerId> = story.facts.markers.values().map(|fact| fact.marker.clone()).collect();
                world.server_mut(side).markers.extend(markers);
            }
        }
    }
}

fn world_change() -> impl Strategy<Value = Change> {
    let logs = vec![Log::NoGroup, Log::Created, Log::Set, Log::PendingReboot, Log::Logging, Log::Kept];
    prop_oneof![
        (side(), door()).prop_map(|(side, door)| Change::Application(side, door)),
        (side(), door()).prop_map(|(side, door)| Change::Validation(side, door)),
        task().prop_map(Change::Forward),
        task().prop_map(Change::Reverse),
        side().prop_map(Change::Public),
        select(vec![60, 3600]).prop_map(Change::Ttl),
        any::<bool>().prop_map(Change::Shadow),
        any::<bool>().prop_map(Change::Redirect),
        any::<bool>().prop_map(Change::Lagging),
        select(logs).prop_map(Change::Binlog),
        subsequence(Blind::ALL.to_vec(), 1..=6).prop_map(Change::Blind),
        (0_i64..200_000).prop_map(Change::Later),
        side().prop_map(Change::EveryMarkerArrived),
        Just(Change::HooksDeclared),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let purpose = select(vec![MarkerPurpose::Drain, MarkerPurpose::ReverseProof, MarkerPurpose::RollbackDrain]);
    let change = select(vec![DnsPurpose::Shadow, DnsPurpose::LowerTtl, DnsPurpose::FlipToTarget, DnsPurpose::FlipToLegacy]);
    let tables = select(vec![Vec::new(), vec![TableName::new("payments", "payments")]]);
    prop_oneof![
        select(Rung::ALL.to_vec()).prop_map(|rung| Fact::Entered { rung }),
        select(Phase::ALL.to_vec()).prop_map(|phase| Fact::Reached { phase }),
        Just(Fact::GatesOpened { gates: Vec::new() }),
        (1_u32..4).prop_map(|attempt| Fact::AttemptBegun { attempt }),
        change.clone().prop_map(|purpose| Fact::ChangeIntended { purpose, old_ttl_seconds: 300 }),
        change.clone().prop_map(|purpose| Fact::ChangeSubmitted { purpose, change: None, old_ttl_seconds: 300 }),
        change.prop_map(|purpose| Fact::ChangeInSync { purpose }),
        tables.prop_map(|differing| Fact::ParityCompared { rows: 1, differing, report: None }),
        side().prop_map(|side| Fact::FenceProven { side, position: None }),
        purpose.clone().prop_map(|purpose| Fact::MarkerWritten { purpose, marker: "some/marker".into() }),
        purpose.prop_map(|purpose| Fact::MarkerSeen { purpose }),
        Just(Fact::PointOfNoReturn),
        Just(Fact::ReverseStarted),
        Just(Fact::Aborted { why: "chance".into() }),
        Just(Fact::RollbackAbandoned { why: "chance".into() }),
        Just(Fact::RollbackWithdrawn),
        Just(Fact::WaiversInForce { waivers: Vec::new() }),
        Just(Fact::RollbackForced { by: "chance".into(), why: "chance".into() }),
        any_hook().prop_map(|(point, name)| Fact::HooksCalled { point, hooks: vec![name] }),
        (any_hook(), select(vec![204, 409, 503])).prop_map(|((point, name), status)| Fact::HooksAnswered {
            point,
            answers: BTreeMap::from([(name, HookAnswer::of(status))]),
        }),
    ]
}

fn any_hook() -> impl Strategy<Value = (HookPoint, HookName)> {
    select(hooks()).prop_map(|hook| (hook.at, hook.name))
}

fn any_story() -> impl Strategy<Value = (usize, Vec<Fact>, Phase, bool, u32)> {
    let facts = prop_oneof![3 => Just(Vec::new()).boxed(), 2 => proptest::collection::vec(fact(), 1..4).boxed()];
    (0..STORIES.len(), facts, select(Phase::ALL.to_vec()), proptest::bool::weighted(0.2), 1_u32..4)
}

/// What must not be planned, whatever is seen: judged by the look alone.
fn forbidden(story: &Story, plan: &Plan) -> Option<String> {
    let records = plan.actions.iter().filter(|action| matches!(action, Action::Record(_))).count();
    if records != 0 && records != plan.actions.len() {
        return Some("it records and acts".into());
    }
    plan.actions.iter().find_map(|action| why_not(story, action).map(|why| format!("{action}: {why}")))
}

fn why_not(story: &Story, action: &Action) -> Option<&'static str> {
    let seen = story.seen();
    let facts = &story.facts;
    let blind = |who| story.world.blind.contains(&who);
    let database = |side| if side == Side::Legacy { Blind::Legacy } else { Blind::Target };
    let state = |side| {
        let accounts = &story.migration.database(side).application_accounts;
        seen.database(side).present().map(|view| judge(view, accounts))
    };
    let is_closed = |side| matches!(state(side), Some(FenceState::Closed { .. }));
    let cut_over_began = facts.entered.contains_key(&Rung::Fence) || facts.target_opened.is_some();
    match action {
        Action::Fence(FenceAction::Close { side, .. }) if blind(database(*side)) => Some("closes unseen"),
        Action::Fence(FenceAction::Open { side, .. }) if blind(database(*side)) => Some("opens unseen"),
        Action::Fence(FenceAction::Open { side: Side::Legacy, .. }) => {
            let may_be_open = !is_closed(Side::Target) && (state(Side::Target).is_some() || facts.is_past_no_return());
            may_be_open.then_some("the target may be open")
        }
        Action::Fence(FenceAction::Open { side: Side::Target, accounts }) => {
            let application = story.migration.spec.target.database.application_accounts.iter();
            let lets_in = application.into_iter().any(|account| accounts.contains(account));
            let allowed = facts.is_past_no_return() && facts.reverse_start.is_some() && is_closed(Side::Legacy);
            (lets_in && !allowed).then_some("too early, or legacy is not proven closed")
        }
        Action::Dns(_) if blind(Blind::Route53) => Some("changes a name unseen"),
        Action::Dns(DnsAction::Change { purpose: DnsPurpose::FlipToTarget, .. }) => {
            let allowed = is_closed(Side::Legacy) && state(Side::Target) == Some(FenceState::Open);
            (!allowed).then_some("the target is not the only one open")
        }
        Action::Replication(_) if blind(Blind::Dms) => Some("moves a task unseen"),
        action if replaces_rows(action) && cut_over_began => Some("replaces rows of the target"),
        Action::Replication(ReplicationAction::StartTask { direction: Direction::Reverse, how, .. }) => match how {
            StartType::First => Some("starts the way back from now"),
            StartType::FromPosition(position) => (facts.reverse_start.as_ref() != Some(position)).then_some("another position"),
            StartType::Resume => None,
        },
        Action::Replication(ReplicationAction::DeleteTask { direction: Direction::Forward, .. }) => {
            (facts.rung != Rung::Completed).then_some("the forward task is needed")
        }
        Action::Replication(ReplicationAction::DeleteTask { direction: Direction::Reverse, .. }) => {
            (!matches!(facts.rung, Rung::Completed | Rung::RollbackArmed)).then_some("the way back is needed")
        }
        Action::Binlog(bascule::controllers::binlog::BinlogAction::RebootWriter { .. }) => {
            let allowed = story.migration.spec.binlog.maintenance_window.is_open(story.now) && facts.rung == Rung::RollbackArmed;
            (!allowed).then_some("reboots outside the window")
        }
        Action::Binlog(_) if blind(Blind::Rds) => Some("changes the binary log unseen"),
        Action::Redirect(_) if blind(Blind::Elb) => Some("changes the listener unseen"),
        Action::ExportRows { .. } => {
            let is_still = is_closed(Side::Legacy) && is_closed(Side::Target) && !story.world.runs(Direction::Reverse);
            (!is_still || blind(Blind::Dms)).then_some("saves rows while something moves")
        }
        Action::Hook(_) if story.migration.spec.paused => Some("calls a hook while paused"),
        Action::Hook(HookAction::Call { point, .. }) => {
            let open = |side| state(side) == Some(FenceState::Open);
            let is_so = match point {
                HookPoint::BeforeFence => open(Side::Legacy) && !facts.entered.contains_key(&Rung::Fence),
                HookPoint::AfterFence => is_closed(Side::Legacy) && is_closed(Side::Target),
                HookPoint::BeforeFlip | HookPoint::AfterFlip => is_closed(Side::Legacy) && open(Side::Target),
                HookPoint::AfterAbort | HookPoint::AfterRollback => open(Side::Legacy),
            };
            (!is_so).then_some("says what is not so")
        }
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_the_case_decide_answers_the_same_twice_and_plans_nothing_forbidden(
        (number, facts, phase, paused, attempt) in any_story(),
        changes in proptest::collection::vec(world_change(), 0..5),
    ) {
        let mut story = STORIES[number].clone();
        for fact in &facts {
            story.record(fact);
        }
        for change in changes {
            change.make(&mut story);
        }
        story.wish(phase);
        story.migration.spec.paused = paused;
        story.migration.spec.attempt = attempt;
        let plan = story.plan();
        prop_assert_eq!(&plan, &decide(&story.migration, &story.facts, &story.seen(), story.now));
        let broken = forbidden(&story, &plan);
        prop_assert!(broken.is_none(), "{}: {:?}\n{:?}\n{:?}", story.facts.rung, broken, story.world, story.facts);
    }
}
