//! What a daemon finds when it starts: journals of earlier runs, bad files, other processes.

use std::collections::BTreeSet;
use std::fs;

use bascule::journal::Event;
use bascule::migration::facts::Fact;
use bascule::spec::change::identity_digest;
use bascule::spec::load::load;

use crate::fixture::{Home, PAYMENTS, at_phase, condition};

#[test]
fn a_restart_with_a_bad_file_goes_on_with_the_last_good_one() {
    let home = Home::with(&at_phase("Prepared"));
    let daemon = home.run();
    daemon.when_at("payments", "Prepared");
    assert!(daemon.stop().0.success());

    home.save("payments.yaml", "phase: [");
    let restarted = home.run();
    let object = restarted.when_refused("payments", "payments.yaml");
    assert_eq!(object["spec"]["phase"], "Prepared");
    assert_eq!(object["metadata"]["generation"], 1);

    home.save("payments.yaml", &at_phase("Preflight"));
    let object = restarted.when("payments", "accepted", |object| condition(object, "SpecAccepted") == "True");
    assert_eq!(object["metadata"]["generation"], 2);
}

#[test]
fn a_restart_without_the_file_goes_on_with_the_last_good_one() {
    let home = Home::with(&at_phase("Prepared"));
    let daemon = home.run();
    daemon.when_at("payments", "Prepared");
    assert!(daemon.stop().0.success());

    fs::remove_file(home.file("payments.yaml")).expect("a removed file");
    let object = home.run().when_refused("payments", "is gone");
    assert_eq!(object["spec"]["phase"], "Prepared");
}

#[test]
fn a_bad_file_that_was_never_good_is_kept_by_nobody_and_named_in_the_log() {
    let home = Home::with(&at_phase("Preparde"));
    let daemon = home.run();
    crate::fixture::eventually("the refusal", || {
        let said = daemon.said();
        if said.contains("Preparde") { Ok(()) } else { Err(said) }
    });
    assert_eq!(daemon.get("/api/v1/migrations/payments").code, 404);
    assert_eq!(daemon.get("/readyz").code, 503);
    assert_eq!(daemon.get("/healthz").code, 200, "a restart would not help, so it is not asked for");
}

/// A state directory in which a first fence has been closed.
fn after_the_first_fence(home: &Home) {
    let loaded = load("payments.yaml", PAYMENTS.as_bytes()).expect("the example is valid");
    let journal = home.journal("payments");
    let now = "2026-03-02T09:00:00Z".parse().expect("a time");
    journal.accept_spec(now, &home.file("payments.yaml").display().to_string(), PAYMENTS).expect("a spec");
    journal.record(now, 1, Fact::AttemptBegun { attempt: 1 }).expect("a fact");
    journal.record(now, 1, Fact::IdentityFrozen { digest: identity_digest(&loaded.migration) }).expect("a fact");
}

#[test]
fn other_resources_after_the_first_fence_are_refused_while_running_and_after_a_restart() {
    let other = PAYMENTS.replace("Z0123456789ABCDEFGHIJ", "Z0123456789ABCDEOTHER");
    let home = Home::with(PAYMENTS);
    after_the_first_fence(&home);
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("payments.yaml", &other);
    let object = daemon.when_refused("payments", "spec.dns.hostedZoneId");
    assert_eq!(object["spec"]["dns"]["hostedZoneId"], "Z0123456789ABCDEFGHIJ");
    assert!(daemon.stop().0.success());

    let restarted = home.run();
    let object = restarted.when_refused("payments", "spec.dns.hostedZoneId");
    assert_eq!(object["spec"]["dns"]["hostedZoneId"], "Z0123456789ABCDEFGHIJ");
    assert_eq!(object["metadata"]["generation"], 1);
}

#[test]
fn sigterm_finishes_the_step_that_was_begun_and_exits_with_0() {
    let home = Home::with(&at_phase("Replicating"));
    let daemon = home.run();
    crate::fixture::eventually("something is begun", || {
        let events = daemon.get("/api/v1/migrations/payments/events").body;
        if events.contains("\"kind\":\"Intent\"") { Ok(()) } else { Err(events) }
    });
    let (status, said) = daemon.stop();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("stopping: the step that was begun is finished first"), "{said}");
    let history = home.history("payments");
    let begun: BTreeSet<_> =
        history.iter().filter(|entry| matches!(entry.event, Event::Intent(_))).map(|entry| entry.seq).collect();
    let ended: BTreeSet<_> = history
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Outcome { intent, .. } => Some(*intent),
            _ => None,
        })
        .collect();
    assert!(!begun.is_empty(), "nothing was begun, so nothing was proven");
    assert_eq!(begun, ended, "every intent has its outcome");
}

#[test]
fn a_second_process_on_the_same_state_is_refused() {
    let home = Home::with(PAYMENTS);
    let first = home.run();
    first.when_at("payments", "Preflight");
    let second = home.command(&home.file("payments.yaml"), &[]).output().expect("it runs");
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another bascule; stop that one first"), "{said}");
    assert!(!said.contains("answers on"), "it did not begin: {said}");
    first.when_at("payments", "Preflight");
}

#[test]
fn with_a_journal_that_cannot_be_read_it_only_observes_and_says_so() {
    let home = Home::with(&at_phase("Prepared"));
    let garbage = b"this is no journal, but somebody's shopping list".repeat(100);
    fs::write(home.journal_path("payments"), &garbage).expect("a written file");
    let daemon = home.run();
    let object = daemon.when("payments", "observing", |object| condition(object, "JournalWritable") == "False");
    assert!(object["status"]["conditions"].to_string().contains("restore it from a backup"), "{object:#}");
    crate::fixture::eventually("five passes", || {
        let text = daemon.get("/metrics").body;
        let passes = text.lines().find_map(|line| line.strip_prefix("bascule_reconcile_passes_total{migration=\"payments\"} "));
        let passes = passes.and_then(|passes| passes.parse::<u64>().ok()).unwrap_or(0);
        if passes >= 5 { Ok(()) } else { Err(text) }
    });
    let object = daemon.when("payments", "observing", |object| condition(object, "JournalWritable") == "False");
    assert_eq!(object["status"]["publicDns"], "legacy");
    assert_eq!(object["status"]["lastActions"], serde_json::json!([]), "nothing was done");
    assert_eq!(fs::read(home.journal_path("payments")).expect("it is still there"), garbage, "and nothing was repaired");
}

#[test]
fn the_journal_of_another_migration_is_not_used() {
    let home = Home::with(&at_phase("Prepared"));
    drop(home.journal("invoices"));
    fs::rename(home.journal_path("invoices"), home.journal_path("payments")).expect("a moved journal");
    let daemon = home.run();
    let object = daemon.when("payments", "observing", |object| condition(object, "JournalWritable") == "False");
    assert!(object["status"]["conditions"].to_string().contains("is the journal of the migration `invoices`"), "{object:#}");
    assert_eq!(object["status"]["lastActions"], serde_json::json!([]));
}
