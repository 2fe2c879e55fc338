//! What a controller is surrounded by: the real account and its databases, or a stand-in world in scaled real time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::aws::{Aws, Meter};
use crate::checks::checker::Checker;
use crate::checks::messenger::Messenger;
use crate::checks::rounds::{Manner, Rounds, Tools};
use crate::clock::Clock;
use crate::database::Database;
use crate::mysql::database::MySqlDatabase;
use crate::names::{MigrationName, Side, account_of, region_of};
use crate::network::OperatingSystem;
use crate::network::secrets::FromEnvironment;
use crate::parity::background::Background;
use crate::parity::comparer::Comparer;
use crate::parity::exporter::Exporter;
use crate::parity::rescue::Rescue;
use crate::sim::bookkeeper::SimulatedMessenger;
use crate::sim::crash::CrashSwitch;
use crate::sim::database::compare::SimulatedComparer;
use crate::sim::database::export::SimulatedExporter;
use crate::sim::database::seam::SimulatedDatabase;
use crate::sim::network::SimulatedNetwork;
use crate::sim::profile::FaultProfile;
use crate::sim::secrets::SimulatedSecrets;
use crate::sim::setting::Setting;
use crate::sim::wire::connector::transport;
use crate::sim::{SharedWorld, World};
use crate::spec::change::identity_digest;
use crate::spec::{Migration, Phase};

/// Where migrations run.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// The environment's AWS account, and the databases that the spec names.
    Real,
    /// A stand-in world for each migration.
    Sandbox {
        /// The seed of its chance.
        seed: u64,
        /// How unkind it is.
        profile: FaultProfile,
    },
}

/// What all migrations of this process have around them.
#[derive(Debug)]
pub struct Surroundings {
    place: Place,
    meter: Meter,
    /// Where comparisons of rows keep how far they are, and saved rows are, if anywhere.
    state: Option<PathBuf>,
    /// One set of clients for each account and region, so that their migrations share connections and answers. AWS limits
    /// calls per account and region.
    accounts: tokio::sync::Mutex<BTreeMap<AccountAndRegion, Aws>>,
    /// The stand-in world of each migration, with the identity that it was made for: a controller that is started again
    /// finds the world as its predecessor left it.
    worlds: Mutex<BTreeMap<MigrationName, (String, Equipment)>>,
}

/// `123456789012` and `eu-west-1`.
type AccountAndRegion = (String, String);

/// What one migration's controller works with.
#[derive(Debug, Clone)]
pub struct Equipment {
    /// The account.
    pub aws: Aws,
    /// The legacy database.
    pub legacy: Arc<dyn Database>,
    /// The target database.
    pub target: Arc<dyn Database>,
    /// Who compares their rows.
    pub comparer: Arc<dyn Comparer>,
    /// Who saves the rows that a forced rollback leaves behind.
    pub exporter: Arc<dyn Exporter>,
    /// Who makes the declared checks.
    pub checker: Arc<dyn Checker>,
    /// What they are made with.
    pub tools: Tools,
    /// Who calls hooks.
    pub messenger: Arc<dyn Messenger>,
    /// The stand-in world, in a sandbox.
    pub world: Option<SharedWorld>,
}

/// Both databases, and who compares and saves their rows.
#[derive(Debug, Clone)]
pub struct Sides {
    /// The legacy database.
    pub legacy: Arc<dyn Database>,
    /// The target database.
    pub target: Arc<dyn Database>,
    /// Who compares their rows.
    pub comparer: Arc<dyn Comparer>,
    /// Who saves the rows that a forced rollback leaves behind.
    pub exporter: Arc<dyn Exporter>,
}

impl Sides {
    /// The databases of a simulated world.
    pub fn simulated(world: &SharedWorld, crash: &CrashSwitch, world_clock: &Clock, clock: &Clock) -> Self {
        let database = |side| SimulatedDatabase::new(world.clone(), side, world_clock.clone(), crash.clone());
        let (legacy, target) = (database(Side::Legacy), database(Side::Target));
        let comparer = Arc::new(SimulatedComparer::new(legacy.clone(), target.clone(), clock.clone()));
        let exporter = Arc::new(SimulatedExporter::new(target.clone()));
        Self { legacy: Arc::new(legacy), target: Arc::new(target), comparer, exporter }
    }
}

impl Surroundings {
    /// Surroundings at `place`, whose calls to AWS `meter` hears.
    pub fn new(place: Place, meter: Meter) -> Self {
        Self { place, meter, state: None, accounts: tokio::sync::Mutex::default(), worlds: Mutex::default() }
    }

    /// The same, whose comparisons of rows go on after a crash from what they keep in the directory `state`, and which saves rows
    /// there.
    #[must_use]
    pub fn keeping(self, state: &Path) -> Self {
        Self { state: Some(state.to_owned()), ..self }
    }

    /// What a migration's controller works with: the same for as long as the migration is about the same resources.
    pub async fn equip(&self, migration: &Migration, clock: &Clock) -> Equipment {
        match &self.place {
            Place::Real => {
                let database = |side| Arc::new(MySqlDatabase::new(migration, side, clock)) as Arc<dyn Database>;
                let aws = self.account(migration).await;
                let comparer = Arc::new(Background::new(clock, self.state.clone()));
                let exporter = Arc::new(Rescue::new(clock, self.state.clone()));
                let (legacy, target) = (database(Side::Legacy), database(Side::Target));
                let network = OperatingSystem::new(clock);
                let (messenger, secrets) = (Arc::new(network.clone()), Arc::new(FromEnvironment));
                let tools = Tools {
                    network: Arc::new(network),
                    secrets,
                    legacy: legacy.clone(),
                    target: target.clone(),
                    clock: clock.clone(),
                };
                let checker = Arc::new(Rounds::new(tools.clone(), Manner::BesideThePass));
                Equipment { aws, legacy, target, comparer, exporter, checker, tools, messenger, world: None }
            }
            Place::Sandbox { seed, profile } => {
                let identity = identity_digest(migration);
                let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some((_, known)) = worlds.get(migration.name()).filter(|(made_for, _)| *made_for == identity) {
                    return known.clone();
                }
                let made = self.stand_in(migration, profile, *seed, clock);
                worlds.insert(migration.name().clone(), (identity, made.clone()));
                made
            }
        }
    }

    fn stand_in(&self, migration: &Migration, profile: &FaultProfile, seed: u64, clock: &Clock) -> Equipment {
        let world = World::new(migration, Setting::of(migration), profile.clone(), seed, clock.now()).shared();
        let http = transport(world.clone(), clock.clone());
        let aws = Aws::from_metered_transport(&account_and_region(migration).1, &http, clock, &self.meter);
        let crash = CrashSwitch::never();
        let sides = Sides::simulated(&world, &crash, clock, clock);
        Equipment::in_world(&world, aws, sides, &crash, clock, clock)
    }

    /// The clients of a migration's account and region, made when they are asked for first.
    async fn account(&self, migration: &Migration) -> Aws {
        let key = account_and_region(migration);
        let mut accounts = self.accounts.lock().await;
        if let Some(aws) = accounts.get(&key) {
            return aws.clone();
        }
        let aws = Aws::from_environment(&key.1, &self.meter).await;
        accounts.insert(key, aws.clone());
        aws
    }
}

/// Where a migration's replication instance is. The check of a spec has made sure that its ARN says so, and that everything
/// else is in the same place.
fn account_and_region(migration: &Migration) -> AccountAndRegion {
    let arn = migration.spec.replication.instance_arn.as_str();
    (account_of(arn).unwrap_or_default().to_owned(), region_of(arn).unwrap_or("us-east-1").to_owned())
}

impl Equipment {
    /// What a controller works with in a simulated world, whose time is `world_clock`; the controller's own `clock` may be wrong.
    /// `crash` may kill it around each message.
    pub fn in_world(
        world: &SharedWorld,
        aws: Aws,
        sides: Sides,
        crash: &CrashSwitch,
        world_clock: &Clock,
        clock: &Clock,
    ) -> Self {
        let Sides { legacy, target, comparer, exporter } = sides;
        let network = Arc::new(SimulatedNetwork::new(world.clone(), world_clock.clone()));
        let secrets = Arc::new(SimulatedSecrets);
        let tools = Tools { network, secrets, legacy: legacy.clone(), target: target.clone(), clock: clock.clone() };
        let checker = Arc::new(Rounds::new(tools.clone(), Manner::WithinThePass));
        let messenger = Arc::new(SimulatedMessenger::new(world.clone(), world_clock.clone(), crash.clone()));
        Self { aws, legacy, target, comparer, exporter, checker, tools, messenger, world: Some(world.clone()) }
    }

    /// One side's database.
    pub fn database(&self, side: Side) -> &dyn Database {
        match side {
            Side::Legacy => &*self.legacy,
            Side::Target => &*self.target,
        }
    }

    /// In a sandbox, customers hurry while a switch is asked for, as they would on the night.
    pub fn set_mood(&self, migration: &Migration) {
        if let Some(world) = &self.world {
            let rush = matches!(migration.spec.phase, Phase::CutOver | Phase::RolledBack);
            world.lock().unwrap_or_else(PoisonError::into_inner).rush(rush);
        }
    }
}
