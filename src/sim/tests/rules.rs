//! Every rule provoked: a monitor that cannot fail proves nothing.

use std::time::Duration;

use serde_json::json;

use super::{LEGACY, Play, TARGET};
use crate::names::Side;
use crate::parity::exporter::ExportName;
use crate::sim::customers::PAYMENTS;
use crate::sim::database::AccountUse;
use crate::sim::database::export::{Lacking, SavedRows, lacking_on_legacy};
use crate::sim::profile::FaultProfile;
use crate::sim::wire::{Cloud, RestRequest};

#[test]
fn a_cutover_without_the_fence_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 3);
    play.fence(Side::Target);
    let forward = play.replicate();
    play.arm();
    play.world.rush(true);
    play.wait(30);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": forward }));
    play.wait(10);
    play.open(Side::Target);
    play.flip((LEGACY, 3600), (TARGET, 60));
    play.world.rush(false);
    play.wait(2 * 3600);
    let report = play.world.report(Side::Target);
    let rules: Vec<&str> = report.violations.iter().map(|violation| violation.rule.as_str()).collect();
    for rule in ["S2", "S3", "S4"] {
        assert!(rules.contains(&rule), "{rule} is missing in {:?}", &rules[..rules.len().min(9)]);
    }
    assert!(report.payments.lost > 0);
}

#[test]
fn two_open_sides_after_a_fence_are_seen() {
    let mut play = Play::new(FaultProfile::calm(), 3);
    play.fence(Side::Target);
    play.fence(Side::Legacy);
    play.open(Side::Legacy);
    assert_eq!(play.rules_broken(), Vec::<&str>::new(), "an abort breaks nothing");
    play.open(Side::Target);
    assert!(play.rules_broken().contains(&"S1"));
}

/// The target has taken payments beside a stream that is stopped, and is fenced.
fn fenced_without_the_drain() -> Play {
    let mut play = Play::new(FaultProfile::calm(), 4);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(3600);
    play.fence(Side::Target);
    play
}

/// The stream is dead, the target fenced and legacy opened, over rows that were saved and then spoilt.
fn forced(loss_is_accepted: bool, spoil: impl FnOnce(&mut SavedRows)) -> Play {
    let mut play = fenced_without_the_drain();
    if loss_is_accepted {
        play.world.monitor.note_loss_accepted();
    }
    let mut rows = lacking_on_legacy(&play.world);
    assert!(rows.iter().any(|(table, _, lacking)| (*table, *lacking) == (PAYMENTS, Lacking::Row)), "customers have paid there");
    spoil(&mut rows);
    play.world.exports.insert(ExportName("payments-attempt-1-7".into()), rows);
    play.open(Side::Legacy);
    play
}

/// Where a payment that legacy has no row of stands in an export.
fn a_payment(rows: &SavedRows) -> usize {
    rows.iter().position(|(table, _, lacking)| (*table, *lacking) == (PAYMENTS, Lacking::Row)).expect("there is one")
}

#[test]
fn a_forced_rollback_breaks_nothing_where_a_person_accepts_it_and_exactly_what_legacy_lacks_is_saved() {
    let mut play = forced(true, |_| {});
    assert_eq!(play.rules_broken(), Vec::<&str>::new());
    let payments = play.world.final_check(Side::Legacy);
    assert_eq!((payments.lost, payments.duplicated), (0, 0));
    assert!(payments.quarantined > 0 && payments.quarantined < payments.acknowledged, "{payments:?}");
}

#[test]
fn a_forced_rollback_on_nobodys_word_or_with_other_rows_than_legacy_lacks_is_seen() {
    assert_eq!(forced(false, |_| {}).rules_broken(), ["S7"], "nobody has accepted anything");
    let without_one = |rows: &mut SavedRows| _ = rows.remove(a_payment(rows));
    let with_one_twice = |rows: &mut SavedRows| rows.push(rows[a_payment(rows)]);
    let with_another_amount = |rows: &mut SavedRows| {
        let payment = a_payment(rows);
        rows[payment].1.amount_cents += 1;
    };
    assert_eq!(forced(true, without_one).rules_broken(), ["S7"]);
    assert_eq!(forced(true, with_one_twice).rules_broken(), ["S7"]);
    assert_eq!(forced(true, with_another_amount).rules_broken(), ["S7"]);
    assert_eq!(forced(true, without_one).world.final_check(Side::Legacy).lost, 1, "and at the end a payment is nowhere");
    assert_eq!(forced(true, with_another_amount).world.final_check(Side::Legacy).lost, 1);
}

#[test]
fn a_payment_that_is_on_legacy_and_was_saved_as_missing_there_is_seen() {
    let mut play = forced(true, |_| {});
    let rows = play.world.exports.values().next().expect("an export").clone();
    let (table, row, _) = rows[a_payment(&rows)];
    play.world.databases.legacy.tables[table].put(row);
    assert_eq!(play.world.final_check(Side::Legacy).duplicated, 1, "whoever brings the export in would pay it twice");
}

#[test]
fn a_rollback_without_the_drain_is_seen() {
    let mut play = fenced_without_the_drain();
    play.open(Side::Legacy);
    assert_eq!(play.rules_broken(), ["S7"]);
    assert!(play.world.final_check(Side::Legacy).lost > 0);
}

#[test]
fn a_reverse_start_after_the_first_write_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 5);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(600);
    let late = play.world.databases.target.position().expect("a binary log");
    let how = json!({ "ReplicationTaskArn": reverse, "StartReplicationTaskType": "start-replication", "CdcStartPosition": late.to_string() });
    play.dms("StartReplicationTask", how);
    play.wait(60);
    assert_eq!(play.rules_broken(), ["S5"]);
}

#[test]
fn a_reload_after_the_first_write_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 6);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(3600);
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": forward, "StartReplicationTaskType": "resume-processing" }));
    play.wait(60);
    assert_eq!(play.rules_broken(), Vec::<&str>::new(), "resuming replaces nothing");
    let table = json!([{ "SchemaName": "payments", "TableName": "payments" }]);
    play.dms("ReloadTables", json!({ "ReplicationTaskArn": forward, "TablesToReload": table }));
    play.wait(3600);
    let mut broken = play.rules_broken();
    broken.dedup();
    assert_eq!(broken, ["S6", "S2", "Numbers"], "an emptied table numbers its rows from the beginning");
    assert!(play.world.final_check(Side::Target).lost > 0, "what the target took is gone");
}

#[test]
fn a_number_given_on_both_sides_is_seen_even_if_its_first_row_never_came() {
    let mut play = Play::new(FaultProfile::calm(), 6);
    play.world.databases.legacy.take_id(2);
    play.world.watch();
    play.world.databases.target.tables[2].raise_next_id(201);
    play.world.databases.target.take_id(2);
    play.world.watch();
    assert_eq!(play.rules_broken(), ["Numbers"]);
    play.number(Side::Target);
    play.world.databases.target.take_id(2);
    play.world.watch();
    assert_eq!(play.rules_broken().len(), 1, "above it all is well");
}

#[test]
fn a_pause_beyond_its_budget_is_seen_and_one_within_it_is_not() {
    let mut play = Play::new(FaultProfile::calm(), 7);
    play.world.monitor.note_pause_budget(Duration::from_secs(30));
    for (seconds, broken) in [(34, 0), (36, 1)] {
        play.fence(Side::Target);
        play.fence(Side::Legacy);
        play.wait(seconds);
        play.open(Side::Legacy);
        assert_eq!(play.rules_broken().len(), broken);
    }
    assert_eq!(play.rules_broken(), ["S14"]);
}

#[test]
fn foreign_names_and_deletions_are_seen() {
    let mut play = Play::new(FaultProfile::calm(), 8);
    let parameters =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let group = [("DBClusterParameterGroupName", "other"), ("DBParameterGroupFamily", "aurora-mysql8.0"), ("Description", "d")];
    play.world.rds("CreateDBClusterParameterGroup", &parameters(&group)).expect("it can be created");
    assert_eq!(play.rules_broken(), ["S11"]);
    play.world.rds("DescribeDBClusters", &parameters(&[])).expect("reads are free");
    assert_eq!(play.rules_broken(), ["S11"]);
}

#[test]
fn a_change_under_an_older_epoch_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 8);
    let now = play.world.now();
    for (side, epoch) in [(Side::Legacy, 1), (Side::Legacy, 2), (Side::Legacy, 2), (Side::Target, 1)] {
        play.world.monitor.changed_under(now, side, epoch);
    }
    assert_eq!(play.rules_broken(), Vec::<&str>::new(), "each side has its own newest, and a newer one may always come");
    play.world.monitor.changed_under(now, Side::Legacy, 1);
    assert_eq!(play.rules_broken(), ["S8"]);
}

#[test]
fn a_reboot_outside_the_window_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 9);
    let reboot = [("DBInstanceIdentifier".to_owned(), "payments-instance-1".to_owned())].into();
    play.world.rds("RebootDBInstance", &reboot).expect("AWS does not mind");
    assert_eq!(play.rules_broken(), ["Window"]);
    assert!(!play.world.databases.target.accepts(AccountUse::Application), "it is down");
    play.wait(120);
    assert!(play.world.databases.target.accepts(AccountUse::Application), "it is back");
}

#[test]
fn an_overwritten_edit_of_a_person_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 11);
    play.world.monitor.note_shadow_edit(true);
    let request = RestRequest {
        method: "POST".to_owned(),
        path: "/2013-04-01/hostedzone/Z1/rrset".to_owned(),
        query: Default::default(),
        body: "<ChangeResourceRecordSetsRequest><ChangeBatch><Changes><Change><Action>CREATE</Action><ResourceRecordSet>\
               <Name>shadow-pay.example.com.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>198.51.100.7</Value>\
               </ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
            .to_owned(),
    };
    play.world.route53(&request).expect("it is accepted");
    assert_eq!(play.rules_broken(), ["S13"]);
}
