//! The migration of the proofs, as a file would declare it.

use bascule::spec::Migration;
use serde_json::json;

/// One comparison is enough and nobody has to approve, so that a story is short; whoever proves those rules asks for more.
pub fn migration() -> Migration {
    let arn = |kind: &str, name: &str| format!("arn:aws:dms:eu-central-1:111122223333:{kind}:{name}");
    let database = |host: &str| {
        json!({
            "host": host,
            "credentialsFrom": { "env": "PAYMENTS" },
            "schemas": ["payments"],
            "applicationAccounts": ["app@%"],
            "validationAccounts": ["validation@%"],
        })
    };
    let balancer = |what: &str| format!("arn:aws:elasticloadbalancing:eu-central-1:111122223333:{what}");
    let declared = json!({
        "apiVersion": "bascule.dev/v1alpha1",
        "kind": "Migration",
        "metadata": { "name": "payments" },
        "spec": {
            "phase": "Preflight",
            "legacy": {
                "database": database("legacy.example.net"),
                "endpointArn": arn("endpoint", "LEGACYSOURCE"),
                "reverseEndpointArn": arn("endpoint", "LEGACYTARGET"),
            },
            "target": {
                "cluster": "payments",
                "database": database("payments.cluster-x.eu-central-1.rds.amazonaws.com"),
                "endpointArn": arn("endpoint", "AURORATARGET"),
                "reverseEndpointArn": arn("endpoint", "AURORASOURCE"),
            },
            "replication": {
                "instanceArn": arn("rep", "INSTANCE"),
                "forward": { "identifier": "payments-forward", "maxLag": "10s" },
                "reverse": { "identifier": "payments-reverse", "maxLag": "10s" },
            },
            "binlog": { "parameterGroup": "payments-binlog", "retention": "72h", "maintenanceWindow": "sun:02:00-sun:04:00" },
            "loadBalancer": { "arn": balancer("loadbalancer/app/payments/1"), "targetGroupArn": balancer("targetgroup/payments/2"), "redirect": {} },
            "dns": {
                "hostedZoneId": "Z0ZONE",
                "zoneName": "example.com",
                "ttl": "60s",
                "public": {
                    "name": "pay.example.com",
                    "legacy": { "a": { "addresses": ["203.0.113.10"] } },
                    "target": { "alias": { "dnsName": "payments-1.eu-central-1.elb.amazonaws.com", "hostedZoneId": "Z215JYRZR1TBD5" } },
                },
                "shadow": { "name": "pay-shadow.example.com" },
            },
            "validation": { "consecutivePasses": 1, "interval": "15m", "maxAge": "2h", "declaredWrites": [] },
            "checks": {
                "consecutivePasses": 1,
                "pages": [{ "name": "page", "url": "https://pay-shadow.example.com/", "expect": {} }],
                "upstreams": [{ "name": "upstream", "url": "https://booking.example.net/health" }],
                "caches": [{ "name": "cache", "host": "cache.example.net" }],
                "schema": { "name": "schema" },
                "names": { "name": "names", "resolvers": ["192.0.2.53"] },
                "traffic": [{
                    "name": "traffic",
                    "signal": { "http": { "url": "https://metrics.example.net/", "pointer": "/requests" } },
                }],
            },
            "cutover": { "writePauseBudget": "30s", "approvals": { "required": 0, "expireAfter": "4h" } },
            "observation": { "window": "48h" },
        },
    });
    serde_json::from_value(declared).expect("the example is a migration")
}
