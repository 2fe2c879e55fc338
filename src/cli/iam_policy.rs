//! `bascule iam-policy`: what AWS has to allow, and no more.

use std::path::PathBuf;

use super::{exit, read_spec};
use crate::iam::Policies;
use crate::names::InstanceId;

/// Print the IAM policy documents that a migration needs, to look and to act apart
///
/// Standard error says why a wildcard stands where one does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 printed; 1 a bad spec; 64 wrong usage.")]
pub struct IamPolicyArgs {
    /// The Migration file.
    file: PathBuf,
    /// One document alone, as IAM takes it; without it both, under these names.
    #[arg(long, value_enum)]
    document: Option<Which>,
    /// A DB instance of the target's cluster; may be given more than once. No other may then be rebooted.
    #[arg(long, value_name = "ID")]
    instance: Vec<String>,
}

/// A document, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// To look: all that `plan` and a paused migration need.
    Observe,
    /// To act, besides.
    Act,
}

/// Runs it.
pub fn run(args: &IamPolicyArgs) -> u8 {
    let migration = match read_spec(&args.file) {
        Ok(migration) => migration,
        Err(code) => return code,
    };
    let instances: Vec<InstanceId> = args.instance.iter().map(|id| InstanceId(id.clone())).collect();
    let policies = Policies::of(&migration, &instances);
    let shown = match args.document {
        None => vec![&policies.observe, &policies.act],
        Some(Which::Observe) => vec![&policies.observe],
        Some(Which::Act) => vec![&policies.act],
    };
    match shown.as_slice() {
        [one] => exit::print_json(one),
        _ => exit::print_json(&policies),
    }
    for statement in shown.iter().flat_map(|document| &document.statement) {
        if let Some(why) = &statement.wildcard_because {
            eprintln!("{}: {why}", statement.sid);
        }
    }
    0
}
