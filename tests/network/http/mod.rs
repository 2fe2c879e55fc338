//! Pages over real sockets.

mod authority;
mod server;

mod answers;
mod bad_days;
mod certificates;
mod hooks;
mod late;
mod secrets;

use std::time::Duration;

use bascule::checks::network::{HttpAnswer, HttpRequest, PrivateAddresses, Trouble};
use bascule::clock::Clock;
use bascule::network::http::exchange;
use jiff::Timestamp;

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The name that is asked for everywhere; it is never looked up.
const HOST: &str = "pay.example.com";

/// Noon of a day on which the good certificates are valid.
fn noon() -> Clock {
    at("2026-06-01T12:00:00Z")
}

fn at(time: &str) -> Clock {
    Clock::starting_at(time.parse::<Timestamp>().expect("a time"))
}

/// A request for `path` of [`HOST`], sent to a port of this machine.
fn request(scheme: &str, path: &str, port: u16) -> HttpRequest {
    HttpRequest {
        url: format!("{scheme}://{HOST}{path}").parse().expect("a URL"),
        connect_to: Some(("127.0.0.1".to_owned(), port)),
        headers: Vec::new(),
        tls_ca_file: None,
        private_addresses: PrivateAddresses::Allowed,
        body_limit: 1 << 20,
        limit: PATIENCE,
    }
}

async fn answer(request: &HttpRequest) -> HttpAnswer {
    exchange(&noon(), request).await.expect("an answer")
}

async fn trouble(request: &HttpRequest) -> Trouble {
    exchange(&noon(), request).await.expect_err("no answer")
}
