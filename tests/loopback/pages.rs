//! Servers of pages, and who signs their certificates.

#[path = "../network/http/authority.rs"]
pub mod authority;
#[path = "../network/http/server.rs"]
pub mod server;
