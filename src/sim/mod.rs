//! The stand-in world: one seeded state machine with virtual time.
//!
//! AWS services behind the real wire protocols, two databases, DNS with its caches, and customers who pay. Nothing in here
//! knows the controller: the world is only asked, through the wire or through the database seam, and it advances by itself.

pub mod bookkeeper;
pub mod crash;
pub mod customers;
pub mod database;
pub mod dms;
pub mod elb;
pub mod faults;
pub mod humans;
pub mod monitor;
pub mod network;
pub mod profile;
pub mod rds;
pub mod report;
pub mod resolvers;
pub mod route53;
pub mod secrets;
pub mod setting;
#[cfg(test)]
mod tests;
pub mod wire;
pub mod world;

pub use world::{SharedWorld, World};
