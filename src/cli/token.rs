//! The token of the HTTP face, by reference: a secret on a command line is a secret in every list of processes.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::client::Client;
use super::exit;
use crate::credentials::find_secret;
use crate::http::{Access, Token};
use crate::spec::checks::SecretFrom;

/// Where a token is found.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TokenFrom {
    /// The environment variable that holds the token of the HTTP API.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    token_env: Option<String>,
    /// The file that holds the token of the HTTP API.
    #[arg(long, value_name = "FILE", env = "BASCULE_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl TokenFrom {
    /// The token, if one is named.
    pub fn find(&self) -> Result<Option<String>, String> {
        let file = |path: &PathBuf| SecretFrom::File(path.display().to_string());
        let from = self.token_env.clone().map(SecretFrom::Env).or_else(|| self.token_file.as_ref().map(file));
        from.map(|from| find_secret(&from)).transpose().map_err(|error| exit::chain(&error))
    }

    /// Whoever answers at `server`, asked with this token.
    pub fn client_of(&self, server: &str) -> Result<Client, String> {
        Ok(Client::new(server.to_owned(), self.find()?))
    }
}

/// Which running bascule is asked.
#[derive(Debug, clap::Args)]
pub struct ServerArgs {
    /// Where bascule answers.
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL", env = "BASCULE_SERVER")]
    pub server: String,
    #[command(flatten)]
    token: TokenFrom,
}

impl ServerArgs {
    /// Whoever answers there.
    pub fn client(&self) -> Result<Client, String> {
        self.token.client_of(&self.server)
    }
}

/// Who may read from a server that listens on `listen`. Beyond this machine that is never everybody by accident.
pub fn access(listen: SocketAddr, token: Option<&str>, anybody_is_meant: bool) -> Result<Access, String> {
    match (token, anybody_is_meant) {
        (Some(_), true) => Err("--allow-anonymous and a token contradict each other: give one of them".to_owned()),
        (Some(token), false) => Token::new(token).map(Access::Holders).map_err(|error| error.to_string()),
        (None, false) if !listen.ip().to_canonical().is_loopback() => Err(format!(
            "{listen} can be reached from other machines, and whoever reads there learns who may write to your databases and when; \
             name a token with --token-file or --token-env, or say --allow-anonymous if something in front of it asks who reads"
        )),
        (None, _) => Ok(Access::Anybody),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_nobody_reads_without_a_token_unless_that_is_said() {
        let on = |text: &str| text.parse::<SocketAddr>().expect("an address");
        for loopback in ["127.0.0.1:8080", "127.9.9.9:1", "[::1]:8080", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(access(on(loopback), None, false), Ok(Access::Anybody), "{loopback}");
        }
        for wide in ["0.0.0.0:8080", "[::]:8080", "10.0.0.1:8080", "[::ffff:10.0.0.1]:1"] {
            let refused = access(on(wide), None, false).expect_err("nobody meant this");
            assert!(refused.contains("--token-file") && refused.contains("--allow-anonymous"), "{refused}");
            assert_eq!(access(on(wide), None, true), Ok(Access::Anybody), "{wide}");
            assert!(matches!(access(on(wide), Some("0123456789abcdef"), false), Ok(Access::Holders(_))));
        }
    }

    #[test]
    fn a_token_is_demanded_on_loopback_too_and_a_bad_one_is_none() {
        let here = "127.0.0.1:8080".parse().expect("an address");
        assert!(matches!(access(here, Some("0123456789abcdef"), false), Ok(Access::Holders(_))));
        assert!(access(here, Some("short"), false).is_err_and(|why| !why.contains("short ")));
        assert!(access(here, Some("0123456789abcdef"), true).is_err(), "it is one or the other");
    }
}
