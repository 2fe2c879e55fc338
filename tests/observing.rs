//! What a person sees of replication who looks at the status now and then, as often as production looks: that it keeps up, that
//! it has died, that a task is not what it should be.

// The SDK's futures are nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]

use std::time::Duration;

use aws_sdk_databasemigration::types::MigrationTypeValue;
use bascule::clock::{after, elapsed};
use bascule::engine::cadence::Cadence;
use bascule::engine::reconcile::Reconciler;
use bascule::migration::ladder::Rung;
use bascule::migration::reverse::DEAD;
use bascule::migration::status::{ConditionStatus, ConditionType, MigrationStatus};
use bascule::names::{Direction, Side};
use bascule::spec::Phase;
use jiff::Timestamp;

#[path = "common/spec.rs"]
mod spec;
#[path = "common/surroundings.rs"]
mod surroundings;

use surroundings::{Surroundings, in_virtual_time};

/// A controller at work, and its surroundings.
struct Watch {
    around: Surroundings,
    controller: Reconciler,
}

/// The longest that a phase takes here: a maintenance window is always open, and the old TTL is an hour.
const LONGEST: Duration = Duration::from_secs(12 * 3600);

impl Watch {
    fn begin() -> Self {
        let mut migration = spec::migration();
        migration.spec.binlog.maintenance_window = "mon:09:00-sun:23:00".parse().expect("a window");
        migration.spec.observation.window = "2h".parse().expect("a period");
        let around = Surroundings::of(migration, "2026-03-02T10:00:00Z", 1);
        let controller = around.controller(Cadence::production());
        Self { around, controller }
    }

    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }

    /// One pass, and the rest after it.
    async fn pass(&mut self) -> MigrationStatus {
        let report = self.controller.pass(&self.around.wish()).await;
        self.around.clock.sleep(report.pause).await;
        report.status
    }

    /// Passes until `seen` is so, and says after how long it was.
    async fn until(&mut self, longest: Duration, seen: impl Fn(&MigrationStatus) -> bool) -> (Duration, MigrationStatus) {
        let began = self.now();
        loop {
            let status = self.pass().await;
            let took = elapsed(began, status.observed_at);
            if seen(&status) {
                return (took, status);
            }
            assert!(took < longest, "it was never seen: {}", told(&status));
        }
    }

    /// Asks for a phase, and waits for it.
    async fn reach(&mut self, phase: Phase) -> MigrationStatus {
        self.around.migration.spec.phase = phase;
        self.until(LONGEST, |status| status.phase == Some(phase) && is(status, ConditionType::Ready)).await.1
    }

    /// Every status of the next `span`.
    async fn statuses(&mut self, span: Duration) -> Vec<MigrationStatus> {
        let until = after(self.now(), span);
        let mut statuses = Vec::new();
        while self.now() < until {
            statuses.push(self.pass().await);
        }
        statuses
    }

    /// Starts that DMS was asked for so far.
    fn starts(&self) -> usize {
        let mut world = self.around.world();
        let calls = bascule::sim::wire::Cloud::faults(&mut *world).mutations.iter();
        calls.filter(|(_, _, operation)| operation == "StartReplicationTask").count()
    }

    /// The monitor has seen nothing forbidden, and every payment is where it belongs.
    fn all_is_well(&self, authoritative: Side) {
        let report = self.around.world().report(authoritative);
        assert!(report.violations.is_empty(), "{:?}", report.violations);
        assert_eq!((report.payments.lost, report.payments.duplicated), (0, 0));
        assert!(report.payments.acknowledged > 0, "nobody paid, so nothing was proven");
    }
}

fn condition(status: &MigrationStatus, kind: ConditionType) -> (ConditionStatus, &str) {
    let found = status.conditions.iter().find(|condition| condition.condition_type == kind).expect("all conditions are there");
    (found.status, found.reason.0.as_str())
}

fn is(status: &MigrationStatus, kind: ConditionType) -> bool {
    condition(status, kind).0 == ConditionStatus::True
}

/// What a person would read first.
fn told(status: &MigrationStatus) -> String {
    format!("{} at {}: {}; {:?}", status.rung, status.observed_at, status.summary, status.rollback)
}

fn is_dead(status: &MigrationStatus) -> bool {
    status.blocked.iter().any(|block| block.reason.0 == DEAD)
}

#[test]
fn a_healthy_stream_is_called_so_in_every_look_of_a_phase_at_rest_forward_and_back() {
    in_virtual_time(|| async {
        let mut watch = Watch::begin();
        for (phase, is_back) in [(Phase::RollbackArmed, false), (Phase::CutOver, true)] {
            watch.reach(phase).await;
            let minutes = 60;
            let statuses = watch.statuses(Duration::from_secs(60 * minutes)).await;
            let looks = statuses.len() as u64;
            assert!((minutes..=2 * minutes + 10).contains(&looks), "{looks} looks in {minutes} minutes at rest");
            for status in &statuses {
                assert_eq!(
                    condition(status, ConditionType::Replicated),
                    (ConditionStatus::True, "WithinMaxLag"),
                    "{}",
                    told(status)
                );
                assert_eq!(status.rollback.ready, is_back, "{:?}", status.rollback);
                assert_eq!(is(status, ConditionType::RollbackReady), is_back);
                let lag = if is_back { &status.reverse } else { &status.forward }.lag_seconds;
                assert!(lag.is_some_and(|lag| lag > 0.0 && lag < 10.0), "{lag:?}");
            }
        }
        watch.all_is_well(Side::Target);
    });
}

#[test]
fn a_stream_that_stands_still_shows_within_a_rest_and_the_lag_that_is_accepted_whatever_dms_says() {
    in_virtual_time(|| async {
        let mut watch = Watch::begin();
        let before = watch.reach(Phase::CutOver).await;
        assert!(watch.statuses(Duration::from_secs(600)).await.iter().all(|status| status.rollback.ready), "{}", told(&before));
        let mended = after(watch.now(), Duration::from_secs(3600));
        watch.around.world().dms.stall(Direction::Reverse, mended);
        let cadence = Cadence::production();
        let accepted = watch.around.migration.spec.replication.reverse.max_lag.duration();
        // The look that finds out comes at most a quarter of the accepted lag after it is over.
        let soon = cadence.settled + accepted * 3 / 2;
        let (took, status) = watch.until(soon, |status| !status.rollback.ready).await;
        assert!(took <= soon, "{took:?}");
        assert_eq!(condition(&status, ConditionType::Replicated), (ConditionStatus::False, "Lagging"));
        assert!(status.reverse.lag_seconds.is_some_and(|lag| lag > accepted.as_secs_f64()), "{:?}", status.reverse);
        assert_eq!(status.reverse.task, "running", "DMS says nothing of it");
        assert!(status.rollback.reasons.iter().any(|reason| reason.starts_with("ReverseLag")), "{:?}", status.rollback);

        let (took, status) = watch.until(Duration::from_secs(15 * 60), is_dead).await;
        assert!(took > Duration::from_secs(8 * 60), "nobody is called for a few minutes: {took:?}");
        assert!(is(&status, ConditionType::Stalled) && !is(&status, ConditionType::Ready), "{}", told(&status));
        for status in watch.statuses(Duration::from_secs(1200)).await {
            assert!(!status.rollback.ready && is_dead(&status), "{}", told(&status));
        }
        let (_, status) = watch.until(Duration::from_secs(3600), |status| status.rollback.ready).await;
        assert!(status.observed_at >= mended && !is_dead(&status), "{}", told(&status));
        watch.all_is_well(Side::Target);
    });
}

#[test]
fn a_way_back_that_is_dead_for_good_is_held_and_told_and_never_given_up_and_well_again_once_it_is_mended() {
    in_virtual_time(|| async {
        let mut watch = Watch::begin();
        watch.reach(Phase::CutOver).await;
        let before = watch.starts();
        watch.around.world().dms.cut_off(Direction::Reverse);
        let (took, status) = watch.until(Duration::from_secs(600), is_dead).await;
        assert_eq!(watch.starts() - before, 3, "it was resumed a few times before anybody was called, within {took:?}");
        assert!(is(&status, ConditionType::Stalled) && !is(&status, ConditionType::Ready), "{}", told(&status));
        assert!(
            !status.rollback.ready && status.rollback.reasons.iter().any(|reason| reason.starts_with(DEAD)),
            "{}",
            told(&status)
        );
        assert!(status.summary.contains("Access denied for user 'dms'"), "what DMS said is passed on: {}", status.summary);

        // The window passes, and the end is asked for.
        watch.around.migration.spec.phase = Phase::Completed;
        for status in watch.statuses(Duration::from_secs(3 * 3600)).await {
            assert_eq!((status.rung, status.phase), (Rung::Observing, Some(Phase::CutOver)), "{}", told(&status));
            assert!(is_dead(&status) && !status.rollback.ready, "{}", told(&status));
        }
        let tries = watch.starts() - before;
        assert!((10..=3 + 3 * 12).contains(&tries), "it is tried seldom, and not given up: {tries} times");

        watch.around.migration.spec.phase = Phase::CutOver;
        watch.around.world().dms.mend(Direction::Reverse);
        let (_, status) = watch.until(Duration::from_secs(900), |status| status.rollback.ready).await;
        assert!(!is_dead(&status), "{}", told(&status));
        watch.reach(Phase::Completed).await;
        watch.all_is_well(Side::Target);
    });
}

/// Somebody makes a task by hand, as AWS's console would: with its defaults, and mappings of their own.
async fn make_by_hand(around: &Surroundings, direction: Direction) {
    let spec = &around.migration.spec;
    let (identifier, source, target, kind) = match direction {
        Direction::Forward => {
            let ends = (&spec.legacy.endpoint_arn, &spec.target.endpoint_arn);
            (&spec.replication.forward.identifier, ends.0, ends.1, MigrationTypeValue::FullLoadAndCdc)
        }
        Direction::Reverse => {
            let ends = (&spec.target.reverse_endpoint_arn, &spec.legacy.reverse_endpoint_arn);
            (&spec.replication.reverse.identifier, ends.0, ends.1, MigrationTypeValue::Cdc)
        }
    };
    let mappings = r#"{"rules":[{"rule-type":"selection","rule-id":"1","rule-name":"1","rule-action":"include",
        "object-locator":{"schema-name":"payments","table-name":"%"}}]}"#;
    let call = around.aws().dms.create_replication_task().replication_task_identifier(identifier.as_str());
    let call = call.source_endpoint_arn(source.as_str()).target_endpoint_arn(target.as_str()).migration_type(kind);
    let call = call.replication_instance_arn(spec.replication.instance_arn.as_str()).table_mappings(mappings);
    call.send().await.expect("DMS makes it");
}

/// The tasks that DMS has in a direction, by status.
fn task_of(status: &MigrationStatus, direction: Direction) -> &str {
    match direction {
        Direction::Forward => &status.forward.task,
        Direction::Reverse => &status.reverse.task,
    }
}

#[test]
fn a_task_that_somebody_made_with_the_defaults_of_aws_is_never_started_and_told_in_both_directions() {
    for (direction, before, wished) in
        [(Direction::Forward, Phase::Prepared, Phase::Replicating), (Direction::Reverse, Phase::Validated, Phase::RollbackArmed)]
    {
        in_virtual_time(move || async move {
            let mut watch = Watch::begin();
            watch.reach(before).await;
            let started = watch.starts();
            make_by_hand(&watch.around, direction).await;
            watch.around.migration.spec.phase = wished;
            let is_held = |status: &MigrationStatus| status.blocked.iter().any(|block| block.reason.0 == "CarelessTask");
            let (_, status) = watch.until(Duration::from_secs(1800), is_held).await;
            assert!(is(&status, ConditionType::Stalled), "{}", told(&status));
            let message = &status.blocked[0].message;
            assert!(message.contains("is ") && message.contains("delete it if nobody needs it"), "{message}");
            for status in watch.statuses(Duration::from_secs(2 * 3600)).await {
                assert!(is_held(&status) && status.phase == Some(before), "{}", told(&status));
                assert_eq!(task_of(&status, direction), "ready", "neither started nor deleted");
            }
            assert_eq!(watch.starts(), started, "nothing was started");

            // Whoever made it takes it away.
            let tasks = watch.around.aws().dms.describe_replication_tasks().send().await.expect("tasks");
            let careless = tasks.replication_tasks().iter().find(|task| task.status() == Some("ready")).expect("it is there");
            let arn = careless.replication_task_arn().expect("an ARN");
            watch.around.aws().dms.delete_replication_task().replication_task_arn(arn).send().await.expect("it is deleted");
            watch.reach(wished).await;
            watch.all_is_well(Side::Legacy);
        });
    }
}
