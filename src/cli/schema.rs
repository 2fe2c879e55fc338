//! `bascule schema`: the JSON Schemas, for editors and for other programs.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::evidence::Record;
use crate::migration::plan::Plan;
use crate::migration::proposal::Proposal;
use crate::migration::status::MigrationStatus;
use crate::parity::quarantine::Manifest;
use crate::parity::report::Report;
use crate::rehearsal::campaign::Campaign;
use crate::rehearsal::verdict::Verdict;
use crate::sim::profile::FaultProfile;
use crate::spec::schema::{migration, of, printed};

/// Print the JSON Schema of the migration file, or write all schemas into a directory.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Which schema.
    #[arg(default_value = "migration.schema.json", value_name = "NAME")]
    pub name: String,
    /// Write every schema into this directory instead, which must exist.
    #[arg(long, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

/// Runs the command and gives its exit code: 0, or 1 with the reason on standard error.
pub fn run(args: &SchemaArgs) -> u8 {
    match write(args, &mut io::stdout().lock()) {
        Ok(()) => 0,
        Err(error) => {
            // When standard error is closed too, only the exit code is left.
            let _ = writeln!(io::stderr(), "error: {error}");
            1
        }
    }
}

/// Every schema document of this program, as a file name and its content. The files are committed in `schemas/`.
pub fn documents() -> Vec<(&'static str, serde_json::Value)> {
    vec![
        ("migration.schema.json", migration().clone()),
        ("status.schema.json", of::<MigrationStatus>()),
        ("plan.schema.json", of::<Plan>()),
        ("proposal.schema.json", of::<Proposal>()),
        ("fault-profile.schema.json", of::<FaultProfile>()),
        ("rehearsal.schema.json", of::<Verdict>()),
        ("campaign.schema.json", of::<Campaign>()),
        ("parity.schema.json", of::<Report>()),
        ("quarantine.schema.json", of::<Manifest>()),
        ("evidence.schema.json", of::<Record>()),
    ]
}

fn write(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<()> {
    let documents = documents();
    if let Some(directory) = &args.directory {
        for (name, document) in &documents {
            fs::write(directory.join(name), printed(document))?;
            writeln!(out, "{}", directory.join(name).display())?;
        }
        return Ok(());
    }
    match documents.iter().find(|(name, _)| *name == args.name) {
        Some((_, document)) => write!(out, "{}", printed(document)),
        None => {
            let names: Vec<&str> = documents.iter().map(|(name, _)| *name).collect();
            let refusal = format!("no schema `{}`; there is {}", args.name, names.join(", "));
            Err(io::Error::new(io::ErrorKind::NotFound, refusal))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_of_the_migration_is_printed_unless_another_is_asked_for() {
        let mut out = Vec::new();
        write(&SchemaArgs { name: "migration.schema.json".into(), directory: None }, &mut out).expect("there is such a schema");
        let schema: serde_json::Value = serde_json::from_slice(&out).expect("a schema is JSON");
        assert_eq!(schema["title"], "Migration");
        let unknown = write(&SchemaArgs { name: "other".into(), directory: None }, &mut out).expect_err("there is none");
        assert!(unknown.to_string().contains("migration.schema.json"), "{unknown}");
    }
}
