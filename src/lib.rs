//! bascule: moves a live payment system between two databases, and brings it back.

pub mod aws;
pub mod cli;
pub mod clock;
pub mod controllers;
pub mod database;
pub mod fault;
pub mod migration;
pub mod names;
pub mod sighting;
pub mod sim;
pub mod spec;
