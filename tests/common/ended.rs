//! What a journey leaves behind, on simulated and on real servers alike.

use bascule::rehearsal::stage::Rehearsed;

/// Everything that must be the same however often the controller was killed on the way.
pub fn end_state(rehearsed: &Rehearsed) -> [String; 7] {
    let status = rehearsed.status.as_ref().expect("something was published");
    [
        format!("{:?}", status.phase),
        status.rung.to_string(),
        status.legacy_writes.clone(),
        status.target_writes.clone(),
        status.public_dns.clone(),
        status.forward.task.clone(),
        status.reverse.task.clone(),
    ]
}
