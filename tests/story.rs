//! The story that this program comes from, told again: nothing that went wrong there gets past its gate.

use bascule::rehearsal::operator::Scenario;
use bascule::rehearsal::stage::{Rehearsed, Request, rehearse};
use bascule::rehearsal::story::{Lesson, LessonReport};
use bascule::sim::profile::FaultProfile;
use bascule::spec::Migration;
use bascule::spec::load::load;

fn payments() -> Migration {
    let text = include_bytes!("../manifests/base/payments.yaml");
    load("payments.yaml", text).expect("the example is valid").migration.into_inner()
}

fn told(migration: &Migration, faults: &str, profile: FaultProfile, seed: u64) -> Rehearsed {
    rehearse(migration, &Request::new(Scenario::Story, faults, profile, seed), &mut |_| {})
}

#[test]
fn every_lesson_of_the_story_is_caught_at_its_gate_and_mended() {
    let rehearsed = told(&payments(), "calm", FaultProfile::calm(), 1);
    let lessons = &rehearsed.verdict.lessons;
    assert_eq!(lessons.len(), 5, "the example declares all that went wrong: {lessons:#?}");
    for LessonReport { lesson, caught_at, mended_at, evidence, gate } in lessons {
        let (Some(caught), Some(mended)) = (caught_at, mended_at) else { panic!("{lesson} was not caught by {gate}") };
        assert!(caught < mended, "{lesson}");
        assert!(!evidence.is_empty(), "{lesson}");
    }
    assert_eq!(rehearsed.verdict.outcome, "Completed", "{:#?}", rehearsed.verdict);
    assert!(rehearsed.verdict.is_good(), "{:#?}", rehearsed.verdict);
}

#[test]
fn no_phase_is_reached_over_a_gate_that_a_lesson_has_closed() {
    let rehearsed = told(&payments(), "calm", FaultProfile::calm(), 2);
    let mended = |wanted: fn(&Lesson) -> bool| {
        let lesson = rehearsed.verdict.lessons.iter().find(|report| wanted(&report.lesson)).expect("it was told");
        lesson.mended_at.expect("it was mended")
    };
    let reached = |phase: bascule::spec::Phase| {
        rehearsed.verdict.phases.iter().find(|entry| entry.phase == phase).expect("it was reached").entered_at
    };
    use bascule::spec::Phase::{Preflight, Validated};
    assert!(reached(Preflight) >= mended(|lesson| *lesson == Lesson::TableMissing));
    for wanted in [
        (|lesson| matches!(lesson, Lesson::UpstreamSilent(_))) as fn(&Lesson) -> bool,
        |lesson| matches!(lesson, Lesson::UpstreamRefuses(_)),
        |lesson| matches!(lesson, Lesson::CrossSlot(_)),
    ] {
        assert!(reached(Validated) >= mended(wanted));
    }
}

#[test]
fn the_story_ends_well_in_bad_weather_too_and_the_same_seed_tells_it_the_same_way() {
    let (one, again) =
        (told(&payments(), "rough", FaultProfile::rough(), 3), told(&payments(), "rough", FaultProfile::rough(), 3));
    assert!(one.verdict.is_good(), "{:#?}", one.verdict);
    assert_eq!(one.verdict, again.verdict);
}

#[test]
fn a_migration_that_declares_no_checks_is_not_told_what_it_could_not_have_caught() {
    let mut migration = payments();
    migration.spec.checks.upstreams.clear();
    migration.spec.checks.caches.clear();
    let rehearsed = told(&migration, "calm", FaultProfile::calm(), 1);
    assert_eq!(rehearsed.verdict.lessons.len(), 2, "{:#?}", rehearsed.verdict.lessons);
    assert!(rehearsed.verdict.is_good(), "{:#?}", rehearsed.verdict);
}

#[test]
fn the_transcript_beside_the_documents_is_what_the_story_prints() {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bascule"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["rehearse", "manifests/payments.yaml", "--scenario", "story"]);
    let said = command.output().expect("it runs").stdout;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/story.txt");
    if std::env::var_os("BASCULE_BLESS").is_some() {
        std::fs::write(file, &said).expect("the transcript can be written");
    }
    let committed = std::fs::read(file).expect("the transcript is committed");
    assert!(said == committed, "docs/story.txt differs; look, and then bless it with BASCULE_BLESS=1");
}
