//! A directory of migrations: one never waits for another.

use std::fs;

use crate::fixture::{Home, at_phase, condition, named};

#[test]
fn the_troubles_of_some_migrations_do_not_hold_up_the_others() {
    let home = Home::empty();
    for name in ["alpha", "bravo", "charlie", "delta"] {
        home.save(&format!("{name}.yaml"), &named(name, "Prepared"));
    }
    home.save("nonsense.yaml", "phase: [");
    fs::write(home.journal_path("bravo"), b"no journal".repeat(1000)).expect("a written file");
    let daemon = home.run_on(&home.specs(), &[]);
    for name in ["alpha", "charlie", "delta"] {
        let object = daemon.when_at(name, "Prepared");
        assert_eq!(condition(&object, "SpecAccepted"), "True", "nobody else's mistake is told here");
    }
    let object = daemon.when("bravo", "observing", |object| condition(object, "JournalWritable") == "False");
    assert_ne!(object["status"]["phase"], "Prepared");
    let list = daemon.get("/api/v1/migrations").json();
    let names: Vec<_> = list["items"].as_array().expect("items").iter().map(|item| &item["metadata"]["name"]).collect();
    assert_eq!(names, ["alpha", "bravo", "charlie", "delta"]);
    assert!(daemon.stop().0.success());
}

#[test]
fn a_migration_that_joins_later_is_kept_too() {
    let home = Home::with(&at_phase("Prepared"));
    let daemon = home.run_on(&home.specs(), &[]);
    daemon.when_at("payments", "Prepared");
    home.save("invoices.yaml", &named("invoices", "Prepared"));
    daemon.when_at("invoices", "Prepared");
    let object = daemon.when_at("payments", "Prepared");
    assert_eq!(object["metadata"]["generation"], 1);
}
