//! The command line: each subcommand's arguments, and what it prints.

pub mod schema;
pub mod validate;

/// Whom the output is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// People.
    #[default]
    Text,
    /// Programs.
    Json,
}
