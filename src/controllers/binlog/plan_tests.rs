//! Every branch on the way to a binary log in effect.

use jiff::Timestamp;

use super::*;
use crate::controllers::binlog::MemberRole;
use crate::names::{ClusterId, ParameterGroupName};
use crate::spec::MaintenanceWindow;

/// A Sunday, inside `sun:02:00-sun:04:00`.
const INSIDE: &str = "2026-03-01T02:30:00Z";
/// The Saturday before.
const OUTSIDE: &str = "2026-02-28T12:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn with_terms<T>(now: &str, judge: impl FnOnce(&BinlogTerms) -> T) -> T {
    let (group, cluster) = (ParameterGroupName::from("payments-binlog"), ClusterId::from("payments"));
    let window: MaintenanceWindow = "sun:02:00-sun:04:00".parse().expect("a window");
    judge(&BinlogTerms { group: &group, cluster: &cluster, retention_hours: 72, window, now: time(now) })
}

fn planned(wish: BinlogWish, seen: &BinlogSighting, now: &str) -> Steps<BinlogAction> {
    with_terms(now, |terms| plan(wish, seen, terms))
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn member(name: &str, role: MemberRole, status: &str) -> Member {
    Member { instance: name.into(), role, parameter_group_status: text(status) }
}

fn cluster(group: &str, writer_group_status: &str, writer_status: &str) -> Cluster {
    Cluster {
        status: text("available"),
        parameter_group: group.into(),
        members: vec![
            member("payments-1", MemberRole::Reader, "pending-reboot"),
            member("payments-2", MemberRole::Writer, writer_group_status),
        ],
        writer_status: Sighting::Present(text(writer_status)),
    }
}

fn binlog() -> BinlogView {
    BinlogView {
        enabled: true,
        format: text("ROW"),
        row_image: text("FULL"),
        checksum: text("NONE"),
        form: LogForm::Plain,
        retention_hours: Some(72),
        oldest: None,
    }
}

fn parameters(pairs: &[(&str, &str)]) -> Sighting<BTreeMap<String, String>> {
    Sighting::Present(pairs.iter().map(|(name, value)| (text(name), text(value))).collect())
}

/// Everything as wished.
fn good() -> BinlogSighting {
    BinlogSighting {
        cluster: Sighting::Present(cluster("payments-binlog", "in-sync", "available")),
        parameters: parameters(&WISHED),
        shared_with: Sighting::Present(Vec::new()),
        in_effect: Sighting::Present(binlog()),
    }
}

fn with_cluster(cluster: Cluster) -> BinlogSighting {
    BinlogSighting { cluster: Sighting::Present(cluster), ..good() }
}

fn with_sql(change: impl FnOnce(&mut BinlogView)) -> BinlogSighting {
    let mut view = binlog();
    change(&mut view);
    BinlogSighting { in_effect: Sighting::Present(view), ..good() }
}

fn acts(seen: &BinlogSighting, now: &str, action: BinlogAction) {
    assert_eq!(planned(BinlogWish::InEffect, seen, now), Steps::act(action));
}

fn waits(seen: &BinlogSighting, now: &str, reason: &str) {
    let steps = planned(BinlogWish::InEffect, seen, now);
    assert!(steps.actions.is_empty() && steps.blocked.is_empty(), "{steps:?}");
    assert_eq!(steps.waiting.first().map(|wait| wait.reason.0.as_str()), Some(reason));
}

fn blocks(seen: &BinlogSighting, reason: &str) {
    let steps = planned(BinlogWish::InEffect, seen, INSIDE);
    assert!(steps.actions.is_empty(), "{steps:?}");
    assert_eq!(steps.blocked.first().map(|block| block.reason.0.as_str()), Some(reason));
}

#[test]
fn as_wished_is_settled_and_says_its_evidence() {
    for wish in [BinlogWish::InEffect, BinlogWish::Guarded, BinlogWish::NotYet] {
        assert!(planned(wish, &good(), OUTSIDE).is_settled());
    }
    let evidence = with_terms(OUTSIDE, |terms| standing(&good(), terms)).expect("it is in effect");
    assert!(evidence.contains("payments-2") && evidence.contains("72 hours"), "{evidence}");
}

#[test]
fn whatever_is_unknown_is_awaited() {
    let why = || "throttled";
    waits(&BinlogSighting { cluster: Sighting::unknown(why()), ..good() }, INSIDE, "ClusterUnknown");
    waits(&BinlogSighting { parameters: Sighting::unknown(why()), ..good() }, INSIDE, "ParametersUnknown");
    waits(&BinlogSighting { shared_with: Sighting::unknown(why()), ..good() }, INSIDE, "ParameterGroupUsersUnknown");
    waits(&BinlogSighting { in_effect: Sighting::unknown(why()), ..good() }, INSIDE, "BinlogUnknown");
}

#[test]
fn a_group_that_others_use_is_refused_before_it_is_touched() {
    let shared = Sighting::Present(vec![ClusterId::from("ledger")]);
    blocks(&BinlogSighting { shared_with: shared, parameters: parameters(&[]), ..good() }, "ParameterGroupShared");
}

#[test]
fn a_missing_cluster_is_the_specs_mistake() {
    blocks(&BinlogSighting { cluster: Sighting::Absent, ..good() }, "ClusterMissing");
}

#[test]
fn a_missing_group_is_created_and_only_differing_parameters_are_set() {
    acts(&BinlogSighting { parameters: Sighting::Absent, ..good() }, OUTSIDE, BinlogAction::CreateGroup);
    let only_checksum = BTreeMap::from([(text("binlog_checksum"), text("NONE"))]);
    let half = BinlogSighting { parameters: parameters(&[("binlog_format", "row"), ("max_connections", "99")]), ..good() };
    acts(&half, OUTSIDE, BinlogAction::SetParameters { parameters: only_checksum });
}

#[test]
fn the_row_image_is_verified_and_never_set() {
    let minimal = [WISHED[0], WISHED[1], ("binlog_row_image", "minimal")];
    blocks(&BinlogSighting { parameters: parameters(&minimal), ..good() }, "RowImageNotFull");
    blocks(&with_sql(|view| view.row_image = text("MINIMAL")), "RowImageNotFull");
}

#[test]
fn compressed_transactions_are_refused() {
    let compressed = [WISHED[0], WISHED[1], ("binlog_transaction_compression", "ON")];
    blocks(&BinlogSighting { parameters: parameters(&compressed), ..good() }, "BinlogCompressed");
    blocks(&with_sql(|view| view.form = LogForm::Compressed), "BinlogCompressed");
    let off = with_sql(|view| (view.enabled, view.form) = (false, LogForm::Compressed));
    waits(&off, INSIDE, "BinlogNotInEffect");
}

#[test]
fn the_group_is_attached_once_the_cluster_is_available() {
    let mut other = cluster("default.aurora-mysql8.0", "in-sync", "available");
    acts(&with_cluster(other.clone()), OUTSIDE, BinlogAction::AttachGroup);
    other.status = text("modifying");
    waits(&with_cluster(other), OUTSIDE, "ClusterNotAvailable");
}

#[test]
fn the_writer_is_rebooted_only_inside_the_window_and_only_when_available() {
    let pending = with_cluster(cluster("payments-binlog", "pending-reboot", "available"));
    acts(&pending, INSIDE, BinlogAction::RebootWriter { instance: "payments-2".into() });
    waits(&pending, OUTSIDE, "AwaitingMaintenanceWindow");
    let until = planned(BinlogWish::InEffect, &pending, OUTSIDE).waiting[0].until;
    assert_eq!(until, Some(time("2026-03-01T02:00:00Z")));
    waits(&with_cluster(cluster("payments-binlog", "pending-reboot", "rebooting")), INSIDE, "WriterNotAvailable");
    let mut unread = cluster("payments-binlog", "pending-reboot", "available");
    unread.writer_status = Sighting::unknown("throttled");
    waits(&with_cluster(unread), INSIDE, "WriterUnknown");
}

#[test]
fn a_reader_that_is_pending_is_not_rebooted() {
    assert!(planned(BinlogWish::InEffect, &good(), INSIDE).is_settled());
}

#[test]
fn two_writers_are_none() {
    let mut torn = cluster("payments-binlog", "pending-reboot", "available");
    torn.members[0].role = MemberRole::Writer;
    waits(&with_cluster(torn), INSIDE, "WriterUnknown");
}

#[test]
fn the_other_states_of_the_group_wait_or_need_a_person() {
    waits(&with_cluster(cluster("payments-binlog", "applying", "available")), INSIDE, "ParameterGroupApplying");
    blocks(&with_cluster(cluster("payments-binlog", "failed-to-apply", "available")), "ParameterGroupFailed");
}

#[test]
fn when_sql_disagrees_it_is_not_in_effect_and_no_reboot_follows() {
    waits(&with_sql(|view| view.enabled = false), INSIDE, "BinlogNotInEffect");
    waits(&with_sql(|view| view.format = text("MIXED")), INSIDE, "BinlogNotInEffect");
    waits(&with_sql(|view| view.checksum = text("CRC32")), INSIDE, "BinlogNotInEffect");
}

#[test]
fn retention_is_set_until_it_reads_back_long_enough() {
    for too_short in [None, Some(24)] {
        let seen = with_sql(|view| view.retention_hours = too_short);
        acts(&seen, OUTSIDE, BinlogAction::SetRetention { hours: 72 });
    }
    assert!(planned(BinlogWish::InEffect, &with_sql(|view| view.retention_hours = Some(168)), OUTSIDE).is_settled());
}

#[test]
fn under_guard_drift_is_reported_and_nothing_is_done() {
    let drifted = [
        with_cluster(cluster("payments-binlog", "pending-reboot", "available")),
        with_cluster(cluster("default.aurora-mysql8.0", "in-sync", "available")),
        with_sql(|view| view.retention_hours = None),
        BinlogSighting { parameters: Sighting::Absent, ..good() },
    ];
    for seen in drifted {
        let steps = planned(BinlogWish::Guarded, &seen, INSIDE);
        assert!(steps.actions.is_empty(), "{steps:?}");
        assert_eq!(steps.blocked[0].reason.0, "BinlogDrifted");
    }
}

#[test]
fn not_yet_needed_leaves_everything_alone() {
    let nothing = BinlogSighting {
        cluster: Sighting::Absent,
        parameters: Sighting::Absent,
        shared_with: Sighting::Absent,
        in_effect: Sighting::Absent,
    };
    assert!(planned(BinlogWish::NotYet, &nothing, INSIDE).is_settled());
}
