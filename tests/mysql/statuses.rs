//! Bad days as whoever reads the status meets them: a whole controller between two real servers, one of which has its day. It
//! says what to do, lets nobody in on a second side, and goes on by itself once the day is over.

use std::sync::Arc;

use bascule::aws::Aws;
use bascule::clock::Clock;
use bascule::engine::cadence::Cadence;
use bascule::engine::reconcile::{Reconciler, Wish};
use bascule::engine::surroundings::{Equipment, Sides};
use bascule::journal::Journal;
use bascule::migration::status::{ConditionStatus, ConditionType, MigrationStatus};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::Side;
use bascule::parity::background::Background;
use bascule::parity::rescue::Rescue;
use bascule::sim::crash::CrashSwitch;
use bascule::sim::profile::FaultProfile;
use bascule::sim::setting::Setting;
use bascule::sim::wire::connector::transport;
use bascule::sim::{SharedWorld, World};
use bascule::spec::{Migration, Phase, Tls};
use mysql_async::prelude::Queryable;

use super::house::House;
use super::worse_days::signal;

/// What happens to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BadDay {
    /// Somebody changed the controller's password, and ended its session.
    WrongPassword,
    /// The spec asks for TLS, and the server has no certificate.
    TlsRefused,
    /// The endpoint leads to a replica that has not replayed the fence.
    ReadOnly,
    /// It accepts connections and answers nothing.
    Silent,
}

/// So many passes settle two quiet servers and the stand-in AWS, whose name servers want to be waited for.
const PASSES: usize = 300;

/// A day's worth of looks at a server that does not get better.
const PASSES_OF_A_BAD_DAY: usize = 3;

/// Two servers, the stand-in AWS, and a journal that outlives controllers.
struct Town {
    legacy: House,
    target: House,
    world: SharedWorld,
    clock: Clock,
    journal: Arc<Journal>,
}

impl Town {
    async fn build() -> Self {
        let (legacy, target) = (House::build_and_grant().await, House::build().await);
        let clock = Clock::scaled("2026-03-06T09:00:00Z".parse().expect("a time"), 40_000);
        let world = World::new(&legacy.migration, Setting::of(&legacy.migration), FaultProfile::calm(), 1, clock.now()).shared();
        let journal = Arc::new(Journal::in_memory(legacy.migration.name()).expect("a journal"));
        let town = Self { legacy, target, world, clock, journal };
        let missing = MySqlDatabase::new(&town.migration(), Side::Target, &town.clock).missing_privileges().await;
        for grant in missing.expect("the grants can be read") {
            town.target.sql(&[&grant]).await;
        }
        town
    }

    /// Both servers as an operator declares them.
    fn migration(&self) -> Migration {
        let mut migration = self.legacy.declared("bascule", "secret");
        migration.spec.target.database = self.target.declared("bascule", "secret").spec.legacy.database;
        migration.spec.phase = Phase::Prepared;
        migration
    }

    /// A controller with what the journal has of its predecessors.
    fn controller(&self, migration: &Migration) -> Reconciler {
        let clock = self.clock.clone();
        let aws = Aws::from_transport("eu-central-1", &transport(self.world.clone(), clock.clone()), &clock);
        let database = |side| Arc::new(MySqlDatabase::new(migration, side, &clock));
        let comparer = Arc::new(Background::new(&clock, None));
        let exporter = Arc::new(Rescue::new(&clock, None));
        let sides = Sides { legacy: database(Side::Legacy), target: database(Side::Target), comparer, exporter };
        let equipment = Equipment::in_world(&self.world, aws, sides, &CrashSwitch::never(), &clock, &clock);
        Reconciler::start(equipment, self.journal.clone(), clock.clone(), Cadence::rehearsal())
    }

    /// One pass takes as long as it takes; the rest after it is short.
    async fn pass(&self, controller: &mut Reconciler, migration: &Migration) -> MigrationStatus {
        let wish = Wish { migration: Arc::new(migration.clone()), generation: 1, source: None, refused: None };
        let busy = self.clock.busy();
        let report = controller.pass(&wish).await;
        drop(busy);
        self.clock.sleep(report.pause).await;
        report.status
    }

    /// Passes until the controller is content: the phase is reached, and the fences are seen to be as it asks.
    async fn settled(&self, controller: &mut Reconciler, migration: &Migration) -> MigrationStatus {
        for _ in 0..PASSES {
            let status = self.pass(controller, migration).await;
            if [ConditionType::Ready, ConditionType::Fenced].iter().all(|one| standing(&status, *one) == ConditionStatus::True) {
                return status;
            }
        }
        panic!("it never settles: {:#?}", self.pass(controller, migration).await);
    }

    /// Where the application's write goes through.
    async fn open_sides(&self) -> Vec<Side> {
        let mut open = Vec::new();
        for (side, house) in [(Side::Legacy, &self.legacy), (Side::Target, &self.target)] {
            if let Some(mut app) = house.app().await
                && app.query_drop("INSERT INTO payments.payments (reference) VALUES ('a customer')").await.is_ok()
            {
                open.push(side);
            }
        }
        open
    }

    async fn begin(&self, day: BadDay) {
        match day {
            BadDay::WrongPassword => self.target.sql(&["ALTER USER 'bascule'@'%' IDENTIFIED BY 'changed'"]).await,
            // The spec is changed instead.
            BadDay::TlsRefused => {}
            BadDay::ReadOnly => {
                self.target.sql(&["SET GLOBAL read_only = 1", "ALTER USER 'app'@'%', 'app'@'127.0.0.1' ACCOUNT UNLOCK"]).await;
            }
            BadDay::Silent => signal(&self.target, "-STOP"),
        }
    }

    async fn end(&self, day: BadDay) {
        match day {
            BadDay::WrongPassword => self.target.sql(&["ALTER USER 'bascule'@'%' IDENTIFIED BY 'secret'"]).await,
            BadDay::TlsRefused => {}
            // The writer is back, with the lock that it had.
            BadDay::ReadOnly => {
                self.target.sql(&["ALTER USER 'app'@'%', 'app'@'127.0.0.1' ACCOUNT LOCK", "SET GLOBAL read_only = 0"]).await;
            }
            BadDay::Silent => signal(&self.target, "-CONT"),
        }
    }
}

fn standing(status: &MigrationStatus, wanted: ConditionType) -> ConditionStatus {
    status.conditions.iter().find(|one| one.condition_type == wanted).expect("every status has it").status
}

/// Everything that a status tells a person to act on.
fn told(status: &MigrationStatus) -> String {
    let conditions = status.conditions.iter().map(|one| one.message.clone());
    let gates = status.gates.iter().map(|gate| format!("{gate:?}"));
    let (waiting, blocked) =
        (status.waiting.iter().map(|wait| wait.message.clone()), status.blocked.iter().map(|block| block.message.clone()));
    conditions.chain(gates).chain(waiting).chain(blocked).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_day_of_a_server_is_in_the_status_with_what_to_do_and_passes() {
    let town = Town::build().await;
    let migration = town.migration();
    let content = town.settled(&mut town.controller(&migration), &migration).await;
    assert_eq!(town.open_sides().await, [Side::Legacy], "{content:#?}");

    let days = [
        (BadDay::WrongPassword, "check the user and password that `credentialsFrom` names"),
        (BadDay::TlsRefused, "give it a certificate"),
        (BadDay::ReadOnly, "this is not a writer: name the writer's endpoint"),
        (BadDay::Silent, "the firewall between"),
    ];
    for (day, what_to_do) in days {
        let mut worse = migration.clone();
        if day == BadDay::TlsRefused {
            worse.spec.target.database.tls = Tls::Required;
        }
        town.begin(day).await;
        // It starts on that day: nothing that it has seen before can help it.
        let mut controller = town.controller(&worse);
        for _ in 0..PASSES_OF_A_BAD_DAY {
            let status = town.pass(&mut controller, &worse).await;
            assert!(told(&status).contains(what_to_do), "{day:?}: {status:#?}");
            assert!(!told(&status).contains("secret") && !told(&status).contains("changed'"), "{day:?}: {status:#?}");
            assert_ne!(standing(&status, ConditionType::Fenced), ConditionStatus::True, "{day:?}: {status:#?}");
            if day != BadDay::Silent {
                assert_eq!(town.open_sides().await, [Side::Legacy], "{day:?}: {status:#?}");
            }
        }
        town.end(day).await;
        if day != BadDay::TlsRefused {
            // The same controller goes on; another spec is another start.
            town.settled(&mut controller, &migration).await;
        }
        let status = town.settled(&mut town.controller(&migration), &migration).await;
        assert_eq!((&status.legacy_writes, &status.target_writes), (&content.legacy_writes, &content.target_writes), "{day:?}");
        assert_eq!(town.open_sides().await, [Side::Legacy], "{day:?}: {status:#?}");
    }
}
