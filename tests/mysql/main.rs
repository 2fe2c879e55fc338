//! The MySQL side of the seam, held against real servers.

mod bad_days;
mod busy;
mod deaths;
mod fence;
mod guard;
mod house;
mod id_space;
mod marks;
mod privileges;
mod receipt;
#[path = "../common/spec.rs"]
mod spec;
mod statuses;
mod way;
mod worse_days;
