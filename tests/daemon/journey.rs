//! A whole journey as an operator makes it: there and back by editing one file, with a journal on disk and a daemon that looks
//! as often as in production.

use bascule::migration::ladder::Rung;
use bascule::spec::Phase;
use serde_json::Value;

use crate::fixture::{Home, at_phase};

/// A pause that the slowest machine keeps within, and approvals that outlast it: the minutes that this test waits are days of
/// the sandbox.
pub fn unhurried(phase: Phase) -> String {
    let mut text = at_phase(phase.name());
    for (usual, unhurried) in [
        ("\n    writePauseBudget: 30s\n", "\n    writePauseBudget: 1h\n"),
        ("\n    ttl: 60s\n", "\n    ttl: 1h\n"),
        ("\n      expireAfter: 4h\n", "\n      expireAfter: 2160h\n"),
    ] {
        assert!(text.contains(usual), "the example has another {}", usual.trim());
        text = text.replace(usual, unhurried);
    }
    text
}

/// The same, approved by two people who read `status`.
pub fn approved(phase: Phase, status: &Value) -> String {
    let (at, digest) = (&status["observedAt"], &status["approvals"]["planDigest"]);
    let approval = |by: &str| format!("    - {{ by: {by}@example.com, at: {at}, attempt: 1, planDigest: {digest} }}\n");
    let approvals = format!("\n  approvals:\n{}{}", approval("ada"), approval("bob"));
    unhurried(phase).replace("\n  approvals: []\n", &approvals)
}

/// Whether a phase is reached, or one after it: nobody looks often enough to see each.
pub fn has_come_to(object: &Value, phase: Phase) -> bool {
    serde_json::from_value::<Phase>(object["status"]["phase"].clone()).is_ok_and(|reached| reached >= phase)
}

#[test]
fn a_daemon_is_led_through_the_cutover_and_back_by_editing_its_file() {
    let home = Home::with(&unhurried(Phase::Preflight));
    let daemon = home.run();
    daemon.when_at("payments", "Preflight");
    home.save("payments.yaml", &unhurried(Phase::RollbackArmed));
    for phase in [Phase::Prepared, Phase::Replicating, Phase::Validated] {
        daemon.when("payments", phase.name(), |object| has_come_to(object, phase));
    }
    let armed = daemon.when_at("payments", "RollbackArmed");

    home.save("payments.yaml", &unhurried(Phase::CutOver));
    let held = daemon.when("payments", "the wish is seen", |object| object["status"]["wishedPhase"] == "CutOver");
    assert_eq!(held["status"]["phase"], "RollbackArmed", "nobody has approved");
    assert_eq!(held["status"]["legacyWrites"], "open");
    home.save("payments.yaml", &approved(Phase::CutOver, &armed["status"]));
    let over = daemon.when_at("payments", "CutOver");
    let writes = |object: &Value| ["legacyWrites", "targetWrites", "publicDns"].map(|what| object["status"][what].clone());
    assert_eq!(writes(&over), ["closed", "open", "target"]);

    home.save("payments.yaml", &approved(Phase::RolledBack, &armed["status"]));
    let back = daemon.when_at("payments", "RolledBack");
    assert_eq!(writes(&back), ["open", "closed", "legacy"]);
    assert_eq!(back["status"]["attempt"], 1, "it went there once");
    assert!(daemon.stop().0.success());

    let facts = home.journal("payments").facts();
    let entered: Vec<Rung> = facts.entered.keys().copied().filter(|rung| *rung > Rung::RollbackArmed).collect();
    let there = [Rung::Fence, Rung::Drain, Rung::Arm, Rung::Open, Rung::Flip, Rung::Observing];
    let and_back = [Rung::RollbackFence, Rung::RollbackFlip, Rung::RollbackOpen];
    assert_eq!(entered, [&there[..], &and_back[..]].concat(), "rung by rung, neither completed nor aborted");
}
