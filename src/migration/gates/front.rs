//! Gates in front of the databases: the names that the public asks for, and the redirect that they lead to.

use std::time::Duration;

use super::{Scene, open_if, unknown_of};
use crate::clock::after;
use crate::controllers::dns::{DnsPurpose, Pointing, pointing, shadow_is_in_place};
use crate::controllers::redirect::{self, RedirectWish};
use crate::migration::plan::Standing;
use crate::names::Side;
use crate::sighting::Sighting;
use crate::spec::Destination;

/// What Route 53 answers for an alias to a load balancer; it cannot be lowered.
const ALIAS_TTL_SECONDS: u64 = 60;

pub(super) fn public_at(scene: &Scene<'_>, side: Side) -> Standing {
    let dns = &scene.migration.spec.dns;
    match pointing(&scene.seen.dns.public, dns) {
        Sighting::Present(Pointing::At { side: found, .. }) if found == side => {
            Standing::Open(format!("{} points exactly at {side}", dns.public.name))
        }
        Sighting::Present(Pointing::At { side: found, .. }) => Standing::Closed(format!("{} points at {found}", dns.public.name)),
        Sighting::Present(Pointing::Foreign(why)) => Standing::Closed(why),
        sighting => unknown_of("the public record", &sighting),
    }
}

pub(super) fn flipped(scene: &Scene<'_>, side: Side, purpose: DnsPurpose) -> Standing {
    let here = public_at(scene, side);
    if !here.is_open() {
        return here;
    }
    match scene.facts.changes.get(&purpose) {
        Some(change) if change.in_sync_at.is_some() => Standing::Open(format!("all authoritative servers point at {side}")),
        Some(_) => Standing::Closed("Route 53 has not brought all its servers in sync yet".into()),
        None if scene.facts.last_flip.is_none() => Standing::Open(format!("the public name never left {side}")),
        None => Standing::Closed("the change is not journalled yet".into()),
    }
}

pub(super) fn shadow_at_target(scene: &Scene<'_>) -> Standing {
    let dns = &scene.migration.spec.dns;
    match &scene.seen.dns.shadow {
        Sighting::Present(found) if shadow_is_in_place(found, dns) => {
            Standing::Open(format!("{} points at the target", dns.shadow.name))
        }
        Sighting::Present(_) => Standing::Closed(format!("{} points elsewhere", dns.shadow.name)),
        sighting => unknown_of("the shadow record", sighting),
    }
}

pub(super) fn low_ttl_in_force(scene: &Scene<'_>) -> Standing {
    let dns = &scene.migration.spec.dns;
    let low = match dns.public.legacy {
        Destination::Alias(_) => dns.ttl.duration().as_secs().max(ALIAS_TTL_SECONDS),
        Destination::A(_) | Destination::Cname(_) => dns.ttl.duration().as_secs(),
    };
    match pointing(&scene.seen.dns.public, dns) {
        Sighting::Present(Pointing::At { ttl_seconds, .. }) if ttl_seconds > low => {
            Standing::Closed(format!("{} still has a TTL of {ttl_seconds} s", dns.public.name))
        }
        Sighting::Present(Pointing::At { ttl_seconds, .. }) => old_ttl_ran_out(scene, ttl_seconds),
        Sighting::Present(Pointing::Foreign(why)) => Standing::Closed(why),
        sighting => unknown_of("the public record", &sighting),
    }
}

fn old_ttl_ran_out(scene: &Scene<'_>, ttl_seconds: u64) -> Standing {
    let Some(change) = scene.facts.changes.get(&DnsPurpose::LowerTtl) else {
        return Standing::Open(format!("the TTL was {ttl_seconds} s when first seen"));
    };
    let Some(in_sync_at) = change.in_sync_at else {
        return Standing::Closed("the lowered TTL is not in sync on all authoritative servers yet".into());
    };
    let run_out = after(in_sync_at, Duration::from_secs(change.old_ttl_seconds));
    if scene.now >= run_out {
        Standing::Open(format!("a TTL of {ttl_seconds} s is in force since {run_out:.0}"))
    } else {
        Standing::Closed(format!("caches may hold the old TTL of {} s until {run_out:.0}", change.old_ttl_seconds))
    }
}

pub(super) fn redirect_in_place(scene: &Scene<'_>) -> Standing {
    if scene.seen.redirect.listener.is_unknown() {
        return unknown_of("the listener", &scene.seen.redirect.listener);
    }
    let steps = redirect::plan(RedirectWish::InPlace, &scene.seen.redirect, &scene.migration.spec.load_balancer.redirect);
    open_if(steps.is_settled(), "plain HTTP is redirected to HTTPS", "the redirect listener is not in place")
}
