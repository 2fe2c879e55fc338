//! The checks' eyes on a real network, held against real servers.

mod http;
