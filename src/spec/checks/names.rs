//! The public name as the world's resolvers answer it.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::CheckName;

/// The public name, asked of servers that do not belong to this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NamesCheck {
    /// Its name.
    pub name: CheckName,
    /// Recursive resolvers, by address: those that customers use.
    #[schemars(length(min = 1, max = 16))]
    pub resolvers: Vec<IpAddr>,
    /// The zone's authoritative servers, by address; left out, they are found through the first resolver.
    #[schemars(length(max = 16))]
    pub authorities: Vec<IpAddr>,
    /// The port that all of them answer on.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

impl Default for NamesCheck {
    /// Three of the world's largest public resolvers, each somebody else's.
    fn default() -> Self {
        let resolvers = [[1, 1, 1, 1], [8, 8, 8, 8], [9, 9, 9, 9]];
        Self {
            name: CheckName("public-name".to_owned()),
            resolvers: resolvers.into_iter().map(IpAddr::from).collect(),
            authorities: Vec::new(),
            port: 53,
        }
    }
}
