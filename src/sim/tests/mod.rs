//! A whole migration played by hand, with no controller: the world alone, asked as the wire and the seams ask it.

mod book;
mod dms;
mod rules;
mod sdk;
mod seam;

use std::time::Duration;

use serde_json::{Value, json};

use super::World;
use super::database::binlog::{Change, Origin};
use super::profile::FaultProfile;
use super::setting::Setting;
use super::wire::{Cloud, RestRequest};
use crate::clock::after;
use crate::names::{Account, Direction, MarkerId, Side};
use crate::spec::{Hook, Migration};

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

/// A world whose migration declares hooks.
pub(super) fn world_calling(hooks: Vec<Hook>, profile: FaultProfile) -> World {
    let mut migration = migration();
    migration.spec.hooks = hooks;
    let start = START.parse().expect("a timestamp");
    World::new(&migration, Setting::of(&migration), profile, 5, start)
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
            form: crate::database::LogForm::Plain,
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

    /// Numbers rows above everything that the other side has given.
    fn number(&mut self, side: Side) {
        let given: Vec<u64> = self.world.databases.side(side.other()).tables.iter().map(|table| table.next_id()).collect();
        for (table, next) in self.world.databases.side_mut(side).tables.iter_mut().zip(given) {
            table.raise_next_id(next);
        }
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
        flip(&mut self.world, from, to);
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
        self.number(Side::Target);
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

/// Points the public name elsewhere: address and TTL, from and to.
fn flip(world: &mut World, from: (&str, u64), to: (&str, u64)) {
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
    world.route53(&request).unwrap_or_else(|refusal| panic!("flip: {refusal}"));
}
