//! A whole migration played by hand, with no controller: the world alone, asked as the wire and the seams ask it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::database::AccountUse;
use super::database::binlog::{Change, Origin};
use super::profile::FaultProfile;
use super::setting::Setting;
use super::wire::{Cloud, RestRequest};
use super::{SharedWorld, World};
use crate::clock::{Clock, after};
use crate::database::{Database, Epoch};
use crate::names::{Account, Direction, MarkerId, Side};
use crate::sim::crash::CrashSwitch;
use crate::sim::database::seam::SimulatedDatabase;
use crate::spec::Migration;

const START: &str = "2026-03-02T08:00:00Z";

/// The migration that the tests of the world play.
fn migration() -> Migration {
    let database = |host: &str| {
        json!({
            "host": host, "credentialsFrom": { "env": "DB" }, "schemas": ["payments"],
            "applicationAccounts": ["payments_app@%"], "validationAccounts": ["validator@%"],
        })
    };
    let endpoint = |name: &str| format!("arn:aws:dms:eu-west-1:123456789012:endpoint:{name}");
    let document = json!({
        "apiVersion": "bascule.dev/v1alpha1", "kind": "Migration", "metadata": { "name": "payments" },
        "spec": {
            "phase": "Preflight",
            "legacy": { "database": database("legacy.example.com"), "endpointArn": endpoint("LEGACYSOURCE"), "reverseEndpointArn": endpoint("LEGACYTARGET") },
            "target": { "cluster": "payments", "database": database("payments.cluster-x.eu-west-1.rds.amazonaws.com"), "endpointArn": endpoint("AURORATARGET"), "reverseEndpointArn": endpoint("AURORASOURCE") },
            "replication": {
                "instanceArn": "arn:aws:dms:eu-west-1:123456789012:rep:PAYMENTS",
                "forward": { "identifier": "payments-forward", "maxLag": "5s" },
                "reverse": { "identifier": "payments-reverse", "maxLag": "5s" },
            },
            "binlog": { "parameterGroup": "payments-binlog", "retention": "72h", "maintenanceWindow": "sun:02:00-sun:04:00" },
            "loadBalancer": {
                "arn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/payments/1",
                "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/payments/1",
                "redirect": {},
            },
            "dns": {
                "hostedZoneId": "Z1", "zoneName": "example.com", "ttl": "60s",
                "public": {
                    "name": "pay.example.com", "legacy": { "a": { "addresses": ["203.0.113.10"] } },
                    "target": { "a": { "addresses": ["198.51.100.7"] } },
                },
                "shadow": { "name": "shadow-pay.example.com" },
            },
            "validation": { "declaredWrites": [{ "table": "payments.payments", "where": "customer_id = 'validation'" }] },
            "cutover": { "writePauseBudget": "30s", "approvals": { "required": 0, "expireAfter": "4h" } },
            "observation": { "window": "48h" },
        },
    });
    serde_json::from_value(document).expect("the fixture is a migration")
}

fn world_with(profile: FaultProfile, seed: u64) -> World {
    let migration = migration();
    let start = START.parse().expect("a timestamp");
    World::new(&migration, Setting::of(&migration), profile, seed, start)
}

/// Who plays, and what is played with.
struct Play {
    world: World,
}

impl Play {
    fn new(profile: FaultProfile, seed: u64) -> Self {
        Self { world: world_with(profile, seed) }
    }

    fn wait(&mut self, seconds: u64) {
        let to = after(self.world.now(), Duration::from_secs(seconds));
        self.world.advance(to);
    }

    #[allow(clippy::needless_pass_by_value, reason = "a script reads better without ampersands")]
    fn dms(&mut self, operation: &str, input: Value) -> Value {
        self.world.dms(operation, &input).unwrap_or_else(|refusal| panic!("{operation}: {refusal}"))
    }

    #[allow(clippy::needless_pass_by_value, reason = "a script reads better without ampersands")]
    fn refusal(&mut self, operation: &str, input: Value) -> String {
        self.world.dms(operation, &input).expect_err("it is refused").code
    }

    fn test_connections(&mut self) {
        let endpoints: Vec<String> = self.world.setting.endpoints.iter().map(|endpoint| endpoint.arn.to_string()).collect();
        let instance = self.world.setting.instance().clone();
        for endpoint in endpoints {
            self.dms("TestConnection", json!({ "ReplicationInstanceArn": instance, "EndpointArn": endpoint }));
        }
        self.wait(20);
    }

    fn create(&mut self, direction: Direction) -> String {
        let spec = &self.world.setting.migration.spec;
        let (source, target, migration_type) = match direction {
            Direction::Forward => (&spec.legacy.endpoint_arn, &spec.target.endpoint_arn, "full-load-and-cdc"),
            Direction::Reverse => (&spec.target.reverse_endpoint_arn, &spec.legacy.reverse_endpoint_arn, "cdc"),
        };
        let rule = |number: u32, schema: &str| {
            json!({
                "rule-type": "selection", "rule-id": number.to_string(), "rule-name": number.to_string(), "rule-action": "include",
                "object-locator": { "schema-name": schema, "table-name": "%" },
            })
        };
        let input = json!({
            "ReplicationTaskIdentifier": self.world.setting.task_identifier(direction).as_str().to_uppercase(),
            "SourceEndpointArn": source, "TargetEndpointArn": target, "MigrationType": migration_type,
            "ReplicationInstanceArn": self.world.setting.instance(),
            "TableMappings": json!({ "rules": [rule(1, "payments"), rule(2, "bascule")] }).to_string(),
            "ReplicationTaskSettings": json!({
                "FullLoadSettings": { "TargetTablePrepMode": "DO_NOTHING" },
                "ErrorBehavior": { "ApplyErrorInsertPolicy": "SUSPEND_TABLE", "ApplyErrorUpdatePolicy": "SUSPEND_TABLE" },
                "LoopbackPreventionSettings": { "EnableLoopbackPrevention": true, "SourceSchema": "bascule", "TargetSchema": "bascule" },
            }).to_string(),
        });
        let created = self.dms("CreateReplicationTask", input);
        assert_eq!(
            created["ReplicationTask"]["ReplicationTaskIdentifier"],
            self.world.setting.task_identifier(direction).as_str()
        );
        self.wait(30);
        created["ReplicationTask"]["ReplicationTaskArn"].as_str().expect("an ARN").to_owned()
    }

    fn status(&mut self, arn: &str) -> Value {
        let filter = json!({ "Filters": [{ "Name": "replication-task-arn", "Values": [arn] }] });
        self.dms("DescribeReplicationTasks", filter)["ReplicationTasks"][0].clone()
    }

    /// Forward replication up to CDC, with the busy tables' duplicates cured by reloads.
    fn replicate(&mut self) -> String {
        self.test_connections();
        let arn = self.create(Direction::Forward);
        self.dms("StartReplicationTask", json!({ "ReplicationTaskArn": arn, "StartReplicationTaskType": "start-replication" }));
        self.wait(3 * 3600);
        for _ in 0..3 {
            let statistics = self.dms("DescribeTableStatistics", json!({ "ReplicationTaskArn": arn }));
            let tables = statistics["TableStatistics"].as_array().expect("a list").clone();
            let broken: Vec<Value> = tables
                .iter()
                .filter(|table| table["TableState"] == "Table error")
                .map(|table| json!({ "SchemaName": table["SchemaName"], "TableName": table["TableName"] }))
                .collect();
            if !broken.is_empty() {
                self.dms("ReloadTables", json!({ "ReplicationTaskArn": arn, "TablesToReload": broken }));
                self.wait(600);
            }
        }
        assert_eq!(self.status(&arn)["ReplicationTaskStats"]["TablesErrored"], 0);
        arn
    }

    /// A binary log on the target, without RDS's ceremony.
    fn arm(&mut self) {
        let settings = super::database::BinlogSettings {
            format: "ROW".to_owned(),
            row_image: "FULL".to_owned(),
            checksum: "NONE".to_owned(),
        };
        self.world.databases.target.come_up(settings);
        self.world.databases.target.retention_hours = Some(72);
    }

    fn accounts(&self, side: Side) -> Vec<Account> {
        self.world.setting.migration.database(side).all_accounts()
    }

    fn fence(&mut self, side: Side) {
        let accounts = self.accounts(side);
        self.world.lock_accounts(side, &accounts);
        self.world.kill_connections(side);
    }

    fn open(&mut self, side: Side) {
        let accounts = self.accounts(side);
        self.world.unlock_accounts(side, &accounts);
    }

    fn mark(&mut self, side: Side, marker: &str) {
        let now = self.world.now();
        self.world.databases.side_mut(side).commit(now, Origin::Controller, vec![Change::Marker(marker.into())]);
        self.wait(5);
        assert!(self.world.databases.side(side.other()).markers.contains(&MarkerId::from(marker)), "{marker} travelled");
    }

    fn flip(&mut self, from: (&str, u64), to: (&str, u64)) {
        let change = |action: &str, (address, ttl): (&str, u64)| {
            format!(
                "<Change><Action>{action}</Action><ResourceRecordSet><Name>pay.example.com</Name><Type>A</Type><TTL>{ttl}</TTL>\
                 <ResourceRecords><ResourceRecord><Value>{address}</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change>"
            )
        };
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><ChangeBatch><Changes>{}{}</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
            change("DELETE", from),
            change("CREATE", to)
        );
        let path = "/2013-04-01/hostedzone/Z1/rrset".to_owned();
        let request = RestRequest { method: "POST".to_owned(), path, query: Default::default(), body };
        self.world.route53(&request).unwrap_or_else(|refusal| panic!("flip: {refusal}"));
    }

    /// The cutover; returns the reverse task.
    fn cut_over(&mut self, forward: &str) -> String {
        self.arm();
        let reverse = self.create(Direction::Reverse);
        self.flip((LEGACY, 3600), (LEGACY, 60));
        self.wait(2 * 3600);
        self.world.rush(true);
        self.wait(30);
        self.fence(Side::Legacy);
        self.mark(Side::Legacy, "drain");
        self.dms("StopReplicationTask", json!({ "ReplicationTaskArn": forward }));
        let start = self.world.databases.target.position().expect("a binary log");
        let how = json!({
            "ReplicationTaskArn": reverse, "StartReplicationTaskType": "start-replication", "CdcStartPosition": start.to_string(),
        });
        self.open(Side::Target);
        self.dms("StartReplicationTask", how);
        self.flip((LEGACY, 60), (TARGET, 60));
        self.wait(240);
        self.mark(Side::Target, "reverse-proof");
        self.world.rush(false);
        reverse
    }

    fn rules_broken(&self) -> Vec<&str> {
        self.world.monitor.violations.iter().map(|violation| violation.rule.as_str()).collect()
    }
}

const LEGACY: &str = "203.0.113.10";
const TARGET: &str = "198.51.100.7";

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

#[test]
fn a_rollback_without_the_drain_is_seen() {
    let mut play = Play::new(FaultProfile::calm(), 4);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(3600);
    play.fence(Side::Target);
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
    assert_eq!(play.rules_broken(), ["S6", "S2"]);
    assert!(play.world.final_check(Side::Target).lost > 0, "what the target took is gone");
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
fn dms_refuses_what_dms_refuses() {
    let mut play = Play::new(FaultProfile::calm(), 10);
    let forward = play.create(Direction::Forward);
    let start = |how: &str| json!({ "ReplicationTaskArn": forward, "StartReplicationTaskType": how });
    assert_eq!(
        play.refusal("StartReplicationTask", start("start-replication")),
        "InvalidResourceStateFault",
        "untested endpoints"
    );
    play.test_connections();
    assert_eq!(play.refusal("StartReplicationTask", start("resume-processing")), "InvalidParameterCombinationException");
    play.dms("StartReplicationTask", start("start-replication"));
    assert_eq!(play.refusal("StartReplicationTask", start("start-replication")), "InvalidResourceStateFault", "starting");
    play.wait(120);
    assert_eq!(play.status(&forward)["Status"], "running");
    let by_id = json!({ "Filters": [{ "Name": "replication-task-id", "Values": ["nobody"] }] });
    assert_eq!(play.refusal("DescribeReplicationTasks", by_id), "ResourceNotFoundFault");
    assert_eq!(play.refusal("DescribeReplicationTasks", json!({ "MaxRecords": 5 })), "InvalidParameterValueException");
    assert_eq!(play.refusal("DeleteReplicationTask", json!({ "ReplicationTaskArn": forward })), "InvalidResourceStateFault");
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": forward }));
    assert_eq!(play.status(&forward)["Status"], "stopping");
    play.wait(10);
    assert_eq!(play.status(&forward)["StopReason"], "Stop Reason NORMAL");
    assert_eq!(play.refusal("StartReplicationTask", start("start-replication")), "InvalidParameterCombinationException");
    play.dms("DeleteReplicationTask", json!({ "ReplicationTaskArn": forward }));
    play.wait(400);
    assert_eq!(play.refusal("DeleteReplicationTask", json!({ "ReplicationTaskArn": forward })), "ResourceNotFoundFault");
}

#[test]
fn dms_defaults_empty_the_target_and_lose_a_row_in_silence() {
    let mut play = Play::new(FaultProfile::calm(), 13);
    play.test_connections();
    let spec = play.world.setting.migration.spec.clone();
    let row = *play.world.databases.legacy.tables[2].rows().next().expect("legacy has rows");
    let stray = super::database::rows::Row { id: 99_999, key: 99_999, ..row };
    play.world.databases.target.tables[2].put(stray);
    let rule = json!({
        "rule-type": "selection", "rule-id": "1", "rule-name": "1", "rule-action": "include",
        "object-locator": { "schema-name": "payments", "table-name": "%" },
    });
    let created = play.dms(
        "CreateReplicationTask",
        json!({
            "ReplicationTaskIdentifier": "payments-forward", "SourceEndpointArn": spec.legacy.endpoint_arn,
            "TargetEndpointArn": spec.target.endpoint_arn, "MigrationType": "full-load-and-cdc",
            "ReplicationInstanceArn": spec.replication.instance_arn, "TableMappings": json!({ "rules": [rule] }).to_string(),
        }),
    );
    let arn = created["ReplicationTask"]["ReplicationTaskArn"].clone();
    play.wait(30);
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": arn, "StartReplicationTaskType": "start-replication" }));
    play.wait(4 * 3600);
    let task = play.status(arn.as_str().expect("an ARN"));
    assert_eq!((task["Status"].as_str(), task["ReplicationTaskStats"]["TablesErrored"].as_i64()), (Some("running"), Some(0)));
    assert!(play.world.databases.target.tables[2].with_key(99_999).is_none(), "DROP_AND_CREATE dropped what was there");
    let digest = |side: Side| play.world.databases.side(side).tables[1].digest(play.world.now(), false);
    assert_ne!(digest(Side::Legacy), digest(Side::Target), "a busy table lost a row, and nothing says so");
    assert!(play.world.truth().forward.skipped_rows > 0);
}

#[test]
fn a_task_fails_when_its_binary_log_is_gone() {
    let mut play = Play::new(FaultProfile::calm(), 14);
    play.fence(Side::Target);
    let forward = play.replicate();
    let reverse = play.cut_over(&forward);
    play.dms("StopReplicationTask", json!({ "ReplicationTaskArn": reverse }));
    play.wait(80 * 3600);
    play.dms("StartReplicationTask", json!({ "ReplicationTaskArn": reverse, "StartReplicationTaskType": "resume-processing" }));
    play.wait(60);
    let task = play.status(&reverse);
    assert_eq!(task["Status"], "failed", "72 hours were promised, and 80 have passed");
    assert!(task["LastFailureMessage"].is_string());
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

/// Both seams of one shared world.
fn seams(profile: FaultProfile) -> (SharedWorld, SimulatedDatabase, SimulatedDatabase) {
    let world = world_with(profile, 5).shared();
    let clock = Clock::starting_at(START.parse().expect("a timestamp"));
    let seam = |side| SimulatedDatabase::new(world.clone(), side, clock.clone(), CrashSwitch::never());
    let (legacy, target) = (seam(Side::Legacy), seam(Side::Target));
    (world, legacy, target)
}

#[tokio::test(start_paused = true)]
async fn a_closed_fence_lets_no_commit_follow() {
    let (world, legacy, _) = seams(FaultProfile { long_transaction: 1.0, ..FaultProfile::calm() });
    let accounts = migration().spec.legacy.database.all_accounts();
    world.lock().expect("not poisoned").rush(true);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let mut held = 0;
    let closed = loop {
        legacy.close_fence(Epoch(1), &accounts).await.expect("the fence closes");
        let view = legacy.look().await.expect("a look");
        if view.open_transactions == 0 && view.accounts.iter().all(|account| account.locked && account.connections == 0) {
            break view;
        }
        held += 1;
        assert!(held < 20, "the long transaction ends");
    };
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later = legacy.look().await.expect("a look");
    assert_eq!(later.position, closed.position, "nothing was committed behind the fence");
    legacy.open_fence(Epoch(1), &accounts).await.expect("it opens");
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_ne!(legacy.look().await.expect("a look").position, closed.position, "customers are back");
}

#[tokio::test(start_paused = true)]
async fn a_stale_controller_is_refused_and_changes_nothing() {
    let (_, legacy, _) = seams(FaultProfile::calm());
    let accounts = migration().spec.legacy.database.all_accounts();
    legacy.write_marker(Epoch(2), &"m".into()).await.expect("the newer one writes");
    let refused = legacy.close_fence(Epoch(1), &accounts).await.expect_err("the older one is refused");
    assert!(matches!(refused.problem, crate::fault::Problem::Superseded { ours: 1, theirs: 2 }), "{refused}");
    let view = legacy.look().await.expect("a look");
    assert!(view.accounts.iter().all(|account| !account.locked));
    assert_eq!(view.markers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_ambiguous() {
    let (world, legacy, _) = seams(FaultProfile { database_error: 1.0, ..FaultProfile::calm() });
    let mut applied = 0;
    for number in 0..20 {
        let fault = legacy.write_marker(Epoch(1), &format!("m{number}").into()).await.expect_err("it breaks");
        assert!(matches!(fault.problem, crate::fault::Problem::Ambiguous { .. }));
        applied = world.lock().expect("not poisoned").databases.legacy.markers.len();
    }
    assert!((1..20).contains(&applied), "some were applied: {applied}");
}
