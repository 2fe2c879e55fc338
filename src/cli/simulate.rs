//! `bascule simulate`: the stand-in AWS on TCP, for any AWS client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::{exit, read_spec, shutdown};
use crate::clock::Clock;
use crate::sim::World;
use crate::sim::profile::FaultProfile;
use crate::sim::setting::Setting;
use crate::sim::wire::listener::serve;

/// Serve the stand-in AWS (DMS, RDS, Route 53, ELBv2) on TCP.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Point any AWS client at it:\n  AWS_ENDPOINT_URL=http://127.0.0.1:4566 aws dms describe-replication-tasks\nSignatures are read for the service's name only, never verified."
)]
pub struct SimulateArgs {
    /// The Migration file that describes the world; without it, the payment system of the examples.
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Where to listen. Loopback, because nothing here checks who is asking.
    #[arg(long, default_value = "127.0.0.1:4566")]
    listen: SocketAddr,
    /// How much faster than real time the world goes.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    time_scale: u32,
    /// The seed of the world's chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The world when no file describes one.
const EXAMPLE: &str = include_str!("../../manifests/base/payments.yaml");

/// Runs it until it is told to stop.
pub fn run(args: &SimulateArgs) -> u8 {
    let migration = match &args.world {
        Some(path) => read_spec(path),
        None => crate::spec::load::load("payments.yaml", EXAMPLE.as_bytes())
            .map(|loaded| loaded.migration.into_inner())
            .map_err(|report| exit::failed(&report.to_string())),
    };
    let migration = match migration {
        Ok(migration) => migration,
        Err(code) => return code,
    };
    super::on_runtime(async {
        let clock = Clock::scaled(Clock::system().now(), args.time_scale);
        let world = World::new(&migration, Setting::of(&migration), FaultProfile::calm(), args.seed, clock.now());
        let listener = match tokio::net::TcpListener::bind(args.listen).await {
            Ok(listener) => listener,
            Err(error) => return exit::failed(&format!("cannot listen on {}: {error}", args.listen)),
        };
        let address = listener.local_addr().unwrap_or(args.listen);
        eprintln!("the stand-in AWS of {} listens on http://{address}", migration.name());
        serve(listener, Arc::new(Mutex::new(world)), clock, shutdown()).await;
        0
    })
}
