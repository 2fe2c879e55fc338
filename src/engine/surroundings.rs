//! What a controller is surrounded by: the real account and its databases, or a stand-in world in scaled real time.

use std::sync::{Arc, Mutex};

use crate::aws::Aws;
use crate::clock::Clock;
use crate::database::Database;
use crate::database::unconnected::Unconnected;
use crate::names::{Side, region_of};
use crate::sim::crash::CrashSwitch;
use crate::sim::database::seam::SimulatedDatabase;
use crate::sim::profile::FaultProfile;
use crate::sim::setting::Setting;
use crate::sim::wire::connector::transport;
use crate::sim::{SharedWorld, World};
use crate::spec::{Migration, Phase};

/// Where migrations run.
#[derive(Debug, Clone)]
pub enum Surroundings {
    /// The environment's AWS account; databases are out of reach of this version.
    Real,
    /// A stand-in world for each migration.
    Sandbox {
        /// The seed of its chance.
        seed: u64,
        /// How unkind it is.
        profile: FaultProfile,
    },
}

/// What one migration's controller works with.
#[derive(Debug, Clone)]
pub struct Equipment {
    /// The account.
    pub aws: Aws,
    /// The legacy database.
    pub legacy: Arc<dyn Database>,
    /// The target database.
    pub target: Arc<dyn Database>,
    /// The stand-in world, in a sandbox.
    pub world: Option<SharedWorld>,
}

impl Surroundings {
    /// Makes what a migration's controller works with.
    pub async fn equip(&self, migration: &Migration, clock: &Clock) -> Equipment {
        let region = region_of(migration.spec.replication.instance_arn.as_str()).unwrap_or("us-east-1");
        match self {
            Self::Real => {
                let database =
                    |side| Arc::new(Unconnected::new(side, migration.database(side).host.clone())) as Arc<dyn Database>;
                let aws = Aws::from_environment(region).await;
                Equipment { aws, legacy: database(Side::Legacy), target: database(Side::Target), world: None }
            }
            Self::Sandbox { seed, profile } => {
                let world = World::new(migration, Setting::of(migration), profile.clone(), *seed, clock.now());
                let world = Arc::new(Mutex::new(world));
                let database = |side| {
                    Arc::new(SimulatedDatabase::new(world.clone(), side, clock.clone(), CrashSwitch::never()))
                        as Arc<dyn Database>
                };
                let aws = Aws::from_transport(region, &transport(world.clone(), clock.clone()), clock);
                Equipment { aws, legacy: database(Side::Legacy), target: database(Side::Target), world: Some(world) }
            }
        }
    }
}

impl Equipment {
    /// In a sandbox, customers hurry while a switch is asked for, as they would on the night.
    pub fn set_mood(&self, migration: &Migration) {
        if let Some(world) = &self.world {
            let rush = matches!(migration.spec.phase, Phase::CutOver | Phase::RolledBack);
            world.lock().unwrap_or_else(std::sync::PoisonError::into_inner).rush(rush);
        }
    }
}
