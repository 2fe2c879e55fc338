//! The gate of the targets behind the load balancer: all healthy, enough of them, in enough zones.

use std::collections::{BTreeMap, BTreeSet};

use super::{Scene, unknown_of};
use crate::controllers::redirect::{Target, TargetHealth};
use crate::migration::plan::Standing;
use crate::names::AvailabilityZone;
use crate::sighting::Sighting;
use crate::spec::LoadBalancer;

/// So many targets in one state are named, enough to begin looking; the rest is counted.
const NAMED_TARGETS: usize = 3;

pub(super) fn healthy(scene: &Scene<'_>) -> Standing {
    match &scene.seen.redirect.targets {
        Sighting::Present(targets) if !targets.is_empty() => judged(targets, &scene.migration.spec.load_balancer),
        Sighting::Present(_) | Sighting::Absent => Standing::Closed(
            "no target is registered with the target group; start the new stack, and see that it registers".into(),
        ),
        unknown @ Sighting::Unknown { .. } => unknown_of("the target group's health", unknown),
    }
}

/// What is told outweighs what is not: one ill target closes the gate, whatever the others are.
fn judged(targets: &[Target], balancer: &LoadBalancer) -> Standing {
    let needed = balancer.min_healthy_targets as usize;
    let (healthy, ill): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(|target| target.health == TargetHealth::Healthy);
    if ill.is_empty() && healthy.len() >= needed {
        return in_zones(targets, balancer.min_zones as usize);
    }
    let mut sentences = vec![format!("{} of {} targets healthy, {needed} needed", healthy.len(), targets.len())];
    sentences.extend(by_health(&ill));
    if is_fail_open(targets) {
        sentences.push(
            "No target is healthy, so the load balancer sends requests to unhealthy ones (fail-open): \
             that the pages answer proves nothing"
                .to_owned(),
        );
    }
    let is_certain = targets.len() < needed || ill.iter().any(|target| target.health.is_told());
    let sentences = sentences.join(". ");
    if is_certain { Standing::Closed(sentences) } else { Standing::Unknown(sentences) }
}

/// Below one healthy target, its default, an ALB chooses among the unhealthy ones rather than answer 503.
fn is_fail_open(targets: &[Target]) -> bool {
    let none_can_be_healthy = targets.iter().all(|target| target.health.is_told() && target.health != TargetHealth::Healthy);
    none_can_be_healthy && targets.iter().any(|target| matches!(target.health, TargetHealth::Unhealthy(_)))
}

/// One sentence for all targets that are in the same state for the same reason.
fn by_health(targets: &[&Target]) -> Vec<String> {
    let mut groups: BTreeMap<&TargetHealth, Vec<&str>> = BTreeMap::new();
    for target in targets {
        groups.entry(&target.health).or_default().push(&target.name);
    }
    groups.into_iter().map(|(health, names)| format!("{}: {health}", named(&names))).collect()
}

fn named(names: &[&str]) -> String {
    let shown = names[..names.len().min(NAMED_TARGETS)].join(", ");
    match names.len().saturating_sub(NAMED_TARGETS) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Targets whose zone is not told may stand in zones of their own or all in one: neither is assumed.
fn in_zones(targets: &[Target], needed: usize) -> Standing {
    let told: BTreeSet<&AvailabilityZone> = targets.iter().filter_map(|target| target.zone.as_ref()).collect();
    let untold = targets.iter().filter(|target| target.zone.is_none()).count();
    let names: Vec<&str> = told.iter().map(|zone| zone.as_str()).collect();
    let healthy = format!("{}, all healthy", counted(targets.len(), "target"));
    let zones = format!("{} ({})", counted(told.len(), "zone"), names.join(", "));
    match (told.len(), told.len() + untold) {
        (0, _) if needed <= 1 => Standing::Open(format!("{healthy}, in zones that ELBv2 does not tell")),
        (at_least, _) if at_least >= needed => Standing::Open(format!("{healthy}, in {zones}")),
        (_, at_most) if at_most < needed => Standing::Closed(format!(
            "{healthy}, but in {zones} where {needed} are needed; start targets in another zone of the load balancer"
        )),
        (..) => Standing::Unknown(format!(
            "{healthy}, but the zone of {untold} is not told, so whether they stand in {needed} zones is not known; ELBv2 tells \
             zones only of IP addresses inside the VPC: register the targets by address, or declare minZones: 1"
        )),
    }
}

fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
