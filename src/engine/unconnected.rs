//! A controller without a network of its own: what it cannot send is told as not sent.

use std::future::ready;

use crate::checks::messenger::{Message, Messenger};
use crate::checks::network::{Reply, Trouble};
use crate::checks::outcome::Code;
use crate::checks::probe::Secrets;
use crate::spec::CredentialsFrom;
use crate::spec::checks::SecretFrom;

/// Sends nothing, and finds no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unconnected;

impl Messenger for Unconnected {
    fn post<'a>(&'a self, message: &'a Message) -> Reply<'a, u16> {
        let attempted = format!("POST {}", message.url);
        Box::pin(ready(Err(Trouble { attempted, detail: "nothing was sent".to_owned(), code: Code::NotAsked })))
    }
}

impl Secrets for Unconnected {
    fn credentials(&self, _: &CredentialsFrom) -> Result<(String, String), String> {
        Err("no credentials are found here".to_owned())
    }

    fn secret(&self, _: &SecretFrom) -> Result<String, String> {
        Err("no secret is found here".to_owned())
    }
}
