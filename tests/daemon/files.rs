//! What becomes of the file that the operator edits.

use std::fs;
use std::os::unix::fs::symlink;

use bascule::journal::Event;

use crate::fixture::{Home, PAYMENTS, at_phase, condition, named};

#[test]
fn an_edit_that_replaces_the_file_is_put_into_force() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("payments.yaml", &at_phase("Prepared"));
    let object = daemon.when_at("payments", "Prepared");
    assert_eq!(object["metadata"]["generation"], 2);
    assert_eq!(object["spec"]["phase"], "Prepared");
    assert_eq!(condition(&object, "SpecAccepted"), "True");
    assert!(object["status"].get("specError").is_none());
}

#[test]
fn a_file_written_in_two_halves_is_only_ever_in_force_as_a_whole() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    let (text, file) = (at_phase("Prepared"), home.file("payments.yaml"));
    fs::write(&file, &text[..text.len() / 2]).expect("the first half");
    fs::write(&file, &text).expect("all of it");
    daemon.when_at("payments", "Prepared");
    assert!(daemon.stop().0.success());
    let accepted = |event: &Event| matches!(event, Event::SpecAccepted { .. });
    let accepted = home.history("payments").iter().filter(|entry| accepted(&entry.event)).count();
    assert_eq!(accepted, 2, "the first file and the whole second one, never a half");
}

#[test]
fn a_config_map_that_swaps_its_link_is_followed() {
    let home = Home::empty();
    let specs = home.specs();
    let version = |name: &str, phase: &str| {
        fs::create_dir(specs.join(name)).expect("a version's directory");
        fs::write(specs.join(name).join("payments.yaml"), at_phase(phase)).expect("a written file");
    };
    version("..2026_01", "Preflight");
    symlink("..2026_01", specs.join("..data")).expect("a link");
    symlink("..data/payments.yaml", specs.join("payments.yaml")).expect("a link");
    let daemon = home.run_on(&specs, &[]);
    daemon.when_at("payments", "Preflight");

    version("..2026_02", "Prepared");
    symlink("..2026_02", specs.join("..data_tmp")).expect("a link");
    fs::rename(specs.join("..data_tmp"), specs.join("..data")).expect("a swap");
    let object = daemon.when_at("payments", "Prepared");
    assert_eq!(object["metadata"]["generation"], 2);
}

#[test]
fn a_bad_file_changes_nothing_and_says_so_until_it_is_good_again() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("payments.yaml", &at_phase("Preparde"));
    let object = daemon.when_refused("payments", "Preparde");
    assert_eq!(object["spec"]["phase"], "Preflight", "the last good spec is in force");
    assert_eq!(object["metadata"]["generation"], 1);
    assert!(object["status"]["specError"].as_str().expect("a text").contains("payments.yaml:"), "it says where");

    home.save("payments.yaml", &at_phase("Prepared"));
    let object = daemon.when_at("payments", "Prepared");
    assert_eq!(condition(&object, "SpecAccepted"), "True");
    assert!(object["status"].get("specError").is_none());
    assert!(daemon.get("/metrics").body.contains("bascule_spec_errors_total 1"));
}

#[test]
fn a_removed_file_holds_what_it_asked_for() {
    let home = Home::with(&at_phase("Prepared"));
    let daemon = home.run();
    daemon.when_at("payments", "Prepared");
    fs::remove_file(home.file("payments.yaml")).expect("a removed file");
    let object = daemon.when_refused("payments", "is gone");
    assert_eq!(object["spec"]["phase"], "Prepared");
    assert_eq!(object["status"]["phase"], "Prepared");
    assert_eq!(daemon.get("/readyz").code, 200, "it is still at work");

    home.save("payments.yaml", &at_phase("Prepared"));
    daemon.when("payments", "accepted again", |object| condition(object, "SpecAccepted") == "True");
}

#[test]
fn a_file_may_be_moved_but_two_files_may_not_declare_one_migration() {
    let home = Home::empty();
    home.save("a.yaml", PAYMENTS);
    let daemon = home.run_on(&home.specs(), &[]);
    daemon.when_at("payments", "Preflight");
    fs::rename(home.file("a.yaml"), home.file("b.yaml")).expect("a moved file");
    home.save("b.yaml", &at_phase("Prepared"));
    daemon.when_at("payments", "Prepared");

    home.save("c.yaml", &at_phase("Replicating"));
    crate::fixture::eventually("the second declaration is told", || {
        let said = daemon.said();
        if said.contains("b.yaml declares payments already, and stays in force") { Ok(()) } else { Err(said) }
    });
    let object = daemon.when_at("payments", "Prepared");
    assert_eq!(object["spec"]["phase"], "Prepared", "the second file is not in force");
}

#[test]
fn a_renamed_migration_in_the_same_file_is_refused_and_no_second_one_begins() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("payments.yaml", &named("invoices", "Prepared"));
    let object = daemon.when_refused("payments", "invoices");
    assert_eq!(object["spec"]["phase"], "Preflight");
    assert_eq!(daemon.get("/api/v1/migrations/invoices").code, 404);
    assert!(daemon.stop().0.success());

    let restarted = home.run();
    restarted.when_refused("payments", "invoices");
    assert_eq!(restarted.get("/api/v1/migrations/invoices").code, 404);
    assert!(!home.journal_path("invoices").exists());
}

#[test]
fn before_the_first_fence_the_resources_may_be_others_even_in_another_region() {
    let home = Home::with(PAYMENTS);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("payments.yaml", &at_phase("Prepared").replace("eu-west-1", "eu-central-1"));
    let object = daemon.when_at("payments", "Prepared");
    assert!(object["spec"]["loadBalancer"]["arn"].as_str().expect("an ARN").contains("eu-central-1"));
}
