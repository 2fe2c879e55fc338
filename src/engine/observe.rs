//! Eyes: one look at everything that the present rung needs, all rooms at once. Reads only, but for one heartbeat row.

use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, select};
use jiff::Timestamp;

use super::beats::{Beats, beat};
use super::inspect::{Inspections, inspect};
use super::surroundings::Equipment;
use crate::aws::Freshness;
use crate::checks::checker::Round;
use crate::clock::Clock;
use crate::controllers::binlog::{self, BinlogSighting, BinlogWish};
use crate::controllers::dns::{self, DnsSighting, DnsWish};
use crate::controllers::redirect::{self, RedirectSighting};
use crate::controllers::replication::{self, ReplicationSighting};
use crate::database::{BinlogView, DatabaseView, Epoch};
use crate::migration::facts::Facts;
use crate::migration::ladder::Rung;
use crate::migration::observation::Observation;
use crate::names::{ChangeId, Side};
use crate::sighting::Sighting;
use crate::spec::{Migration, Phase};

/// The longest that a look waits for AWS while both sides are closed: an unanswered question is `Unknown`, and the budget of
/// the pause goes on being watched. A look, an action and a look again, begun just within the budget, must end within one
/// call's time-out (five seconds) after it.
const LOOK_WHILE_PAUSED: Duration = Duration::from_secs(1);

/// The longest that a look waits for AWS otherwise: two calls one after the other, each with its own time-out.
const LOOK: Duration = Duration::from_secs(15);

/// The longest that a look waits for a database.
const LOOK_AT_DATABASE: Duration = Duration::from_secs(5);

/// Passes of a cutover follow each other faster than AWS may be asked: DMS allows four calls a second to the whole account.
/// The databases are looked at in every pass; AWS's last word may be this old, unless something was changed since.
const A_BREATH: Duration = Duration::from_millis(1_000);

/// Outside the maintenance window nothing of the binary log can be in a hurry.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Resources that a rung does not work on are still looked at, this seldom.
const SELDOM: Duration = Duration::from_secs(6 * 3600);

/// Once the wished phase is reached, a listing of the account's tasks that some other migration asked for may be this old:
/// a hundred settled migrations, each with a listing a minute of its own, would use up DMS's four calls a second. The heartbeat
/// tells sooner that a task stands still.
const SHARED_LISTING: Duration = Duration::from_secs(30);

/// What a look is made with.
#[derive(Debug, Clone, Copy)]
pub struct Eyes<'a> {
    /// The account, the databases, and everybody who is asked or told something.
    pub equipment: &'a Equipment,
    /// Time.
    pub clock: &'a Clock,
    /// This controller's epoch, for the heartbeat.
    pub epoch: Epoch,
    /// How old an answer may be about what changes only by somebody's hand ([`super::cadence::Cadence::glance`]).
    pub glance: Duration,
    /// What was read of both databases beforehand.
    pub inspections: &'a Inspections,
    /// What earlier looks know of heartbeats under way.
    pub beats: &'a Beats,
}

/// How fresh each room's answers have to be at a rung.
struct Wanted {
    replication: Freshness,
    /// How the two tasks are set up.
    papers: Freshness,
    binlog: Freshness,
    names: Freshness,
    front: Freshness,
}

fn wanted(migration: &Migration, facts: &Facts, glance: Duration, now: Timestamp) -> Wanted {
    let rung = facts.rung;
    let reached = facts.reached.contains_key(&migration.spec.phase);
    let before_the_switch = migration.spec.phase < Phase::CutOver;
    let quiet = Freshness::UpTo(SELDOM);
    if facts.writes_are_paused() || matches!(rung, Rung::Open | Rung::Flip) {
        let hurried = Freshness::UpTo(A_BREATH);
        return Wanted { replication: hurried, papers: quiet, binlog: quiet, names: hurried, front: quiet };
    }
    let binlog = match rung.posture().binlog {
        BinlogWish::InEffect if !migration.spec.binlog.maintenance_window.is_open(now) => Freshness::UpTo(A_MINUTE),
        BinlogWish::InEffect => Freshness::Now,
        BinlogWish::NotYet | BinlogWish::Guarded => quiet,
    };
    // What a gate judges is asked for now; what is merely watched may be a glance old.
    let front = match rung {
        Rung::Prepared | Rung::Validated if !reached => Freshness::Now,
        Rung::RollbackArmed if !before_the_switch => Freshness::Now,
        _ => Freshness::UpTo(glance),
    };
    let names = match rung {
        Rung::Replicating | Rung::Validated | Rung::RollbackArmed if before_the_switch => Freshness::UpTo(glance / 6),
        _ if reached => Freshness::UpTo(glance / 6),
        _ => Freshness::Now,
    };
    let replication = if reached { Freshness::UpTo(SHARED_LISTING) } else { Freshness::Now };
    Wanted { replication, papers: Freshness::UpTo(glance), binlog, names, front }
}

/// Looks.
pub async fn look(eyes: Eyes<'_>, migration: &Migration, facts: &Facts) -> Observation {
    let at = eyes.clock.now();
    let wanted = wanted(migration, facts, eyes.glance, at);
    let limit = if facts.writes_are_paused() { LOOK_WHILE_PAUSED } else { LOOK };
    let awaited = awaited_change(facts);
    if let Some(round) = round(migration, facts, eyes.glance) {
        eyes.equipment.checker.begin(migration, round).await;
    }
    // Boxed, because a look is one of many futures inside its caller's.
    let databases = Box::pin(async {
        let sent = beat(eyes, migration, facts).await;
        let views = async { tokio::join!(look_at(eyes, Side::Legacy), look_at(eyes, Side::Target)) };
        let (views, inspections) = tokio::join!(views, Box::pin(inspect(eyes, migration, facts)));
        (sent, views, inspections)
    });
    let replication = within(
        eyes.clock,
        limit,
        replication::aws::observe(&eyes.equipment.aws, migration, wanted.replication, wanted.papers),
        |why| ReplicationSighting::unknown(migration, why),
    );
    let names = within(
        eyes.clock,
        limit,
        dns::aws::observe(&eyes.equipment.aws, migration, wanted.names, awaited.as_ref()),
        DnsSighting::unknown,
    );
    let front = within(
        eyes.clock,
        limit,
        redirect::aws::observe(&eyes.equipment.aws, migration, wanted.front),
        RedirectSighting::unknown,
    );
    let binlog = within(
        eyes.clock,
        limit,
        binlog::aws::observe(&eyes.equipment.aws, migration, wanted.binlog, in_effect_later()),
        BinlogSighting::unknown,
    );
    let (replication, names, front, mut binlog, (sent, (legacy, target), (inspections, id_spaces))) =
        tokio::join!(replication, names, front, binlog, databases);
    let crossing = eyes.beats.note((migration, facts), sent, (&legacy, &target));
    binlog.in_effect = target.as_ref().map(|view: &DatabaseView| view.binlog.clone());
    let (comparison, checks) = (eyes.equipment.comparer.comparison(), eyes.equipment.checker.board());
    let export = eyes.equipment.exporter.export();
    Observation {
        at,
        replication,
        binlog,
        dns: names,
        redirect: front,
        legacy,
        target,
        crossing,
        comparison,
        export,
        checks,
        inspections,
        id_spaces,
    }
}

/// Which round of checks may begin; none while writes are paused, when nothing waits for one.
fn round(migration: &Migration, facts: &Facts, glance: Duration) -> Option<Round> {
    if facts.writes_are_paused() {
        return None;
    }
    let reached = facts.reached.contains_key(&migration.spec.phase);
    let is_waited_for = match facts.rung {
        Rung::Prepared | Rung::Validated | Rung::Flip => !reached,
        Rung::RollbackArmed => migration.spec.phase >= Phase::CutOver,
        _ => false,
    };
    let interval = migration.spec.checks.interval.duration();
    let public_at = match facts.rung.posture().public_dns {
        DnsWish::Target => Side::Target,
        DnsWish::NotYet | DnsWish::Legacy => Side::Legacy,
    };
    Some(Round { public_at, interval: if is_waited_for { interval } else { interval.max(glance) } })
}

/// The target's own word on its binary log comes with the look at the target, which runs beside this.
fn in_effect_later() -> Sighting<BinlogView> {
    Sighting::unknown("read with the target database")
}

/// The newest change that is not known to be in sync.
fn awaited_change(facts: &Facts) -> Option<ChangeId> {
    let open = facts.changes.values().filter(|change| change.in_sync_at.is_none());
    open.max_by_key(|change| change.submitted_at).and_then(|change| change.id.clone())
}

async fn look_at(eyes: Eyes<'_>, side: Side) -> Sighting<DatabaseView> {
    let look = async {
        match eyes.equipment.database(side).look().await {
            Ok(view) => Sighting::Present(view),
            Err(fault) => Sighting::unknown(fault),
        }
    };
    within(eyes.clock, LOOK_AT_DATABASE, look, Sighting::unknown).await
}

/// The answer, or what `late` makes of its lateness.
pub async fn within<T>(clock: &Clock, limit: Duration, answer: impl Future<Output = T>, late: impl FnOnce(String) -> T) -> T {
    match select(Box::pin(answer), Box::pin(clock.sleep(limit))).await {
        Either::Left((value, _)) => value,
        Either::Right(((), _)) => late(format!("no answer within {} s", limit.as_secs())),
    }
}
