//! The IAM documents: every call that the program makes, in the right one, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bascule::iam::{Document, Policies, Statement};
use bascule::names::InstanceId;
use bascule::spec::Migration;
use bascule::spec::load::load;
use regex::Regex;
use serde_json::json;

fn payments() -> Migration {
    let text = include_bytes!("../manifests/base/payments.yaml");
    load("payments.yaml", text).expect("the example is valid").migration.into_inner()
}

fn policies() -> Policies {
    Policies::of(&payments(), &[])
}

fn actions(document: &Document) -> BTreeSet<String> {
    let all: Vec<String> = document.statement.iter().flat_map(|statement| statement.action.clone()).collect();
    let distinct: BTreeSet<String> = all.iter().cloned().collect();
    assert_eq!(all.len(), distinct.len(), "no call is allowed twice: {all:?}");
    distinct
}

/// Every Rust file that talks to AWS in earnest: not the stand-in world, not what is tested in it, not its rehearsals.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        if path.is_dir() && !["sim", "rehearsal", "lab"].contains(&name.as_str()) {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The operations that the sources call, as IAM spells them.
fn called() -> BTreeSet<String> {
    let call = Regex::new(r"\.(dms|rds|route53|elb)\s*\.([a-z][a-z0-9_]*)\(\)").expect("an expression");
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut called = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        for found in call.captures_iter(&text) {
            let service = if &found[1] == "elb" { "elasticloadbalancing" } else { &found[1] };
            called.insert(format!("{service}:{}", pascal(&found[2])));
        }
    }
    called
}

fn pascal(snake: &str) -> String {
    let word = |word: &str| match word {
        "db" => "DB".to_owned(),
        other => other[..1].to_uppercase() + &other[1..],
    };
    snake.split('_').map(word).collect()
}

fn only_looks(action: &str) -> bool {
    let (_, operation) = action.split_once(':').expect("a service and an operation");
    ["Describe", "List", "Get"].iter().any(|verb| operation.starts_with(verb))
}

#[test]
fn every_call_of_the_program_is_in_the_right_document_and_no_other_is() {
    let (looks, acts): (BTreeSet<String>, BTreeSet<String>) = called().into_iter().partition(|action| only_looks(action));
    assert!(looks.len() > 8 && acts.len() > 10, "the sources were not understood: {looks:?} {acts:?}");
    assert_eq!(actions(&policies().observe), looks);
    assert_eq!(actions(&policies().act), acts);
}

#[test]
fn no_wildcard_stands_without_its_reason_and_no_reason_without_its_wildcard() {
    for Statement { sid, resource, wildcard_because, .. } in policies().observe.statement.iter().chain(&policies().act.statement)
    {
        let wild = resource.iter().any(|resource| resource.contains('*'));
        assert_eq!(wild, wildcard_because.is_some(), "{sid}: {resource:?}");
        assert!(sid.chars().all(|character| character.is_ascii_alphanumeric()), "IAM refuses the Sid {sid}");
        let regional = resource.iter().all(|resource| resource.starts_with("arn:aws:"));
        assert!(regional || resource == &["*"], "{sid}: {resource:?}");
    }
}

#[test]
fn what_writes_never_stands_on_everything() {
    for statement in &policies().act.statement {
        assert!(!statement.resource.contains(&"*".to_owned()), "{}", statement.sid);
        assert!(statement.action.iter().all(|action| !action.contains('*')), "{}", statement.sid);
    }
}

fn statement<'a>(document: &'a Document, action: &str) -> &'a Statement {
    let wanted = |statement: &&Statement| statement.action.iter().any(|found| found == action);
    document.statement.iter().find(wanted).unwrap_or_else(|| panic!("nothing allows {action}"))
}

#[test]
fn records_may_be_changed_under_the_declared_names_only() {
    let act = policies().act;
    let records = statement(&act, "route53:ChangeResourceRecordSets");
    assert_eq!(records.resource, ["arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ"]);
    let values = &records.condition["ForAllValues:StringEquals"];
    let names = ["pay.example.com", "shadow-pay.example.com"];
    assert_eq!(values["route53:ChangeResourceRecordSetsNormalizedRecordNames"], json!(names));
    assert_eq!(values["route53:ChangeResourceRecordSetsActions"], json!(["CREATE", "DELETE"]));
    assert_eq!(values["route53:ChangeResourceRecordSetsRecordTypes"], json!(["A"]));
    let must_be_there = &records.condition["Null"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"];
    assert_eq!(must_be_there, "false", "a condition on all values holds where there is none");
}

#[test]
fn only_resources_of_the_spec_are_named() {
    let act = policies().act;
    assert_eq!(
        statement(&act, "rds:ModifyDBCluster").resource,
        ["arn:aws:rds:eu-west-1:123456789012:cluster:payments", "arn:aws:rds:eu-west-1:123456789012:cluster-pg:payments-binlog"]
    );
    let create = statement(&act, "dms:CreateReplicationTask");
    assert_eq!(create.resource.len(), 5, "four endpoints and the instance that runs the task: {:?}", create.resource);
    assert_eq!(
        statement(&act, "elasticloadbalancing:ModifyListener").resource,
        ["arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/payments/50dc6c495c0c9188/*"]
    );
}

#[test]
fn instances_that_are_named_are_the_only_ones_that_may_be_rebooted() {
    let act = Policies::of(&payments(), &[InstanceId::from("payments-1"), InstanceId::from("payments-2")]).act;
    let reboot = statement(&act, "rds:RebootDBInstance");
    let named = ["arn:aws:rds:eu-west-1:123456789012:db:payments-1", "arn:aws:rds:eu-west-1:123456789012:db:payments-2"];
    assert_eq!(reboot.resource, named);
    assert_eq!(reboot.wildcard_because, None);
}
