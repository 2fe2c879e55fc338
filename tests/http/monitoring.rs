//! Alert rules and the dashboard: what they ask for exists, what they link to as well, and they say what they should.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use bascule::checks::report::CheckReport;
use bascule::http::Limits;
use bascule::migration::gates::{self, Gate};
use bascule::migration::ladder::Rung;
use regex::Regex;
use serde_json::{Value, json};

use crate::fixture::{Server, at, migration, plan, status};

const RULES: &str = include_str!("../../manifests/monitoring/alerts.yaml");
const RULES_TESTS: &str = include_str!("../../manifests/monitoring/alerts.test.yaml");
const DASHBOARD: &str = include_str!("../../manifests/monitoring/dashboard.json");
const RUNBOOK: &str = include_str!("../../docs/runbook-payments.md");

/// Every first group of an expression in a text.
fn found(expression: &str, text: &str) -> BTreeSet<String> {
    let expression = Regex::new(expression).expect("an expression");
    expression.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[tokio::test]
async fn every_metric_that_is_asked_for_exists() {
    let server = Server::start(Limits::default()).await;
    let metrics = server.board.metrics();
    metrics.pass_ended(migration().name(), std::time::Duration::from_millis(12), Some(at(0)));
    metrics.aws_called("dms");
    metrics.spec_refused();
    let mut shown = status("checked");
    let check = json!({ "name": "booking", "kind": "upstream", "verdict": "fail", "message": "silent", "passesInARow": 0, "evidence": [] });
    shown.checks = vec![serde_json::from_value::<CheckReport>(check).expect("a report")];
    server.board.publish(&migration(), 3, shown, plan());
    let text = server.get("/metrics").await.body;
    server.stop().await;
    let exposed = found(r"(?m)^(bascule_[a-z_]+)", &text);
    for (file, text) in [("alerts.yaml", RULES), ("alerts.test.yaml", RULES_TESTS), ("dashboard.json", DASHBOARD)] {
        let asked = found(r"\b(bascule_[a-z_]+)", text);
        assert!(asked.len() > 7, "{file} was not understood: {asked:?}");
        for metric in asked {
            assert!(exposed.contains(&metric), "{file} asks for {metric}: {exposed:?}");
        }
    }
}

#[test]
fn every_gate_and_rung_that_an_alert_names_exists() {
    let every: BTreeSet<String> = Rung::ALL
        .into_iter()
        .flat_map(gates::arrival)
        .chain([gates::CUTOVER, gates::ROLLBACK, gates::COMPLETION].into_iter().flatten())
        .map(|gate: &Gate| gate.name())
        .collect();
    let rungs = Rung::ALL.map(|rung| rung.to_string());
    let named = |label: &str| -> Vec<String> {
        let groups = found(&format!(r#"\b{label}=~?"([^"]+)""#), RULES);
        groups.iter().flat_map(|group| group.split('|').map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    assert!(named("gate").len() > 2 && named("rung").len() > 4);
    for gate in named("gate") {
        assert!(every.contains(&gate), "there is no gate {gate}");
    }
    for rung in named("rung") {
        assert!(rungs.contains(&rung), "there is no rung {rung}");
    }
}

#[test]
fn every_alert_leads_into_the_runbook_and_has_a_test() {
    let alerts = found(r"- alert: (\w+)", RULES);
    assert_eq!(alerts, found(r"alertname: (\w+)", RULES_TESTS), "each has a unit test");
    assert_eq!(RULES.matches("runbook_url: ").count(), RULES.matches("- alert: ").count());
    let headings: Vec<String> = RUNBOOK
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    for anchor in found(r"runbook_url: docs/runbook-payments\.md#(\S+)", RULES) {
        assert!(headings.contains(&anchor), "#{anchor} leads nowhere");
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_can_read() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    for panel in panels {
        let place = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{} stands outside of the grid", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
        assert!(panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()), "{}", panel["title"]);
    }
}

/// `promtool`, where it is installed: it comes with Prometheus, and `.ci/run` installs it.
fn promtool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("promtool")).find(|program| program.is_file())
}

#[test]
fn promtool_finds_the_rules_sound_and_their_tests_pass() {
    let Some(promtool) = promtool() else {
        println!("promtool is not installed here: the rules' own tests are run by .ci/run, which installs it");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/monitoring");
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(&folder).output().expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}
