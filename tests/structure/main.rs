//! Structures of real servers, compared: each planted difference is found, and nothing else is.

mod fixture;
#[path = "../common/installed.rs"]
mod installed;
mod many;
mod migrations;
mod mysql;
mod number;
mod planted;
mod privileges;
#[path = "../common/spec.rs"]
mod spec;
