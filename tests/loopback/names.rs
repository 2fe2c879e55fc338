//! DNS servers whose zone follows the simulated Route 53.

#[path = "../names/resolver.rs"]
pub mod resolver;
#[path = "../names/server.rs"]
pub mod server;
#[path = "../names/zone.rs"]
pub mod zone;
