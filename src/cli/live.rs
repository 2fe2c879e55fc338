//! What a running controller says of a migration: asked now, or saved before by `bascule status NAME --output json`.

use std::path::PathBuf;

use super::exit;
use super::token::TokenFrom;
use crate::http::MigrationObject;
use crate::names::MigrationName;

/// Whom to ask.
#[derive(Debug, clap::Args)]
pub struct LiveArgs {
    /// Ask a running bascule where the migration stands.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Or read what `bascule status NAME --output json` printed.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    status: Option<PathBuf>,
    #[command(flatten)]
    token: TokenFrom,
}

/// It could not be found out, as `parity` and `check` end then.
const NOT_FOUND_OUT: u8 = 3;

impl LiveArgs {
    /// What is said of the migration `name`, if anybody was to be asked.
    pub(super) fn ask(&self, name: &MigrationName) -> Result<Option<MigrationObject>, u8> {
        let unknown = |why: String| {
            exit::failed(&why);
            NOT_FOUND_OUT
        };
        let (text, place) = match (&self.server, &self.status) {
            (Some(server), _) => {
                let path = format!("/api/v1/migrations/{name}");
                let client = self.token.client_of(server).map_err(unknown)?;
                let body = super::on_runtime(client.get(&path)).map_err(|error| unknown(exit::chain(&error)))?;
                (body, server.clone())
            }
            (None, Some(file)) => {
                let shown = file.display().to_string();
                let text = std::fs::read_to_string(file).map_err(|error| unknown(format!("{shown} cannot be read: {error}")))?;
                (text, shown)
            }
            (None, None) => return Ok(None),
        };
        let object: MigrationObject =
            serde_json::from_str(&text).map_err(|error| unknown(format!("{place} says nothing of a migration: {error}")))?;
        if object.metadata.name != *name {
            return Err(unknown(format!("{place} speaks of {}, and the file of {name}", object.metadata.name)));
        }
        Ok(Some(object))
    }
}
