//! Parity between two real servers: what differs is found exactly, and nothing else is said to differ.

mod background;
mod bad_days;
mod command;
mod fixture;
mod in_flight;
#[path = "../common/installed.rs"]
mod installed;
mod planted;
mod rescue;
mod shapes;
