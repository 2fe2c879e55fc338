//! Real databases over the wire: MySQL, Aurora MySQL and MariaDB, told apart by asking.

pub mod bypass;
pub mod canaries;
pub mod connect;
pub mod database;
pub mod errors;
pub mod fence;
pub mod flavour;
pub mod grants;
pub mod id_space;
pub mod look;
pub mod markers;
pub mod migrations;
pub mod number;
pub mod people;
pub mod privileges;
pub mod receipt;
pub mod session;
pub mod structure;
pub mod tls;
