//! The migration by the book: nothing is lost, and no rule is broken.

use jiff::Timestamp;
use serde_json::json;

use super::{LEGACY, Play, TARGET};
use crate::names::Side;
use crate::sim::profile::FaultProfile;
use crate::sim::wire::Cloud;

#[test]
fn a_cutover_by_the_book_loses_nothing_and_breaks_no_rule() {
    for seed in 0..5 {
        let mut play = Play::new(FaultProfile::calm(), seed);
        play.fence(Side::Target);
        let forward = play.replicate();
        play.cut_over(&forward);
        play.wait(24 * 3600);
        let report = play.world.report(Side::Target);
        assert_eq!(report.violations, [], "seed {seed}");
        assert_eq!((report.payments.lost, report.payments.duplicated), (0, 0));
        assert!(report.payments.acknowledged > 1000, "{:?}", report.payments);
        let pause = report.write_pause_seconds.expect("a cutover happened");
        assert!((5.0..130.0).contains(&pause), "{pause}");
        assert_eq!(report.rollback_write_pause_seconds, None);
    }
}

#[test]
fn a_rollback_by_the_book_brings_every_payment_back() {
    let mut play = Play::new(FaultProfile::calm(), 3);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.wait(6 * 3600);
    play.fence(Side::Target);
    play.mark(Side::Target, "rollback-drain");
    play.flip((TARGET, 60), (LEGACY, 60));
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(10);
    play.number(Side::Legacy);
    play.open(Side::Legacy);
    play.wait(3600);
    let report = play.world.report(Side::Legacy);
    assert_eq!(report.violations, []);
    assert_eq!((report.payments.lost, report.payments.duplicated), (0, 0));
    assert!(report.rollback_write_pause_seconds.is_some());
    // And forward again, as a second attempt does: what reverse wrote to legacy is not echoed.
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": forward, "StartReplicationTaskType": "resume-processing" }));
    play.wait(3600);
    assert_eq!(play.status(&forward)["ReplicationTaskStats"]["TablesErrored"], 0);
    assert_eq!(play.rules_broken(), Vec::<&str>::new());
}

#[test]
fn a_migration_of_ten_days_is_cheap() {
    let mut play = Play::new(FaultProfile::calm(), 15);
    play.fence(Side::Target);
    let forward = play.replicate();
    play.cut_over(&forward);
    play.wait(9 * 24 * 3600);
    assert!(play.world.customers.acknowledged() > 13_000);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let run = |seed| {
        let mut play = Play::new(FaultProfile::storm(), seed);
        play.fence(Side::Target);
        play.wait(5 * 24 * 3600);
        let report = play.world.report(Side::Legacy);
        (report, play.world.databases.legacy.tables[0].digest(Timestamp::MAX, false))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).1, run(2).1);
}

#[test]
fn people_edit_put_back_and_are_counted() {
    let profile = FaultProfile { human_edits: 3, ..FaultProfile::calm() };
    let mut play = Play::new(profile, 12);
    play.fence(Side::Target);
    play.flip((LEGACY, 3600), (LEGACY, 60));
    play.replicate();
    play.wait(12 * 24 * 3600);
    assert!(play.world.faults().injected.get("human_edit").copied().unwrap_or_default() >= 1);
    assert_eq!(play.rules_broken(), Vec::<&str>::new());
}
