//! The runbook of the example, as it was read by a person once; and what must be in any.

use std::path::Path;

use bascule::migration::gates;
use bascule::migration::ladder::Rung;
use bascule::runbook::{Trouble, runbook};
use bascule::spec::load::load;
use bascule::spec::{Migration, Phase};

const KEPT: &str = "docs/runbook-payments.md";

fn payments(change: impl FnOnce(String) -> String) -> Migration {
    let text = change(include_str!("../manifests/base/payments.yaml").to_owned());
    load("payments.yaml", text.as_bytes()).expect("the example is valid").migration.into_inner()
}

fn book(migration: &Migration) -> String {
    runbook(migration, Path::new("manifests/payments.yaml"))
}

#[test]
fn the_runbook_of_the_example_is_as_it_was_read() {
    let (path, found) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(KEPT), book(&payments(|text| text)));
    if std::env::var_os("BASCULE_BLESS").is_some() {
        std::fs::write(&path, &found).expect("the kept book can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("there is a kept book");
    assert_eq!(found, kept, "after a change on purpose: BASCULE_BLESS=1, and read the difference");
}

#[test]
fn every_phase_every_rung_and_every_gate_of_a_switch_is_in_it() {
    let book = book(&payments(|text| text));
    for phase in Phase::ALL {
        assert!(book.contains(&format!("\n## {phase}: ")), "{phase}");
    }
    // An abort is no step of a plan: it is what goes wrong.
    for rung in Rung::ALL.into_iter().filter(|rung| *rung != Rung::Aborted && *rung != Rung::Preflight) {
        assert!(book.contains(&format!("\n**{rung}**\n")), "{rung}");
    }
    for gate in [gates::CUTOVER, gates::ROLLBACK, gates::COMPLETION, gates::FORCED].concat() {
        assert!(book.contains(&format!("`{}`", gate.name())), "{}", gate.name());
    }
}

#[test]
fn every_link_in_it_leads_to_one_of_its_headings() {
    let book = book(&payments(|text| text));
    let kept = |character: char| character.is_alphanumeric() || character == '-' || character == ' ';
    let anchor =
        |heading: &str| heading.to_lowercase().chars().filter(|found| kept(*found)).collect::<String>().replace(' ', "-");
    let headings: Vec<String> =
        book.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#').trim())).collect();
    let links: Vec<&str> = book.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 20, "the links were not understood: {links:?}");
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "#{link} leads nowhere: {headings:?}");
    }
    for trouble in Trouble::ALL {
        assert!(headings.contains(&trouble.anchor()), "{}", trouble.title());
    }
}

#[test]
fn it_follows_the_spec() {
    let other = payments(|text| {
        text.replace("writePauseBudget: 30s", "writePauseBudget: 45s")
            .replace("identifier: payments-reverse", "identifier: homewards")
    });
    let book = book(&other);
    assert!(book.contains("45s at most, then it aborts by itself"), "{book}");
    assert!(book.contains("The task `homewards` is started from the recorded position"), "{book}");
    assert!(!book.contains("payments-reverse"), "nothing is told of a task that there is not");
}
