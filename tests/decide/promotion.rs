//! Which phase may be asked for from where, held against what the mind makes of the wish.

use bascule::migration::ladder::Rung;
use bascule::migration::promotion::{Promotion, judge};
use bascule::spec::Phase;

use super::common::Story;
use super::status::status;

/// More than any way takes.
const TURNS: usize = 400;

/// A story on each rung, with a wish that led there.
fn stories() -> Vec<Story> {
    let story = |rung: Rung| match rung {
        Rung::Preflight => Story::resting(Phase::Preflight),
        Rung::Aborted => Story::aborted(),
        Rung::RollbackFence | Rung::RollbackFlip => Story::entering(rung, Phase::RolledBack),
        Rung::ForcedStop | Rung::ForcedFence | Rung::ForcedExport => Story::forced_to(rung),
        Rung::RollbackOpen => Story::resting(Phase::RolledBack),
        Rung::Completed => Story::resting(Phase::Completed),
        _ => Story::entering(rung, Phase::CutOver),
    };
    Rung::ALL.into_iter().map(story).collect()
}

#[test]
fn what_is_refused_is_never_reached_and_what_is_accepted_is() {
    for story in stories() {
        let status = status(&story);
        // One that is forced has no way back any more, and none is completed without one: that wish may be made, and waits.
        let waits = |to: Phase| to == Phase::Completed && story.facts.forced.is_some();
        for to in Phase::ALL.into_iter().filter(|to| !waits(*to)) {
            let mut after = story.clone();
            after.wish(to);
            let had_it = story.facts.reached.contains_key(&to);
            match judge(&story.migration, to, Some(&status)) {
                Ok(Promotion::Already) => assert_eq!(to, story.migration.spec.phase),
                Ok(Promotion::Allowed(_)) => after.until(|after| after.facts.reached.contains_key(&to)),
                Err(refusal) => {
                    assert!(!refusal.accepted.contains(&to) && !refusal.why.is_empty(), "{refusal}");
                    for _ in 0..TURNS {
                        let _ = after.turn();
                    }
                    let has_it = after.facts.reached.contains_key(&to);
                    assert_eq!(has_it, had_it, "{to} was reached from {} though it was refused", story.facts.rung);
                }
            }
        }
    }
}

#[test]
fn after_an_abort_and_after_a_rollback_the_attempt_has_to_be_raised_first() {
    for (mut story, word) in [(Story::aborted(), "was aborted"), (Story::resting(Phase::RolledBack), "was rolled back")] {
        // The operator has taken the wish back, as one would.
        if story.facts.rung == Rung::Aborted {
            story.wish(Phase::RollbackArmed);
        }
        let status = status(&story);
        let refusal = judge(&story.migration, Phase::CutOver, Some(&status)).expect_err("the attempt is used up");
        assert!(refusal.to_string().contains(word) && refusal.to_string().contains("raise spec.attempt first"), "{refusal}");
        assert!(!refusal.accepted.contains(&Phase::CutOver));
        story.migration.spec.attempt = 2;
        assert!(matches!(judge(&story.migration, Phase::CutOver, Some(&status)), Ok(Promotion::Allowed(_))));
    }
}

#[test]
fn an_old_version_of_the_file_may_ask_for_nothing() {
    let mut story = Story::aborted();
    let mut status = status(&story);
    status.attempt = 2;
    story.wish(Phase::RollbackArmed);
    let refusal = judge(&story.migration, Phase::Prepared, Some(&status)).expect_err("the file is old");
    assert!(refusal.to_string().contains("attempt 2 is under way") && refusal.accepted.is_empty(), "{refusal}");
}

#[test]
fn by_the_file_alone_only_what_is_wrong_wherever_it_stands_is_refused() {
    let mut story = Story::begin();
    for phase in Phase::ALL {
        let verdict = judge(&story.migration, phase, None);
        assert_eq!(verdict.is_err(), phase == Phase::RolledBack, "{phase} from Preflight: {verdict:?}");
    }
    story.wish(Phase::CutOver);
    assert!(judge(&story.migration, Phase::RolledBack, None).is_ok());
    let Ok(Promotion::Allowed(notes)) = judge(&story.migration, Phase::RollbackArmed, None) else {
        panic!("an abort is refused")
    };
    assert!(notes[0].contains("aborts a switch that is before its point of no return"), "{notes:?}");
    story.wish(Phase::RolledBack);
    let refusal = judge(&story.migration, Phase::Prepared, None).expect_err("a rollback was asked for");
    assert_eq!(refusal.accepted, [Phase::CutOver, Phase::RolledBack]);
}

#[test]
fn a_way_that_ends_without_a_way_back_and_a_rollback_that_must_wait_are_noted() {
    let story = Story::begin();
    let Ok(Promotion::Allowed(notes)) = judge(&story.migration, Phase::Completed, None) else { panic!("it may be asked for") };
    assert!(notes[0].contains("the way back to be given up"), "{notes:?}");
    let story = Story::resting(Phase::CutOver);
    let mut status = status(&story);
    status.rollback.ready = false;
    status.rollback.reasons = vec!["reverse replication is down".into()];
    let Ok(Promotion::Allowed(notes)) = judge(&story.migration, Phase::RolledBack, Some(&status)) else { panic!("refused") };
    assert_eq!(notes, ["the rollback will wait: reverse replication is down"]);
}
