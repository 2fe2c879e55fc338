//! A hundred settled migrations of one account: together they ask AWS little more than one does, and change nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::cadence::Cadence;
use super::reconcile::{Reconciler, Report, Wish};
use super::surroundings::{Equipment, Place, Sides, Surroundings};
use crate::aws::{Aws, Meter};
use crate::clock::Clock;
use crate::journal::Journal;
use crate::migration::plan::Action;
use crate::sim::crash::CrashSwitch;
use crate::sim::profile::FaultProfile;
use crate::sim::setting::Setting;
use crate::sim::wire::Cloud;
use crate::sim::wire::connector::transport;
use crate::sim::{SharedWorld, World};
use crate::spec::load::load;
use crate::spec::{Checks, Migration, Phase};

const PAYMENTS: &str = include_str!("../../manifests/base/payments.yaml");

fn migration(text: &str) -> Migration {
    load("payments.yaml", text.as_bytes()).expect("the example is valid").migration.into_inner()
}

/// No way to a phase at which one can rest has more passes.
const PASSES: usize = 4_000;

/// One world, and controllers over clones of one account's clients.
struct Account {
    clock: Clock,
    world: SharedWorld,
    controllers: Vec<(Reconciler, Wish)>,
}

impl Account {
    /// `count` migrations that differ in the names of their tasks and of their shadow records, at Preflight.
    fn with(count: usize) -> Self {
        Self::wishing(Phase::Preflight, count)
    }

    /// The same, with another phase wished.
    fn wishing(phase: Phase, count: usize) -> Self {
        let clock = Clock::starting_at("2026-03-02T09:00:00Z".parse::<Timestamp>().expect("a time"));
        let payments = migration(PAYMENTS);
        let world = World::new(&payments, Setting::of(&payments), FaultProfile::calm(), 1, clock.now()).shared();
        let aws = Aws::from_transport("eu-west-1", &transport(world.clone(), clock.clone()), &clock);
        let controllers = (0..count).map(|number| controller(number, phase, &world, &aws, &clock)).collect();
        Self { clock, world, controllers }
    }

    /// One pass of each, all at the same time. Returns how many calls each service received for it.
    async fn pass(&mut self) -> BTreeMap<String, u64> {
        let before = self.calls();
        let passes = self.controllers.iter_mut().map(|(controller, wish)| controller.pass(wish));
        for report in join_all(passes).await {
            // Comparisons go on for ever, and only read.
            let changes = report.deeds.iter().filter(|deed| deed.action != Action::CompareTables).count();
            assert!(report.status.blocked.is_empty() && changes == 0, "{:?}", report.status);
        }
        let since = |(service, calls): (String, u64)| {
            let before = before.get(&service).copied().unwrap_or(0);
            (service, calls - before)
        };
        self.calls().into_iter().map(since).collect()
    }

    /// Passes of each, as often as they ask for them, until all have reached the phase that is wished and find nothing to do.
    async fn settle(&mut self) {
        let mut moving = Vec::new();
        for _ in 0..PASSES {
            let reports = join_all(self.controllers.iter_mut().map(|(controller, wish)| controller.pass(wish))).await;
            let pause = reports.iter().map(|report| report.pause).min().unwrap_or_default();
            let rests = |report: &Report| report.status.phase == Some(report.status.wished_phase) && report.plan.is_idle();
            moving = reports.into_iter().filter(|report| !rests(report)).map(|report| report.status.summary).collect();
            if moving.is_empty() {
                return;
            }
            self.clock.sleep(pause).await;
        }
        panic!("they never came to rest: {moving:?}");
    }

    fn calls(&self) -> BTreeMap<String, u64> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).faults().calls.clone()
    }

    fn mutations(&self) -> usize {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).faults().mutations.len()
    }
}

fn controller(number: usize, phase: Phase, world: &SharedWorld, aws: &Aws, clock: &Clock) -> (Reconciler, Wish) {
    let mut migration = migration(
        &PAYMENTS
            .replace("identifier: payments-", &format!("identifier: payments-{number}-"))
            .replace("shadow-pay", &format!("shadow-{number}-pay")),
    );
    // There is one world for all of them, and it answers the pages of one.
    migration.spec.checks = Checks::default();
    migration.spec.phase = phase;
    let journal = Arc::new(Journal::in_memory(migration.name()).expect("a journal"));
    let sides = Sides::simulated(world, &CrashSwitch::never(), clock, clock);
    let equipment = Equipment::in_world(world, aws.clone(), sides, &CrashSwitch::never(), clock, clock);
    let reconciler = Reconciler::start(equipment, journal, clock.clone(), Cadence::production());
    (reconciler, Wish { migration: Arc::new(migration), generation: 1, source: None, refused: None })
}

#[tokio::test(start_paused = true)]
async fn a_hundred_settled_migrations_share_what_they_read_and_change_nothing() {
    let mut alone = Account::with(1);
    let mut account = Account::with(100);
    for pass in 0..5 {
        let (one, hundred) = (alone.pass().await, account.pass().await);
        for service in ["dms", "rds", "elasticloadbalancing"] {
            let [of_one, of_hundred] = [&one, &hundred].map(|calls| calls.get(service).copied().unwrap_or(0));
            assert!(of_hundred <= 2 * of_one + 2, "pass {pass}: {of_hundred} calls to {service} for a hundred, {of_one} for one");
        }
        alone.clock.sleep(Duration::from_secs(60)).await;
        account.clock.sleep(Duration::from_secs(60)).await;
    }
    assert_eq!((alone.mutations(), account.mutations()), (0, 0), "a settled migration is only looked at");
}

#[tokio::test(start_paused = true)]
async fn a_migration_that_rests_where_much_was_made_changes_nothing_any_more() {
    // One world has one public name and one set of tables, so that one migration alone can change them.
    for phase in [Phase::Prepared, Phase::Validated] {
        let mut account = Account::wishing(phase, 1);
        account.settle().await;
        let made = account.mutations();
        assert!(made > 0, "{phase} is reached by making things");
        for _ in 0..20 {
            account.pass().await;
            account.clock.sleep(Duration::from_secs(180)).await;
        }
        assert_eq!(account.mutations(), made, "at rest at {phase}");
    }
}

#[tokio::test(start_paused = true)]
async fn migrations_that_do_not_march_in_step_share_their_listings_too() {
    let mut account = Account::with(30);
    account.pass().await;
    let before = account.calls();
    for _ in 0..10 {
        for (controller, wish) in &mut account.controllers {
            let report = controller.pass(wish).await;
            assert!(report.deeds.is_empty());
            account.clock.sleep(Duration::from_secs(2)).await;
        }
    }
    let asked = account.calls().get("dms").copied().unwrap_or(0) - before.get("dms").copied().unwrap_or(0);
    // Each for itself, they would ask at least twice a look, for their tasks and for their tests of connections.
    assert!(asked <= 150, "{asked} calls in ten minutes, in which thirty migrations each looked ten times");
    assert_eq!(account.mutations(), 0);
}

#[tokio::test]
async fn migrations_of_one_account_and_region_share_their_clients_and_no_others_do() {
    let surroundings = Surroundings::new(Place::Real, Meter::deaf());
    let clock = Clock::system();
    let equip = async |text: String| surroundings.equip(&migration(&text), &clock).await.aws.reads;
    let here = equip(PAYMENTS.to_owned()).await;
    let also_here = equip(PAYMENTS.replace("name: payments\n", "name: invoices\n")).await;
    let in_another_region = equip(PAYMENTS.replace("eu-west-1", "eu-central-1")).await;
    let in_another_account = equip(PAYMENTS.replace("123456789012", "210987654321")).await;
    assert!(Arc::ptr_eq(&here, &also_here));
    assert!(!Arc::ptr_eq(&here, &in_another_region));
    assert!(!Arc::ptr_eq(&here, &in_another_account));
}

#[tokio::test(start_paused = true)]
async fn every_call_is_heard_with_its_service() {
    let heard: Arc<Mutex<BTreeMap<&'static str, u64>>> = Arc::default();
    let counted = heard.clone();
    let meter = Meter::new(move |service| {
        *counted.lock().unwrap_or_else(PoisonError::into_inner).entry(service.name()).or_default() += 1;
    });
    let surroundings = Surroundings::new(Place::Sandbox { seed: 1, profile: FaultProfile::calm() }, meter);
    let clock = Clock::starting_at("2026-03-02T09:00:00Z".parse::<Timestamp>().expect("a time"));
    let payments = migration(PAYMENTS);
    let equipment = surroundings.equip(&payments, &clock).await;
    let world = equipment.world.clone().expect("a sandbox has a world");
    let journal = Arc::new(Journal::in_memory(payments.name()).expect("a journal"));
    let mut reconciler = Reconciler::start(equipment, journal, clock.clone(), Cadence::production());
    let _ = reconciler.pass(&Wish { migration: Arc::new(payments.clone()), generation: 1, source: None, refused: None }).await;
    let received = world.lock().unwrap_or_else(PoisonError::into_inner).faults().calls.clone();
    let heard: BTreeMap<String, u64> = heard
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .iter()
        .map(|(service, calls)| ((*service).to_owned(), *calls))
        .collect();
    assert_eq!(heard, received);
    assert_eq!(heard.len(), 4, "all four services were asked");
    let again = surroundings.equip(&payments, &clock).await.world.expect("a sandbox has a world");
    assert!(Arc::ptr_eq(&again, &world), "a controller that is started again finds the same world");
}
