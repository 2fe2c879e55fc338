//! The gate of the targets: every state and every mixture, and what a person reads there.

use bascule::controllers::redirect::{Target, TargetHealth};
use bascule::migration::gates::Gate;
use bascule::migration::plan::Standing;
use bascule::sighting::Sighting;
use bascule::spec::Phase;

use super::common::Story;
use super::common::good::target;

const FAIL_OPEN: &str = "(fail-open): that the pages answer proves nothing";

/// How the gate stands before these targets, where two healthy ones in `min_zones` zones are declared.
fn judged(min_zones: u32, targets: Vec<Target>) -> Standing {
    let mut story = Story::resting(Phase::Prepared);
    story.migration.spec.load_balancer.min_healthy_targets = 2;
    story.migration.spec.load_balancer.min_zones = min_zones;
    let mut seen = story.seen();
    seen.redirect.targets = Sighting::Present(targets);
    story.judge_seeing(Gate::TargetsHealthy, &seen)
}

fn healthy(zone: char) -> Target {
    target(zone, TargetHealth::Healthy)
}

fn untold(number: u32) -> Target {
    Target { name: format!("i-{number}:8080"), zone: None, health: TargetHealth::Healthy }
}

fn initial() -> TargetHealth {
    TargetHealth::Initial("Elb.InitialHealthChecking".into())
}

fn unhealthy() -> TargetHealth {
    TargetHealth::Unhealthy("Target.Timeout".into())
}

fn unused() -> TargetHealth {
    TargetHealth::Unused("Target.NotInUse".into())
}

fn unavailable() -> TargetHealth {
    TargetHealth::Unavailable("Elb.InternalError".into())
}

fn sleepy() -> TargetHealth {
    TargetHealth::Untold("`sleepy`, a state that this program does not know".into())
}

#[test]
fn every_state_and_reason_has_words_of_its_own_and_something_to_do() {
    let with = |state: fn(String) -> TargetHealth, code: &str| state(code.to_owned());
    let table = [
        (with(TargetHealth::Initial, "Elb.RegistrationInProgress"), "being registered; wait"),
        (with(TargetHealth::Initial, "Elb.InitialHealthChecking"), "first health checks are under way; wait"),
        (with(TargetHealth::Initial, ""), "initial (no reason given), its registration or"),
        (
            with(TargetHealth::Unhealthy, "Target.ResponseCodeMismatch"),
            "look at the application's log and at the group's success codes",
        ),
        (with(TargetHealth::Unhealthy, "Target.Timeout"), "look at its load and at its security group"),
        (with(TargetHealth::Unhealthy, "Target.FailedHealthChecks"), "see that the application listens"),
        (with(TargetHealth::Unhealthy, "Elb.InternalError"), "failed inside ELBv2"),
        (with(TargetHealth::Unhealthy, "Target.Moody"), "unhealthy (Target.Moody), it fails its health checks"),
        (with(TargetHealth::Unused, "Target.NotInUse"), "not in use by this load balancer, or its zone is not enabled"),
        (with(TargetHealth::Unused, "Target.NotRegistered"), "register it"),
        (with(TargetHealth::Unused, "Target.InvalidState"), "start it, or deregister it"),
        (with(TargetHealth::Unused, "Target.IpUnusable"), "register another one"),
        (with(TargetHealth::Unused, "Target.Moody"), "nothing is sent to it"),
        (TargetHealth::Draining, "wait until the deregistration delay is over"),
        (with(TargetHealth::Unavailable, "Target.HealthCheckDisabled"), "switch them on"),
        (with(TargetHealth::Unavailable, "Elb.InternalError"), "ask AWS if it lasts"),
        (with(TargetHealth::Unavailable, ""), "ELBv2 cannot tell"),
        (sleepy(), "`sleepy`, a state that this program does not know; look at the target in the console"),
    ];
    for (health, words) in table {
        let standing = judged(1, vec![healthy('a'), healthy('b'), target('c', health)]);
        assert!(!standing.is_open() && standing.text().starts_with("2 of 3 targets healthy, 2 needed. c:8080: "), "{standing:?}");
        assert!(standing.text().contains(words), "{words}: {standing:?}");
        assert!(!standing.text().contains("fail-open"), "healthy targets are chosen: {standing:?}");
    }
}

#[test]
fn one_target_that_is_told_to_be_ill_closes_the_gate_and_one_that_is_not_told_makes_it_unknown() {
    for ill in [initial(), unhealthy(), unused(), TargetHealth::Draining] {
        for other in [TargetHealth::Healthy, initial(), unhealthy(), unused(), TargetHealth::Draining, unavailable(), sleepy()] {
            let standing = judged(1, vec![healthy('a'), healthy('b'), target('c', ill.clone()), target('d', other)]);
            assert!(matches!(standing, Standing::Closed(_)), "{standing:?}");
        }
    }
    for unknown in [unavailable(), sleepy()] {
        let standing = judged(1, vec![healthy('a'), healthy('b'), target('c', unknown.clone())]);
        assert!(matches!(standing, Standing::Unknown(_)), "{standing:?}");
        let alone = judged(1, vec![target('c', unknown)]);
        assert!(matches!(alone, Standing::Closed(_)), "one is too few, whatever it is: {alone:?}");
    }
}

#[test]
fn a_load_balancer_without_a_healthy_target_fails_open_and_says_that_its_answers_prove_nothing() {
    let fails_open = |targets: Vec<TargetHealth>| {
        let standing = judged(1, targets.into_iter().zip('a'..).map(|(health, zone)| target(zone, health)).collect());
        assert!(!standing.is_open(), "{standing:?}");
        standing.text().ends_with(FAIL_OPEN)
    };
    assert!(fails_open(vec![unhealthy(), unhealthy()]));
    assert!(fails_open(vec![unhealthy(), TargetHealth::Draining]));
    assert!(fails_open(vec![unhealthy(), initial(), unused()]));
    assert!(!fails_open(vec![unhealthy(), TargetHealth::Healthy]), "the healthy one is chosen");
    assert!(!fails_open(vec![unhealthy(), sleepy()]), "the other may be healthy");
    assert!(!fails_open(vec![initial(), initial()]), "they have only begun");
    assert!(!fails_open(vec![unused(), TargetHealth::Draining]), "nothing is sent to them at all");
}

#[test]
fn enough_healthy_targets_are_needed_and_an_empty_group_has_none() {
    let standing = judged(1, vec![healthy('a')]);
    assert_eq!(standing, Standing::Closed("1 of 1 targets healthy, 2 needed".into()));
    let standing = judged(1, Vec::new());
    assert!(matches!(&standing, Standing::Closed(why) if why.starts_with("no target is registered")), "{standing:?}");
    let story = Story::resting(Phase::Prepared);
    let mut seen = story.seen();
    seen.redirect.targets = Sighting::Absent;
    let standing = story.judge_seeing(Gate::TargetsHealthy, &seen);
    assert!(matches!(&standing, Standing::Closed(why) if why.starts_with("no target is registered")), "{standing:?}");
}

#[test]
fn targets_that_ail_in_the_same_way_are_told_together_and_not_all_by_name() {
    let targets = ('a'..='e').map(|zone| target(zone, unhealthy())).chain([target('f', TargetHealth::Draining)]);
    let standing = judged(1, targets.collect());
    let text = standing.text();
    assert!(text.contains("a:8080, b:8080, c:8080 and 2 more: unhealthy (Target.Timeout), "), "{text}");
    assert!(text.contains("f:8080: draining (Target.DeregistrationInProgress), "), "{text}");
    assert!(!text.contains("d:8080"), "{text}");
}

#[test]
fn healthy_targets_in_too_few_zones_are_not_enough() {
    let standing = judged(2, vec![healthy('a'), healthy('a'), healthy('a')]);
    let words = "3 targets, all healthy, but in 1 zone (eu-central-1a) where 2 are needed; start targets in another zone of the \
                 load balancer";
    assert_eq!(standing, Standing::Closed(words.into()));
    assert!(judged(1, vec![healthy('a'), healthy('a')]).is_open(), "unless one is all that is asked");
    assert!(judged(2, vec![healthy('a'), healthy('b'), healthy('a')]).is_open());
    let ill = judged(2, vec![healthy('a'), target('b', unhealthy())]);
    assert!(matches!(ill, Standing::Closed(_)), "an ill target does not stand for its zone: {ill:?}");
}

#[test]
fn a_zone_that_is_not_told_is_neither_another_zone_nor_the_same() {
    let unknown = [vec![untold(1), untold(2)], vec![healthy('a'), healthy('a'), untold(1)]];
    for targets in unknown {
        let standing = judged(2, targets);
        assert!(matches!(&standing, Standing::Unknown(why) if why.contains("is not told")), "{standing:?}");
    }
    let enough = judged(2, vec![healthy('a'), healthy('b'), untold(1)]);
    assert!(enough.is_open(), "the others are enough: {enough:?}");
    let too_few = judged(3, vec![healthy('a'), healthy('a'), untold(1)]);
    assert!(matches!(too_few, Standing::Closed(_)), "one target cannot stand in two zones: {too_few:?}");
    let unasked = judged(1, vec![untold(1), untold(2)]);
    assert_eq!(unasked, Standing::Open("2 targets, all healthy, in zones that ELBv2 does not tell".into()));
}
