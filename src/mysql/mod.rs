//! Real databases over the wire: MySQL, Aurora MySQL and MariaDB, told apart by asking.

pub mod connect;
pub mod credentials;
