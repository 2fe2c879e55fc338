//! The MySQL side of the seam, held against real servers.

mod bad_days;
mod busy;
mod certificates;
mod deaths;
mod fence;
mod full;
mod guard;
mod house;
mod id_space;
mod marks;
mod privileges;
mod receipt;
#[path = "../common/spec.rs"]
mod spec;
mod statuses;
mod tls;
mod way;
mod worse_days;
